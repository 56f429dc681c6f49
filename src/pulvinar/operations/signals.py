"""How a process that goes on until it is told to end hears of it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def heeded(stop: Callable[[], None]) -> Iterator[None]:
    """Within it SIGINT and SIGTERM call `stop`, in the main thread and in no other; after it they do what they did."""

    def told(number: int, frame: object) -> None:
        stop()

    before = {one: signal.signal(one, told) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for one, handler in before.items():
            # what no Python code has set can't be set by any
            signal.signal(one, signal.SIG_DFL if handler is None else handler)
