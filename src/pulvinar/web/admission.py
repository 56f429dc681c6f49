"""How much is answered at a time: what comes when that is reached is told to come again, and costs next to nothing."""

from __future__ import annotations

import time

from pulvinar.web.errors import Failure, new_request_id
from pulvinar.web.requests import CAME_S, Application, Receive, Scope, Send

RETRY_AFTER_S = 1
LONGEST_WAIT_S = 10.0
"""What was read so long ago and is still not begun is refused, which costs less than to answer it: a queue that would
go on growing ends there, and who still waits gets an answer."""


class Admission:
    """An ASGI application that has at most `most` requests under way, of which none has waited for longer than
    `longest_wait_s` before it was begun, and answers 503 with Retry-After beyond.

    What waits for the store or the database holds memory and a place in a queue: without an end to it, a slow store
    would make the whole server slow, and then end it. What the event loop has read and not begun waits in its turn:
    such requests are begun in the order in which they came, one of each connection at a time. Streams of events, which
    last, are not counted.
    """

    def __init__(self, application: Application, most: int, longest_wait_s: float = LONGEST_WAIT_S) -> None:
        self._application = application
        self._most = most
        self._longest_wait_s = longest_wait_s
        self._under_way = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["path"].endswith("/events"):
            await self._application(scope, receive, send)
            return
        if self._under_way >= self._most or self._has_waited(scope):
            await _refuse(send)
            return
        self._under_way += 1
        try:
            await self._application(scope, receive, send)
        finally:
            self._under_way -= 1

    def _has_waited(self, scope: Scope) -> bool:
        came_s = scope.get(CAME_S)
        return came_s is not None and time.monotonic() - came_s > self._longest_wait_s


async def _refuse(send: Send) -> None:
    # not told by `tell`, which would write a line for each: there may be thousands a second
    hint = f"ask again in {RETRY_AFTER_S} s"
    failure = Failure(503, "busy", "the server has as much to do as it takes on at a time", hint, new_request_id())
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(failure.body)),
        (b"retry-after", b"%d" % RETRY_AFTER_S),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        (b"x-request-id", failure.request_id.encode()),
    ]
    await send({"type": "http.response.start", "status": failure.status, "headers": headers})
    await send({"type": "http.response.body", "body": failure.body})
