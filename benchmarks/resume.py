"""What survives: a job whose worker, scheduler and server are killed in turn, each time in the middle.

Every trial runs one job of many blocks on the local engine, kills one of the three without warning, and (where that was
the server) starts a server again. Then: the job is done, all that it stored is bit-identical to an unbroken run, and no
block ran again but those under way. Under way are blocks that had begun and of whose end the database did not know when
the kill struck (results are written down ten times a second), and at most one more a worker, begun before that could
notice. Beside it stands the stricter count of blocks that were in the middle of their work.

The figure is the number of things that went wrong; the goal is 0 over all kills.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from sqlalchemy import func, select

from benchmarks._report import machine, report
from benchmarks._resume_work import database_at, queue_job
from pulvinar.compute.tables import job, job_block
from pulvinar.storage.database import Database

WORK = Path(".bench") / "resume"
VICTIMS = ("worker", "scheduler", "server")
_PATIENCE_S = 300


@dataclass(frozen=True)
class Trial:
    """What one kill has cost."""

    victim: str
    recorded: int
    under_way: int
    in_the_middle: int
    redone: int
    wrong: tuple[str, ...]


def main() -> int:
    """Run the trials; 0 only when nothing went wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--blocks", type=int, default=300)
    parser.add_argument("--block-ms", type=float, default=50)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=None)
    arguments = parser.parse_args()
    seed = arguments.seed if arguments.seed is not None else int(time.time())
    random.seed(seed)
    print(f"seed {seed}; {machine()}", flush=True)
    shutil.rmtree(WORK, ignore_errors=True)
    truth = _unbroken(arguments)
    trials = []
    for number in range(arguments.kills):
        trials.append(_trial(arguments, number, VICTIMS[number % 3], truth))
        _tell(trials[-1])
    shutil.rmtree(WORK, ignore_errors=True)
    wrong = sum(len(trial.wrong) for trial in trials)
    redone, under_way = sum(trial.redone for trial in trials), sum(trial.under_way for trial in trials)
    middle = sum(trial.in_the_middle for trial in trials)
    print(f"{len(trials)} kills: {redone} blocks redone, {under_way} under way, {middle} of them in the middle")
    return report("resume", str(wrong), "0", passed=wrong == 0 and len(trials) >= arguments.kills)


def _tell(trial: Trial) -> None:
    counted = f"{trial.recorded} recorded, {trial.under_way} under way ({trial.in_the_middle} in the middle)"
    wrong = "".join(f"; WRONG: {what}" for what in trial.wrong)
    print(f"  {trial.victim}: {counted}, {trial.redone} redone{wrong}", flush=True)


def _unbroken(arguments: argparse.Namespace) -> str:
    home = WORK / "unbroken"
    database = database_at(home)
    queue_job(database, arguments.blocks, arguments.block_ms / 1000)
    began = time.monotonic()
    if _start(home, arguments.workers).wait(_PATIENCE_S):
        raise SystemExit(f"the unbroken run failed: see {home}/log")
    print(f"unbroken: {time.monotonic() - began:.1f} s", flush=True)
    database.close()
    return _digest(home)


def _trial(arguments: argparse.Namespace, number: int, victim: str, truth: str) -> Trial:
    home = WORK / f"{number}"
    database = database_at(home)
    queue_job(database, arguments.blocks, arguments.block_ms / 1000)
    server = _start(home, arguments.workers)
    _wait_until_recorded(database, random.randrange(arguments.blocks // 10, arguments.blocks * 8 // 10), server)
    pid = _victim(server, victim)
    # everything is held still for a look, so that the look is of the very moment of the kill
    with _held_still(server.pid):
        recorded, before = _recorded(database), _trace(home)
        os.kill(pid, signal.SIGKILL)
    if victim == "server":
        server.wait()
        server = _start(home, arguments.workers)
    code = server.wait(_PATIENCE_S)
    begun = Counter(index for kind, index in _trace(home) if kind == "begin")
    started = [index for kind, index in before if kind == "begin"]
    ended = Counter(index for kind, index in before if kind == "end")
    under_way = [index for index in started if index not in recorded]
    redone = sum(count - 1 for count in begun.values())
    with database.session() as session:
        state = session.scalar(select(job.c.state))
    database.close()
    wrong = [
        what
        for what, bad in (
            (f"the server ended with {code}", code != 0),
            (f"the job is {state}", state != "done"),
            ("its output differs", state == "done" and _digest(home) != truth),
            (f"{redone} blocks ran again", redone > len(under_way) + arguments.workers),
            ("a recorded block ran again", any(begun[index] > 1 for index in recorded)),
        )
        if bad
    ]
    middle = sum(1 for index in started if not ended[index])
    if not wrong:
        shutil.rmtree(home)
    return Trial(victim, len(recorded), len(under_way), middle, redone, tuple(wrong))


def _start(home: Path, workers: int) -> subprocess.Popen[bytes]:
    with (home / "log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "benchmarks._resume_work", str(home), str(workers)],
            stdout=log,
            stderr=log,
            env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path.cwd())},
        )


def _wait_until_recorded(database: Database, count: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while len(_recorded(database)) < count:
        if server.poll() is not None or time.monotonic() > deadline:
            raise SystemExit("the job ended, or did nothing, before it could be struck")
        time.sleep(0.05)


def _recorded(database: Database) -> set[int]:
    with database.session() as session:
        if not session.scalar(select(func.count()).select_from(job_block)):
            return set()
        return set(session.scalars(select(job_block.c.block).where(job_block.c.step == 0)))


def _victim(server: subprocess.Popen[bytes], victim: str) -> int:
    """The process to kill: one of the workers, the scheduler, or the server itself."""
    if victim == "server":
        return server.pid
    found = list(_processes(server.pid, victim))
    return random.choice(found)


@contextmanager
def _held_still(pid: int) -> Iterator[None]:
    """Stop a process and all below it while the block runs."""
    family = [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
    for one in family:
        with suppress(ProcessLookupError):
            os.kill(one, signal.SIGSTOP)
    try:
        yield
    finally:
        for one in family:
            with suppress(ProcessLookupError):
                os.kill(one, signal.SIGCONT)


def _processes(pid: int, victim: str) -> Iterator[int]:
    for process in psutil.Process(pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            words = " ".join(process.cmdline())
            keeper = "dask_process worker" in " ".join(process.parent().cmdline() if process.parent() else [])
            if (victim == "scheduler" and "dask_process scheduler" in words) or (
                victim == "worker" and keeper and "spawn_main" in words
            ):
                yield process.pid


def _trace(home: Path) -> list[tuple[str, int]]:
    lines = (home / "trace").read_text().splitlines()
    return [(kind, int(index)) for kind, index in (line.split() for line in lines)]


def _digest(home: Path) -> str:
    """SHA-256 of every stored object, by its name."""
    digest = hashlib.sha256()
    for path in sorted((home / "store" / "assets" / "out").iterdir()):
        digest.update(f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


if __name__ == "__main__":
    sys.exit(main())
