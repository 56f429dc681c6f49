"""Jobs from the queue to their ends, in this process; what real processes add is tested in test_survival.py."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from tests.compute.plain_jobs import PlainCarrier, a_plan, a_runner, queued, wait_for

from pulvinar.compute.dispatch import Quotas
from pulvinar.compute.engine import EngineOptions
from pulvinar.compute.jobs import cancel, get_job, list_failures, list_jobs, pause, read_log, resume
from pulvinar.compute.lease import take
from pulvinar.compute.runner import Runner
from pulvinar.compute.slots import Slot
from pulvinar.compute.tables import job_block
from pulvinar.compute.usage import shares, utilisation
from pulvinar.errors import Conflict, Invalid, NotFound, TooLarge
from pulvinar.model.access import LOCAL_OWNER, Actor
from pulvinar.model.job import Job, JobState
from pulvinar.storage.database import Database
from pulvinar.storage.owner import this_process

HERE = EngineOptions("here", (Slot("standard", 2, 10_000), Slot("large", 1, 100_000)))
ANN, BEN = Actor("ann", "Ann"), Actor("ben", "Ben")


@pytest.fixture
def carrier(database: Database, tmp_path: Path) -> PlainCarrier:
    return PlainCarrier(database, tmp_path / "trace")


@pytest.fixture
def run(database: Database, carrier: PlainCarrier) -> Callable[..., None]:
    def until_idle(**options: object) -> None:
        a_runner(database, HERE, carrier, **options).run()

    return until_idle


@contextmanager
def running(runner: Runner) -> Iterator[None]:
    thread = threading.Thread(target=runner.run)
    thread.start()
    try:
        yield
    finally:
        runner.stop()
        thread.join()


def look(database: Database, job: Job) -> Job:
    return get_job(database, LOCAL_OWNER, job.id)


def begun(carrier: PlainCarrier) -> list[tuple[str, str, int]]:
    lines = carrier.trace.read_text().splitlines() if carrier.trace.exists() else []
    return [(job, step, int(index)) for kind, job, step, index in map(str.split, lines) if kind == "begin"]


def test_a_job_runs_to_its_end(database: Database, carrier: PlainCarrier, run: Callable):
    job = queued(database, a_plan(10))
    run()
    ended = look(database, job)
    assert (ended.state, ended.reason) == (JobState.DONE, "")
    assert (ended.progress.blocks, ended.progress.done, ended.progress.lost) == (11, 11, 0)
    assert carrier.sums[job.id] == sum(n**2 for n in range(10))
    assert sorted(begun(carrier)) == sorted([(job.id, "square", n) for n in range(10)] + [(job.id, "add", 0)])
    assert ended.started
    assert ended.started < ended.ended


def test_a_block_that_fails_once_is_tried_again(database: Database, carrier: PlainCarrier, run: Callable):
    job = queued(database, a_plan(5), what="once 3")
    run()
    assert look(database, job).state is JobState.DONE
    assert Counter(begun(carrier))[(job.id, "square", 3)] == 2
    (failure,) = list_failures(database, LOCAL_OWNER, job.id)
    assert (failure.block, failure.kind, failure.message) == (3, "error", "ValueError: only the first time")
    assert "plain_jobs.py" in failure.log


def test_a_block_that_always_fails_fails_its_job(database: Database, carrier: PlainCarrier, run: Callable):
    job = queued(database, a_plan(5), what="fail 3")
    run()
    ended = look(database, job)
    assert ended.state is JobState.FAILED
    assert ended.reason == "block 3 of step 'square' failed 3 times: ValueError: this block can't be done"
    assert Counter(begun(carrier))[(job.id, "square", 3)] == 3


def test_a_step_that_tolerates_it_goes_on_without(database: Database, carrier: PlainCarrier, run: Callable):
    job = queued(database, a_plan(5, tolerates=True), what="fail 3")
    run()
    ended = look(database, job)
    assert (ended.state, ended.progress.lost) == (JobState.DONE_EXCEPT, 1)
    assert ended.reason == "done except 1 block: see the log"
    assert carrier.sums[job.id] == 0 + 1 + 4 + 16
    assert "the job goes on without it" in "\n".join(line.text for line in read_log(database, LOCAL_OWNER, job.id))


def test_no_memory_is_met_with_a_bigger_slot(database: Database, carrier: PlainCarrier, run: Callable):
    job = queued(database, a_plan(3), what="exhaust 1")
    run()
    failures = list_failures(database, LOCAL_OWNER, job.id)
    assert [one.slot for one in reversed(failures)] == ["standard", "large", "large"]
    assert {one.kind for one in failures} == {"memory"}


def test_what_is_done_is_not_done_again(database: Database, carrier: PlainCarrier):
    job = queued(database, a_plan(40), sleep_s=0.01)
    with running(a_runner(database, HERE, carrier, until_idle=False)):
        wait_for(lambda: len(begun(carrier)) >= 10)
    again = look(database, job)
    assert (again.state, again.reason) == (JobState.QUEUED, "its runner has ended; another goes on with it")
    a_runner(database, HERE, carrier).run()
    assert look(database, job).state is JobState.DONE
    assert max(Counter(begun(carrier)).values()) == 1
    with database.session() as session:
        assert len(session.execute(select(job_block)).all()) == 41


def test_a_cancelled_job_ends_at_once(database: Database, carrier: PlainCarrier):
    waiting = queued(database, a_plan(5))
    assert cancel(database, LOCAL_OWNER, waiting.id).state is JobState.CANCELLED
    job = queued(database, a_plan(1000), sleep_s=0.05)
    with running(a_runner(database, HERE, carrier, until_idle=False)):
        wait_for(lambda: len(begun(carrier)) >= 3)
        asked = time.monotonic()
        assert cancel(database, LOCAL_OWNER, job.id).state is JobState.CANCELLING
        wait_for(lambda: look(database, job).state is JobState.CANCELLED)
        assert time.monotonic() - asked < 5
    assert look(database, waiting).reason == "local owner cancelled it"
    with pytest.raises(Conflict, match="is cancelled"):
        cancel(database, LOCAL_OWNER, job.id)
    assert not any(job_id == waiting.id for job_id, *_ in begun(carrier))


def test_a_paused_job_goes_on_when_it_is_resumed(database: Database, carrier: PlainCarrier):
    job = queued(database, a_plan(60), sleep_s=0.02)
    with running(a_runner(database, HERE, carrier, until_idle=False)):
        wait_for(lambda: len(begun(carrier)) >= 3)
        pause(database, LOCAL_OWNER, job.id)
        wait_for(lambda: look(database, job).state is JobState.PAUSED)
        count = len(begun(carrier))
        time.sleep(0.5)
        assert len(begun(carrier)) == count < 60
        resume(database, LOCAL_OWNER, job.id)
        wait_for(lambda: look(database, job).state is JobState.DONE)
    assert max(Counter(begun(carrier)).values()) == 1


def test_the_higher_priority_runs_first(database: Database, carrier: PlainCarrier, run: Callable):
    low, high = queued(database, a_plan(4)), queued(database, a_plan(4), priority=5)
    run(jobs=1)
    assert [job for job, step, _ in begun(carrier) if step == "square"] == [high.id] * 4 + [low.id] * 4
    with pytest.raises(Invalid, match="priority is 5"):
        queued(database, a_plan(1), ANN, priority=5)


def test_nobody_waits_behind_all_jobs_of_another(database: Database, carrier: PlainCarrier, run: Callable):
    many = [queued(database, a_plan(6), ANN) for _ in range(5)]
    one = queued(database, a_plan(6), BEN)
    run(jobs=2)
    order = [job for job, step, _ in begun(carrier) if step == "square"]
    assert order.index(one.id) < 12
    assert set(order) == {*(job.id for job in many), one.id}


def test_a_slot_is_not_idle_while_a_job_for_it_is_queued(database: Database, carrier: PlainCarrier):
    options = EngineOptions("here", (Slot("standard", 1, 10_000), Slot("gpu", 1, 10_000, gpus=1)))
    for _ in range(4):
        queued(database, a_plan(20), sleep_s=0.03)
    with_gpu = queued(database, a_plan(2, gpus=1))
    a_runner(database, options, carrier, jobs=2).run()
    order = [job for job, _, _ in begun(carrier)]
    assert order.index(with_gpu.id) < 40
    assert {job.state for job in list_jobs(database, LOCAL_OWNER)[0]} == {JobState.DONE}


def test_users_share_what_there_is(database: Database, carrier: PlainCarrier, run: Callable):
    queued(database, a_plan(300, cpu_s=0.5), ANN)
    ben = queued(database, a_plan(300, cpu_s=0.5), BEN)
    run()
    first = [job for job, step, _ in begun(carrier) if step == "square"][:200]
    assert 60 <= first.count(ben.id) <= 140


def test_a_user_has_only_so_many_jobs_and_cores(database: Database, carrier: PlainCarrier, run: Callable):
    queued(database, a_plan(3), ANN, limit=2)
    queued(database, a_plan(3), ANN, limit=2)
    with pytest.raises(TooLarge, match="has 2 jobs that have not ended"):
        queued(database, a_plan(3), ANN, limit=2)
    queued(database, a_plan(3), BEN, limit=2)
    run(quotas=Quotas(user_cores=1))
    assert {job.state for job in list_jobs(database, LOCAL_OWNER)[0]} == {JobState.DONE}


def test_a_job_is_taken_by_one_runner(database: Database):
    job = queued(database, a_plan(3))
    mine, yours = this_process(), this_process()
    assert [one.job.id for one in take(database, mine, {}, 8)] == [job.id]
    assert take(database, yours, {}, 8) == []
    assert look(database, job).state is JobState.RUNNING


def test_a_runner_that_others_fill_still_takes_an_equal_part(database: Database):
    late = [queued(database, a_plan(3), BEN).id for _ in range(5)]
    queued(database, a_plan(3), ANN)
    assert [one.job.id for one in take(database, this_process(), {"ann": 6}, 6)] == late[:3]


def test_a_job_of_a_dead_runner_is_taken_over(database: Database, carrier: PlainCarrier, run: Callable):
    job = queued(database, a_plan(3))
    dead = "/".join([*this_process().split("/")[:3], "999999999", "1", "gone"])
    take(database, dead, {}, 8)
    run()
    assert look(database, job).state is JobState.DONE


def test_another_s_job_does_not_exist(database: Database):
    job = queued(database, a_plan(3), ANN)
    assert get_job(database, ANN, job.id) == look(database, job)
    for verb in (get_job, cancel, pause, resume, read_log, list_failures):
        with pytest.raises(NotFound):
            verb(database, BEN, job.id)
    assert list_jobs(database, BEN) == ((), None)


def test_jobs_are_listed_by_pages(database: Database):
    made = [queued(database, a_plan(1)).id for _ in range(5)]
    first, cursor = list_jobs(database, LOCAL_OWNER, limit=2)
    second, after = list_jobs(database, LOCAL_OWNER, limit=3, cursor=cursor)
    assert [job.id for job in (*first, *second)] == made[::-1]
    assert after is None
    with pytest.raises(Invalid, match="not a cursor"):
        list_jobs(database, LOCAL_OWNER, cursor="x")


def test_what_is_used_is_written_down(database: Database, carrier: PlainCarrier, run: Callable):
    queued(database, a_plan(10), ANN, sleep_s=0.02)
    queued(database, a_plan(5), BEN, sleep_s=0.02, what="once 2")
    run()
    since = datetime.now(UTC) - timedelta(hours=1)
    ann, ben = sorted(shares(database, "actor_id", since=since), key=lambda one: one.name)
    assert (ann.name, ann.jobs, ann.blocks) == ("ann", 1, 11)
    assert (ben.name, ben.jobs, ben.blocks) == ("ben", 1, 6)
    assert ann.core_s == pytest.approx(0.22, rel=0.5)
    assert ben.failed_core_s > 0.015
    spans = utilisation(database, since=since)
    assert sum(one.used_core_s for one in spans) == pytest.approx(ann.core_s + ben.core_s)
    assert all(one.offered_core_s >= 0 for one in spans)
