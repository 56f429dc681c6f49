"""Anchors: where in an atlas assets lie, and which assets lie in a region. What an actor may not see does not exist."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, delete, false, func, insert, or_, select, union
from sqlalchemy.orm import Session

from pulvinar.access.visibility import visible
from pulvinar.atlases.tables import atlas as atlas_table
from pulvinar.catalogue.places import PlaceBlocks, batches, set_places
from pulvinar.catalogue.seen import seen_asset
from pulvinar.catalogue.tables import anchor, anchor_region, place_block, version, version_asset
from pulvinar.errors import Invalid
from pulvinar.model.access import Actor
from pulvinar.model.anchor import Anchor, Certainty, PlaceRole, Role
from pulvinar.model.volume import Triple
from pulvinar.storage.database import Database

Span = tuple[int, int]
"""The first and the last position of a region and all below it, as `Ontology.span` gives them."""

_CORNERS = tuple(f"{axis}{end}_um" for end in (0, 1) for axis in "zyx")
_IDS = 500
_MOST = 500


@dataclass(frozen=True)
class InRegion:
    """One condition: something of one of `roles` in one of `spans`."""

    spans: tuple[Span, ...]
    roles: tuple[str, ...] = tuple(Role)


@dataclass(frozen=True)
class AnchoredAsset:
    """An asset that was found, and for each condition its values by role, added up over the regions."""

    asset_id: str
    values: tuple[Mapping[str, float], ...]


@dataclass(frozen=True)
class AnchoredPage:
    """Some of the assets found, in the order of their identifiers, and what asks for those that follow."""

    items: tuple[AnchoredAsset, ...]
    next_cursor: str | None


@dataclass(frozen=True)
class RegionTotals:
    """How many assets have something in a region, and by role how much together."""

    assets: int
    values: Mapping[str, float]


def set_anchor(
    session: Session,
    asset_id: str,
    found: Anchor,
    positions: Mapping[int, int],
    blocks: Mapping[PlaceRole, PlaceBlocks],
    known: datetime | None = None,
) -> None:
    """Write down where an asset lies in an atlas, instead of what was known of it there.

    `positions` has the number of each region of `found.shares` in the order of the tree. `known`: when the atlas was
    looked up, now if not given; one that is installed later makes the anchor stale.
    """
    remove_anchor(session, asset_id, found.atlas)
    corners = [None] * 6 if found.box_um is None else [*found.box_um[0], *found.box_um[1]]
    about = {"asset_id": asset_id, "atlas": found.atlas}
    session.execute(
        insert(anchor).values(
            **about,
            atlas_version=found.atlas_version,
            space=found.space,
            certainty=found.certainty.value,
            error_um=found.error_um,
            details=dict(found.details),
            computed=known or datetime.now(UTC),
            **dict(zip(_CORNERS, corners, strict=True)),
        )
    )
    rows = [
        about | {"role": role, "region_id": region_id, "position": positions[region_id], "value": value}
        for role, shares in found.shares.items()
        for region_id, value in shares.items()
    ]
    if rows:
        session.execute(insert(anchor_region), rows)
    if blocks:
        set_places(session, asset_id, found.space, blocks)


def remove_anchor(session: Session, asset_id: str, atlas: str) -> None:
    """Forget where an asset lies in an atlas, and its places where no other atlas of their space needs them."""
    for table in (anchor_region, anchor):
        session.execute(delete(table).where(table.c.asset_id == asset_id, table.c.atlas == atlas))
    placed = (anchor.c.asset_id == asset_id) & (anchor.c.certainty != Certainty.NAME.value)
    left = select(anchor.c.space).where(placed)
    session.execute(delete(place_block).where(place_block.c.asset_id == asset_id, place_block.c.space.not_in(left)))


def anchors_of(database: Database, actor: Actor, asset_ids: Collection[str]) -> dict[str, tuple[Anchor, ...]]:
    """Where each of the assets lies, by atlas: of those that `actor` may see and that lie somewhere."""
    found: dict[str, list[Anchor]] = defaultdict(list)
    with database.session() as session:
        stale = _stale(session, actor).label("stale")
        for some in batches(asset_ids, _IDS):
            wanted = select(anchor, stale).where(anchor.c.asset_id.in_(some), seen_asset(actor, anchor.c.asset_id))
            rows = session.execute(wanted.order_by(anchor.c.atlas)).all()
            shares = shares_of(session, [row.asset_id for row in rows])
            for row in rows:
                found[row.asset_id].append(_anchor(row, shares[row.asset_id, row.atlas]))
    return {asset_id: tuple(anchors) for asset_id, anchors in found.items()}


def stale_anchors(database: Database, actor: Actor, atlas: str = "") -> dict[str, int]:
    """How many anchors, in one atlas or in all, are of a state of it that is no longer the installed one: by dataset,
    of those that `actor` may see."""
    wanted = (
        select(version.c.dataset_id, func.count(anchor.c.asset_id.distinct()).label("assets"))
        .select_from(anchor)
        .join(version_asset, version_asset.c.asset_id == anchor.c.asset_id)
        .join(version, version.c.id == version_asset.c.version_id)
        .where(visible(actor, version.c.dataset_id), seen_asset(actor, anchor.c.asset_id))
        .group_by(version.c.dataset_id)
        .order_by(version.c.dataset_id)
    )
    if atlas:
        wanted = wanted.where(anchor.c.atlas == atlas)
    with database.session() as session:
        rows = session.execute(wanted.where(_stale(session, actor)))
        return {row.dataset_id: row.assets for row in rows}


def _stale(session: Session, actor: Actor) -> ColumnElement[bool]:
    """The condition that the atlas of an anchor's row has been installed since, or has another version installed, of
    the atlases that `actor` may see."""
    # atlases are few and anchors many: the newest ones are looked up once, and not for every row
    known = atlas_table.c
    wanted = select(known.name, known.version, known.installed).where(visible(actor, known.dataset_id))
    newest = {row.name: row for row in session.execute(wanted.order_by(known.installed))}
    older = (
        (anchor.c.atlas == name) & ((anchor.c.computed < row.installed) | (anchor.c.atlas_version != row.version))
        for name, row in newest.items()
    )
    return or_(false(), *older)


def shares_of(session: Session, asset_ids: Sequence[str]) -> dict[tuple[str, str], dict[str, dict[int, float]]]:
    """What is known of each asset and atlas, by role and region, the regions in the order of the tree.

    What nothing is known of has an empty one.
    """
    found: dict[tuple[str, str], dict[str, dict[int, float]]] = defaultdict(lambda: defaultdict(dict))
    wanted = select(anchor_region).where(anchor_region.c.asset_id.in_(asset_ids)).order_by(anchor_region.c.position)
    for row in session.execute(wanted) if asset_ids else ():
        found[row.asset_id, row.atlas][row.role][row.region_id] = row.value
    return found


def _anchor(row: Row[Any], shares: Mapping[str, Mapping[int, float]]) -> Anchor:
    corners = [getattr(row, name) for name in _CORNERS]
    box: tuple[Triple, Triple] | None = None
    if corners[0] is not None:
        box = (corners[0], corners[1], corners[2]), (corners[3], corners[4], corners[5])
    return Anchor(
        atlas=row.atlas,
        atlas_version=row.atlas_version,
        space=row.space,
        certainty=Certainty(row.certainty),
        box_um=box,
        error_um=row.error_um,
        shares={role: dict(values) for role, values in shares.items()},
        details=row.details,
        stale=bool(row.stale),
    )


def assets_in_region(
    database: Database,
    actor: Actor,
    atlas: str,
    spans: Sequence[Span],
    *,
    roles: Sequence[str] = tuple(Role),
    cursor: str = "",
    limit: int = 50,
) -> AnchoredPage:
    """The assets that `actor` may see with something of `roles` in the regions of `spans` of an atlas.

    Raises `Invalid` for a limit outside 1 to 500.
    """
    return assets_with(database, actor, atlas, [InRegion(tuple(spans), tuple(roles))], cursor=cursor, limit=limit)


def assets_with(
    database: Database,
    actor: Actor,
    atlas: str,
    wanted: Sequence[InRegion],
    *,
    cursor: str = "",
    limit: int = 50,
) -> AnchoredPage:
    """The assets that `actor` may see of which every condition is true: a soma here and an end there.

    Raises `Invalid` for a limit outside 1 to 500, or where nothing is wanted.
    """
    if not 1 <= limit <= _MOST:
        raise Invalid(f"limit is {limit}", hint=f"use 1 to {_MOST}")
    if not wanted or not all(one.spans and one.roles for one in wanted):
        raise Invalid("no region is asked for", hint="name a region, and a role")
    first, *others = (anchored_in(atlas, one, anchor_region.c.asset_id > cursor).subquery() for one in wanted)
    asked = select(first.c.asset_id).where(seen_asset(actor, first.c.asset_id))
    for other in others:
        asked = asked.where(first.c.asset_id.in_(select(other.c.asset_id)))
    with database.session() as session:
        found = list(session.scalars(asked.order_by(first.c.asset_id).limit(limit + 1)))
        values = [_values(session, atlas, one, found[:limit]) for one in wanted]
    items = tuple(AnchoredAsset(one, tuple(by_asset[one] for by_asset in values)) for one in found[:limit])
    return AnchoredPage(items, items[-1].asset_id if len(found) > limit else None)


def totals_in_region(
    database: Database, actor: Actor, atlas: str, spans: Sequence[Span], *, roles: Sequence[str] = tuple(Role)
) -> RegionTotals:
    """How many assets that `actor` may see have something of `roles` there, and how much: of typed cells their number.

    Costs one walk over all that is there.
    """
    asked = InRegion(tuple(spans), tuple(roles))
    inside = anchored_in(atlas, asked).subquery()
    count = select(func.count()).select_from(inside).where(seen_asset(actor, inside.c.asset_id))
    total = func.sum(anchor_region.c.value).label("total")
    with database.session() as session:
        assets = session.scalar(count) or 0
        values: dict[str, float] = defaultdict(float)
        for one in _each_span(atlas, asked):
            rows = select(anchor_region.c.role, total).where(one, seen_asset(actor, anchor_region.c.asset_id))
            for row in session.execute(rows.group_by(anchor_region.c.role)):
                values[row.role] += row.total
    return RegionTotals(assets, dict(values))


def types_in_region(database: Database, actor: Actor, atlas: str, spans: Sequence[Span]) -> dict[str, float]:
    """How many cells of each type are in the regions of `spans`, the most frequent first, of what `actor` may see."""
    prefix = f"{Role.COUNT}:"
    total = func.sum(anchor_region.c.value).label("total")
    found: dict[str, float] = defaultdict(float)
    with database.session() as session:
        for span in _apart(spans):
            typed = anchor_region.c.role.between(prefix, f"{Role.COUNT};")
            where = (anchor_region.c.atlas == atlas) & typed & anchor_region.c.position.between(*span)
            rows = select(anchor_region.c.role, total).where(where, seen_asset(actor, anchor_region.c.asset_id))
            for row in session.execute(rows.group_by(anchor_region.c.role)):
                found[row.role.removeprefix(prefix)] += row.total
    return dict(sorted(found.items(), key=lambda one: (-one[1], one[0])))


def anchored_in(atlas: str, wanted: InRegion, *where: ColumnElement[bool]) -> Select[tuple[str]]:
    """The assets of which a condition is true, each once, whoever may see them."""
    # several ranges are walked one after another: an OR of them would walk everything
    parts = [select(anchor_region.c.asset_id).where(one, *where) for one in _each_span(atlas, wanted)]
    either = union(*parts).subquery() if len(parts) > 1 else parts[0].subquery()
    return select(either.c.asset_id).distinct()


def _each_span(atlas: str, wanted: InRegion) -> Iterator[ColumnElement[bool]]:
    for span in _apart(wanted.spans):
        yield (
            (anchor_region.c.atlas == atlas)
            & anchor_region.c.role.in_(wanted.roles)
            & anchor_region.c.position.between(*span)
        )


def _apart(spans: Sequence[Span]) -> list[Span]:
    """The same positions in ranges that share none: what lies in a region and in one above it counts once."""
    found: list[Span] = []
    for first, last in sorted(spans):
        if found and first <= found[-1][1] + 1:
            found[-1] = found[-1][0], max(last, found[-1][1])
        else:
            found.append((first, last))
    return found


def _values(session: Session, atlas: str, wanted: InRegion, asset_ids: Sequence[str]) -> dict[str, dict[str, float]]:
    """What each asset has of the roles of a condition, added up over its regions."""
    found: dict[str, dict[str, float]] = {one: {} for one in asset_ids}
    total = func.sum(anchor_region.c.value).label("total")
    group = anchor_region.c.asset_id, anchor_region.c.role
    for one in _each_span(atlas, wanted) if asset_ids else ():
        mine = anchor_region.c.asset_id.in_(asset_ids)
        for row in session.execute(select(*group, total).where(one, mine).group_by(*group)):
            found[row.asset_id][row.role] = found[row.asset_id].get(row.role, 0.0) + row.total
    return found
