"""What all arrays in a store share: a cache of what was decoded, and errors that say what is wrong with one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import tensorstore

from pulvinar.errors import Corrupt, NotFound, Unavailable

# a checksum that does not fit, and bytes that a codec or the reader of `zarr.json` can make nothing of
_DAMAGE = frozenset({"DATA_LOSS", "FAILED_PRECONDITION", "INVALID_ARGUMENT"})
VERIFY = "run `pulvinar verify` on the dataset: it names every damaged object"


@cache
def shared_context(cache_bytes: int) -> Any:
    """The tensorstore context of all arrays of that `cache_bytes`: one cache of that size for them together."""
    return tensorstore.Context({"cache_pool": {"total_bytes_limit": cache_bytes}})


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Within it tensorstore opens or reads `what`; its errors become `NotFound` where there is no such array, `Corrupt`
    for damage, and `Unavailable` for a silent store."""
    try:
        yield
    except ValueError as error:
        code = str(error).partition(":")[0]
        if code == "NOT_FOUND":
            raise NotFound(f"there is no {what}") from error
        if code in _DAMAGE:
            raise Corrupt(f"{what} can't be read: stored bytes are damaged", hint=VERIFY) from error
        raise Unavailable(f"{what} can't be read: the store does not answer") from error
