"""What there is, in numbers: datasets and assets by species, of what an actor may see."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from sqlalchemy import func, select

from pulvinar.access.visibility import visible
from pulvinar.catalogue.datasets import datasets_among
from pulvinar.catalogue.seen import seen_asset
from pulvinar.catalogue.tables import asset, asset_entry, dataset
from pulvinar.model.access import Actor
from pulvinar.model.dataset import AssetKind
from pulvinar.model.record import Species
from pulvinar.storage.database import Database


@dataclass(frozen=True)
class Figures:
    """How many datasets there are, how many assets of each kind, and their bytes."""

    datasets: int = 0
    assets: dict[AssetKind, int] = field(default_factory=dict)
    size_bytes: int = 0

    def of_kind(self, kind: AssetKind | str) -> int:
        """How many assets of a kind there are."""
        return self.assets.get(AssetKind(kind), 0)


def figures(database: Database, actor: Actor) -> dict[Species, Figures]:
    """The figures of each species, of what `actor` may see. Costs one walk over datasets and one over assets."""
    here = visible(actor, dataset.c.id)
    counted = select(dataset.c.species, func.count().label("datasets")).where(here).group_by(dataset.c.species)
    size = func.coalesce(func.sum(asset.c.size_bytes), 0)
    of_assets = (
        select(dataset.c.species, asset.c.kind, func.count(), size)
        .select_from(asset_entry)
        .join(asset, asset.c.id == asset_entry.c.asset_id)
        .join(dataset, dataset.c.id == asset_entry.c.dataset_id)
        .where(here, seen_asset(actor, asset_entry.c.asset_id))
        .group_by(dataset.c.species, asset.c.kind)
    )
    kinds: dict[str, dict[AssetKind, int]] = defaultdict(dict)
    sizes: dict[str, int] = defaultdict(int)
    with database.session() as session:
        datasets = {row.species: row.datasets for row in session.execute(counted)}
        for species, kind, count, size_bytes in session.execute(of_assets):
            kinds[species][AssetKind(kind)] = count
            sizes[species] += int(size_bytes)
    return {one: Figures(datasets.get(one, 0), kinds[one], sizes[one]) for one in Species}


def together(parts: Iterable[Figures]) -> Figures:
    """The sum of some figures."""
    assets: dict[AssetKind, int] = defaultdict(int)
    known = tuple(parts)
    for one in known:
        for kind, count in one.assets.items():
            assets[kind] += count
    return Figures(sum(one.datasets for one in known), dict(assets), sum(one.size_bytes for one in known))


def largest_datasets(database: Database, actor: Actor, *, limit: int = 20) -> tuple[tuple[str, str, int], ...]:
    """The datasets that hold most bytes, of those that `actor` may see: identifier, title, bytes."""
    size = func.sum(asset.c.size_bytes)
    wanted = (
        select(asset_entry.c.dataset_id, size.label("size_bytes"))
        .join(asset, asset.c.id == asset_entry.c.asset_id)
        .where(visible(actor, asset_entry.c.dataset_id), seen_asset(actor, asset_entry.c.asset_id))
        .group_by(asset_entry.c.dataset_id)
        .order_by(size.desc(), asset_entry.c.dataset_id)
        .limit(limit)
    )
    with database.session() as session:
        sizes = {row.dataset_id: int(row.size_bytes) for row in session.execute(wanted)}
    titles = {one.id: one.record.title for one in datasets_among(database, actor, sizes)}
    return tuple((one, titles.get(one, ""), size_bytes) for one, size_bytes in sizes.items())
