"""Keeps the log while a process runs: seals it, writes down what was read, used and refused, tells of past hours."""

from __future__ import annotations

import logging
import threading
from types import TracebackType
from typing import Protocol, Self

from sqlalchemy.exc import SQLAlchemyError

from pulvinar.access.audit_chain import seal
from pulvinar.access.reads import tell_reads
from pulvinar.errors import Unavailable
from pulvinar.storage.database import Database

INTERVAL_S = 3.0

_log = logging.getLogger("pulvinar.operations")


class Counter(Protocol):
    """Counts in memory what is written down now and then: reads, refusals, use."""

    def flush(self) -> object:
        """Write down what was counted."""


class LogKeeper:
    """A context manager: within it a thread of its own keeps the log, every `interval_s` and once more at the end.

    Every process that serves or works has one; the database lets one of them seal at a time.
    """

    def __init__(self, database: Database, *counters: Counter, interval_s: float = INTERVAL_S) -> None:
        self._database = database
        self._counters = counters
        self._interval_s = interval_s
        self._stop = threading.Event()
        self._failing = False

    def __enter__(self) -> Self:
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, name="log-keeper", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._keep()

    def _run(self) -> None:
        while not self._stop.wait(self._interval_s):
            self._keep()

    def _keep(self) -> None:
        try:
            for counter in self._counters:
                counter.flush()
            tell_reads(self._database)
            while seal(self._database) is not None and not self._stop.is_set():
                pass
        except (Unavailable, SQLAlchemyError) as failure:
            # told once, and tried again: what was counted stays counted, what happened stays to be sealed
            if not self._failing:
                _log.error("the log can't be kept: %s", failure)
            self._failing = True
        else:
            self._failing = False
