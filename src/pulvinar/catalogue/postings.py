"""Posting lists: which rows of an index of words have what, newest first, with one meaning on both databases.

SQLite keeps an index in FTS5, PostgreSQL in a tsvector; neither parses the text itself. FTS5 walks a word's rows from
the newest down and stops when the page is full. PostgreSQL's index has no order, so there every word is written with
the number of the block of rows in which it stands, and a walk goes from block to block, newest first. Neither depends
on what a planner believes of how common words are, or where.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import text
from sqlalchemy.orm import Session

from pulvinar.catalogue.words import Reach, Run, is_chinese

_WINDOW = 1_000
_PREFIX_LISTS = 4
_MOST_BEGINNINGS = 32
_PORTION = 200
_CLOSE = 1_000


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


def is_sqlite(session: Session) -> bool:
    """Whether it speaks to a SQLite file."""
    return session.get_bind().dialect.name == "sqlite"


def _walk_sqlite(session: Session, index: WordIndex, wanted: Wanted, below: int | None, limit: int) -> list[int]:
    lower = " AND rowid < :below" if below is not None else ""
    statement = f"SELECT rowid FROM {index} WHERE {index} MATCH :asked{lower} ORDER BY rowid DESC LIMIT :n"
    values: dict[str, object] = {"asked": _fts5(session, index, wanted), "n": limit}
    return list(session.scalars(text(statement), values | ({"below": below} if below is not None else {})))


def _fts5(session: Session, index: WordIndex, wanted: Wanted) -> str:
    """In the language of FTS5."""
    if isinstance(wanted, Term):
        return f"({_fts5_term(session, index, wanted)})"
    if isinstance(wanted, But):
        return f"({_fts5(session, index, wanted.part)} NOT {_fts5(session, index, wanted.without)})"
    between = " AND " if isinstance(wanted, All) else " OR "
    return f"({between.join(_fts5(session, index, part) for part in wanted.parts)})"


def _fts5_term(session: Session, index: WordIndex, term: Term) -> str:
    """A beginning is written as the words that have it: FTS5 itself would first collect all that have any of them."""
    words = [" ".join(term.words)]
    if term.begins and (len(words[0]) > _PREFIX_LISTS or index is WordIndex.ASSETS):
        words = _beginning_with(session, index, words[0]) or words
        if len(words) <= _MOST_BEGINNINGS or index is WordIndex.ASSETS:
            return " OR ".join(f'"{word}"' for word in words)
    return f'"{" ".join(term.words)}"{"*" if term.begins else ""}'


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
    "ORDER BY seq DESC OFFSET 0) AS newest "
    "WHERE words @@ (CAST(:asked AS tsquery) || CAST(:before AS tsquery)) ORDER BY seq DESC LIMIT :n"
)
# "seq + 0" keeps the planner from walking the whole table by its key rather than the words of a block.
_BLOCKS = (
    "SELECT found.seq FROM generate_series(CAST(:block AS integer), 0, -1) AS block CROSS JOIN LATERAL ("
    "SELECT seq FROM {index} WHERE words @@ CAST(replace(:asked, '@', CAST(block AS text)) AS tsquery) "
    "AND seq + 0 < :below ORDER BY seq + 0 DESC LIMIT :n) AS found LIMIT :n"
)


def _walk_postgresql(session: Session, index: WordIndex, wanted: Wanted, below: int | None, limit: int) -> list[int]:
    """First compare the newest 1,000 rows, which is enough for common words; for others go on block by block."""
    asked = _tsquery(wanted)
    if below is None:
        below = session.scalar(text(f"SELECT max(seq) + 1 FROM {index}")) or 1
    start = below - _WINDOW
    here, before = (asked.replace("@", str(number // _BLOCK[index])) for number in (below - 1, start))
    newest = {"asked": here, "before": before, "start": start, "below": below, "n": limit}
    found = list(session.scalars(text(_NEWEST.format(index=index)), newest))
    if len(found) < limit and start > 0:
        older = {"asked": asked, "block": (start - 1) // _BLOCK[index], "below": start, "n": limit - len(found)}
        found += session.scalars(text(_BLOCKS.format(index=index)), older)
    return found


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
        return _matching_sqlite(session, index, _fts5(session, index, wanted), numbers)
    statement = (
        f"SELECT seq FROM {index} WHERE seq = ANY(CAST(:numbers AS bigint[])) "
        f"AND words @@ CAST(replace(:asked, '@', CAST(seq / {_BLOCK[index]} AS text)) AS tsquery) ORDER BY seq DESC"
    )
    return list(session.scalars(text(statement), {"asked": _tsquery(wanted), "numbers": list(numbers)}))


def _matching_sqlite(session: Session, index: WordIndex, asked: str, numbers: Sequence[int]) -> list[int]:
    """FTS5 begins anew for each row that is named: of rows that lie close all between them are walked over instead."""
    if not numbers:
        return []
    least, most = min(numbers), max(numbers)
    rows = "rowid IN (SELECT value FROM json_each(:numbers))"
    if most - least < _CLOSE * len(numbers):
        # the sign keeps SQLite from taking the condition for names of rows
        rows = f"+{rows} AND rowid BETWEEN :least AND :most"
    statement = f"SELECT rowid FROM {index} WHERE {index} MATCH :asked AND {rows}"
    values = {"asked": asked, "numbers": str(list(numbers)), "least": least, "most": most}
    return sorted(session.scalars(text(statement), values), reverse=True)
