"""What an actor may see: one meaning, for a list, a look-up and a search.

A dataset is shown to an audience: to everyone, to whoever has signed in, to a group, or to one actor. An actor belongs
to some audiences and sees what is shown to any of them; an owner of the node sees all. What a group was given, a member
has as far as the own role in it goes.

What was given to read or more, on a dataset with an agreement, counts as to see until the actor has accepted it, and
once that has lapsed; the agreement's own givers are not bound by it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from itertools import compress
from typing import NamedTuple

from sqlalchemy import (
    ColumnClause,
    ColumnElement,
    Executable,
    FromClause,
    Select,
    String,
    and_,
    bindparam,
    column,
    delete,
    false,
    insert,
    literal,
    not_,
    or_,
    select,
    table,
    true,
    union,
)
from sqlalchemy.orm import Session

from pulvinar.access.agreement_tables import acceptance, agreement, dataset_agreement
from pulvinar.access.tables import granted
from pulvinar.model.access import Actor, Grant, Right
from pulvinar.storage.database import UtcDateTime

EVERYONE = "everyone"
REGISTERED = "registered"
_LINK = "link:"
KEPT = 256
"""For so many actors statements are kept that ask for what they may see: to write one takes longer than to ask."""

# The room above owns this table; here only what never changes of a dataset matters.
_dataset = table("dataset", column("id"), column("seq"), column("species"))


def audience_of(actor_id: str) -> str:
    """The audience that is one actor alone."""
    return f"actor:{actor_id}"


def organisation_audience(organisation_id: str) -> str:
    """The audience that is the members of an organisation."""
    return f"organisation:{organisation_id}"


def link_audience(link_id: str) -> str:
    """The audience that is whoever comes by a link."""
    return f"{_LINK}{link_id}"


def audiences(actor: Actor, right: Right = Right.SEE) -> tuple[str, ...]:
    """The audiences by which `actor` may have `right`."""
    if actor.lacks_factor:
        return (EVERYONE,)
    return EVERYONE, audience_of(actor.id), *(one.audience for one in actor.memberships if one.most >= right)


def is_signed_in(actor: Actor) -> bool:
    """Whether there is somebody whom a thing could belong to: no visitor, and none who came by a link."""
    return actor.is_owner or any(one.audience == REGISTERED for one in actor.memberships)


def visible(
    actor: Actor, dataset_id: ColumnElement[str], right: Right = Right.SEE, *, by_name: bool = False
) -> ColumnElement[bool]:
    """The condition that `actor` has `right` (to see, unless said otherwise) on the dataset of a row.

    `by_name`: because the dataset was shown to the actor or to a group of the actor's, and not to everyone or to all
    who have signed in. It costs one look into an index for each row that is asked about.
    """
    # of a column of a table it is asked again and again; of a value only once
    known = _visible if isinstance(dataset_id, ColumnClause) else _visible.__wrapped__
    return known(actor, dataset_id, right, by_name)


@lru_cache(4 * KEPT)
def _visible(actor: Actor, dataset_id: ColumnElement[str], right: Right, by_name: bool) -> ColumnElement[bool]:
    if right > actor.ceiling:
        return false()
    if actor.is_owner:
        return true()
    by = audiences(actor, right)
    if by_name:
        by = tuple(one for one in by if one not in (EVERYONE, REGISTERED))
    shown = select(literal(1)).where(
        granted.c.dataset_id == dataset_id, granted.c.audience.in_(by), granted.c.level >= right, lasts()
    )
    if right > Right.SEE:
        shown = shown.where(or_(granted.c.level < Right.READ, not_(bound(actor, granted.c.dataset_id))))
    return shown.exists()


# Under names of their own: the row that is asked about may be one of these tables itself.
_BOUND = dataset_agreement.alias("bound_on"), agreement.alias("bound_by"), granted.alias("bound_kept")


def bound(actor: Actor, dataset_id: ColumnElement[str]) -> ColumnElement[bool]:
    """The condition that an agreement on the dataset of a row keeps `actor`, who gives it not and has no acceptance of
    it that counts now, from what was given."""
    now, writes = _now(), audiences(actor, Right.WRITE)
    on, of, kept = _BOUND
    accepted = select(literal(1)).where(
        acceptance.c.agreement_id == of.c.id,
        acceptance.c.account_id == actor.id,
        acceptance.c.counts_from <= now,
        or_(acceptance.c.ends.is_(None), acceptance.c.ends > now),
    )
    of_dataset = select(literal(1)).where(
        kept.c.dataset_id == of.c.dataset_id,
        kept.c.audience.in_(writes),
        kept.c.level >= Right.WRITE,
        or_(kept.c.ends.is_(None), kept.c.ends > now),
    )
    gives = or_(and_(of.c.giver.is_not(None), of.c.giver.in_(writes)), of_dataset.correlate_except(kept).exists())
    unmet = (
        select(literal(1))
        .select_from(on.join(of, of.c.id == on.c.agreement_id))
        .where(on.c.dataset_id == dataset_id, not_(accepted.correlate_except(acceptance).exists()), not_(gives))
    )
    return unmet.correlate_except(on, of).exists()


def lasts() -> ColumnElement[bool]:
    """The condition that what a row of `granted` gives has not ended."""
    return or_(granted.c.ends.is_(None), granted.c.ends > _now())


def _now() -> ColumnElement[datetime]:
    """The moment at which a statement is run, not that at which it was written: it may be kept and run again."""
    return bindparam(None, callable_=lambda: datetime.now(UTC), type_=UtcDateTime(), unique=True)


def newest_visible(actor: Actor, *, species: str | None, below: int | None, limit: int) -> Select[tuple[int]]:
    """The numbers (`seq`) of the newest `limit` datasets that `actor` may see, below a number, newest first.

    Each audience walks its own index as far as the page needs, and no further; UNION takes out what two of them give.
    """
    if actor.is_owner:
        return _newest(select(_dataset.c.seq), _dataset, species, below, limit)
    walks = []
    for audience in audiences(actor):
        shown = select(granted.c.seq).where(granted.c.audience == audience, granted.c.level >= Right.SEE, lasts())
        walks.append(select(_newest(shown, granted, species, below, limit).subquery()))
    either = union(*walks).subquery("either")
    return select(either.c.seq).order_by(either.c.seq.desc()).limit(limit)


def _newest(
    rows: Select[tuple[int]], source: FromClause, species: str | None, below: int | None, limit: int
) -> Select[tuple[int]]:
    if species:
        rows = rows.where(source.c.species == species)
    if below is not None:
        rows = rows.where(source.c.seq < below)
    return rows.order_by(source.c.seq.desc()).limit(limit)


def may(session: Session, actor: Actor, right: Right, dataset_id: str) -> bool:
    """Whether `actor` has `right` on a dataset."""
    return session.scalar(select(visible(actor, literal(dataset_id), right))) or False


def may_among(session: Session, actor: Actor, right: Right, dataset_ids: Sequence[str]) -> frozenset[str]:
    """The datasets among these on which `actor` has `right`, by one statement."""
    wanted = select(_dataset.c.id).where(_dataset.c.id.in_(dataset_ids), visible(actor, _dataset.c.id, right))
    return frozenset(session.scalars(wanted)) if dataset_ids else frozenset()


def grants_to(session: Session, actor: Actor, dataset_id: str) -> tuple[Grant, ...]:
    """By what an actor who is no owner of the node has rights on a dataset, the highest first: the reasons of `may`."""
    most = {EVERYONE: Right.ADMINISTER, audience_of(actor.id): Right.ADMINISTER}
    most |= {one.audience: one.most for one in actor.memberships}
    by = audiences(actor)
    most = {one: right for one, right in most.items() if one in by}
    mine = granted.c.dataset_id == dataset_id, granted.c.audience.in_(most), lasts()
    rows = session.execute(select(granted).where(*mine)).all()
    held = any(row.level >= Right.READ for row in rows) and session.scalar(select(bound(actor, literal(dataset_id))))
    found = []
    for row in rows:
        awaits = bool(held) and row.level >= Right.READ
        right = Right.SEE if awaits else min(Right(row.level), most[row.audience], actor.ceiling)
        found.append(Grant(row.audience, right, row.given_by, row.ends, awaits_agreement=awaits))
    return tuple(sorted(found, key=lambda one: (-one.right, one.audience)))


def highest_right(session: Session, actor: Actor, dataset_id: str) -> Right | None:
    """The most that `actor` may do to a dataset; None where it doesn't exist for the actor."""
    if actor.is_owner:
        return actor.ceiling
    return max((one.right for one in grants_to(session, actor, dataset_id)), default=None)


def grants_on(session: Session, dataset_id: str) -> tuple[Grant, ...]:
    """Who was given what on a dataset, the highest right first."""
    rows = session.execute(select(granted).where(granted.c.dataset_id == dataset_id, lasts()))
    found = (Grant(row.audience, Right(row.level), row.given_by, row.ends) for row in rows)
    return tuple(sorted(found, key=lambda one: (-one.right, one.audience)))


def given_by_name(session: Session, audience: str) -> tuple[tuple[str, Right, datetime | None], ...]:
    """The datasets that an audience was given, with the right and until when. Whoever asks may know it."""
    mine = select(granted).where(granted.c.audience == audience, lasts()).order_by(granted.c.seq)
    return tuple((row.dataset_id, Right(row.level), row.ends) for row in session.execute(mine))


def ended_grants(session: Session, limit: int = 100) -> tuple[tuple[str, str], ...]:
    """The dataset and the audience of what was given for a time that is over, and still stands."""
    over = select(granted.c.dataset_id, granted.c.audience).where(granted.c.ends <= datetime.now(UTC)).limit(limit)
    return tuple((row.dataset_id, row.audience) for row in session.execute(over))


class Given(NamedTuple):
    """To which audiences anything was given at all.

    `shared` are those of an actor apart from everyone, and from links: what a link shows is not searched for, or a
    search could tell the names that it hides. By `drafts` the actor may see drafts, being named to read. `to_some`:
    whether anything is shown to some, whoever they are, and not to all.
    """

    shared: tuple[str, ...]
    drafts: tuple[str, ...]
    to_some: bool


def given_audiences(session: Session, actor: Actor) -> Given:
    """What was given to the audiences of `actor`, in one statement: each a look into the index."""
    wanted, shared, drafts = _asked_of(actor)
    before, after, *found = session.execute(wanted).one()
    return Given(
        tuple(compress(shared, found)), tuple(compress(drafts, found[len(shared) :])), to_some=bool(before or after)
    )


@lru_cache(KEPT)
def _asked_of(actor: Actor) -> tuple[Executable, list[str], list[str]]:
    """Whether there is anything before everyone and after, and for each of the audiences that follow."""
    shared = [one for one in audiences(actor) if one != EVERYONE and not one.startswith(_LINK)]
    drafts = [one for one in audiences(actor, Right.READ) if _is_named(one)]
    # SQLite, which counts how many rows an audience has on average, would rather go through all of them
    some = select(literal(1)).select_from(granted).with_hint(granted, "INDEXED BY granted_by_audience", "sqlite")
    asked = [granted.c.audience < EVERYONE, granted.c.audience > EVERYONE]
    asked += [granted.c.audience == one for one in shared]
    asked += [and_(granted.c.audience == one, granted.c.level >= Right.READ) for one in drafts]
    ways = (some.where(one).exists().label(f"way{at}") for at, one in enumerate(asked))
    return select(*ways), shared, drafts


def readers_by_name(session: Session, dataset_id: str) -> tuple[str, ...]:
    """The audiences that were given a dataset by name, to read or more."""
    named = granted.c.dataset_id == dataset_id, granted.c.level >= Right.READ, lasts()
    return tuple(filter(_is_named, session.scalars(select(granted.c.audience).where(*named))))


def _is_named(audience: str) -> bool:
    return audience not in (EVERYONE, REGISTERED) and not audience.startswith(_LINK)


def show(
    session: Session,
    dataset_id: str,
    audience: str,
    right: Right,
    *,
    ends: datetime | None = None,
    given_by: str | None = None,
) -> None:
    """Give an audience `right` on a dataset instead of what it had, until `ends`.

    Private to the rooms above, which ask whether it is allowed, and keep the search in step with it.
    """
    hide(session, dataset_id, audience)
    given = literal(audience), literal(int(right)), literal(ends, UtcDateTime()), literal(given_by, String())
    of = select(_dataset.c.id, *given, _dataset.c.seq, _dataset.c.species)
    columns = ["dataset_id", "audience", "level", "ends", "given_by", "seq", "species"]
    session.execute(insert(granted).from_select(columns, of.where(_dataset.c.id == dataset_id)))


def hide(session: Session, dataset_id: str, audience: str) -> None:
    """Take from an audience what it was given on a dataset."""
    session.execute(delete(granted).where(granted.c.dataset_id == dataset_id, granted.c.audience == audience))


def shown_to(session: Session, dataset_id: str) -> tuple[str, ...]:
    """The audiences that see a dataset."""
    return tuple(session.scalars(select(granted.c.audience).where(granted.c.dataset_id == dataset_id, lasts())))
