"""What in a request says who sends it: the cookie of a browser, or an access token."""

from __future__ import annotations

from datetime import datetime

from fastapi import Response

from pulvinar.access.links import PREFIX as LINK_PREFIX
from pulvinar.access.tokens import PREFIX
from pulvinar.settings import Settings
from pulvinar.web.requests import Scope, header

_BEARER = b"bearer "
_DAY_S = 24 * 3600


def cookie_name(settings: Settings) -> str:
    """What the cookie is called. Behind https no other site, host or path can set or read it."""
    return "__Host-pulvinar" if is_secure(settings) else "pulvinar_sign_in"


def link_cookie_name(settings: Settings) -> str:
    """What the cookie of a link is called."""
    return "__Host-pulvinar-link" if is_secure(settings) else "pulvinar_link"


def is_secure(settings: Settings) -> bool:
    """Whether people reach the server by https alone."""
    return settings.address.startswith("https://")


def cookie_of(settings: Settings, scope: Scope) -> str:
    """The secret that the browser keeps; empty when it keeps none."""
    secret = _cookie(cookie_name(settings), scope)
    return "" if secret.startswith((PREFIX, LINK_PREFIX)) else secret


def link_of(settings: Settings, scope: Scope) -> str:
    """The secret of the link by which the browser has come; empty when by none."""
    secret = _cookie(link_cookie_name(settings), scope)
    return secret if secret.startswith(LINK_PREFIX) else ""


def _cookie(name: str, scope: Scope) -> str:
    wanted = name.encode() + b"="
    for part in header(scope, b"cookie").split(b";"):
        text = part.strip()
        if text.startswith(wanted):
            return text[len(wanted) :].decode("latin-1")
    return ""


def bearer_of(scope: Scope) -> str | None:
    """The access token that came with a request; None without one. A proxy's own `Authorization` is not ours."""
    value = header(scope, b"authorization")
    return value[len(_BEARER) :].strip().decode("latin-1") if value[: len(_BEARER)].lower() == _BEARER else None


def keep_cookie(response: Response, settings: Settings, secret: str) -> None:
    """Have the browser keep `secret`: for no script, and for requests that begin at this site."""
    response.set_cookie(
        cookie_name(settings),
        secret,
        max_age=settings.sign_in_days * _DAY_S,
        path="/",
        secure=is_secure(settings),
        httponly=True,
        samesite="lax",
    )


def drop_cookie(response: Response, settings: Settings) -> None:
    """Have the browser forget."""
    response.delete_cookie(cookie_name(settings), path="/", secure=is_secure(settings), httponly=True, samesite="lax")


def keep_link_cookie(response: Response, settings: Settings, secret: str, ends: datetime) -> None:
    """Have the browser keep the secret of a link, as long as the link lasts."""
    response.set_cookie(
        link_cookie_name(settings),
        secret,
        expires=ends,
        path="/",
        secure=is_secure(settings),
        httponly=True,
        samesite="lax",
    )


def drop_link_cookie(response: Response, settings: Settings) -> None:
    """Have the browser forget the link."""
    name = link_cookie_name(settings)
    response.delete_cookie(name, path="/", secure=is_secure(settings), httponly=True, samesite="lax")
