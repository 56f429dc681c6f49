"""Requests to read datasets, and the agreements that reading depends on."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query
from pydantic import AwareDatetime, BaseModel, Field
from starlette.requests import Request

from pulvinar.access.acceptances import accept, acceptances_by, acceptances_of, countersign, end_acceptance
from pulvinar.access.agreements import (
    agreements_on,
    attach,
    detach,
    get_agreement,
    renew_agreement,
    set_agreement,
)
from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue.datasets import get_dataset
from pulvinar.catalogue.requests import (
    LONGEST_TEXT,
    get_request,
    grant,
    own_requests,
    refuse,
    requests_to_decide,
    withdraw,
)
from pulvinar.catalogue.uses import matches
from pulvinar.errors import NotAuthenticated
from pulvinar.model.access import ANONYMOUS
from pulvinar.model.access_request import AccessRequest, RequestState
from pulvinar.model.agreement import Acceptance, Agreement, terms_from_json, terms_to_json
from pulvinar.platform import Platform
from pulvinar.web import notices
from pulvinar.web.context import CurrentActor, CurrentPlatform, DatasetId, refuse_other_sites
from pulvinar.web.forms import browser_of
from pulvinar.web.request_pages import asked_for

router = APIRouter(tags=["access"], dependencies=[Depends(refuse_other_sites)])

RequestId = Annotated[str, Path(max_length=100, description="Identifier of a request.")]
AgreementId = Annotated[str, Path(max_length=100, description="Identifier of an agreement.")]
AcceptanceId = Annotated[str, Path(max_length=100, description="Identifier of an acceptance.")]
OfVersion = Annotated[int | None, Query(ge=1, le=2**31 - 1, description="What an earlier version said.")]


class RequestIn(BaseModel):
    """What you ask for a dataset for."""

    purpose: str = Field(max_length=LONGEST_TEXT)
    stated: dict[str, str] = Field(default_factory=dict, description="Answers to what the codes of use ask.")


class DecisionIn(BaseModel):
    """What you say to who asked; `ends` of a request that is granted."""

    message: str = Field(default="", max_length=LONGEST_TEXT)
    ends: AwareDatetime | None = None


class MatchOut(BaseModel):
    """How a request stands to one code of use of its dataset."""

    code: str
    detail: str
    verdict: Literal["met", "not met", "a person must judge"]


class RequestOut(BaseModel):
    """A request to read a dataset."""

    id: str
    dataset_id: str
    account_id: str
    purpose: str
    stated: dict[str, str]
    state: RequestState
    made: datetime
    decided: datetime | None
    message: str
    ends: datetime | None
    matches: list[MatchOut]


class AgreementOut(BaseModel):
    """An agreement: what it says, in both languages."""

    id: str
    organisation_id: str | None
    dataset_id: str | None
    number: int
    digest: str = Field(description="SHA-256 of what it says: to be sent with what is accepted.")
    made: datetime
    terms: dict[str, Any]


class AcceptIn(BaseModel):
    """What you accept: the digest of the terms that you have read, and what they ask to be filled in."""

    digest: str = Field(max_length=64)
    values: dict[str, str] = Field(default_factory=dict)


class AcceptanceOut(BaseModel):
    """That somebody accepted an agreement."""

    id: str
    agreement_id: str
    number: int
    digest: str
    account_id: str
    name: str
    address: str
    accepted: datetime
    values: dict[str, str]
    counts_from: datetime | None = Field(description="Null as long as it waits to be countersigned.")
    countersigned_by: str | None
    ends: datetime | None


class ReasonIn(BaseModel):
    """Why."""

    reason: str = Field(max_length=1000)


@router.post("/datasets/{dataset_id}/requests", status_code=201)
def ask_for_access(
    platform: CurrentPlatform, actor: CurrentActor, dataset_id: DatasetId, asked: RequestIn
) -> RequestOut:
    """Ask to read a dataset. Whether there is one that you don't see, you are not told."""
    return _request_out(platform, asked_for(platform, actor, dataset_id, asked.purpose, asked.stated))


@router.get("/requests")
def list_requests(
    platform: CurrentPlatform,
    actor: CurrentActor,
    which: Annotated[Literal["own", "waiting", "decided"], Query(description="Yours, or those for you.")] = "own",
) -> list[RequestOut]:
    """Requests that you have made, or those for datasets that you may share, newest first."""
    if actor == ANONYMOUS:
        raise NotAuthenticated("nobody is signed in", hint="pulvinar login, or an access token")
    if which == "own":
        found = own_requests(platform.database, actor)
    else:
        found = requests_to_decide(platform.database, actor, decided=which == "decided")
    return [_request_out(platform, one.request) for one in found]


@router.get("/requests/{request_id}")
def get_one_request(platform: CurrentPlatform, actor: CurrentActor, request_id: RequestId) -> RequestOut:
    """One request, of yours or for you."""
    return _request_out(platform, get_request(platform.database, actor, request_id))


@router.post("/requests/{request_id}/grant")
def grant_request(
    platform: CurrentPlatform, actor: CurrentActor, request_id: RequestId, said: DecisionIn
) -> RequestOut:
    """Let who asked read the dataset; where an agreement binds it, once they have accepted that."""
    with UnitOfWork(platform.database, actor) as work:
        done = grant(work, request_id, ends=said.ends, message=said.message)
    notices.tell_applicant(platform, done)
    return _request_out(platform, done)


@router.post("/requests/{request_id}/refuse")
def refuse_request(
    platform: CurrentPlatform, actor: CurrentActor, request_id: RequestId, said: DecisionIn
) -> RequestOut:
    """Refuse a request."""
    with UnitOfWork(platform.database, actor) as work:
        done = refuse(work, request_id, message=said.message)
    notices.tell_applicant(platform, done)
    return _request_out(platform, done)


@router.post("/requests/{request_id}/withdraw")
def withdraw_request(platform: CurrentPlatform, actor: CurrentActor, request_id: RequestId) -> RequestOut:
    """Take back your own request."""
    with UnitOfWork(platform.database, actor) as work:
        done = withdraw(work, request_id)
    return _request_out(platform, done)


@router.get("/datasets/{dataset_id}/agreements")
def list_agreements(platform: CurrentPlatform, actor: CurrentActor, dataset_id: DatasetId) -> list[AgreementOut]:
    """The agreements that bind a dataset: it is read by who has accepted each."""
    get_dataset(platform.database, actor, dataset_id)
    with platform.database.session() as session:
        return [_agreement_out(one) for one in ([] if actor.is_blind else agreements_on(session, dataset_id))]


@router.post("/datasets/{dataset_id}/agreements", status_code=201)
def add_agreement(
    platform: CurrentPlatform, actor: CurrentActor, dataset_id: DatasetId, terms: dict[str, Any]
) -> AgreementOut:
    """Set an agreement of this dataset alone."""
    with UnitOfWork(platform.database, actor) as work:
        made = set_agreement(work, terms_from_json(terms), dataset_id=dataset_id, node=platform.settings.node)
    return _agreement_out(made)


@router.put("/datasets/{dataset_id}/agreements/{agreement_id}", status_code=204)
def attach_agreement(
    platform: CurrentPlatform, actor: CurrentActor, dataset_id: DatasetId, agreement_id: AgreementId
) -> None:
    """Bind a dataset by an agreement that you give."""
    with UnitOfWork(platform.database, actor) as work:
        attach(work, dataset_id, agreement_id)


@router.delete("/datasets/{dataset_id}/agreements/{agreement_id}", status_code=204)
def detach_agreement(
    platform: CurrentPlatform, actor: CurrentActor, dataset_id: DatasetId, agreement_id: AgreementId
) -> None:
    """Free a dataset of an agreement."""
    with UnitOfWork(platform.database, actor) as work:
        detach(work, dataset_id, agreement_id)


@router.post("/organisations/{organisation_id}/agreements", status_code=201)
def add_organisation_agreement(
    platform: CurrentPlatform,
    actor: CurrentActor,
    organisation_id: Annotated[str, Path(max_length=100, description="Identifier of an organisation.")],
    terms: dict[str, Any],
) -> AgreementOut:
    """Set an agreement of an organisation, to be attached to its datasets."""
    with UnitOfWork(platform.database, actor) as work:
        node = platform.settings.node
        made = set_agreement(work, terms_from_json(terms), organisation_id=organisation_id, node=node)
    return _agreement_out(made)


@router.get("/agreements/{agreement_id}")
def get_one_agreement(
    platform: CurrentPlatform, actor: CurrentActor, agreement_id: AgreementId, version: OfVersion = None
) -> AgreementOut:
    """What an agreement says, or said."""
    with platform.database.session() as session:
        return _agreement_out(get_agreement(session, actor, agreement_id, version))


@router.put("/agreements/{agreement_id}")
def change_agreement(
    platform: CurrentPlatform, actor: CurrentActor, agreement_id: AgreementId, terms: dict[str, Any]
) -> AgreementOut:
    """Have it say something else: a new version, which everybody is asked to accept anew."""
    with UnitOfWork(platform.database, actor) as work:
        return _agreement_out(renew_agreement(work, agreement_id, terms_from_json(terms)))


@router.post("/agreements/{agreement_id}/acceptances", status_code=201)
def accept_agreement(
    request: Request, platform: CurrentPlatform, actor: CurrentActor, agreement_id: AgreementId, said: AcceptIn
) -> AcceptanceOut:
    """Accept it, in person: by a browser, or a token that may do all that you may."""
    if actor == ANONYMOUS:
        raise NotAuthenticated("nobody is signed in", hint="pulvinar login, or an access token")
    with UnitOfWork(platform.database, actor) as work:
        address = browser_of(request).address
        made = accept(work, agreement_id, said.digest, said.values, address=address, node=platform.settings.node)
    notices.tell_givers(platform, made)
    return _acceptance_out(made)


@router.get("/agreements/{agreement_id}/acceptances")
def list_acceptances(
    platform: CurrentPlatform,
    actor: CurrentActor,
    agreement_id: AgreementId,
    which: Annotated[Literal["own", "all"], Query(description="Yours, or everybody's of one you give.")] = "own",
) -> list[AcceptanceOut]:
    """Who has accepted it, newest first."""
    with platform.database.session() as session:
        of = get_agreement(session, actor, agreement_id)
        found = acceptances_by(session, actor.id, of.id) if which == "own" else acceptances_of(session, actor, of)
    return [_acceptance_out(one) for one in found]


@router.post("/acceptances/{acceptance_id}/countersign")
def countersign_acceptance(
    platform: CurrentPlatform, actor: CurrentActor, acceptance_id: AcceptanceId
) -> AcceptanceOut:
    """Countersign what somebody has accepted."""
    with UnitOfWork(platform.database, actor) as work:
        done = countersign(work, acceptance_id)
    notices.tell_signer(platform, done)
    return _acceptance_out(done)


@router.post("/acceptances/{acceptance_id}/end")
def end_one_acceptance(
    platform: CurrentPlatform, actor: CurrentActor, acceptance_id: AcceptanceId, why: ReasonIn
) -> AcceptanceOut:
    """End what somebody has accepted; it stays as evidence."""
    with UnitOfWork(platform.database, actor) as work:
        return _acceptance_out(end_acceptance(work, acceptance_id, why.reason))


def _request_out(platform: Platform, one: AccessRequest) -> RequestOut:
    with platform.database.session() as session:
        found = matches(session, one)
    told = [MatchOut(code=each.code.code, detail=each.detail, verdict=each.verdict.value) for each in found]
    values = {name: getattr(one, name) for name in RequestOut.model_fields if name != "matches"}
    return RequestOut(**values, matches=told)


def _agreement_out(one: Agreement) -> AgreementOut:
    values = {name: getattr(one, name) for name in ("id", "organisation_id", "dataset_id", "number", "made")}
    return AgreementOut(**values, digest=one.terms.digest, terms=terms_to_json(one.terms))


def _acceptance_out(one: Acceptance) -> AcceptanceOut:
    return AcceptanceOut(**vars(one))
