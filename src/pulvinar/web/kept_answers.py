"""Whole answers for visitors, kept in memory as long as nothing has changed that anybody could see.

Only a route that says so (`kept`) has its answers kept, only for who brings nothing that says who asks, and only on a
public server. Each request asks the database for the state of the log: an answer is given again only while that is what
it was before the answer was made, in whichever process something was changed, and for a minute at most. What is still
asked for in the second half of that minute is made anew beside, so that nobody waits for it.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from dataclasses import dataclass

from fastapi import Request

from pulvinar.access.changes import State, state_of
from pulvinar.errors import Unavailable
from pulvinar.platform import Platform
from pulvinar.web.identification import cookie_name, link_cookie_name
from pulvinar.web.language import language_of
from pulvinar.web.recent import Recent
from pulvinar.web.requests import Application, Message, Receive, Scope, Send, header, matches_etag
from pulvinar.web.static_files import packed, takes_packed

LIFETIME_S = 60.0
"""For what is on a page and in no event, as the figures of the first page, which are as old themselves."""
_RENEWED_S = LIFETIME_S / 2
"""Who asks for an answer that is older has it made anew beside, while it is given once more."""
_MOST_BYTES = 1 << 20
_WAYS = (b"hx-request", b"hx-history-restore-request")
"""Headers by which a page is answered in part."""
_OF_THIS_ANSWER = (b"content-length", b"etag", b"content-encoding")

Key = tuple[bytes | str, ...]

_log = logging.getLogger("pulvinar.web")


def kept(request: Request) -> None:
    """A dependency of routes whose answers to visitors may be kept: nothing in them is meant for one of them alone."""
    request.scope["state"]["kept"] = True


def keep_not(request: Request) -> None:
    """Have the answer to `request` not kept after all."""
    request.scope["state"]["kept"] = False


@dataclass(frozen=True)
class Answer:
    """An answer of 200, as it is and by gzip (b"" where that is no smaller)."""

    headers: list[tuple[bytes, bytes]]
    body: bytes
    packed: bytes
    etag: bytes
    made_s: float

    @property
    def age_s(self) -> float:
        """How long ago it was begun to be made."""
        return time.monotonic() - self.made_s

    @property
    def size_bytes(self) -> int:
        """What it takes of memory, nearly."""
        return len(self.body) + len(self.packed) + sum(len(name) + len(value) for name, value in self.headers) + 500

    async def send(self, scope: Scope, send: Send, *, again: bool) -> None:
        """Answer with it; with 304 to who has it already. `again`: it was made for another request."""
        headers = [*self.headers, (b"etag", self.etag)]
        if again:
            headers.append((b"age", b"%d" % self.age_s))
        if self.packed:
            headers.append((b"vary", b"accept-encoding"))
        if matches_etag(header(scope, b"if-none-match"), self.etag.removeprefix(b"W/")):
            await send({"type": "http.response.start", "status": 304, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
            return
        body = self.body
        if self.packed and takes_packed(scope):
            body = self.packed
            headers.append((b"content-encoding", b"gzip"))
        headers.append((b"content-length", b"%d" % len(body)))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


class KeptAnswers:
    """An ASGI application that keeps answers of another, at most `budget_bytes` of them. For one event loop."""

    def __init__(self, application: Application, platform: Platform, budget_bytes: int) -> None:
        self._application = application
        self._platform = platform
        self._budget = budget_bytes
        self._signs = tuple(f"{name(platform.settings)}=".encode() for name in (cookie_name, link_cookie_name))
        self._state: State | None = None
        self._answers = self._none()
        self._making: dict[tuple[State, Key], asyncio.Event] = {}
        self._renewal: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if not self._is_visit(scope):
            await self._application(scope, receive, send)
            return
        try:
            # asked before the answer is made: what changes meanwhile makes it one of an earlier state
            state = await asyncio.to_thread(state_of, self._platform.database)
        except Unavailable:
            await self._application(scope, receive, send)
            return
        if state != self._state:
            # none of them is given again: nothing of what was taken away stays in memory
            self._state, self._answers = state, self._none()
        key = _key(scope)
        found = self._fresh(key)
        if found is None and (state, key) in self._making:
            await self._making[state, key].wait()
            found = self._fresh(key) if state == self._state else None
        if found is None:
            made = await self._make(key, state, scope, receive, send)
            if made is not None:
                await made.send(scope, send, again=False)
            return
        if found.age_s > _RENEWED_S and self._renewal is None and (state, key) not in self._making:
            self._renewal = asyncio.create_task(self._renew(key, state, scope))
        await found.send(scope, send, again=True)

    def _is_visit(self, scope: Scope) -> bool:
        """Whether a visitor asks for something whole. Any cookie of a sign-in or a link counts, also one that ended."""
        if scope["type"] != "http" or scope["method"] != "GET" or not self._budget:
            return False
        if not self._platform.settings.public or header(scope, b"authorization") or header(scope, b"range"):
            return False
        cookies = [value for name, value in scope["headers"] if name == b"cookie"]
        return not any(sign in one for one in cookies for sign in self._signs)

    def _none(self) -> Recent[Key, Answer]:
        return Recent(self._budget, lambda answer: answer.size_bytes)

    def _fresh(self, key: Key) -> Answer | None:
        found = self._answers.get(key)
        return found if found and found.age_s < LIFETIME_S else None

    async def _make(self, key: Key, state: State, scope: Scope, receive: Receive, send: Send) -> Answer | None:
        """Have an answer made, once for all who wait for it, and keep it; None for one that may not be kept, which
        was passed on to `send`."""
        made_s = time.monotonic()
        over = self._making.setdefault((state, key), asyncio.Event())
        catcher = _Catcher(scope, send)
        try:
            await self._application(scope, receive, catcher.send)
            made = catcher.answer(made_s)
            if made is not None and state == self._state:
                self._answers.put(key, made)
        finally:
            over.set()
            if self._making.get((state, key)) is over:
                del self._making[state, key]
        return made

    async def _renew(self, key: Key, state: State, scope: Scope) -> None:
        """Have an answer made anew, for whoever asks next. One at a time, so that who waits for another has its turn.

        Where that fails the old one stays until its end, and who asks then is told why.
        """
        asked = {**scope, "state": {**scope["state"], "kept": False}}
        try:
            (made,) = await asyncio.gather(
                self._make(key, state, asked, _nothing_more, _to_nobody), return_exceptions=True
            )
        finally:
            self._renewal = None
        if isinstance(made, BaseException):
            _log.warning("%s could not be made anew: %r", scope["path"], made)


async def _nothing_more() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _to_nobody(message: Message) -> None:
    pass


class _Catcher:
    """Holds back an answer that may be kept; all others it passes on as they come."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope = scope
        self._send = send
        self._start: Message | None = None
        self._pieces: list[bytes] = []
        self._whole = False

    async def send(self, message: Message) -> None:
        """Take the next message of the answer."""
        if message["type"] == "http.response.start" and _may_be_kept(self._scope, message):
            self._start = message
        elif self._start is not None and message["type"] == "http.response.body":
            self._pieces.append(bytes(message.get("body", b"")))
            self._whole = not message.get("more_body", False)
        else:
            await self._send(message)

    def answer(self, made_s: float) -> Answer | None:
        """What was held back; None where everything was passed on."""
        if self._start is None or not self._whole:
            return None
        said = {name.lower(): value for name, value in self._start["headers"]}
        body = b"".join(self._pieces)
        etag = said.get(b"etag") or b'W/"%s"' % hashlib.sha256(body).hexdigest()[:32].encode()
        headers = [one for one in self._start["headers"] if one[0].lower() not in _OF_THIS_ANSWER]
        media_type = said.get(b"content-type", b"").decode("latin-1")
        return Answer(headers, body, packed(body, media_type), etag, made_s)


def _may_be_kept(scope: Scope, start: Message) -> bool:
    """Whether a handler has said that it may, and nothing in the answer says that it may not."""
    state = scope.get("state", {})
    if start["status"] != 200 or not state.get("kept") or state.get("readings"):
        return False
    said = {name.lower(): value for name, value in start["headers"]}
    length = said.get(b"content-length", b"")
    return (
        b"set-cookie" not in said
        and b"no-store" not in said.get(b"cache-control", b"")
        and length.isdigit()
        and int(length) <= _MOST_BYTES
    )


def _key(scope: Scope) -> Key:
    """All that an answer to a visitor depends on."""
    ways = (header(scope, name) for name in _WAYS)
    place = (scope["scheme"], header(scope, b"host"), scope.get("root_path", ""))
    return (*place, scope["path"], scope["query_string"], language_of(Request(scope)), *ways)
