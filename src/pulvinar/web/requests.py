"""What the headers of a request ask for: one byte range, a copy only if it changed."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
"""The five words of the ASGI specification."""

CAME_S = "pulvinar.came_s"
"""Under this name a scope says when its request was read from the connection, by the monotonic clock."""

_SINGLE_RANGE = re.compile(rb"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


class RangeNotSatisfiable(Exception):
    """The range lies outside of the object."""


def header(scope: Scope, name: bytes) -> bytes:
    """The value of the first header called `name` (lower case); empty when there is none."""
    for key, value in scope["headers"]:
        if key == name:
            return bytes(value)
    return b""


def parse_range(value: bytes, size: int) -> tuple[int, int] | None:
    """The bytes (start, stop) of an object of `size` bytes that a Range header asks for.

    None where the header is to be ignored, as RFC 9110 says: another unit, several ranges, or nonsense. Raises
    `RangeNotSatisfiable` for a range that begins behind the end, and for a suffix of no bytes.
    """
    match = _SINGLE_RANGE.fullmatch(value.strip())
    if not match or match[0].endswith(b"=-"):
        return None
    if not match[1]:
        length = min(int(match[2]), size)
        if length == 0:
            raise RangeNotSatisfiable
        return size - length, size
    start = int(match[1])
    stop = min(int(match[2]) + 1, size) if match[2] else size
    if match[2] and int(match[2]) < start:
        return None
    if start >= size:
        raise RangeNotSatisfiable
    return start, stop


def matches_etag(value: bytes, etag: bytes) -> bool:
    """Whether an If-None-Match header names `etag`, compared weakly."""
    names = (name.strip().removeprefix(b"W/") for name in value.split(b","))
    return any(name in (etag, b"*") for name in names)


def wanted_range(scope: Scope, etag: bytes, size: int) -> tuple[int, int] | None:
    """The range to answer with 206, or None for the whole; raises `RangeNotSatisfiable`.

    A range goes with an If-Range header only when it names this very `etag`: dates are never the same.
    """
    asked = header(scope, b"range")
    if not asked:
        return None
    condition = header(scope, b"if-range")
    if condition and condition != etag:
        return None
    return parse_range(asked, size)
