"""An index of words in SQLite: an FTS5 table, and its rows read one by one."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from sqlalchemy import text
from sqlalchemy.orm import Session

from pulvinar.catalogue.wanted import All, Any, But, Term, Wanted
from pulvinar.catalogue.word_index import WordIndex

_PREFIX_LISTS = 4
_MOST_BEGINNINGS = 32
_MANY = 4


def fts5(wanted: Wanted) -> str:
    """In the language of FTS5."""
    if isinstance(wanted, Term):
        return f'("{" ".join(wanted.words)}"{"*" if wanted.begins else ""})'
    if isinstance(wanted, But):
        return f"({fts5(wanted.part)} NOT {fts5(wanted.without)})"
    between = " AND " if isinstance(wanted, All) else " OR "
    return f"({between.join(map(fts5, wanted.parts))})"


def spelled(session: Session, index: WordIndex, wanted: Wanted) -> Wanted:
    """A beginning as the words that have it: FTS5 itself would first collect all that have any of them."""
    if isinstance(wanted, But):
        return But(spelled(session, index, wanted.part), spelled(session, index, wanted.without))
    if not isinstance(wanted, Term):
        return type(wanted)(tuple(spelled(session, index, part) for part in wanted.parts))
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


def newest_in_sqlite(session: Session, index: WordIndex, spelled: Wanted, below: int | None, limit: int) -> list[int]:
    """The newest rows below a number that the index finds."""
    lower = " AND rowid < :below" if below is not None else ""
    statement = f"SELECT rowid FROM {index} WHERE {index} MATCH :asked{lower} ORDER BY rowid DESC LIMIT :n"
    values: dict[str, object] = {"asked": fts5(spelled), "n": limit}
    values |= {"below": below} if below is not None else {}
    return [*session.scalars(text(statement), values).all()]


def matching_in_sqlite(session: Session, index: WordIndex, wanted: Wanted, numbers: Sequence[int]) -> list[int]:
    """The words of each row are read: FTS5 would begin its walk of the lists anew for each row that is named."""
    holds = reader_of(spelled(session, index, wanted))
    rows = _rows_in_sqlite(session, index, numbers)
    return sorted((number for number, words in rows.items() if holds(words)), reverse=True)


def _rows_in_sqlite(session: Session, index: WordIndex, numbers: Sequence[int]) -> dict[int, bytes]:
    """The words of those rows that there are, in UTF-8, with a blank before and after each. As text they would take
    half as long again: SQLite's text has to be decoded."""
    rows = text(
        f"SELECT rowid, CAST(words AS BLOB) FROM {index} WHERE rowid IN (SELECT value FROM json_each(:numbers))"
    )
    found = session.execute(rows, {"numbers": str(list(numbers))}).all()
    return {number: b" %b " % words for number, words in found}


def counted_in_sqlite(
    session: Session, index: WordIndex, wanted: Sequence[Wanted], numbers: Sequence[int]
) -> list[int]:
    """Of how many of the rows each finds."""
    rows = _rows_in_sqlite(session, index, numbers).values()
    return [sum(map(reader_of(spelled(session, index, one)), rows)) for one in wanted]


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
