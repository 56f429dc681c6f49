"""The indices of words as tables: which there are, and what a row of one holds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum

from sqlalchemy import text
from sqlalchemy.orm import Session

from pulvinar.storage.database import is_sqlite


class WordIndex(StrEnum):
    """An index, by its table; the SQLite one has its vocabulary beside it."""

    DATASETS = "dataset_words"
    ASSETS = "asset_words"


# There are more assets than datasets: larger blocks, so that there are fewer of them to go through.
BLOCK = {WordIndex.DATASETS: 16_384, WordIndex.ASSETS: 32_768}


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
    block = number // BLOCK[index]
    return " ".join(f"'{block}.{word}':{min(position, 16_383)}" for position, word in enumerate(words, 1))


def newest_number(session: Session, index: WordIndex) -> int:
    """The number of the newest row, 0 where there is none; a session asks once, for a page is of one moment."""
    known = f"newest of {index}"
    if known not in session.info:
        key = "rowid" if is_sqlite(session) else "seq"
        session.info[known] = session.scalar(text(f"SELECT {key} FROM {index} ORDER BY {key} DESC LIMIT 1")) or 0
    return int(session.info[known])
