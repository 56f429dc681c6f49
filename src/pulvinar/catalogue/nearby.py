"""Which assets of the search have a node or a cell in a figure, or a box that meets it, whoever may see them.

They are looked for from the newest down.

Of a small figure the assets are listed by number, part by part from the newest down, and their words compared. Of a
larger one it is the other way round: what the words find is looked at one asset after the other, for a good share lies
in it. So that neither costs more than a page when the archive grows.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import islice
from typing import Any, Protocol

import numpy as np
from sqlalchemy import text
from sqlalchemy.orm import Session

from pulvinar.catalogue.blocks import Figure, block_corners, cover, in_ranges
from pulvinar.catalogue.boxes import BoxesNear
from pulvinar.catalogue.listed import Numbers, numbers_told, told_as_one
from pulvinar.catalogue.postings import matching, walk, within
from pulvinar.catalogue.wanted import Wanted
from pulvinar.catalogue.word_index import WordIndex, newest_number
from pulvinar.catalogue.word_shares import share_of
from pulvinar.model.space import Space
from pulvinar.storage.database import is_sqlite

_NONE: Numbers = np.zeros(0, np.int64)
_FIRST = 100
_LENGTH = 1_000
"""So many numbers of assets are looked through at first where the assets of a figure are listed,"""
_FEW_BLOCKS = 500
"""and as many times so many as a figure has less than so many blocks, whose assets are listed at once."""
_GROWTH = 8
_MOST_GROWTH = 64
_MOST_LISTED = 20_000
"""A listing that tells what to expect may be longer than those before it, but of no more assets than so many."""
_MOST = 8_000
_MOST_BLOCKS = 8_192
"""Of a figure of more blocks the assets are not listed: a good share of all lies in it."""
_LOOKING = 3
"""To look at an asset takes as long as to look into so many blocks of the index by number,"""
_LISTING = 20
"""or to list so many assets."""
_READING = {True: 300, False: 25}
"""To read the words of an asset takes as long as to find so many by their words; by whether it is SQLite."""


def _pairs_of(one: str, other: str, *, sqlite: bool) -> str:
    return f"{told_as_one(one, sqlite=sqlite)}, {told_as_one(other, sqlite=sqlite)}"


# By whether the database is SQLite. OFFSET 0 keeps PostgreSQL from joining in another order, CROSS JOIN keeps SQLite:
# both ask the index for one block after the other, whatever they believe of how many places a block has. Pairs come as
# one value: tens of thousands of rows would take longer to hand over than to find.
_IN_BLOCK = (
    "space = :space AND role IN ('node', 'cell') AND block = {} "
    "AND place_block.number >= :least AND place_block.number < :below"
)
_BETWEEN = {
    True: (
        f"SELECT {_pairs_of('number', 'place', sqlite=True)} FROM (SELECT number, asked.key AS place "
        "FROM json_each(:rows) AS asked CROSS JOIN place_block INDEXED BY place_block_by_number "
        f"WHERE {_IN_BLOCK.format('asked.value')})"
    ),
    False: (
        f"SELECT {_pairs_of('number', 'place', sqlite=False)} FROM (SELECT CAST(value AS bigint) AS code, place - 1 "
        "AS place FROM json_array_elements_text(CAST(:rows AS json)) WITH ORDINALITY AS told (value, place)) "
        "AS asked CROSS JOIN LATERAL (SELECT number FROM place_block "
        f"WHERE {_IN_BLOCK.format('asked.code')} OFFSET 0) AS found"
    ),
}
_OF_ASSET = "place_block.asset_id = entry.asset_id AND space = :space AND block BETWEEN {}"
_CUBES = {
    True: (
        f"SELECT {_pairs_of('number', 'cube', sqlite=True)} "
        "FROM (SELECT DISTINCT entry.number AS number, block >> :bits AS cube FROM json_each(:rows) AS asked "
        "CROSS JOIN asset_entry AS entry ON entry.number = asked.value "
        f"CROSS JOIN place_block INDEXED BY place_block_by_asset ON {_OF_ASSET.format(':first AND :last')})"
    ),
    False: (
        f"SELECT {_pairs_of('number', 'cube', sqlite=False)} "
        "FROM (SELECT DISTINCT entry.number, block >> CAST(:bits AS integer) AS cube "
        "FROM (SELECT number, asset_id FROM asset_entry "
        "WHERE number IN (SELECT CAST(value AS bigint) FROM json_array_elements_text(CAST(:rows AS json)) AS value) "
        "OFFSET 0) AS entry CROSS JOIN LATERAL (SELECT block FROM place_block "
        f"WHERE {_OF_ASSET.format(':first AND :last')} OFFSET 0) AS found) AS pairs"
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
    def blocks(self) -> int:
        """In how many blocks it lies: the fewer, the sooner its assets are listed."""

    def between(self, least: int, below: int) -> Numbers:
        """The numbers from one up to another of all that may be near, falling, each once; int64 (n,)."""

    def holding(self, numbers: Sequence[int]) -> set[int]:
        """Those of `numbers` that are near."""


def walk_near(session: Session, wanted: Wanted, near: Sequence[NearAssets], below: int | None, limit: int) -> list[int]:
    """The numbers of the newest `limit` assets below a number that `wanted` finds near all of `near`, newest first."""
    return [*islice(_Walk(session, wanted, near).found(below, limit), limit)]


class _Walk:
    """Goes through the numbers of assets from the newest down, part by part, each in the way that is shorter there.

    What is rare, and what lies nearly everywhere, is found among the first that the words find. Otherwise the assets of
    the figure with the fewest blocks are listed and their words compared, or, where the words find much less than the
    figure holds, what they find is looked at.
    """

    def __init__(self, session: Session, wanted: Wanted, near: Sequence[NearAssets]) -> None:
        self._session = session
        self._wanted = wanted
        self._near = near
        smallest = min(near, key=lambda one: one.blocks)
        self._listed = smallest if smallest.blocks <= _MOST_BLOCKS else None
        self._words_share = self._listed_share = 0.0
        self._looked = self._near_looked = 0
        self._read = self._near_read = 0
        self._portion = _FIRST

    def found(self, below: int | None, limit: int) -> Iterator[int]:
        """What is found below a number, newest first; of more than `limit` the rest may be asked for in vain."""
        size, count, length = _FIRST, 0, self._first_length()
        if length > _LENGTH:
            self._words_share = share_of(self._session, WordIndex.ASSETS, self._wanted)
            # a third of what is listed is near
            self._portion = min(max(int(3 * limit / max(self._words_share, 0.01)), _FIRST), _LENGTH)
        while True:
            left = limit - count
            looks = self._looks(left)
            if looks:
                numbers = walk(self._session, WordIndex.ASSETS, self._wanted, below, size)
                if not numbers:
                    return
                self._words_share = len(numbers) / ((numbers[0] + 1 if below is None else below) - numbers[-1])
                self._looked += len(numbers)
                portions = iter([numbers])
                below, ended, size = numbers[-1], len(numbers) < size, min(2 * size, _MOST)
            else:
                below = newest_number(self._session, WordIndex.ASSETS) + 1 if below is None else below
                least = max(below - length, 0)
                portions = self._both(least, below, left)
                below, ended = least, least == 0
            for number in self._held(portions, limit):
                count += 1
                self._near_looked += looks
                self._near_read += not looks
                yield number
            if ended:
                return
            if not looks:
                length = self._next_length(length, left, left - (limit - count))

    def _first_length(self) -> int:
        """How many numbers to look through at first: of few blocks more, for they hold less."""
        return min(_LENGTH * max(_FEW_BLOCKS // max(self._listed.blocks, 1), 1), _MOST) if self._listed else _LENGTH

    def _next_length(self, length: int, left: int, found: int) -> int:
        """How many after a listing of `length` in which so many were found of those that were left to be found."""
        growth = min(max(2.5 * (left - found) / found, 2), _MOST_GROWTH) if found else _GROWTH
        return max(2 * length, int(min(growth * length, _MOST_LISTED / max(self._listed_share, 1e-6))))

    def _looks(self, left: int) -> bool:
        """Whether to look at what the words find, rather than to list what the figure holds, where so many are left to
        be found."""
        if self._listed is None or not self._words_share:
            return True
        if self._words_share * _LISTING < self._listed_share:
            return True
        return self._looked > 0 and left * self._looked * _LOOKING <= self._listed.blocks * self._near_looked

    def _both(self, least: int, below: int, left: int) -> Iterator[list[int]]:
        """What the words find of what the figure may hold from a number up to another, newest first, in portions, where
        so many are left to be found."""
        assert self._listed is not None
        listed = self._listed.between(least, below)
        self._listed_share = len(listed) / (below - least)
        numbers: list[int] = listed.tolist()
        to_read = min(len(numbers), self._likely(left))
        if to_read * _READING[is_sqlite(self._session)] < self._words_share * (below - least):
            for portion in self._growing(numbers, left):
                yield matching(self._session, WordIndex.ASSETS, self._wanted, portion)
        elif numbers:
            self._read += len(numbers)
            found = within(self._session, WordIndex.ASSETS, self._wanted, least, below)
            yield listed[np.isin(listed, found)].tolist()

    def _likely(self, left: int) -> float:
        """How many of what the figure may hold are to be read until so many more are found, by those read before."""
        return left * self._read / self._near_read if self._near_read else np.inf

    def _growing(self, numbers: Sequence[int], left: int) -> Iterator[Sequence[int]]:
        """The numbers in portions: of what is rare soon large ones, for each takes a statement; of the rest no more
        than fill a page."""
        start, until = 0, self._near_read + left
        while start < len(numbers):
            size = max(_FIRST, int(min(self._portion, 1.5 * self._likely(until - self._near_read))))
            portion = numbers[start : start + size]
            self._read += len(portion)
            yield portion
            start, self._portion = start + size, min(4 * size, _MOST)

    def _held(self, portions: Iterable[list[int]], limit: int) -> Iterator[int]:
        """Those that are near all, looked at so many at a time: a page that is full asks for no more.

        Of the last of `near` no more is asked than fills a page, for what may be read is dear to tell.
        """
        *first, last = self._near
        size, filling = max(_FIRST, 4 * limit), limit + limit // 4 + 1
        for portion in portions:
            for start in range(0, len(portion), size):
                left = portion[start : start + size]
                for one in first:
                    held = one.holding(left)
                    left = [number for number in left if number in held]
                for at in range(0, len(left), filling):
                    asked = left[at : at + filling]
                    held = last.holding(asked)
                    yield from (number for number in asked if number in held)


class PlacesNear:
    """The assets with a place in at least one of some figures, each of a space, or with `boxes` a box that meets one.

    Which are near is kept: a page of several steps asks again.
    """

    def __init__(self, session: Session, figures: Iterable[tuple[Space, Figure]], *, boxes: bool = True) -> None:
        self._parts = [_Part(session, space, figure, boxes=boxes) for space, figure in figures]

    @cached_property
    def blocks(self) -> int:
        """As `NearAssets` says."""
        return sum(part.blocks for part in self._parts)

    def between(self, least: int, below: int) -> Numbers:
        """As `NearAssets` says."""
        return np.unique(np.concatenate([part.between(least, below) for part in self._parts]))[::-1]

    def holding(self, numbers: Sequence[int]) -> set[int]:
        """As `NearAssets` says."""
        found: set[int] = set()
        for part in self._parts:
            found |= part.holding([number for number in numbers if number not in found])
        return found


class _Part:
    """One figure."""

    def __init__(self, session: Session, space: Space, figure: Figure, *, boxes: bool) -> None:
        self._session = session
        self._space = space
        self._figure = figure
        self._cover = cover(space, figure)
        self._boxes = BoxesNear(session, space, figure) if boxes else None
        self._listed: tuple[Numbers, Numbers] = _NONE, _NONE
        self._range = range(0)
        self._held: dict[int, bool] = {}

    @property
    def blocks(self) -> int:
        """How many blocks it has."""
        whole = self._cover.whole
        return int((whole[:, 1] - whole[:, 0] + 1).sum())

    @cached_property
    def _codes(self) -> str:
        """The numbers of its blocks."""
        return json.dumps(self._cover.codes.tolist())

    def between(self, least: int, below: int) -> Numbers:
        """The numbers from one up to another of the assets with a place in its blocks or a box near, in any order."""
        number, place = self._pairs(_BETWEEN, rows=self._codes, least=least, below=below)
        self._listed = number, self._cover.codes[place] >> self._cover.bits
        self._range = range(least, below)
        return np.concatenate([number, self._boxes.between(least, below)]) if self._boxes else number

    def holding(self, numbers: Sequence[int]) -> set[int]:
        """As `NearAssets` says."""
        asked = [number for number in numbers if number not in self._held]
        if asked and len(self._cover.whole):
            self._held |= dict.fromkeys(asked, False) | dict.fromkeys(self._near_of(asked), True)
        return {number for number in numbers if self._held.get(number)}

    def _near_of(self, asked: Sequence[int]) -> set[int]:
        """Those of `asked` that are in the figure."""
        number, cube = self._cubes_of(asked)
        inside = in_ranges(self._cover.inside, cube << self._cover.bits)
        found = np.unique(number[inside])
        left = in_ranges(self._cover.cut, cube << self._cover.bits) & ~np.isin(number, found)
        cut = np.unique(np.stack([number[left], cube[left]], axis=1), axis=0)
        held = {*found.tolist(), *self._exactly(cut.tolist())}
        if self._boxes is None:
            return held
        return held | self._boxes.holding([one for one in asked if one not in held])

    def _cubes_of(self, asked: Sequence[int]) -> tuple[Numbers, Numbers]:
        """The cubes in which each asset has places, among those from the figure's first to its last: of what was just
        listed those that were read then."""
        number, cube = self._listed
        known = np.isin(number, asked)
        unknown = [one for one in asked if one not in self._range]
        if not unknown:
            return number[known], cube[known]
        whole = self._cover.whole
        span = {"first": int(whole[0, 0]), "last": int(whole[-1, 1])}
        others = self._pairs(_CUBES, rows=json.dumps(unknown), bits=self._cover.bits, **span)
        return np.concatenate([number[known], others[0]]), np.concatenate([cube[known], others[1]])

    def _pairs(self, statement: dict[bool, str], **values: Any) -> tuple[Numbers, Numbers]:
        """What a statement says as two texts of numbers."""
        numbers, others = map(numbers_told, self._ask(statement, **values).one())
        return numbers, others

    def _exactly(self, cubes: Sequence[Sequence[int]]) -> set[int]:
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

    def _ask(self, statement: dict[bool, str], **values: Any) -> Any:
        values["space"] = self._space.name
        return self._session.execute(text(statement[is_sqlite(self._session)]), values)
