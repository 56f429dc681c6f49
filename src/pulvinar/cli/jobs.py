"""What the commands about processing do."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from pulvinar.cli.show import print_json, print_table, size
from pulvinar.cli.verbs import opened
from pulvinar.errors import Invalid

if TYPE_CHECKING:
    from pulvinar.model.job import Job
    from pulvinar.solutions.submission import Prepared, Request

_COLUMNS = {"user": "actor_id", "project": "project", "solution": "solution"}
_FOLLOW_S = 0.5
_STOP_S = 20.0


def pairs(texts: Iterable[str]) -> dict[str, str]:
    """The names and values of "NAME=VALUE". Raises `Invalid`."""
    found = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise Invalid(f"{text!r} is no NAME=VALUE", hint="as image=local-01hzz... or level=1")
        found[name] = value
    return found


def show_solutions(*, as_json: bool) -> None:
    """`pulvinar job solutions`."""
    from pulvinar.model.solution import description_to_json
    from pulvinar.solutions.solution import describe_all

    found = describe_all()
    if as_json:
        print_json([description_to_json(one) for one in found])
        return
    for one in found:
        print(f"{one.name} {one.version}  {one.title.en} / {one.title.zh}")
        print(f"  {one.summary.en}")
        for item in one.inputs:
            kinds = " or ".join(item.kinds)
            name = f"{item.name}.1=ASSET --input {item.name}.2" if item.several else item.name
            print(f"  --input {name}=ASSET  {kinds}{', may be left out' if item.optional else ''}")
        for parameter in one.parameters:
            print(f"  --set {parameter.name}={parameter.default}  {parameter.title.en}: {parameter.range_in_words}")


def submit_job(request: Request, *, dry: bool, as_json: bool) -> None:
    """`pulvinar job submit`."""
    from pulvinar.platform import solution_means
    from pulvinar.solutions.submission import prepare, submit

    with opened() as platform:
        means = solution_means(platform)
        if dry:
            _print_plan(prepare(means, request), as_json=as_json)
            return
        job = submit(means, request)
    _print_job(job, as_json=as_json)
    if not as_json:
        print(f"pulvinar job log {job.id} --follow shows what it does; pulvinar work runs what is queued")


def _print_plan(ready: Prepared, *, as_json: bool) -> None:
    from pulvinar.model.plan import plan_to_json

    if as_json:
        print_json(plan_to_json(ready.plan))
        return
    head = ["step", "kind", "blocks", "memory", "cores", "GPUs", "core time"]
    rows = [
        [
            step.name,
            step.kind.value,
            f"{step.blocks:,}",
            size(step.need.memory_bytes),
            str(step.need.cpus),
            str(step.need.gpus),
            duration(step.need.cpu_s * step.blocks),
        ]
        for step in ready.plan.steps
    ]
    print_table(rows, head)
    print(f"reads about {size(ready.plan.bytes_read)}, writes about {size(ready.plan.bytes_written)}")


def show_jobs(state: str | None, limit: int, *, as_json: bool) -> None:
    """`pulvinar job list`."""
    from pulvinar.compute.jobs import list_jobs
    from pulvinar.model.job import JobState, job_to_json

    with opened() as platform:
        found, _ = list_jobs(platform.database, platform.actor, state=JobState(state) if state else None, limit=limit)
    if as_json:
        print_json([job_to_json(job) for job in found])
    elif found:
        head = ["id", "state", "done", "left", "solution", "who", "title"]
        print_table([_row(job) for job in found], head)
    else:
        print("there is no job: pulvinar job submit queues one")


def _row(job: Job) -> list[str]:
    done = f"{job.progress.done:,}/{job.progress.blocks:,}"
    left = duration(job.progress.left_s) if job.progress.left_s is not None else ""
    return [job.id, in_words(job), done, left, job.solution, job.actor.name, job.title]


def in_words(job: Job) -> str:
    """The state of a job for a person."""
    if job.state.value == "done_except":
        return f"done except {job.progress.lost}"
    return job.state.value


def show_job(job_id: str, *, as_json: bool) -> None:
    """`pulvinar job show`."""
    from pulvinar.compute.jobs import get_job, list_failures

    with opened() as platform:
        job = get_job(platform.database, platform.actor, job_id)
        failures = list_failures(platform.database, platform.actor, job_id, limit=10)
    _print_job(job, as_json=as_json)
    if not as_json:
        for one in failures:
            print(f"failed: step {one.step} block {one.block} ({one.kind}): {one.message}")


def _print_job(job: Job, *, as_json: bool) -> None:
    from pulvinar.model.job import job_to_json

    if as_json:
        print_json(job_to_json(job))
        return
    print(f"{job.id}  {job.title}  [{job.solution} {job.solution_version}]")
    print(f"  {in_words(job)}{f': {job.reason}' if job.reason else ''}")
    progress = job.progress
    left = f", about {duration(progress.left_s)} left" if progress.left_s is not None else ""
    print(f"  {progress.done:,} of {progress.blocks:,} blocks, {size(progress.size_bytes)} written{left}")
    if job.dataset_id:
        print(f"  outputs are in dataset {job.dataset_id}")


def print_log(job_id: str, *, follow: bool, as_json: bool) -> None:
    """`pulvinar job log`."""
    from pulvinar.compute.jobs import get_job, read_log

    after = 0
    with opened() as platform:
        while True:
            ended = get_job(platform.database, platform.actor, job_id).state.ended
            lines = read_log(platform.database, platform.actor, job_id, after=after)
            if as_json:
                print_json([{"number": one.number, "at": one.at.isoformat(), "text": one.text} for one in lines])
            else:
                for one in lines:
                    print(f"{one.at.astimezone():%H:%M:%S}  {one.text}", flush=True)
            after = lines[-1].number if lines else after
            if not follow or (ended and not lines):
                return
            time.sleep(_FOLLOW_S)


def change_job(verb: str, job_id: str, *, as_json: bool) -> None:
    """`pulvinar job cancel`, `pause` and `resume`."""
    from pulvinar.compute import jobs

    change = {"cancel": jobs.cancel, "pause": jobs.pause, "resume": jobs.resume}[verb]
    with opened() as platform:
        job = change(platform.database, platform.actor, job_id)
    _print_job(job, as_json=as_json)


def show_usage(hours: float, span_minutes: int, by: str, *, as_json: bool) -> None:
    """`pulvinar job usage`."""
    from pulvinar.compute.usage import seen_by, shares, utilisation

    since = datetime.now(UTC) - timedelta(hours=hours)
    with opened() as platform:
        spans = utilisation(platform.database, since=since, span_s=span_minutes * 60)
        found = seen_by(platform.actor, _COLUMNS[by], shares(platform.database, _COLUMNS[by], since=since))
    if as_json:
        print_json({"spans": [vars(one) | {"utilisation": one.utilisation} for one in spans], "shares": found})
        return
    rows = [
        [
            f"{one.start.astimezone():%Y-%m-%d %H:%M}",
            f"{one.offered_core_s / 3600:.2f}",
            f"{one.used_core_s / 3600:.2f}",
            f"{one.utilisation:.0%}" if one.utilisation is not None else "",
            f"{one.offered_gpu_s / 3600:.2f}",
            f"{one.used_gpu_s / 3600:.2f}",
        ]
        for one in spans
    ]
    print_table(rows, ["from", "core hours", "used", "", "GPU hours", "used"])
    head = [by, "jobs", "blocks", "core hours", "GPU hours", "failed", "written", "waited"]
    print_table(
        [
            [
                one.name,
                str(one.jobs),
                f"{one.blocks:,}",
                f"{one.core_s / 3600:.2f}",
                f"{one.gpu_s / 3600:.2f}",
                f"{one.failed_core_s / 3600:.2f}",
                size(one.size_bytes),
                duration(one.wait_s),
            ]
            for one in found
        ],
        head,
    )


def work(*, until_idle: bool) -> None:
    """`pulvinar work`."""
    from pulvinar.compute.dispatch import Quotas
    from pulvinar.compute.runner import slots_in_words
    from pulvinar.operations.log_keeping import LogKeeper
    from pulvinar.operations.signals import heeded
    from pulvinar.platform import solution_means
    from pulvinar.solutions.carrying import make_runner

    with opened() as platform:
        settings, means = platform.settings, solution_means(platform)
        quotas = Quotas(settings.user_cores, settings.project_cores)
        runner = make_runner(means, platform.store, jobs=settings.runner_jobs, quotas=quotas, until_idle=until_idle)
        print(f"engine {means.engine.name}: {slots_in_words(means.engine.slots)}", file=sys.stderr, flush=True)
        with heeded(runner.stop), LogKeeper(platform.database):
            runner.run()


@contextmanager
def working() -> Iterator[None]:
    """Within it a process of its own runs what is queued, with the settings of this one; it ends with this process."""
    code = "from pulvinar.ingest.landlock import die_with_parent as d; d(); from pulvinar.cli import main; main()"
    # Ctrl+C is told to this process, which then ends the other
    runner = subprocess.Popen([sys.executable, "-c", code, "work"], stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        yield
    finally:
        runner.terminate()
        try:
            runner.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            runner.kill()
            runner.wait()


def make_again(asset_id: str, *, as_json: bool) -> None:
    """`pulvinar rerun`."""
    from pulvinar.platform import solution_means
    from pulvinar.solutions.submission import rerun

    with opened() as platform:
        job = rerun(solution_means(platform), asset_id)
    _print_job(job, as_json=as_json)


def add_a_rule(
    name: str,
    solution: str,
    conditions: Mapping[str, str],
    parameters: Mapping[str, Any],
    project: str,
    priority: int,
    *,
    as_json: bool,
) -> None:
    """`pulvinar rule add`."""
    from pulvinar.platform import solution_means
    from pulvinar.solutions.rules import add_rule

    with opened() as platform:
        made = add_rule(
            solution_means(platform),
            name,
            solution,
            conditions=conditions,
            parameters=parameters,
            project=project,
            priority=priority,
        )
    if as_json:
        print_json(made)
    else:
        print(f"rule {made.name}: {made.solution} for every {_conditions(made.conditions)} that is published")


def _conditions(conditions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in conditions.items()) or "asset"


def show_rules(*, as_json: bool) -> None:
    """`pulvinar rule list`."""
    from pulvinar.platform import solution_means
    from pulvinar.solutions.rules import list_rules

    with opened() as platform:
        found = list_rules(solution_means(platform))
    if as_json:
        print_json(found)
    elif found:
        rows = [
            [one.name, "on" if one.enabled else "off", one.solution, _conditions(one.conditions), one.actor.name]
            for one in found
        ]
        print_table(rows, ["name", "", "solution", "for every", "as"])
    else:
        print("there is no rule: pulvinar rule add makes one")


def switch(name: str, *, enabled: bool) -> None:
    """`pulvinar rule switch`."""
    from pulvinar.platform import solution_means
    from pulvinar.solutions.rules import set_enabled

    with opened() as platform:
        set_enabled(solution_means(platform), name, enabled=enabled)


def take_away(name: str) -> None:
    """`pulvinar rule remove`."""
    from pulvinar.platform import solution_means
    from pulvinar.solutions.rules import remove_rule

    with opened() as platform:
        remove_rule(solution_means(platform), name)


def duration(seconds: float) -> str:
    """Time for a person: "1 h 05 min"."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"
