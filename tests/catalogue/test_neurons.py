"""The table of neurons: who sees which, and the regions of each."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import insert
from tests.catalogue.conftest import OBJECTS, RECORD, new_asset

from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue import add_asset, create_dataset, open_draft, publish
from pulvinar.catalogue.neurons import list_neurons
from pulvinar.catalogue.tables import anchor, anchor_region
from pulvinar.errors import Invalid
from pulvinar.model.access import ANONYMOUS, LOCAL_OWNER
from pulvinar.model.dataset import AssetKind
from pulvinar.storage.database import Database

CORTEX, LAYER_1, THALAMUS = (10, 3), (11, 4), (20, 9)
"""Regions by identifier and position: layer 1 lies in the cortex, whose span is 3 to 5."""
CORTEX_SPAN, THALAMUS_SPAN = (3, 5), (9, 9)


def add_neuron(database: Database, name: str, shares: list[tuple[str, tuple[int, int], float]], *, published=True):
    """A neuron in a dataset of its own, anchored in the atlas "toy"."""
    neuron = replace(new_asset(name), kind=AssetKind.SKELETON, details={"length_um": 100.0})
    with UnitOfWork(database, LOCAL_OWNER) as work:
        dataset = create_dataset(work, replace(RECORD, title=f"dataset of {name}"))
        draft = open_draft(work, dataset.id)
        add_asset(work, draft.id, neuron, OBJECTS)
        if published:
            publish(work, draft.id)
        about = {"asset_id": neuron.id, "atlas": "toy"}
        work.session.execute(
            insert(anchor).values(
                **about, atlas_version="1", space="toy", certainty="measured", details={}, computed=datetime.now(UTC)
            )
        )
        for role, (region, position), value in shares:
            row = {"role": role, "region_id": region, "position": position, "value": value}
            work.session.execute(insert(anchor_region).values(**about, **row))
    return neuron


@pytest.fixture
def neurons(database: Database):
    to_thalamus = [("soma", LAYER_1, 1), ("length", LAYER_1, 40.0), ("length", THALAMUS, 60.0), ("end", THALAMUS, 3)]
    local = [("soma", CORTEX, 1), ("length", CORTEX, 100.0), ("end", LAYER_1, 5)]
    from_thalamus = [("soma", THALAMUS, 1), ("length", THALAMUS, 100.0), ("end", LAYER_1, 2)]
    return {
        "far": add_neuron(database, "far", to_thalamus),
        "local": add_neuron(database, "local", local),
        "back": add_neuron(database, "back", from_thalamus),
        "secret": add_neuron(database, "secret", to_thalamus, published=False),
    }


def names(database, actor=ANONYMOUS, **asked) -> list[str]:
    return [one.name for one in list_neurons(database, actor, "toy", **asked).items]


def test_a_neuron_tells_its_soma_its_lengths_and_its_ends(database, neurons):
    (far,) = [one for one in list_neurons(database, ANONYMOUS, "toy").items if one.name == "far"]
    assert far.soma == (11,)
    assert far.length_um == {11: 40.0, 20: 60.0}
    assert far.ends == {20: 3}
    assert (far.title, far.version, far.certainty) == ("dataset of far", 1, "measured")


def test_what_is_not_published_is_the_owners_alone(database, neurons):
    assert names(database) == ["far", "local", "back"]
    assert names(database, LOCAL_OWNER) == ["far", "local", "back", "secret"]


def test_neurons_are_asked_for_by_soma_and_end_with_all_below(database, neurons):
    assert names(database, soma=CORTEX_SPAN) == ["far", "local"]
    assert names(database, soma=CORTEX_SPAN, end=THALAMUS_SPAN) == ["far"]
    assert names(database, soma=THALAMUS_SPAN, end=CORTEX_SPAN) == ["back"]
    assert names(database, soma=(4, 4)) == ["far"]


def test_pages_follow_each_other_without_gaps(database, neurons):
    first = list_neurons(database, ANONYMOUS, "toy", limit=2)
    second = list_neurons(database, ANONYMOUS, "toy", limit=2, cursor=first.next_cursor)
    assert [one.name for one in (*first.items, *second.items)] == ["far", "local", "back"]
    assert second.next_cursor is None


def test_another_atlas_has_none_of_them(database, neurons):
    assert list_neurons(database, LOCAL_OWNER, "other").items == ()


def test_a_limit_that_can_not_be_is_refused(database):
    with pytest.raises(Invalid, match="limit"):
        list_neurons(database, LOCAL_OWNER, "toy", limit=0)
