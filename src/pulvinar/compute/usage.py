"""The ledger of use: what engines offered, what jobs took of it, and how long people waited."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Column, Table, func, insert, select, update
from sqlalchemy.orm import Session

from pulvinar.compute.tables import job, usage_job, usage_offer
from pulvinar.model.access import Actor
from pulvinar.model.job import Job
from pulvinar.storage.database import Database

_MINUTE_S = 60


@dataclass
class Spent:
    """What blocks took: slot seconds times cores and GPUs, those of blocks that failed, and processor time."""

    blocks: int = 0
    core_s: float = 0.0
    gpu_s: float = 0.0
    failed_core_s: float = 0.0
    processor_s: float = 0.0
    size_bytes: int = 0


@dataclass(frozen=True)
class Span:
    """A span of time: what was offered, what was used inside of blocks, and what was offered while work waited."""

    start: datetime
    offered_core_s: float
    used_core_s: float
    offered_gpu_s: float
    used_gpu_s: float
    waiting_core_s: float

    @property
    def utilisation(self) -> float | None:
        """Used of offered core seconds; None where none were offered."""
        return self.used_core_s / self.offered_core_s if self.offered_core_s else None


@dataclass(frozen=True)
class Share:
    """What one user, project or solution took, and how long its jobs waited on average before they began."""

    name: str
    jobs: int
    blocks: int
    core_s: float
    gpu_s: float
    failed_core_s: float
    size_bytes: int
    wait_s: float


def add_spent(session: Session, of: Job, minute: int, spent: Spent) -> None:
    """Add to what a job took within a minute; its runner is the only one that does."""
    if not spent.blocks and not spent.core_s:
        return
    about = {"actor_id": of.actor.id, "project": of.project, "solution": of.solution}
    _add(session, usage_job, {"minute": minute, "job_id": of.id}, about, vars(spent))


def add_offer(
    session: Session, runner: str, engine: str, minute: int, *, core_s: float, gpu_s: float, waiting_core_s: float
) -> None:
    """Add to what a runner's engine offered within a minute."""
    amounts = {"core_s": core_s, "gpu_s": gpu_s, "waiting_core_s": waiting_core_s}
    _add(session, usage_offer, {"minute": minute, "runner": runner}, {"engine": engine}, amounts)


def _add(
    session: Session,
    table: Table,
    key: dict[str, int | str],
    about: dict[str, str],
    amounts: dict[str, float],
) -> None:
    raised = {name: table.c[name] + amount for name, amount in amounts.items()}
    same = [table.c[name] == value for name, value in key.items()]
    if session.execute(update(table).where(*same).values(**raised)).rowcount == 0:  # type: ignore[attr-defined]
        session.execute(insert(table).values(**key, **about, **amounts))


def utilisation(
    database: Database, *, since: datetime, until: datetime | None = None, span_s: int = 3600
) -> tuple[Span, ...]:
    """What was offered and used in each span of `span_s` seconds (a multiple of 60), the oldest first."""
    width = max(1, span_s // _MINUTE_S)
    first, last = _minute(since), _minute(until or datetime.now(UTC))
    with database.session() as session:
        offered = _by_span(session, usage_offer, ("core_s", "gpu_s", "waiting_core_s"), width, first, last)
        used = _by_span(session, usage_job, ("core_s", "gpu_s"), width, first, last)
    spans = []
    for number in sorted(offered.keys() | used.keys()):
        cores, gpus, waiting = offered.get(number, (0.0, 0.0, 0.0))
        took_cores, took_gpus = used.get(number, (0.0, 0.0))
        start = datetime.fromtimestamp(number * width * _MINUTE_S, UTC)
        spans.append(Span(start, cores, took_cores, gpus, took_gpus, waiting))
    return tuple(spans)


def _by_span(
    session: Session, table: Table, columns: Sequence[str], width: int, first: int, last: int
) -> dict[int, tuple[float, ...]]:
    number = table.c.minute - table.c.minute % width
    sums = [func.sum(table.c[name]) for name in columns]
    wanted = select(number, *sums).where(table.c.minute >= first, table.c.minute <= last).group_by(number)
    return {row[0] // width: tuple(row[1:]) for row in session.execute(wanted)}


def shares(database: Database, by: str, *, since: datetime, until: datetime | None = None) -> tuple[Share, ...]:
    """What each "actor_id", "project" or "solution" took, who took most first."""
    first, last = _minute(since), _minute(until or datetime.now(UTC))
    key: Column[str] = usage_job.c[by]
    wanted = (
        select(
            key,
            func.count(usage_job.c.job_id.distinct()),
            *(func.sum(usage_job.c[name]) for name in ("blocks", "core_s", "gpu_s", "failed_core_s", "size_bytes")),
        )
        .where(usage_job.c.minute >= first, usage_job.c.minute <= last)
        .group_by(key)
    )
    begun = select(job.c[by], job.c.submitted, job.c.started).where(job.c.started.is_not(None), job.c.started >= since)
    with database.session() as session:
        rows: Sequence[Any] = session.execute(wanted).all()
        waits: dict[str, list[float]] = {}
        for name, submitted, started in session.execute(begun):
            waits.setdefault(name, []).append((started - submitted).total_seconds())
    names = ("name", "jobs", "blocks", "core_s", "gpu_s", "failed_core_s", "size_bytes")
    found = [Share(**dict(zip(names, row, strict=True)), wait_s=_mean(waits.get(row[0], []))) for row in rows]
    return tuple(sorted(found, key=lambda one: -one.core_s))


def recent_core_s(database: Database, *, since: datetime) -> dict[str, float]:
    """Core seconds that each user took since then: what a fair share starts from."""
    wanted = (
        select(usage_job.c.actor_id, func.sum(usage_job.c.core_s))
        .where(usage_job.c.minute >= _minute(since))
        .group_by(usage_job.c.actor_id)
    )
    with database.session() as session:
        return {row[0]: row[1] for row in session.execute(wanted)}


def seen_by(actor: Actor, by: str, found: Sequence[Share]) -> tuple[Share, ...]:
    """Of `found` what `actor` may know: the owner of the node all, another its own."""
    return tuple(one for one in found if actor.is_owner or (by == "actor_id" and one.name == actor.id))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _minute(at: datetime) -> int:
    return int(at.timestamp() // _MINUTE_S)
