"""The runner: takes jobs from the queue, gives their blocks to the engine, and writes down what becomes of them.

Any number of runners share a database; a job is held by one of them at a time, and taken over from one that has died.
Everything that a runner knows can be lost: the ledger says what is done.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

from pulvinar.compute.dispatch import Dispatcher, FairShare, Quotas
from pulvinar.compute.engine import BatchEnded, BlockTask, Engine, EngineOptions, Told, open_engine
from pulvinar.compute.execution import Execution, Outcome
from pulvinar.compute.lease import Taken, beat, release, take, wishes
from pulvinar.compute.ledger import Ledger
from pulvinar.compute.slots import Slot
from pulvinar.compute.usage import add_offer, recent_core_s
from pulvinar.errors import Conflict, PulvinarError, Unavailable
from pulvinar.model.job import Job, JobState
from pulvinar.model.plan import Plan
from pulvinar.model.text import short
from pulvinar.storage.database import Database
from pulvinar.storage.owner import this_process

_TICK_S = 0.05
_KEEP_S = 0.1
_LOOK_S = 0.3
_OFFERED_S = 1.0
_OFFER_S = 5.0
_BEAT_S = 10.0
_GRACE_S = 2.0
"""How long a block may go on once its job is cancelled."""
_ENGINE_BACK_OFF_S = (0.5, 2.0, 5.0, 15.0, 30.0)

_log = logging.getLogger("pulvinar.compute")


class Carrier(Protocol):
    """What the rooms above know of a job: what is done to its blocks, and what becomes of its results."""

    def task(self, job: Job, plan: Plan, step: int) -> BlockTask:
        """The task of a step's blocks. Raises what keeps the job from running."""

    def finish(self, job: Job, plan: Plan, owner: str, reason: str) -> None:
        """Make the job's outputs visible, and release the job, in one transaction. Called in a thread of its own."""

    def look_for_work(self) -> None:
        """Put jobs into the queue for what has happened since, where a rule says so."""


@dataclass(frozen=True)
class RunnerOptions:
    """How many jobs a runner has under way, what users may have, and whether it ends once nothing is left to do."""

    jobs: int = 32
    quotas: Quotas = field(default_factory=Quotas)
    until_idle: bool = False


@dataclass
class _Held:
    """A job that this runner works on."""

    taken: Taken
    execution: Execution
    finishing: Future[None] | None = None
    wanted: str = ""


class Runner:
    """One runner. `run` works until `stop` is called, from any thread."""

    def __init__(
        self, database: Database, engine_options: EngineOptions, carrier: Carrier, options: RunnerOptions | None = None
    ) -> None:
        self._database = database
        self._engine_options = engine_options
        self._carrier = carrier
        self._options = options or RunnerOptions()
        self._owner = this_process()
        self._held: dict[str, _Held] = {}
        self._batches: dict[str, tuple[str, str]] = {}
        self._stop = threading.Event()
        self._due: dict[str, float] = {}
        self._engine: Engine | None = None
        self._engine_failures = 0
        self._offered: dict[str, int] = {}
        self._idle: list[Slot] = []
        self._counted = time.monotonic()
        since = datetime.now(UTC) - timedelta(hours=2)
        self._dispatcher = Dispatcher(
            engine_options.slots, self._options.quotas, FairShare(recent_core_s(database, since=since))
        )
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="finish")

    def stop(self) -> None:
        """Have `run` let go of its jobs, which another runner goes on with, and return."""
        self._stop.set()

    def offered(self) -> Mapping[str, int]:
        """How many slots of each name the engine had when it was last asked."""
        return dict(self._offered)

    def run(self) -> None:
        """Work. Raises `Unavailable` when the engine can't even be started once."""
        self._engine = open_engine(self._engine_options)
        beating = threading.Thread(target=self._beat, name="runner-heartbeat", daemon=True)
        beating.start()
        try:
            while not self._stop.is_set():
                try:
                    busy = self._tick()
                except Unavailable as error:
                    # the database; what is not written down is kept
                    _log.warning("waiting: %s", error.message)
                    self._stop.wait(1.0)
                    continue
                if not busy and self._options.until_idle:
                    return
        finally:
            self._stop.set()
            self._let_go()
            self._pool.shutdown()
            if self._engine is not None:
                self._engine.close()

    def _beat(self) -> None:
        while not self._stop.wait(_BEAT_S):
            with suppress(Unavailable):
                beat(self._database, self._owner, list(self._held))

    def _is_due(self, what: str, every_s: float) -> bool:
        now = time.monotonic()
        if now < self._due.get(what, 0.0):
            return False
        self._due[what] = now + every_s
        return True

    def _tick(self) -> bool:
        """One round; whether there is anything to do."""
        idle = False
        if self._is_due("look", _LOOK_S):
            self._carrier.look_for_work()
            self._admit()
            self._heed()
            # asked now: a job that ends below makes room for one that waits
            idle = not self._held
        self._give_out()
        for told in self._listen():
            self._hear(told)
        if self._is_due("keep", _KEEP_S):
            self._keep()
        self._count_offer()
        for held in list(self._held.values()):
            self._settle(held)
        return not idle

    def _admit(self) -> None:
        active = Counter(held.taken.job.actor.id for held in self._held.values())
        for taken in take(self._database, self._owner, active, self._options.jobs, self._idle):
            try:
                self._begin(taken)
            except PulvinarError as error:
                self._release(taken.job, JobState.FAILED, short(f"it can't begin: {error.message}", 500))
            except Exception as error:  # noqa: BLE001 (whatever a solution raises ends its job alone)
                _log.exception("job %s can't begin", taken.job.id)
                self._release(taken.job, JobState.FAILED, short(f"it can't begin: {error!r}", 500))

    def _begin(self, taken: Taken) -> None:
        job, plan = taken.job, taken.plan
        ledger = Ledger(self._database, job, self._owner)

        def task_of(step: int) -> BlockTask:
            return self._carrier.task(job, plan, step)

        execution = Execution(ledger, job, plan, self._engine_options.slots, task_of)
        self._held[job.id] = _Held(taken, execution, wanted=taken.wanted)
        execution.look()

    def _heed(self) -> None:
        """Stop what somebody wants stopped."""
        for job_id, wanted in (wishes(self._database, list(self._held)) if self._held else {}).items():
            held = self._held[job_id]
            held.wanted = wanted or held.wanted
            if held.wanted and not held.execution.stopping:
                held.execution.stopping = True
                self._stop_batches(held, _GRACE_S if held.wanted == "cancel" else float("inf"))

    def _stop_batches(self, held: _Held, grace_s: float) -> None:
        for batch_id in held.execution.batch_ids:
            with self._engine_answers() as engine:
                engine.stop(batch_id, grace_s=grace_s)

    def _give_out(self) -> None:
        with self._engine_answers() as engine:
            if self._is_due("offered", _OFFERED_S):
                self._offered = dict(engine.offered())
            given = Counter(slot for slot, _ in self._batches.values())
            executions = [held.execution for held in self._held.values() if not held.wanted]
            for slot, batch, execution in self._dispatcher.next_batches(executions, self._offered, given):
                self._batches[batch.id] = (slot.name, execution.job.id)
                engine.submit(batch, slot.name)
            given = Counter(slot for slot, _ in self._batches.values())
            slots = self._engine_options.slots
            self._idle = [one for one in slots if given[one.name] < self._offered.get(one.name, 0)]

    def _listen(self) -> Sequence[Told]:
        with self._engine_answers() as engine:
            return engine.tell(_TICK_S)
        return ()

    def _engine_answers(self) -> _EngineAnswers:
        return _EngineAnswers(self)

    def _hear(self, told: Told) -> None:
        _, job_id = self._batches.get(told.batch_id, ("", ""))
        if isinstance(told, BatchEnded):
            self._batches.pop(told.batch_id, None)
        held = self._held.get(job_id)
        if held is not None:
            self._guarded(held, lambda: self._dispatcher.hear(held.execution, told))

    def _keep(self) -> None:
        for held in list(self._held.values()):
            if held.finishing is None:
                self._guarded(held, held.execution.keep)

    def _guarded(self, held: _Held, do: Callable[[], None]) -> None:
        """Do something for a job; what goes wrong with it does not end the runner."""
        job = held.taken.job
        try:
            do()
        except Conflict:
            _log.warning("another runner has taken over job %s", job.id)
            self._forget(held)
        except Unavailable:
            raise
        except PulvinarError as error:
            self._forget(held)
            self._release(job, JobState.FAILED, short(error.message, 500))
        except Exception as error:  # noqa: BLE001 (the other jobs go on)
            _log.exception("job %s", job.id)
            self._forget(held)
            self._release(job, JobState.FAILED, short(f"it can't go on: {error!r}", 500))

    def _forget(self, held: _Held) -> None:
        self._stop_batches(held, _GRACE_S)
        self._held.pop(held.taken.job.id, None)

    def _settle(self, held: _Held) -> None:
        """Let go of a job that has ended, in whichever way."""
        execution, job = held.execution, held.taken.job
        if held.finishing is not None:
            if held.finishing.done():
                self._guarded(held, held.finishing.result)
                self._held.pop(job.id, None)
            return
        if held.wanted:
            if not execution.running:
                self._end(held, *_ASKED[held.wanted])
        elif execution.outcome is Outcome.FAILED:
            if execution.running:
                self._stop_batches(held, 0.0)
            self._end(held, JobState.FAILED, execution.reason)
        elif execution.outcome is Outcome.DONE:
            self._guarded(held, execution.keep)
            lost = execution.lost
            reason = f"done except {lost} {'block' if lost == 1 else 'blocks'}: see the log" if lost else ""
            held.finishing = self._pool.submit(self._carrier.finish, job, held.taken.plan, self._owner, reason)

    def _end(self, held: _Held, state: JobState, reason: str) -> None:
        self._guarded(held, held.execution.keep)
        if self._held.pop(held.taken.job.id, None) is not None:
            self._release(held.taken.job, state, reason)

    def _release(self, job: Job, state: JobState, reason: str) -> None:
        with suppress(Conflict), self._database.writing() as session:
            release(session, job.id, self._owner, state, reason)

    def _let_go(self) -> None:
        """Give every job back to the queue, with what was done of it written down."""
        for held in list(self._held.values()):
            with suppress(Unavailable, Conflict):
                if held.finishing is not None:
                    held.finishing.result()
                else:
                    self._end(held, JobState.QUEUED, "its runner has ended; another goes on with it")

    def _count_offer(self) -> None:
        if not self._is_due("offer", _OFFER_S):
            return
        now, began = time.monotonic(), self._counted
        self._counted = now
        counted = [(slot, self._offered.get(slot.name, 0)) for slot in self._engine_options.slots]
        cores = sum(slot.cpus * count for slot, count in counted) * (now - began)
        gpus = sum(slot.gpus * count for slot, count in counted) * (now - began)
        waiting = any(held.execution.waits() for held in self._held.values())
        with self._database.writing() as session:
            minute, engine = int(time.time() // 60), self._engine_options.name
            add_offer(
                session,
                self._owner,
                engine,
                minute,
                core_s=cores,
                gpu_s=gpus,
                waiting_core_s=cores if waiting else 0.0,
            )

    def replace_engine(self, error: Unavailable) -> None:
        """Start the engine anew: what was under way is done again."""
        _log.warning("the engine is gone: %s", error.message)
        if self._engine is not None:
            with suppress(Exception):
                self._engine.close()
        self._engine = None
        self._batches.clear()
        for held in self._held.values():
            held.execution.lose_engine()
            held.execution.say(f"the engine was gone, and is started anew: {error.message}")
        wait_s = _ENGINE_BACK_OFF_S[min(self._engine_failures, len(_ENGINE_BACK_OFF_S) - 1)]
        self._engine_failures += 1
        self._stop.wait(wait_s)

    def engine(self) -> Engine:
        """The engine that runs now, a new one where it has gone. Raises `Unavailable`."""
        if self._engine is None:
            self._engine = open_engine(self._engine_options)
            self._engine_failures = 0
            self._due.pop("offered", None)
        return self._engine


class _EngineAnswers:
    """`with` the engine: one that is gone is replaced, and the block is left."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def __enter__(self) -> Engine:
        try:
            return self._runner.engine()
        except Unavailable as error:
            self._runner.replace_engine(error)
            raise

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if isinstance(error, Unavailable):
            self._runner.replace_engine(error)
            return True
        return False


_ASKED = {
    "cancel": (JobState.CANCELLED, "it was cancelled"),
    "pause": (JobState.PAUSED, "it is paused; what is done is kept"),
}


def slots_in_words(slots: Sequence[Slot]) -> str:
    """What an engine offers, for a person."""
    return "; ".join(f"{slot.name}: {slot.in_words}" for slot in slots)
