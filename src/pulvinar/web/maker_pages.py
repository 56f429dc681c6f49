"""Pages of who made the data: a person by ORCID, a lab by its name, an organisation as others see it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from pulvinar.catalogue.makers import datasets_of_lab, labs_of_newest, organisation_face, person_of
from pulvinar.model.access import Actor
from pulvinar.model.dataset import Dataset
from pulvinar.model.record import Contributor
from pulvinar.platform import Platform
from pulvinar.web.cards import viewable_covers
from pulvinar.web.context import CurrentActor, CurrentPlatform
from pulvinar.web.kept_answers import kept
from pulvinar.web.limits import costly
from pulvinar.web.phrases import ORGANISATIONS
from pulvinar.web.rendering import render

router = APIRouter(include_in_schema=False, dependencies=[Depends(costly)])


@router.get("/people/{orcid}", dependencies=[Depends(kept)])
def person(
    request: Request, platform: CurrentPlatform, actor: CurrentActor, orcid: Annotated[str, Path(max_length=60)]
) -> Response:
    """A contributor: the data that name the person, and with whom they were made."""
    found = person_of(platform.database, actor, orcid)
    values = {"person": found, **_made(platform, actor, found.datasets)}
    values["others"] = [one for one in values["others"] if one.orcid != orcid]
    return render(request, "person.html", values)


@router.get("/labs", dependencies=[Depends(kept)])
def labs(
    request: Request,
    platform: CurrentPlatform,
    actor: CurrentActor,
    name: Annotated[str, Query(max_length=500)] = "",
) -> Response:
    """The labs that have data here, or one of them."""
    if not name:
        found = [
            (one, count, f"/labs?{urlencode({'name': one})}") for one, count in labs_of_newest(platform.database, actor)
        ]
        return render(request, "labs.html", {"labs": found})
    datasets = datasets_of_lab(platform.database, actor, name)
    return render(request, "lab.html", {"name": name, "kind": None, **_made(platform, actor, datasets)})


@router.get("/labs/{lab_id}", dependencies=[Depends(kept)])
def organisation(
    request: Request, platform: CurrentPlatform, actor: CurrentActor, lab_id: Annotated[str, Path(max_length=100)]
) -> Response:
    """An organisation of this node as everyone sees it: its data, and no members."""
    known, datasets = organisation_face(platform.database, actor, lab_id)
    values = {"name": known.name, "kind": ORGANISATIONS[known.kind], **_made(platform, actor, datasets)}
    return render(request, "lab.html", values)


def _made(platform: Platform, actor: Actor, datasets: Sequence[Dataset]) -> dict[str, Any]:
    """What the pages say of datasets together: species, labs, people with an ORCID, bytes."""
    people = {who.orcid: who for one in reversed(datasets) for who in one.record.contributors if who.orcid}
    others: list[Contributor] = sorted(people.values(), key=lambda one: one.name.casefold())
    assets = {asset.id: asset for one in datasets if one.latest for asset in one.latest.assets}
    return {
        "datasets": datasets,
        "cover_of": viewable_covers(platform, actor, datasets),
        "species": list(dict.fromkeys(one.record.species for one in datasets)),
        "labs": sorted({one.record.lab for one in datasets if one.record.lab}),
        "others": others,
        "neurons": sum(one.kind == "skeleton" for one in assets.values()),
        "size_bytes": sum(one.size_bytes for one in assets.values()),
    }
