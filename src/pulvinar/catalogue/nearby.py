"""Which assets of the search have a node or a cell in a figure, looked for from the newest down, whoever may see them.

Of a figure with few places the assets are listed by number, and then looked for in the index of words. Of a larger one
it is the other way round: what the words find is looked at one asset after the other, for a good share lies in it. So
that neither costs more than a page when the archive grows.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import count, islice
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from sqlalchemy import text
from sqlalchemy.orm import Session

from pulvinar.catalogue.blocks import Figure, block_corners, cover, in_ranges
from pulvinar.catalogue.postings import Wanted, WordIndex, is_sqlite, matching, walk
from pulvinar.model.space import Space

FEW = 40_000
"""Up to so many places in the blocks of a figure its assets are listed."""
_FIRST = 100
_ROWS = 1_000
_MOST = 8_000

# By whether the database is SQLite. OFFSET 0 keeps PostgreSQL from joining in another order, CROSS JOIN keeps SQLite:
# both ask the index for one range after the other, whatever they believe of how many places a range has.
_RANGES = {
    True: "(SELECT value ->> 0 AS first, value ->> 1 AS last FROM json_each(:rows)) AS asked",
    False: (
        "(SELECT CAST(one ->> 0 AS bigint) AS first, CAST(one ->> 1 AS bigint) AS last "
        "FROM json_array_elements(CAST(:rows AS json)) AS one) AS asked"
    ),
}
_IN_RANGE = "space = :space AND role IN ('node', 'cell') AND block BETWEEN first AND last AND number {}"
_BY_NUMBER = {
    True: "CROSS JOIN place_block INDEXED BY place_block_by_number WHERE {}",
    False: "CROSS JOIN LATERAL (SELECT number, block FROM place_block WHERE {} OFFSET 0) AS found",
}
_COUNT = {
    lite: (
        f"SELECT count(*) FROM (SELECT 1 FROM {_RANGES[lite]} {join.format(_IN_RANGE.format('> 0'))} "
        "LIMIT :most) AS counted"
    )
    for lite, join in _BY_NUMBER.items()
}
_NEWEST = {
    lite: (
        f"SELECT number, block FROM {_RANGES[lite]} {join.format(_IN_RANGE.format('< :below'))} "
        "ORDER BY number DESC LIMIT :most"
    )
    for lite, join in _BY_NUMBER.items()
}
_OF_ASSET = "place_block.asset_id = entry.asset_id AND space = :space AND block BETWEEN {}"
_CUBES = {
    True: (
        "SELECT DISTINCT entry.number, block >> :bits FROM json_each(:rows) AS asked "
        "CROSS JOIN asset_entry AS entry ON entry.number = asked.value "
        f"CROSS JOIN place_block INDEXED BY place_block_by_asset ON {_OF_ASSET.format(':first AND :last')}"
    ),
    False: (
        "SELECT DISTINCT entry.number, block >> CAST(:bits AS integer) FROM (SELECT number, asset_id FROM asset_entry "
        "WHERE number IN (SELECT CAST(value AS bigint) FROM json_array_elements_text(CAST(:rows AS json)) AS value) "
        "OFFSET 0) AS entry CROSS JOIN LATERAL (SELECT block FROM place_block "
        f"WHERE {_OF_ASSET.format(':first AND :last')} OFFSET 0) AS found"
    ),
}
_PLACES = {
    True: (
        "SELECT entry.number, block, places FROM json_each(:rows) AS asked "
        "CROSS JOIN asset_entry AS entry ON entry.number = asked.value ->> 0 "
        "CROSS JOIN place_block INDEXED BY place_block_by_asset "
        f"ON {_OF_ASSET.format('asked.value ->> 1 AND asked.value ->> 2')} AND role IN ('node', 'cell')"
    ),
    False: (
        "SELECT entry.number, block, places FROM (SELECT entry.number, asset_id, CAST(one ->> 1 AS bigint) AS first, "
        "CAST(one ->> 2 AS bigint) AS last FROM json_array_elements(CAST(:rows AS json)) AS one "
        "JOIN asset_entry AS entry ON entry.number = CAST(one ->> 0 AS bigint) OFFSET 0) AS entry "
        "CROSS JOIN LATERAL (SELECT block, places FROM place_block "
        f"WHERE {_OF_ASSET.format('first AND last')} AND role IN ('node', 'cell') OFFSET 0) AS found"
    ),
}

# As above, where each cube is one block: the index by number, just read, leads to the row itself.
_AT_BLOCK = "space = :space AND role IN ('node', 'cell') AND block = asked.first AND place_block.number = asked.number"
_PLACES_AT = {
    True: (
        "SELECT place_block.number, block, places "
        "FROM (SELECT value ->> 0 AS number, value ->> 1 AS first FROM json_each(:rows)) AS asked "
        f"CROSS JOIN place_block INDEXED BY place_block_by_number ON {_AT_BLOCK}"
    ),
    False: (
        "SELECT found.number, found.block, found.places FROM (SELECT CAST(one ->> 0 AS bigint) AS number, "
        "CAST(one ->> 1 AS bigint) AS first FROM json_array_elements(CAST(:rows AS json)) AS one) AS asked "
        f"CROSS JOIN LATERAL (SELECT number, block, places FROM place_block WHERE {_AT_BLOCK} OFFSET 0) AS found"
    ),
}


class NearAssets(Protocol):
    """The assets near a place: the seam to the index of places."""

    @property
    def count(self) -> int:
        """About how many there are, for choosing where to begin; more than `FEW` when they can't be listed."""

    def listed(self, below: int) -> Iterator[list[int]]:
        """The numbers of all that may be near, from below a number on, newest first, in portions."""

    def holding(self, numbers: Sequence[int]) -> set[int]:
        """Those of `numbers` that are near."""


def walk_near(session: Session, wanted: Wanted, near: Sequence[NearAssets], below: int | None, limit: int) -> list[int]:
    """The numbers of the newest `limit` assets below a number that `wanted` finds near all of `near`, newest first."""
    return [*islice(_held(near, _portions(session, wanted, near, below), max(_FIRST, 4 * limit)), limit)]


def _portions(session: Session, wanted: Wanted, near: Sequence[NearAssets], below: int | None) -> Iterator[list[int]]:
    """What `wanted` finds, newest first; of what is farther down only what may be near, where that can be listed.

    What is rare, and what lies nearly everywhere, is found among the first.
    """
    size = _FIRST
    found = walk(session, WordIndex.ASSETS, wanted, below, size)
    yield found
    if len(found) < size:
        return
    listed = min(near, key=lambda one: one.count)
    if listed.count <= FEW:
        for numbers in _growing(number for portion in listed.listed(found[-1]) for number in portion):
            yield matching(session, WordIndex.ASSETS, wanted, numbers)
        return
    while len(found) == size:
        size = min(2 * size, _MOST)
        found = walk(session, WordIndex.ASSETS, wanted, found[-1], size)
        yield found


def _held(near: Sequence[NearAssets], portions: Iterable[list[int]], size: int) -> Iterator[int]:
    """Those that are near all, looked at so many at a time: a page that is full asks for no more."""
    for portion in portions:
        for start in range(0, len(portion), size):
            left = portion[start : start + size]
            for one in near:
                held = one.holding(left)
                left = [number for number in left if number in held]
            yield from left


def _growing(numbers: Iterable[int]) -> Iterator[list[int]]:
    """The numbers in portions of which each is larger than the one before."""
    left = iter(numbers)
    size = _FIRST
    while portion := list(islice(left, size)):
        yield portion
        size = min(2 * size, _MOST)


class PlacesNear:
    """The assets with a place in at least one of some figures, each of a space.

    What was read is kept: a page of several steps asks again.
    """

    def __init__(self, session: Session, figures: Iterable[tuple[Space, Figure]]) -> None:
        self._parts = [_Part(session, space, figure) for space, figure in figures]
        self._pages: list[list[int]] = []
        self._start = 0

    @cached_property
    def count(self) -> int:
        """As `NearAssets` says: of places."""
        return sum(part.count() for part in self._parts)

    def listed(self, below: int) -> Iterator[list[int]]:
        """As `NearAssets` says."""
        if below > self._start:
            self._start, self._pages = below, []
        for at in count():
            if at == len(self._pages):
                self._pages.append(self._next(at))
            if not self._pages[at]:
                return
            yield [number for number in self._pages[at] if number < below]

    def _next(self, at: int) -> list[int]:
        below = self._pages[-1][-1] if self._pages else self._start
        pages = [part.newest(below, min(_ROWS << at, _MOST)) for part in self._parts]
        # where one figure ends before all is told, what follows of the others must wait
        floor = max((page[-1] for page, more in pages if more), default=0)
        return sorted({number for page, _ in pages for number in page if number >= floor}, reverse=True)

    def holding(self, numbers: Sequence[int]) -> set[int]:
        """As `NearAssets` says."""
        found: set[int] = set()
        for part in self._parts:
            found |= part.holding([number for number in numbers if number not in found])
        return found


class _Part:
    """One figure."""

    def __init__(self, session: Session, space: Space, figure: Figure) -> None:
        self._session = session
        self._space = space
        self._figure = figure
        self._cover = cover(space, figure)
        self._whole = self._cover.whole
        self._cubes: dict[int, npt.NDArray[np.int64]] = {}
        self._held: dict[int, bool] = {}

    def count(self) -> int:
        """How many nodes and cells lie in its blocks, of what is in the search, at most one more than `FEW`."""
        return int(self._ask(_COUNT, most=FEW + 1, **self._ranges).scalar_one())

    def newest(self, below: int, most: int) -> tuple[list[int], bool]:
        """The assets of so many places in its blocks, newest first, from below a number on; and whether there are more.

        Of an asset all or none are among them.
        """
        rows = self._ask(_NEWEST, below=below, most=most, **self._ranges).all()
        blocks: dict[int, list[int]] = defaultdict(list)
        for number, block in rows:
            blocks[number].append(block)
        more = len(rows) == most
        if more and len(blocks) == 1:
            return self.newest(below, 4 * most)
        if more:
            blocks.popitem()
        self._cubes |= {number: np.array(some) >> self._cover.bits for number, some in blocks.items()}
        return list(blocks), more

    def holding(self, numbers: Sequence[int]) -> set[int]:
        """As `NearAssets` says."""
        asked = [number for number in numbers if number not in self._held]
        unknown = [number for number in asked if number not in self._cubes]
        if unknown and len(self._whole):
            self._cubes |= self._look(unknown)
        self._held |= dict.fromkeys(asked, False)
        left = []
        for number in asked:
            cubes = self._cubes.get(number)
            if cubes is None:
                continue
            if in_ranges(self._cover.inside, cubes << self._cover.bits).any():
                self._held[number] = True
            else:
                left += [
                    (number, cube) for cube in cubes[in_ranges(self._cover.cut, cubes << self._cover.bits)].tolist()
                ]
        self._held |= dict.fromkeys(self._exactly(left), True)
        return {number for number in numbers if self._held[number]}

    def _look(self, numbers: Sequence[int]) -> dict[int, npt.NDArray[np.int64]]:
        """The cubes in which each asset has places, among those from the figure's first to its last."""
        span = {"first": int(self._whole[0, 0]), "last": int(self._whole[-1, 1])}
        cubes: dict[int, list[int]] = defaultdict(list)
        for number, cube in self._ask(_CUBES, rows=json.dumps(numbers), bits=self._cover.bits, **span):
            cubes[number].append(cube)
        return {number: np.array(some) for number, some in cubes.items()}

    def _exactly(self, cubes: Sequence[tuple[int, int]]) -> set[int]:
        """The assets with a place in the figure, of cubes that its surface cuts, as (number, cube)."""
        bits = self._cover.bits
        told = [(number, cube << bits, ((cube + 1) << bits) - 1) for number, cube in cubes]
        rows = self._ask(_PLACES if bits else _PLACES_AT, rows=json.dumps(told)).all() if told else []
        if not rows:
            return set()
        numbers, blocks, places = zip(*rows, strict=True)
        count = np.array([len(one) // 12 for one in places])
        offsets = np.frombuffer(b"".join(places), "<f4").reshape(-1, 3).astype(np.float64)
        corners = block_corners(self._space, np.array(blocks, np.int64))
        held = self._figure.holds(np.repeat(corners, count, axis=0) + offsets)
        return set(np.repeat(np.array(numbers, np.int64), count)[held].tolist())

    @property
    def _ranges(self) -> dict[str, str]:
        return {"rows": json.dumps(self._whole.tolist())}

    def _ask(self, statement: dict[bool, str], **values: Any) -> Any:
        values["space"] = self._space.name
        return self._session.execute(text(statement[is_sqlite(self._session)]), values)
