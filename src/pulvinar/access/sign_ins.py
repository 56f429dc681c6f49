"""Browsers in which somebody is signed in: begun, listed, ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, and_, delete, insert, select, update
from sqlalchemy.orm import Session

from pulvinar.access.chance import digest_of, new_secret
from pulvinar.access.tables import account, sign_in
from pulvinar.access.work import UnitOfWork
from pulvinar.errors import NotFound
from pulvinar.model.access import Actor
from pulvinar.model.account import Account, AccountState, SignIn
from pulvinar.model.identity import new_id
from pulvinar.model.text import plain, short
from pulvinar.storage.database import Database

IDLE = timedelta(days=3)
"""Who is not seen for so long is signed out."""


@dataclass(frozen=True)
class Browser:
    """Where a request comes from, as far as it says so."""

    address: str
    agent: str


def begin_sign_in(work: UnitOfWork, of: Account, browser: Browser, *, days: int, how: str) -> str:
    """Sign an account in, and give the secret that the browser is to keep."""
    work.ask_own(of.id)
    secret, now = new_secret(), datetime.now(UTC)
    work.session.execute(delete(sign_in).where(sign_in.c.account_id == of.id, ~_lasting(now)))
    values = {"digest": digest_of(secret), "id": new_id("signin"), "account_id": of.id, "created": now, "seen": now}
    values |= {"ends": now + timedelta(days=days), "address": browser.address[:64]}
    values |= {"agent": short(plain(browser.agent), 200)[:200]}
    work.session.execute(insert(sign_in).values(**values))
    work.record_event("sign-in", of.id, {"how": how, "sign_in": values["id"]})
    return secret


def _lasting(now: datetime) -> ColumnElement[bool]:
    return and_(sign_in.c.ends > now, sign_in.c.seen > now - IDLE)


def account_signed_in(session: Session, digest: str) -> tuple[str, datetime] | None:
    """The account that is signed in by the secret of a digest, and when it was seen last."""
    wanted = (
        select(sign_in.c.account_id, sign_in.c.seen)
        .join(account, account.c.id == sign_in.c.account_id)
        .where(sign_in.c.digest == digest, _lasting(datetime.now(UTC)), account.c.state == AccountState.ACTIVE.value)
    )
    row = session.execute(wanted).first()
    return (row.account_id, row.seen) if row else None


def note_seen(session: Session, digest: str) -> None:
    """Keep that somebody was here: a note, no change that anybody asks a right for."""
    session.execute(update(sign_in).where(sign_in.c.digest == digest).values(seen=datetime.now(UTC)))


def list_sign_ins(database: Database, actor: Actor, secret: str = "") -> tuple[tuple[SignIn, bool], ...]:
    """Where `actor` is signed in, the newest first, and whether it is the browser of `secret`."""
    wanted = select(sign_in).where(sign_in.c.account_id == actor.id, _lasting(datetime.now(UTC)))
    mine = digest_of(secret) if secret else ""
    with database.session() as session:
        rows = session.execute(wanted.order_by(sign_in.c.seen.desc())).all()
    return tuple(
        (SignIn(row.id, row.created, row.seen, row.ends, row.address, row.agent), row.digest == mine) for row in rows
    )


def end_sign_in(work: UnitOfWork, account_id: str, sign_in_id: str) -> None:
    """Sign a browser out. Raises `NotFound` where the account isn't signed in there."""
    work.ask_own_or_node(account_id)
    ended = delete(sign_in).where(sign_in.c.account_id == account_id, sign_in.c.id == sign_in_id)
    if not work.session.execute(ended).rowcount:  # type: ignore[attr-defined]
        raise NotFound(f"nobody is signed in as {sign_in_id}")
    work.record_event("sign-out", account_id, {"sign_in": sign_in_id})


def end_all_sign_ins(work: UnitOfWork, account_id: str, *, except_secret: str = "") -> None:
    """Sign an account out everywhere, but in the browser of `except_secret`."""
    work.ask_own_or_node(account_id)
    ended = delete(sign_in).where(sign_in.c.account_id == account_id)
    if except_secret:
        ended = ended.where(sign_in.c.digest != digest_of(except_secret))
    work.session.execute(ended)
    work.record_event("sign-out-everywhere", account_id)


def sign_out(work: UnitOfWork, account_id: str, secret: str) -> None:
    """Sign out the browser that keeps `secret`."""
    work.ask_own(account_id)
    work.session.execute(delete(sign_in).where(sign_in.c.digest == digest_of(secret)))
    work.record_event("sign-out", account_id)
