"""How much the platform is used: visits, people, looks and downloads, by day and dataset, without following anybody.

Who came today is known as a digest of address and browser with a salt of the day; both are thrown away once the day is
over, and only their number is kept. Nothing is put into browsers. What a process has counted is written every few
seconds and when it ends.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from threading import Lock
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from pulvinar.catalogue.datasets import datasets_among
from pulvinar.catalogue.versions import datasets_of_digests
from pulvinar.errors import Forbidden
from pulvinar.model.access import Actor
from pulvinar.operations.tables import use_count, use_salt, use_visitor
from pulvinar.storage.database import Database

_MOST_DATASETS = 100


class Use(StrEnum):
    """What is counted."""

    VISIT = "visit"
    """A page was seen."""
    PERSON = "person"
    """Somebody came on a day, for the first time on it."""
    PAGE = "page"
    """The page of a dataset was seen."""
    VIEW = "view"
    """A dataset was opened in the viewer."""
    DOWNLOAD = "download"
    """A file, a cut-out or a table of a dataset was taken."""


@dataclass(frozen=True)
class MonthOfUse:
    """What was counted in a month ("2026-01"). A person counts once a day."""

    month: str
    counts: dict[Use, int]


@dataclass(frozen=True)
class DatasetUse:
    """What was counted of a dataset; its title is "" where it is no more."""

    dataset_id: str
    title: str
    counts: dict[Use, int]


class UseCounter:
    """Counts, from any thread; `flush` adds what was counted to the rows."""

    def __init__(self, database: Database, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._database = database
        self._clock = clock
        self._lock = Lock()
        self._counted: Counter[tuple[str, Use, str]] = Counter()
        self._came: set[tuple[str, str]] = set()

    def visit(self, address: str, agent: str) -> None:
        """Count a page that somebody saw; without an address, of somebody who asks not to be counted as a person."""
        day = self._day()
        with self._lock:
            self._counted[day, Use.VISIT, ""] += 1
            if address:
                self._came.add((day, f"{address}\n{agent}"))

    def add(self, what: Use, dataset: str) -> None:
        """Count something of a dataset, named by its identifier or by the digest of a version."""
        with self._lock:
            self._counted[self._day(), what, dataset] += 1

    def flush(self) -> None:
        """Write what was counted, in one transaction. What can't be written stays counted."""
        with self._lock:
            counted, self._counted = self._counted, Counter()
            came, self._came = self._came, set()
        if not counted:
            return
        try:
            with self._database.writing() as session:
                _write(session, counted, came)
                _throw_away(session, self._day())
        except BaseException:
            with self._lock:
                self._counted.update(counted)
                self._came |= came
            raise

    def _day(self) -> str:
        return self._clock().date().isoformat()


def use_by_month(database: Database, actor: Actor) -> tuple[MonthOfUse, ...]:
    """What was counted, the newest month first. Raises `Forbidden` for who isn't an owner of the node."""
    _only_owners(actor)
    month = func.substr(use_count.c.day, 1, 7).label("month")
    wanted = select(month, use_count.c.what, func.sum(use_count.c.count).label("total")).group_by(month, "what")
    found: dict[str, dict[Use, int]] = {}
    with database.session() as session:
        for row in session.execute(wanted):
            found.setdefault(row.month, {})[Use(row.what)] = int(row.total)
    return tuple(MonthOfUse(one, found[one]) for one in sorted(found, reverse=True))


def use_by_dataset(database: Database, actor: Actor, month: str = "") -> tuple[DatasetUse, ...]:
    """The 100 datasets that are used most, in a month or ever. Raises `Forbidden` for who is no owner of the node."""
    _only_owners(actor)
    total = func.sum(use_count.c.count).label("total")
    of_datasets = use_count.c.dataset_id != ""
    if month:
        of_datasets &= use_count.c.day.like(f"{month[:7]}%")
    most = select(use_count.c.dataset_id).where(of_datasets).group_by("dataset_id").order_by(total.desc(), "dataset_id")
    each = select(use_count.c.dataset_id, use_count.c.what, total).where(of_datasets).group_by("dataset_id", "what")
    with database.session() as session:
        ids = list(session.scalars(most.limit(_MOST_DATASETS)))
        counts: dict[str, dict[Use, int]] = {one: {} for one in ids}
        for row in session.execute(each.where(use_count.c.dataset_id.in_(ids))):
            counts[row.dataset_id][Use(row.what)] = int(row.total)
    titles = {one.id: one.record.title for one in datasets_among(database, actor, ids)}
    return tuple(DatasetUse(one, titles.get(one, ""), counts[one]) for one in ids)


def _only_owners(actor: Actor) -> None:
    if not actor.is_owner:
        raise Forbidden("only owners of this node see how it is used")


def _write(session: Session, counted: Counter[tuple[str, Use, str]], came: set[tuple[str, str]]) -> None:
    known = datasets_of_digests(session, {dataset for _, _, dataset in counted if len(dataset) == 64})
    rows: Counter[tuple[str, Use, str]] = Counter()
    for (day, what, dataset), count in counted.items():
        rows[day, what, known.get(dataset, dataset)] += count
    for day in {day for day, _ in came}:
        new = _note_people(session, day, {who for on, who in came if on == day})
        if new:
            rows[day, Use.PERSON, ""] += new
    _add(session, rows)


def _note_people(session: Session, day: str, people: Iterable[str]) -> int:
    """Note who came on a day; how many of them were not known yet."""
    _insert_new(session, use_salt, {"day": day, "salt": secrets.token_hex(16)})
    salt = session.scalars(select(use_salt.c.salt).where(use_salt.c.day == day)).one()
    digests = sorted(hashlib.sha256(f"{salt}\n{one}".encode()).hexdigest() for one in people)
    return sum(_insert_new(session, use_visitor, {"day": day, "digest": one}) for one in digests)


def _throw_away(session: Session, today: str) -> None:
    """Forget who came on days that are over, and with what salt."""
    for table in (use_visitor, use_salt):
        session.execute(delete(table).where(table.c.day < today))


def _insert_new(session: Session, table: Any, row: dict[str, str]) -> int:
    """Insert a row unless it is there; how many were inserted."""
    kind = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    new = kind.insert(table).values(row).on_conflict_do_nothing()
    return len(session.execute(new.returning(table.c.day)).all())


def _add(session: Session, rows: Counter[tuple[str, Use, str]]) -> None:
    kind = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    new = kind.insert(use_count)
    columns = use_count.c
    added = new.on_conflict_do_update(
        index_elements=[columns.day, columns.what, columns.dataset_id],
        set_={"count": columns.count + new.excluded["count"]},
    )
    # in one order everywhere: two processes that write the same rows wait for each other and never in a circle
    ordered = sorted((day, what.value, dataset, count) for (day, what, dataset), count in rows.items())
    session.execute(added, [dict(zip(("day", "what", "dataset_id", "count"), one, strict=True)) for one in ordered])
