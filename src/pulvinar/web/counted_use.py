"""Counts what is answered to people: pages, looks at datasets, downloads. Programs that crawl are not counted."""

from __future__ import annotations

import re

from pulvinar.operations.use import Use, UseCounter
from pulvinar.web.requests import Message, Scope, Send, header

_CRAWLERS = re.compile(rb"bot|crawl|spider|slurp|preview|monitor", re.IGNORECASE)
_DATASET = re.compile(r"/datasets/([^/]+)(/view)?")
_TAKEN = (
    re.compile(r"/data/([0-9a-f]{64})/[^/]+/objects/[^/]+\.(?:parquet|ply|json)"),
    re.compile(r"/api/v1/assets/([0-9a-f]{64})/[^/]+/(?:cutout|matrix)"),
    re.compile(r"/datasets/([^/]+)/assets/[^/]+/neuron\.swc"),
)
_LONGEST_AGENT = 300


def counting_use(counter: UseCounter, scope: Scope, send: Send) -> Send:
    """`send`, counting the answer where it is one that counts; the same `send` where it can't be, as for a chunk."""
    if scope["type"] != "http" or scope["method"] != "GET":
        return send
    path = scope["path"]
    if path.startswith(("/static/", "/api/", "/data/")) and not any(one.fullmatch(path) for one in _TAKEN):
        return send

    async def counted(message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] == 200:
            _count(counter, scope, dict(message["headers"]).get(b"content-type", b""))
        await send(message)

    return counted


def _count(counter: UseCounter, scope: Scope, kind: bytes) -> None:
    agent = header(scope, b"user-agent")[:_LONGEST_AGENT]
    path = scope["path"]
    if _CRAWLERS.search(agent):
        return
    for one in _TAKEN:
        if match := one.fullmatch(path):
            # a program that reads parts of a file takes no copy of it
            if not header(scope, b"range"):
                counter.add(Use.DOWNLOAD, match[1])
            return
    if not kind.startswith(b"text/html") or header(scope, b"hx-request"):
        return
    client = scope.get("client")
    # who asks not to be followed is counted as a visit alone
    alone = b"1" in (header(scope, b"sec-gpc"), header(scope, b"dnt"))
    counter.visit("" if alone or not client else client[0], agent.decode("latin-1"))
    if match := _DATASET.fullmatch(path):
        counter.add(Use.VIEW if match[2] else Use.PAGE, match[1])
