"""The search as a form: its fields become the text of a question, which the search box then shows."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import RedirectResponse

from pulvinar.catalogue.query import LONGEST
from pulvinar.catalogue.query_form import QuestionForm, chips_of, form_of, question_of
from pulvinar.catalogue.query_nodes import QueryError
from pulvinar.catalogue.search_tools import known_spaces
from pulvinar.catalogue.suggest import suggest
from pulvinar.model.access import Actor
from pulvinar.model.dataset import AssetKind
from pulvinar.platform import Platform
from pulvinar.web.context import CurrentActor, CurrentPlatform
from pulvinar.web.limits import costly
from pulvinar.web.rendering import render

router = APIRouter(include_in_schema=False)

_OFFERED = 12
Words = Annotated[str, Query(max_length=LONGEST)]
Name = Annotated[str, Query(max_length=200)]


def filled(platform: Platform, actor: Actor, query: str) -> dict[str, object]:
    """What the templates of the search need: the fields and the chips of a question, and the spaces to choose from."""
    with platform.database.session() as session:
        spaces = sorted(known_spaces(session, actor))
    try:
        form, chips = form_of(query), chips_of(query)
    except QueryError:
        form, chips = QuestionForm(words=query), ()
    shown = chips if len(chips) > 1 or not form.is_empty else ()
    return {"form": form, "chips": shown, "spaces": spaces, "asset_kinds": tuple(AssetKind)}


@router.get("/find")
def find(
    words: Words = "",
    species: Name = "",
    kind: Name = "",
    region: Name = "",
    soma: Name = "",
    end: Name = "",
    radius_um: Name = "",
    near: Name = "",
    box_from: Name = "",
    box_to: Name = "",
    space: Name = "",
) -> Response:
    """Lead from the fields to the question that they ask."""
    form = QuestionForm(words, species, kind, region, soma, end, radius_um, near, box_from, box_to, space)
    return RedirectResponse(f"/?{urlencode({'q': question_of(form)[:LONGEST]})}", status_code=303)


@router.get("/find/regions", dependencies=[Depends(costly)])
def find_regions(
    request: Request,
    platform: CurrentPlatform,
    actor: CurrentActor,
    region: Name = "",
    soma: Name = "",
    end: Name = "",
    near: Name = "",
) -> Response:
    """Names of regions for the field in which somebody types."""
    begun = (region or soma or end or near).replace('"', " ")
    found = suggest(platform.database, actor, f'region:"{begun}', limit=_OFFERED) if begun.strip() else ()
    return render(request, "_region_names.html", {"found": [one for one in found if one.kind == "region"]})
