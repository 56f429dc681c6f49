"""Who you are here: your account, your access tokens, and the browsers in which you are signed in."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field
from starlette.requests import Request

from pulvinar.access import device_login
from pulvinar.access.accounts import describe, get_account
from pulvinar.access.attempts import begin, of_address
from pulvinar.access.sign_ins import end_sign_in, list_sign_ins
from pulvinar.access.tokens import MOST_DAYS, give_back, list_tokens, make_token, revoke_token
from pulvinar.access.work import UnitOfWork
from pulvinar.errors import Invalid, NotAuthenticated
from pulvinar.model.access import ANONYMOUS, Actor, Right
from pulvinar.model.account import AccessToken, Account, Profile
from pulvinar.operations.own_data import own_data
from pulvinar.web.api.audit import LINES
from pulvinar.web.context import BrowserAccount, CurrentAccount, CurrentActor, CurrentPlatform, refuse_other_sites
from pulvinar.web.forms import browser_of, link_to, only_public
from pulvinar.web.identification import bearer_of, cookie_of

router = APIRouter(prefix="/me", tags=["me"], dependencies=[Depends(refuse_other_sites)])
device_router = APIRouter(
    prefix="/device-logins", tags=["me"], dependencies=[Depends(refuse_other_sites), Depends(only_public)]
)

RightName = Literal["see", "view", "read", "write", "share", "administer"]
TokenId = Annotated[str, Path(max_length=100, description="Identifier of an access token.")]
SignInId = Annotated[str, Path(max_length=100, description="Identifier of a sign-in.")]


class ProfileIn(BaseModel):
    """What you say of yourself. Where mail goes is changed on your page alone."""

    name: str = Field(max_length=400)
    orcid: str = Field(default="", max_length=60)
    lab: str = Field(default="", max_length=400)


class MeOut(BaseModel):
    """Who sends the request."""

    id: str
    name: str
    login: str = Field(description="Empty where nobody signs in, because whoever reaches the server is its owner.")
    email: str
    orcid: str
    lab: str
    kind: Literal["person", "service", "owner"]
    is_owner: bool
    ceiling: RightName = Field(description="Nothing above it is allowed to this request, whatever was given to you.")


class TokenIn(BaseModel):
    """The token that is asked for."""

    name: str = Field(max_length=100, description="What will use it.")
    ceiling: RightName = Field(default="read", description="Nothing above it will be allowed.")
    days: int = Field(default=90, ge=1, le=MOST_DAYS, description="How long it lasts.")


class TokenOut(BaseModel):
    """An access token, without what signs in."""

    id: str
    name: str
    ceiling: RightName
    created: datetime
    ends: datetime
    used: datetime | None = Field(description="When it was used last, within five minutes.")


class NewTokenOut(TokenOut):
    """An access token that was made, with what signs in: it is told this once."""

    token: str


class SignInOut(BaseModel):
    """A browser in which you are signed in."""

    id: str
    created: datetime
    seen: datetime = Field(description="Within five minutes.")
    ends: datetime
    address: str
    agent: str
    is_this: bool = Field(description="Whether this request comes from it.")


class DeviceIn(BaseModel):
    """A program that wants to sign in."""

    name: str = Field(max_length=100, description="Which program on which machine it is: its person is told.")
    ceiling: RightName = "write"


class DeviceOut(BaseModel):
    """What the program shows to its person, and what it asks with."""

    device_code: str
    user_code: str
    address: str = Field(description="Where the person types the code.")
    address_with_code: str
    interval_s: int = Field(description="How often to ask.")
    ends: datetime


class DeviceAskIn(BaseModel):
    """Asks what has become of it."""

    device_code: str = Field(max_length=200)


class DeviceStateOut(BaseModel):
    """What has become of it; the token is told this once."""

    state: device_login.DeviceState
    token: str = ""


@router.get("")
def get_me(platform: CurrentPlatform, actor: CurrentActor) -> MeOut:
    """Who you are. 401 for a visitor."""
    if actor == ANONYMOUS:
        raise NotAuthenticated("nobody is signed in", hint="pulvinar login, or an access token")
    if not platform.settings.public:
        told = {"login": "", "email": "", "orcid": "", "lab": "", "kind": "owner"}
        return MeOut(id=actor.id, name=actor.name, is_owner=actor.is_owner, ceiling="administer", **told)
    return _me(actor, get_account(platform.database, actor, actor.id))


@router.put("")
def change_me(platform: CurrentPlatform, actor: CurrentActor, account: CurrentAccount, said: ProfileIn) -> MeOut:
    """Say something else of yourself."""
    with UnitOfWork(platform.database, actor) as work:
        changed = describe(work, account.id, Profile(said.name, account.profile.email, said.orcid, said.lab))
    return _me(actor, changed)


def _me(actor: Actor, account: Account) -> MeOut:
    return MeOut(
        id=account.id,
        name=account.profile.name,
        login=account.login,
        email=account.profile.email,
        orcid=account.profile.orcid,
        lab=account.profile.lab,
        kind=account.kind.value,
        is_owner=account.is_owner,
        ceiling=_name_of(actor.ceiling),
    )


def _name_of(right: Right) -> RightName:
    name: RightName = right.name.lower()  # type: ignore[assignment]
    return name


def _token_out(one: AccessToken) -> TokenOut:
    return TokenOut(
        id=one.id, name=one.name, ceiling=_name_of(one.ceiling), created=one.created, ends=one.ends, used=one.used
    )


@router.get(
    "/data", response_class=StreamingResponse, responses={200: {"content": {LINES: {"schema": {"type": "string"}}}}}
)
def get_own_data(platform: CurrentPlatform, actor: CurrentActor, account: BrowserAccount) -> StreamingResponse:
    """All that is kept of you, as JSON Lines. Only from a browser."""
    headers = {"content-disposition": f'attachment; filename="{account.login}.jsonl"', "cache-control": "no-store"}
    return StreamingResponse(own_data(platform.database, actor), media_type=LINES, headers=headers)


@router.get("/tokens")
def get_tokens(platform: CurrentPlatform, actor: CurrentActor, account: CurrentAccount) -> list[TokenOut]:
    """Your access tokens, newest first."""
    return [_token_out(one) for one in list_tokens(platform.database, actor, account.id)]


@router.post("/tokens", status_code=201)
def add_token(platform: CurrentPlatform, actor: CurrentActor, account: BrowserAccount, asked: TokenIn) -> NewTokenOut:
    """Make an access token. Only from a browser: a token makes no other, else one that leaked would never end."""
    with UnitOfWork(platform.database, actor) as work:
        made, secret = make_token(work, account.id, asked.name, Right[asked.ceiling.upper()], asked.days)
    return NewTokenOut(**_token_out(made).model_dump(), token=secret)


@router.delete("/tokens/current", status_code=204)
def end_current_token(
    request: Request, platform: CurrentPlatform, actor: CurrentActor, account: CurrentAccount
) -> None:
    """Revoke the token that this request comes with: it may always do that."""
    bearer = bearer_of(request.scope)
    if bearer is None:
        raise Invalid("this request came with no access token", hint="name the token")
    give_back(platform.database, actor, bearer)


@router.delete("/tokens/{token_id}", status_code=204)
def end_token(platform: CurrentPlatform, actor: CurrentActor, account: CurrentAccount, token_id: TokenId) -> None:
    """Revoke an access token: it opens nothing any longer."""
    with UnitOfWork(platform.database, actor) as work:
        revoke_token(work, account.id, token_id)


@router.get("/sign-ins")
def get_sign_ins(
    request: Request, platform: CurrentPlatform, actor: CurrentActor, account: CurrentAccount
) -> list[SignInOut]:
    """The browsers in which you are signed in, the one seen last first."""
    listed = list_sign_ins(platform.database, actor, cookie_of(platform.settings, request.scope))
    return [SignInOut(**vars(one), is_this=mine) for one, mine in listed]


@router.delete("/sign-ins/{sign_in_id}", status_code=204)
def end_one_sign_in(
    platform: CurrentPlatform, actor: CurrentActor, account: CurrentAccount, sign_in_id: SignInId
) -> None:
    """Sign a browser out."""
    with UnitOfWork(platform.database, actor) as work:
        end_sign_in(work, account.id, sign_in_id)


@device_router.post("", status_code=201)
def start_device_login(request: Request, platform: CurrentPlatform, asked: DeviceIn) -> DeviceOut:
    """Ask to sign in without a browser: show `user_code` and `address` to your person, then ask what became of it."""
    begin(platform.database, (of_address("device", browser_of(request).address, free=60),))
    wanted, secret = device_login.start(platform.database, asked.name, Right[asked.ceiling.upper()])
    address = link_to(platform, "/device") if platform.settings.address else f"{request.base_url}device"
    return DeviceOut(
        device_code=secret,
        user_code=wanted.user_code,
        address=address,
        address_with_code=f"{address}?code={wanted.user_code}",
        interval_s=device_login.INTERVAL_S,
        ends=wanted.ends,
    )


@device_router.post("/state")
def get_device_login(platform: CurrentPlatform, asked: DeviceAskIn) -> DeviceStateOut:
    """What has become of it: pending, refused, or allowed with the access token. 404 once it has ended."""
    state, token = device_login.collect(platform.database, asked.device_code)
    return DeviceStateOut(state=state, token=token)
