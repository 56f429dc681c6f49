"""Whom another service knows an account as. An account is found by issuer and subject, never by a mail address."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Protocol, Self

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from pulvinar.access.passwords import hash_of
from pulvinar.access.tables import external_identity
from pulvinar.access.work import UnitOfWork
from pulvinar.errors import Conflict, NotFound


@dataclass(frozen=True)
class ExternalIdentity:
    """What another service says of somebody who signed in there; only `issuer` and `subject` are relied upon."""

    issuer: str
    subject: str
    name: str = ""
    email: str = ""

    def to_json(self) -> dict[str, str]:
        """As plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Self:
        """From plain values."""
        return cls(told["issuer"], told["subject"], told["name"], told["email"])


@dataclass(frozen=True)
class Departure:
    """Where a browser is sent to sign in elsewhere, and what must be known when it comes back."""

    address: str
    kept: Mapping[str, str]


class IdentityProvider(Protocol):
    """Another service at which people sign in."""

    @property
    def title(self) -> str:
        """What people call it."""

    def depart(self, back: str) -> Departure:
        """Begin: `back` is the address that the browser comes back to. Raises `Unavailable`."""

    def arrive(self, came_to: str, kept: Mapping[str, str], back: str) -> ExternalIdentity:
        """End, with the whole address that the browser came back to. Raises `NotAuthenticated`, `Unavailable`."""


def account_of(session: Session, identity: ExternalIdentity) -> str | None:
    """The account of somebody who signed in elsewhere."""
    wanted = select(external_identity.c.account_id).where(
        external_identity.c.issuer == identity.issuer, external_identity.c.subject == identity.subject
    )
    return session.scalar(wanted)


def link_identity(work: UnitOfWork, account_id: str, identity: ExternalIdentity) -> None:
    """Have an account be signed in by an identity elsewhere. Raises `Conflict` where it is another account's."""
    work.ask_own(account_id)
    known = account_of(work.session, identity)
    if known not in (None, account_id):
        raise Conflict("this sign-in belongs to another account here", hint="sign in by it, or unlink it there")
    if known is None:
        values = {"issuer": identity.issuer, "subject": identity.subject, "account_id": account_id}
        work.session.execute(insert(external_identity).values(**values, linked=datetime.now(UTC)))
    work.record_event("link-identity", account_id, {"issuer": identity.issuer})


def unlink_identity(work: UnitOfWork, account_id: str, issuer: str) -> None:
    """Have an account be signed in by an issuer no longer.

    Raises `NotFound` where it isn't, `Conflict` where there is no other way in.
    """
    work.ask_own(account_id)
    issuers = issuers_of(work.session, account_id)
    if issuer not in issuers:
        raise NotFound(f"this account is not linked to {issuer}")
    if len(issuers) == 1 and hash_of(work.session, account_id) is None:
        raise Conflict("there is no other way into this account", hint="set a password first")
    mine = external_identity.c.account_id == account_id, external_identity.c.issuer == issuer
    work.session.execute(delete(external_identity).where(*mine))
    work.record_event("unlink-identity", account_id, {"issuer": issuer})


def issuers_of(session: Session, account_id: str) -> tuple[str, ...]:
    """The issuers that an account is linked to."""
    wanted = select(external_identity.c.issuer).where(external_identity.c.account_id == account_id).distinct()
    return tuple(session.scalars(wanted.order_by(external_identity.c.issuer)))
