"""What every answer outside of the gateway says to browsers, and how much a request may bring."""

from __future__ import annotations

from pulvinar.errors import TooLarge
from pulvinar.web.cors import Cors
from pulvinar.web.errors import new_request_id, tell
from pulvinar.web.requests import Application, Message, Receive, Scope, Send, header

BODY_LIMIT_BYTES = 1 << 20
"""Bodies are small forms and JSON, but for uploads: those are written as they come, and have a size of their own."""
UPLOADS = "/api/v1/uploads"

# Pages bring policies of their own; whatever else is opened in a browser (JSON, a picture) may load nothing.
_POLICY = b"default-src 'none'; frame-ancestors 'none'"

_FIXED = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"x-frame-options", b"SAMEORIGIN"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
]

# What says nothing of its own is for who asked, and is asked for anew.
_OWN = b"private, no-cache"

# Whoever came by TLS once shall come by nothing else for a year. Other names below this host are not ours to bind.
_HTTPS_ONLY = (b"strict-transport-security", b"max-age=31536000")


class Guarded:
    """An ASGI application with limits on what comes in and security headers on what goes out.

    Every request gets a name, in `scope["state"]["request_id"]` and in the header X-Request-Id of its answer.
    """

    def __init__(self, application: Application, cors: Cors) -> None:
        self._application = application
        self._cors = cors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        request_id = new_request_id()
        scope.setdefault("state", {})["request_id"] = request_id
        answer = _Answer(scope, send, self._cors, request_id)
        preflight = self._cors.preflight(scope)
        if preflight is not None:
            await answer.send({"type": "http.response.start", "status": 204, "headers": []})
            await answer.send({"type": "http.response.body", "body": b""})
            return
        asked = {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope
        try:
            await self._application(asked, receive if is_upload(scope) else _limited(scope, receive), answer.send)
        except Exception as error:
            # The framework raises what it has answered once more; and when headers are out without an answer, only a
            # broken connection can still say that something is wrong.
            if scope["state"].get("told"):
                return
            if answer.begun:
                raise
            await answer.fail(error)


class _Answer:
    """Sends one answer, adding what every answer has."""

    def __init__(self, scope: Scope, send: Send, cors: Cors, request_id: str) -> None:
        self._send = send
        self._without_body = scope["method"] == "HEAD"
        self._request_id = request_id
        self._added = [
            *_FIXED,
            (b"content-security-policy", _POLICY),
            (b"cache-control", _OWN),
            (b"x-request-id", request_id.encode()),
            *([_HTTPS_ONLY] if scope.get("scheme") == "https" else []),
            *(cors.preflight(scope) or cors.headers(scope)),
        ]
        self.begun = False

    async def send(self, message: Message) -> None:
        """Pass `message` on."""
        if message["type"] == "http.response.start":
            self.begun = True
            there = {name for name, _ in message["headers"]}
            # Vary is a list: what one page depends on and what another origin depends on add up
            added = [item for item in self._added if item[0] not in there or item[0] == b"vary"]
            message = {**message, "headers": [*message["headers"], *added]}
        elif self._without_body:
            message = {**message, "body": b""}
        await self._send(message)

    async def fail(self, error: Exception) -> None:
        """Answer with what went wrong."""
        failure = tell(error, self._request_id)
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(failure.body))]
        await self.send({"type": "http.response.start", "status": failure.status, "headers": headers})
        await self.send({"type": "http.response.body", "body": failure.body})


def is_upload(scope: Scope) -> bool:
    """Whether a request brings bytes of an upload, which may be many."""
    path = scope["path"]
    return scope["method"] in ("POST", "PATCH") and (path == UPLOADS or path.startswith(f"{UPLOADS}/"))


def _limited(scope: Scope, receive: Receive) -> Receive:
    """`receive`, raising `TooLarge` once the body is more than is allowed, whatever its headers say."""
    declared = header(scope, b"content-length")
    # a number of thousands of digits is too much for int(), and for us
    too_large = declared.isdigit() and (len(declared) > 18 or int(declared) > BODY_LIMIT_BYTES)
    came = BODY_LIMIT_BYTES + 1 if too_large else 0

    async def limited() -> Message:
        nonlocal came
        if came > BODY_LIMIT_BYTES:
            raise TooLarge(f"a request may bring {BODY_LIMIT_BYTES} bytes")
        message = await receive()
        came += len(message.get("body", b""))
        if came > BODY_LIMIT_BYTES:
            raise TooLarge(f"a request may bring {BODY_LIMIT_BYTES} bytes")
        return message

    return limited
