"""The pages of signing in and out: by a password and a code, or at another service."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Query, Request, Response

from pulvinar.access import external_identities, signing_in
from pulvinar.access.accounts import read_account
from pulvinar.access.joining import newcomer_link
from pulvinar.access.one_time_links import Link, LinkKind, make_link, use_link
from pulvinar.access.sign_ins import sign_out
from pulvinar.access.work import UnitOfWork
from pulvinar.errors import Forbidden, Invalid, NotAuthenticated, NotFound, PulvinarError, TooOften
from pulvinar.model.access import ANONYMOUS
from pulvinar.platform import Platform
from pulvinar.web.context import CurrentActor, CurrentPlatform, refuse_other_sites, signed_in_actor
from pulvinar.web.forms import SentForm, browser_of, go_to, link_to, local_path, only_public, private_page
from pulvinar.web.identification import cookie_of, drop_cookie, is_secure, keep_cookie

router = APIRouter(include_in_schema=False, dependencies=[Depends(refuse_other_sites), Depends(only_public)])

_BACK = "/sign-in/arrive"
_DEPARTURE_COOKIE = "pulvinar_departure"
_DEPARTURE_S = 600

Next = Annotated[str, Query(alias="next", max_length=2000)]


@router.get("/sign-in")
def ask(request: Request, platform: CurrentPlatform, actor: CurrentActor, next_page: Next = "/") -> Response:
    """The form; whoever is signed in goes on."""
    onward = local_path(next_page)
    return go_to(onward) if actor != ANONYMOUS else _page(request, platform, onward)


def ask_first(request: Request) -> Response:
    """On to the form, and from there back to the page that `request` wanted."""
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return go_to(f"/sign-in?next={quote(wanted, safe='/')}")


def _page(
    request: Request, platform: Platform, onward: str, trouble: PulvinarError | None = None, login: str = ""
) -> Response:
    provider = platform.identity_provider
    values = {"next": onward, "login": login, "provider": provider.title if provider else ""}
    return private_page(request, "sign_in.html", values, trouble)


@router.post("/sign-in")
def sign_in(request: Request, platform: CurrentPlatform, form: SentForm) -> Response:
    """Sign in by a password, or ask for a code."""
    onward, days = local_path(form["next"]), platform.settings.sign_in_days
    try:
        step = signing_in.sign_in_by_password(
            platform.database, form["login"], form["password"], browser_of(request), days=days
        )
    except (NotAuthenticated, TooOften) as error:
        return _page(request, platform, onward, error, form["login"])
    if step.needs_code:
        return private_page(request, "sign_in_code.html", {"waiting": step.secret, "next": onward})
    return _signed_in(platform, step.secret, onward)


@router.post("/sign-in/code")
def sign_in_by_code(request: Request, platform: CurrentPlatform, form: SentForm) -> Response:
    """Sign in by the code after the password."""
    onward, waiting = local_path(form["next"]), form["waiting"]
    try:
        _, secret = signing_in.sign_in_by_code(
            platform.database,
            waiting,
            form["code"],
            browser_of(request),
            platform.sealer,
            days=platform.settings.sign_in_days,
        )
    except (NotAuthenticated, TooOften) as error:
        return private_page(request, "sign_in_code.html", {"waiting": waiting, "next": onward}, error)
    except NotFound:
        late = NotAuthenticated("that took too long", hint="begin again with your password")
        return _page(request, platform, onward, late)
    return _signed_in(platform, secret, onward)


def _signed_in(platform: Platform, secret: str, onward: str) -> Response:
    response = go_to(onward)
    keep_cookie(response, platform.settings, secret)
    return response


@router.post("/sign-out")
def leave(request: Request, platform: CurrentPlatform) -> Response:
    """Sign this browser out."""
    actor = signed_in_actor(request)
    if actor != ANONYMOUS:
        with UnitOfWork(platform.database, actor) as work:
            sign_out(work, actor.id, cookie_of(platform.settings, request.scope))
    response = go_to("/")
    drop_cookie(response, platform.settings)
    # what pages of somebody's own lie in the browser's cache goes with it
    response.headers["clear-site-data"] = '"cache"'
    return response


@router.post("/sign-in/depart")
def depart(request: Request, platform: CurrentPlatform, form: SentForm) -> Response:
    """Go to the other service; whoever is signed in links the account to it."""
    provider = platform.identity_provider
    if provider is None:
        raise NotFound("people sign in nowhere else here", hint="see the setting oidc_issuer")
    departure = provider.depart(link_to(platform, _BACK))
    actor = signed_in_actor(request)
    details = {"kept": dict(departure.kept), "next": local_path(form["next"]), "linking": actor != ANONYMOUS}
    with platform.database.writing() as session:
        account_id = None if actor == ANONYMOUS else actor.id
        secret = make_link(session, LinkKind.EXTERNAL, account_id=account_id, details=details)
    # a page, no redirect: the policy on forms would hold for every address that the other service passes on to
    response = private_page(request, "leaving.html", {"address": departure.address, "provider": provider.title})
    # strict would not come back with the browser; the state is held to this browser by it
    response.set_cookie(
        _DEPARTURE_COOKIE,
        secret,
        max_age=_DEPARTURE_S,
        path="/sign-in",
        secure=is_secure(platform.settings),
        httponly=True,
        samesite="lax",
    )
    return response


@router.get(_BACK)
def arrive(request: Request, platform: CurrentPlatform) -> Response:
    """Come back from the other service: signed in, linked, or to make an account."""
    provider = platform.identity_provider
    secret = request.cookies.get(_DEPARTURE_COOKIE, "")
    if provider is None or not secret:
        raise NotFound("nobody has left from here for another service", hint="begin again at /sign-in")
    try:
        with platform.database.writing() as session:
            link = use_link(session, secret, LinkKind.EXTERNAL)
        back = link_to(platform, _BACK)
        identity = provider.arrive(f"{back}?{request.url.query}", link.details["kept"], back)
        response = _arrived(request, platform, link, identity)
    except (NotAuthenticated, NotFound) as error:
        response = _page(request, platform, "/", NotAuthenticated(error.message, hint=error.hint))
    response.delete_cookie(_DEPARTURE_COOKIE, path="/sign-in")
    return response


def _arrived(
    request: Request, platform: Platform, link: Link, identity: external_identities.ExternalIdentity
) -> Response:
    if link.details["linking"]:
        actor = signed_in_actor(request)
        if actor.id != link.account_id:
            raise Forbidden("somebody else is signed in now", hint="sign in again, and link once more")
        with UnitOfWork(platform.database, actor) as work:
            external_identities.link_identity(work, actor.id, identity)
        return go_to("/profile#elsewhere")
    with platform.database.session() as session:
        account_id = external_identities.account_of(session, identity)
        if account_id is not None:
            read_account(session, account_id)
    if account_id is not None:
        days = platform.settings.sign_in_days
        how = f"elsewhere: {identity.issuer}"
        secret = signing_in.sign_in_at_once(platform.database, account_id, browser_of(request), days=days, how=how)
        return _signed_in(platform, secret, link.details["next"])
    if not platform.settings.oidc_new_accounts:
        raise Invalid("this sign-in belongs to no account here", hint="sign in by your password, and link it")
    return go_to(f"/join?link={quote(newcomer_link(platform.database, identity))}")
