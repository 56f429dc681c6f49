"""Posting lists: which rows of an index of words have what, newest first, with one meaning on both databases.

SQLite keeps an index in FTS5, PostgreSQL in a tsvector; neither parses the text itself. FTS5 walks a word's rows from
the newest down and stops when the page is full; where rare words stand beside common ones, only the rare are walked.
PostgreSQL's index has no order, so there every word is written with the number of the block of rows in which it stands,
and a walk goes from block to block, newest first. Neither depends on what a planner believes of how common words are,
or where.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt
from sqlalchemy import text
from sqlalchemy.orm import Session

from pulvinar.catalogue.words import Reach, Run, is_chinese

_WINDOW = 250
_PHRASE_WINDOW = 1_000
_MOST_WINDOW = 1_500
_PREFIX_LISTS = 4
_MOST_BEGINNINGS = 32
_PORTION = 200
_MANY = 4
_SAMPLE = 100
"""So many rows, spread evenly, tell how common words are."""
_GOLDEN = (5**0.5 - 1) / 2
_READING = 60
"""To read a row takes as long as to go through so many of the index."""
_MOST_READ = 3_000
"""SQLite reads no more rows than these before it asks the index for all words after all."""


class WordIndex(StrEnum):
    """An index, by its table; the SQLite one has its vocabulary beside it."""

    DATASETS = "dataset_words"
    ASSETS = "asset_words"


# There are more assets than datasets: larger blocks, so that there are fewer of them to go through.
_BLOCK = {WordIndex.DATASETS: 16_384, WordIndex.ASSETS: 32_768}


@dataclass(frozen=True)
class Term:
    """Words that must follow each other; the last of them may be the beginning of one."""

    words: Run
    begins: bool = False

    def reaching(self, reach: Reach) -> Term:
        """The same among the words that have this sign."""
        return Term(tuple(reach + word for word in self.words), self.begins)


@dataclass(frozen=True)
class All:
    """Rows that every part finds; it has at least one."""

    parts: tuple[Wanted, ...]


@dataclass(frozen=True)
class Any:
    """Rows that at least one part finds; it has at least one."""

    parts: tuple[Wanted, ...]


@dataclass(frozen=True)
class But:
    """Rows that `part` finds and `without` doesn't."""

    part: Wanted
    without: Wanted


Wanted = Term | All | Any | But
Numbers = npt.NDArray[np.int64]


def term_of(run: Run) -> Term:
    """A run as it is looked for: of a Chinese one the whole pairs; a single character is the beginning of a pair."""
    if is_chinese(run[0]):
        return Term(run[:-1]) if len(run) > 1 else Term(run, begins=True)
    return Term(run)


def reaching(wanted: Wanted, reach: Reach) -> Wanted:
    """The same among the words that have this sign."""
    if isinstance(wanted, Term):
        return wanted.reaching(reach)
    if isinstance(wanted, But):
        return But(reaching(wanted.part, reach), reaching(wanted.without, reach))
    return type(wanted)(tuple(reaching(part, reach) for part in wanted.parts))


def reaching_all(wanted: Wanted, reaches: Sequence[Reach] = tuple(Reach)) -> Wanted:
    """The same, each term among the words of any sign, or of some: what the owner finds."""
    if isinstance(wanted, Term):
        return Any(tuple(wanted.reaching(reach) for reach in reaches))
    if isinstance(wanted, But):
        return But(reaching_all(wanted.part, reaches), reaching_all(wanted.without, reaches))
    if isinstance(wanted, Any) and all(isinstance(part, Term) for part in wanted.parts):
        return Any(tuple(reaching(part, reach) for reach in reaches for part in wanted.parts))
    return type(wanted)(tuple(reaching_all(part, reaches) for part in wanted.parts))


def store_words(session: Session, index: WordIndex, number: int, words: list[str]) -> None:
    """Make these the words of a row, in order."""
    if is_sqlite(session):
        session.execute(text(f"DELETE FROM {index} WHERE rowid = :number"), {"number": number})
        values = {"number": number, "words": " ".join(words)}
        session.execute(text(f"INSERT INTO {index} (rowid, words) VALUES (:number, :words)"), values)
        return
    insert = (
        f"INSERT INTO {index} (seq, words) VALUES (:number, CAST(:words AS tsvector)) "
        "ON CONFLICT (seq) DO UPDATE SET words = excluded.words"
    )
    session.execute(text(insert), {"number": number, "words": vector_literal(index, number, words)})


def forget_words(session: Session, index: WordIndex, numbers: Iterable[int]) -> None:
    """Take rows out of an index."""
    key = "rowid" if is_sqlite(session) else "seq"
    for number in numbers:
        session.execute(text(f"DELETE FROM {index} WHERE {key} = :number"), {"number": number})


def vector_literal(index: WordIndex, number: int, words: Sequence[str]) -> str:
    """The words of row `number` as a PostgreSQL tsvector literal with their block and positions (to 16,383)."""
    block = number // _BLOCK[index]
    return " ".join(f"'{block}.{word}':{min(position, 16_383)}" for position, word in enumerate(words, 1))


def walk(session: Session, index: WordIndex, wanted: Wanted, below: int | None, limit: int) -> list[int]:
    """The numbers of the newest `limit` rows below a number that `wanted` finds, newest first."""
    return (_walk_sqlite if is_sqlite(session) else _walk_postgresql)(session, index, wanted, below, limit)


def within(session: Session, index: WordIndex, wanted: Wanted, least: int, below: int) -> Numbers:
    """The numbers of all rows from one number up to another that `wanted` finds, in any order; int64 (n,).

    They come as one text: hundreds of thousands of rows would take longer to hand over than to find.
    """
    asked: dict[str, object] = {"least": least, "below": below}
    if is_sqlite(session):
        statement = (
            f"SELECT group_concat(rowid) FROM {index} WHERE {index} MATCH :asked AND rowid >= :least AND rowid < :below"
        )
        asked["asked"] = _fts5(_spelled(session, index, wanted))
    else:
        statement = _RANGE.format(index=index)
        asked["asked"] = _tsquery(wanted)
        asked |= {"first": least // _BLOCK[index], "last": (below - 1) // _BLOCK[index]}
    return numbers_told(session.scalar(text(statement), asked))


def numbers_told(told: str | None) -> Numbers:
    """Numbers that a database gave as one text, with commas between them."""
    return np.fromstring(told or "", np.int64, sep=",")


def is_sqlite(session: Session) -> bool:
    """Whether it speaks to a SQLite file."""
    return session.get_bind().dialect.name == "sqlite"


def _walk_sqlite(session: Session, index: WordIndex, wanted: Wanted, below: int | None, limit: int) -> list[int]:
    """Where rare words stand beside common ones, only the rare are asked for, and the rows that have them are read:
    between two of them FTS5 would go through every row that has a common one.

    Where that finds little, everything is asked for after all.
    """
    wanted, found, read, size = _spelled(session, index, wanted), list[int](), 0, _PORTION
    rare = _rare_part(session, index, wanted)
    while rare and len(found) < limit and read < _MOST_READ:
        numbers = _asked_sqlite(session, index, rare, below, size)
        found += _matching_sqlite(session, index, wanted, numbers)
        if len(numbers) < size:
            return found[:limit]
        below, read, size = numbers[-1], read + size, 2 * size
    if len(found) < limit:
        found += _asked_sqlite(session, index, wanted, below, limit - len(found))
    return found[:limit]


def _asked_sqlite(session: Session, index: WordIndex, spelled: Wanted, below: int | None, limit: int) -> list[int]:
    """The newest rows below a number that the index finds."""
    lower = " AND rowid < :below" if below is not None else ""
    statement = f"SELECT rowid FROM {index} WHERE {index} MATCH :asked{lower} ORDER BY rowid DESC LIMIT :n"
    values: dict[str, object] = {"asked": _fts5(spelled), "n": limit}
    values |= {"below": below} if below is not None else {}
    return [*session.scalars(text(statement), values).all()]


def _rare_part(session: Session, index: WordIndex, wanted: Wanted) -> Wanted | None:
    """Of what every row must have that which is worth asking the index for, by a sample of rows.

    None when that is all of it, or when so many rows have everything that a page is soon full.
    """
    parts = list(dict.fromkeys(_needed(wanted)))
    if parts == [wanted]:
        return None
    share = _shares(session, index, [wanted, *parts])
    if share[wanted]:
        return None
    rare: list[Wanted] = []
    left = 1.0
    for part in sorted(parts, key=lambda one: share[one]):
        # to go through the rows that have it costs more than to read those that it would save
        if rare and share[part] > left * (1 - share[part]) * _READING:
            break
        rare.append(part)
        left *= max(share[part], 0.5 / _SAMPLE)
    return All(tuple(rare)) if set(rare) != set(parts) or isinstance(wanted, But) else None


def _shares(session: Session, index: WordIndex, wanted: Sequence[Wanted]) -> dict[Wanted, float]:
    """How large a share of the rows each finds, by a sample; a session asks once."""
    known: dict[Wanted, float] = session.info.setdefault(f"shares of {index}", {})
    asked = [one for one in wanted if one not in known]
    if asked:
        newest = newest_number(session, index)
        # spread evenly, but never at a distance at which something repeats itself
        numbers = [1 + int(newest * (at * _GOLDEN % 1)) for at in range(_SAMPLE)]
        counted = (_counted_sqlite if is_sqlite(session) else _counted_postgresql)(session, index, asked, numbers)
        known |= {one: count / _SAMPLE for one, count in zip(asked, counted, strict=True)}
    return known


def newest_number(session: Session, index: WordIndex) -> int:
    """The number of the newest row, 0 where there is none; a session asks once, for a page is of one moment."""
    known = f"newest of {index}"
    if known not in session.info:
        key = "rowid" if is_sqlite(session) else "seq"
        session.info[known] = session.scalar(text(f"SELECT {key} FROM {index} ORDER BY {key} DESC LIMIT 1")) or 0
    return int(session.info[known])


def share_of(session: Session, index: WordIndex, wanted: Wanted) -> float:
    """How large a share of the rows it finds, to a hundredth."""
    # with those of its parts, for which a walk would ask next
    return _shares(session, index, list(dict.fromkeys([wanted, *_needed(wanted)])))[wanted]


def _counted_sqlite(session: Session, index: WordIndex, wanted: Sequence[Wanted], numbers: Sequence[int]) -> list[int]:
    """Of how many of the rows each finds."""
    rows = _read_sqlite(session, index, numbers).values()
    return [sum(map(reader_of(_spelled(session, index, one)), rows)) for one in wanted]


def _counted_postgresql(
    session: Session, index: WordIndex, wanted: Sequence[Wanted], numbers: Sequence[int]
) -> list[int]:
    """The same, in one statement."""
    ways = range(len(wanted))
    told = ", ".join(f"CAST(replace(:asked{at}, '@', CAST(block AS text)) AS tsquery) AS query{at}" for at in ways)
    counts = ", ".join(f"count(*) FILTER (WHERE ts_match_vq(words, query{at}))" for at in ways)
    values = {f"asked{at}": _tsquery(one) for at, one in enumerate(wanted)}
    statement = text(_COUNTS.format(index=index, size=_BLOCK[index], told=told, counts=counts))
    return [*session.execute(statement, {**values, "numbers": _array(numbers)}).one()]


def _array(numbers: Sequence[int]) -> str:
    """An array as PostgreSQL reads it: to hand over a thousand numbers one by one takes longer than to compare rows."""
    return f"{{{','.join(map(str, numbers))}}}"


def _needed(wanted: Wanted) -> list[Wanted]:
    """What every row that `wanted` finds must have, of phrases each word."""
    if isinstance(wanted, All):
        return [one for part in wanted.parts for one in _needed(part)]
    if isinstance(wanted, But):
        return _needed(wanted.part)
    ways = wanted.parts if isinstance(wanted, Any) else (wanted,)
    phrases = [way for way in ways if isinstance(way, Term)]
    length = min((len(phrase.words) for phrase in phrases), default=0)
    if length < 2 or len(phrases) < len(ways):
        return [wanted]
    return [Any(tuple(_word(phrase, at) for phrase in phrases)) for at in range(length)]


def _word(phrase: Term, at: int) -> Term:
    return Term(phrase.words[at : at + 1], phrase.begins and at == len(phrase.words) - 1)


def _fts5(wanted: Wanted) -> str:
    """In the language of FTS5."""
    if isinstance(wanted, Term):
        return f'("{" ".join(wanted.words)}"{"*" if wanted.begins else ""})'
    if isinstance(wanted, But):
        return f"({_fts5(wanted.part)} NOT {_fts5(wanted.without)})"
    between = " AND " if isinstance(wanted, All) else " OR "
    return f"({between.join(map(_fts5, wanted.parts))})"


def _spelled(session: Session, index: WordIndex, wanted: Wanted) -> Wanted:
    """A beginning as the words that have it: FTS5 itself would first collect all that have any of them."""
    if isinstance(wanted, But):
        return But(_spelled(session, index, wanted.part), _spelled(session, index, wanted.without))
    if not isinstance(wanted, Term):
        return type(wanted)(tuple(_spelled(session, index, part) for part in wanted.parts))
    beginning = " ".join(wanted.words)
    if not wanted.begins or (len(beginning) <= _PREFIX_LISTS and index is not WordIndex.ASSETS):
        return wanted
    words = _beginning_with(session, index, beginning)
    if not words:
        return Term(wanted.words)
    if len(words) > _MOST_BEGINNINGS and index is not WordIndex.ASSETS:
        return wanted
    return Any(tuple(Term((word,)) for word in words))


def _beginning_with(session: Session, index: WordIndex, beginning: str) -> list[str]:
    """The words of the index that begin so, or some of them when there are too many."""
    statement = text(f"SELECT term FROM {index}_vocabulary WHERE term >= :least AND term <= :most LIMIT 1")
    found: list[str] = []
    least = beginning
    while len(found) <= _MOST_BEGINNINGS:
        word = session.scalar(statement, {"least": least, "most": f"{beginning}\U0010ffff"})
        if word is None:
            break
        found.append(word)
        # the least text after it: "> word" would go through every row that has the word
        least = f"{word}\0"
    return found


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
    "SELECT string_agg(CAST(found.seq AS text), ',') "
    "FROM generate_series(CAST(:first AS integer), CAST(:last AS integer)) AS block "
    "CROSS JOIN LATERAL (SELECT seq FROM {index} "
    "WHERE words @@ CAST(replace(:asked, '@', CAST(block AS text)) AS tsquery) "
    "AND seq + 0 >= :least AND seq + 0 < :below OFFSET 0) AS found"
)
# A row is compared with the question of its block, which is read once.
_ROWS = (
    "WITH asked AS MATERIALIZED (SELECT block, CAST(replace(:asked, '@', CAST(block AS text)) AS tsquery) AS query "
    "FROM (SELECT DISTINCT number / {size} AS block FROM unnest(CAST(:numbers AS bigint[])) AS number) AS blocks) "
    "SELECT seq FROM unnest(CAST(:numbers AS bigint[])) AS number "
    "CROSS JOIN LATERAL (SELECT seq, words FROM {index} WHERE seq = number OFFSET 0) AS one "
    "JOIN asked ON block = number / {size} WHERE ts_match_vq(words, query) ORDER BY seq DESC"
)


_COUNTS = (
    "WITH asked AS MATERIALIZED (SELECT block, {told} "
    "FROM (SELECT DISTINCT number / {size} AS block FROM unnest(CAST(:numbers AS bigint[])) AS number) AS blocks) "
    "SELECT {counts} FROM unnest(CAST(:numbers AS bigint[])) AS number "
    "CROSS JOIN LATERAL (SELECT words FROM {index} WHERE seq = number OFFSET 0) AS one "
    "JOIN asked ON block = number / {size}"
)


def _walk_postgresql(session: Session, index: WordIndex, wanted: Wanted, below: int | None, limit: int) -> list[int]:
    """First compare the newest rows, and where that finds most of what is wanted some more, which is enough for common
    words; for others go on block by block.

    Of a phrase the index tells only which rows have its words: every such row of a block has to be read, and so the
    newest are compared for longer.
    """
    asked = _tsquery(wanted)
    below = newest_number(session, index) + 1 if below is None else below
    size, rows = _PHRASE_WINDOW if _has_phrase(wanted) else _WINDOW, 0
    found: list[int] = []
    while size <= _MOST_WINDOW and below > 0 and len(found) < limit:
        found += _in_window(session, index, asked, max(below - size, 0), below, limit - len(found))
        below, rows = max(below - size, 0), rows + size
        # as many again as the rest needs, where the words are as common as they were
        size = max(int(1.5 * (limit - len(found)) * rows / len(found)), _WINDOW) if found else rows + _MOST_WINDOW
    if len(found) < limit and below > 0:
        older: dict[str, object] = {"block": (below - 1) // _BLOCK[index], "below": below, "n": limit - len(found)}
        rare = _rare_part(session, index, wanted)
        older |= {"asked": _tsquery(rare), "whole": asked} if rare else {"asked": asked}
        found += session.scalars(text(_BLOCKS.format(index=index, whole=_WHOLE if rare else "")), older).all()
    return found


def _in_window(session: Session, index: WordIndex, asked: str, start: int, below: int, limit: int) -> Sequence[int]:
    """The newest rows from one number up to another that the index, which isn't asked, would find."""
    here, before = (asked.replace("@", str(number // _BLOCK[index])) for number in (below - 1, start))
    values = {"asked": here, "before": before, "start": start, "below": below, "n": limit}
    # nearly every window lies in one block: its rows are compared once
    query = "CAST(:asked AS tsquery)" if here == before else "(CAST(:asked AS tsquery) || CAST(:before AS tsquery))"
    return session.scalars(text(_NEWEST.format(index=index, query=query)), values).all()


def _has_phrase(wanted: Wanted) -> bool:
    if isinstance(wanted, Term):
        return len(wanted.words) > 1
    return any(map(_has_phrase, (wanted.part, wanted.without) if isinstance(wanted, But) else wanted.parts))


def _tsquery(wanted: Wanted) -> str:
    """In the language of tsquery, "@" standing for the block."""
    if isinstance(wanted, Term):
        quoted = [f"'@.{word}'" for word in wanted.words]
        quoted[-1] += ":*" if wanted.begins else ""
        return f"({' <-> '.join(quoted)})"
    if isinstance(wanted, But):
        return f"({_tsquery(wanted.part)} & !{_tsquery(wanted.without)})"
    return f"({(' & ' if isinstance(wanted, All) else ' | ').join(map(_tsquery, wanted.parts))})"


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
    if is_sqlite(session):
        return _matching_sqlite(session, index, wanted, numbers)
    statement = _ROWS.format(index=index, size=_BLOCK[index])
    return [*session.scalars(text(statement), {"asked": _tsquery(wanted), "numbers": _array(numbers)}).all()]


def _matching_sqlite(session: Session, index: WordIndex, wanted: Wanted, numbers: Sequence[int]) -> list[int]:
    """The words of each row are read: FTS5 would begin its walk of the lists anew for each row that is named."""
    holds = reader_of(_spelled(session, index, wanted))
    rows = _read_sqlite(session, index, numbers)
    return sorted((number for number, words in rows.items() if holds(words)), reverse=True)


def _read_sqlite(session: Session, index: WordIndex, numbers: Sequence[int]) -> dict[int, bytes]:
    """The words of those rows that there are, in UTF-8, with a blank before and after each. As text they would take
    half as long again: SQLite's text has to be decoded."""
    rows = text(
        f"SELECT rowid, CAST(words AS BLOB) FROM {index} WHERE rowid IN (SELECT value FROM json_each(:numbers))"
    )
    found = session.execute(rows, {"numbers": str(list(numbers))}).all()
    return {number: b" %b " % words for number, words in found}


def reader_of(wanted: Wanted) -> Callable[[bytes], bool]:
    """What tells whether `wanted` finds a row by its words in order, in UTF-8, with a blank before and after each."""
    if isinstance(wanted, Term):
        said = _said(wanted)
        return lambda words: said in words
    if isinstance(wanted, But):
        part, without = reader_of(wanted.part), reader_of(wanted.without)
        return lambda words: part(words) and not without(words)
    if isinstance(wanted, Any) and len(wanted.parts) > _MANY and all(isinstance(part, Term) for part in wanted.parts):
        # a span has dozens of words that begin alike: to look for them one by one would take ten times as long
        either = re.compile(b"|".join(re.escape(_said(part)) for part in wanted.parts if isinstance(part, Term)))
        return lambda words: either.search(words) is not None
    # terms are looked for without a call of Python for each of thousands of rows
    said_all = [_said(part) for part in wanted.parts if isinstance(part, Term)]
    parts = [reader_of(part) for part in wanted.parts if not isinstance(part, Term)]
    if isinstance(wanted, All):
        return lambda words: all(map(words.__contains__, said_all)) and all(part(words) for part in parts)
    return lambda words: any(map(words.__contains__, said_all)) or any(part(words) for part in parts)


def _said(term: Term) -> bytes:
    """A term as it stands in a row's words."""
    return f" {' '.join(term.words)}{'' if term.begins else ' '}".encode()
