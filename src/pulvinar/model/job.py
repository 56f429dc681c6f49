"""One run of a solution: whose it is, how far it is, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from pulvinar.errors import Conflict
from pulvinar.model.access import Actor


class JobState(StrEnum):
    """Where a job is; the last four are for good."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    DONE = "done"
    DONE_EXCEPT = "done_except"
    """Done, but for some blocks that failed whatever was tried."""
    FAILED = "failed"

    @property
    def ended(self) -> bool:
        """Whether nothing will happen to it any more."""
        return not _NEXT[self]


_S = JobState
_NEXT: Mapping[JobState, frozenset[JobState]] = {
    _S.QUEUED: frozenset({_S.RUNNING, _S.PAUSED, _S.CANCELLED}),
    _S.RUNNING: frozenset({_S.QUEUED, _S.PAUSED, _S.CANCELLING, _S.DONE, _S.DONE_EXCEPT, _S.FAILED}),
    _S.PAUSED: frozenset({_S.QUEUED, _S.CANCELLED}),
    _S.CANCELLING: frozenset({_S.CANCELLED}),
    _S.CANCELLED: frozenset(),
    _S.DONE: frozenset(),
    _S.DONE_EXCEPT: frozenset(),
    _S.FAILED: frozenset(),
}


def before(state: JobState) -> frozenset[JobState]:
    """The states from which a job comes to `state`."""
    return frozenset(one for one, following in _NEXT.items() if state in following)


def check_change(job_id: str, now: JobState, to: JobState) -> None:
    """Raise `Conflict` where no job goes from `now` to `to`."""
    if to not in _NEXT[now]:
        raise Conflict(
            f"job {job_id} is {now.value.replace('_', ' ')} and can't become {to.value.replace('_', ' ')}",
            hint="its state is for good: submit another" if now.ended else "",
        )


class FailureKind(StrEnum):
    """Why a block ended without its result; each is met in its own way."""

    ERROR = "error"
    """The code raised: tried again later."""
    MEMORY = "memory"
    """It took more memory than its slot has: tried again on a bigger one."""
    TIMEOUT = "timeout"
    """It ran longer than its step allows: tried again on a bigger slot."""
    LOST = "lost"
    """Its worker died: tried again."""
    STOPPED = "stopped"
    """Somebody paused or cancelled the job: not a failure of the block."""


@dataclass(frozen=True)
class JobInput:
    """An asset that a job reads, by the version that it was seen in: `digest` is that version's."""

    name: str
    dataset_id: str
    version: int
    digest: str
    asset_id: str


@dataclass(frozen=True)
class Progress:
    """How far a job is. `left_s` is an estimate from what its blocks took so far; None while nothing is known."""

    blocks: int = 0
    done: int = 0
    lost: int = 0
    size_bytes: int = 0
    left_s: float | None = None


@dataclass(frozen=True)
class Job:
    """One run of a solution, for and with the rights of `actor`. `reason` says in plain words why it is where it is.

    `outputs` are the identifiers of the assets that it makes, by the solution's names for them; `dataset_id` is where
    they are, once it has ended. `into` is a dataset that they are to be put in, "" for a new one.
    """

    id: str
    actor: Actor
    project: str
    solution: str
    solution_version: str
    inputs: tuple[JobInput, ...]
    parameters: Mapping[str, Any]
    outputs: Mapping[str, str]
    priority: int
    state: JobState
    submitted: datetime
    title: str = ""
    reason: str = ""
    started: datetime | None = None
    ended: datetime | None = None
    progress: Progress = field(default_factory=Progress)
    dataset_id: str = ""
    into: str = ""


def job_to_json(job: Job) -> dict[str, Any]:
    """`job` as JSON values."""
    progress = job.progress
    return {
        "id": job.id,
        "title": job.title,
        "state": job.state.value,
        "reason": job.reason,
        "solution": job.solution,
        "solution_version": job.solution_version,
        "inputs": [vars(one) for one in job.inputs],
        "parameters": dict(job.parameters),
        "outputs": dict(job.outputs),
        "actor": {"id": job.actor.id, "name": job.actor.name},
        "project": job.project,
        "priority": job.priority,
        "submitted": job.submitted.isoformat(),
        "started": job.started.isoformat() if job.started else None,
        "ended": job.ended.isoformat() if job.ended else None,
        "progress": {
            "blocks": progress.blocks,
            "done": progress.done,
            "lost": progress.lost,
            "size_bytes": progress.size_bytes,
            "left_s": progress.left_s,
        },
        "dataset_id": job.dataset_id,
    }
