"""The work of `benchmarks.resume`: blocks that compute and store, a trace of what ran, and the runner as a process."""

from __future__ import annotations

import hashlib
import os
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from pulvinar.access.work import UnitOfWork
from pulvinar.compute.dispatch import Quotas
from pulvinar.compute.engine import BlockResult, BlockTask, EngineOptions, MadeObject
from pulvinar.compute.jobs import enqueue
from pulvinar.compute.lease import release
from pulvinar.compute.ledger import results
from pulvinar.compute.runner import Runner, RunnerOptions
from pulvinar.compute.slots import Slot
from pulvinar.model.access import LOCAL_OWNER, Right
from pulvinar.model.identity import new_id
from pulvinar.model.job import Job, JobState
from pulvinar.model.plan import BlockGrid, Need, Plan, Step, StepKind
from pulvinar.platform import migrate
from pulvinar.storage.database import Database
from pulvinar.storage.store import open_store

_SIDE = 64


@dataclass(frozen=True)
class Storing:
    """Filters a block of noise again and again for `busy_s`, stores what does not depend on how often, and leaves a
    trace of its beginning and its end."""

    home: Path
    busy_s: float

    def __call__(self, index: int) -> BlockResult:
        """Do block `index`."""
        note(self.home, f"begin {index}")
        until = time.perf_counter() + self.busy_s
        block = np.random.default_rng(index).normal(size=(_SIDE, _SIDE, _SIDE))
        spectrum = np.abs(np.fft.rfftn(block)).astype(np.float32)
        while time.perf_counter() < until:
            np.fft.rfftn(block)
        data = spectrum.tobytes()
        open_store((self.home / "store").as_uri()).put_bytes(f"assets/out/{index}", data)
        note(self.home, f"end {index}")
        made = MadeObject("out", str(index), len(data), hashlib.sha256(data).hexdigest())
        return BlockResult({"mean": float(spectrum.mean())}, (made,))


@dataclass(frozen=True)
class Adding:
    """Stores the digest of all that was stored."""

    home: Path
    digest: str

    def __call__(self, index: int) -> BlockResult:
        """Store it."""
        open_store((self.home / "store").as_uri()).put_bytes("assets/out/digest", self.digest.encode())
        return BlockResult()


def note(home: Path, line: str) -> None:
    """Add a line to the trace; lines of several processes don't mix."""
    handle = os.open(home / "trace", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(handle, f"{line}\n".encode())
    os.close(handle)


class _Carrier:
    def __init__(self, database: Database, home: Path) -> None:
        self._database = database
        self._home = home

    def task(self, job: Job, plan: Plan, step: int) -> BlockTask:
        if step == 0:
            return Storing(self._home, plan.steps[0].need.cpu_s)
        digest = hashlib.sha256()
        for index, result in results(self._database, job.id, 0):
            digest.update(f"{index} {result.objects[0].sha256} {result.values['mean']!r}\n".encode())
        return Adding(self._home, digest.hexdigest())

    def finish(self, job: Job, plan: Plan, owner: str, reason: str) -> None:
        with self._database.writing() as session:
            release(session, job.id, owner, JobState.DONE, reason)

    def look_for_work(self) -> None: ...


def database_at(home: Path) -> Database:
    """The database of a trial, with its tables."""
    home.mkdir(parents=True, exist_ok=True)
    database = Database(f"sqlite:///{(home / 'catalogue.sqlite').absolute()}")
    migrate(database)
    return database


def queue_job(database: Database, blocks: int, busy_s: float) -> str:
    """Put the one job of a trial into the queue."""
    grid, need = BlockGrid((1, 1, 1, 1, blocks), (1, 1, 1, 1, 1)), Need(200_000_000, cpu_s=busy_s)
    plan = Plan((Step("store", StepKind.MAP, need, grid), Step("add", StepKind.REDUCE, need)))
    new = Job(new_id(), LOCAL_OWNER, "", "bench", "1", (), {}, {}, 0, JobState.QUEUED, datetime.now(UTC))
    with UnitOfWork(database, LOCAL_OWNER) as work:
        work.ask(Right.WRITE)
        return enqueue(work, new, plan).id


def main() -> int:
    """Run what is queued in the home that is named."""
    home, workers = Path(sys.argv[1]).absolute(), int(sys.argv[2])
    database = database_at(home)
    options = EngineOptions("local", (Slot("standard", workers, 1_000_000_000),), home / "scratch")
    Runner(database, options, _Carrier(database, home), RunnerOptions(8, Quotas(), until_idle=True)).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
