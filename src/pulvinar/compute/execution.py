"""One job on its way: which blocks are to be done, in which batches, and what becomes of those that fail."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from pulvinar.compute.engine import Batch, BatchEnded, BlockDone, BlockFailed, BlockSaid, BlockTask, Told
from pulvinar.compute.ledger import EndedBlock, FailedBlock, Ledger, Page
from pulvinar.compute.slots import Slot, bigger_slot, slot_for
from pulvinar.errors import Unavailable
from pulvinar.model.identity import new_id
from pulvinar.model.job import FailureKind, Job
from pulvinar.model.plan import Plan, Step

BATCH_S = 2.0
"""A batch is worth about so much work: Dask then costs little, and a worker that dies costs little."""
ATTEMPTS = 3
_BRIEF_S = 3 * BATCH_S
"""A batch that ends so soon, the time that it waited for its slot included, may have another wait behind it."""
_MOST_BLOCKS = 2000
_BACK_OFF_S = (1.0, 4.0, 15.0)


class Outcome(StrEnum):
    """How the blocks of a job ended."""

    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True)
class _Again:
    """A block that is tried again, alone: not before `ready_s`, in a slot with at least so much memory."""

    block: int
    ready_s: float
    memory_bytes: int


@dataclass
class _Current:
    """The step under way."""

    number: int
    step: Step
    task: BlockTask
    todo: deque[int]
    again: list[_Again] = field(default_factory=list)
    attempts: dict[int, int] = field(default_factory=dict)
    ended: int = 0
    lost: int = 0
    mean_s: float | None = None

    @property
    def expected_s(self) -> float:
        """What one block takes: as those that have ended, before that as its plan says."""
        return self.mean_s if self.mean_s is not None else self.step.need.cpu_s


@dataclass
class _Running:
    """A batch under way. `block_s` is what its blocks are expected to take, `since_s` when one of them last ended."""

    batch: Batch
    slot: Slot
    left: set[int]
    block_s: float
    since_s: float = field(default_factory=time.monotonic)

    @property
    def pending_s(self) -> float:
        """What is still to come of it, or what it has taken since a block last ended where that is more."""
        return max(self.block_s * len(self.left), time.monotonic() - self.since_s)


class Execution:
    """One job. `want` gives the next batch for a slot, `hear` takes what became of it, `keep` writes it down.

    `task_of` makes the task of a step, once the step before has ended. `outcome` and `reason` are there once nothing is
    left to do and nothing runs.
    """

    def __init__(
        self,
        ledger: Ledger,
        job: Job,
        plan: Plan,
        slots: Sequence[Slot],
        task_of: Callable[[int], BlockTask],
    ) -> None:
        self.job = job
        self.outcome: Outcome | None = None
        self.reason = ""
        self.stopping = False
        self.lost = 0
        self._done = 0
        self._size_bytes = 0
        self._ledger = ledger
        self._plan = plan
        self._slots = slots
        self._task_of = task_of
        self._running: dict[str, _Running] = {}
        self._page = Page()
        self._current = self._begin(0)

    @property
    def running(self) -> int:
        """How many batches are under way."""
        return len(self._running)

    @property
    def cores(self) -> int:
        """How many cores its batches hold."""
        return sum(running.slot.cpus for running in self._running.values())

    @property
    def pending_core_s(self) -> float:
        """Core seconds that its batches under way hold and that no block has told of yet."""
        return sum(running.pending_s * running.slot.cpus for running in self._running.values())

    def is_brief(self, slot: Slot) -> bool:
        """Whether all its batches in such slots are expected to end soon."""
        return all(one.pending_s <= _BRIEF_S for one in self._running.values() if one.slot is slot)

    @property
    def batch_ids(self) -> tuple[str, ...]:
        """Those under way."""
        return tuple(self._running)

    def _begin(self, number: int) -> _Current:
        step, known = self._plan.steps[number], self._ledger.known(number)
        self._done += len(known.ended) - known.lost
        self.lost += known.lost
        todo = deque(index for index in range(step.blocks) if index not in known.ended)
        if todo:
            self.say(f"step {step.name}: {len(todo)} of {step.blocks} blocks to do")
        attempts = dict(known.attempts)
        # what has failed before may fail again: it runs alone, and the others don't wait for it
        again = [_Again(index, 0.0, step.need.memory_bytes) for index in todo if index in attempts]
        if again:
            todo = deque(index for index in todo if index not in attempts)
        task = self._task_of(number)
        return _Current(number, step, task, todo, again, attempts, len(known.ended), known.lost)

    def say(self, text: str) -> None:
        """Write a line into the job's log."""
        self._page.lines.append(text)

    def waits(self) -> bool:
        """Whether a batch could be had right now."""
        return not self._is_over() and bool(self._current.todo or self._ready(time.monotonic()))

    def want(self, slot: Slot, count: int, *, lend: bool) -> Batch | None:
        """The next batch for `slot`, of which the engine has `count`; or None. Where `lend`, also one for which a
        smaller slot would do."""
        need = self._current.step.need
        if self._is_over() or not slot.takes(need):
            return None
        fits_exactly = slot_for(need, self._slots) is slot
        blocks = self._alone(slot) or (self._together(count) if lend or fits_exactly else ())
        if not blocks:
            return None
        batch = Batch(new_id("batch"), self._current.task, blocks, self._current.step.timeout_s)
        self._running[batch.id] = _Running(batch, slot, set(blocks), self._current.expected_s)
        return batch

    def _ready(self, now: float) -> list[_Again]:
        return [one for one in self._current.again if one.ready_s <= now]

    def _alone(self, slot: Slot) -> tuple[int, ...]:
        for one in self._ready(time.monotonic()):
            if one.memory_bytes <= slot.memory_bytes:
                self._current.again.remove(one)
                return (one.block,)
        return ()

    def _together(self, count: int) -> tuple[int, ...]:
        current = self._current
        most = min(_MOST_BLOCKS, max(1, int(BATCH_S / max(current.expected_s, 1e-6))))
        # towards the end batches get smaller, so that all slots end at about the same time
        share = -(-len(current.todo) // (2 * max(1, count)))
        if current.mean_s is None:
            share = min(share, 4)
        return tuple(current.todo.popleft() for _ in range(min(most, share, len(current.todo))))

    def hear(self, told: Told) -> float:
        """Take in what became of a batch of this job; the core seconds that it tells of."""
        running = self._running.get(told.batch_id)
        if running is None:
            return 0.0
        before = self._page.spent.core_s
        self._take_in(told, running)
        took = self._page.spent.core_s - before
        self._go_on()
        return took

    def _take_in(self, told: Told, running: _Running) -> None:
        if isinstance(told, BlockSaid):
            self.say(f"{self._current.step.name} {told.block}: {told.text}")
        elif isinstance(told, BatchEnded):
            self._put_back(running)
        elif told.block in running.left:
            running.left.discard(told.block)
            running.since_s = time.monotonic()
            if isinstance(told, BlockDone):
                self._hear_done(told, running.slot)
            else:
                self._hear_failed(told, running.slot)

    def _put_back(self, running: _Running) -> None:
        """A batch has ended; what of it did not run is to be done."""
        del self._running[running.batch.id]
        self._current.todo.extendleft(sorted(running.left, reverse=True))

    def lose_engine(self) -> None:
        """The engine is gone, and with it all that was under way."""
        for running in list(self._running.values()):
            self._put_back(running)

    def _hear_done(self, told: BlockDone, slot: Slot) -> None:
        current, spent = self._current, self._page.spent
        size = sum(one.size_bytes for one in told.result.objects)
        self._page.ended.append(EndedBlock(current.number, told.block, told.result, told.wall_s, told.cpu_s))
        current.ended += 1
        current.mean_s = told.wall_s if current.mean_s is None else 0.95 * current.mean_s + 0.05 * told.wall_s
        self._done += 1
        self._size_bytes += size
        spent.blocks += 1
        spent.core_s += told.wall_s * slot.cpus
        spent.gpu_s += told.wall_s * slot.gpus
        spent.processor_s += told.cpu_s
        spent.size_bytes += size

    def _hear_failed(self, told: BlockFailed, slot: Slot) -> None:
        current, spent = self._current, self._page.spent
        spent.core_s += told.wall_s * slot.cpus
        spent.failed_core_s += told.wall_s * slot.cpus
        spent.gpu_s += told.wall_s * slot.gpus
        if told.kind is FailureKind.STOPPED:
            current.todo.appendleft(told.block)
            return
        self._page.failed.append(FailedBlock(current.number, told.block, told.kind, slot.name, told.message, told.log))
        tries = current.attempts[told.block] = current.attempts.get(told.block, 0) + 1
        self.say(f"{current.step.name} {told.block} failed ({told.kind.value}, try {tries}): {told.message}")
        larger = bigger_slot(slot, current.step.need, self._slots)
        grows = told.kind in (FailureKind.MEMORY, FailureKind.TIMEOUT) or (told.kind is FailureKind.LOST and tries > 1)
        if grows and larger is not None:
            self.say(f"{current.step.name} {told.block} is tried again in a slot of {larger.memory_bytes / 1e9:g} GB")
            current.again.append(_Again(told.block, 0.0, larger.memory_bytes))
        elif tries < ATTEMPTS:
            ready_s = time.monotonic() + _BACK_OFF_S[min(tries, len(_BACK_OFF_S)) - 1]
            current.again.append(_Again(told.block, ready_s, slot.memory_bytes if grows else 0))
        else:
            self._give_up(told, tries)

    def _give_up(self, told: BlockFailed, tries: int) -> None:
        current = self._current
        words = f"block {told.block} of step {current.step.name!r} failed {tries} times: {told.message}"
        if not current.step.tolerates:
            self.outcome, self.reason = Outcome.FAILED, words
            return
        self.say(f"{words}; the job goes on without it")
        self._page.ended.append(EndedBlock(current.number, told.block, None))
        current.ended += 1
        current.lost += 1
        self.lost += 1

    def _is_over(self) -> bool:
        return self.stopping or self.outcome is not None

    def _go_on(self) -> None:
        """Begin the next step once all blocks of this one have ended."""
        current = self._current
        if self.outcome is not None or self._running or current.ended < current.step.blocks:
            return
        if current.lost == current.step.blocks:
            self.outcome = Outcome.FAILED
            self.reason = f"every block of step {current.step.name!r} failed: see its log"
        elif current.number + 1 == len(self._plan.steps):
            self.outcome = Outcome.DONE
        else:
            # the next step reads the results of this one from the ledger
            self.keep()
            self._current = self._begin(current.number + 1)
            self._go_on()

    def look(self) -> None:
        """See whether all that was to be done had been done before."""
        self._go_on()

    def keep(self) -> None:
        """Write down what has happened. Raises `Conflict` when another runner has taken the job over."""
        if not self._page:
            return
        page, self._page = self._page, Page()
        try:
            self._ledger.write(
                page,
                done=self._done,
                lost=self.lost,
                size_bytes=self.job.progress.size_bytes + self._size_bytes,
                left_s=self._left_s(),
            )
        except Unavailable:
            # kept until the database answers again
            self._page = page
            raise

    def _left_s(self) -> float:
        """Seconds until the end, as far as what ran so far tells."""
        work = 0.0
        for number, step in enumerate(self._plan.steps[self._current.number :], self._current.number):
            here = number == self._current.number
            mean = self._current.expected_s if here else step.need.cpu_s
            work += mean * (step.blocks - (self._current.ended if here else 0))
        return work / max(1, self.running)
