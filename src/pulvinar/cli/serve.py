"""Serving the platform with uvicorn, on an address that is said once it answers."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from pulvinar.errors import Unavailable

if TYPE_CHECKING:
    from pulvinar.platform import Platform


def serve_platform(platform: Platform) -> None:
    """Serve until interrupted. Raises `Unavailable` when the port is taken."""
    import uvicorn

    from pulvinar.web.app import create_app

    settings = platform.settings
    listening = _listen(settings.host, settings.port)
    app = create_app(platform)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False, loop="uvloop", http="httptools"))
    host, port = listening.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    print(f"Pulvinar is at http://{shown}:{port}/  (end it with Ctrl+C)", flush=True)
    server.run(sockets=[listening])


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise Unavailable(
            f"can't listen on {host} port {port}: {error.strerror}", hint="--port 0 takes a free one"
        ) from error
    listening.listen(2048)
    return listening
