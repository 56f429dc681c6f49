"""Posting lists: which rows of an index of words have what, newest first, with one meaning on both databases.

SQLite keeps an index in FTS5, PostgreSQL in a tsvector; neither parses the text itself. FTS5 walks a word's rows from
the newest down and stops when the page is full; where rare words stand beside common ones, only the rare are walked.
PostgreSQL's index has no order, so there every word is written with the number of the block of rows in which it stands,
and a walk goes from block to block, newest first. Neither depends on what a planner believes of how common words are,
or where.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import text
from sqlalchemy.orm import Session

from pulvinar.catalogue.listed import Numbers, numbers_told, told_as_one
from pulvinar.catalogue.wanted import Wanted
from pulvinar.catalogue.word_index import BLOCK, WordIndex, newest_number
from pulvinar.catalogue.word_shares import rare_part
from pulvinar.catalogue.words_in_postgresql import matching_in_postgresql, tsquery
from pulvinar.catalogue.words_in_sqlite import fts5, matching_in_sqlite, newest_in_sqlite, spelled
from pulvinar.storage.database import is_sqlite

_WINDOW = 250
_MOST_WINDOW = 1_500
_PORTION = 200
_MOST_READ = 3_000
"""SQLite reads no more rows than these before it asks the index for all words after all."""


def walk(session: Session, index: WordIndex, wanted: Wanted, below: int | None, limit: int) -> list[int]:
    """The numbers of the newest `limit` rows below a number that `wanted` finds, newest first."""
    return (_walk_sqlite if is_sqlite(session) else _walk_postgresql)(session, index, wanted, below, limit)


def within(session: Session, index: WordIndex, wanted: Wanted, least: int, below: int) -> Numbers:
    """The numbers of all rows from one number up to another that `wanted` finds, in any order; int64 (n,).

    They come as one value: hundreds of thousands of rows would take longer to hand over than to find.
    """
    asked: dict[str, object] = {"least": least, "below": below}
    if is_sqlite(session):
        numbers = told_as_one("rowid", sqlite=True)
        statement = f"SELECT {numbers} FROM {index} WHERE {index} MATCH :asked AND rowid >= :least AND rowid < :below"
        asked["asked"] = fts5(spelled(session, index, wanted))
    else:
        statement = _RANGE.format(index=index)
        asked["asked"] = tsquery(wanted)
        asked |= {"first": least // BLOCK[index], "last": (below - 1) // BLOCK[index]}
    return numbers_told(session.scalar(text(statement), asked))


def _walk_sqlite(session: Session, index: WordIndex, wanted: Wanted, below: int | None, limit: int) -> list[int]:
    """Where rare words stand beside common ones, only the rare are asked for, and the rows that have them are read:
    between two of them FTS5 would go through every row that has a common one.

    Where that finds little, everything is asked for after all.
    """
    wanted, found, read, size = spelled(session, index, wanted), list[int](), 0, _PORTION
    rare = rare_part(session, index, wanted)
    while rare and len(found) < limit and read < _MOST_READ:
        numbers = newest_in_sqlite(session, index, rare, below, size)
        found += matching_in_sqlite(session, index, wanted, numbers)
        if len(numbers) < size:
            return found[:limit]
        below, read, size = numbers[-1], read + size, 2 * size
    if len(found) < limit:
        found += newest_in_sqlite(session, index, wanted, below, limit - len(found))
    return found[:limit]


# OFFSET 0 keeps the planner from merging the parts: the rows of the window are read and compared, no index is asked.
_NEWEST = (
    "SELECT seq FROM (SELECT seq, words FROM {index} WHERE seq >= :start AND seq < :below "
    "ORDER BY seq DESC OFFSET 0) AS newest WHERE words @@ {query} ORDER BY seq DESC LIMIT :n"
)


# "seq + 0" keeps the planner from walking the whole table by its key rather than the words of a block.
_BLOCKS = (
    "SELECT found.seq FROM generate_series(CAST(:block AS integer), 0, -1) AS block CROSS JOIN LATERAL ("
    "SELECT seq FROM {index} WHERE words @@ CAST(replace(:asked, '@', CAST(block AS text)) AS tsquery) "
    "{whole} AND seq + 0 < :below ORDER BY seq + 0 DESC LIMIT :n) AS found LIMIT :n"
)


# Where the index is asked for a part, the rows that have it are compared with the whole: the function instead of "@@"
# keeps the planner from asking the index for that too.
_WHOLE = "AND ts_match_vq(words, CAST(replace(:whole, '@', CAST(block AS text)) AS tsquery)) "


_RANGE = (
    f"SELECT {told_as_one('found.seq', sqlite=False)} "
    "FROM generate_series(CAST(:first AS integer), CAST(:last AS integer)) AS block "
    "CROSS JOIN LATERAL (SELECT seq FROM {index} "
    "WHERE words @@ CAST(replace(:asked, '@', CAST(block AS text)) AS tsquery) "
    "AND seq + 0 >= :least AND seq + 0 < :below OFFSET 0) AS found"
)


def _walk_postgresql(session: Session, index: WordIndex, wanted: Wanted, below: int | None, limit: int) -> list[int]:
    """First compare the newest rows, and where that finds most of what is wanted some more, which is enough for common
    words; for others go on block by block.
    """
    asked = tsquery(wanted)
    below = newest_number(session, index) + 1 if below is None else below
    size, rows, found = _WINDOW, 0, list[int]()
    while size <= _MOST_WINDOW and below > 0 and len(found) < limit:
        found += _in_window(session, index, asked, max(below - size, 0), below, limit - len(found))
        below, rows = max(below - size, 0), rows + size
        # as many again as the rest needs, where the words are as common as they were
        size = max(int(1.5 * (limit - len(found)) * rows / len(found)), _WINDOW) if found else rows + _MOST_WINDOW
    if len(found) < limit and below > 0:
        older: dict[str, object] = {"block": (below - 1) // BLOCK[index], "below": below, "n": limit - len(found)}
        rare = rare_part(session, index, wanted)
        older |= {"asked": tsquery(rare), "whole": asked} if rare else {"asked": asked}
        found += session.scalars(text(_BLOCKS.format(index=index, whole=_WHOLE if rare else "")), older).all()
    return found


def _in_window(session: Session, index: WordIndex, asked: str, start: int, below: int, limit: int) -> Sequence[int]:
    """The newest rows from one number up to another that the index, which isn't asked, would find."""
    here, before = (asked.replace("@", str(number // BLOCK[index])) for number in (below - 1, start))
    values = {"asked": here, "before": before, "start": start, "below": below, "n": limit}
    # nearly every window lies in one block: its rows are compared once
    query = "CAST(:asked AS tsquery)" if here == before else "(CAST(:asked AS tsquery) || CAST(:before AS tsquery))"
    return session.scalars(text(_NEWEST.format(index=index, query=query)), values).all()


def among(
    session: Session, index: WordIndex, wanted: Wanted, numbers: Collection[int], below: int | None, limit: int
) -> list[int]:
    """As `walk`, of these rows alone: they are looked at from the newest down, portion by portion."""
    left = sorted((number for number in numbers if below is None or number < below), reverse=True)
    found: list[int] = []
    for start in range(0, len(left), _PORTION):
        if len(found) >= limit:
            break
        found += matching(session, index, wanted, left[start : start + _PORTION])
    return found[:limit]


def matching(session: Session, index: WordIndex, wanted: Wanted, numbers: Sequence[int]) -> list[int]:
    """Those of the rows that `wanted` finds, newest first."""
    ask = matching_in_sqlite if is_sqlite(session) else matching_in_postgresql
    return ask(session, index, wanted, numbers)
