"""How much of a cluster computes while work is queued: a mixed trace of jobs on a Slurm of 1,000 declared cores.

Long, short, high-memory and "GPU" jobs of four users go through the platform's own queue, runner and engine. Slurm is
real (slurmctld, and a slurmd for each node), its nodes are simulated: all of them are this machine, whatever cores and
memory they declare. Slots of 13 to 24 cores keep the number of worker processes at what this machine's memory holds.

A core second counts as computed when a block ran in its slot and a process for that very core was, by the kernel's own
account (`schedstat`), on a processor or in the queue for one. A pilot without a block, the time between blocks, a block
that starts, ends, sleeps or waits for a lock, and cores of a slot that a block doesn't use: none of these count. All
processes share this machine's few processors: each is ready to compute all the time, and does so in its turn.

Offered is what the ledger of use says that the engine had. The goal is that 90 % of it are computed while every kind of
slot has work queued. Beside it stand the error of the fair share (how far each of the users who have work queued all
the while is from an equal part) and how long short jobs waited for their first block.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import psutil
from deploy.slurm.simulated import Nodes, simulated_slurm

# dask-jobqueue can be imported by the main thread alone, and the runner here has one of its own
import pulvinar.compute.engines.slurm  # noqa: F401
from benchmarks._computing import Computing
from benchmarks._report import machine, report
from pulvinar.access.work import UnitOfWork
from pulvinar.compute.engine import BlockTask, EngineOptions
from pulvinar.compute.jobs import enqueue, get_job
from pulvinar.compute.lease import release
from pulvinar.compute.ledger import results
from pulvinar.compute.runner import Runner, RunnerOptions
from pulvinar.compute.slots import Slot, slot_for
from pulvinar.compute.usage import shares, utilisation
from pulvinar.model.access import LOCAL_OWNER, Actor, Right
from pulvinar.model.identity import new_id
from pulvinar.model.job import Job, JobState
from pulvinar.model.plan import BlockGrid, Need, Plan, Step, StepKind
from pulvinar.platform import migrate
from pulvinar.storage.database import Database

WORK = Path(".bench") / "utilisation"
GOAL = 0.9
GB = 1_000_000_000
NODE_SLOTS = (
    Slot("standard", 4, 16 * GB, 16),
    Slot("gpu", 1, 32 * GB, 13, 1),
    Slot("large", 2, 60 * GB, 24),
)
NODE_CORES = sum(slot.count * slot.cpus for slot in NODE_SLOTS)
NODE_MEMORY_MB = 250_000
WORKER_BYTES = 170_000_000
"""Of this machine's memory, what a slot takes with its part of a pilot."""
RAMP_S, REST_S, START_S = 30.0, 45.0, 240.0
SHORT_EVERY_S = 1.5


@dataclass(frozen=True)
class Kind:
    """A kind of job: what a block needs, and how many seconds it computes; how many blocks a job has."""

    name: str
    need: Need
    blocks: int


KINDS = {
    kind.name: kind
    for kind in (
        Kind("long", Need(12 * GB, 16, cpu_s=25), 40),
        Kind("medium", Need(12 * GB, 16, cpu_s=8), 100),
        Kind("high-memory", Need(50 * GB, 24, cpu_s=20), 40),
        Kind("gpu", Need(30 * GB, 13, 1, cpu_s=15), 40),
        Kind("short", Need(4 * GB, 16, cpu_s=2), 2),
    )
}
BUSY = {
    Actor("ann", "Ann"): ("long", "high-memory"),
    Actor("ben", "Ben"): ("medium", "high-memory"),
    Actor("cai", "Cai"): ("gpu", "long", "high-memory"),
}
"""Users who have work queued all the while."""
HASTY = Actor("dan", "Dan")
"""Sends a short job now and then, and asks for less than a fair share."""


@dataclass(frozen=True)
class Sent:
    """A job that was put into the queue."""

    job: Job
    kind: str
    at_s: float


@dataclass(frozen=True)
class Ran:
    """A block as it says itself: when it ran, on how many cores, and which part of that time these computed."""

    sent: Sent
    began_s: float
    ended_s: float
    cores: int
    computing: float

    def core_s(self, first_s: float, last_s: float) -> float:
        """Its core seconds between two moments."""
        return max(0.0, min(self.ended_s, last_s) - max(self.began_s, first_s)) * self.cores


class _Carrier:
    def __init__(self, database: Database) -> None:
        self._database = database

    def task(self, job: Job, plan: Plan, step: int) -> BlockTask:
        return Computing(plan.steps[step].need.cpu_s, job.id)

    def finish(self, job: Job, plan: Plan, owner: str, reason: str) -> None:
        with self._database.writing() as session:
            release(session, job.id, owner, JobState.DONE, reason)

    def look_for_work(self) -> None: ...


@dataclass
class _Trace:
    """The jobs of all users, as they come."""

    database: Database
    chance: random.Random
    sent: list[Sent] = field(default_factory=list)

    def send(self, actor: Actor, kind: Kind) -> None:
        """Put a job into the queue for a user."""
        grid = BlockGrid((1, 1, 1, 1, kind.blocks), (1, 1, 1, 1, 1))
        plan = Plan((Step(kind.name, StepKind.MAP, kind.need, grid),))
        new = Job(new_id(), actor, "", kind.name, "1", (), {}, {}, 0, JobState.QUEUED, datetime.now(UTC))
        with UnitOfWork(self.database, LOCAL_OWNER) as work:
            work.ask(Right.WRITE)
            self.sent.append(Sent(enqueue(work, new, plan), kind.name, time.time()))

    def send_backlog(self, slots: Sequence[Slot], seconds: float) -> None:
        """For every busy user and each of its kinds as much as all slots of that kind could do in the time."""
        wanted = []
        for actor, names in BUSY.items():
            for kind in (KINDS[name] for name in names):
                slot = slot_for(kind.need, slots)
                assert slot is not None
                jobs = slot.count * seconds / kind.need.cpu_s / kind.blocks
                wanted += [(actor, kind)] * (int(jobs) + 1)
        self.chance.shuffle(wanted)
        for actor, kind in wanted:
            self.send(actor, kind)

    def send_short_ones(self, until_s: float) -> None:
        """Short jobs at random moments."""
        while time.time() < until_s:
            self.send(HASTY, KINDS["short"])
            time.sleep(self.chance.expovariate(1 / SHORT_EVERY_S))


class _Sampled(threading.Thread):
    """Counts the slots that the engine offers, once a second."""

    def __init__(self, runner: Runner) -> None:
        super().__init__(daemon=True)
        self._runner = runner
        self.seen: list[tuple[float, dict[str, int]]] = []
        self.ended = threading.Event()

    def run(self) -> None:
        """Count."""
        while not self.ended.wait(1.0):
            self.seen.append((time.time(), dict(self._runner.offered())))

    def mean(self, name: str, first_s: float, last_s: float) -> float:
        """Slots of that name, on average between two moments."""
        return float(np.mean([seen.get(name, 0) for at, seen in self.seen if first_s <= at < last_s] or [0]))


def main() -> int:
    """Run the trace; 0 when enough of what was offered was computed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--cores", type=int, default=1000, help=f"declared cores, in nodes of {NODE_CORES}")
    parser.add_argument("--seconds", type=int, default=180, help="how long is measured, in whole minutes")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    nodes = max(1, round(chosen.cores / NODE_CORES))
    slots = tuple(Slot(one.name, one.count * nodes, one.memory_bytes, one.cpus, one.gpus) for one in NODE_SLOTS)
    _check(slots)
    print(f"{machine()}; seed {chosen.seed}", flush=True)
    shutil.rmtree(WORK, ignore_errors=True)
    with _slurm(nodes):
        figures = _run(chosen, nodes, slots)
    shutil.rmtree(WORK, ignore_errors=True)
    return figures


def _check(slots: Sequence[Slot]) -> None:
    if shutil.which("sbatch") is None:
        raise SystemExit("Slurm is not installed: python deploy/slurm/simulated.py --install")
    workers = sum(slot.count for slot in slots)
    free = psutil.virtual_memory().available
    if workers * WORKER_BYTES > free:
        fits = int(free / WORKER_BYTES / workers * sum(slot.count * slot.cpus for slot in slots))
        raise SystemExit(f"{workers} slots don't fit this machine's free {free / 1e9:.0f} GB: try --cores {fits}")


@contextmanager
def _slurm(nodes: int) -> Iterator[None]:
    with simulated_slurm(WORK / "slurm", Nodes(nodes, NODE_CORES, NODE_MEMORY_MB, 1)) as configuration:
        os.environ["SLURM_CONF"] = str(configuration)
        yield


def _run(chosen: argparse.Namespace, nodes: int, slots: tuple[Slot, ...]) -> int:
    database = Database(f"sqlite:///{(WORK / 'catalogue.sqlite').absolute()}")
    migrate(database)
    scratch = (WORK / "scratch").absolute()
    options = EngineOptions("slurm", NODE_SLOTS, scratch, address="127.0.0.1", nodes=nodes)
    runner = Runner(database, options, _Carrier(database), RunnerOptions())
    thread = threading.Thread(target=runner.run)
    thread.start()
    sampled = _Sampled(runner)
    sampled.start()
    began = datetime.now(UTC)
    trace = _Trace(database, random.Random(chosen.seed))
    try:
        _wait_for_slots(runner, thread, slots)
        first_s, last_s = _drive(trace, slots, chosen.seconds)
    finally:
        sampled.ended.set()
        runner.stop()
        thread.join()
    ran = [one for sent in trace.sent for one in _blocks(database, sent)]
    short = _tell(_Measured(database, slots, trace.sent, ran, sampled, began, first_s, last_s))
    database.close()
    return short


def _wait_for_slots(runner: Runner, thread: threading.Thread, slots: Sequence[Slot]) -> None:
    deadline, began = time.monotonic() + START_S, time.monotonic()
    while any(runner.offered().get(slot.name, 0) < slot.count for slot in slots):
        if not thread.is_alive():
            raise SystemExit("the engine did not start")
        if time.monotonic() > deadline:
            print(f"not all slots came within {START_S:.0f} s: {dict(runner.offered())}", flush=True)
            break
        time.sleep(0.5)
    told = subprocess.run(["squeue", "-h", "-t", "R", "-o", "%C"], capture_output=True, text=True, check=True)
    cores = sum(map(int, told.stdout.split()))
    print(
        f"Slurm has given {cores:,} cores to {len(told.stdout.split())} pilots; "
        f"{sum(runner.offered().values())} slots after {time.monotonic() - began:.0f} s",
        flush=True,
    )


def _drive(trace: _Trace, slots: Sequence[Slot], seconds: int) -> tuple[float, float]:
    """Send all jobs, and wait until the blocks of the time that is measured have ended: its first and last moment."""
    now = time.time()
    # whole minutes, as the ledger counts
    first_s = 60.0 * -(-(now + RAMP_S) // 60)
    last_s = first_s + seconds
    trace.send_backlog(slots, last_s + REST_S - now)
    trace.send_short_ones(last_s)
    time.sleep(max(0.0, last_s + REST_S - time.time()))
    return first_s, last_s


def _blocks(database: Database, sent: Sent) -> Iterator[Ran]:
    for _, result in results(database, sent.job.id, 0):
        said = result.values
        whole = (said["ended_s"] - said["began_s"]) * said["cores"]
        computing = (said["on_processor_s"] + said["waiting_s"]) / whole
        yield Ran(sent, said["began_s"], said["ended_s"], said["cores"], min(1.0, computing))


@dataclass(frozen=True)
class _Measured:
    database: Database
    slots: Sequence[Slot]
    sent: Sequence[Sent]
    ran: Sequence[Ran]
    sampled: _Sampled
    began: datetime
    first_s: float
    last_s: float

    @property
    def seconds(self) -> float:
        return self.last_s - self.first_s

    def inside(self, ran: Sequence[Ran]) -> float:
        """Core seconds in which one of these blocks ran, within what is measured."""
        return sum(one.core_s(self.first_s, self.last_s) for one in ran)

    def computed(self, ran: Sequence[Ran]) -> float:
        """Those of them that were computed."""
        return sum(one.core_s(self.first_s, self.last_s) * one.computing for one in ran)


def _tell(of: _Measured) -> int:
    declared = sum(slot.count * slot.cpus for slot in of.slots) * of.seconds
    since, until = (datetime.fromtimestamp(at, UTC) for at in (of.first_s, of.last_s - 1))
    spans = utilisation(of.database, since=since, until=until, span_s=60)
    offered = sum(span.offered_core_s for span in spans)
    while_queued = sum(span.waiting_core_s for span in spans) / offered
    figure = of.computed(of.ran) / offered
    print(f"measured for {of.seconds:.0f} s: {len(of.ran):,} blocks of {len(of.sent)} jobs in the whole run")
    print(f"  declared {declared:,.0f} core s, offered {offered:,.0f} by the ledger ({offered / declared:.1%})")
    print(f"  work was queued for {while_queued:.1%} of what was offered; {_still_queued(of)}")
    print(f"  inside blocks {of.inside(of.ran):,.0f}: {of.inside(of.ran) / offered:.1%} of what was offered")
    print(f"  computed {of.computed(of.ran):,.0f}: {figure:.1%}")
    _tell_of_slots(of)
    _tell_of_ledger(of, offered, sum(span.used_core_s for span in spans))
    asleep = Computing(1.0, asleep=True)(0).values
    slept = (asleep["on_processor_s"] + asleep["waiting_s"]) / (asleep["ended_s"] - asleep["began_s"])
    print(f"  the same account of a block that sleeps: {slept:.1%} computed")
    error = _tell_of_users(of)
    p95 = _tell_of_short_ones(of)
    ready = sum(one.core_s(of.first_s, of.last_s) for one in of.ran) / of.seconds
    print(
        "  not shown by one machine: how fast blocks run on cores of their own, what their memory and the network "
        "bear, and a GPU (here a device that Slurm counts); its processors were "
        f"shared by {ready:,.0f} processes on average"
    )
    text = f"{figure:.1%} computed, fair share off by {error:.1%} at most, short jobs wait {p95:.1f} s (p95)"
    return report("utilisation", text, f">= {GOAL:.0%}", passed=figure >= GOAL)


def _still_queued(of: _Measured) -> str:
    """Which busy users have blocks left of which kinds: a kind that has none may not have been queued all the while."""
    left: Counter[tuple[str, str]] = Counter()
    for sent in of.sent:
        progress = get_job(of.database, LOCAL_OWNER, sent.job.id).progress
        left[sent.job.actor.name, sent.kind] += progress.blocks - progress.done
    none = [f"{actor.name}'s {kind}" for actor, kinds in BUSY.items() for kind in kinds if not left[actor.name, kind]]
    return f"{', '.join(none)} ran out" if none else "every busy user had some of each of its kinds left at the end"


def _tell_of_slots(of: _Measured) -> None:
    for slot in of.slots:
        count = of.sampled.mean(slot.name, of.first_s, of.last_s)
        ran = [one for one in of.ran if one.cores == slot.cpus]
        offered = max(1.0, count * slot.cpus * of.seconds)
        print(
            f"    {slot.name:>9}: {count:.1f} slots of {slot.cpus} cores, "
            f"{of.inside(ran) / offered:.1%} inside blocks, {of.computed(ran) / offered:.1%} computed"
        )


def _tell_of_ledger(of: _Measured, offered: float, used: float) -> None:
    """The ledger of use beside what the blocks say, and what was counted once a second."""
    counted = sum(of.sampled.mean(one.name, of.first_s, of.last_s) * one.cpus for one in of.slots) * of.seconds
    whole = sum(one.core_s for one in shares(of.database, "actor_id", since=of.began))
    failed = sum(one.failed_core_s for one in shares(of.database, "actor_id", since=of.began))
    said = sum((one.ended_s - one.began_s) * one.cores for one in of.ran)
    print(f"  the ledger: offered {offered / counted - 1:+.1%} of what was counted each second;")
    print(
        f"    used in the whole run {whole:,.0f} core s, {whole / said - 1:+.2%} of what blocks say themselves, "
        f"failed or stopped {failed:,.0f}; used in the time measured {used / offered:.1%} (booked when a block ends)"
    )


def _tell_of_users(of: _Measured) -> float:
    """Shares of busy users; how far the worst is from an equal part."""
    took = {actor: of.inside([one for one in of.ran if one.sent.job.actor == actor]) for actor in BUSY}
    equal = sum(took.values()) / len(took)
    for actor, core_s in took.items():
        print(f"    {actor.name} ({', '.join(BUSY[actor])}): {core_s:,.0f} core s, {core_s / equal - 1:+.1%}")
    return max(abs(core_s / equal - 1) for core_s in took.values())


def _tell_of_short_ones(of: _Measured) -> float:
    """The 95th percentile of how long short jobs waited for their first block."""
    began: dict[str, float] = {}
    for one in of.ran:
        began[one.sent.job.id] = min(one.began_s, began.get(one.sent.job.id, float("inf")))
    short = [one for one in of.sent if one.kind == "short" and one.at_s >= of.first_s]
    waits = np.array([began.get(one.job.id, float("inf")) - one.at_s for one in short])
    p95 = float(np.percentile(waits, 95, method="higher"))
    print(f"    {HASTY.name}: {len(short)} short jobs waited {np.median(waits):.1f} s (median), {p95:.1f} s (p95)")
    return p95


if __name__ == "__main__":
    sys.exit(main())
