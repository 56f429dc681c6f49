"""Jobs on real processes, of which one is killed: what was recorded is not done again, and the job ends well.

`benchmarks/resume.py` does the same twenty times over and compares every stored byte.
"""

import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from sqlalchemy import select
from tests.compute.plain_jobs import PlainCarrier, a_plan, a_runner, queued, wait_for

from pulvinar.compute.engine import EngineOptions
from pulvinar.compute.jobs import cancel, get_job, list_failures, read_log
from pulvinar.compute.slots import Slot
from pulvinar.compute.tables import job_block
from pulvinar.model.access import LOCAL_OWNER
from pulvinar.model.job import Job, JobState
from pulvinar.storage.database import Database

ROOT = Path(__file__).parents[2]
BLOCKS = 80
SERVER = """
import sys
from pathlib import Path
from tests.compute.plain_jobs import PlainCarrier, a_runner
from pulvinar.compute.engine import EngineOptions
from pulvinar.compute.slots import Slot
from pulvinar.storage.database import Database
if __name__ == "__main__":
    url, folder = sys.argv[1], Path(sys.argv[2])
    database = Database(url)
    options = EngineOptions("local", (Slot("standard", 2, 600_000_000),), folder / "scratch")
    a_runner(database, options, PlainCarrier(database, folder / "trace")).run()
"""


@pytest.fixture
def carrier(database: Database, tmp_path: Path) -> PlainCarrier:
    return PlainCarrier(database, tmp_path / "trace")


@pytest.fixture
def runner_runs(database: Database, carrier: PlainCarrier, tmp_path: Path) -> Iterator[None]:
    options = EngineOptions("local", (Slot("standard", 2, 600_000_000),), tmp_path / "scratch")
    runner = a_runner(database, options, carrier, until_idle=False)
    thread = threading.Thread(target=runner.run)
    thread.start()
    yield
    runner.stop()
    thread.join()


def begun(tmp_path: Path) -> Counter[tuple[str, int]]:
    trace = tmp_path / "trace"
    lines = [line.split() for line in trace.read_text().splitlines()] if trace.exists() else []
    return Counter((step, int(index)) for kind, _, step, index in lines if kind == "begin")


def recorded(database: Database) -> set[int]:
    with database.session() as session:
        return set(session.scalars(select(job_block.c.block).where(job_block.c.step == 0)))


def below(pid: int, found: Callable[[psutil.Process], bool]) -> psutil.Process:
    return next(child for child in psutil.Process(pid).children(recursive=True) if found(child))


def is_scheduler(process: psutil.Process) -> bool:
    return process.cmdline()[-1:] != [] and "scheduler" in process.cmdline()


def is_worker(process: psutil.Process) -> bool:
    return "--multiprocessing-fork" in process.cmdline() and "worker" in process.parent().cmdline()


def struck(database: Database, tmp_path: Path, kill: Callable[[], None]) -> set[int]:
    """Kill once a part of the blocks is recorded; those that were."""
    wait_for(lambda: len(recorded(database)) >= BLOCKS // 4)
    known = recorded(database)
    kill()
    return known


def ended(database: Database, job: Job) -> bool:
    return get_job(database, LOCAL_OWNER, job.id).state.ended


def check(database: Database, job: Job, tmp_path: Path, known: set[int]) -> None:
    done = get_job(database, LOCAL_OWNER, job.id)
    assert (done.state, done.progress.done) == (JobState.DONE, BLOCKS + 1), done.reason
    ran = begun(tmp_path)
    assert {index for step, index in ran if step == "square"} == set(range(BLOCKS))
    assert all(ran["square", index] == 1 for index in known)


@pytest.mark.slow
def test_a_killed_worker_costs_the_block_under_way(database: Database, carrier, runner_runs, tmp_path: Path):
    job = queued(database, a_plan(BLOCKS), sleep_s=0.05)
    known = struck(database, tmp_path, lambda: below(os.getpid(), is_worker).kill())
    wait_for(lambda: ended(database, job))
    check(database, job, tmp_path, known)
    assert [one.kind for one in list_failures(database, LOCAL_OWNER, job.id)] == ["lost"]


@pytest.mark.slow
def test_a_killed_scheduler_is_started_anew(database: Database, carrier, runner_runs, tmp_path: Path):
    job = queued(database, a_plan(BLOCKS), sleep_s=0.05)
    known = struck(database, tmp_path, lambda: below(os.getpid(), is_scheduler).kill())
    wait_for(lambda: ended(database, job))
    check(database, job, tmp_path, known)
    said = "\n".join(line.text for line in read_log(database, LOCAL_OWNER, job.id))
    assert "the engine was gone, and is started anew" in said


@pytest.mark.slow
def test_a_killed_server_is_followed_by_another(database: Database, tmp_path: Path):
    job = queued(database, a_plan(BLOCKS), sleep_s=0.05)
    server = start_server(database, tmp_path)
    known = struck(database, tmp_path, server.kill)
    server.wait()
    assert start_server(database, tmp_path).wait(60) == 0
    check(database, job, tmp_path, known)
    # the first one's keys went with the start of the second, and the second's with its end
    assert not list((tmp_path / "scratch").glob("engine-*"))


@pytest.mark.slow
def test_blocks_that_take_long_are_ended_when_their_job_is_cancelled(
    database: Database, carrier, runner_runs, tmp_path: Path
):
    job = queued(database, a_plan(BLOCKS), sleep_s=5.0)
    wait_for(lambda: bool(begun(tmp_path)))
    cancel(database, LOCAL_OWNER, job.id)
    wait_for(lambda: ended(database, job), timeout_s=5)
    assert get_job(database, LOCAL_OWNER, job.id).state is JobState.CANCELLED


def start_server(database: Database, folder: Path) -> subprocess.Popen[bytes]:
    script = folder / "server.py"
    script.write_text(SERVER, "utf-8")
    return subprocess.Popen(
        [sys.executable, str(script), database.url, str(folder)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
