"""An index of words in PostgreSQL: rows of a tsvector, each word with the number of its block of rows."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.orm import Session

from pulvinar.catalogue.wanted import All, Any, But, Term, Wanted, needed
from pulvinar.catalogue.word_index import BLOCK, SIGNATURE_TYPE, WordIndex, signature_of

# A row is compared with the question of its block, which is read once. Words lie beside their rows: those of rows whose
# signature lacks a word that is needed are left there.
_ROWS = (
    "WITH asked AS MATERIALIZED (SELECT block, CAST(replace(:asked, '@', CAST(block AS text)) AS tsquery) AS query, "
    "CAST(:needed AS {bits}) AS needed "
    "FROM (SELECT DISTINCT number / {size} AS block FROM unnest(CAST(:numbers AS bigint[])) AS number) AS blocks) "
    "SELECT seq FROM unnest(CAST(:numbers AS bigint[])) AS number "
    "CROSS JOIN LATERAL (SELECT seq, words, signature FROM {index} WHERE seq = number OFFSET 0) AS one "
    "JOIN asked ON block = number / {size} WHERE CASE WHEN signature & needed = needed "
    "THEN ts_match_vq(words, query) ELSE false END ORDER BY seq DESC"
)
# Put together from two, the words of a row are fetched once rather than for each question.
_COUNTS = (
    "WITH asked AS MATERIALIZED (SELECT block, {told} "
    "FROM (SELECT DISTINCT number / {size} AS block FROM unnest(CAST(:numbers AS bigint[])) AS number) AS blocks) "
    "SELECT {counts} FROM unnest(CAST(:numbers AS bigint[])) AS number "
    "CROSS JOIN LATERAL "
    "(SELECT words || CAST('' AS tsvector) AS words FROM {index} WHERE seq = number OFFSET 0) AS one "
    "JOIN asked ON block = number / {size}"
)


def tsquery(wanted: Wanted) -> str:
    """In the language of tsquery, "@" standing for the block."""
    if isinstance(wanted, Term):
        quoted = [f"'@.{word}'" for word in wanted.words]
        quoted[-1] += ":*" if wanted.begins else ""
        return f"({' <-> '.join(quoted)})"
    if isinstance(wanted, But):
        return f"({tsquery(wanted.part)} & !{tsquery(wanted.without)})"
    return f"({(' & ' if isinstance(wanted, All) else ' | ').join(map(tsquery, wanted.parts))})"


def _array(numbers: Sequence[int]) -> str:
    """An array as PostgreSQL reads it: to hand over a thousand numbers one by one takes longer than to compare rows."""
    return f"{{{','.join(map(str, numbers))}}}"


def matching_in_postgresql(session: Session, index: WordIndex, wanted: Wanted, numbers: Sequence[int]) -> list[int]:
    """Those of the rows that `wanted` finds, newest first."""
    statement = text(_ROWS.format(index=index, size=BLOCK[index], bits=SIGNATURE_TYPE))
    values = {"asked": tsquery(wanted), "needed": signature_of(_needed_words(wanted)), "numbers": _array(numbers)}
    return [*session.scalars(statement, values).all()]


def _needed_words(wanted: Wanted) -> list[str]:
    """Words that every row has which `wanted` finds, or some of them."""
    parts = [part.parts[0] if isinstance(part, Any) and len(part.parts) == 1 else part for part in needed(wanted)]
    return [word for part in parts if isinstance(part, Term) for word in part.words[: -1 if part.begins else None]]


def counted_in_postgresql(
    session: Session, index: WordIndex, wanted: Sequence[Wanted], numbers: Sequence[int]
) -> list[int]:
    """Of how many of the rows each finds, in one statement."""
    ways = range(len(wanted))
    told = ", ".join(f"CAST(replace(:asked{at}, '@', CAST(block AS text)) AS tsquery) AS query{at}" for at in ways)
    counts = ", ".join(f"count(*) FILTER (WHERE ts_match_vq(words, query{at}))" for at in ways)
    values = {f"asked{at}": tsquery(one) for at, one in enumerate(wanted)}
    statement = text(_COUNTS.format(index=index, size=BLOCK[index], told=told, counts=counts))
    return [*session.execute(statement, {**values, "numbers": _array(numbers)}).one()]
