"""Sets of neurons that are looked at together: of an atlas, a region, datasets or a search, as far as one may read."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, literal, select
from sqlalchemy.orm import Session

from pulvinar.access.dataset_access import controlled_among
from pulvinar.access.export_rules import bound_among
from pulvinar.catalogue.anchors import InRegion, Span, anchored_in
from pulvinar.catalogue.places import batches
from pulvinar.catalogue.seen import seen_version
from pulvinar.catalogue.tables import anchor, anchor_region, asset, version, version_asset
from pulvinar.model.access import Actor, Right
from pulvinar.model.anchor import Role
from pulvinar.model.dataset import AssetKind
from pulvinar.storage.database import Database

MOST_NEURONS = 20_000
"""A set has no more: those with the lowest identifiers."""
_BATCH = 500


@dataclass(frozen=True)
class NeuronFilter:
    """Which neurons of an atlas: with a soma or an end in a region and all below it, of some datasets, or some
    assets."""

    soma: Span | None = None
    end: Span | None = None
    datasets: frozenset[str] | None = None
    assets: frozenset[str] | None = None


@dataclass(frozen=True)
class SetNeuron:
    """One neuron of a set. `details` are the asset's."""

    asset_id: str
    name: str
    prefix: str
    details: Mapping[str, Any]
    dataset_id: str
    title: str


@dataclass
class NeuronFacts:
    """What neurons of a set are told apart by: the region of the soma, the one where most ends are, and how many
    micrometres of neurite lie in the region that was asked for."""

    soma: int | None = None
    target: int | None = None
    strength_um: float | None = None


def neurons_of_set(database: Database, actor: Actor, atlas: str, wanted: NeuronFilter) -> tuple[SetNeuron, ...]:
    """The neurons anchored in `atlas` that `actor` may read, in the order of their identifiers, each as of the newest
    version that has it. What a rule keeps at this site is left out: its own page says why."""
    with database.session() as session:
        rows = _rows(session, actor, atlas, wanted)
        datasets = {dataset_id for *_, dataset_id, _ in rows.values()}
        bound = bound_among(session, datasets)
    return tuple(
        SetNeuron(asset_id, name, prefix, details, dataset_id, title)
        for asset_id, (name, prefix, details, dataset_id, title) in rows.items()
        if dataset_id not in bound
    )


def reading_of_neuron(database: Database, actor: Actor, neuron: SetNeuron) -> bool | None:
    """Whether what is read of a neuron is counted; None where `actor` may not read it now, or a rule keeps it here."""
    held = select(literal(1)).join(version, version.c.id == version_asset.c.version_id)
    held = held.where(version_asset.c.asset_id == neuron.asset_id, seen_version(actor, version, Right.READ)).limit(1)
    with database.session() as session:
        if session.scalar(held) is None or bound_among(session, [neuron.dataset_id]):
            return None
        return bool(controlled_among(session, [neuron.dataset_id]))


def _rows(
    session: Session, actor: Actor, atlas: str, wanted: NeuronFilter
) -> dict[str, tuple[str, str, Mapping[str, Any], str, str]]:
    asked = (
        select(asset.c.id, asset.c.name, asset.c.prefix, asset.c.details, version.c.dataset_id)
        .add_columns(version.c.record["title"].as_string().label("title"))
        .join(anchor, (anchor.c.asset_id == asset.c.id) & (anchor.c.atlas == atlas))
        .join(version_asset, version_asset.c.asset_id == asset.c.id)
        .join(version, version.c.id == version_asset.c.version_id)
        .where(asset.c.kind == AssetKind.SKELETON.value, seen_version(actor, version, Right.READ))
        .order_by(asset.c.id, version.c.number)
    )
    for role, span in ((Role.SOMA, wanted.soma), (Role.END, wanted.end)):
        if span is not None:
            asked = asked.where(asset.c.id.in_(anchored_in(atlas, InRegion((span,), (role,)))))
    parts = [asked]
    if wanted.datasets is not None:
        parts = [asked.where(version.c.dataset_id.in_(some)) for some in batches(sorted(wanted.datasets), _BATCH)]
    elif wanted.assets is not None:
        parts = [asked.where(asset.c.id.in_(some)) for some in batches(sorted(wanted.assets), _BATCH)]
    found: dict[str, tuple[str, str, Mapping[str, Any], str, str]] = {}
    for part in parts:
        for row in session.execute(part):
            if row.id not in found and len(found) == MOST_NEURONS:
                break
            # of several versions the newest comes last
            found[row.id] = (row.name, row.prefix, row.details, row.dataset_id, row.title)
    return dict(sorted(found.items()))


def facts_of(
    database: Database, atlas: str, asset_ids: Collection[str], span: Span | None = None
) -> dict[str, NeuronFacts]:
    """What neurons are told apart by; `span` is the region that was asked for, for how strong each is there.

    Private to the rooms above, which ask who may know it.
    """
    found = {one: NeuronFacts() for one in asset_ids}
    with database.session() as session:
        for some in batches(sorted(found), _BATCH):
            for asset_id, region_id in _most(session, atlas, some, Role.SOMA):
                found[asset_id].soma = region_id
            for asset_id, region_id in _most(session, atlas, some, Role.END):
                found[asset_id].target = region_id
            for asset_id, length_um in _lengths(session, atlas, some, span) if span else ():
                found[asset_id].strength_um = length_um
    return found


def _most(session: Session, atlas: str, asset_ids: Sequence[str], role: Role) -> list[tuple[str, int]]:
    """Of each asset the region with the highest value; of equal ones the first of the tree."""
    ranked = (
        select(anchor_region.c.asset_id, anchor_region.c.region_id)
        .add_columns(
            func.row_number()
            .over(
                partition_by=anchor_region.c.asset_id,
                order_by=(anchor_region.c.value.desc(), anchor_region.c.position),
            )
            .label("place")
        )
        .where(anchor_region.c.asset_id.in_(asset_ids), anchor_region.c.atlas == atlas, anchor_region.c.role == role)
        .subquery()
    )
    first = select(ranked.c.asset_id, ranked.c.region_id).where(ranked.c.place == 1)
    return [(row.asset_id, row.region_id) for row in session.execute(first)]


def _lengths(session: Session, atlas: str, asset_ids: Sequence[str], span: Span) -> list[tuple[str, float]]:
    added = (
        select(anchor_region.c.asset_id, func.sum(anchor_region.c.value).label("length_um"))
        .where(
            anchor_region.c.asset_id.in_(asset_ids),
            anchor_region.c.atlas == atlas,
            anchor_region.c.role == Role.LENGTH.value,
            anchor_region.c.position.between(*span),
        )
        .group_by(anchor_region.c.asset_id)
    )
    return [(row.asset_id, row.length_um) for row in session.execute(added)]
