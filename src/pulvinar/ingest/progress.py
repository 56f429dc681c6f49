"""Telling a person how far a long piece of work is: rate and time left, on a terminal or in plain lines."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self, TextIO

QUIET_S = 2.0
"""Work shorter than this says nothing."""

LINE_EVERY_S = 10.0
"""How often a plain line is written where there is no terminal."""


class Progress(Protocol):
    """What long work reports to. `task` starts one piece; its pieces follow each other, they never overlap."""

    def task(self, title: str, total: int, unit: str, done: int = 0) -> Task:
        """A new piece of work of `total` steps counted in `unit` ("voxels", "bytes", "objects"); `done` of them are
        done already. A `total` of 0 is not known, and an empty `unit` counts nothing: only time passes."""

    def say(self, line: str) -> None:
        """One line for the person, whole, above whatever moves."""


class Task(Protocol):
    """One piece of long work, as a context manager."""

    def update(self, done: int) -> None:
        """`done` steps of the total are finished; may be called often and from another thread."""

    def __enter__(self) -> Self:
        """Start the clock."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the moving line away; say how long it took when it was long."""


class Silent:
    """Says nothing, for callers that do not watch."""

    def task(self, title: str, total: int, unit: str, done: int = 0) -> Task:
        """A task that nobody sees."""
        return _SilentTask()

    def say(self, line: str) -> None:
        """Nothing."""


class _SilentTask:
    def update(self, done: int) -> None:
        """Nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


class TerminalProgress:
    """Progress for a person: a moving bar on a terminal, a plain line every ten seconds elsewhere."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._moves = self._stream.isatty()
        self._current: _LiveTask | None = None

    def task(self, title: str, total: int, unit: str, done: int = 0) -> Task:
        """A task that shows itself after two seconds."""
        self._current = _LiveTask(title, total, unit, done, self._stream, self._moves)
        return self._current

    def say(self, line: str) -> None:
        """Write `line`, keeping a moving bar below it."""
        if self._current is not None:
            self._current.clear()
        print(line, file=self._stream, flush=True)


class _LiveTask:
    def __init__(self, title: str, total: int, unit: str, done: int, stream: TextIO, moves: bool) -> None:
        self._title, self._total, self._unit = title, total, unit
        self._stream, self._moves = stream, moves
        # a resumed piece starts part way: what was done before must not flatter the rate
        self._first_done = self._done = done
        self._started = self._shown = time.monotonic()
        self._visible = False

    def __enter__(self) -> Self:
        self._started = self._shown = time.monotonic()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clear()
        took = time.monotonic() - self._started
        if kind is None and took >= QUIET_S:
            print(f"{self._title}: {', '.join([duration(took), *self._pace(took)])}", file=self._stream, flush=True)

    def update(self, done: int) -> None:
        """Redraw at most four times a second (terminal) or every ten seconds (elsewhere)."""
        now = time.monotonic()
        self._done = max(done, self._first_done)
        pause = 0.25 if self._moves else LINE_EVERY_S
        if now - self._started < QUIET_S or (self._visible and now - self._shown < pause):
            return
        self._shown, self._visible = now, True
        line = self.line(now - self._started)
        if self._moves:
            print(f"\r\x1b[2K{line}", end="", file=self._stream, flush=True)
        else:
            print(line, file=self._stream, flush=True)

    def line(self, elapsed_s: float) -> str:
        """The line as it stands: bar, per cent, rate and time left; without a total what is done, and since when."""
        pace = self._pace(elapsed_s)
        if not self._total:
            counted = [amount(self._done, self._unit), *pace] if pace else []
            return ", ".join([self._title, *counted, duration(elapsed_s)])
        share = min(self._done / self._total, 1.0)
        bar = "█" * round(share * 20) + "░" * (20 - round(share * 20))
        left = elapsed_s * max(self._total - self._done, 0) / max(self._done - self._first_done, 1)
        return ", ".join([f"{self._title} {bar} {share:4.0%}", *pace, *([f"{duration(left)} left"] if pace else [])])

    def _pace(self, elapsed_s: float) -> list[str]:
        """The rate, when anything was done that is counted."""
        steps = self._done - self._first_done
        return [rate(steps / max(elapsed_s, 1e-6), self._unit)] if steps > 0 and self._unit else []

    def clear(self) -> None:
        """Take a moving line off the terminal."""
        if self._moves and self._visible:
            print("\r\x1b[2K", end="", file=self._stream, flush=True)


@contextmanager
def watched(
    progress: Progress, title: str, position: Callable[[], int] = lambda: 0, *, total: int = 0, unit: str = ""
) -> Iterator[None]:
    """A task for a block that can't report itself: `position` is asked, in a thread of its own, how far it is."""
    over = threading.Event()

    def watch() -> None:
        pause_s = 0.25
        while not over.wait(pause_s):
            asked = time.monotonic()
            task.update(position())
            # to ask must not cost more than a small part of the work
            pause_s = max(0.25, 20 * (time.monotonic() - asked))

    with progress.task(title, total, unit) as task:
        watcher = threading.Thread(target=watch, name="progress", daemon=True)
        watcher.start()
        try:
            yield
        finally:
            over.set()
            watcher.join()


def bytes_below(folder: Path) -> int:
    """How many bytes the files below `folder` have right now, for a task that watches them grow."""
    total = 0
    for at, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += os.lstat(os.path.join(at, name)).st_size  # noqa: PTH118 (millions of names)
    return total


def amount(count: int, unit: str) -> str:
    """A count in readable form: "1,234 files"; bytes go by "MB"."""
    return rate(count, unit).removesuffix("/s") if unit == "bytes" else f"{count:,} {unit}"


def rate(per_s: float, unit: str) -> str:
    """A rate in readable form: `rate(2.5e8, "voxels")` is "250 M voxels/s"; bytes go by "MB/s"."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if per_s >= size:
            return f"{per_s / size:.3g} {letter}B/s" if unit == "bytes" else f"{per_s / size:.3g} {letter} {unit}/s"
    return f"{per_s:.3g} {'B' if unit == 'bytes' else unit}/s"


def duration(seconds: float) -> str:
    """A duration in readable form: "8 s", "3 min 20 s", "5 h 02 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
