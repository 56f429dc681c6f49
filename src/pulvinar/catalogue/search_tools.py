"""What a search asks other rooms: which regions of other species are alike, and what is near a place."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from functools import cache, cached_property, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from pulvinar.access.visibility import KEPT, visible
from pulvinar.atlases.homology import homologues, regions_called
from pulvinar.atlases.tables import atlas
from pulvinar.atlases.trees import Tree
from pulvinar.catalogue.blocks import Around, Ball, BoxFigure, Figure
from pulvinar.catalogue.listed import Numbers, listed, told
from pulvinar.catalogue.nearby import PlacesNear
from pulvinar.catalogue.query_nodes import InBox, Located, Near
from pulvinar.catalogue.search_plan import Homologues, Place
from pulvinar.catalogue.seen import seen_asset
from pulvinar.catalogue.tables import asset_entry
from pulvinar.errors import Invalid
from pulvinar.model.access import Actor, Right
from pulvinar.model.atlas import atlas_from_json
from pulvinar.model.ontology import Ontology, Region
from pulvinar.model.record import Species
from pulvinar.model.space import Space

if TYPE_CHECKING:
    from pulvinar.atlases.region_distance import RegionDistance

RegionDistances = Callable[[Actor, str, int], "RegionDistance | None"]
"""How far places are from a region of an atlas, by its identifier; None for one without voxels."""


def table_of_homologues(session: Session, trees: Sequence[Tree]) -> Homologues:
    """The table of regions across species, for the atlases of `trees`: names of regions by their ontology's name."""

    @cache
    def known() -> dict[str, Species]:
        """The species of each ontology: read when it is asked for, which most questions never do."""
        rows = session.execute(select(atlas.c.name, atlas.c.species)).all()
        species = {row.name: Species(row.species) for row in rows}
        return {tree.ontology.name: species[tree.atlas] for tree in trees if tree.atlas in species}

    def alike(ontology: Ontology, region: Region) -> Iterator[tuple[str, str]]:
        own = known().get(ontology.name)
        for found in homologues(own, region) if own else ():
            for tree in trees:
                if known().get(tree.ontology.name) is found.b_species:
                    yield from ((tree.ontology.name, one.name) for one in regions_called(found.b, tree.ontology)[:1])

    return alike


def located_assets(
    session: Session,
    actor: Actor,
    where: Located,
    places: tuple[Place, ...],
    boxes: bool,
    distances: RegionDistances | None = None,
) -> PlacesNear:
    """The assets, whoever may see them, with a node, a soma, an end or a cell near a point or a region, or in a box;
    with `boxes` also what has a box alone.

    Raises `Invalid` for an unknown space, and for a region of which nobody tells how far places are from it.
    """
    if isinstance(where, Near) and where.point_um is None:
        return PlacesNear(session, _around(session, actor, where.radius_um, places, distances), boxes=boxes)
    spaces = known_spaces(session, actor)
    space = spaces.get(where.space)
    if space is None:
        raise Invalid(f"no atlas lies in a space {where.space!r}", hint=f"there are {', '.join(spaces) or 'none'}")
    return PlacesNear(session, [(space, _figure(where))], boxes=boxes)


def _figure(where: Located) -> Figure:
    if isinstance(where, InBox):
        return BoxFigure(where.start_um, where.stop_um)
    assert where.point_um is not None
    return Ball(where.point_um, where.radius_um)


def _around(
    session: Session,
    actor: Actor,
    radius_um: float,
    places: tuple[Place, ...],
    distances: RegionDistances | None,
) -> list[tuple[Space, Figure]]:
    """What is near each of some regions: of several atlases of one space the first that has voxels of it tells."""
    hint = "use of:(x,y,z)@space, for example of:(5400,3800,6200)@allen_ccfv3"
    if distances is None:
        raise Invalid("nobody tells here how far places are from a region", hint=hint)
    spaces = _spaces_of_atlases(session, actor)
    found: dict[tuple[str, str], tuple[Space, Figure]] = {}
    for place in places:
        space = spaces.get(place.atlas)
        if space is None or (space.name, place.region.name) in found:
            continue
        distance = distances(actor, place.atlas, place.region.id)
        if distance is not None:
            around = Around(distance.distance_um, radius_um, distance.box_gap_um)
            found[space.name, place.region.name] = space, around
    if not found:
        named = ", ".join(dict.fromkeys(place.asked for place in places))
        raise Invalid(f"no atlas has voxels of {named}", hint=hint)
    return [*found.values()]


class ReadableAssets:
    """The assets that an actor may read, as `NearAssets` says it.

    Where the nodes of a neuron lie is what is in its file: with small boxes they could be measured by whoever sees no
    more than that the dataset is there. So nothing else is found near a place, counted or told of.
    """

    blocks = sys.maxsize

    def __init__(self, session: Session, actor: Actor) -> None:
        self._session = session
        self._actor = actor

    def between(self, least: int, below: int) -> Numbers:
        """All numbers: any may be."""
        return np.arange(below - 1, least - 1, -1)

    def holding(self, numbers: Sequence[int]) -> set[int]:
        """Those of `numbers` that the actor may read."""
        return set(self._session.scalars(self._wanted, {"numbers": told(numbers)}).all()) if numbers else set()

    @cached_property
    def _wanted(self) -> Select[Any]:
        return _readable(self._actor).where(listed(self._session, asset_entry.c.number, "numbers"))


@lru_cache(KEPT)
def _readable(actor: Actor) -> Select[Any]:
    """The numbers of what an actor may read."""
    return select(asset_entry.c.number).where(seen_asset(actor, asset_entry.c.asset_id, Right.READ))


def known_spaces(session: Session, actor: Actor) -> dict[str, Space]:
    """The spaces of the installed atlases that `actor` may see, by name."""
    return {space.name: space for space in _spaces_of_atlases(session, actor).values()}


def _spaces_of_atlases(session: Session, actor: Actor) -> dict[str, Space]:
    """The space of each installed atlas that `actor` may see, by the atlas's name."""
    manifests = session.scalars(_manifests(actor)).all()
    return {one.name: one.space for one in map(atlas_from_json, manifests)}


@lru_cache(KEPT)
def _manifests(actor: Actor) -> Select[Any]:
    """The manifests of the atlases that an actor may see, of each the newest last."""
    return select(atlas.c.manifest).where(visible(actor, atlas.c.dataset_id)).order_by(atlas.c.name, atlas.c.version)
