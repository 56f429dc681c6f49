"""What happens in a worker: a batch, block by block, under a watch that ends what takes too much.

Python can't end a thread, and what C code has allocated it can't take back: a block that takes too much memory or too
long is ended with its process, which says why before it goes.
"""

from __future__ import annotations

import os
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

from pulvinar.compute.engine import Batch, BlockDone, BlockFailed, BlockSaid, Told
from pulvinar.errors import PulvinarError
from pulvinar.model.job import FailureKind
from pulvinar.model.text import short

_LOOK_S = 0.05
_LOG_LETTERS = 8000
_PAGE = os.sysconf("SC_PAGE_SIZE")

Tell = Callable[[Told], None]
_saying: ContextVar[Callable[[str], None] | None] = ContextVar("saying", default=None)


def say(text: str) -> None:
    """Write a line into the log of the job whose block runs here; nothing happens outside of one."""
    tell = _saying.get()
    if tell is not None:
        tell(text)


def run_batch(batch: Batch, tell: Tell, watch: Watch | None = None) -> None:
    """Run the blocks of `batch` in their order, telling of each; a block that raises does not end the others."""
    for index in batch.blocks:
        if watch is not None and watch.is_stopped(batch.id):
            return
        with watch.over(batch, index) if watch is not None else _unwatched():
            tell(run_block(batch, index, tell))


@contextmanager
def _unwatched() -> Iterator[None]:
    yield


def run_block(batch: Batch, index: int, tell: Tell) -> Told:
    """Run one block; what came of it."""
    began, cpu_began = time.perf_counter(), time.process_time()
    token = _saying.set(lambda text: tell(BlockSaid(batch.id, index, text)))
    try:
        result = batch.task(index)
    except Exception as error:  # noqa: BLE001 (whatever a solution raises is a failure of its block)
        wall_s = time.perf_counter() - began
        kind = FailureKind.MEMORY if isinstance(error, MemoryError) else FailureKind.ERROR
        log = traceback.format_exc()[-_LOG_LETTERS:]
        return BlockFailed(batch.id, index, kind, in_words(error), log, wall_s)
    finally:
        _saying.reset(token)
    return BlockDone(batch.id, index, result, time.perf_counter() - began, time.process_time() - cpu_began)


def in_words(error: BaseException) -> str:
    """`error` in one line: its own words where it was raised on purpose."""
    if isinstance(error, PulvinarError):
        return short(f"{error.message}; {error.hint}" if error.hint else error.message, 500)
    return short(f"{type(error).__name__}: {error}", 500)


def resident_bytes() -> int:
    """Memory that this process has now."""
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * _PAGE


@dataclass
class _Watched:
    batch: Batch
    index: int
    began: float


class Watch:
    """Looks after the block that runs in this process: its memory, its time, and whether it is still wanted.

    `give_up` is called with the failure; it tells and ends the process.
    """

    def __init__(self, memory_bytes: int, give_up: Callable[[BlockFailed], None]) -> None:
        self._memory_bytes = memory_bytes
        self._give_up = give_up
        self._now: _Watched | None = None
        self._stopped: dict[str, float] = {}
        self._locked = threading.Lock()
        threading.Thread(target=self._look, name="watch", daemon=True).start()

    def stop(self, batch_id: str, grace_s: float) -> None:
        """Begin no further block of the batch, and give the one under way `grace_s` to end."""
        self._stopped[batch_id] = time.monotonic() + grace_s

    def is_stopped(self, batch_id: str) -> bool:
        """Whether the batch is to end."""
        return batch_id in self._stopped

    @contextmanager
    def over(self, batch: Batch, index: int) -> Iterator[None]:
        """Watch the block that runs in the `with`."""
        self._now = _Watched(batch, index, time.monotonic())
        try:
            yield
        finally:
            # while the watch gives a block up, the block can't end
            with self._locked:
                self._now = None

    def _look(self) -> None:
        while True:
            time.sleep(_LOOK_S)
            with self._locked:
                now = self._now
                failure = self._failure(now) if now is not None else None
                if failure is not None:
                    self._give_up(failure)

    def _failure(self, now: _Watched) -> BlockFailed | None:
        took = time.monotonic() - now.began
        memory = resident_bytes()
        if memory > self._memory_bytes:
            said = f"it took {memory / 1e9:.2f} GB, and its slot has {self._memory_bytes / 1e9:.2f} GB"
            return BlockFailed(now.batch.id, now.index, FailureKind.MEMORY, said, wall_s=took)
        if took > now.batch.timeout_s:
            said = f"it ran for {took:.0f} s, and its step allows {now.batch.timeout_s:.0f} s"
            return BlockFailed(now.batch.id, now.index, FailureKind.TIMEOUT, said, wall_s=took)
        if time.monotonic() > self._stopped.get(now.batch.id, float("inf")):
            return BlockFailed(now.batch.id, now.index, FailureKind.STOPPED, "it was stopped", wall_s=took)
        return None
