"""How often somebody may ask for what costs much: a bucket of tokens for each person, or each address of visitors."""

from __future__ import annotations

import time
from ipaddress import IPv6Address, ip_address
from math import ceil

from fastapi import Request

from pulvinar.errors import TooOften
from pulvinar.model.access import ANONYMOUS
from pulvinar.web.context import CurrentActor
from pulvinar.web.shared import Slots


class Buckets:
    """Tokens that come back at `per_minute`; as many can be saved up. 0 is no limit. For any thread, and for all the
    processes that have the same `slots`."""

    def __init__(self, per_minute: int, slots: Slots | None = None) -> None:
        self._most = float(per_minute)
        self._per_s = per_minute / 60
        self._slots = slots or Slots()

    def take(self, who: str, now_s: float | None = None) -> int:
        """Take a token: 0, or in how many seconds there will be one."""
        if not self._per_s:
            return 0
        # of all processes of a machine the same
        now = time.monotonic() if now_s is None else now_s
        with self._slots.lock:
            bucket, is_known = self._slots.find(who)
            held = bucket["tokens"][0] + (now - bucket["at_s"][0]) * self._per_s if is_known else self._most
            tokens = min(self._most, held)
            bucket["at_s"] = now
            bucket["tokens"] = tokens - 1 if tokens >= 1 else tokens
            return 0 if tokens >= 1 else max(1, ceil((1 - tokens) / self._per_s))


def costly(request: Request, actor: CurrentActor) -> None:
    """A dependency of routes that cost much. Raises `TooOften`. Owners of the node are not held up."""
    if actor.is_owner:
        return
    buckets: Buckets = request.app.state.buckets
    who = address_of(request) if actor.id == ANONYMOUS.id else actor.id
    wait_s = buckets.take(who)
    if wait_s:
        hint = f"ask again in {wait_s} s; a program should wait as Retry-After says"
        raise TooOften("too many costly requests within a minute", hint=hint, wait_s=wait_s)


def address_of(request: Request) -> str:
    """Where a request comes from; of the newer protocol the network, of which one house has all addresses."""
    host = request.client.host if request.client else ""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if isinstance(address, IPv6Address):
        return str(address.ipv4_mapped or IPv6Address(int(address) >> 64 << 64))
    return host
