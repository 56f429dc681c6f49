"""Text search in 中文 and English with one meaning on both databases.

Text becomes words: Latin ones in lower case without accents, Chinese by pairs of characters (every character starts a
pair, the last stands alone), so that a phrase of pairs is the exact text and one character is the beginning of a pair.
No dictionary is needed, and none can split a term wrongly. SQLite keeps the words in FTS5, PostgreSQL in a tsvector;
neither parses the text itself.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnClause, ColumnElement, String, TableClause, cast, column, literal, select, table, text
from sqlalchemy.dialects.postgresql import TSQUERY
from sqlalchemy.orm import Session

from pulvinar.catalogue.tables import dataset
from pulvinar.errors import Invalid, NotFound
from pulvinar.model.record import Record, Species

_WORD_LIMIT = 8000
_QUERY_LIMIT = 16
_RUN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+|[^\W_\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+")
_SPECIES_NAMES = {
    Species.ZEBRAFISH: "zebrafish Danio rerio 斑马鱼",
    Species.MOUSE: "mouse Mus musculus 小鼠",
    Species.MACAQUE: "macaque monkey Macaca mulatta 猕猴 恒河猴",
    Species.HUMAN: "human Homo sapiens 人类 人脑",
}


def words_of(content: str) -> list[list[str]]:
    """The runs of `content`, each a list of index words: one for a Latin word, the pairs for a Chinese run."""
    folded = unicodedata.normalize("NFKD", content).casefold()
    plain = "".join(letter for letter in folded if not unicodedata.combining(letter))
    return [_pairs(run) if _is_chinese(run) else [run] for run in _RUN.findall(unicodedata.normalize("NFC", plain))]


def _is_chinese(run: str) -> bool:
    return "\u3400" <= run[0] <= "\ufaff"


def _pairs(run: str) -> list[str]:
    return [run[i : i + 2] for i in range(len(run))]


def species_word(species: Species) -> str:
    """The word that every dataset of `species` carries, so that the filter is a part of the search."""
    return f"speciesis{species.value}"


def words_of_dataset(record: Record, asset_names: Iterable[str]) -> list[str]:
    """The words under which a dataset is found, in order; at most 8,000."""
    acquisition = record.acquisition
    parts = [record.title, record.description, _SPECIES_NAMES[record.species], record.lab, *record.keywords]
    parts += [acquisition.modality, acquisition.stain, acquisition.instrument, record.specimen.part, record.citation]
    parts += [person.name for person in record.contributors]
    parts += [record.subject.name, record.subject.strain] if record.subject else []
    parts += asset_names
    words = [word for part in parts for run in words_of(part) for word in run]
    return [species_word(record.species), *words][:_WORD_LIMIT]


def reindex(session: Session, dataset_id: str, record: Record, asset_names: Iterable[str]) -> None:
    """Make a dataset found by what its newest version says."""
    seq = session.scalar(select(dataset.c.seq).where(dataset.c.id == dataset_id))
    if seq is None:
        raise NotFound(f"there is no dataset {dataset_id}")
    store_words(session, seq, words_of_dataset(record, asset_names))


def store_words(session: Session, seq: int, words: list[str]) -> None:
    """Make dataset number `seq` found by `words` and by no other."""
    if session.get_bind().dialect.name == "sqlite":
        session.execute(text("DELETE FROM dataset_words WHERE rowid = :seq"), {"seq": seq})
        values = {"seq": seq, "words": " ".join(words)}
        session.execute(text("INSERT INTO dataset_words (rowid, words) VALUES (:seq, :words)"), values)
        return
    insert = (
        "INSERT INTO dataset_words (seq, words) VALUES (:seq, CAST(:words AS tsvector)) "
        "ON CONFLICT (seq) DO UPDATE SET words = excluded.words"
    )
    session.execute(text(insert), {"seq": seq, "words": vector_literal(words)})


def vector_literal(words: list[str]) -> str:
    """`words` as a PostgreSQL tsvector literal with their positions (which end at 16,383)."""
    return " ".join(f"'{word}':{position}" for position, word in enumerate(words, 1))


@dataclass(frozen=True)
class Match:
    """How a listing joins the index: `seq` is the dataset's number in `source`, `condition` keeps those that match."""

    source: TableClause
    seq: ColumnClause[Any]
    condition: ColumnElement[bool]


def matching(session: Session, query: str, species: Species | None) -> Match | None:
    """What to join for the datasets that `query` finds, or None when it has no word.

    Every run of the query must be found; the last Latin word may be the beginning of one when no dataset has it
    whole (who types "hippoc" is on the way to "hippocampus"). Raises `Invalid` for more than 16 runs.
    """
    runs = words_of(query)
    if len(runs) > _QUERY_LIMIT:
        raise Invalid(f"the search has {len(runs)} words", hint=f"use at most {_QUERY_LIMIT}")
    if not runs:
        return None
    sqlite = session.get_bind().dialect.name == "sqlite"
    last = _match([runs[-1]], sqlite=sqlite, begins=False)
    begins = session.execute(select(last.seq).where(last.condition).limit(1)).first() is None
    return _match([[species_word(species)], *runs] if species else runs, sqlite=sqlite, begins=begins)


def _match(runs: list[list[str]], *, sqlite: bool, begins: bool) -> Match:
    terms = _terms(runs, begins=begins)
    if sqlite:
        # FTS5 calls its key rowid; the table's own name stands for all its columns.
        source = table("dataset_words", column("rowid"), column("words"))
        return Match(source, source.c.rowid, text("dataset_words MATCH :words").bindparams(words=_fts5(terms)))  # type: ignore[arg-type]
    source = table("dataset_words", column("seq"), column("words"))
    condition = source.c.words.op("@@")(cast(literal(_tsquery(terms), String), TSQUERY))
    return Match(source, source.c.seq, condition)


def _terms(runs: list[list[str]], *, begins: bool) -> list[tuple[list[str], bool]]:
    """Each run as the words that must follow each other, and whether the last of them is a beginning.

    A Chinese run is asked for by its whole pairs alone; a single character is the beginning of a pair.
    """
    terms = []
    for number, run in enumerate(runs):
        if _is_chinese(run[0]):
            terms.append((run[:-1], False) if len(run) > 1 else (run, True))
        else:
            terms.append((run, begins and number == len(runs) - 1))
    return terms


def _fts5(terms: list[tuple[list[str], bool]]) -> str:
    return " AND ".join(f'"{" ".join(words)}"{"*" if prefix else ""}' for words, prefix in terms)


def _tsquery(terms: list[tuple[list[str], bool]]) -> str:
    parts = []
    for words, prefix in terms:
        quoted = [f"'{word}'" for word in words]
        quoted[-1] += ":*" if prefix else ""
        parts.append(f"({' <-> '.join(quoted)})")
    return " & ".join(parts)
