"""Carrying jobs out: the runner of `compute`, told what solutions do and what becomes of their results."""

from __future__ import annotations

import json
import logging
from dataclasses import replace

from pulvinar.access.memberships import renewed
from pulvinar.compute.dispatch import Quotas
from pulvinar.compute.engine import result_to_json
from pulvinar.compute.ledger import results
from pulvinar.compute.runner import Runner, RunnerOptions
from pulvinar.ingest.anchoring import Anchorer
from pulvinar.model.job import Job
from pulvinar.model.plan import Plan
from pulvinar.solutions.derived import make_visible
from pulvinar.solutions.rules import start_what_rules_say
from pulvinar.solutions.solution import Desk, SolutionTask, find_solution
from pulvinar.solutions.submission import Means, open_asked
from pulvinar.storage.store import Store

_log = logging.getLogger("pulvinar.solutions")


class SolutionCarrier:
    """What the runner asks of this room. Satisfies `compute.runner.Carrier`."""

    def __init__(self, means: Means, store: Store) -> None:
        self._means = means
        self._store = store

    def task(self, job: Job, plan: Plan, step: int) -> SolutionTask:
        """The task of a step, once the results of the one before lie in the store. Raises `NotFound` and `Forbidden`
        where the job's actor may not read an input any more."""
        job = self._acting(job)
        asked = open_asked(self._means.database, job)
        if step:
            self._spool(job, step - 1)
        keys = {before.name: _results_key(job, number) for number, before in enumerate(plan.steps[:step])}
        desk = Desk(job.id, asked, job.outputs, self._means.places, keys)
        return SolutionTask(job.solution, plan.steps[step], desk)

    def _acting(self, job: Job) -> Job:
        """The job of an actor with the rights of this moment."""
        with self._means.database.session() as session:
            return replace(job, actor=renewed(session, job.actor))

    def _spool(self, job: Job, step: int) -> None:
        lines = (
            json.dumps([index, result_to_json(result)], ensure_ascii=False)
            for index, result in results(self._means.database, job.id, step)
        )
        self._store.put_bytes(_results_key(job, step), "\n".join(lines).encode())

    def finish(self, job: Job, plan: Plan, owner: str, reason: str) -> None:
        """Make the outputs visible and end the job."""
        job = self._acting(job)
        database, scratch = self._means.database, self._means.engine.scratch
        make_visible(
            database,
            job,
            plan,
            find_solution(job.solution).description,
            Anchorer(database, self._store, scratch, job.actor),
            engine=self._means.engine.name,
            owner=owner,
            reason=reason,
        )
        for entry in list(self._store.list(f"jobs/{job.id}")):
            self._store.delete(entry.key)

    def look_for_work(self) -> None:
        """Start what rules say."""
        start_what_rules_say(self._means)


def _results_key(job: Job, step: int) -> str:
    return f"jobs/{job.id}/{step}.jsonl"


def make_runner(means: Means, store: Store, *, jobs: int, quotas: Quotas, until_idle: bool = False) -> Runner:
    """A runner that carries jobs out on the engine of `means`."""
    options = RunnerOptions(jobs, quotas, until_idle)
    return Runner(means.database, means.engine, SolutionCarrier(means, store), options)
