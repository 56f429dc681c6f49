"""Which runner holds a job: taken in a transaction, confirmed with every write, taken over from the dead."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, case, select, update
from sqlalchemy.orm import Session

from pulvinar.compute.jobs import change, job_from_row, lives
from pulvinar.compute.slots import Slot
from pulvinar.compute.tables import job
from pulvinar.errors import Conflict
from pulvinar.model.job import Job, JobState
from pulvinar.model.plan import Plan, plan_from_json
from pulvinar.storage.database import Database

_LOOKED_AT = 500


@dataclass(frozen=True)
class Taken:
    """A job that this runner holds now, and its plan. `wanted` is what somebody has asked for since, or ""."""

    job: Job
    plan: Plan
    number: int
    wanted: str


def take(
    database: Database, owner: str, active: Mapping[str, int], most: int, idle: Collection[Slot] = ()
) -> list[Taken]:
    """Take jobs from the queue, and over from runners that have died, until this runner has `most`.

    `active` counts what it has by actor. The highest priority comes first, then who has the fewest; who has less than
    an equal part gets that even when the runner is full, so that nobody waits behind a thousand jobs of another. And
    for each of the `idle` slots, for which what the runner has is of no use, one job with a step for it.
    """
    with database.session() as session:
        candidates = _candidates(session)
    if not candidates:
        return []
    counts, chosen, left = Counter(active), [], set(idle)
    part = max(1, most // len({*active, *(row.actor_id for row in candidates)}))
    for row in _in_turn(candidates, counts):
        if counts.total() >= most and counts[row.actor_id] >= part:
            used = _used_by(row, left)
            if used is None:
                continue
            left.discard(used)
        counts[row.actor_id] += 1
        chosen.append(row)
    with database.writing() as session:
        return [taken for row in chosen if (taken := _take_one(session, row, owner)) is not None]


def _candidates(session: Session) -> list[Row[Any]]:
    """Jobs that nobody works on, by priority and then in the order they came."""
    held = job.c.state.in_((JobState.RUNNING.value, JobState.CANCELLING.value))
    queued = job.c.state == JobState.QUEUED.value
    first = case((held, 0), else_=1)
    wanted = select(job).where(held | queued).order_by(first, job.c.priority.desc(), job.c.seq)
    rows = session.execute(wanted.limit(_LOOKED_AT)).all()
    return [row for row in rows if not (row.owner and lives(row.owner, row.heartbeat_s))]


def _in_turn(rows: list[Row[Any]], counts: Counter[str]) -> list[Row[Any]]:
    """`rows` so that within a priority actors take turns, who has the fewest first."""
    placed, turns = [], Counter(counts)
    for row in rows:
        placed.append((-row.priority, turns[row.actor_id], row.seq, row))
        turns[row.actor_id] += 1
    return [row for *_, row in sorted(placed, key=lambda item: item[:3])]


def _used_by(row: Row[Any], slots: Collection[Slot]) -> Slot | None:
    """One of `slots` that a step of the job runs in."""
    steps = plan_from_json(row.plan).steps if slots else ()
    return next((slot for step in steps for slot in slots if slot.takes(step.need)), None)


def _take_one(session: Session, row: Row[Any], owner: str) -> Taken | None:
    """Take a job if it is still as it was seen: of two runners that come at once, one gets nothing."""
    as_seen = (job.c.id == row.id) & (job.c.owner == row.owner) & (job.c.state == row.state)
    values: dict[str, Any] = {"owner": owner, "heartbeat_s": time.time(), "revision": job.c.revision + 1}
    if row.state == JobState.QUEUED.value:
        values |= {"state": JobState.RUNNING.value, "reason": "", "wanted": ""}
    if row.started is None:
        values["started"] = datetime.now(UTC)
    taken = session.execute(update(job).where(as_seen).values(**values))
    if taken.rowcount != 1:  # type: ignore[attr-defined]
        return None
    now = session.execute(select(job).where(job.c.id == row.id)).one()
    wanted = "cancel" if row.state == JobState.CANCELLING.value else now.wanted
    return Taken(job_from_row(now), plan_from_json(now.plan), now.seq, wanted)


def confirm(session: Session, job_id: str, owner: str, **values: Any) -> None:
    """Say in the running transaction that `owner` still holds the job, and change it by `values`.

    Raises `Conflict` when another has taken it over, and nothing of the transaction is to stay.
    """
    held = session.execute(
        update(job)
        .where(job.c.id == job_id, job.c.owner == owner)
        .values(heartbeat_s=time.time(), revision=job.c.revision + 1, **values)
    )
    if held.rowcount != 1:  # type: ignore[attr-defined]
        raise Conflict(f"another runner has taken over job {job_id}")


def release(session: Session, job_id: str, owner: str, state: JobState, reason: str, **values: Any) -> None:
    """Let go of a job in `state`. Raises `Conflict` when another has taken it over."""
    ended = {"ended": datetime.now(UTC), "left_s": None} if state.ended else {}
    confirm(session, job_id, owner, state=state.value, reason=reason, wanted="", **ended, **values)
    change(session, job_id, owner="")


def beat(database: Database, owner: str, job_ids: Collection[str]) -> None:
    """Say that the jobs are still worked on."""
    with database.writing() as session:
        session.execute(
            update(job).where(job.c.id.in_(list(job_ids)), job.c.owner == owner).values(heartbeat_s=time.time())
        )


def wishes(database: Database, job_ids: Collection[str]) -> dict[str, str]:
    """What somebody wants of each job: "cancel", "pause" or ""."""
    with database.session() as session:
        rows = session.execute(select(job.c.id, job.c.wanted).where(job.c.id.in_(list(job_ids)))).all()
    return {row.id: row.wanted for row in rows}
