"""Which assets have somata, ends, cells or neurite near a place: exact answers from an index of blocks.

A block of the index says of one asset how many places it has there, and where in the block each lies: 12 bytes a place,
true to less than 10 nm. Of the blocks inside a figure only the counts are added up, in the database; of those that its
surface cuts every place is looked at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from sqlalchemy import CTE, BigInteger, ColumnElement, Row, Select, column, delete, func, insert, select, true, values
from sqlalchemy.orm import Session

from pulvinar.catalogue.blocks import BoxFigure, Figure, block_codes, block_corners, cover
from pulvinar.catalogue.seen import seen_asset
from pulvinar.catalogue.tables import asset_entry, place_block, version_asset
from pulvinar.errors import Invalid
from pulvinar.model.access import Actor, Right
from pulvinar.model.anchor import PlaceRole
from pulvinar.model.space import Points, Space
from pulvinar.storage.database import Database, is_sqlite

T = TypeVar("T")

_RANGES = 2000
_ROWS = 4096
_IDS = 500
_MOST = 500


@dataclass(frozen=True, eq=False)
class PlaceBlocks:
    """Places of one role by block, rising: `block` int64 (m,), `count` int64 (m,), and of each block the offsets of its
    places from its corner, float32 (count, 3) as bytes."""

    block: npt.NDArray[np.int64]
    count: npt.NDArray[np.int64]
    places: tuple[bytes, ...]


@dataclass(frozen=True)
class PlacesPage:
    """Some of the assets found, in the order of their identifiers, with how many places each has in the figure.

    `assets` and `places` count all that were found; `next_cursor` asks for those that follow.
    """

    items: tuple[tuple[str, int], ...]
    next_cursor: str | None
    assets: int
    places: int


def place_blocks(points: Points) -> PlaceBlocks:
    """`points` as the index holds them. Raises `Invalid` for a place that is no number or out of any brain."""
    codes = block_codes(points)
    order = np.argsort(codes, kind="stable")
    codes, zyx_um = codes[order], points.zyx_um[order]
    block, first, count = np.unique(codes, return_index=True, return_counts=True)
    offsets = (zyx_um - block_corners(points.space, codes)).astype("<f4").tobytes()
    ends = np.append(first[1:], len(codes)) * 12
    return PlaceBlocks(block, count, tuple(offsets[12 * a : b] for a, b in zip(first, ends, strict=True)))


def set_places(session: Session, asset_id: str, space: str, blocks: Mapping[PlaceRole, PlaceBlocks]) -> None:
    """Put the places of an asset into the index, instead of those that it had in that space."""
    number = session.scalar(select(asset_entry.c.number).where(asset_entry.c.asset_id == asset_id))
    mine = (place_block.c.asset_id == asset_id) & (place_block.c.space == space)
    session.execute(delete(place_block).where(mine))
    for role, found in blocks.items():
        about = {"space": space, "role": role.value, "asset_id": asset_id, "number": number}
        rows = zip(found.block.tolist(), found.count.tolist(), found.places, strict=True)
        for some in batches(rows, _ROWS):
            told = [about | {"block": block, "count": count, "places": places} for block, count, places in some]
            session.execute(insert(place_block), told)


def assets_within(
    database: Database,
    actor: Actor,
    space: Space,
    figure: Figure,
    role: PlaceRole,
    *,
    cursor: str = "",
    limit: int = 50,
) -> PlacesPage:
    """The assets that `actor` may read with places of `role` in `figure`, a `Ball` or a `BoxFigure` of `space`.

    Raises `Invalid` for a limit outside 1 to 500.
    """
    if not 1 <= limit <= _MOST:
        raise Invalid(f"limit is {limit}", hint=f"use 1 to {_MOST}")
    with database.session() as session:
        counts = _counts(session, space, figure, role)
        seen = sorted(_readable(session, actor, counts))
    later = [one for one in seen if one > cursor]
    items = tuple((one, counts[one]) for one in later[:limit])
    following = items[-1][0] if len(later) > limit else None
    return PlacesPage(items, following, len(seen), sum(counts[one] for one in seen))


def assets_in_box(
    database: Database,
    actor: Actor,
    space: Space,
    box_um: tuple[tuple[float, float, float], tuple[float, float, float]],
    role: PlaceRole,
    *,
    cursor: str = "",
    limit: int = 50,
) -> PlacesPage:
    """As `assets_within`, of the box from its first corner up to, without, its second, (z, y, x) in micrometres."""
    return assets_within(database, actor, space, BoxFigure(*box_um), role, cursor=cursor, limit=limit)


def _counts(session: Session, space: Space, figure: Figure, role: PlaceRole) -> Counter[str]:
    """How many places of `role` each asset has in `figure`, whoever may see it."""
    covered = cover(space, figure)
    found: Counter[str] = Counter()
    for ranges in _ranges(covered.inside):
        rows = _rows(session, ranges, space, role, place_block.c.asset_id, place_block.c.count).subquery()
        wanted = select(rows.c.asset_id, func.sum(rows.c.count).label("total")).group_by(rows.c.asset_id)
        for row in session.execute(wanted):
            found[row.asset_id] += int(row.total)
    found.update(_held_in(session, space, figure, role, covered.cut))
    return found


def _held_in(
    session: Session, space: Space, figure: Figure, role: PlaceRole, blocks: npt.NDArray[np.int64]
) -> Counter[str]:
    """How many places of `role` each asset has in `figure`, of ranges of blocks of which every place is looked at."""
    found: Counter[str] = Counter()
    for ranges in _ranges(blocks):
        columns = (place_block.c.asset_id, place_block.c.block, place_block.c.places)
        wanted = _rows(session, ranges, space, role, *columns).execution_options(yield_per=_ROWS)
        for rows in session.execute(wanted).partitions(_ROWS):
            found.update(_held(space, figure, rows))
    return found


def _held(space: Space, figure: Figure, rows: Sequence[Row[Any]]) -> Counter[str]:
    """How many of the places of `rows` (asset, block, places, of which each has one) are in `figure`, by asset."""
    asset_ids, codes, places = zip(*rows, strict=True)
    count = np.array([len(one) // 12 for one in places])
    corners = block_corners(space, np.array(codes, np.int64))
    offsets = np.frombuffer(b"".join(places), "<f4").reshape(-1, 3).astype(np.float64)
    inside = figure.holds(np.repeat(corners, count, axis=0) + offsets)
    totals = np.add.reduceat(inside, np.cumsum(count) - count, dtype=np.int64)
    found: Counter[str] = Counter()
    for row in np.flatnonzero(totals).tolist():
        found[asset_ids[row]] += int(totals[row])
    return found


def _ranges(ranges: npt.NDArray[np.int64]) -> Iterator[CTE]:
    """Ranges of blocks as tables of the database, so many at a time."""
    for some in batches(ranges.tolist(), _RANGES):
        told = values(column("first", BigInteger), column("last", BigInteger), name="asked", literal_binds=True)
        yield told.data([(a, b) for a, b in some]).cte("asked")


def _rows(session: Session, ranges: CTE, space: Space, role: PlaceRole, *columns: ColumnElement[Any]) -> Select[Any]:
    within = place_block.c.block.between(ranges.c.first, ranges.c.last)
    mine = (place_block.c.space == space.name) & (place_block.c.role == role.value)
    if is_sqlite(session):
        return select(*columns).select_from(ranges.join(place_block, within & mine))
    # PostgreSQL takes any range for a share of all blocks, and of a large index would rather read all: so it is asked
    # for one range after the other, which OFFSET keeps it from changing
    one = select(*columns).where(within & mine).offset(0).lateral()
    return select(*one.c).select_from(ranges.join(one, true()))


def _readable(session: Session, actor: Actor, asset_ids: Iterable[str]) -> Iterator[str]:
    """Those of `asset_ids` that `actor` may read: where their places are is what is in them."""
    for some in batches(asset_ids, _IDS):
        wanted = select(version_asset.c.asset_id).where(version_asset.c.asset_id.in_(some))
        readable = seen_asset(actor, version_asset.c.asset_id, Right.READ)
        yield from session.scalars(wanted.where(readable).distinct())


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """`items` in their order, so many at a time."""
    left = iter(items)
    while some := list(islice(left, size)):
        yield some
