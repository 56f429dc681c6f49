"""Jobs of made-up work, for tests of the queue: no catalogue, no volume."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from pulvinar.access.work import UnitOfWork
from pulvinar.compute.dispatch import Quotas
from pulvinar.compute.engine import BlockResult, BlockTask, EngineOptions
from pulvinar.compute.jobs import enqueue
from pulvinar.compute.lease import release
from pulvinar.compute.ledger import results
from pulvinar.compute.runner import Runner, RunnerOptions
from pulvinar.model.access import LOCAL_OWNER, Actor, Right
from pulvinar.model.identity import new_id
from pulvinar.model.job import Job, JobState
from pulvinar.model.plan import BlockGrid, Need, Plan, Step, StepKind
from pulvinar.storage.database import Database


@dataclass(frozen=True)
class Traced:
    """Does `what` of each block, and notes that it ran in a file that all processes add to."""

    trace: Path
    job_id: str
    step: str
    what: str = ""
    sleep_s: float = 0.0

    def __call__(self, index: int) -> BlockResult:
        self._note(f"begin {self.job_id} {self.step} {index}")
        time.sleep(self.sleep_s)
        if self.what == f"fail {index}":
            raise ValueError("this block can't be done")
        if self.what == f"exhaust {index}":
            raise MemoryError
        if self.what == f"once {index}" and self.runs(index) == 1:
            raise ValueError("only the first time")
        self._note(f"end {self.job_id} {self.step} {index}")
        return BlockResult({"square": index**2})

    def runs(self, index: int) -> int:
        return self.trace.read_text().splitlines().count(f"begin {self.job_id} {self.step} {index}")

    def _note(self, line: str) -> None:
        handle = os.open(self.trace, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(handle, f"{line}\n".encode())
        os.close(handle)


@dataclass
class PlainCarrier:
    """Carries out jobs of `Traced` blocks; what finished ones gave is kept in `sums`."""

    database: Database
    trace: Path
    sums: dict[str, int] = field(default_factory=dict)

    def task(self, job: Job, plan: Plan, step: int) -> BlockTask:
        said = job.parameters
        return Traced(self.trace, job.id, plan.steps[step].name, said.get("what", ""), said.get("sleep_s", 0.0))

    def finish(self, job: Job, plan: Plan, owner: str, reason: str) -> None:
        self.sums[job.id] = sum(result.values["square"] for _, result in results(self.database, job.id, 0))
        with self.database.writing() as session:
            release(session, job.id, owner, JobState.DONE_EXCEPT if reason else JobState.DONE, reason)

    def look_for_work(self) -> None: ...


def a_plan(
    blocks: int = 10, *, tolerates: bool = False, memory_bytes: int = 1000, cpu_s: float = 0.01, gpus: int = 0
) -> Plan:
    grid = BlockGrid((1, 1, 1, 1, blocks), (1, 1, 1, 1, 1))
    need = Need(memory_bytes, gpus=gpus, cpu_s=cpu_s)
    return Plan((Step("square", StepKind.MAP, need, grid, tolerates=tolerates), Step("add", StepKind.REDUCE, need)))


def queued(
    database: Database, plan: Plan, actor: Actor = LOCAL_OWNER, *, priority: int = 0, limit: int = 0, **said: object
) -> Job:
    new = Job(new_id(), actor, "", "plain", "1", (), said, {}, priority, JobState.QUEUED, datetime.now(UTC))
    with UnitOfWork(database, actor) as work:
        if actor.is_owner:
            work.ask(Right.WRITE)
        else:
            work._asked = True  # a job that reads nothing and makes nothing needs no right
        return enqueue(work, new, plan, limit=limit)


def a_runner(
    database: Database,
    options: EngineOptions,
    carrier: PlainCarrier,
    *,
    jobs: int = 8,
    until_idle: bool = True,
    quotas: Quotas | None = None,
) -> Runner:
    return Runner(database, options, carrier, RunnerOptions(jobs, quotas or Quotas(), until_idle))


def wait_for(condition: Callable[[], bool], timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.02)
