"""What in a request says who sends it: the cookie of a browser, or an access token."""

from __future__ import annotations

from fastapi import Response

from pulvinar.access.tokens import PREFIX
from pulvinar.settings import Settings
from pulvinar.web.requests import Scope, header

_BEARER = b"bearer "
_DAY_S = 24 * 3600


def cookie_name(settings: Settings) -> str:
    """What the cookie is called. Behind https no other site, host or path can set or read it."""
    return "__Host-pulvinar" if is_secure(settings) else "pulvinar_sign_in"


def is_secure(settings: Settings) -> bool:
    """Whether people reach the server by https alone."""
    return settings.address.startswith("https://")


def cookie_of(settings: Settings, scope: Scope) -> str:
    """The secret that the browser keeps; empty when it keeps none."""
    wanted = cookie_name(settings).encode() + b"="
    for part in header(scope, b"cookie").split(b";"):
        text = part.strip()
        if text.startswith(wanted):
            secret = text[len(wanted) :].decode("latin-1")
            return "" if secret.startswith(PREFIX) else secret
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
