"""The indices of words as tables: which there are, and what a row of one holds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from zlib import crc32

from sqlalchemy import text
from sqlalchemy.orm import Session

from pulvinar.storage.database import is_sqlite


class WordIndex(StrEnum):
    """An index, by its table; the SQLite one has its vocabulary beside it."""

    DATASETS = "dataset_words"
    ASSETS = "asset_words"


# There are more assets than datasets: larger blocks, so that there are fewer of them to go through.
BLOCK = {WordIndex.DATASETS: 16_384, WordIndex.ASSETS: 32_768}

_SIGNATURE_BITS = 512
SIGNATURE_TYPE = f"bit({_SIGNATURE_BITS})"
"""Of PostgreSQL, for the signature of a row's words."""


def store_words(session: Session, index: WordIndex, number: int, words: list[str]) -> None:
    """Make these the words of a row, in order."""
    if is_sqlite(session):
        session.execute(text(f"DELETE FROM {index} WHERE rowid = :number"), {"number": number})
        values = {"number": number, "words": " ".join(words)}
        session.execute(text(f"INSERT INTO {index} (rowid, words) VALUES (:number, :words)"), values)
        return
    insert = (
        f"INSERT INTO {index} (seq, words, signature) "
        f"VALUES (:number, CAST(:words AS tsvector), CAST(:signature AS {SIGNATURE_TYPE})) "
        "ON CONFLICT (seq) DO UPDATE SET words = excluded.words, signature = excluded.signature"
    )
    values = {"number": number, "words": vector_literal(index, number, words), "signature": signature_of(words)}
    session.execute(text(insert), values)


def forget_words(session: Session, index: WordIndex, numbers: Iterable[int]) -> None:
    """Take rows out of an index."""
    key = "rowid" if is_sqlite(session) else "seq"
    for number in numbers:
        session.execute(text(f"DELETE FROM {index} WHERE {key} = :number"), {"number": number})


def vector_literal(index: WordIndex, number: int, words: Sequence[str]) -> str:
    """The words of row `number` as a PostgreSQL tsvector literal with their block and positions (to 16,383)."""
    block = number // BLOCK[index]
    return " ".join(f"'{block}.{word}':{min(position, 16_383)}" for position, word in enumerate(words, 1))


def signature_of(words: Iterable[str]) -> str:
    """Superimposed codes of words (Roberts 1979) as a PostgreSQL literal: two bits each. A row whose signature lacks a
    bit of some words lacks one of the words; one that has them all may."""
    bits = 0
    for word in words:
        code = crc32(word.encode())
        bits |= 1 << code % _SIGNATURE_BITS | 1 << (code // _SIGNATURE_BITS) % _SIGNATURE_BITS
    return f"x{bits:0{_SIGNATURE_BITS // 4}x}"


def newest_number(session: Session, index: WordIndex) -> int:
    """The number of the newest row, 0 where there is none; a session asks once, for a page is of one moment."""
    known = f"newest of {index}"
    if known not in session.info:
        key = "rowid" if is_sqlite(session) else "seq"
        session.info[known] = session.scalar(text(f"SELECT {key} FROM {index} ORDER BY {key} DESC LIMIT 1")) or 0
    return int(session.info[known])
