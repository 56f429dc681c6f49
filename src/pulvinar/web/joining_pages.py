"""The pages that one-time links lead to: a new account, and a new password."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Query, Request, Response

from pulvinar.access import attempts, letters, recovery
from pulvinar.access.joining import Newcomer, join, opened_by
from pulvinar.access.mail import Mail
from pulvinar.access.one_time_links import LinkKind
from pulvinar.access.signing_in import sign_in_at_once
from pulvinar.errors import Conflict, Invalid, PulvinarError, TooOften
from pulvinar.model.account import Profile
from pulvinar.platform import Platform
from pulvinar.web.context import CurrentPlatform, refuse_other_sites
from pulvinar.web.forms import Form, SentForm, browser_of, go_to, link_to, only_public, private_page
from pulvinar.web.identification import keep_cookie

router = APIRouter(include_in_schema=False, dependencies=[Depends(refuse_other_sites), Depends(only_public)])

LinkSecret = Annotated[str, Query(alias="link", max_length=200)]


@router.get("/join")
def ask_newcomer(request: Request, platform: CurrentPlatform, secret: LinkSecret = "") -> Response:
    """The form of a new account."""
    return _joining(request, platform, secret, Form({}))


@router.post("/join")
def make_account(request: Request, platform: CurrentPlatform, form: SentForm) -> Response:
    """Make the account, and sign it in."""
    said = Profile(form["name"], form["email"], form["orcid"], form["lab"])
    try:
        if form["password"] != form["again"]:
            raise Invalid("the two passwords are not the same", hint="type it twice")
        made = join(
            platform.database,
            form["link"],
            Newcomer(form["login"], said, form["password"]),
            node=platform.settings.node,
        )
    except (Invalid, Conflict) as error:
        return _joining(request, platform, form["link"], form, error)
    secret = sign_in_at_once(
        platform.database, made.id, browser_of(request), days=platform.settings.sign_in_days, how="joined"
    )
    response = go_to("/profile")
    keep_cookie(response, platform.settings, secret)
    return response


def _joining(
    request: Request, platform: Platform, secret: str, form: Form, trouble: PulvinarError | None = None
) -> Response:
    link = opened_by(platform.database, secret)
    known = {"email": str(link.details.get("email", "")), "name": str(link.details.get("name", ""))}
    known["login"] = re.sub(r"[^a-z0-9]+", "", known["email"].partition("@")[0].lower()).lstrip("0123456789")
    values = {
        "link": secret,
        "form": form if trouble else Form(known),
        "email": known["email"],
        "is_first": link.kind is LinkKind.FIRST_OWNER,
        "is_owner": link.kind is LinkKind.FIRST_OWNER or bool(link.details.get("is_owner")),
        "needs_password": link.kind is not LinkKind.NEWCOMER,
    }
    return private_page(request, "join.html", values, trouble)


@router.get("/forgotten")
def ask_who(request: Request) -> Response:
    """The form to ask for a new password."""
    return private_page(request, "forgotten.html", {"sent": False})


@router.post("/forgotten")
def send_link(request: Request, platform: CurrentPlatform, form: SentForm) -> Response:
    """Mail a link to whom it concerns, if there is anybody. The answer is the same, and as quick, either way."""
    try:
        attempts.begin(platform.database, (attempts.of_address("recovery", browser_of(request).address, free=10),))
    except TooOften as error:
        return private_page(request, "forgotten.html", {"sent": False}, error)
    who = form["who"][:300]
    platform.postman.soon(lambda: _recovery_mails(platform, who))
    return private_page(request, "forgotten.html", {"sent": True})


def _recovery_mails(platform: Platform, who: str) -> list[Mail]:
    host = host_of(platform)
    return [
        letters.recovery(of, link_to(platform, f"/new-password?link={secret}"), host)
        for of, secret in recovery.forgotten(platform.database, who)
    ]


def host_of(platform: Platform) -> str:
    """What mails call this server."""
    return urlsplit(platform.settings.resolved_address()).netloc


@router.get("/new-password")
def ask_password(request: Request, platform: CurrentPlatform, secret: LinkSecret = "") -> Response:
    """The form of a new password."""
    return _new_password(request, platform, Form({"link": secret}))


@router.post("/new-password")
def set_password(request: Request, platform: CurrentPlatform, form: SentForm) -> Response:
    """Set the password; signing in by it comes next, and asks for a code where the account does."""
    try:
        if form["password"] != form["again"]:
            raise Invalid("the two passwords are not the same", hint="type it twice")
        # "keep" is said by a box that is there only with tokens to keep: a form without it ends them
        end_tokens = form["tokens"] != "keep"
        of = recovery.recover(platform.database, form["link"], form["password"], end_tokens=end_tokens)
    except Invalid as error:
        return _new_password(request, platform, form, error)
    if of.profile.email:
        platform.postman.send(letters.changed(of, "the password was set anew", "密码已重设", host_of(platform)))
    return go_to("/sign-in")


def _new_password(request: Request, platform: Platform, form: Form, trouble: PulvinarError | None = None) -> Response:
    of = recovery.recovered_by(platform.database, form["link"])
    tokens = recovery.tokens_left(platform.database, of)
    values = {"link": form["link"], "login": of.login, "form": form, "tokens": tokens}
    return private_page(request, "new_password.html", values, trouble)
