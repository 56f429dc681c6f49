"""Runs the web application until it is told to stop, in this process or in several."""

from __future__ import annotations

import gc
import socket
from collections.abc import Callable
from functools import partial
from typing import cast

import uvicorn

from pulvinar.errors import Unavailable
from pulvinar.platform import Platform, open_platform
from pulvinar.settings import Settings
from pulvinar.web.accepting import Accepting
from pulvinar.web.app import WebApplication, create_app
from pulvinar.web.direct_body import UploadProtocol
from pulvinar.web.processes import Processes
from pulvinar.web.shared import Shared

STOP_TIMEOUT_S = 10
"""How long answers that are under way may take to end once the server is told to stop."""

_TAKEN_AT_A_TURN = 1024
"""Of all processes together: what one leaves another may take."""
# From here a connection is idle once its answer is handed to the kernel, while a slow reader may still be reading it.
_KEEP_ALIVE_S = 75


def serve(platform: Platform, *, host: str, port: int, ready: Callable[[str], None], workers: int = 1) -> None:
    """Serve `platform` at `host` and `port` (0: a free one) until SIGINT or SIGTERM, then end what is under way.

    `ready` is called with the address once requests are answered. By more than one of `workers` each is a process of
    its own with the settings of `platform`, and this one watches over them. Raises `Unavailable` when the port is
    taken, or a process can't start.
    """
    listener = _listen(host, port)
    shown = f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{listener.getsockname()[1]}/"
    with listener:
        if workers > 1:
            shared = Shared(between_processes=True)
            work = partial(_serve_beside, platform.settings, listener, address, shared, _TAKEN_AT_A_TURN // workers)
            Processes(work, workers).run(lambda: ready(address), patience_s=STOP_TIMEOUT_S + 5)
        else:
            _Server(configuration(platform), listener, address, _TAKEN_AT_A_TURN, lambda: ready(address)).run()


def _serve_beside(
    settings: Settings,
    listener: socket.socket,
    address: str,
    shared: Shared,
    at_a_turn: int,
    started: Callable[[], None],
) -> None:
    """What each of several processes does."""
    with open_platform(settings) as platform:
        _Server(configuration(platform, shared), listener, address, at_a_turn, started).run()


def configuration(platform: Platform, shared: Shared | None = None) -> uvicorn.Config:
    """How uvicorn is run: the quickest event loop and parser, nothing added to an answer, no line a request."""
    return uvicorn.Config(
        create_app(platform, shared),
        loop="uvloop",
        http=UploadProtocol,
        ws="none",
        lifespan="on",
        access_log=False,
        proxy_headers=False,
        log_level="warning",
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=STOP_TIMEOUT_S,
    )


class _Server(uvicorn.Server):
    """Answers who comes at `listener`, and says when it does."""

    def __init__(
        self,
        config: uvicorn.Config,
        listener: socket.socket,
        address: str,
        at_a_turn: int,
        ready: Callable[[], None],
    ) -> None:
        super().__init__(config)
        self._listener = listener
        self._address = address
        self._at_a_turn = at_a_turn
        self._ready = ready
        self._accepting: Accepting | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and tell."""
        await cast(WebApplication, self.config.app).warm_up(self._address)
        await super().startup(sockets=[])
        if self.started:
            # what was made for the start stays: to go through it with every full collection holds up all answers 100 ms
            gc.collect()
            gc.freeze()
            self._accepting = Accepting(self._listener, self._protocol, at_a_turn=self._at_a_turn)
            self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more, and end what is under way."""
        if self._accepting is not None:
            self._accepting.close()
            await self._accepting.wait_closed()
        self._listener.close()
        await super().shutdown()

    def _protocol(self) -> UploadProtocol:
        return UploadProtocol(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise Unavailable(
            f"can't listen on {host}:{port}: {error.strerror}", hint="choose another with --port; 0 takes a free one"
        ) from error
    return listener
