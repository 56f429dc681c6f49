"""What every engine must do, as a test class: its author subclasses it and gives a fixture `engine`.

The engine has two or more slots named "standard" with `MEMORY_BYTES` each, and for an engine whose blocks have
processes of their own `isolates` stays true. Nothing here imports pytest.
"""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from pulvinar.compute.batches import say
from pulvinar.compute.engine import (
    Batch,
    BatchEnded,
    BlockDone,
    BlockFailed,
    BlockResult,
    BlockSaid,
    Engine,
    MadeObject,
    Told,
)
from pulvinar.errors import Invalid
from pulvinar.model.identity import new_id
from pulvinar.model.job import FailureKind

MEMORY_BYTES = 600_000_000
_PATIENCE_S = 60


@dataclass(frozen=True)
class Squares:
    """Squares the number of its block, after `sleep_s`."""

    sleep_s: float = 0.0

    def __call__(self, index: int) -> BlockResult:
        """The square, and an object that says so."""
        time.sleep(self.sleep_s)
        return BlockResult({"square": index**2}, (MadeObject("out", f"{index}", 1, "a" * 64),), {"out": {"n": index}})


@dataclass(frozen=True)
class Misfortunes:
    """Does what is said of block 1, and squares the others."""

    what: str

    def __call__(self, index: int) -> BlockResult:
        """Raise, hog, hang, die or talk in block 1."""
        if index == 1:
            _MISFORTUNES[self.what]()
        return Squares()(index)


def _raise() -> None:
    raise Invalid("the volume is empty", hint="take another")


def _exhaust() -> None:
    raise MemoryError


def _hog() -> None:
    held = []
    while True:
        held.append(b"x" * (8 << 20))


def _hang() -> None:
    time.sleep(_PATIENCE_S)


def _die() -> None:
    # what ended a moment before may be on its way
    time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGKILL)


_MISFORTUNES: dict[str, Callable[[], None]] = {
    "raise": _raise,
    "exhaust": _exhaust,
    "hog": _hog,
    "hang": _hang,
    "die": _die,
    "talk": lambda: say("half way"),
}


class EngineContract:
    """The promises of `Engine`."""

    isolates: ClassVar[bool] = True

    def test_every_block_is_told_once_and_then_the_end(self, engine: Engine) -> None:
        """With its values, its objects and its details."""
        told = run(engine, Batch(new_id(), Squares(), (0, 1, 2, 5)))
        done = [one for one in told if isinstance(one, BlockDone)]
        assert [(one.block, one.result.values["square"]) for one in done] == [(0, 0), (1, 1), (2, 4), (5, 25)]
        assert done[3].result == Squares()(5)
        assert isinstance(told[-1], BatchEnded)
        assert all(one.wall_s >= 0 and one.cpu_s >= 0 for one in done)

    def test_many_batches_end(self, engine: Engine) -> None:
        """And none is mixed up with another."""
        batches = [Batch(new_id(), Squares(), tuple(range(first, first + 10))) for first in range(0, 200, 10)]
        told = run(engine, *batches)
        done = Counter((one.batch_id, one.block) for one in told if isinstance(one, BlockDone))
        assert done == Counter((batch.id, index) for batch in batches for index in batch.blocks)
        assert sum(isinstance(one, BatchEnded) for one in told) == len(batches)

    def test_a_block_that_raises_is_told_and_the_others_run(self, engine: Engine) -> None:
        """An error raised on purpose is told in its own words, the place of any in its log."""
        told = run(engine, Batch(new_id(), Misfortunes("raise"), (0, 1, 2)))
        assert [one.block for one in told if isinstance(one, BlockDone)] == [0, 2]
        (failed,) = [one for one in told if isinstance(one, BlockFailed)]
        assert (failed.block, failed.kind) == (1, FailureKind.ERROR)
        assert failed.message == "the volume is empty; take another"
        assert "_raise" in failed.log

    def test_no_memory_is_no_error_of_the_code(self, engine: Engine) -> None:
        """`MemoryError` is told apart."""
        told = run(engine, Batch(new_id(), Misfortunes("exhaust"), (1,)))
        assert [one.kind for one in told if isinstance(one, BlockFailed)] == [FailureKind.MEMORY]

    def test_what_a_block_says_is_told(self, engine: Engine) -> None:
        """For the log of its job."""
        told = run(engine, Batch(new_id(), Misfortunes("talk"), (0, 1)))
        assert [(one.block, one.text) for one in told if isinstance(one, BlockSaid)] == [(1, "half way")]

    def test_what_is_offered_is_counted(self, engine: Engine) -> None:
        """By the name of its slot."""
        deadline = time.monotonic() + _PATIENCE_S
        wanted = {slot.name: slot.count for slot in engine.slots}
        while dict(engine.offered()) != wanted and time.monotonic() < deadline:
            engine.tell(0.2)
        assert dict(engine.offered()) == wanted

    def test_a_stopped_batch_begins_no_other_block(self, engine: Engine) -> None:
        """The one under way ends in peace."""
        batch = Batch(new_id(), Squares(0.2), tuple(range(100)))
        engine.submit(batch, "standard")
        told = until(engine, lambda told: any(isinstance(one, BlockDone) for one in told))
        engine.stop(batch.id, grace_s=_PATIENCE_S)
        told += until(engine, lambda told: any(isinstance(one, BatchEnded) for one in told))
        assert 1 <= sum(isinstance(one, BlockDone) for one in told) < 20
        assert not any(isinstance(one, BlockFailed) for one in told)

    def test_a_batch_that_waits_can_be_taken_back(self, engine: Engine) -> None:
        """And what was not stopped goes on."""
        slots = sum(slot.count for slot in engine.slots if slot.name == "standard")
        busy = [Batch(new_id(), Squares(0.5), (0,)) for _ in range(slots)]
        waiting = Batch(new_id(), Squares(), (7,))
        for batch in (*busy, waiting):
            engine.submit(batch, "standard")
        engine.stop(waiting.id, grace_s=5)
        told = until(engine, lambda told: len(_ended(told)) == slots + 1)
        assert {one.batch_id for one in told if isinstance(one, BlockDone)} >= {batch.id for batch in busy}

    def test_too_much_memory_ends_the_block_alone(self, engine: Engine) -> None:
        """It is told as such; what had ended before is told as done, and the slot takes the next batch."""
        self._survives(engine, "hog", FailureKind.MEMORY, "and its slot has")

    def test_too_long_ends_the_block_alone(self, engine: Engine) -> None:
        """After the time of its step."""
        self._survives(engine, "hang", FailureKind.TIMEOUT, "and its step allows")

    def test_a_dead_worker_is_told_and_replaced(self, engine: Engine) -> None:
        """The block under way is lost, and no other."""
        self._survives(engine, "die", FailureKind.LOST, "died without a word")

    def test_a_block_that_does_not_stop_is_ended(self, engine: Engine) -> None:
        """Once its grace is over."""
        if not self.isolates:
            return
        batch = Batch(new_id(), Misfortunes("hang"), (0, 1, 2))
        engine.submit(batch, "standard")
        until(engine, lambda told: any(isinstance(one, BlockDone) for one in told))
        asked = time.monotonic()
        engine.stop(batch.id, grace_s=0.5)
        told = until(engine, lambda told: bool(_ended(told)))
        assert time.monotonic() - asked < 5
        assert {one.kind for one in told if isinstance(one, BlockFailed)} <= {FailureKind.STOPPED}

    def _survives(self, engine: Engine, what: str, kind: FailureKind, words: str) -> None:
        if not self.isolates:
            return
        told = run(
            engine, Batch(new_id(), Misfortunes(what), (0, 1, 2), timeout_s=1.0 if what == "hang" else _PATIENCE_S)
        )
        assert [one.block for one in told if isinstance(one, BlockDone)] == [0]
        (failed,) = [one for one in told if isinstance(one, BlockFailed)]
        assert (failed.block, failed.kind) == (1, kind)
        assert words in failed.message
        slots = sum(slot.count for slot in engine.slots if slot.name == "standard")
        again = run(engine, *(Batch(new_id(), Squares(), (3,)) for _ in range(2 * slots)))
        assert sum(isinstance(one, BlockDone) for one in again) == 2 * slots


def run(engine: Engine, *batches: Batch) -> list[Told]:
    """Run `batches` in "standard" slots to their ends; all that was told."""
    for batch in batches:
        engine.submit(batch, "standard")
    return until(engine, lambda told: len(_ended(told)) == len(batches))


def until(engine: Engine, enough: Callable[[Sequence[Told]], bool]) -> list[Told]:
    """What is told until it is `enough`."""
    told: list[Told] = []
    deadline = time.monotonic() + _PATIENCE_S
    while not enough(told):
        assert time.monotonic() < deadline, f"nothing more is told after {told[-5:]}"
        told += engine.tell(0.1)
    return told


def _ended(told: Sequence[Told]) -> list[Told]:
    return [one for one in told if isinstance(one, BatchEnded)]
