"""Several processes that do the same beside each other, and one that watches over them."""

from __future__ import annotations

import logging
import signal
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import wait
from typing import Any

from pulvinar.errors import Unavailable
from pulvinar.ingest.landlock import die_with_parent
from pulvinar.operations.signals import heeded
from pulvinar.web.shared import CONTEXT

_LOOK_S = 0.5
_START_S = 120.0
_AGAIN_S = 1.0
"""One that has ended is started again after so long, so that one that can't start does not take all of a core."""

_log = logging.getLogger("pulvinar.web")

Work = Callable[[Callable[[], None]], None]
"""What each process does until it is told to end; it calls what it is given once it is under way. It is pickled."""


class Processes:
    """`count` processes that do `work`, each started again when it ends by itself."""

    def __init__(self, work: Work, count: int) -> None:
        self._work = work
        self._running: list[Any] = [None] * count
        self._told = False

    def run(self, ready: Callable[[], None], *, patience_s: float) -> None:
        """Until SIGINT or SIGTERM; then end them, those that have not ended after `patience_s` by force.

        `ready` is called once all are under way. Raises `Unavailable` where one of them ends before that.
        """
        with heeded(self._tell):
            try:
                starting = [self._start(index) for index in range(len(self._running))]
                if self._all_started(starting):
                    ready()
                while not self._told:
                    self._look_after()
            finally:
                self._end(patience_s)

    def _start(self, index: int) -> Any:
        started = CONTEXT.Event()
        process = CONTEXT.Process(target=_run, args=(self._work, started), name=f"pulvinar-{index + 1}")
        process.start()
        self._running[index] = process
        return started

    def _all_started(self, starting: list[Any]) -> bool:
        """Wait until all are under way; False where it was told to end meanwhile."""
        end = time.monotonic() + _START_S
        for started in starting:
            while not started.wait(_LOOK_S / 5):
                if self._told:
                    return False
                if time.monotonic() > end or not all(one.is_alive() for one in self._running):
                    raise Unavailable("a process of the server did not start", hint="what it has said stands above")
        return True

    def _look_after(self) -> None:
        ended = wait([one.sentinel for one in self._running], timeout=_LOOK_S)
        for index, process in enumerate(self._running):
            if process.sentinel in ended and not self._told:
                process.join()
                _log.error("%s ended with %s and is started again", process.name, process.exitcode)
                time.sleep(_AGAIN_S)
                if not self._told:
                    self._start(index)

    def _end(self, patience_s: float) -> None:
        end = time.monotonic() + patience_s
        running = [one for one in self._running if one is not None]
        for process in running:
            process.terminate()
        for process in running:
            process.join(max(0.0, end - time.monotonic()))
            if process.is_alive():
                process.kill()
                process.join()

    def _tell(self) -> None:
        self._told = True


def _run(work: Work, started: Any) -> None:
    """The whole of one process. Ctrl+C is told to all of them, and what ends them is the one that watches."""
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # the server lets what is under way end, and then raises again what it was told by: what was opened is closed then
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    work(started.set)
