"""Who gets a slot: measured in the time that blocks really took, and never behind somebody's long block."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.compute.plain_jobs import PlainCarrier, Traced, a_plan, a_runner, queued

from pulvinar.compute import execution
from pulvinar.compute.dispatch import Dispatcher, FairShare, Quotas
from pulvinar.compute.engine import EngineOptions
from pulvinar.compute.execution import Execution
from pulvinar.compute.ledger import Ledger
from pulvinar.compute.slots import Slot
from pulvinar.model.access import Actor
from pulvinar.storage.database import Database

ANN, BEN = Actor("ann", "Ann"), Actor("ben", "Ben")
SLOT = Slot("standard", 2, 10_000)


def an_execution(database: Database, actor: Actor, block_s: float) -> Execution:
    plan = a_plan(100, cpu_s=block_s)
    job = queued(database, plan, actor)
    return Execution(Ledger(database, job, "nobody"), job, plan, (SLOT,), lambda step: Traced(Path(), job.id, ""))


def given(database: Database, block_s: Mapping[Actor, float]) -> Counter[str]:
    """How many batches each user has in the two slots or behind them."""
    executions = [an_execution(database, actor, seconds) for actor, seconds in block_s.items()]
    dispatcher = Dispatcher((SLOT,), Quotas(), FairShare())
    batches = dispatcher.next_batches(executions, {"standard": 2}, {})
    return Counter(one.job.actor.id for _, _, one in batches)


def test_behind_brief_batches_others_wait_so_that_no_slot_stands_idle(database: Database):
    assert given(database, {ANN: 1.0}) == {"ann": 4}


def test_behind_long_blocks_nobody_is_made_to_wait(database: Database):
    assert given(database, {ANN: 60.0}) == {"ann": 2}
    assert given(database, {ANN: 60.0, BEN: 1.0}) == {"ann": 1, "ben": 1}


def test_a_long_block_counts_for_what_it_takes(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    # so that every block is a batch, as blocks are that take longer than a batch is to take
    monkeypatch.setattr(execution, "BATCH_S", 0.001)
    carrier = PlainCarrier(database, tmp_path / "trace")
    long = queued(database, a_plan(20, cpu_s=0.04), ANN, sleep_s=0.15)
    short = queued(database, a_plan(150, cpu_s=0.04), BEN, sleep_s=0.005)
    a_runner(database, EngineOptions("here", (SLOT,)), carrier).run()
    begun = [line.split()[1] for line in carrier.trace.read_text().splitlines() if line.startswith("begin")][:60]
    # were each block to count the same, there would be as many of one as of the other
    assert begun.count(short.id) > 2 * begun.count(long.id)
