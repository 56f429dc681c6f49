"""Anchoring: where in the atlases of its species an asset lies, computed from what is stored of it.

An asset whose coordinates are said (or were measured) to be in a space is anchored in every installed atlas of that
space, and in those to whose space a path of transforms leads; one of which only names are known, in the atlases of its
species that know them.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from pulvinar.access.work import UnitOfWork
from pulvinar.atlases.installed import OpenAtlas, find_atlas, grids_in, list_atlases
from pulvinar.catalogue.anchors import remove_anchor, set_anchor, stale_anchors
from pulvinar.catalogue.asset_index import index_assets
from pulvinar.catalogue.boxes import box_blocks
from pulvinar.catalogue.datasets import list_datasets
from pulvinar.catalogue.places import PlaceBlocks, batches, place_blocks
from pulvinar.catalogue.transforms import Route, StoredTransform, find_route, leg_to_json, list_transforms, spaces_of
from pulvinar.catalogue.versions import list_versions
from pulvinar.errors import Invalid, NotFound
from pulvinar.ingest.anchor_measures import MEASURES, Floats, Place
from pulvinar.ingest.anchor_names import parcels_named, specimen_region
from pulvinar.ingest.anchor_shares import known_shares, positions_of
from pulvinar.ingest.progress import Progress, Silent, watched
from pulvinar.ingest.reader import Finding, Severity
from pulvinar.ingest.request import Means
from pulvinar.model.access import ANONYMOUS, Actor, Right
from pulvinar.model.anchor import Anchor, Certainty, PlaceRole, Role
from pulvinar.model.atlas import PartKind
from pulvinar.model.dataset import Asset, AssetKind
from pulvinar.model.record import Record
from pulvinar.model.space import Points
from pulvinar.model.transform import combined_error
from pulvinar.model.volume import Triple
from pulvinar.storage.database import Database
from pulvinar.storage.object_file import open_table
from pulvinar.storage.store import Store

_AT_ONCE = 16
"""So many assets are anchored in one transaction."""


@dataclass(frozen=True, eq=False)
class Anchored:
    """An anchor with what the catalogue needs beside it: the order of its regions, its places by block, and since when
    the atlas is known by which it was computed."""

    anchor: Anchor
    positions: Mapping[int, int]
    blocks: Mapping[PlaceRole, PlaceBlocks] = field(default_factory=dict)
    known: datetime | None = None


class Anchorer:
    """The atlases that an actor may see, opened once for all assets of an ingest."""

    def __init__(self, database: Database, store: Store, scratch: Path, actor: Actor, *, atlas: str = "") -> None:
        self._database, self._store, self._scratch = database, store, scratch
        self._actor = actor
        self._atlas = atlas
        self._known: datetime | None = None

    @cached_property
    def atlases(self) -> tuple[OpenAtlas, ...]:
        """The newest version of each atlas; nothing of it is read yet."""
        self._known = datetime.now(UTC)
        found = list_atlases(self._database, self._actor)
        cache = grids_in(self._scratch)
        return tuple(OpenAtlas(one, self._store, cache) for one in found if self._atlas in ("", one.atlas.name))

    def anchors(self, record: Record, asset: Asset) -> tuple[Anchored, ...]:
        """Where `asset`, of a dataset with `record`, lies: one anchor an atlas of its species."""
        found = []
        for opened in self.atlases:
            if opened.atlas.species is not record.species:
                continue
            stated = asset.details.get("space", {})
            made = None
            if stated.get("name") == opened.atlas.space.name:
                made = _placed(opened, self._store, asset, stated)
            elif stated and (route := self._route(stated["name"], opened.atlas.space.name)):
                made = _placed(opened, self._store, asset, stated, route)
            made = made or _named(opened, self._store, asset, record)
            if made is not None:
                found.append(replace(made, known=self._known))
        return tuple(found)

    @cached_property
    def _transforms(self) -> tuple[StoredTransform, ...]:
        """Those that everyone may read: an anchor tells whoever sees the asset of the path that it took."""
        return list_transforms(self._database, self._store, ANONYMOUS)

    def _route(self, source: str, target: str) -> Route | None:
        """The way from a space to that of an atlas, None where there is none."""
        with suppress(NotFound):
            return find_route(self._transforms, source, target)
        return None


def check_space(means: Means, name: str) -> None:
    """Raise `Invalid` for a space that no installed atlas is of and no transform is from or to."""
    if not name:
        return
    atlases = {one.atlas.space.name for one in list_atlases(means.database, means.actor)}
    others = set(spaces_of(list_transforms(means.database, means.store, means.actor))) - atlases
    if name not in atlases | others:
        told = f"spaces of installed atlases: {', '.join(sorted(atlases)) or 'none'}"
        told += f"; spaces of transforms: {', '.join(sorted(others))}" if others else ""
        hint = f"{told}; pulvinar atlas install brings one in, pulvinar transform add a transform"
        raise Invalid(f"--space {name!r}: no installed atlas is of that space, and no transform", hint=hint)


def _placed(
    opened: OpenAtlas, store: Store, asset: Asset, stated: Mapping[str, Any], route: Route | None = None
) -> Anchored | None:
    """The anchor of an asset whose coordinates are in the space of an atlas, or in one from which `route` leads there;
    None for what has none."""
    measure = MEASURES.get(asset.kind)
    if measure is None:
        return None
    lies = measure(Place(opened, store, asset, route.transform if route else None))
    if lies.box_um is None:
        return None
    box_um = _triple(lies.box_um[0]), _triple(lies.box_um[1])
    # in an atlas of templates alone nothing is counted by region, and nobody asks for the order of its regions
    shares = {role: known_shares(opened.ontology, found) for role, found in lies.shares.items()}
    outside = {role: found.outside for role, found in lies.shares.items() if found.outside}
    anchor = Anchor(
        atlas=opened.atlas.name,
        atlas_version=opened.atlas.version,
        space=opened.atlas.space.name,
        certainty=Certainty(stated["certainty"]),
        box_um=box_um,
        error_um=_error_um(asset, stated, route),
        shares={role: values for role, values in shares.items() if values},
        details={
            **lies.details,
            **({"outside": outside} if outside else {}),
            **({"from_space": stated["name"], "path": [leg_to_json(leg) for leg in route.legs]} if route else {}),
        },
    )
    space = opened.atlas.space
    blocks = {role: place_blocks(Points(space, places)) for role, places in lies.places.items() if len(places)}
    if not blocks:
        blocks[PlaceRole.BOX] = box_blocks(space, box_um)
    return Anchored(anchor, positions_of(opened.ontology, anchor.shares) if anchor.shares else {}, blocks)


def _named(opened: OpenAtlas, store: Store, asset: Asset, record: Record) -> Anchored | None:
    """The anchor of an asset of which an atlas knows names: of its parcels, else of the specimen."""
    if not opened.atlas.has(PartKind.TERMINOLOGY):
        return None
    ontology, names = opened.ontology, _parcels(store, asset)
    parcels = parcels_named(ontology, names)
    shares: dict[str, dict[int, float]] = {Role.PARCEL: parcels} if parcels else {}
    details: dict[str, Any] = {"parcels": len(names), "matched": int(sum(parcels.values()))} if parcels else {}
    region = None if parcels else specimen_region(ontology, record.specimen.part)
    if region is not None:
        shares, details = {Role.NAMED: {region.id: 1.0}}, {"named": record.specimen.part}
    if not shares:
        return None
    atlas = opened.atlas
    anchor = Anchor(atlas.name, atlas.version, atlas.space.name, Certainty.NAME, shares=shares, details=details)
    return Anchored(anchor, positions_of(ontology, shares))


def _parcels(store: Store, asset: Asset) -> list[str]:
    """The names of an asset's signals, or of the rows and columns of its matrix."""
    if asset.kind is AssetKind.TIME_SERIES:
        return _names(store, asset, "series.parquet", "name")
    if asset.kind is AssetKind.CONNECTIVITY:
        large = "array" in asset.details
        sources = _names(store, asset, *(("sources.parquet", "name") if large else ("matrix.parquet", "source")))
        targets = _names(store, asset, "targets.parquet", "name")
        return list(dict.fromkeys([*sources, *targets]))
    return []


def _names(store: Store, asset: Asset, path: str, column: str) -> list[str]:
    found = open_table(store, f"{asset.prefix}/{path}").read(columns=[column])[column].to_pylist()
    return [str(one) for one in found if one is not None]


def _error_um(asset: Asset, stated: Mapping[str, Any], route: Route | None) -> float | None:
    own: float | None = stated.get("error_um", _rounding_um(asset))
    if route is None:
        return own
    # nobody says how true the asset is to its own space: then the error is at least that of the path
    return route.expected_error_um if own is None else combined_error((own, route.expected_error_um))


def _rounding_um(asset: Asset) -> float | None:
    """How far off places in voxels are, of which nobody says whether a whole number is a corner or a centre."""
    options = asset.details.get("source", {}).get("options", {})
    if not options.get("unit", "").strip().lower().startswith("voxel"):
        return None
    return float(np.linalg.norm(options["voxel_size_um"])) / 2 if options.get("voxel_size_um") else None


def _triple(zyx: Floats) -> Triple:
    z, y, x = zyx.tolist()
    return z, y, x


class AnchorSpool:
    """Anchors of many assets, kept in a folder until they are written down: together they may be large."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def put(self, asset_id: str, found: Sequence[Anchored]) -> None:
        """Keep the anchors of one asset."""
        if found:
            (self._folder / asset_id).write_bytes(pickle.dumps(tuple(found)))

    def write(self, session: Session, dataset_id: str) -> None:
        """Write them all down in the catalogue, and make the assets of the dataset found by them."""
        paths = sorted(self._folder.iterdir())
        for path in paths:
            for one in pickle.loads(path.read_bytes()):
                set_anchor(session, path.name, one.anchor, one.positions, one.blocks, one.known)
        if paths:
            index_assets(session, dataset_id, [path.name for path in paths])


def with_doubt(asset: Asset, found: Sequence[Anchored]) -> Asset:
    """`asset`, with a finding where most of it lies in no region of any atlas whose space it is stated to be in."""
    placed = [
        one.anchor for one in found if one.anchor.certainty is not Certainty.NAME and "outside" in one.anchor.details
    ]
    doubts = [doubt for one in placed if (doubt := _doubt(one)) is not None]
    if not doubts or len(doubts) < len(placed):
        return asset
    told = [*asset.details["findings"], asdict(doubts[0])]
    return replace(asset, details={**asset.details, "findings": told})


def _doubt(anchor: Anchor) -> Finding | None:
    for role in (Role.LENGTH, Role.COUNT):
        outside = anchor.details.get("outside", {}).get(role, 0.0)
        whole = outside + sum(anchor.shares.get(role, {}).values())
        if outside > whole / 2:
            much = f"{outside / whole:.0%} of it lies in no region of {anchor.atlas}"
            return Finding(Severity.DOUBT, f"{much}: are its coordinates those of {anchor.space}?", "--space")
    return None


@dataclass(frozen=True)
class Reanchored:
    """How many assets were looked at, and how many of them lie in some atlas."""

    assets: int
    anchored: int


def reanchor(
    means: Means, progress: Progress | None = None, *, dataset_id: str = "", atlas: str = "", stale: bool = False
) -> Reanchored:
    """Compute anew where assets lie: of one dataset or of all that the actor may see, in one atlas or in all; only of
    datasets with an anchor that is stale there, where `stale`.

    For atlases that were installed after the assets, or in another version. Raises `NotFound` for an unknown dataset or
    atlas, `Forbidden` for a dataset that the actor may not write.
    """
    if atlas:
        find_atlas(means.database, means.actor, atlas)
    anchorer = Anchorer(means.database, means.store, means.scratch, means.actor, atlas=atlas)
    total = Reanchored(0, 0)
    chosen: Iterable[str] = [dataset_id] if dataset_id else _datasets(means)
    if stale:
        old = stale_anchors(means.database, means.actor, atlas)
        chosen = [one for one in old if dataset_id in ("", one)]
    for one in chosen:
        with watched(progress or Silent(), f"{one}: where it lies"):
            done = _reanchor(means, anchorer, one)
        total = Reanchored(total.assets + done.assets, total.anchored + done.anchored)
    return total


def _datasets(means: Means) -> Iterator[str]:
    cursor: str | None = None
    while True:
        page = list_datasets(means.database, means.actor, cursor=cursor, limit=200)
        yield from (dataset.id for dataset in page.items)
        cursor = page.next_cursor
        if cursor is None:
            return


def _reanchor(means: Means, anchorer: Anchorer, dataset_id: str) -> Reanchored:
    versions = list_versions(means.database, means.actor, dataset_id)
    # an asset goes by the newest record that speaks of it
    assets = {asset.id: (version.record, asset) for version in reversed(versions) for asset in version.assets}
    names, anchored = [opened.atlas.name for opened in anchorer.atlases], 0
    for some in batches(assets.values(), _AT_ONCE):
        found = [(asset, anchorer.anchors(record, asset)) for record, asset in some]
        anchored += sum(bool(anchors) for _, anchors in found)
        with UnitOfWork(means.database, means.actor) as work:
            work.ask(Right.WRITE, dataset_id)
            for asset, anchors in found:
                for name in names:
                    remove_anchor(work.session, asset.id, name)
                for one in anchors:
                    set_anchor(work.session, asset.id, one.anchor, one.positions, one.blocks, one.known)
            index_assets(work.session, dataset_id, [asset.id for asset, _ in found])
            work.record_event("anchor", dataset_id, {"assets": [asset.id for asset, _ in found], "atlases": names})
    return Reanchored(len(assets), anchored)
