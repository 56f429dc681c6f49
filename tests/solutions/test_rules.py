from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select, update
from tests.solutions.stored import catalogued, stored_volume

from pulvinar.access.outbox import mark_read, post, unread
from pulvinar.access.tables import event, outbox
from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue import add_asset, open_draft, publish
from pulvinar.compute.jobs import list_jobs
from pulvinar.compute.slots import Slot
from pulvinar.errors import Conflict, Forbidden, Invalid, NotFound
from pulvinar.model.access import LOCAL_OWNER, Actor, Right
from pulvinar.model.job import JobState
from pulvinar.model.record import Species
from pulvinar.solutions.rules import add_rule, list_rules, remove_rule, set_enabled, start_what_rules_say
from pulvinar.solutions.submission import Means
from pulvinar.storage.store import Store


@pytest.fixture
def add(folder_store: Store, tmp_path: Path, means: Means) -> Callable[..., str]:
    """Publishes a small brain."""

    def one(**said: object) -> str:
        voxels = np.full((1, 1, 20, 20, 20), 7, np.uint16)
        return catalogued(means.database, stored_volume(folder_store, tmp_path / "scratch", voxels), **said)

    return one


def test_every_new_mouse_brain_is_measured(means: Means, work: Callable, add: Callable):
    add()
    start_what_rules_say(means)
    rule = add_rule(means, "mice", "measure", conditions={"species": "mouse"}, parameters={"block_side": "16"})
    assert list_rules(means) == (rule,)
    mouse, fish = add(), add(species=Species.ZEBRAFISH)
    work(means)
    (job,) = list_jobs(means.database, LOCAL_OWNER)[0]
    assert (job.state, job.title, job.parameters["block_side"]) == (JobState.DONE, "mice", 16)
    assert job.inputs[0].dataset_id == mouse != fish


def test_what_was_made_starts_nothing(means: Means, work: Callable, add: Callable):
    add_rule(means, "all", "measure", conditions={}, parameters={})
    add()
    work(means)
    (job,) = list_jobs(means.database, LOCAL_OWNER)[0]
    with UnitOfWork(means.database, LOCAL_OWNER) as unit:
        publish(unit, open_draft(unit, job.dataset_id).id)
    assert start_what_rules_say(means) == 0


def test_a_message_that_is_read_twice_starts_nothing_twice(means: Means, add: Callable):
    add_rule(means, "all", "measure", conditions={}, parameters={})
    add()
    with means.database.session() as session:
        (message,) = unread(session)
    assert start_what_rules_say(means) == 1
    with means.database.writing() as session:
        assert not mark_read(session, message.number)
        session.execute(update(outbox).values(taken=None))
    assert start_what_rules_say(means) == 0
    assert len(list_jobs(means.database, LOCAL_OWNER)[0]) == 1


def test_an_asset_that_is_carried_over_is_not_new(means: Means, add: Callable, folder_store: Store, tmp_path: Path):
    brain = add()
    start_what_rules_say(means)
    add_rule(means, "all", "measure", conditions={"kind": "volume"}, parameters={})
    asset, objects = stored_volume(folder_store, tmp_path / "scratch", np.ones((1, 1, 9, 9, 9), np.uint8), "second")
    with UnitOfWork(means.database, LOCAL_OWNER) as unit:
        draft = open_draft(unit, brain)
        add_asset(unit, draft.id, asset, objects)
        publish(unit, draft.id)
    assert start_what_rules_say(means) == 1
    (job,) = list_jobs(means.database, LOCAL_OWNER)[0]
    assert job.inputs[0].asset_id == asset.id


def test_what_a_rule_can_not_start_is_written_down(means: Means, add: Callable):
    rule = add_rule(means, "all", "measure", conditions={}, parameters={})
    add()
    tiny = replace(means, engine=replace(means.engine, slots=(Slot("standard", 1, 1000),)))
    assert start_what_rules_say(tiny) == 0
    with means.database.session() as session:
        (failed,) = session.execute(select(event).where(event.c.verb == "rule-failed")).all()
    assert failed.subject_id == rule.id
    assert "no slot" in failed.details["reason"]


def test_a_rule_is_switched_and_removed(means: Means, add: Callable):
    add_rule(means, "all", "measure", conditions={}, parameters={})
    set_enabled(means, "all", enabled=False)
    add()
    assert start_what_rules_say(means) == 0
    remove_rule(means, "all")
    assert list_rules(means) == ()
    with pytest.raises(NotFound):
        remove_rule(means, "all")


def test_a_rule_that_can_not_be_is_refused(means: Means):
    add_rule(means, "all", "measure", conditions={}, parameters={})
    with pytest.raises(Conflict, match="a rule 'all' already"):
        add_rule(means, "all", "measure", conditions={}, parameters={})
    with pytest.raises(Invalid, match="can't ask for 'weather'"):
        add_rule(means, "x", "measure", conditions={"weather": "fine"}, parameters={})
    with pytest.raises(NotFound):
        add_rule(means, "x", "nothing", conditions={}, parameters={})
    with pytest.raises(Forbidden):
        add_rule(replace(means, actor=Actor("guest", "Guest")), "x", "measure", conditions={}, parameters={})


def test_what_is_undone_is_not_posted(means: Means):
    with pytest.raises(KeyError), UnitOfWork(means.database, LOCAL_OWNER) as unit:
        unit.ask(Right.WRITE)
        post(unit.session, "published", "x", {})
        raise KeyError
    with means.database.session() as session:
        assert unread(session) == ()
