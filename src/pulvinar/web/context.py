"""What every request handler starts from: the platform, and who is asking."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Path, Query, Request

from pulvinar.access.accounts import get_account
from pulvinar.access.links import PREFIX as LINK_PREFIX
from pulvinar.access.tokens import PREFIX
from pulvinar.errors import Forbidden, NotAuthenticated, NotFound, PulvinarError
from pulvinar.model.access import ANONYMOUS, Actor
from pulvinar.model.account import Account
from pulvinar.platform import Platform
from pulvinar.web.identification import bearer_of, cookie_of, link_of
from pulvinar.web.requests import Scope


def actor_of(platform: Platform, scope: Scope) -> Actor:
    """Who asks: where the server is public whoever is signed in, else a visitor; elsewhere the platform's own actor.

    Raises `NotAuthenticated` for an access token that signs nobody in; a browser whose sign-in has ended is a visitor.
    """
    at_once = actor_at_once(platform, scope)
    if at_once is not None:
        return at_once
    bearer = bearer_of(scope)
    found = (platform.known_actors.find(secret) for secret in _secrets(platform, scope, bearer))
    return next((actor for actor in found if actor), None) or _nobody(bearer)


def actor_at_once(platform: Platform, scope: Scope) -> Actor | None:
    """Who asks, where that needs no question to the database; None where it does."""
    if not platform.settings.public:
        return platform.actor
    bearer = bearer_of(scope)
    for secret in _secrets(platform, scope, bearer):
        known = platform.known_actors.at_once(secret)
        if known is None:
            return None
        if known[0]:
            return known[0]
    return _nobody(bearer)


def _secrets(platform: Platform, scope: Scope, bearer: str | None) -> Iterator[str]:
    """What says who asks, the first first: who came by a link looks by it, and not as who is signed in."""
    if bearer is None:
        found = link_of(platform.settings, scope), cookie_of(platform.settings, scope)
    else:
        found = (bearer if bearer.startswith((PREFIX, LINK_PREFIX)) else "", "")
    yield from filter(None, found)


def _nobody(bearer: str | None) -> Actor:
    if bearer is not None:
        raise NotAuthenticated("this access token signs nobody in", hint="it has ended or was revoked: make another")
    return ANONYMOUS


def current_platform(request: Request) -> Platform:
    """The platform that this application was made for."""
    platform: Platform = request.app.state.platform
    return platform


def current_actor(request: Request) -> Actor:
    """Who sends `request`."""
    return actor_of(current_platform(request), request.scope)


def still_asking(request: Request, actor: Actor) -> Actor | None:
    """Who sends `request` as they are now, for an answer that goes on and on: None once the sign-in, the token or the
    link by which `actor` came has ended."""
    try:
        now = current_actor(request)
    except PulvinarError:
        return None
    return now if now.id == actor.id else None


def current_account(request: Request) -> Account:
    """The account of who sends `request`. Raises `NotAuthenticated` for a visitor, `NotFound` where nobody signs in."""
    platform, actor = current_platform(request), current_actor(request)
    if not platform.settings.public:
        raise NotFound("nobody signs in here: whoever reaches this server is its owner", hint="set PULVINAR_PUBLIC")
    if actor == ANONYMOUS:
        raise NotAuthenticated("nobody is signed in", hint="sign in first")
    return get_account(platform.database, actor, actor.id)


def browser_account(request: Request) -> Account:
    """The account that is signed in by a browser: a program's token may not do what needs its person.

    Raises as `current_account` does, and `Forbidden` for a token.
    """
    if bearer_of(request.scope) is not None:
        raise Forbidden("an access token may not do this", hint="sign in by a browser")
    return current_account(request)


def signed_in_actor(request: Request) -> Actor:
    """Whose browser sends `request`, also where they look by a link just now; a visitor where nobody is signed in."""
    platform = current_platform(request)
    secret = cookie_of(platform.settings, request.scope)
    return (platform.known_actors.find(secret) if platform.settings.public else None) or ANONYMOUS


def who_is_signed_in(request: Request) -> Actor | None:
    """Who a page greets; None for a visitor, and where a page can't know."""
    try:
        actor = current_actor(request)
    except PulvinarError:
        return None
    return None if actor == ANONYMOUS else actor


def refuse_other_sites(request: Request) -> None:
    """Raise `Forbidden` where the page of another site has a browser change something here.

    A browser says so itself; a form needs no leave of ours to be sent, and whoever reaches the server may be its owner.
    """
    if request.method in ("GET", "HEAD"):
        return
    origin, host = request.headers.get("origin", ""), request.headers.get("host", "")
    if request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin") or (
        origin and urlsplit(origin).netloc != host
    ):
        raise Forbidden(f"a page of {origin or 'another site'} may change nothing here")


DatasetId = Annotated[str, Path(description="Identifier of a dataset.", max_length=100)]
VersionDigest = Annotated[str, Path(description="SHA-256 of a version's manifest, in hex.", max_length=100)]
AssetId = Annotated[str, Path(description="Identifier of an asset of that version.", max_length=100)]
VersionNumber = Annotated[int, Path(ge=1, le=2**31 - 1, description="Number of a version, from 1.")]
WantedVersion = Annotated[
    int | None, Query(ge=1, le=2**31 - 1, description="Number of a version; the newest that you may see without it.")
]
CurrentPlatform = Annotated[Platform, Depends(current_platform)]
CurrentActor = Annotated[Actor, Depends(current_actor)]
CurrentAccount = Annotated[Account, Depends(current_account)]
BrowserAccount = Annotated[Account, Depends(browser_account)]
