"""Who made what: the datasets of a person, of a lab by its name, of an organisation of this node.

Who made nothing that an actor may see does not exist for the actor.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from sqlalchemy import func, select

from pulvinar.access.dataset_access import at_home
from pulvinar.access.organisations import public_organisation
from pulvinar.access.visibility import newest_visible
from pulvinar.catalogue.datasets import Page, datasets_among, list_datasets
from pulvinar.catalogue.tables import dataset, version
from pulvinar.catalogue.versions import latest_seen
from pulvinar.errors import NotFound
from pulvinar.model.access import Actor, Organisation
from pulvinar.model.dataset import Dataset
from pulvinar.model.record import Contributor
from pulvinar.storage.database import Database

MOST = 200
"""So many datasets of one maker are shown, the newest."""
_PAGES = 5
_ORCID = re.compile(r"(?:\d{4}-){3}\d{3}[\dX]")


@dataclass(frozen=True)
class Person:
    """A contributor, by ORCID: the name that records say most, what is said of the person, and the datasets."""

    orcid: str
    name: str
    affiliations: tuple[str, ...]
    roles: tuple[str, ...]
    datasets: tuple[Dataset, ...]


def person_of(database: Database, actor: Actor, orcid: str) -> Person:
    """The person with that ORCID, of what `actor` may see. Raises `NotFound`."""
    datasets: tuple[Dataset, ...] = ()
    if _ORCID.fullmatch(orcid):
        datasets = _found(database, actor, orcid, lambda one: any(_is(orcid, who) for who in one.record.contributors))
    said = [who for one in datasets for who in one.record.contributors if _is(orcid, who)]
    if not said:
        raise NotFound(f"nobody with the ORCID {orcid[:40]} has contributed here")
    return Person(
        orcid,
        next(iter(_most(who.name for who in said)), orcid),
        _most(who.affiliation for who in said),
        _most(who.role for who in said),
        datasets,
    )


def _is(orcid: str, who: Contributor) -> bool:
    return who.orcid == orcid


def _most(values: Iterable[str]) -> tuple[str, ...]:
    """Each value once, what is said most first."""
    return tuple(value for value, _ in Counter(filter(None, values)).most_common())


def datasets_of_lab(database: Database, actor: Actor, lab: str) -> tuple[Dataset, ...]:
    """The newest datasets whose records name that very lab. Raises `NotFound`."""
    found = _found(database, actor, lab[:300], lambda one: one.record.lab == lab) if lab.strip() else ()
    if not found:
        raise NotFound(f"no lab {lab[:100]!r} has data here")
    return found


def organisation_face(
    database: Database, actor: Actor, organisation_id: str
) -> tuple[Organisation, tuple[Dataset, ...]]:
    """An organisation and the newest datasets of it and of those below it. Raises `NotFound` where `actor` sees none
    of them."""
    with database.session() as session:
        known = public_organisation(session, organisation_id)
        ids = at_home(session, actor, organisation_id, MOST) if known else ()
    datasets = datasets_among(database, actor, ids)
    if known is None or not datasets:
        raise NotFound(f"no organisation {organisation_id[:40]} has data here")
    return known, datasets


def labs_of_newest(database: Database, actor: Actor) -> tuple[tuple[str, int], ...]:
    """The labs that records of the newest datasets name, each with how many, by name."""
    if actor.is_blind:
        return ()
    newest = newest_visible(actor, species=None, below=None, limit=MOST * _PAGES)
    # the records alone, and of them one word: to read whole datasets takes longer than all of the page
    of_newest = version.c.dataset_id.in_(select(dataset.c.id).where(dataset.c.seq.in_(newest)))
    latest = latest_seen(actor, of_newest).subquery("latest")
    lab = func.coalesce(latest.c.record["lab"].as_string(), dataset.c.record["lab"].as_string())
    wanted = select(lab).select_from(dataset).outerjoin(latest, latest.c.dataset_id == dataset.c.id)
    with database.session() as session:
        named = session.scalars(wanted.where(dataset.c.seq.in_(newest))).all()
    return tuple(sorted(Counter(filter(None, named)).items(), key=lambda one: one[0].casefold()))


def _found(database: Database, actor: Actor, query: str, fits: Callable[[Dataset], bool]) -> tuple[Dataset, ...]:
    found = (one for page in _pages(database, actor, query) for one in page.items if fits(one))
    return tuple(one for one, _ in zip(found, range(MOST), strict=False))


def _pages(database: Database, actor: Actor, query: str) -> Iterator[Page[Dataset]]:
    """The first pages of what is found, or of all."""
    cursor: str | None = None
    for _ in range(_PAGES):
        page = list_datasets(database, actor, query=query, cursor=cursor, limit=MOST)
        yield page
        cursor = page.next_cursor
        if cursor is None:
            return
