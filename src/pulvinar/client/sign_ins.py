"""Which servers this person's programs are signed in at: tokens in a file that nobody else can read."""

from __future__ import annotations

import json
import os
from pathlib import Path
from tempfile import NamedTemporaryFile
from urllib.parse import urlsplit

from pulvinar.errors import Invalid, NotFound

_PORTS = {"http": 80, "https": 443}


def file_of_tokens() -> Path:
    """The file, in the person's own folder of settings."""
    from platformdirs import user_config_path

    return user_config_path("pulvinar") / "sign-ins.json"


def origin_of(url: str) -> str:
    """The server of an address, written in one way. Raises `Invalid` for what is none."""
    parts = urlsplit(url if "//" in url else f"https://{url}")
    try:
        port = parts.port
    except ValueError as error:
        raise Invalid(f"{url!r} is no address of a server") from error
    if parts.scheme not in _PORTS or not parts.hostname or parts.username:
        raise Invalid(f"{url!r} is no address of a server", hint="it looks like https://brains.institute.org")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}" + (f":{port}" if port and port != _PORTS[parts.scheme] else "")


def token_for(url: str) -> str:
    """The token kept for the server of an address; empty without one. No other server is ever sent it."""
    try:
        return _read().get(origin_of(url), "")
    except Invalid:
        return ""


def only_server() -> str:
    """The one server that is signed in at. Raises `NotFound` for none, `Invalid` for several."""
    known = _read()
    if not known:
        raise NotFound("you are signed in nowhere", hint="pulvinar login https://brains.institute.org")
    if len(known) > 1:
        raise Invalid(f"you are signed in at {', '.join(known)}", hint="name one")
    return next(iter(known))


def keep_token(url: str, token: str) -> None:
    """Keep a token for the server of an address."""
    _write({**_read(), origin_of(url): token})


def drop_token(url: str) -> None:
    """Keep no token for the server of an address any longer."""
    known, origin = _read(), origin_of(url)
    _write({key: value for key, value in known.items() if key != origin})


def _read() -> dict[str, str]:
    file = file_of_tokens()
    try:
        told = json.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise Invalid(f"{file} can't be read: {error}", hint="remove it, and sign in again") from error
    if not isinstance(told, dict) or not all(isinstance(value, str) for value in told.values()):
        raise Invalid(f"{file} holds no tokens", hint="remove it, and sign in again")
    return told


def _write(tokens: dict[str, str]) -> None:
    file = file_of_tokens()
    file.parent.mkdir(parents=True, exist_ok=True)
    # such a file is for its owner alone from the first moment
    with NamedTemporaryFile("w", encoding="utf-8", dir=file.parent, delete=False) as fresh:
        json.dump(tokens, fresh, indent=1)
        fresh.flush()
        os.fsync(fresh.fileno())
    Path(fresh.name).replace(file)
