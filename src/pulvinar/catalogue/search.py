"""Text search with one meaning on both databases, and for each actor only within what they may see.

A dataset has one row of words: those of what it shows to others (its newest published version, or what it was made
with), those that a draft adds, which only the owner finds, and the words of its species and of those with whom it is
shared. SQLite keeps the rows in FTS5, PostgreSQL in a tsvector; neither parses the text itself.

FTS5 walks a word's datasets from the newest down and stops when the page is full. PostgreSQL's index has no order, so
there every word is written with the number of the block of datasets in which it stands, and the search goes from block
to block, newest first. Neither depends on what a planner believes of how common words are, or where.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from pulvinar.access.visibility import EVERYONE, shared_audiences, shown_to
from pulvinar.catalogue.tables import asset, dataset, version, version_asset
from pulvinar.catalogue.words import (
    Reach,
    Run,
    audience_word,
    is_chinese,
    species_word,
    words_of,
    words_of_record,
)
from pulvinar.errors import Invalid, NotFound
from pulvinar.model.access import Actor
from pulvinar.model.dataset import VersionState
from pulvinar.model.record import Species, record_from_json

_WORD_LIMIT = 8000
_QUERY_LIMIT = 16
_BLOCK = 16_384
_WINDOW = 1_000
_PREFIX_LISTS = 4
_MOST_BEGINNINGS = 32


def reindex(session: Session, dataset_id: str) -> None:
    """Make a dataset found by what it says now, by those who may see it now.

    Whatever changes its text or its audiences calls this in the same transaction.
    """
    row = session.execute(select(dataset).where(dataset.c.id == dataset_id)).first()
    if row is None:
        raise NotFound(f"there is no dataset {dataset_id}")
    newest = _words_of_version(session, dataset_id)
    shown = _words_of_version(session, dataset_id, VersionState.PUBLISHED)
    if shown is None:
        shown = words_of_record(record_from_json(row.record), ())
    words = index_words(Species(row.species), shown_to(session, dataset_id), shown, newest or ())
    _store(session, row.seq, words)


def _words_of_version(session: Session, dataset_id: str, state: VersionState | None = None) -> list[Run] | None:
    """The words of the newest version (of those in `state`), or None when there is none."""
    wanted = select(version.c.id, version.c.record).where(version.c.dataset_id == dataset_id)
    if state:
        wanted = wanted.where(version.c.state == state.value)
    row = session.execute(wanted.order_by(version.c.number.desc()).limit(1)).first()
    if row is None:
        return None
    names = (
        select(asset.c.name)
        .join(version_asset, version_asset.c.asset_id == asset.c.id)
        .where(version_asset.c.version_id == row.id)
        .order_by(asset.c.id)
    )
    return words_of_record(record_from_json(row.record), session.scalars(names))


def index_words(
    species: Species, seen_by: Iterable[str], shown: Sequence[Run], newest: Sequence[Run] = ()
) -> list[str]:
    """A dataset's row of words, in order: those it shows, those that only `newest` has, and the platform's own.

    Of the first two at most 8,000 each.
    """
    sharers = set(seen_by)
    reach = Reach.EVERYONE if EVERYONE in sharers else Reach.SHARED
    known = set(shown)
    said = (reach + word for run in shown for word in run)
    added = (Reach.OWNER + word for run in newest if run not in known for word in run)
    own = [species_word(species), *map(audience_word, sorted(sharers - {EVERYONE}))]
    return [*islice(said, _WORD_LIMIT), *islice(added, _WORD_LIMIT), *own]


def _store(session: Session, seq: int, words: list[str]) -> None:
    if _is_sqlite(session):
        session.execute(text("DELETE FROM dataset_words WHERE rowid = :seq"), {"seq": seq})
        values = {"seq": seq, "words": " ".join(words)}
        session.execute(text("INSERT INTO dataset_words (rowid, words) VALUES (:seq, :words)"), values)
        return
    insert = (
        "INSERT INTO dataset_words (seq, words) VALUES (:seq, CAST(:words AS tsvector)) "
        "ON CONFLICT (seq) DO UPDATE SET words = excluded.words"
    )
    session.execute(text(insert), {"seq": seq, "words": vector_literal(seq, words)})


def vector_literal(seq: int, words: list[str]) -> str:
    """`words` of dataset number `seq` as a PostgreSQL tsvector literal with their block and positions (to 16,383)."""
    block = seq // _BLOCK
    return " ".join(f"'{block}.{word}':{min(position, 16_383)}" for position, word in enumerate(words, 1))


@dataclass(frozen=True)
class _Term:
    """Words that must follow each other; the last of them may be the beginning of one."""

    words: Run
    begins: bool = False

    def reaching(self, reach: Reach) -> _Term:
        """The same among the words that have this sign."""
        return _Term(tuple(reach + word for word in self.words), self.begins)


_Branch = list[tuple[_Term, ...]]
"""One way to find a dataset: of each of these, one term must be found."""


def find(
    session: Session, actor: Actor, query: str, *, species: Species | None, below: int | None, limit: int
) -> list[int] | None:
    """The numbers of the newest `limit` datasets below a number that `query` finds for `actor`, newest first.

    None when `query` has no word. Every run of it must be found; the last Latin word may be the beginning of one when
    nothing that the actor may see has it whole (who types "hippoc" is on the way to "hippocampus"). Raises `Invalid`
    for more than 16 runs.
    """
    runs = words_of(query)
    if len(runs) > _QUERY_LIMIT:
        raise Invalid(f"the search has {len(runs)} words", hint=f"use at most {_QUERY_LIMIT}")
    if not runs:
        return None
    sharing = None if actor.is_owner else shared_audiences(session, actor)
    asked = [_term(run) for run in runs]
    found = _walk(session, _branches(sharing, asked, species), below, limit)
    if found or is_chinese(runs[-1][0]):
        return found
    asked_all = len(asked) == 1 and species is None and below is None
    if not asked_all and _walk(session, _branches(sharing, asked[-1:]), None, 1):
        return found
    asked[-1] = _Term(runs[-1], begins=True)
    return _walk(session, _branches(sharing, asked, species), below, limit)


def _term(run: Run) -> _Term:
    """A run as it is looked for: of a Chinese one the whole pairs; a single character is the beginning of a pair."""
    if is_chinese(run[0]):
        return _Term(run[:-1]) if len(run) > 1 else _Term(run, begins=True)
    return _Term(run)


def _branches(sharing: tuple[str, ...] | None, asked: list[_Term], species: Species | None = None) -> list[_Branch]:
    """The ways to find what has every term: the owner's, or those of who sees what is shared with some audiences."""
    within: _Branch = [(_Term((species_word(species),)),)] if species else []
    if sharing is None:
        return [[*within, *(tuple(map(term.reaching, Reach)) for term in asked)]]
    branches = [[*within, *((term,) for term in asked)]]
    if sharing:
        shared_with = tuple(_Term((audience_word(one),)) for one in sharing)
        branches.append([shared_with, *within, *((term.reaching(Reach.SHARED),) for term in asked)])
    return branches


def _walk(session: Session, branches: list[_Branch], below: int | None, limit: int) -> list[int]:
    return (_walk_sqlite if _is_sqlite(session) else _walk_postgresql)(session, branches, below, limit)


def _is_sqlite(session: Session) -> bool:
    return session.get_bind().dialect.name == "sqlite"


def _written(branches: list[_Branch], term: Callable[[_Term], str], both: str, either: str) -> str:
    """`branches` in the language of a database."""
    ways = (f" {both} ".join(f"({f' {either} '.join(map(term, terms))})" for terms in branch) for branch in branches)
    return f" {either} ".join(f"({way})" for way in ways)


def _walk_sqlite(session: Session, branches: list[_Branch], below: int | None, limit: int) -> list[int]:
    asked = _written(branches, partial(_fts5, session), "AND", "OR")
    lower = " AND rowid < :below" if below is not None else ""
    statement = f"SELECT rowid FROM dataset_words WHERE dataset_words MATCH :asked{lower} ORDER BY rowid DESC LIMIT :n"
    values = {"asked": asked, "n": limit} | ({"below": below} if below is not None else {})
    return list(session.scalars(text(statement), values))


def _fts5(session: Session, term: _Term) -> str:
    """A beginning is written as the words that have it: FTS5 itself would first collect all that have any of them."""
    words = [" ".join(term.words)]
    if term.begins and len(words[0]) > _PREFIX_LISTS:
        words = _beginning_with(session, words[0]) or words
        if len(words) <= _MOST_BEGINNINGS:
            return " OR ".join(f'"{word}"' for word in words)
    return f'"{" ".join(term.words)}"{"*" if term.begins else ""}'


def _beginning_with(session: Session, beginning: str) -> list[str]:
    """The words of the index that begin so, or some of them when there are too many."""
    statement = text("SELECT term FROM dataset_words_vocabulary WHERE term >= :least AND term <= :most LIMIT 1")
    found: list[str] = []
    least = beginning
    while len(found) <= _MOST_BEGINNINGS:
        word = session.scalar(statement, {"least": least, "most": f"{beginning}\U0010ffff"})
        if word is None:
            break
        found.append(word)
        # the least text after it: "> word" would go through every dataset that has the word
        least = f"{word}\0"
    return found


# OFFSET 0 keeps the planner from merging the parts: the rows of the window are read and compared, no index is asked.
_NEWEST = text(
    "SELECT seq FROM (SELECT seq, words FROM dataset_words WHERE seq >= :start AND seq < :below "
    "ORDER BY seq DESC OFFSET 0) AS newest "
    "WHERE words @@ (CAST(:asked AS tsquery) || CAST(:before AS tsquery)) ORDER BY seq DESC LIMIT :n"
)
# "seq + 0" keeps the planner from walking the whole table by its key rather than the words of a block.
_BLOCKS = text(
    "SELECT found.seq FROM generate_series(CAST(:block AS integer), 0, -1) AS block CROSS JOIN LATERAL ("
    "SELECT seq FROM dataset_words WHERE words @@ CAST(replace(:asked, '@', CAST(block AS text)) AS tsquery) "
    "AND seq + 0 < :below ORDER BY seq + 0 DESC LIMIT :n) AS found LIMIT :n"
)


def _walk_postgresql(session: Session, branches: list[_Branch], below: int | None, limit: int) -> list[int]:
    """First compare the newest 1,000 rows, which is enough for common words; for others go on block by block."""
    asked = _written(branches, _tsquery, "&", "|")
    if below is None:
        below = session.scalar(text("SELECT max(seq) + 1 FROM dataset_words")) or 1
    start = below - _WINDOW
    here, before = (asked.replace("@", str(number // _BLOCK)) for number in (below - 1, start))
    newest = {"asked": here, "before": before, "start": start, "below": below, "n": limit}
    found = list(session.scalars(_NEWEST, newest))
    if len(found) < limit and start > 0:
        older = {"asked": asked, "block": (start - 1) // _BLOCK, "below": start, "n": limit - len(found)}
        found += session.scalars(_BLOCKS, older)
    return found


def _tsquery(term: _Term) -> str:
    quoted = [f"'@.{word}'" for word in term.words]
    quoted[-1] += ":*" if term.begins else ""
    return f"({' <-> '.join(quoted)})"
