"""How common words are, by a sample of rows, and so which of them are worth asking an index for."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from pulvinar.catalogue.wanted import All, But, Wanted, needed
from pulvinar.catalogue.word_index import WordIndex, newest_number
from pulvinar.catalogue.words_in_postgresql import counted_in_postgresql
from pulvinar.catalogue.words_in_sqlite import counted_in_sqlite
from pulvinar.storage.database import is_sqlite

_SAMPLE = 100
"""So many rows, spread evenly, tell how common words are."""
_GOLDEN = (5**0.5 - 1) / 2
_READING = 60
"""To read a row takes as long as to go through so many of the index."""


def _shares(session: Session, index: WordIndex, wanted: Sequence[Wanted]) -> dict[Wanted, float]:
    """How large a share of the rows each finds, by a sample; a session asks once."""
    known: dict[Wanted, float] = session.info.setdefault(f"shares of {index}", {})
    asked = [one for one in wanted if one not in known]
    if asked:
        newest = newest_number(session, index)
        # spread evenly, but never at a distance at which something repeats itself
        numbers = [1 + int(newest * (at * _GOLDEN % 1)) for at in range(_SAMPLE)]
        counted = (counted_in_sqlite if is_sqlite(session) else counted_in_postgresql)(session, index, asked, numbers)
        known |= {one: count / _SAMPLE for one, count in zip(asked, counted, strict=True)}
    return known


def share_of(session: Session, index: WordIndex, wanted: Wanted) -> float:
    """How large a share of the rows it finds, to a hundredth."""
    # with those of its parts, for which a walk would ask next
    return _shares(session, index, list(dict.fromkeys([wanted, *needed(wanted)])))[wanted]


def rare_part(session: Session, index: WordIndex, wanted: Wanted) -> Wanted | None:
    """Of what every row must have that which is worth asking the index for, by a sample of rows.

    None when that is all of it, or when so many rows have everything that a page is soon full.
    """
    parts = list(dict.fromkeys(needed(wanted)))
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
