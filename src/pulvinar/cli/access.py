"""What the commands of access do: as the owner of this machine's settings."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, time

from sqlalchemy.orm import Session

from pulvinar.access import organisations
from pulvinar.access.audiences import AudienceName, named, person
from pulvinar.access.visibility import audience_of, organisation_audience
from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue import sharing
from pulvinar.catalogue.names_in_texts import names_shown
from pulvinar.cli.show import print_json, print_table
from pulvinar.cli.verbs import opened
from pulvinar.errors import Invalid
from pulvinar.model.access import OrganisationKind, Right, Tier
from pulvinar.model.text import plain


def show_access(dataset_id: str, *, as_json: bool) -> None:
    """`pulvinar access show`. Raises `NotFound`."""
    with opened() as platform:
        access, grants = sharing.who_may(platform.database, platform.actor, dataset_id)
        with platform.database.session() as session:
            names = named(session, {one.audience for one in grants})
    rows = [(_said(names[one.audience]), one.right.name.lower(), _day_of(one.ends)) for one in grants]
    if as_json:
        told = {"tier": access.tier.value, "opens": _day_of(access.opens), "organisation": access.home}
        columns = ("who", "right", "ends")
        print_json({**told, "grants": [dict(zip(columns, row, strict=True)) for row in rows]})
        return
    print(f"tier {access.tier.value}{f', opens on {_day_of(access.opens)}' if access.opens else ''}")
    print_table(rows, ("who", "may at most", "until"))


def choose_tier(dataset_id: str, tier: str, opens: str) -> None:
    """`pulvinar access tier`. Raises `NotFound`, `Invalid`, `Conflict`."""
    with opened() as platform, UnitOfWork(platform.database, platform.actor) as work:
        sharing.set_tier(work, dataset_id, Tier(tier), opens=_end_of(opens))
    print(f"{dataset_id} is {tier}")


def share_with(dataset_id: str, who: str, right: str, ends: str) -> None:
    """`pulvinar access share`. Raises `NotFound`, `Invalid`."""
    with opened() as platform, UnitOfWork(platform.database, platform.actor) as work:
        audience = _audience(work.session, who)
        sharing.share(work, dataset_id, audience, Right[right.upper()], ends=_end_of(ends))
    print(f"{who} may {right} {dataset_id}")


def unshare_with(dataset_id: str, who: str) -> None:
    """`pulvinar access unshare`. Raises `NotFound`, `Invalid`."""
    with opened() as platform, UnitOfWork(platform.database, platform.actor) as work:
        sharing.unshare(work, dataset_id, _audience(work.session, who))
    print(f"{who} has {dataset_id} no more")


def print_link(dataset_id: str, ends: str, right: str, label: str, *, blind: bool) -> None:
    """`pulvinar access link`. Raises `NotFound`, `Invalid`."""
    with opened() as platform:
        until = _end_of(ends)
        if until is None:
            raise Invalid("a link needs a day on which it ends")
        with UnitOfWork(platform.database, platform.actor) as work:
            wanted = Right[right.upper()]
            made, secret = sharing.share_by_link(work, dataset_id, ends=until, right=wanted, blind=blind, label=label)
        print(f"{platform.settings.resolved_address()}/review/{secret}")
        for one in names_shown(platform.database, made) if blind else ():
            print(plain(f"names {one.name} in version {one.where}: {one.text}"), file=sys.stderr)


def move_to(dataset_id: str, organisation_id: str) -> None:
    """`pulvinar access move`. Raises `NotFound`."""
    with opened() as platform, UnitOfWork(platform.database, platform.actor) as work:
        sharing.move(work, dataset_id, organisation_id or None)
    print(f"{dataset_id} belongs to {organisation_id or 'no organisation'}")


def show_organisations(*, as_json: bool) -> None:
    """`pulvinar organisations list`."""
    with opened() as platform, platform.database.session() as session:
        found = [one for one, _ in organisations.list_organisations(session, platform.actor)]
    if as_json:
        print_json([vars(one) for one in found])
        return
    print_table([(one.id, plain(one.name), one.kind.value, one.parent or "") for one in found], _ORGANISATION)


def make_one(name: str, kind: str, parent: str) -> None:
    """`pulvinar organisations make`. Raises `Invalid`, `NotFound`."""
    with opened() as platform, UnitOfWork(platform.database, platform.actor) as work:
        kind_of = OrganisationKind(kind)
        made = organisations.make_organisation(work, name, kind_of, parent=parent or None, node=platform.settings.node)
    print(made.id)


def show_members(organisation_id: str, *, as_json: bool) -> None:
    """`pulvinar organisations members`. Raises `NotFound`."""
    with opened() as platform, platform.database.session() as session:
        organisations.get_organisation(session, platform.actor, organisation_id)
        roles = organisations.members_of(session, organisation_id)
        names = named(session, map(audience_of, roles))
    rows = [(names[audience_of(one)].name or one, role.name.lower()) for one, role in roles.items()]
    if as_json:
        print_json([{"login": login, "role": role} for login, role in rows])
        return
    print_table(rows, ("login", "role"))


def take_in(organisation_id: str, login: str, role: str) -> None:
    """`pulvinar organisations take-in`. Raises `NotFound`, `Conflict`."""
    with opened() as platform, UnitOfWork(platform.database, platform.actor) as work:
        member = person(work.session, login).partition(":")[2]
        organisations.set_member(work, organisation_id, member, Right[role.upper()])
    print(f"{login} is in {organisation_id}, with the right to {role}")


def take_out(organisation_id: str, login: str) -> None:
    """`pulvinar organisations take-out`. Raises `NotFound`, `Conflict`."""
    with opened() as platform, UnitOfWork(platform.database, platform.actor) as work:
        member = person(work.session, login).partition(":")[2]
        organisations.remove_member(work, organisation_id, member)
    print(f"{login} is in {organisation_id} no more")


_ORGANISATION = ("organisation", "name", "kind", "in")


def _audience(session: Session, who: str) -> str:
    """A login name, or organisation:IDENTIFIER."""
    head, _, rest = who.partition(":")
    return organisation_audience(rest) if head == "organisation" and rest else person(session, who)


def _said(one: AudienceName) -> str:
    return plain(one.name) or (f"{one.kind.value}:{one.id}" if one.id else one.kind.value)


def _day_of(moment: datetime | None) -> str:
    return moment.strftime("%Y-%m-%d") if moment else ""


def _end_of(day: str) -> datetime | None:
    if not day:
        return None
    try:
        return datetime.combine(datetime.strptime(day, "%Y-%m-%d").date(), time.max, UTC)
    except ValueError as error:
        raise Invalid(f"{day!r} is no day", hint="as 2027-01-31") from error
