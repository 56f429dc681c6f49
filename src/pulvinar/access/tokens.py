"""Access tokens: what programs sign in with. Each ends, and may do no more than it was made for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session

from pulvinar.access.accounts import read_account
from pulvinar.access.chance import digest_of, new_secret
from pulvinar.access.tables import access_token, account
from pulvinar.access.work import UnitOfWork
from pulvinar.errors import Conflict, Forbidden, Invalid, NotFound
from pulvinar.model.access import Actor, Right
from pulvinar.model.account import AccessToken, AccountKind, AccountState
from pulvinar.model.identity import new_id
from pulvinar.model.text import plain
from pulvinar.storage.database import Database

PREFIX = "pulv_"
"""What every token begins with, so that one that was published by mistake is found."""
MOST_DAYS = 366
_MOST_TOKENS = 100
_LONGEST_NAME = 100


def make_token(work: UnitOfWork, account_id: str, name: str, ceiling: Right, days: int) -> tuple[AccessToken, str]:
    """A new token of an account, and its secret, which is shown this once.

    One's own, or a service's by whoever administers the node. Raises `Invalid` for no name or a bad number of days,
    `Forbidden` for another person's, `Conflict` when there are too many.
    """
    work.ask_own_or_node(account_id)
    of = read_account(work.session, account_id)
    if of.id != work.actor.id and of.kind is AccountKind.PERSON:
        raise Forbidden("only the person may make a token of this account")
    if not of.is_active:
        raise Conflict("this account is disabled", hint="enable it first")
    name = plain(" ".join(name.split()))
    if not name or len(name) > _LONGEST_NAME:
        raise Invalid("a name is missing, or too long", hint="say what will use the token, in up to 100 characters")
    if not 1 <= days <= MOST_DAYS:
        raise Invalid("a token lasts from 1 to 366 days", hint="make another when it ends")
    now = datetime.now(UTC)
    work.session.execute(delete(access_token).where(access_token.c.account_id == account_id, access_token.c.ends < now))
    counted = select(func.count()).select_from(access_token).where(access_token.c.account_id == account_id)
    if (work.session.scalar(counted) or 0) >= _MOST_TOKENS:
        raise Conflict("there are too many tokens", hint="revoke those that are not used")
    secret = new_secret(PREFIX)
    made = AccessToken(new_id("token"), name, ceiling, now, now + timedelta(days=days), None)
    values: dict[str, object] = {"digest": digest_of(secret), "account_id": account_id, "id": made.id, "name": name}
    values |= {"ceiling": int(ceiling), "created": now, "ends": made.ends}
    work.session.execute(insert(access_token).values(**values))
    details = {"token": made.id, "name": name, "ceiling": ceiling.name.lower(), "ends": made.ends.isoformat()}
    work.record_event("make-token", account_id, details)
    return made, secret


def list_tokens(database: Database, actor: Actor, account_id: str) -> tuple[AccessToken, ...]:
    """The tokens of an account, newest first: one's own, or any for whoever administers the node."""
    if actor.id != account_id and (not actor.is_owner or actor.ceiling < Right.ADMINISTER):
        raise NotFound(f"there is no account {account_id}")
    wanted = select(access_token).where(access_token.c.account_id == account_id)
    with database.session() as session:
        rows = session.execute(wanted.order_by(access_token.c.created.desc())).all()
    return tuple(AccessToken(r.id, r.name, Right(r.ceiling), r.created, r.ends, r.used) for r in rows)


def revoke_token(work: UnitOfWork, account_id: str, token_id: str) -> None:
    """Have a token open nothing any longer. Raises `NotFound` where the account has none of this name."""
    work.ask_own_or_node(account_id)
    gone = delete(access_token).where(access_token.c.account_id == account_id, access_token.c.id == token_id)
    if not work.session.execute(gone).rowcount:  # type: ignore[attr-defined]
        raise NotFound(f"there is no token {token_id}")
    work.record_event("revoke-token", account_id, {"token": token_id})


def revoke_all_tokens(work: UnitOfWork, account_id: str) -> int:
    """Have every token of an account open nothing any longer; how many there were."""
    work.ask_own_or_node(account_id)
    gone = work.session.execute(delete(access_token).where(access_token.c.account_id == account_id))
    count: int = gone.rowcount  # type: ignore[attr-defined]
    if count:
        work.record_event("revoke-all-tokens", account_id, {"tokens": count})
    return count


def give_back(database: Database, actor: Actor, secret: str) -> None:
    """Have the token that this very request came with open nothing any longer: it may, whatever else it may not."""
    work = UnitOfWork(database, Actor(actor.id, actor.name))
    with work:
        work.ask_own(actor.id)
        work.session.execute(delete(access_token).where(access_token.c.digest == digest_of(secret)))
        work.record_event("revoke-token", actor.id, {"by": "itself"})


def account_of_token(session: Session, digest: str) -> tuple[str, Right, datetime | None] | None:
    """The account that the token of a digest signs in, how far, and when it was used last."""
    wanted = (
        select(access_token.c.account_id, access_token.c.ceiling, access_token.c.used)
        .join(account, account.c.id == access_token.c.account_id)
        .where(access_token.c.digest == digest, access_token.c.ends > datetime.now(UTC))
        .where(account.c.state == AccountState.ACTIVE.value)
    )
    row = session.execute(wanted).first()
    return (row.account_id, Right(row.ceiling), row.used) if row else None


def note_used(session: Session, digest: str) -> None:
    """Keep that a token was used: a note, no change that anybody asks a right for."""
    session.execute(update(access_token).where(access_token.c.digest == digest).values(used=datetime.now(UTC)))
