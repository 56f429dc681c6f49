"""Quarantine of people's data: which assets are held, and who lets them go.

A version that holds such an asset is seen only by those who administer its dataset, and can't be published. What is
made from it is held with it. See docs/decisions/0084-people-s-data-in-quarantine.md.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, insert, literal, or_, select, update
from sqlalchemy.orm import Session

from pulvinar.access.work import UnitOfWork, check_right
from pulvinar.catalogue.tables import asset, quarantine, version, version_asset
from pulvinar.errors import Conflict, Invalid, NotFound
from pulvinar.model.access import Actor, Right
from pulvinar.model.quarantine import Basis, Face, Identifiers, Quarantine
from pulvinar.storage.database import Database

_LONGEST_NOTE = 2000


def hold(
    work: UnitOfWork, asset_id: str, identifiers: Identifiers, face: Face, basis: Basis | None, *, held: bool = True
) -> None:
    """Put an asset into quarantine, in the transaction that adds it to a version; `held` is False where a `basis` that
    the actor stated makes that needless, and is written down."""
    values = {"asset_id": asset_id, "origin": asset_id, "identifiers": identifiers.value, "face": face.value}
    values |= {"basis": basis.value if basis else "", "basis_by": work.actor.id if basis else "", "note": ""}
    work.session.execute(insert(quarantine).values(**values, held=held, since=datetime.now(UTC), reviewed_by=""))
    told = {"identifiers": identifiers.value, "basis": basis.value if basis else ""}
    work.record_event("hold" if held else "state-basis", asset_id, told)


def inherit(session: Session, asset_id: str, inputs: Collection[str], *, without_face: bool = False) -> None:
    """Hold what was made from held assets, in the transaction that adds it.

    What was made by removing a face is held for itself: letting it go says nothing of where it came from.
    """
    mine = quarantine.c.asset_id.in_(list(inputs)), quarantine.c.held
    rows = session.execute(select(quarantine).where(*mine)).all()
    if not rows:
        return
    unsaid = dict.fromkeys(("basis", "basis_by", "reviewed_by", "note"), "")
    common = {"asset_id": asset_id, "held": True, "since": datetime.now(UTC), **unsaid}
    origins = {asset_id: rows[0]} if without_face else {row.origin: row for row in rows}
    for origin, row in origins.items():
        face = Face.REMOVED.value if without_face else row.face
        values = {"origin": origin, "identifiers": row.identifiers, "face": face}
        session.execute(insert(quarantine).values(**common, **values))


def holds_people(version_id: ColumnElement[str]) -> ColumnElement[bool]:
    """The condition that the version of a row has an asset in quarantine."""
    inside = version_asset.alias("inside")
    held = (
        select(literal(1))
        .select_from(quarantine.join(inside, inside.c.asset_id == quarantine.c.asset_id))
        .where(inside.c.version_id == version_id, quarantine.c.held)
    )
    return held.exists()


def held_among(session: Session, asset_ids: Iterable[str]) -> frozenset[str]:
    """Those of the assets that are held."""
    mine = quarantine.c.asset_id.in_(list(asset_ids)), quarantine.c.held
    return frozenset(session.scalars(select(quarantine.c.asset_id).where(*mine)))


def check_may_leave(session: Session, dataset_id: str, version_id: str | None = None) -> None:
    """Raise `Conflict` where a version, or any of a dataset, has assets in quarantine."""
    which = version.c.id == version_id if version_id else version.c.dataset_id == dataset_id
    wanted = (
        select(asset.c.name)
        .join(version_asset, version_asset.c.asset_id == asset.c.id)
        .join(version, version.c.id == version_asset.c.version_id)
        .join(quarantine, quarantine.c.asset_id == asset.c.id)
        .where(which, quarantine.c.held)
        .distinct()
    )
    names = sorted(session.scalars(wanted.limit(10)))
    if names:
        raise Conflict(
            f"dataset {dataset_id} holds a person's data in quarantine: {', '.join(names)}",
            hint=f"pulvinar quarantine {dataset_id} says what is to be done: remove the face, then review it",
        )


def quarantine_of(database: Database, actor: Actor, dataset_id: str) -> tuple[Quarantine, ...]:
    """The states of the assets of a dataset that are or were held. For those who administer it; raises `NotFound` and
    `Forbidden`."""
    with database.session() as session:
        check_right(session, actor, Right.ADMINISTER, dataset_id)
        inside = select(version_asset.c.asset_id).join(version, version.c.id == version_asset.c.version_id)
        mine = quarantine.c.asset_id.in_(inside.where(version.c.dataset_id == dataset_id))
        rows = session.execute(select(quarantine).where(mine).order_by(quarantine.c.asset_id, quarantine.c.origin))
        return tuple(map(_quarantine, rows))


def release(work: UnitOfWork, dataset_id: str, asset_id: str, face: Face, note: str = "") -> None:
    """Let an asset out of quarantine, with what was made from it: a person has looked at it.

    `face` is what that person says of it: REMOVED only of what was made by removing one; KEPT needs a `note` that says
    why. Raises `NotFound`, `Forbidden`, `Invalid` for what can't be said of it, `Conflict` where it isn't held.
    """
    work.ask(Right.ADMINISTER, dataset_id)
    row = _row(work.session, dataset_id, asset_id)
    if not row.held:
        raise Conflict(f"asset {asset_id} is not in quarantine")
    if face is Face.UNKNOWN or (face is Face.REMOVED) != (row.face == Face.REMOVED.value):
        raise Invalid(
            f"of asset {asset_id} it can't be said that its face is {face.value}",
            hint="absent or kept; removed is said of what the solution deface has made",
        )
    if face is Face.KEPT and len(note.strip()) < 3:
        raise Invalid("a face may leave only for a reason", hint="say who has agreed to it, and where that is kept")
    now, who = datetime.now(UTC), work.actor.id
    freed = {"held": False, "reviewed_by": who, "reviewed": now, "note": note.strip()[:_LONGEST_NOTE]}
    mine = or_(quarantine.c.asset_id == asset_id, quarantine.c.origin == asset_id), quarantine.c.held
    work.session.execute(update(quarantine).where(*mine).values(**freed, face=face.value))
    work.record_event("release", asset_id, {"dataset": dataset_id, "face": face.value, "note": freed["note"]})


def hold_again(work: UnitOfWork, dataset_id: str, asset_id: str, note: str) -> None:
    """Take back that an asset may leave, with what was made from it, while no published version has any of them: a
    reviewer was wrong. Raises `NotFound`, `Forbidden`, `Conflict`."""
    work.ask(Right.ADMINISTER, dataset_id)
    _row(work.session, dataset_id, asset_id)
    mine = or_(quarantine.c.asset_id == asset_id, quarantine.c.origin == asset_id)
    published = (
        select(version_asset.c.asset_id)
        .join(version, version_asset.c.version_id == version.c.id)
        .where(version_asset.c.asset_id.in_(select(quarantine.c.asset_id).where(mine)), version.c.state == "published")
    )
    if (shown := work.session.scalar(published.limit(1))) is not None:
        raise Conflict(f"asset {shown} is published", hint="make its dataset private first, or erase the person's data")
    work.session.execute(update(quarantine).where(mine).values(held=True, reviewed_by="", reviewed=None, note=note))
    work.record_event("hold", asset_id, {"dataset": dataset_id, "note": note})


def _row(session: Session, dataset_id: str, asset_id: str) -> Row[Any]:
    inside = select(version_asset.c.asset_id).join(version, version.c.id == version_asset.c.version_id)
    mine = quarantine.c.asset_id.in_(inside.where(version.c.dataset_id == dataset_id))
    wanted = select(quarantine).where(mine, quarantine.c.asset_id == asset_id)
    row = session.execute(wanted.order_by(quarantine.c.held.desc())).first()
    if row is None:
        raise NotFound(f"dataset {dataset_id} has no asset {asset_id} that is or was in quarantine")
    return row


def _quarantine(row: Row[Any]) -> Quarantine:
    return Quarantine(
        row.asset_id,
        row.origin,
        Identifiers(row.identifiers),
        Face(row.face),
        row.held,
        row.since,
        Basis(row.basis) if row.basis else None,
        row.basis_by,
        row.reviewed_by,
        row.reviewed,
        row.note,
    )
