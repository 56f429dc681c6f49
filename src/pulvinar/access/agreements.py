"""Agreements on the use of data: set, renewed, attached to datasets.

What they say is versioned, and no version is ever changed. What an acceptance opens is decided in `visibility`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import Select, delete, exists, insert, or_, select, update
from sqlalchemy.orm import Session

from pulvinar.access.agreement_tables import acceptance, agreement, agreement_version, dataset_agreement
from pulvinar.access.inheritance import made_from
from pulvinar.access.visibility import may, organisation_audience, visible
from pulvinar.access.work import UnitOfWork, may_in
from pulvinar.errors import Conflict, Invalid, NotFound
from pulvinar.model.access import Actor, Right
from pulvinar.model.agreement import Agreement, FieldKind, Terms, terms_from_json, terms_to_json
from pulvinar.model.identity import new_id

_LONGEST_TEXT = 100_000
_MOST_FIELDS = 30
_MOST_DAYS = 3660
_ORGANISATION = organisation_audience("")


def set_agreement(
    work: UnitOfWork,
    terms: Terms,
    *,
    organisation_id: str | None = None,
    dataset_id: str | None = None,
    node: str = "local",
) -> Agreement:
    """A new agreement of an organisation, or of one dataset, to which it is attached. By whoever administers it.

    Raises `NotFound`, `Forbidden`, `Invalid` for terms that nobody could accept.
    """
    if (organisation_id is None) == (dataset_id is None):
        raise Invalid("an agreement is of an organisation or of a dataset", hint="name one of the two")
    made = Agreement(new_id(node), organisation_id, dataset_id, 1, _checked(terms), datetime.now(UTC))
    work.ask_giver(Right.ADMINISTER, organisation_id, dataset_id)
    giver = organisation_audience(organisation_id) if organisation_id else None
    values = {"id": made.id, "giver": giver, "dataset_id": dataset_id, "number": 1}
    work.session.execute(insert(agreement).values(**values))
    _add_version(work, made)
    work.record_event("set-agreement", made.id, {"of": organisation_id or dataset_id, "digest": made.terms.digest})
    if dataset_id:
        attach(work, dataset_id, made.id)
    return made


def renew_agreement(work: UnitOfWork, agreement_id: str, terms: Terms) -> Agreement:
    """Have an agreement say something else: everybody is asked again, and what was accepted before lasts for the days
    of grace that the new terms name. Raises `Conflict` for terms that are the same."""
    before = read_agreement(work.session, agreement_id)
    work.ask_giver(Right.ADMINISTER, before.organisation_id, before.dataset_id)
    checked, now = _checked(terms), datetime.now(UTC)
    if checked.digest == before.terms.digest:
        raise Conflict("the agreement says this already", hint="change its text, its fields or its terms")
    made = Agreement(before.id, before.organisation_id, before.dataset_id, before.number + 1, checked, now)
    work.session.execute(update(agreement).where(agreement.c.id == before.id).values(number=made.number))
    _add_version(work, made)
    grace = now + timedelta(days=checked.grace_days)
    late = or_(acceptance.c.ends.is_(None), acceptance.c.ends > grace)
    work.session.execute(update(acceptance).where(acceptance.c.agreement_id == before.id, late).values(ends=grace))
    told = {"number": made.number, "digest": checked.digest, "grace": grace.isoformat()}
    work.record_event("renew-agreement", made.id, told)
    return made


def attach(work: UnitOfWork, dataset_id: str, agreement_id: str) -> None:
    """Bind a dataset, and all that was made from it, by an agreement. By whoever administers the dataset and is among
    the agreement's givers: nobody locks themselves out."""
    work.ask(Right.ADMINISTER, dataset_id)
    found = read_agreement(work.session, agreement_id)
    work.ask_giver(Right.WRITE, found.organisation_id, found.dataset_id)
    for one in (dataset_id, *sorted(made_from(work.session, dataset_id))):
        values = {"dataset_id": one, "agreement_id": agreement_id, "origin": dataset_id}
        known = exists().where(*(dataset_agreement.c[name] == value for name, value in values.items()))
        if not work.session.scalar(select(known)):
            work.session.execute(insert(dataset_agreement).values(**values))
    work.record_event("attach-agreement", dataset_id, {"agreement": agreement_id})


def detach(work: UnitOfWork, dataset_id: str, agreement_id: str) -> None:
    """Free a dataset of an agreement. Raises `Conflict` where it is bound because of what it was made from."""
    work.ask(Right.ADMINISTER, dataset_id)
    of = dataset_agreement.c.agreement_id == agreement_id
    ended = delete(dataset_agreement).where(of, dataset_agreement.c.origin == dataset_id)
    work.session.execute(ended)
    left = select(dataset_agreement.c.origin).where(of, dataset_agreement.c.dataset_id == dataset_id).limit(1)
    if origin := work.session.scalar(left):
        raise Conflict(
            f"dataset {dataset_id} was made from {origin}, which the agreement binds", hint="free that one first"
        )
    work.record_event("detach-agreement", dataset_id, {"agreement": agreement_id})


def read_agreement(session: Session, agreement_id: str, number: int | None = None) -> Agreement:
    """An agreement as it is now, or as an earlier version had it. Raises `NotFound`. Whoever asks may know it."""
    wanted = _agreements().where(agreement.c.id == agreement_id)
    if number is None:
        wanted = wanted.where(agreement_version.c.number == agreement.c.number)
    else:
        wanted = wanted.where(agreement_version.c.number == number)
    row = session.execute(wanted).first()
    if row is None:
        raise NotFound(f"there is no agreement {agreement_id}")
    return _agreement(row)


def get_agreement(session: Session, actor: Actor, agreement_id: str, number: int | None = None) -> Agreement:
    """As `read_agreement`, for those who see a dataset that it binds, give it, or have accepted it. Else `NotFound`, as
    for who looks blindly: it would tell who gives it."""
    found = read_agreement(session, agreement_id, number)
    binds = select(dataset_agreement.c.dataset_id).where(
        dataset_agreement.c.agreement_id == agreement_id, visible(actor, dataset_agreement.c.dataset_id)
    )
    mine = exists().where(acceptance.c.agreement_id == agreement_id, acceptance.c.account_id == actor.id)
    if actor.is_blind or not (
        gives(session, actor, Right.WRITE, found)
        or session.scalar(binds.limit(1)) is not None
        or session.scalar(select(mine))
    ):
        raise NotFound(f"there is no agreement {agreement_id}")
    return found


def agreements_on(session: Session, dataset_id: str) -> tuple[Agreement, ...]:
    """The agreements that bind a dataset, in the order in which they were made. Whoever asks sees the dataset."""
    on = select(dataset_agreement.c.agreement_id).where(dataset_agreement.c.dataset_id == dataset_id)
    now = agreement_version.c.number == agreement.c.number
    wanted = _agreements().where(agreement.c.id.in_(on), now).order_by(agreement.c.id)
    return tuple(map(_agreement, session.execute(wanted)))


def agreements_of(session: Session, organisation_id: str) -> tuple[Agreement, ...]:
    """The agreements of an organisation. Whoever asks is in it."""
    mine = agreement.c.giver == organisation_audience(organisation_id)
    now = agreement_version.c.number == agreement.c.number
    return tuple(map(_agreement, session.execute(_agreements().where(mine, now).order_by(agreement.c.id))))


def gives(session: Session, actor: Actor, right: Right, of: Agreement) -> bool:
    """Whether `actor` is among the givers of an agreement with `right`: in its organisation, or on its dataset."""
    if of.organisation_id is not None:
        return may_in(actor, right, of.organisation_id)
    return may(session, actor, right, str(of.dataset_id))


def _add_version(work: UnitOfWork, made: Agreement) -> None:
    values = {"agreement_id": made.id, "number": made.number, "digest": made.terms.digest, "made": made.made}
    values |= {"terms": terms_to_json(made.terms), "made_by": work.actor.id}
    work.session.execute(insert(agreement_version).values(**values))


def _agreements() -> Select[tuple[object, ...]]:
    joined = agreement.join(agreement_version, agreement_version.c.agreement_id == agreement.c.id)
    version = agreement_version.c.number.label("stated"), agreement_version.c.terms, agreement_version.c.made
    return select(agreement.c.id, agreement.c.giver, agreement.c.dataset_id, *version).select_from(joined)


def _agreement(row: object) -> Agreement:
    said: dict[str, object] = row._mapping  # type: ignore[attr-defined]
    giver = str(said["giver"]).removeprefix(_ORGANISATION) if said["giver"] else None
    terms = terms_from_json(said["terms"])  # type: ignore[arg-type]
    return Agreement(said["id"], giver, said["dataset_id"], said["stated"], terms, said["made"])  # type: ignore[arg-type]


def _checked(terms: Terms) -> Terms:
    for one, longest in ((terms.title, 200), (terms.text, _LONGEST_TEXT), *((one.label, 500) for one in terms.fields)):
        if not one.en.strip() or not one.zh.strip():
            raise Invalid("an agreement says everything in both languages", hint="title, text and each field")
        if max(len(one.en), len(one.zh)) > longest:
            raise Invalid("the agreement is too long", hint=f"a title has 200 characters, a text {_LONGEST_TEXT}")
    names = [one.name for one in terms.fields]
    if len(set(names)) < len(names) or len(names) > _MOST_FIELDS:
        raise Invalid("the fields of the agreement have the same name, or are too many", hint=f"up to {_MOST_FIELDS}")
    if any((one.kind is FieldKind.CHOICE) != bool(one.choices) for one in terms.fields):
        raise Invalid("a field that is a choice has choices, and no other has", hint="one choice a line")
    if not (0 <= terms.lasts_days <= _MOST_DAYS and 0 <= terms.grace_days <= _MOST_DAYS):
        raise Invalid(f"an acceptance lasts up to {_MOST_DAYS} days", hint="0 days: until it is ended")
    return terms
