"""What a dataset may be used for: its codes of use, and whether a request that meets all of them is granted at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from pulvinar.access.accounts import actor_for, read_account
from pulvinar.access.agreement_tables import dataset_use
from pulvinar.access.visibility import may
from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue.requests import grant
from pulvinar.errors import Invalid
from pulvinar.model.access import PLATFORM, Actor, Right
from pulvinar.model.access_request import AccessRequest
from pulvinar.model.use_codes import USE_CODES
from pulvinar.model.use_matching import QUESTIONS, Match, Verdict, match
from pulvinar.storage.database import Database

_LONGEST = 500
MOST_DAYS = 3660


@dataclass(frozen=True)
class DatasetUse:
    """The codes of a dataset, each with its detail. `by_itself`: a request of somebody with an account that meets all
    of them is granted at once, for `days`."""

    codes: Mapping[str, str] = field(default_factory=dict)
    by_itself: bool = False
    days: int = 365


def use_of(session: Session, dataset_id: str) -> DatasetUse:
    """What a dataset may be used for. Whoever asks sees it."""
    row = session.execute(select(dataset_use).where(dataset_use.c.dataset_id == dataset_id)).first()
    return DatasetUse(row.codes, row.by_itself, row.days) if row else DatasetUse()


def use_told(session: Session, actor: Actor, dataset_id: str) -> DatasetUse:
    """What a dataset may be used for, as `actor` is told it: a detail may name a lab or a person."""
    use = use_of(session, dataset_id)
    return replace(use, codes=dict.fromkeys(use.codes, "")) if actor.is_blind else use


def set_use(work: UnitOfWork, dataset_id: str, use: DatasetUse) -> None:
    """Say what a dataset may be used for. Raises `NotFound`, `Forbidden`, `Invalid` for a code that there isn't, or one
    that lacks its detail."""
    work.ask(Right.ADMINISTER, dataset_id)
    codes = {code: " ".join(detail.split())[:_LONGEST] for code, detail in use.codes.items()}
    if unknown := sorted(set(codes) - set(USE_CODES)):
        raise Invalid(f"{unknown[0]!r} is no code of use", hint=f"known: {', '.join(USE_CODES)}")
    for code, detail in codes.items():
        if USE_CODES[code].detail is not None and not detail:
            raise Invalid(f"the code {code} lacks its detail", hint="say which")
    if not 1 <= use.days <= MOST_DAYS:
        raise Invalid(f"access is given for 1 to {MOST_DAYS} days")
    if use.by_itself and not codes:
        raise Invalid("nothing is granted at once without a code", hint="choose the tier for all with an account")
    work.session.execute(delete(dataset_use).where(dataset_use.c.dataset_id == dataset_id))
    values = {"dataset_id": dataset_id, "codes": codes, "by_itself": use.by_itself, "days": use.days}
    work.session.execute(insert(dataset_use).values(**values))
    work.record_event("set-use", dataset_id, {"codes": codes, "by_itself": use.by_itself, "days": use.days})


def matches(session: Session, request: AccessRequest) -> tuple[Match, ...]:
    """How a request stands to the codes of its dataset as they are now. Whoever asks may know both."""
    return match(
        use_of(session, request.dataset_id).codes, {**request.stated, **_applicant(session, request.account_id)}
    )


def known_answers(stated: Mapping[str, str]) -> dict[str, str]:
    """Those of the answers that a code of use asks for, as they are kept with a request."""
    asked = {one.name for one in QUESTIONS}
    return {name: said.strip()[:_LONGEST] for name, said in stated.items() if name in asked and said.strip()}


def grant_by_itself(database: Database, request: AccessRequest) -> AccessRequest:
    """Grant a request at once where its dataset is set so, every code is met and the applicant sees the dataset (it is
    under no embargo, and not private); else it waits for a person."""
    with database.session() as session:
        applicant = actor_for(session, read_account(session, request.account_id))
        if not may(session, applicant, Right.SEE, request.dataset_id):
            return request
        use = use_of(session, request.dataset_id)
        found = matches(session, request)
    if not (request.is_open and use.by_itself and found and all(one.verdict is Verdict.MET for one in found)):
        return request
    with UnitOfWork(database, PLATFORM) as work:
        return grant(work, request.id, ends=datetime.now(UTC) + timedelta(days=use.days))


def _applicant(session: Session, account_id: str) -> dict[str, str]:
    account = read_account(session, account_id)
    return {"login": account.login, "orcid": account.profile.orcid}
