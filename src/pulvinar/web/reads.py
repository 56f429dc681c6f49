"""Counts what is answered of controlled data: by whom, of which asset, how many answers and bytes."""

from __future__ import annotations

from typing import NamedTuple

from fastapi import Request

from pulvinar.access.reads import ReadCounter
from pulvinar.catalogue.assets import Resolved
from pulvinar.model.access import Actor, Tier
from pulvinar.web.requests import Application, Message, Receive, Scope, Send

NO_STORE = b"no-store"


class Reading(NamedTuple):
    """An actor reads controlled data."""

    actor_id: str
    asset_id: str
    dataset_id: str


def reading_of(actor: Actor, found: Resolved) -> Reading | None:
    """What is to be counted when `actor` reads of an asset: nothing, unless its data are controlled."""
    if found.tier is not Tier.CONTROLLED:
        return None
    return Reading(actor.id, found.asset.id, found.dataset_id)


def count_as(request: Request, reading: Reading | None) -> None:
    """Have the answer to `request` counted; once more where it is of several assets."""
    readings: list[Reading] = request.scope["state"].setdefault("readings", [])
    if reading is not None and reading not in readings:
        readings.append(reading)


def counting(counter: ReadCounter, reading: Reading, send: Send) -> Send:
    """`send`, counting what it sends, of answers that are one."""
    answered = False

    async def counted(message: Message) -> None:
        nonlocal answered
        await send(message)
        if message["type"] == "http.response.start":
            answered = message["status"] in (200, 206)
            if answered:
                counter.add(*reading, chunks=1)
        elif answered:
            counter.add(*reading, size_bytes=len(message.get("body", b"")))

    return counted


def _unkept(send: Send) -> Send:
    """`send`, of which nothing is kept: no browser, and nothing on the way, has controlled data afterwards."""

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = [one for one in message["headers"] if one[0].lower() != b"cache-control"]
            message = {**message, "headers": [*headers, (b"cache-control", NO_STORE)]}
        await send(message)

    return sent


class CountedReads:
    """An ASGI application whose handlers say by `count_as` what they read for whom."""

    def __init__(self, application: Application, counter: ReadCounter) -> None:
        self._application = application
        self._counter = counter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        through: Send | None = None

        async def watched(message: Message) -> None:
            nonlocal through
            if through is None:
                readings = scope.get("state", {}).get("readings", ())
                through = _unkept(send) if readings else send
                for reading in readings:
                    through = counting(self._counter, reading, through)
            await through(message)

        await self._application(scope, receive, watched)
