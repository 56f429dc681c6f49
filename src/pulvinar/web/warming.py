"""Pages made before anybody asks for them.

The first request builds the routes, the first page of a kind its template, the first of a language its words, and some
import or read what they tell of: seconds of work for a process that has just begun, and they hold up all who come in
these seconds. So a process goes through the portal once, as a visitor who follows its links, before it answers.
"""

from __future__ import annotations

import re
import time
from collections import deque
from html import unescape
from urllib.parse import unquote, urlsplit

from pulvinar.web.language import LANGUAGES
from pulvinar.web.requests import Application, Message, Scope

_LONGEST_S = 30.0
"""After so long whoever waits for the server waits no more: what is left is made when it is asked for."""
_MOST_PAGES = 60
_LINK = re.compile(rb'href="(/[^"#]*)')
_NO_PAGES = ("api", "static", "data", "sign-in")

Kind = tuple[str, int, bool]


async def warm_up(application: Application, address: str) -> None:
    """Ask `application`, which is reached at `address`, for its first page, and for one of each kind that follows from
    it, in each language. `application` answers whatever fails, and tells the log."""
    end_s = time.monotonic() + _LONGEST_S
    waiting, known = deque(["/"]), {_kind("/")}
    for _ in range(_MOST_PAGES):
        if not waiting or time.monotonic() > end_s:
            return
        target = waiting.popleft()
        pages = [await _page(application, address, target, language) for language in LANGUAGES]
        for link in (unescape(one.decode("utf-8", "replace")) for one in _LINK.findall(pages[0])):
            if _kind(link) not in known and _kind(link)[0] not in _NO_PAGES and "lang=" not in link:
                known.add(_kind(link))
                waiting.append(link)


def _kind(target: str) -> Kind:
    """What pages have in common that are made alike, nearly: where they begin, how deep they lie, and a question."""
    path, _, query = target.partition("?")
    parts = path.strip("/").split("/")
    return parts[0], len(parts), bool(query)


async def _page(application: Application, address: str, target: str, language: str) -> bytes:
    """The body of the answer; b"" for what isn't a page."""
    url, (path, _, query) = urlsplit(address), target.partition("?")
    headers = {b"host": url.netloc.encode(), b"accept": b"text/html", b"accept-language": language.encode()}
    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": url.scheme,
        "server": (url.hostname, url.port),
        "client": None,
        "root_path": "",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": list(headers.items()),
        "state": {},
    }
    messages: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        messages.append(message)

    await application(scope, receive, send)
    kind = dict(messages[0]["headers"]).get(b"content-type", b"")
    return b"".join(one.get("body", b"") for one in messages[1:]) if kind.startswith(b"text/html") else b""
