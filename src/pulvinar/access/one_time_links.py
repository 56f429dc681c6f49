"""Links that open one thing once, for a while. Only what they hash to is stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from pulvinar.access.chance import digest_of, new_secret
from pulvinar.access.tables import one_time_link
from pulvinar.errors import NotFound


class LinkKind(StrEnum):
    """What a link opens."""

    FIRST_OWNER = "first-owner"
    INVITATION = "invitation"
    RECOVERY = "recovery"
    SECOND_FACTOR = "second-factor"
    EXTERNAL = "external"
    NEWCOMER = "newcomer"


_LASTING = {
    LinkKind.FIRST_OWNER: timedelta(days=1),
    LinkKind.INVITATION: timedelta(days=14),
    LinkKind.RECOVERY: timedelta(hours=1),
    LinkKind.SECOND_FACTOR: timedelta(minutes=10),
    LinkKind.EXTERNAL: timedelta(minutes=10),
    LinkKind.NEWCOMER: timedelta(minutes=30),
}


@dataclass(frozen=True)
class Link:
    """What a link opens, for which account, and what was noted when it was made."""

    kind: LinkKind
    account_id: str | None
    details: Mapping[str, Any]
    ends: datetime


def make_link(
    session: Session, kind: LinkKind, *, account_id: str | None = None, details: Mapping[str, Any] | None = None
) -> str:
    """A new link's secret part. What has ended is removed on the way."""
    secret, now = new_secret(), datetime.now(UTC)
    session.execute(delete(one_time_link).where(one_time_link.c.ends < now))
    values: dict[str, object] = {"digest": digest_of(secret), "kind": kind.value, "account_id": account_id}
    values |= {"details": dict(details or {}), "created": now, "ends": now + _LASTING[kind]}
    session.execute(insert(one_time_link).values(**values))
    return secret


def look_at(session: Session, secret: str, *kinds: LinkKind) -> Link:
    """What a link opens, which stays to be used. Raises `NotFound` for one that has ended, or never was."""
    wanted = select(one_time_link).where(
        one_time_link.c.digest == digest_of(secret),
        one_time_link.c.kind.in_([kind.value for kind in kinds]),
        one_time_link.c.ends > datetime.now(UTC),
    )
    row = session.execute(wanted).first()
    if row is None:
        raise NotFound("this link has been used, or has ended", hint="ask for another")
    return Link(LinkKind(row.kind), row.account_id, row.details, row.ends)


def use_link(session: Session, secret: str, *kinds: LinkKind) -> Link:
    """Use a link up in the running transaction. Raises `NotFound` as `look_at` does, and for whoever comes second."""
    link = look_at(session, secret, *kinds)
    used = session.execute(delete(one_time_link).where(one_time_link.c.digest == digest_of(secret)))
    if not used.rowcount:  # type: ignore[attr-defined]
        raise NotFound("this link has been used, or has ended", hint="ask for another")
    return link


def end_links(session: Session, account_id: str, *kinds: LinkKind) -> None:
    """Have the links of an account open nothing any longer."""
    wanted = one_time_link.c.kind.in_([kind.value for kind in kinds])
    session.execute(delete(one_time_link).where(one_time_link.c.account_id == account_id, wanted))
