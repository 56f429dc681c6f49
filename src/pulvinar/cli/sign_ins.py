"""What `pulvinar login`, `logout` and `whoami` do: this person's programs at a server somewhere else."""

from __future__ import annotations

import platform
import time
from contextlib import suppress
from datetime import datetime
from getpass import getuser
from typing import Any

from pulvinar.cli.show import print_json
from pulvinar.client import Client, connect
from pulvinar.client.sign_ins import drop_token, keep_token, only_server, origin_of, token_for
from pulvinar.errors import Forbidden, NotAuthenticated, NotFound
from pulvinar.model.text import plain


def log_in(address: str, ceiling: str, *, as_json: bool) -> None:
    """`pulvinar login`: until it was allowed or refused in a browser. Raises `Forbidden` when it was refused."""
    server = origin_of(address)
    client = connect(server, "")
    asked = client.ask("/api/v1/device-logins", {"name": _own_name(), "ceiling": ceiling})
    if as_json:
        print_json({"address": asked["address_with_code"], "code": asked["user_code"]})
    else:
        print(f"Open {plain(asked['address'])} in a browser and type the code  {plain(asked['user_code'])}")
        print(f"or open {plain(asked['address_with_code'])}", flush=True)
    token = _waited_for(client, asked)
    keep_token(server, token)
    me = connect(server, token).me()
    print(f"signed in at {server} as {plain(me['login'])} ({plain(me['name'])})")


def _own_name() -> str:
    """What the person is shown: this program, on this machine."""
    try:
        user = getuser()
    except (KeyError, OSError):
        user = "somebody"
    return f"pulvinar of {user} on {platform.node() or 'a machine'}"[:100]


def _waited_for(client: Client, asked: dict[str, Any]) -> str:
    ends = datetime.fromisoformat(asked["ends"])
    while datetime.now(ends.tzinfo) < ends:
        time.sleep(asked["interval_s"])
        told = client.ask("/api/v1/device-logins/state", {"device_code": asked["device_code"]})
        if told["state"] == "allowed":
            return str(told["token"])
        if told["state"] == "refused":
            raise Forbidden("it was refused in the browser", hint="begin again if that was a mistake")
    raise NotFound("nobody allowed it in time", hint="begin again: pulvinar login")


def log_out(address: str) -> None:
    """`pulvinar logout`. The token is forgotten here even where the server doesn't answer; then that is raised."""
    server = origin_of(address) if address else only_server()
    token = token_for(server)
    if not token:
        raise NotFound(f"you are not signed in at {server}")
    drop_token(server)
    # it may have ended there already
    with suppress(NotAuthenticated):
        connect(server, token).delete("/api/v1/me/tokens/current")
    print(f"signed out at {server}")


def say_who(address: str, *, as_json: bool) -> None:
    """`pulvinar whoami`. Raises `NotAuthenticated`."""
    server = origin_of(address) if address else only_server()
    me = connect(server).me()
    if as_json:
        print_json({"server": server, **me})
    else:
        print(f"{plain(me['login'] or me['name'])} ({plain(me['name'])}) at {server}; may {me['ceiling']}")
