"""Pages of people's data: what is in quarantine and why, the head before and after, and letting it leave."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse

from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue.assets import find_home
from pulvinar.catalogue.quarantine import hold_again, quarantine_of, release
from pulvinar.catalogue.versions import get_version
from pulvinar.errors import Forbidden, Invalid, NotFound, PulvinarError
from pulvinar.model.access import Actor
from pulvinar.model.dataset import Asset, Version
from pulvinar.model.quarantine import Basis, Face, Identifiers, Quarantine
from pulvinar.platform import Platform
from pulvinar.web.api.schemas import AssetLinks, asset_links
from pulvinar.web.context import CurrentActor, CurrentPlatform, DatasetId, refuse_other_sites
from pulvinar.web.derived import MadePicture, pictures_of
from pulvinar.web.job_pages import Fields
from pulvinar.web.phrases import mark
from pulvinar.web.rendering import render

router = APIRouter(include_in_schema=False, dependencies=[Depends(refuse_other_sites)])

FACES = {
    Face.UNKNOWN: mark("It may have a face"),
    Face.REMOVED: mark("Its face was removed"),
    Face.ABSENT: mark("The reviewer saw no face in it"),
    Face.KEPT: mark("It has a face, and may leave with it"),
}
IDENTIFIERS = {
    Identifiers.NONE: mark("The files named nobody"),
    Identifiers.FOUND: mark("The files named somebody: nothing of that was stored"),
}
BASES = {
    Basis.ANONYMOUS: mark("Stated: anonymous already"),
    Basis.TEMPLATE: mark("Stated: a template, nobody's head"),
    Basis.PUBLIC: mark("Stated: published by others"),
    Basis.CONSENT: mark("Stated: consent to be recognised"),
}


@dataclass(frozen=True)
class Held:
    """An asset and its state, as the pages show it; `before` is the head that it was made from by removing the face."""

    state: Quarantine
    asset: Asset
    links: AssetLinks
    pictures: tuple[MadePicture, ...]
    before: AssetLinks | None = None
    before_name: str = ""


def held_of(platform: Platform, actor: Actor, version: Version) -> tuple[Held, ...]:
    """What of a version is or was in quarantine, for who administers it; nothing for others."""
    try:
        states = quarantine_of(platform.database, actor, version.dataset_id)
    except (Forbidden, NotFound):
        return ()
    assets = {one.id: one for one in version.assets}
    shown: dict[str, Quarantine] = {}
    for state in states:
        if state.asset_id in assets and (state.held or state.asset_id not in shown):
            shown[state.asset_id] = state
    return tuple(_held(platform, actor, version, assets[key], state) for key, state in shown.items())


def _held(platform: Platform, actor: Actor, version: Version, asset: Asset, state: Quarantine) -> Held:
    links = asset_links(asset, version.digest)
    made = Held(state, asset, links, tuple(pictures_of(asset, version)))
    inputs = asset.details.get("derivation", {}).get("inputs", ())
    head = next((one["asset_id"] for one in inputs if one["name"] == "image"), "")
    if state.face is not Face.REMOVED or not head:
        return made
    try:
        home, before = find_home(platform.database, actor, head)
    except NotFound:
        return made
    return Held(state, asset, links, made.pictures, asset_links(before, home.digest), before.name)


@router.get("/datasets/{dataset_id}/quarantine")
def quarantine(request: Request, platform: CurrentPlatform, actor: CurrentActor, dataset_id: DatasetId) -> Response:
    """What is to be reviewed."""
    return _page(request, platform, actor, dataset_id)


@router.post("/datasets/{dataset_id}/quarantine")
def review(
    request: Request,
    platform: CurrentPlatform,
    actor: CurrentActor,
    dataset_id: DatasetId,
    fields: Annotated[Fields, "asset, face (or hold), note, looked"],
) -> Response:
    """Let an asset leave, or hold it again."""
    try:
        with UnitOfWork(platform.database, actor) as work:
            asset_id, note = fields.get("asset", ""), fields.get("note", "")
            if fields.get("action") == "hold":
                hold_again(work, dataset_id, asset_id, note)
            else:
                _check_looked(fields)
                release(work, dataset_id, asset_id, _face(fields.get("face", "")), note)
    except (Forbidden, NotFound):
        raise
    except PulvinarError as error:
        return _page(request, platform, actor, dataset_id, error)
    return RedirectResponse(f"/datasets/{quote(dataset_id)}/quarantine", 303)


def _check_looked(fields: dict[str, str]) -> None:
    if fields.get("looked") != "yes" or fields.get("names") != "yes":
        raise Invalid("nobody has said that he has looked", hint="tick both boxes once it is so")


def _face(said: str) -> Face:
    try:
        return Face(said)
    except ValueError:
        raise Invalid(f"{said[:40]!r} can't be said of a face", hint="removed, absent or kept") from None


def _page(
    request: Request, platform: Platform, actor: Actor, dataset_id: str, error: PulvinarError | None = None
) -> Response:
    version = get_version(platform.database, actor, dataset_id)
    # raises where the actor may not administer it
    quarantine_of(platform.database, actor, dataset_id)
    held = held_of(platform, actor, version)
    values = {"version": version, "record": version.record, "held": held, "error": error, **words()}
    return render(request, "quarantine.html", values, status=409 if error else 200)


def words() -> dict[str, object]:
    """What the templates call states by."""
    return {"faces": FACES, "identifier_states": IDENTIFIERS, "bases": BASES, "Face": Face}
