"""The boxes of what has no places of its own, as a volume, in the index of places, and which of them a figure meets.

A box lies in at most eight cubes of one size: the smallest cubes of 2^k blocks a side that are as long as its longest
side. Each cube is named by one number, as the cells of a linear octree are (Gargantini 1982): its number among those of
its size behind a leading one, so that no two sizes share a number; and below zero, so that none is that of a block.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sqlalchemy import TextClause, text
from sqlalchemy.orm import Session

from pulvinar.catalogue.blocks import BITS, Figure, block_codes, block_corners, block_side_um, cover
from pulvinar.catalogue.listed import Numbers, bytes_told, numbers_told
from pulvinar.catalogue.places import PlaceBlocks
from pulvinar.model.space import Points, Space
from pulvinar.model.volume import Triple
from pulvinar.storage.database import is_sqlite

_NONE: Numbers = np.zeros(0, np.int64)
_ANY = text("SELECT 1 FROM place_block WHERE space = :space AND role = 'box' LIMIT 1")

# By whether the database is SQLite; why they are written so is told in `nearby`.
_BETWEEN = {
    True: text(
        "SELECT group_concat(number), group_concat(block), group_concat(hex(places), '') "
        "FROM (SELECT number, block, places FROM json_each(:rows) AS asked "
        "CROSS JOIN place_block INDEXED BY place_block_box_by_number "
        "WHERE space = :space AND role = 'box' AND block = asked.value "
        "AND place_block.number >= :least AND place_block.number < :below)"
    ),
    False: text(
        "SELECT string_agg(int8send(number), ''), string_agg(int8send(block), ''), string_agg(places, '') "
        "FROM (SELECT CAST(value AS bigint) AS code FROM json_array_elements_text(CAST(:rows AS json)) AS value) "
        "AS asked CROSS JOIN LATERAL (SELECT number, block, places FROM place_block "
        "WHERE space = :space AND role = 'box' AND block = asked.code "
        "AND place_block.number >= :least AND place_block.number < :below OFFSET 0) AS found"
    ),
}
# Every cube of a box tells all of it: one is enough. (With min SQLite tells the other columns of the same row.)
_OF = {
    True: text(
        "SELECT entry.number, min(block), places FROM json_each(:rows) AS asked "
        "CROSS JOIN asset_entry AS entry ON entry.number = asked.value "
        "CROSS JOIN place_block INDEXED BY place_block_by_asset "
        "ON place_block.asset_id = entry.asset_id AND space = :space AND role = 'box' AND block < 0 "
        "GROUP BY entry.number"
    ),
    False: text(
        "SELECT entry.number, block, places FROM (SELECT number, asset_id FROM asset_entry "
        "WHERE number IN (SELECT CAST(value AS bigint) FROM json_array_elements_text(CAST(:rows AS json)) AS value) "
        "OFFSET 0) AS entry CROSS JOIN LATERAL (SELECT block, places FROM place_block "
        "WHERE place_block.asset_id = entry.asset_id AND space = :space AND role = 'box' AND block < 0 LIMIT 1) "
        "AS found"
    ),
}


def box_blocks(space: Space, box_um: tuple[Triple, Triple]) -> PlaceBlocks:
    """A box of `space`, its corners (z, y, x) in micrometres, as the index holds it: of each cube in which it lies both
    corners from that of the cube. Raises `Invalid` for a corner that is no number or out of any brain."""
    corners = np.array(box_um, np.float64)
    size = _size_of(space, float((corners[1] - corners[0]).max()))
    ends = np.stack(np.meshgrid(*corners.T, indexing="ij"), axis=-1).reshape(-1, 3)
    codes = np.unique(block_codes(Points(space, ends)) >> 3 * size)
    offsets = (corners[None] - block_corners(space, codes << 3 * size)[:, None]).astype("<f4")
    named = _named(codes, size)
    order = np.argsort(named)
    return PlaceBlocks(named[order], np.ones(len(codes), np.int64), tuple(offsets[one].tobytes() for one in order))


def _size_of(space: Space, length_um: float) -> int:
    """How often the side of a block is doubled until it is so long."""
    return min(max(int(np.ceil(np.log2(max(length_um / block_side_um(space), 1.0)))), 0), BITS)


def _named(codes: npt.NDArray[np.int64], size: int) -> npt.NDArray[np.int64]:
    return -((1 << 3 * (BITS - size)) | codes)


def _corners_of(space: Space, named: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """The first corner of each cube."""
    # halves of 32 bits have their leading one in their exponent as real numbers; of all 61 it would be rounded
    high, low = -named >> 32, -named & 0xFFFFFFFF
    bits = np.where(high > 0, np.frexp(high.astype(np.float64))[1] + 32, np.frexp(low.astype(np.float64))[1])
    length = (bits.astype(np.int64) - 1) // 3
    codes = (-named - (np.int64(1) << 3 * length)) << 3 * (BITS - length)
    return block_corners(space, codes)


class _Boxes(NamedTuple):
    """Boxes of assets by number, int64 (n,): a cube in which each lies, by its name, int64 (n,), and from the corner of
    that its own two, float32 (n, 2, 3)."""

    number: Numbers
    named: Numbers
    offsets: npt.NDArray[np.float32]

    def of(self, which: npt.NDArray[np.bool_]) -> _Boxes:
        """Some of them."""
        return _Boxes(self.number[which], self.named[which], self.offsets[which])


def _offsets(places: bytes) -> npt.NDArray[np.float32]:
    return np.frombuffer(places, "<f4").reshape(-1, 2, 3)


class BoxesNear:
    """The assets whose boxes meet a figure: a part of what is near a place."""

    def __init__(self, session: Session, space: Space, figure: Figure) -> None:
        self._session = session
        self._space = space
        self._figure = figure
        self._listed = _Boxes(_NONE, _NONE, _offsets(b""))
        self._range = range(0)

    @cached_property
    def _none(self) -> bool:
        """Whether nothing in the space has a box: then nothing is asked."""
        return self._session.execute(_ANY, {"space": self._space.name}).first() is None

    @cached_property
    def _cubes(self) -> str:
        """The cubes of every size that the figure reaches."""
        codes, found = cover(self._space, self._figure).codes, []
        for size in range(BITS + 1):
            found.append(_named(codes, size))
            codes = codes >> 3
            codes = codes[np.diff(codes, prepend=-1) != 0]
        return json.dumps(np.concatenate(found).tolist())

    def between(self, least: int, below: int) -> Numbers:
        """The numbers from one up to another of the assets whose boxes may meet it, in any order, each once."""
        if self._none:
            return _NONE
        told = self._ask(_BETWEEN, rows=self._cubes, least=least, below=below).one()
        number, first = np.unique(numbers_told(told[0]), return_index=True)
        self._listed = _Boxes(number, numbers_told(told[1])[first], _offsets(bytes_told(told[2]))[first])
        self._range = range(least, below)
        return number

    def holding(self, numbers: Sequence[int]) -> set[int]:
        """Those of `numbers` whose boxes meet it: of those that were just listed nothing is asked twice."""
        if self._none or not numbers:
            return set()
        asked = np.array(numbers, np.int64)
        listed, others = self._listed, asked[(asked < self._range.start) | (asked >= self._range.stop)]
        found = self._meeting(listed.of(np.isin(listed.number, asked)))
        if len(others) and (rows := self._ask(_OF, rows=json.dumps(others.tolist())).all()):
            number, named, places = zip(*rows, strict=True)
            boxes = _Boxes(np.array(number, np.int64), np.array(named, np.int64), _offsets(b"".join(places)))
            found |= self._meeting(boxes)
        return found

    def _meeting(self, boxes: _Boxes) -> set[int]:
        """The numbers of those that it meets."""
        corners = boxes.offsets.astype(np.float64) + _corners_of(self._space, boxes.named)[:, None]
        return set(boxes.number[self._figure.meets(corners[:, 0], corners[:, 1])].tolist())

    def _ask(self, statement: dict[bool, TextClause], **values: Any) -> Any:
        values["space"] = self._space.name
        return self._session.execute(statement[is_sqlite(self._session)], values)
