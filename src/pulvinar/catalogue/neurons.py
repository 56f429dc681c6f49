"""Neurons as a table: where the soma lies, how long the neurite is in each region, where it ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import sqrt

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from pulvinar.catalogue.anchors import InRegion, Span, anchored_in, shares_of
from pulvinar.catalogue.seen import seen_asset, seen_version
from pulvinar.catalogue.tables import anchor, asset, version, version_asset
from pulvinar.errors import Invalid
from pulvinar.model.access import Actor
from pulvinar.model.anchor import Role
from pulvinar.model.dataset import AssetKind
from pulvinar.storage.database import Database

_LIMIT = 500


@dataclass(frozen=True)
class Neuron:
    """One neuron in an atlas. `soma` are regions by identifier, mostly one; `length_um` is of each region alone,
    without those below it; `ends` counts them by region. `details` are the asset's."""

    asset_id: str
    name: str
    dataset_id: str
    version: int
    title: str
    certainty: str
    details: dict[str, object]
    soma: tuple[int, ...] = ()
    length_um: dict[int, float] = field(default_factory=dict)
    ends: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class NeuronPage:
    """Some neurons, in the order of their identifiers, and what to ask the next page with."""

    items: tuple[Neuron, ...]
    next_cursor: str | None


def list_neurons(
    database: Database,
    actor: Actor,
    atlas: str,
    *,
    soma: Span | None = None,
    end: Span | None = None,
    cursor: str = "",
    limit: int = 100,
) -> NeuronPage:
    """The neurons that `actor` may see and that are anchored in `atlas`, each in the newest version that has it.

    `soma` and `end`: only those with a soma, or an end, in a region and all below it. Raises `Invalid` for a limit
    outside 1 to 500.
    """
    if not 1 <= limit <= _LIMIT:
        raise Invalid(f"limit is {limit}", hint=f"use 1 to {_LIMIT}")
    wanted = _wanted(actor, atlas, soma, end).where(asset.c.id > cursor).order_by(asset.c.id).limit(limit + 1)
    with database.session() as session:
        rows = session.execute(wanted).all()
        ids = [row.id for row in rows[:limit]]
        homes, shares = _homes(session, actor, ids), shares_of(session, ids)
    items = []
    for row in rows[:limit]:
        its = shares[row.id, atlas]
        ends = {region: int(count) for region, count in its[Role.END].items()}
        about = row.certainty, row.details, tuple(its[Role.SOMA])
        items.append(Neuron(row.id, row.name, *homes[row.id], *about, its[Role.LENGTH], ends))
    return NeuronPage(tuple(items), items[-1].asset_id if len(rows) > limit else None)


def similar_neurons(
    database: Database,
    actor: Actor,
    atlas: str,
    asset_id: str,
    length_um: Mapping[int, float],
    *,
    soma: Span | None = None,
    limit: int = 6,
) -> tuple[tuple[Neuron, float], ...]:
    """The neurons whose neurite is spread over the regions of `atlas` most as `length_um` (micrometres by region) says,
    each with how alike: the cosine of the two, above 0 and up to 1.

    Compared are at most 500 that `actor` may see, those with a soma in `soma` where that is given, without `asset_id`.
    """
    page = list_neurons(database, actor, atlas, soma=soma, limit=_LIMIT)
    alike = [(one, _cosine(length_um, one.length_um)) for one in page.items if one.asset_id != asset_id]
    return tuple(sorted((one for one in alike if one[1] > 0), key=lambda one: -one[1])[:limit])


def _cosine(a: Mapping[int, float], b: Mapping[int, float]) -> float:
    shared = sum(a[region] * b[region] for region in a.keys() & b.keys())
    norms = sqrt(sum(one * one for one in a.values())) * sqrt(sum(one * one for one in b.values()))
    return shared / norms if norms else 0.0


def _wanted(actor: Actor, atlas: str, soma: Span | None, end: Span | None) -> Select[tuple[str, str, object, str]]:
    """The neurons that `actor` may see."""
    wanted = (
        select(asset.c.id, asset.c.name, asset.c.details, anchor.c.certainty)
        .join(anchor, (anchor.c.asset_id == asset.c.id) & (anchor.c.atlas == atlas))
        .where(asset.c.kind == AssetKind.SKELETON.value, seen_asset(actor, asset.c.id))
    )
    for role, span in ((Role.SOMA, soma), (Role.END, end)):
        if span is not None:
            wanted = wanted.where(asset.c.id.in_(anchored_in(atlas, InRegion((span,), (role,)))))
    return wanted


def _homes(session: Session, actor: Actor, asset_ids: Sequence[str]) -> dict[str, tuple[str, int, str]]:
    """Of each asset the dataset, the number of the newest version that has it, and its title."""
    rising = (
        select(version_asset.c.asset_id, version.c.dataset_id, version.c.number, version.c.record)
        .join(version, version.c.id == version_asset.c.version_id)
        .where(version_asset.c.asset_id.in_(asset_ids), seen_version(actor, version))
        .order_by(version.c.number)
    )
    rows = session.execute(rising).all() if asset_ids else ()
    return {row.asset_id: (row.dataset_id, row.number, row.record["title"]) for row in rows}
