"""Jobs as people see them: put into the queue, listed, looked at, cancelled, paused and resumed.

An actor sees its own jobs, the owner of the node all; another's does not exist.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, delete, func, insert, select, true, update
from sqlalchemy.exc import NoResultFound
from sqlalchemy.orm import Session

from pulvinar.access.work import UnitOfWork
from pulvinar.compute.tables import job, job_block, job_failure, job_log
from pulvinar.errors import Conflict, Forbidden, Invalid, NotFound, TooLarge
from pulvinar.model.access import Actor, Right
from pulvinar.model.job import Job, JobInput, JobState, Progress, check_change
from pulvinar.model.plan import Plan, plan_to_json
from pulvinar.storage.database import Database
from pulvinar.storage.owner import is_alive

SILENT_FOR_S = 60.0
"""A runner that can't be looked up (another machine) counts as dead after so long without a heartbeat."""
HIGHEST_PRIORITY = 10
_LIMIT = 200
_OPEN = tuple(state.value for state in JobState if not state.ended)


@dataclass(frozen=True)
class LogLine:
    """One line of a job's log; `number` orders them."""

    number: int
    at: datetime
    text: str


@dataclass(frozen=True)
class BlockFailure:
    """One attempt at a block that failed: in which step, of which kind, in one line, and with which trace."""

    step: int
    block: int
    kind: str
    slot: str
    message: str
    log: str
    at: datetime


def enqueue(work: UnitOfWork, new: Job, plan: Plan, *, limit: int = 0, cause: str | None = None) -> Job:
    """Put `new` into the queue. A user has at most `limit` jobs that have not ended; 0: as many as one likes.

    Whoever calls has asked for the rights to what it reads and makes. Raises `TooLarge` above the limit, `Invalid` for
    a priority that the actor may not have, `Conflict` for a `cause` that has started a job before.
    """
    if not -HIGHEST_PRIORITY <= new.priority <= (HIGHEST_PRIORITY if new.actor.is_owner else 0):
        most = HIGHEST_PRIORITY if new.actor.is_owner else 0
        raise Invalid(f"priority is {new.priority}", hint=f"use {-HIGHEST_PRIORITY} to {most}")
    mine = select(func.count()).select_from(job).where(job.c.actor_id == new.actor.id, job.c.state.in_(_OPEN))
    if limit and (work.session.scalar(mine) or 0) >= limit:
        raise TooLarge(
            f"{new.actor.name} has {limit} jobs that have not ended, and may have no more",
            hint="wait for one to end, or cancel one: pulvinar job list",
        )
    if cause is not None and work.session.scalar(select(job.c.id).where(job.c.cause == cause)) is not None:
        raise Conflict(f"{cause} has started a job before")
    values = {
        "id": new.id,
        "actor_id": new.actor.id,
        "actor": {"name": new.actor.name, "is_owner": new.actor.is_owner},
        "project": new.project,
        "solution": new.solution,
        "solution_version": new.solution_version,
        "title": new.title,
        "inputs": [vars(one) for one in new.inputs],
        "parameters": dict(new.parameters),
        "outputs": dict(new.outputs),
        "plan": plan_to_json(plan),
        "priority": new.priority,
        "state": JobState.QUEUED.value,
        "reason": "it waits for its turn",
        "into_dataset": new.into,
        "cause": cause,
        "submitted": new.submitted,
        "blocks": plan.blocks,
    }
    work.session.execute(insert(job).values(**values))
    work.record_event("submit-job", new.id, {"solution": new.solution, "inputs": [one.digest for one in new.inputs]})
    return read_job(work.session, new.id)


def list_jobs(
    database: Database, actor: Actor, *, state: JobState | None = None, cursor: str | None = None, limit: int = 50
) -> tuple[tuple[Job, ...], str | None]:
    """The jobs that `actor` may see, newest first, and the cursor of what follows. Raises `Invalid`."""
    if not 1 <= limit <= _LIMIT:
        raise Invalid(f"limit is {limit}", hint=f"use 1 to {_LIMIT}")
    with database.session() as session:
        wanted = select(job).where(_seen(actor)).order_by(job.c.seq.desc()).limit(limit + 1)
        if state is not None:
            wanted = wanted.where(job.c.state == state.value)
        if cursor is not None:
            wanted = wanted.where(job.c.seq < _number(session, actor, cursor))
        rows = session.execute(wanted).all()
    found = tuple(job_from_row(row) for row in rows[:limit])
    return found, found[-1].id if len(rows) > limit else None


def list_own_jobs(database: Database, actor: Actor, *, limit: int = 50) -> tuple[Job, ...]:
    """The newest jobs that `actor` started."""
    wanted = select(job).where(job.c.actor_id == actor.id).order_by(job.c.seq.desc()).limit(limit)
    with database.session() as session:
        return tuple(job_from_row(row) for row in session.execute(wanted))


def _number(session: Session, actor: Actor, cursor: str) -> int:
    try:
        number: int = session.scalars(select(job.c.seq).where(job.c.id == cursor, _seen(actor))).one()
    except NoResultFound as error:
        raise Invalid(f"{cursor!r} is not a cursor", hint="use next_cursor of the page before") from error
    return number


def get_job(database: Database, actor: Actor, job_id: str) -> Job:
    """One job. Raises `NotFound` when there is none that `actor` may see."""
    with database.session() as session:
        return job_from_row(_row(session, actor, job_id))


def get_revision(database: Database, actor: Actor, job_id: str) -> tuple[int, Job]:
    """A job, and the number of its last change. Raises `NotFound`."""
    with database.session() as session:
        row = _row(session, actor, job_id)
    return row.revision, job_from_row(row)


def read_log(
    database: Database, actor: Actor, job_id: str, *, after: int = 0, limit: int = 1000
) -> tuple[LogLine, ...]:
    """The lines of a job's log after line number `after`, at most `limit`. Raises `NotFound`."""
    with database.session() as session:
        _row(session, actor, job_id)
        mine = select(job_log).where(job_log.c.job_id == job_id, job_log.c.seq > after)
        rows = session.execute(mine.order_by(job_log.c.seq).limit(limit)).all()
    return tuple(LogLine(row.seq, row.at, row.text) for row in rows)


def list_failures(database: Database, actor: Actor, job_id: str, *, limit: int = 100) -> tuple[BlockFailure, ...]:
    """The newest failures of a job's blocks. Raises `NotFound`."""
    with database.session() as session:
        _row(session, actor, job_id)
        mine = select(job_failure).where(job_failure.c.job_id == job_id)
        rows = session.execute(mine.order_by(job_failure.c.seq.desc()).limit(limit)).all()
    return tuple(BlockFailure(row.step, row.block, row.kind, row.slot, row.message, row.log, row.at) for row in rows)


def cancel(database: Database, actor: Actor, job_id: str) -> Job:
    """End a job. What runs is stopped within seconds; nothing of it becomes visible.

    Raises `NotFound`, and `Conflict` for one that has ended.
    """
    with database.writing() as session:
        row = _row_to_change(session, actor, job_id)
        held = row.owner and lives(row.owner, row.heartbeat_s)
        to = JobState.CANCELLING if held else JobState.CANCELLED
        if JobState(row.state) is JobState.CANCELLING:
            return job_from_row(row)
        check_change(job_id, JobState(row.state), JobState.CANCELLING if row.state == "running" else JobState.CANCELLED)
        told: dict[str, Any] = {"reason": f"{actor.name} cancelled it"}
        told |= {} if held else {"ended": datetime.now(UTC), "owner": ""}
        change(session, job_id, state=to.value, wanted="cancel" if held else "", **told)
        return read_job(session, job_id)


def pause(database: Database, actor: Actor, job_id: str) -> Job:
    """Have a job begin no further block; those under way end first. Raises `NotFound`, `Conflict`."""
    with database.writing() as session:
        row = _row_to_change(session, actor, job_id)
        check_change(job_id, JobState(row.state), JobState.PAUSED)
        if row.owner and lives(row.owner, row.heartbeat_s):
            change(session, job_id, wanted="pause", reason=f"{actor.name} pauses it: blocks under way end")
        else:
            change(session, job_id, state=JobState.PAUSED.value, owner="", reason=f"{actor.name} paused it")
        return read_job(session, job_id)


def resume(database: Database, actor: Actor, job_id: str) -> Job:
    """Put a paused job back into the queue; it goes on from what is done. Raises `NotFound`, `Conflict`."""
    with database.writing() as session:
        row = _row_to_change(session, actor, job_id)
        if JobState(row.state) is not JobState.PAUSED:
            raise Conflict(f"job {job_id} is {row.state}, not paused")
        change(session, job_id, state=JobState.QUEUED.value, wanted="", reason="it waits for its turn")
        return read_job(session, job_id)


def lives(owner: str, heartbeat_s: float) -> bool:
    """Whether the runner that holds a job still works on it."""
    known = is_alive(owner)
    return time.time() - heartbeat_s < SILENT_FOR_S if known is None else known


def change(session: Session, job_id: str, **values: Any) -> None:
    """Change a job's row, so that watchers hear of it."""
    session.execute(update(job).where(job.c.id == job_id).values(revision=job.c.revision + 1, **values))


def read_job(session: Session, job_id: str) -> Job:
    """One job, whoever asks: for the rooms that carry it out."""
    return job_from_row(session.execute(select(job).where(job.c.id == job_id)).one())


def output_assets(database: Database) -> Iterator[tuple[str, bool]]:
    """The assets that jobs make which have not ended, and whether a living runner works on each."""
    open_jobs = select(job.c.outputs, job.c.owner, job.c.heartbeat_s).where(job.c.state.in_(_OPEN))
    with database.session() as session:
        rows = session.execute(open_jobs).all()
    for row in rows:
        held = bool(row.owner) and lives(row.owner, row.heartbeat_s)
        yield from ((asset_id, held) for asset_id in row.outputs.values())


def _seen(actor: Actor) -> ColumnElement[bool]:
    return true() if actor.is_owner else job.c.actor_id == actor.id


def _row(session: Session, actor: Actor, job_id: str) -> Row[Any]:
    row = session.execute(select(job).where(job.c.id == job_id, _seen(actor))).first()
    if row is None:
        raise NotFound(f"there is no job {job_id}")
    return row


def _row_to_change(session: Session, actor: Actor, job_id: str) -> Row[Any]:
    row = _row(session, actor, job_id)
    if actor.ceiling < Right.WRITE:
        raise Forbidden(f"{actor.name} may change nothing", hint="use a token that may write")
    return row


def job_from_row(row: Row[Any]) -> Job:
    """The job of a row of its table."""
    return Job(
        id=row.id,
        actor=Actor(row.actor_id, row.actor["name"], row.actor["is_owner"]),
        project=row.project,
        solution=row.solution,
        solution_version=row.solution_version,
        inputs=tuple(JobInput(**one) for one in row.inputs),
        parameters=row.parameters,
        outputs=row.outputs,
        priority=row.priority,
        state=JobState(row.state),
        submitted=row.submitted,
        title=row.title,
        reason=row.reason,
        started=row.started,
        ended=row.ended,
        progress=Progress(row.blocks, row.done, row.lost, row.size_bytes, row.left_s),
        dataset_id=row.dataset_id,
        into=row.into_dataset,
    )


def forget_inputs(session: Session, asset_ids: Collection[str]) -> None:
    """Forget what jobs say of assets that are erased, in the running transaction, and cancel those that have not
    ended."""
    gone = set(asset_ids)
    asked = job.c.id, job.c.inputs, job.c.outputs, job.c.state, job.c.owner, job.c.heartbeat_s
    rows = session.execute(select(*asked)).all()
    told = [row for row in rows if gone & {*(one["asset_id"] for one in row.inputs), *row.outputs.values()}]
    ids = [row.id for row in told]
    session.execute(delete(job_log).where(job_log.c.job_id.in_(ids)))
    session.execute(delete(job_failure).where(job_failure.c.job_id.in_(ids)))
    session.execute(update(job_block).where(job_block.c.job_id.in_(ids)).values(result=None))
    for row in told:
        stopped: dict[str, Any] = {}
        if row.state in _OPEN:
            held = row.owner and lives(row.owner, row.heartbeat_s)
            ended = {"state": JobState.CANCELLED.value, "wanted": "", "ended": datetime.now(UTC), "owner": ""}
            stopped = {"state": JobState.CANCELLING.value, "wanted": "cancel"} if held else ended
        change(session, row.id, title="", **stopped)
