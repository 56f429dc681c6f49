"""Brains side by side: two to four panes of the viewer, linked by space or by the regions that stand for each other."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Query, Request, Response

from pulvinar.access.visibility import highest_right
from pulvinar.atlases.common_names import regions_meant
from pulvinar.atlases.homology import Relation
from pulvinar.atlases.installed import OpenAtlas, find_atlas, list_atlases
from pulvinar.catalogue.datasets import get_dataset, list_datasets
from pulvinar.catalogue.versions import get_version
from pulvinar.errors import Invalid
from pulvinar.model.access import Actor, Right
from pulvinar.model.atlas import PartKind
from pulvinar.model.ontology import Region
from pulvinar.model.record import Species
from pulvinar.platform import Platform
from pulvinar.web.context import CurrentActor, CurrentPlatform
from pulvinar.web.counterparts import Counterpart, counterparts
from pulvinar.web.dataset_page import can_show
from pulvinar.web.language import language_of
from pulvinar.web.opened_atlases import opened_atlas
from pulvinar.web.rendering import HERE, VIEWER_POLICY, render

router = APIRouter(include_in_schema=False)

MOST_BRAINS = 4
_OFFERED = 48
_STANDING = 4
"""So many counterparts of a region are shown at once."""

Brains = Annotated[list[str] | None, Query(alias="brain", max_length=MOST_BRAINS)]


@dataclass(frozen=True)
class Brain:
    """A brain that can stand in a pane: `key` names it in the address, as `atlas:NAME` or `dataset:ID`."""

    key: str
    title: str
    species: Species
    page: str
    scene: str
    view: str
    atlas: OpenAtlas | None = None


@dataclass(frozen=True)
class Pane:
    """A brain, and the regions that it goes to with how they compare with the one that was asked for."""

    brain: Brain
    said: tuple[Counterpart, ...] = ()
    asked: dict[str, list[str]] = field(default_factory=dict)

    @property
    def scene(self) -> str:
        """Where the viewer asks for what it shows."""
        return _with(self.brain.scene, self.asked)

    @property
    def view(self) -> str:
        """The viewer's page with this brain alone."""
        return _with(self.brain.view, self.asked)


@router.get("/compare")
def compare(
    request: Request,
    platform: CurrentPlatform,
    actor: CurrentActor,
    asked: Brains = None,
    region: Annotated[str, Query(max_length=300, description="As `ATLAS:REGION`, or a name that any may know.")] = "",
    ends: Annotated[str, Query(max_length=1)] = "",
    choose: Annotated[str, Query(max_length=1)] = "",
) -> Response:
    """Brains side by side; with fewer than two, the list to choose them from."""
    keys = list(dict.fromkeys(asked or ()))
    if len(keys) < 2 or choose:
        return render(request, "side_by_side_choice.html", _choice(platform, actor, keys, region))
    language = language_of(request)
    brains = [find_brain(platform, actor, key, language) for key in keys]
    home = _asked_region(platform, actor, brains, region)
    panes = [_pane(brain, home, region, bool(ends), language) for brain in brains]
    values = {
        "panes": panes,
        "home": (home[0].atlas.name, home[1]) if home else None,
        "unknown": region if region and home is None else "",
        "built": (HERE / "viewer" / "pulvinar-viewer.js").is_file(),
        "again": f"/compare?{urlencode([*(('brain', key) for key in keys), ('region', region), ('choose', '1')])}",
    }
    return render(request, "side_by_side.html", values, policy=VIEWER_POLICY)


def find_brain(platform: Platform, actor: Actor, key: str, language: str) -> Brain:
    """The brain that an address names. Raises `NotFound` for what the actor may not view, `Invalid` for no brain."""
    kind, _, name = key.partition(":")
    if kind == "atlas":
        found = find_atlas(platform.database, actor, name)
        address = f"/atlases/{quote(found.atlas.name)}"
        opened = opened_atlas(platform, found)
        title = found.atlas.label(language)
        return Brain(key, title, found.atlas.species, address, f"/api/v1{address}/scene", f"{address}/view", opened)
    if kind == "dataset":
        shown = get_version(platform.database, actor, name, None, Right.VIEW)
        page = f"/datasets/{shown.dataset_id}"
        scene = f"/api/v1/scenes/{shown.dataset_id}"
        return Brain(key, shown.record.title, shown.record.species, page, scene, f"{page}/view")
    raise Invalid(f"{key!r} names no brain", hint="atlas:NAME or dataset:ID")


def _asked_region(
    platform: Platform, actor: Actor, brains: Iterable[Brain], said: str
) -> tuple[OpenAtlas, Region] | None:
    """The region that an address names: of an atlas, or what the first brain that knows the name means by it."""
    name, _, region = said.partition(":")
    if not region:
        known = ((one.atlas, found) for one in brains if one.atlas for found in _meant(one.atlas, said))
        return next(known, None)
    atlas = opened_atlas(platform, find_atlas(platform.database, actor, name))
    return atlas, atlas.region(region)


def _meant(atlas: OpenAtlas, said: str) -> tuple[Region, ...]:
    return regions_meant(said, atlas.ontology) if said and atlas.atlas.has(PartKind.TERMINOLOGY) else ()


def _pane(brain: Brain, home: tuple[OpenAtlas, Region] | None, asked_name: str, ends: bool, language: str) -> Pane:
    if brain.atlas is None or home is None:
        return Pane(brain)
    said = counterparts(home[0], home[1], brain.atlas, language)[:_STANDING]
    if not said:  # nobody compares them, but a name may mean something here
        meant = _meant(brain.atlas, asked_name)
        said = tuple(Counterpart(home[1], one, Relation.EXACT, "", "") for one in meant)[:_STANDING]
    ids = [str(one.region.id) for one in said]
    asked = {"region": ids, "ends": ids if ends else []}
    return Pane(brain, said, asked)


def _with(address: str, asked: dict[str, list[str]]) -> str:
    pairs = [(key, one) for key, values in asked.items() for one in values]
    return f"{address}?{urlencode(pairs)}" if pairs else address


def _choice(platform: Platform, actor: Actor, keys: list[str], region: str) -> dict[str, Any]:
    """What there is to choose from: the atlases, and the datasets that can be drawn, the named ones first."""
    atlases = list_atlases(platform.database, actor)
    own = {one.dataset_id for one in atlases}
    named = [get_dataset(platform.database, actor, key[8:]) for key in keys if key.startswith("dataset:")]
    newest = list_datasets(platform.database, actor, limit=_OFFERED).items
    offered = {one.id: one for one in (*named, *newest) if one.id not in own}
    with platform.database.session() as session:
        rights = {one: highest_right(session, actor, one) for one in offered}
    drawn = [
        one
        for one in offered.values()
        if (rights[one.id] or Right.SEE) >= Right.VIEW and one.latest and any(map(can_show, one.latest.assets))
    ]
    return {
        # the order of the list is that of the panes
        "atlases": sorted((one.atlas for one in atlases), key=lambda one: f"atlas:{one.name}" not in keys),
        "datasets": drawn,
        "keys": keys,
        "region": region,
    }
