"""Whom a dataset is for, and who else may see it: tiers, what is given to some, and what ends by itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from pulvinar.access.agreements import agreements_on
from pulvinar.access.dataset_access import access_of, opening_now, set_access, shown_by, strictest
from pulvinar.access.links import Link, add_link, drop_link, new_link
from pulvinar.access.visibility import (
    EVERYONE,
    REGISTERED,
    audience_of,
    ended_grants,
    grants_on,
    grants_to,
    hide,
    link_audience,
    organisation_audience,
    show,
)
from pulvinar.access.work import UnitOfWork, check_right
from pulvinar.catalogue.derivations import check_tier, less_open
from pulvinar.catalogue.quarantine import check_may_leave
from pulvinar.catalogue.search import reindex
from pulvinar.catalogue.tables import version
from pulvinar.errors import Invalid, NotFound
from pulvinar.model.access import PLATFORM, Access, Actor, Grant, Right, Tier
from pulvinar.model.dataset import VersionState
from pulvinar.storage.database import Database

LONGEST_LINK = timedelta(days=366)
_LABEL = 200


def share(
    work: UnitOfWork, dataset_id: str, audience: str, right: Right = Right.READ, *, ends: datetime | None = None
) -> None:
    """Give an audience (an actor, an organisation) `right` on a dataset until `ends`, instead of what it had.

    Raises `NotFound`, `Forbidden` for who may not share it, for more than the own right or instead of more than that,
    `Invalid` for an end that is past or an audience that a tier is for, `Conflict` while a person's data in it are in
    quarantine: those who are to review them get the right to administer.
    """
    work.ask(Right.SHARE, dataset_id)
    _ask_above_share(work, dataset_id, max(right, _given_to(work.session, dataset_id, audience)))
    if audience in (EVERYONE, REGISTERED):
        raise Invalid(
            f"nothing is shared with {audience} by name", hint="choose the tier of the dataset, and publish it"
        )
    if right < Right.ADMINISTER:
        check_may_leave(work.session, dataset_id)
    if ends is not None and ends <= datetime.now(UTC):
        raise Invalid(f"the share would have ended on {ends.isoformat()}", hint="name a later moment")
    show(work.session, dataset_id, audience, right, ends=ends, given_by=work.actor.id)
    reindex(work.session, dataset_id)
    told = {"audience": audience, "right": right.name.lower(), "ends": ends.isoformat() if ends else None}
    work.record_event("share", dataset_id, told)


def _given_to(session: Session, dataset_id: str, audience: str) -> Right:
    return max((one.right for one in grants_on(session, dataset_id) if one.audience == audience), default=Right.SEE)


def _ask_above_share(work: UnitOfWork, dataset_id: str, right: Right) -> None:
    """To give, and to take, more than the right to share needs that right: no guest locks out who administers it."""
    if right > Right.SHARE:
        work.ask(right, dataset_id)


def unshare(work: UnitOfWork, dataset_id: str, audience: str) -> None:
    """Take from an audience what it was given on a dataset; what is published stays so. Raises `NotFound`, and
    `Forbidden` for who may not share it, or has less than what would be taken."""
    work.ask(Right.SHARE, dataset_id)
    _ask_above_share(work, dataset_id, _given_to(work.session, dataset_id, audience))
    if audience in (EVERYONE, REGISTERED):
        raise Invalid(f"what {audience} sees follows from the tier", hint="choose another tier")
    hide(work.session, dataset_id, audience)
    reindex(work.session, dataset_id)
    work.record_event("unshare", dataset_id, {"audience": audience})


def set_tier(work: UnitOfWork, dataset_id: str, tier: Tier, *, opens: datetime | None = None) -> Access:
    """Say whom the published versions of a dataset are for, now and later; no byte is copied for it.

    `opens`: when an embargo ends, and the dataset becomes public by itself. Raises `NotFound`, `Forbidden`, `Invalid`
    for an embargo without a day to come, `Conflict` for a tier less strict than that of a dataset it was made from.
    """
    work.ask(Right.ADMINISTER, dataset_id)
    if (tier is Tier.EMBARGOED) != (opens is not None):
        raise Invalid(f"tier {tier.value} {'needs' if opens is None else 'has no'} day on which it opens")
    if opens is not None and opens <= datetime.now(UTC):
        raise Invalid(f"the embargo would have ended on {opens.isoformat()}", hint="name a later moment")
    access = replace(access_of(work.session, dataset_id), tier=tier, opens=opens)
    check_tier(work.session, dataset_id, access)
    return _set_tier(work, dataset_id, tier, opens)


def _set_tier(work: UnitOfWork, dataset_id: str, tier: Tier, opens: datetime | None) -> Access:
    access = replace(access_of(work.session, dataset_id), tier=tier, opens=opens)
    set_access(work.session, dataset_id, access)
    apply_tier(work.session, dataset_id)
    reindex(work.session, dataset_id)
    work.record_event("set-tier", dataset_id, {"tier": tier.value, "opens": opens.isoformat() if opens else None})
    return access


def _open(work: UnitOfWork, dataset_id: str) -> None:
    """End an embargo; what was made from data that fewer may see by then stays with those."""
    held_back = less_open(work.session, dataset_id, Access())
    access = strictest(work.session, held_back)
    _set_tier(work, dataset_id, access.tier, access.opens)


def apply_tier(session: Session, dataset_id: str) -> None:
    """Show a dataset to those whom its tier names, once a version of it is published, and to no others of them."""
    # what was withdrawn leaves its record and its tombstone to those whom it was for
    published = version.c.dataset_id == dataset_id, version.c.state != VersionState.DRAFT.value
    is_published = session.scalar(select(version.c.id).where(*published).limit(1)) is not None
    shown = shown_by(access_of(session, dataset_id).tier) if is_published else {}
    for audience in (EVERYONE, REGISTERED):
        if audience in shown:
            show(session, dataset_id, audience, shown[audience])
        else:
            hide(session, dataset_id, audience)


def move(work: UnitOfWork, dataset_id: str, organisation_id: str | None) -> None:
    """Make an organisation the home of a dataset: its members have it by their roles, those of the old one no more.

    Who does it administers the dataset and may bring data into the organisation.
    """
    work.ask(Right.ADMINISTER, dataset_id)
    if organisation_id is not None:
        work.ask_in(Right.WRITE, organisation_id)
    access = access_of(work.session, dataset_id)
    if access.home is not None:
        hide(work.session, dataset_id, organisation_audience(access.home))
    settle(work.session, dataset_id, replace(access, home=organisation_id))
    reindex(work.session, dataset_id)
    work.record_event("move", dataset_id, {"from": access.home, "to": organisation_id})


def settle(session: Session, dataset_id: str, access: Access) -> None:
    """Write down whom a dataset is for, and give it to its home. Private to the rooms above."""
    set_access(session, dataset_id, access)
    if access.home is not None:
        show(session, dataset_id, organisation_audience(access.home), Right.ADMINISTER, given_by=access.made_by)


def hand_over(work: UnitOfWork, dataset_id: str, actor_id: str) -> None:
    """Give a dataset to somebody else, who administers it from now on; the giver keeps the right to read.

    An owner of the node, and who has the dataset through an organisation, keeps what that gives.
    """
    work.ask(Right.ADMINISTER, dataset_id)
    show(work.session, dataset_id, audience_of(actor_id), Right.ADMINISTER, given_by=work.actor.id)
    giver = audience_of(work.actor.id)
    if actor_id != work.actor.id and any(one.audience == giver for one in grants_on(work.session, dataset_id)):
        show(work.session, dataset_id, giver, Right.READ, given_by=work.actor.id)
    reindex(work.session, dataset_id)
    work.record_event("hand-over", dataset_id, {"to": actor_id})


def share_by_link(
    work: UnitOfWork,
    dataset_id: str,
    *,
    ends: datetime,
    right: Right = Right.READ,
    blind: bool = False,
    label: str = "",
) -> tuple[Link, str]:
    """A link by which whoever has it may view or read a dataset, its draft too where they may read, until `ends`; and
    the link's secret, which is told this once.

    Raises `NotFound`, `Forbidden`, `Invalid` for an end that is past or too far, or for a right to change, and
    `Conflict` while a person's data in it are in quarantine.
    """
    work.ask(Right.SHARE, dataset_id)
    if right not in (Right.VIEW, Right.READ):
        raise Invalid(f"a link can't give the right to {right.name.lower()}", hint="to view or to read")
    if right is Right.READ and agreements_on(work.session, dataset_id):
        raise Invalid("whoever comes by a link accepts no agreement, and can't read", hint="make a link to view")
    if not datetime.now(UTC) < ends <= datetime.now(UTC) + LONGEST_LINK:
        raise Invalid(f"the link would end on {ends.isoformat()}", hint=f"within {LONGEST_LINK.days} days from now")
    check_may_leave(work.session, dataset_id)
    made = new_link(dataset_id, right, ends, blind=blind, label=label.strip()[:_LABEL], made_by=work.actor.id)
    secret = add_link(work.session, made)
    show(work.session, dataset_id, link_audience(made.id), right, ends=ends, given_by=work.actor.id)
    told = {"link": made.id, "right": right.name.lower(), "ends": ends.isoformat(), "blind": blind}
    work.record_event("share-by-link", dataset_id, told)
    return made, secret


def end_link(work: UnitOfWork, dataset_id: str, link_id: str) -> None:
    """Have a link lead nowhere from now on. Raises `NotFound`."""
    work.ask(Right.SHARE, dataset_id)
    if not drop_link(work.session, dataset_id, link_id):
        raise NotFound(f"dataset {dataset_id} has no link {link_id}")
    hide(work.session, dataset_id, link_audience(link_id))
    work.record_event("end-link", dataset_id, {"link": link_id})


def who_may(database: Database, actor: Actor, dataset_id: str) -> tuple[Access, tuple[Grant, ...]]:
    """Whom a dataset is for, and who was given what on it. For those who may share it; raises `NotFound` and
    `Forbidden`."""
    with database.session() as session:
        check_right(session, actor, Right.SHARE, dataset_id)
        return access_of(session, dataset_id), grants_on(session, dataset_id)


def why(database: Database, actor: Actor, dataset_id: str) -> tuple[Grant, ...]:
    """By what `actor` has rights on a dataset, the highest first. Raises `NotFound` where by nothing."""
    with database.session() as session:
        if actor.is_owner:
            return (Grant("owner", actor.ceiling),)
        found = grants_to(session, actor, dataset_id)
    if not found:
        raise NotFound(f"there is no dataset {dataset_id}")
    return found


def do_what_is_due(database: Database) -> int:
    """Open the datasets whose embargo is over, and take back what was given until now; how many of both."""
    with database.session() as session:
        if not opening_now(session) and not ended_grants(session):
            return 0
    with UnitOfWork(database, PLATFORM) as work:
        work.ask(Right.ADMINISTER)
        # once more: another process may have been quicker
        opening, ended = opening_now(work.session), ended_grants(work.session)
        for dataset_id in opening:
            _open(work, dataset_id)
        for dataset_id, audience in ended:
            unshare(work, dataset_id, audience)
        work.record_event("do-what-is-due", "node", {"opened": len(opening), "ended": len(ended)})
    return len(opening) + len(ended)
