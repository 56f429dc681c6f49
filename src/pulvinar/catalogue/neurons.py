"""Neurons as a table: where the soma lies, how long the neurite is in each region, where it ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from pulvinar.access.visibility import visible
from pulvinar.catalogue.tables import anchor, anchor_region, asset, version, version_asset
from pulvinar.errors import Invalid
from pulvinar.model.access import Actor
from pulvinar.model.dataset import AssetKind, VersionState
from pulvinar.storage.database import Database

Span = tuple[int, int]
"""The first and the last position of a region and all below it, as `Ontology.span` gives them."""

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
        homes, shares = _homes(session, actor, ids), _shares(session, atlas, ids)
    items = tuple(
        Neuron(
            row.id,
            row.name,
            *homes[row.id],
            row.certainty,
            row.details,
            tuple(shares.get((row.id, "soma"), {})),
            shares.get((row.id, "length"), {}),
            {region: int(count) for region, count in shares.get((row.id, "end"), {}).items()},
        )
        for row in rows[:limit]
    )
    return NeuronPage(items, items[-1].asset_id if len(rows) > limit else None)


def _wanted(actor: Actor, atlas: str, soma: Span | None, end: Span | None) -> Select[tuple[str, str, object, str]]:
    """The neurons that `actor` may see."""
    held = _versions(actor).where(version_asset.c.asset_id == asset.c.id)
    wanted = (
        select(asset.c.id, asset.c.name, asset.c.details, anchor.c.certainty)
        .join(anchor, (anchor.c.asset_id == asset.c.id) & (anchor.c.atlas == atlas))
        .where(asset.c.kind == AssetKind.SKELETON.value, held.exists())
    )
    for role, span in (("soma", soma), ("end", end)):
        if span is not None:
            wanted = wanted.where(asset.c.id.in_(_within(atlas, role, span)))
    return wanted


def _versions(actor: Actor) -> Select[tuple[str, str, int, str]]:
    """Every version that `actor` may see, with each of its assets."""
    seen = (
        select(version_asset.c.asset_id, version.c.dataset_id, version.c.number, version.c.record)
        .join(version, version.c.id == version_asset.c.version_id)
        .where(visible(actor, version.c.dataset_id))
    )
    return seen if actor.is_owner else seen.where(version.c.state == VersionState.PUBLISHED.value)


def _homes(session: Session, actor: Actor, asset_ids: Sequence[str]) -> dict[str, tuple[str, int, str]]:
    """Of each asset the dataset, the number of the newest version that has it, and its title."""
    rising = _versions(actor).where(version_asset.c.asset_id.in_(asset_ids)).order_by(version.c.number)
    rows = session.execute(rising).all() if asset_ids else ()
    return {row.asset_id: (row.dataset_id, row.number, row.record["title"]) for row in rows}


def _within(atlas: str, role: str, span: Span) -> Select[tuple[str]]:
    return select(anchor_region.c.asset_id).where(
        anchor_region.c.atlas == atlas,
        anchor_region.c.role == role,
        anchor_region.c.position.between(*span),
    )


def _shares(session: Session, atlas: str, asset_ids: Sequence[str]) -> dict[tuple[str, str], dict[int, float]]:
    """What is known of each asset and role, by region."""
    wanted = select(anchor_region).where(anchor_region.c.atlas == atlas, anchor_region.c.asset_id.in_(asset_ids))
    found: dict[tuple[str, str], dict[int, float]] = {}
    for row in session.execute(wanted.order_by(anchor_region.c.position)) if asset_ids else ():
        found.setdefault((row.asset_id, row.role), {})[row.region_id] = row.value
    return found
