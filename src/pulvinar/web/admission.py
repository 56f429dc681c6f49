"""How much is answered at a time: what comes when that is reached is told to come again, and costs next to nothing."""

from __future__ import annotations

from pulvinar.web.errors import Failure, new_request_id
from pulvinar.web.requests import Application, Receive, Scope, Send

RETRY_AFTER_S = 1


class Admission:
    """An ASGI application that has at most `most` requests under way, and answers 503 with Retry-After beyond.

    What waits for the store or the database holds memory and a place in a queue: without an end to it, a slow store
    would make the whole server slow, and then end it. Streams of events, which last, are not counted.
    """

    def __init__(self, application: Application, most: int) -> None:
        self._application = application
        self._most = most
        self._under_way = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["path"].endswith("/events"):
            await self._application(scope, receive, send)
            return
        if self._under_way >= self._most:
            await _refuse(send)
            return
        self._under_way += 1
        try:
            await self._application(scope, receive, send)
        finally:
            self._under_way -= 1


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
