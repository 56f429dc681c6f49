"""Jobs of empty or sleeping blocks through the whole path (queue, runner, engine, ledger), and raw Dask beside it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil
from distributed import Client, wait

from pulvinar.access.work import UnitOfWork
from pulvinar.compute.engine import BlockResult, BlockTask, EngineOptions
from pulvinar.compute.engines.local import LocalCluster
from pulvinar.compute.jobs import enqueue, get_job
from pulvinar.compute.lease import release
from pulvinar.compute.runner import Runner, RunnerOptions
from pulvinar.compute.slots import Slot
from pulvinar.model.access import LOCAL_OWNER, Right
from pulvinar.model.identity import new_id
from pulvinar.model.job import Job, JobState
from pulvinar.model.plan import BlockGrid, Need, Plan, Step, StepKind
from pulvinar.platform import migrate
from pulvinar.storage.database import Database

_SAMPLE_S = 0.1


@dataclass(frozen=True)
class Sleeping:
    """Waits for `sleep_s`."""

    sleep_s: float

    def __call__(self, index: int) -> BlockResult:
        """Wait."""
        if self.sleep_s:
            time.sleep(self.sleep_s)
        return BlockResult()


class _Carrier:
    def __init__(self, database: Database, sleep_s: float) -> None:
        self._database = database
        self._sleep_s = sleep_s

    def task(self, job: Job, plan: Plan, step: int) -> BlockTask:
        return Sleeping(self._sleep_s)

    def finish(self, job: Job, plan: Plan, owner: str, reason: str) -> None:
        with self._database.writing() as session:
            release(session, job.id, owner, JobState.DONE, reason)

    def look_for_work(self) -> None: ...


@dataclass(frozen=True)
class Run:
    """From the first block's beginning to the job's end, and the most memory of Dask's scheduler."""

    wall_s: float
    scheduler_bytes: int


def through_the_platform(home: Path, blocks: int, sleep_s: float, workers: int) -> Run:
    """One job of `blocks`; raises `RuntimeError` when it does not end well."""
    home.mkdir(parents=True, exist_ok=True)
    database = Database(f"sqlite:///{(home / 'catalogue.sqlite').absolute()}")
    migrate(database)
    grid = BlockGrid((1, 1, 1, 1, blocks), (1, 1, 1, 1, 1))
    plan = Plan((Step("wait", StepKind.MAP, Need(1000, cpu_s=max(sleep_s, 1e-4)), grid),))
    new = Job(new_id(), LOCAL_OWNER, "", "bench", "1", (), {}, {}, 0, JobState.QUEUED, datetime.now(UTC))
    options = EngineOptions("local", (Slot("standard", workers, 2_000_000_000),), home / "scratch")
    runner = Runner(database, options, _Carrier(database, sleep_s), RunnerOptions(4))
    with _memory_of_scheduler() as peak:
        thread = threading.Thread(target=runner.run)
        thread.start()
        # workers take a moment to start: that is paid once for an engine, and not by a job
        while not all(runner.offered().get(slot.name) == slot.count for slot in options.slots):
            time.sleep(0.1)
        with UnitOfWork(database, LOCAL_OWNER) as work:
            work.ask(Right.WRITE)
            enqueue(work, new, plan)
        began = time.perf_counter()
        while not (now := get_job(database, LOCAL_OWNER, new.id)).state.ended:
            time.sleep(0.1)
        wall_s = time.perf_counter() - began
        memory = peak()
    runner.stop()
    thread.join()
    database.close()
    if now.state is not JobState.DONE or now.progress.done != blocks:
        raise RuntimeError(f"the job is {now.state}: {now.reason}")
    return Run(wall_s, memory)


def _nothing(index: int) -> None: ...


def raw_dask(folder: Path, blocks: int, workers: int) -> Run:
    """The same number of empty tasks, each a task of Dask's, on the same kind of workers."""
    folder.mkdir(parents=True, exist_ok=True)
    cluster = LocalCluster((Slot("standard", workers, 2_000_000_000),), folder)
    try:
        with _memory_of_scheduler() as peak, Client(cluster.address, security=cluster.security) as client:
            client.wait_for_workers(workers)
            began = time.perf_counter()
            futures = client.map(_nothing, range(blocks), pure=False)
            wait(futures)
            return Run(time.perf_counter() - began, peak())
    finally:
        cluster.close()


@contextmanager
def _memory_of_scheduler() -> Iterator[Callable[[], int]]:
    """Samples the memory of the scheduler among this process's children."""
    most, ended = [0], threading.Event()

    def sample() -> None:
        while not ended.wait(_SAMPLE_S):
            with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
                for child in psutil.Process().children():
                    if "scheduler" in child.cmdline():
                        most[0] = max(most[0], child.memory_info().rss)

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield lambda: most[0]
    finally:
        ended.set()
        thread.join()
