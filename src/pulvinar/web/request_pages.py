"""Asking for a dataset, and the inbox: what waits for somebody, and what became of what they asked for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request, Response

from pulvinar.access.acceptances import acceptances_by, acceptances_to_sign, countersign, end_acceptance
from pulvinar.access.agreements import read_agreement
from pulvinar.access.deciders import accounts_named
from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue.datasets import get_dataset
from pulvinar.catalogue.requests import (
    LONGEST_TEXT,
    Told,
    ask_for,
    grant,
    own_requests,
    refuse,
    requests_to_decide,
    withdraw,
)
from pulvinar.catalogue.uses import grant_by_itself, known_answers, matches, use_of
from pulvinar.errors import Conflict, Invalid, NotFound, PulvinarError, TooOften
from pulvinar.model.access import Actor
from pulvinar.model.access_request import AccessRequest
from pulvinar.model.account import Account
from pulvinar.model.agreement import Acceptance, Agreement
from pulvinar.model.identity import check_id
from pulvinar.model.use_matching import QUESTIONS, Match, questions_for
from pulvinar.platform import Platform
from pulvinar.web import notices
from pulvinar.web.context import CurrentAccount, CurrentActor, CurrentPlatform, DatasetId, refuse_other_sites
from pulvinar.web.dataset_terms import state_of, terms_of
from pulvinar.web.forms import Form, SentForm, go_to, private_page

router = APIRouter(include_in_schema=False, dependencies=[Depends(refuse_other_sites)])

_SAID = (Invalid, Conflict, TooOften)
_DECIDED_SHOWN = 20

Id = Annotated[str, Path(max_length=100)]


@dataclass(frozen=True)
class Shown:
    """A request in the inbox of who decides: by whom, and how it stands to the codes of use."""

    request: AccessRequest
    title: str
    account: Account | None
    matches: tuple[Match, ...]


@dataclass(frozen=True)
class Signing:
    """An acceptance with its agreement as it was accepted."""

    acceptance: Acceptance
    agreement: Agreement


@router.get("/datasets/{dataset_id}/request")
def show_form(
    request: Request, platform: CurrentPlatform, actor: CurrentActor, account: CurrentAccount, dataset_id: DatasetId
) -> Response:
    """The form to ask for a dataset; the same for one that isn't there as for one that the actor doesn't see."""
    return _form(request, platform, actor, dataset_id)


@router.post("/datasets/{dataset_id}/request")
def ask(
    request: Request,
    platform: CurrentPlatform,
    actor: CurrentActor,
    account: CurrentAccount,
    dataset_id: DatasetId,
    form: SentForm,
) -> Response:
    """Ask for it."""
    try:
        asked_for(platform, actor, dataset_id, form["purpose"], form)
    except _SAID as error:
        return _form(request, platform, actor, dataset_id, error, form)
    return go_to("/inbox")


def asked_for(
    platform: Platform, actor: Actor, dataset_id: str, purpose: str, stated: Form | dict[str, str]
) -> AccessRequest:
    """Ask for a dataset, and tell those who decide; or have it granted at once, where the dataset is set so."""
    with UnitOfWork(platform.database, actor) as work:
        made = ask_for(work, dataset_id, purpose, known_answers(stated), node=platform.settings.node)
    found = grant_by_itself(platform.database, made)
    if found.is_open:
        notices.tell_deciders(platform, made)
    return found


def _form(
    request: Request,
    platform: Platform,
    actor: Actor,
    dataset_id: str,
    trouble: PulvinarError | None = None,
    form: Form | None = None,
) -> Response:
    try:
        title = get_dataset(platform.database, actor, check_id(dataset_id)).record.title
    except NotFound:
        title = ""
    terms = terms_of(platform, actor, dataset_id)
    with platform.database.session() as session:
        codes = use_of(session, dataset_id).codes if title else {}
    values = {
        "dataset_id": dataset_id,
        "title": title,
        "terms": terms,
        "questions": questions_for(codes),
        "longest": LONGEST_TEXT,
        "form": form or Form({}),
    }
    return private_page(request, "request.html", values, trouble)


@router.get("/inbox")
def inbox(request: Request, platform: CurrentPlatform, actor: CurrentActor, account: CurrentAccount) -> Response:
    """What waits for whoever is signed in, and what became of what they asked for."""
    return _inbox(request, platform, actor)


def _inbox(request: Request, platform: Platform, actor: Actor, trouble: PulvinarError | None = None) -> Response:
    waiting = _shown(platform, requests_to_decide(platform.database, actor))
    decided = requests_to_decide(platform.database, actor, decided=True)[:_DECIDED_SHOWN]
    with platform.database.session() as session:
        to_sign = [_signing(session, one) for one in acceptances_to_sign(session, actor)]
        mine = acceptances_by(session, actor.id)
        agreements = [
            state_of(read_agreement(session, one), (a for a in mine if a.agreement_id == one))
            for one in dict.fromkeys(a.agreement_id for a in mine)
        ]
    values = {
        "waiting": waiting,
        "to_sign": to_sign,
        "own": own_requests(platform.database, actor),
        "decided": _shown(platform, decided),
        "agreements": agreements,
        "questions": QUESTIONS,
        "today": datetime.now(UTC).date(),
    }
    return private_page(request, "inbox.html", values, trouble)


def _signing(session: Any, one: Acceptance) -> Signing:
    return Signing(one, read_agreement(session, one.agreement_id, one.number))


def _shown(platform: Platform, told: Iterable[Told]) -> list[Shown]:
    found = list(told)
    with platform.database.session() as session:
        people = accounts_named(session, (one.request.account_id for one in found))
        return [
            Shown(one.request, one.title, people.get(one.request.account_id), matches(session, one.request))
            for one in found
        ]


@router.post("/inbox/requests/{request_id}/{decision}")
def decide(
    request: Request,
    platform: CurrentPlatform,
    actor: CurrentActor,
    account: CurrentAccount,
    request_id: Id,
    decision: Annotated[str, Path(pattern="^(grant|refuse|withdraw)$")],
    form: SentForm,
) -> Response:
    """Grant or refuse a request, or withdraw one's own."""
    try:
        with UnitOfWork(platform.database, actor) as work:
            if decision == "withdraw":
                done = withdraw(work, request_id)
            elif decision == "refuse":
                done = refuse(work, request_id, message=form["message"])
            else:
                done = grant(work, request_id, ends=last_moment(form["ends"]), message=form["message"])
    except _SAID as error:
        return _inbox(request, platform, actor, error)
    if decision != "withdraw":
        notices.tell_applicant(platform, done)
    return go_to("/inbox")


@router.post("/inbox/acceptances/{acceptance_id}/{signing}")
def sign(
    request: Request,
    platform: CurrentPlatform,
    actor: CurrentActor,
    account: CurrentAccount,
    acceptance_id: Id,
    signing: Annotated[str, Path(pattern="^(countersign|end)$")],
    form: SentForm,
) -> Response:
    """Countersign what somebody has accepted, or end it."""
    try:
        with UnitOfWork(platform.database, actor) as work:
            if signing == "end":
                done = end_acceptance(work, acceptance_id, form["reason"])
                return go_to(f"/agreements/{done.agreement_id}")
            done = countersign(work, acceptance_id)
    except _SAID as error:
        return _inbox(request, platform, actor, error)
    notices.tell_signer(platform, done)
    return go_to("/inbox")


def last_moment(day: str) -> datetime | None:
    """The end of a day (UTC) that a form names; None for none. Raises `Invalid` for what is no day."""
    if not day.strip():
        return None
    try:
        return datetime.combine(datetime.strptime(day.strip(), "%Y-%m-%d").date(), time.max, UTC)
    except ValueError as error:
        raise Invalid("this is no day", hint="as 2027-01-31") from error
