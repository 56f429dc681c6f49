"""The ledger of blocks: what has ended is written down, many at once, with all that is to be known of it.

One transaction holds blocks, failures, log and usage, and the confirmation that the job is still ours: either all of it
is there or the blocks are done again.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from pulvinar.compute.engine import BlockResult, result_from_json, result_to_json
from pulvinar.compute.lease import confirm
from pulvinar.compute.tables import job_block, job_failure, job_log
from pulvinar.compute.usage import Spent, add_spent
from pulvinar.model.job import FailureKind, Job
from pulvinar.storage.database import Database

_PAGE = 2000


@dataclass(frozen=True)
class EndedBlock:
    """A block that has ended for good: with its result, or lost."""

    step: int
    block: int
    result: BlockResult | None
    wall_s: float = 0.0
    cpu_s: float = 0.0


@dataclass(frozen=True)
class FailedBlock:
    """One attempt at a block that failed."""

    step: int
    block: int
    kind: FailureKind
    slot: str
    message: str
    log: str


@dataclass
class Page:
    """What has happened and is not written down yet."""

    ended: list[EndedBlock] = field(default_factory=list)
    failed: list[FailedBlock] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    spent: Spent = field(default_factory=Spent)

    def __bool__(self) -> bool:
        return bool(self.ended or self.failed or self.lines)


@dataclass(frozen=True)
class Known:
    """What the ledger knows of a step: blocks that have ended, how many of these are lost, attempts that failed."""

    ended: frozenset[int]
    lost: int
    attempts: Counter[int]


class Ledger:
    """The ledger of one job, written by the runner that holds it under the name `owner`."""

    def __init__(self, database: Database, job: Job, owner: str) -> None:
        self._database = database
        self._job = job
        self._owner = owner

    def known(self, step: int) -> Known:
        """What was written down of a step."""
        blocks = select(job_block.c.block, job_block.c.lost).where(
            job_block.c.job_id == self._job.id, job_block.c.step == step
        )
        tries = (
            select(job_failure.c.block, func.count())
            .where(job_failure.c.job_id == self._job.id, job_failure.c.step == step)
            .group_by(job_failure.c.block)
        )
        with self._database.session() as session:
            rows = session.execute(blocks).all()
            attempts: Counter[int] = Counter({row[0]: row[1] for row in session.execute(tries)})
        return Known(frozenset(row.block for row in rows), sum(row.lost for row in rows), attempts)

    def write(self, page: Page, **values: Any) -> None:
        """Write `page` down, and change the job by `values`. Raises `Conflict` when another runner holds the job."""
        with self._database.writing() as session:
            confirm(session, self._job.id, self._owner, **values)
            self._write(session, page)

    def _write(self, session: Session, page: Page) -> None:
        mine, now = {"job_id": self._job.id}, datetime.now(UTC)
        if page.ended:
            session.execute(insert(job_block), [mine | _block_row(one) for one in page.ended])
        if page.failed:
            session.execute(insert(job_failure), [mine | vars(one) | {"at": now} for one in page.failed])
        if page.lines:
            session.execute(insert(job_log), [mine | {"at": now, "text": line} for line in page.lines])
        add_spent(session, self._job, int(time.time() // 60), page.spent)


def _block_row(one: EndedBlock) -> dict[str, Any]:
    made = one.result
    values = {"step": one.step, "block": one.block, "lost": int(made is None)}
    return values | {"result": result_to_json(made) if made else None, "wall_s": one.wall_s, "cpu_s": one.cpu_s}


def results(database: Database, job_id: str, step: int) -> Iterator[tuple[int, BlockResult]]:
    """The results of a step's blocks, in their order, a page in memory at a time; lost blocks have none."""
    after = -1
    while True:
        wanted = (
            select(job_block.c.block, job_block.c.result)
            .where(
                job_block.c.job_id == job_id,
                job_block.c.step == step,
                job_block.c.lost == 0,
                job_block.c.block > after,
            )
            .order_by(job_block.c.block)
            .limit(_PAGE)
        )
        with database.session() as session:
            rows: Sequence[Any] = session.execute(wanted).all()
        for row in rows:
            yield row.block, result_from_json(row.result)
        if len(rows) < _PAGE:
            return
        after = rows[-1].block
