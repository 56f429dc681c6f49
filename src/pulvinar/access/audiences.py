"""Audiences by the names that people use: a person by login name, an organisation by name, what a link is called."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Column, Table, select
from sqlalchemy.orm import Session

from pulvinar.access.accounts import find_login
from pulvinar.access.tables import account, organisation, share_link
from pulvinar.access.visibility import audience_of, organisation_audience
from pulvinar.errors import NotFound


class AudienceKind(StrEnum):
    """Who is meant."""

    EVERYONE = "everyone"
    REGISTERED = "registered"
    OWNER = "owner"
    ACTOR = "actor"
    ORGANISATION = "organisation"
    LINK = "link"


@dataclass(frozen=True)
class AudienceName:
    """Who an audience is: `id` of the account, the organisation or the link, "" of the others; `name` where known."""

    kind: AudienceKind
    id: str = ""
    name: str = ""


def named(session: Session, audiences: Iterable[str], *, labels: bool = True) -> dict[str, AudienceName]:
    """Who each of the audiences is. What a link is called is for those who share, and no `labels` for others."""
    parts = {one: one.partition(":") for one in audiences}
    of = {kind: {rest for head, _, rest in parts.values() if head == kind} for kind in AudienceKind}
    names = {
        AudienceKind.ACTOR: _names(session, account, account.c.login, of[AudienceKind.ACTOR]),
        AudienceKind.ORGANISATION: _names(session, organisation, organisation.c.name, of[AudienceKind.ORGANISATION]),
        AudienceKind.LINK: _names(session, share_link, share_link.c.label, of[AudienceKind.LINK]) if labels else {},
    }
    return {
        one: AudienceName(AudienceKind(head), rest, names.get(AudienceKind(head), {}).get(rest, ""))
        for one, (head, _, rest) in parts.items()
    }


def person(session: Session, login: str) -> str:
    """The audience that is one person or service, by login name. Raises `NotFound`."""
    found = find_login(session, login)
    if found is None or not found.is_active:
        raise NotFound(f"there is no account {login!r}", hint="a login name stands in the profile of its person")
    return audience_of(found.id)


def organisation_named(session: Session, organisation_id: str) -> str:
    """The audience that is an organisation. Raises `NotFound`."""
    if session.scalar(select(organisation.c.id).where(organisation.c.id == organisation_id)) is None:
        raise NotFound(f"there is no organisation {organisation_id[:80]!r}")
    return organisation_audience(organisation_id)


def _names(session: Session, table: Table, name: Column[str], ids: set[str]) -> dict[str, str]:
    rows = session.execute(select(table.c.id, name).where(table.c.id.in_(ids))) if ids else ()
    return {row[0]: row[1] for row in rows}
