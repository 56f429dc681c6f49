"""The pages on which owners look after accounts: who there is, invitations, services, and what to do in need."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from pulvinar.access import accounts, joining, letters, recovery
from pulvinar.access.tokens import MOST_DAYS, list_tokens, make_token, revoke_token
from pulvinar.access.work import UnitOfWork
from pulvinar.errors import Conflict, Invalid, PulvinarError
from pulvinar.model.account import Account
from pulvinar.platform import Platform
from pulvinar.web.context import CurrentActor, CurrentPlatform, refuse_other_sites
from pulvinar.web.forms import Form, SentForm, go_to, link_to, private_page
from pulvinar.web.joining_pages import host_of
from pulvinar.web.phrases import RIGHTS
from pulvinar.web.profile_pages import asked_token

router = APIRouter(prefix="/accounts", include_in_schema=False, dependencies=[Depends(refuse_other_sites)])

_PAGE_SIZE = 50
_SAID = (Invalid, Conflict)

AccountId = Annotated[str, Path(max_length=100)]
Words = Annotated[str, Query(max_length=200)]


@router.get("")
def show_all(
    request: Request,
    platform: CurrentPlatform,
    actor: CurrentActor,
    q: Words = "",
    after: Annotated[str, Query(max_length=64)] = "",
) -> Response:
    """The accounts."""
    found = accounts.list_accounts(platform.database, actor, words=q, after=after, limit=_PAGE_SIZE + 1)
    return _list(request, found, q=q)


def _list(
    request: Request,
    found: tuple[Account, ...],
    trouble: PulvinarError | None = None,
    *,
    q: str = "",
    **shown: Any,
) -> Response:
    more = found[_PAGE_SIZE - 1].login if len(found) > _PAGE_SIZE else ""
    values = {"accounts": found[:_PAGE_SIZE], "more": more, "query": q, "link": "", "sent_to": "", **shown}
    return private_page(request, "accounts.html", values, trouble)


@router.post("/invite")
def invite(request: Request, platform: CurrentPlatform, actor: CurrentActor, form: SentForm) -> Response:
    """Invite somebody by mail, and show the link, which can be handed over in another way."""
    trouble: PulvinarError | None = None
    shown: dict[str, Any] = {"form": form}
    try:
        with UnitOfWork(platform.database, actor) as work:
            secret = joining.invite(work, form["email"], is_owner=form["is_owner"] == "true")
        link = link_to(platform, f"/join?link={secret}")
        to = accounts.checked_email(form["email"])
        platform.postman.send(letters.invitation(to, link, host_of(platform)))
        shown = {"link": link, "sent_to": to}
    except Invalid as error:
        trouble = error
    found = accounts.list_accounts(platform.database, actor, limit=_PAGE_SIZE + 1)
    return _list(request, found, trouble, **shown)


@router.post("/services")
def add_service(request: Request, platform: CurrentPlatform, actor: CurrentActor, form: SentForm) -> Response:
    """Make an account for a program."""
    try:
        with UnitOfWork(platform.database, actor) as work:
            made = joining.make_service(work, form["login"], form["name"], node=platform.settings.node)
    except _SAID as error:
        found = accounts.list_accounts(platform.database, actor, limit=_PAGE_SIZE + 1)
        return _list(request, found, error, form=form)
    return go_to(f"/accounts/{made.id}")


@router.get("/{account_id}")
def show_one(request: Request, platform: CurrentPlatform, actor: CurrentActor, account_id: AccountId) -> Response:
    """One account, and what can be done about it."""
    return _one(request, platform, actor, account_id)


def _one(
    request: Request,
    platform: Platform,
    actor: CurrentActor,
    account_id: str,
    trouble: PulvinarError | None = None,
    **shown: Any,
) -> Response:
    # who may not list accounts learns nothing of one, either
    accounts.list_accounts(platform.database, actor, limit=1)
    values = {
        "account": accounts.get_account(platform.database, actor, account_id),
        "tokens": list_tokens(platform.database, actor, account_id),
        "rights": RIGHTS,
        "most_days": MOST_DAYS,
        "new_token": "",
        "link": "",
        "is_oneself": account_id == actor.id,
        **shown,
    }
    return private_page(request, "account.html", values, trouble)


@router.post("/{account_id}/tokens")
def add_token(
    request: Request, platform: CurrentPlatform, actor: CurrentActor, account_id: AccountId, form: SentForm
) -> Response:
    """Make a token of a service, and show it this once."""
    try:
        ceiling, days = asked_token(form)
        with UnitOfWork(platform.database, actor) as work:
            _, secret = make_token(work, account_id, form["name"], ceiling, days)
    except _SAID as error:
        return _one(request, platform, actor, account_id, error, form=form)
    return _one(request, platform, actor, account_id, new_token=secret)


@router.post("/{account_id}/{action}")
def act(
    request: Request,
    platform: CurrentPlatform,
    actor: CurrentActor,
    account_id: AccountId,
    action: Annotated[str, Path(pattern="^(disable|enable|reset|owner|no-owner|revoke)$")],
    form: SentForm,
) -> Response:
    """Disable, enable or reset an account, make it an owner or no longer, revoke one of its tokens."""
    try:
        with UnitOfWork(platform.database, actor) as work:
            link = _done(work, action, account_id, form)
    except _SAID as error:
        return _one(request, platform, actor, account_id, error, form=form)
    if link:
        return _one(request, platform, actor, account_id, link=link_to(platform, f"/new-password?link={link}"))
    return go_to(f"/accounts/{account_id}")


def _done(work: UnitOfWork, action: str, account_id: str, form: Form) -> str:
    """Do it; of a reset, the link to hand over."""
    if action == "reset":
        return recovery.reset_link(work, account_id)
    if action == "disable":
        accounts.disable(work, account_id, form["reason"])
    elif action == "enable":
        accounts.enable(work, account_id)
    elif action == "revoke":
        revoke_token(work, account_id, form["id"])
    else:
        accounts.make_owner(work, account_id, is_owner=action == "owner")
    return ""
