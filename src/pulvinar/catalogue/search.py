"""Text search with one meaning on both databases, and for each actor only within what they may see.

A dataset has one row of words: those of what it shows to others (its newest published version, or what it was made
with), those that a draft adds, which who sees the draft finds, and the words of its species, of those with whom it is
shared, and of those who were named to read. How the rows are kept and walked is in `postings`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from functools import partial
from itertools import islice

from sqlalchemy import select
from sqlalchemy.orm import Session

from pulvinar.access.visibility import EVERYONE, given_audiences, readers_by_name, shown_to
from pulvinar.catalogue.asset_index import index_assets
from pulvinar.catalogue.draft_search import in_drafts, walk_with_drafts
from pulvinar.catalogue.postings import among, walk
from pulvinar.catalogue.seen import sees_unpublished
from pulvinar.catalogue.tables import asset, dataset, version, version_asset
from pulvinar.catalogue.wanted import All, Any, Term, Wanted, reaching_all, term_of
from pulvinar.catalogue.word_index import WordIndex, store_words
from pulvinar.catalogue.words import (
    Reach,
    Run,
    audience_word,
    draft_word,
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


def reindex(session: Session, dataset_id: str, only: Collection[str] | None = None) -> None:
    """Make a dataset and its assets found by what they say now, by those who may see them now.

    Whatever changes its text or its audiences calls this in the same transaction. `only` are the assets that changed,
    where the others' rows say what they said.
    """
    row = session.execute(select(dataset).where(dataset.c.id == dataset_id)).first()
    if row is None:
        raise NotFound(f"there is no dataset {dataset_id}")
    newest = _words_of_version(session, dataset_id)
    shown = _words_of_version(session, dataset_id, VersionState.PUBLISHED)
    if shown is None:
        shown = words_of_record(record_from_json(row.record), ())
    readers = readers_by_name(session, dataset_id)
    words = index_words(Species(row.species), shown_to(session, dataset_id), shown, newest or (), readers)
    store_words(session, WordIndex.DATASETS, row.seq, words)
    index_assets(session, dataset_id, only)


def reindex_all(session: Session) -> int:
    """Make every dataset and asset found by what it says now, in the order in which they were made; how many."""
    ids = list(session.scalars(select(dataset.c.id).order_by(dataset.c.seq)))
    for dataset_id in ids:
        reindex(session, dataset_id)
    return len(ids)


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
    species: Species,
    seen_by: Iterable[str],
    shown: Sequence[Run],
    newest: Sequence[Run] = (),
    readers: Iterable[str] = (),
) -> list[str]:
    """A dataset's row of words, in order: those it shows, those that only `newest` has, which `readers` may find, and
    the platform's own.

    Of the first two at most 8,000 each.
    """
    sharers = set(seen_by)
    reach = Reach.EVERYONE if EVERYONE in sharers else Reach.SHARED
    known = set(shown)
    said = (reach + word for run in shown for word in run)
    added = (Reach.OWNER + word for run in newest if run not in known for word in run)
    own = [species_word(species), *map(audience_word, sorted(sharers - {EVERYONE}))]
    own += map(draft_word, sorted(readers))
    return [*islice(said, _WORD_LIMIT), *islice(added, _WORD_LIMIT), *own]


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
    within = _Within(session, actor)
    asked = [term_of(run) for run in runs]
    found = within.walk(asked, species, below, limit)
    if found or is_chinese(runs[-1][0]):
        return found
    asked_all = len(asked) == 1 and species is None and below is None
    if not asked_all and within.walk(asked[-1:], None, None, 1):
        return found
    asked[-1] = Term(runs[-1], begins=True)
    return within.walk(asked, species, below, limit)


class _Within:
    """What one actor may find."""

    def __init__(self, session: Session, actor: Actor) -> None:
        self._session, self._actor = session, actor
        given = given_audiences(session, actor)
        self._sharing = () if actor.is_owner else given.shared
        self._drafts = () if actor.is_owner else given.drafts

    def walk(self, asked: list[Term], species: Species | None, below: int | None, limit: int) -> list[int]:
        """The newest datasets that have every term."""
        words: list[Wanted] = [Term((species_word(species),))] if species else []
        if self._actor.is_owner:
            every = All((*words, *map(reaching_all, asked)))
            return walk(self._session, WordIndex.DATASETS, every, below, limit)
        ways: list[Wanted] = [All((*words, *asked))]
        if self._sharing:
            shared_with = Any(tuple(Term((audience_word(one),)) for one in self._sharing))
            ways.append(All((shared_with, *words, *(term.reaching(Reach.SHARED) for term in asked))))
        plain = Any(tuple(ways))
        if not self._drafts:
            return walk(self._session, WordIndex.DATASETS, plain, below, limit)
        return walk_with_drafts(
            plain,
            All((*words, in_drafts(All(tuple(asked)), self._drafts))),
            partial(walk, self._session, WordIndex.DATASETS),
            lambda wanted, only: among(self._session, WordIndex.DATASETS, wanted, only, None, len(only)),
            self._with_draft,
            below,
            limit,
        )

    def _with_draft(self, numbers: Sequence[int]) -> set[int]:
        wanted = select(dataset.c.seq).where(dataset.c.seq.in_(numbers), sees_unpublished(self._actor, dataset.c.id))
        return set(self._session.scalars(wanted))
