"""DOIs of published versions: registered once everybody may see their record, hidden once they are withdrawn.

A registrar gets only what a visitor may see already. What is to be done follows from the tables, so that nothing is
lost where a server ends in between: a version that is published and has no row here is due, and so is a row whose time
has come. What was published before there was an account is due only when somebody asks for it: a DOI is for ever, and
whoever published then did not choose one. A DOI is made of the version's identifier, so that a try whose answer was
lost registers nothing twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Row, Select, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from pulvinar.access.visibility import visible
from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue.metadata_formats import datacite
from pulvinar.catalogue.tables import registrar_account, registration, version
from pulvinar.catalogue.versions import read_versions
from pulvinar.errors import PulvinarError
from pulvinar.model.access import ANONYMOUS, PLATFORM, Right
from pulvinar.model.dataset import Version, VersionState
from pulvinar.model.record import record_from_json
from pulvinar.storage.database import Database

_FIRST_WAIT, _LONGEST_WAIT = timedelta(minutes=1), timedelta(days=1)


class RegistrationState(StrEnum):
    """How far the registration of a DOI is."""

    REGISTERING = "registering"
    REGISTERED = "registered"
    HIDING = "hiding"
    HIDDEN = "hidden"
    """It is found in no index, and leads to the tombstone."""
    ELSEWHERE = "elsewhere"
    """The record names a DOI of its own: no second one is made."""


class Registrar(Protocol):
    """Where DOIs are registered. Raises `Unavailable` for what can be tried again, `Invalid` for what was refused."""

    prefix: str

    def register(self, doi: str, metadata: Mapping[str, Any], url: str) -> None:
        """Register a DOI that leads to `url` and is found by its DataCite `metadata`; once more is no error."""

    def hide(self, doi: str) -> None:
        """Take a DOI out of the index; it goes on leading to its address."""


@dataclass(frozen=True)
class Done:
    """What became of one DOI; `trouble` is why it could not be done yet."""

    version_id: str
    doi: str
    state: RegistrationState
    trouble: str = ""


def take_back(session: Session, version_id: str) -> None:
    """Have the DOI of a version hidden, in the transaction that withdraws it."""
    mine = registration.c.version_id == version_id, registration.c.registered.is_not(None)
    values = {"state": RegistrationState.HIDING.value, "due": datetime.now(UTC), "tries": 0}
    session.execute(update(registration).where(*mine).values(**values))


def note_account(database: Database, prefix: str) -> datetime:
    """Since when versions are registered under `prefix` by themselves: from now on, where it is new here."""
    wanted = select(registrar_account.c.since).where(registrar_account.c.prefix == prefix)
    with database.session() as session:
        since: datetime | None = session.scalar(wanted)
        if since is not None:
            return since
        # who registered under it before this was noted had all of them registered
        known = session.scalar(select(registration.c.doi).where(registration.c.doi.startswith(f"{prefix}/")).limit(1))
    since = datetime(1970, 1, 1, tzinfo=UTC) if known else datetime.now(UTC)
    try:
        with database.writing() as session:
            session.execute(insert(registrar_account).values(prefix=prefix, since=since))
    except IntegrityError:
        return note_account(database, prefix)
    return since


def count_earlier(database: Database, prefix: str) -> int:
    """How many versions that everybody may see were published before, and wait until somebody asks for their DOIs."""
    since = note_account(database, prefix)
    with database.session() as session:
        return session.scalar(select(func.count()).select_from(_unknown(version.c.published < since).subquery())) or 0


def anything_due(database: Database, prefix: str) -> bool:
    """Whether a DOI is to be registered or hidden now."""
    since = note_account(database, prefix)
    with database.session() as session:
        return bool(_new(session, 1, since)) or bool(_waiting(session, 1))


def do_due(
    database: Database, registrar: Registrar, address: str, *, limit: int = 20, earlier: bool = False
) -> tuple[Done, ...]:
    """Register and hide what is due, at most `limit` of both; what fails is tried again later, ever less often.

    `address` is that of this platform, below which the pages lie to which DOIs lead. With `earlier`, what was published
    before the account was there is registered, too.
    """
    since = None if earlier else note_account(database, registrar.prefix)
    with database.session() as session:
        new, waiting = _new(session, limit, since), _waiting(session, limit)
    claimed = [row for row in new if _begin(database, registrar, row)]
    claimed += [row for row in waiting if _claim(database, row.id)]
    return tuple(one for row in claimed if (one := _do(database, registrar, address, row.id)))


def _new(session: Session, limit: int, since: datetime | None) -> list[Row[Any]]:
    wanted = _unknown(version.c.published >= since) if since is not None else _unknown()
    return list(session.execute(wanted.order_by(version.c.published).limit(limit)))


def _unknown(*conditions: ColumnElement[bool]) -> Select[Any]:
    """The versions that everybody may see and of which no registration is noted."""
    known = select(registration.c.version_id).where(registration.c.version_id == version.c.id)
    shown = version.c.state == VersionState.PUBLISHED.value, visible(ANONYMOUS, version.c.dataset_id)
    return select(version).where(*shown, ~known.exists(), *conditions)


def _waiting(session: Session, limit: int) -> list[Row[Any]]:
    due = registration.c.due <= datetime.now(UTC)
    wanted = select(version).join(registration, registration.c.version_id == version.c.id).where(due)
    return list(session.execute(wanted.order_by(registration.c.due).limit(limit)))


def _begin(database: Database, registrar: Registrar, row: Row[Any]) -> bool:
    """Make the row of a version; False where it needs none, or another process was quicker."""
    own = record_from_json(row.record).doi
    doi = own or f"{registrar.prefix}/{row.id.rpartition('-')[2].lower()}"
    state = RegistrationState.ELSEWHERE if own else RegistrationState.REGISTERING
    values = {"version_id": row.id, "doi": doi, "state": state.value, "tries": 0, "trouble": ""}
    try:
        with database.writing() as session:
            session.execute(insert(registration).values(**values, due=None if own else _later(0)))
    except IntegrityError:
        return False
    return not own


def _claim(database: Database, version_id: str) -> bool:
    now = datetime.now(UTC)
    with database.writing() as session:
        mine = registration.c.version_id == version_id, registration.c.due <= now
        claimed = session.execute(update(registration).where(*mine).values(due=_later(0)))
        return bool(claimed.rowcount)  # type: ignore[attr-defined]


def _later(tries: int) -> datetime:
    wait: timedelta = min(_FIRST_WAIT * (1 << min(tries, 12)), _LONGEST_WAIT)
    return datetime.now(UTC) + wait


def _do(database: Database, registrar: Registrar, address: str, version_id: str) -> Done | None:
    with database.session() as session:
        row = session.execute(select(registration).where(registration.c.version_id == version_id)).one()
        hides = row.state == RegistrationState.HIDING.value
        found = _described(session, version_id, row.doi)
    if found is None and not hides:
        # it may be seen by everybody no more, and is registered once it may be again
        return None
    try:
        if hides or found is None:
            registrar.hide(row.doi)
        else:
            registrar.register(row.doi, found, f"{address}/id/{version_id}")
    except PulvinarError as error:
        with database.writing() as session:
            values = {"tries": row.tries + 1, "trouble": error.message, "due": _later(row.tries + 1)}
            session.execute(update(registration).where(registration.c.version_id == version_id).values(**values))
        return Done(version_id, row.doi, RegistrationState(row.state), error.message)
    state = RegistrationState.HIDDEN if hides else RegistrationState.REGISTERED
    with UnitOfWork(database, PLATFORM) as work:
        work.ask(Right.ADMINISTER)
        values = {"state": state.value, "due": None, "trouble": "", "registered": row.registered or datetime.now(UTC)}
        work.session.execute(update(registration).where(registration.c.version_id == version_id).values(**values))
        work.record_event("hide-doi" if hides else "register-doi", version_id, {"doi": row.doi})
    return Done(version_id, row.doi, state)


def _described(session: Session, version_id: str, doi: str) -> dict[str, Any] | None:
    """The DataCite metadata of a version that everybody may see, with its DOI and that of the version before."""
    public = version.c.state == VersionState.PUBLISHED.value, visible(ANONYMOUS, version.c.dataset_id)
    found = read_versions(session, session.execute(select(version).where(version.c.id == version_id, *public)).all())
    if not found:
        return None
    described = datacite.write(replace(found[0], doi=doi))
    before = _doi_before(session, found[0])
    if before:
        link = {"relatedIdentifier": before, "relatedIdentifierType": "DOI", "relationType": "IsNewVersionOf"}
        described["relatedIdentifiers"] = [*described.get("relatedIdentifiers", ()), link]
    return described


def _doi_before(session: Session, of: Version) -> str:
    earlier = (
        select(registration.c.doi)
        .join(version, version.c.id == registration.c.version_id)
        .where(version.c.dataset_id == of.dataset_id, version.c.number < of.number)
        .where(registration.c.registered.is_not(None))
        .order_by(version.c.number.desc())
        .limit(1)
    )
    return session.scalar(earlier) or ""
