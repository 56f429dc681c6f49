"""Withdrawn versions: their bytes are given out no more, and a tombstone tells why and what replaced them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, insert, literal, select, update
from sqlalchemy.orm import Session

from pulvinar.access.visibility import visible
from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue.metadata_formats.parts import bare_doi
from pulvinar.catalogue.registration import take_back
from pulvinar.catalogue.search import reindex
from pulvinar.catalogue.tables import dataset, registration, version, withdrawal
from pulvinar.errors import Conflict, Invalid, NotFound
from pulvinar.model.access import Actor, Right
from pulvinar.model.dataset import VersionState, Withdrawal
from pulvinar.model.record import record_from_json
from pulvinar.storage.database import Database

_LEAST_REASON, _LONGEST_REASON = 3, 2000


def withdraw(work: UnitOfWork, dataset_id: str, number: int, reason: str, *, replaced_by: str = "") -> None:
    """Give the bytes of a published version out no more, for a reason that everybody is told who may see its dataset.

    It keeps its number, digest and identifiers, which lead to its tombstone from then on; who administers it can still
    look at it. `replaced_by` is as `Withdrawal` says. Raises `NotFound`, `Forbidden`, `Invalid` without a reason or for
    what can't be a replacement, `Conflict` for what isn't published.
    """
    work.ask(Right.ADMINISTER, dataset_id)
    mine = version.c.dataset_id == dataset_id, version.c.number == number
    row = work.session.execute(select(version).where(*mine)).first()
    if row is None:
        raise NotFound(f"dataset {dataset_id} has no version {number}")
    if row.state != VersionState.PUBLISHED.value:
        raise Conflict(
            f"version {number} of dataset {dataset_id} is {row.state}", hint="only a published one is withdrawn"
        )
    why = reason.strip()[:_LONGEST_REASON]
    if len(why) < _LEAST_REASON:
        raise Invalid("a version is withdrawn for a reason", hint="say why: those who have cited it will read it")
    instead = _replacement(work, row, replaced_by.strip())
    now = datetime.now(UTC)
    values = {"version_id": row.id, "reason": why, "replaced_by": instead, "withdrawn_by": work.actor.id}
    work.session.execute(insert(withdrawal).values(**values, withdrawn=now))
    work.session.execute(update(version).where(version.c.id == row.id).values(state=VersionState.WITHDRAWN.value))
    take_back(work.session, row.id)
    reindex(work.session, dataset_id)
    work.record_event("withdraw", row.id, {"number": number, "why": why, "replaced_by": instead})


def _replacement(work: UnitOfWork, row: Row[Any], said: str) -> str:
    """What replaces a version, as it is kept: a number, the identifier of a dataset, a DOI or an address."""
    if not said or said.startswith("https://"):
        if len(said) > withdrawal.c.replaced_by.type.length:  # type: ignore[attr-defined]
            raise Invalid("the address of the replacement is too long")
        return said
    if said.isascii() and said.isdigit():
        mine = version.c.dataset_id == row.dataset_id, version.c.number == int(said[:9])
        state = work.session.scalar(select(version.c.state).where(*mine))
        if state != VersionState.PUBLISHED.value or int(said) == row.number:
            raise Invalid(f"version {said[:9]} can't replace it", hint="name another version that is published")
        return str(int(said))
    seen = select(dataset.c.id).where(dataset.c.id == said, visible(work.actor, dataset.c.id))
    if work.session.scalar(seen) is not None:
        return said
    if doi := bare_doi(said):
        return doi
    raise Invalid(
        f"{said[:80]!r} can't replace a version",
        hint="name the number of another version, the identifier of a dataset, a DOI or an https:// address",
    )


def withdrawals(
    database: Database, actor: Actor, dataset_id: str, version_id: str | None = None
) -> tuple[Withdrawal, ...]:
    """What was withdrawn of a dataset (or one version) that `actor` may see, the newest version first."""
    wanted = (
        select(version, withdrawal, registration.c.doi)
        .join(withdrawal, withdrawal.c.version_id == version.c.id)
        .outerjoin(registration, registration.c.version_id == version.c.id)
        .where(version.c.dataset_id == dataset_id, visible(actor, literal(dataset_id)))
        .order_by(version.c.number.desc())
    )
    if version_id is not None:
        wanted = wanted.where(version.c.id == version_id)
    with database.session() as session:
        return tuple(_withdrawal(row, actor) for row in session.execute(wanted))


def _withdrawal(row: Row[Any], actor: Actor) -> Withdrawal:
    return Withdrawal(
        version_id=row.id,
        dataset_id=row.dataset_id,
        number=row.number,
        digest=row.digest,
        title=record_from_json(row.record).title,
        reason=row.reason,
        # a DOI, and the address of another site, lead to names
        replaced_by="" if actor.is_blind and not row.replaced_by.isdigit() else row.replaced_by,
        withdrawn=row.withdrawn,
        published=row.published,
        doi="" if actor.is_blind else row.doi or "",
    )


def withdrawn_among(session: Session, dataset_ids: Collection[str]) -> frozenset[str]:
    """Those of the datasets of which a version was withdrawn."""
    if not dataset_ids:
        return frozenset()
    gone = version.c.dataset_id.in_(list(dataset_ids)), version.c.state == VersionState.WITHDRAWN.value
    return frozenset(session.scalars(select(version.c.dataset_id).where(*gone).distinct()))


def find_version(database: Database, actor: Actor, version_id: str) -> tuple[str, int]:
    """The dataset and the number of a version by its identifier alone, also of one that was withdrawn: where its
    persistent identifier leads. Raises `NotFound`, also for drafts."""
    wanted = select(version.c.dataset_id, version.c.number).where(
        version.c.id == version_id,
        version.c.state != VersionState.DRAFT.value,
        visible(actor, version.c.dataset_id),
    )
    with database.session() as session:
        row = session.execute(wanted).first()
    if row is None:
        raise NotFound(f"there is no version {version_id}")
    return row.dataset_id, row.number
