"""Which assets lie in a region: for each actor only what they may see, on both databases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from tests.atlases.toy import ONTOLOGY
from tests.catalogue.conftest import OBJECTS, RECORD, new_asset

from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue import add_asset, create_dataset, open_draft, publish
from pulvinar.catalogue.anchors import (
    InRegion,
    anchors_of,
    assets_in_region,
    assets_with,
    remove_anchor,
    set_anchor,
    totals_in_region,
    types_in_region,
)
from pulvinar.catalogue.blocks import Ball
from pulvinar.catalogue.places import assets_within, place_blocks
from pulvinar.errors import Invalid
from pulvinar.model.access import ANONYMOUS, LOCAL_OWNER
from pulvinar.model.anchor import Anchor, Certainty, PlaceRole, Role, typed_count
from pulvinar.model.space import Points, Space
from pulvinar.storage.database import Database

SPACE = Space("toy", "mouse", "PIR")
CORTEX, LAYER_1, LAYER_2, THALAMUS, FIBER = 10, 11, 12, 614454277, 20
ANCHOR = Anchor(
    "toy",
    "1",
    "toy",
    Certainty.STATED,
    ((0.0, 1.0, 2.0), (10.0, 11.0, 12.0)),
    21.6,
    {Role.SOMA: {LAYER_1: 1.0}, Role.LENGTH: {LAYER_1: 30.5, THALAMUS: 12.25}},
    {"outside": {"length": 3.0}},
)


def anchored(database: Database, shares: Mapping[str, Mapping[int, float]], *, published: bool = True, atlas="toy"):
    """An asset of a dataset of its own with these values."""
    asset = new_asset()
    with UnitOfWork(database, LOCAL_OWNER) as work:
        draft = open_draft(work, create_dataset(work, RECORD).id)
        add_asset(work, draft.id, asset, OBJECTS)
        put(work.session, asset.id, replace(ANCHOR, atlas=atlas, shares=shares))
        if published:
            publish(work, draft.id)
    return asset.id


def put(session, asset_id: str, anchor: Anchor, blocks=None):
    positions = {region.id: at for at, region in enumerate(ONTOLOGY.regions)}
    set_anchor(session, asset_id, anchor, positions, blocks or {})


def ids(page):
    return {one.asset_id for one in page.items}


def test_an_anchor_is_read_as_it_was_written(database: Database):
    asset_id = anchored(database, ANCHOR.shares)
    assert anchors_of(database, ANONYMOUS, [asset_id, "no-such"]) == {asset_id: (ANCHOR,)}
    named = Anchor("toy", "2", "toy", Certainty.NAME, shares={Role.NAMED: {CORTEX: 1.0}})
    with database.writing() as session:
        put(session, asset_id, named)
        put(session, asset_id, replace(ANCHOR, atlas="another"))
    assert anchors_of(database, ANONYMOUS, [asset_id]) == {asset_id: (replace(ANCHOR, atlas="another"), named)}


def test_a_region_has_what_lies_in_it_and_in_all_below_it(database: Database):
    soma = anchored(database, {Role.SOMA: {LAYER_1: 1}, Role.END: {THALAMUS: 4, FIBER: 1}})
    volume = anchored(database, {Role.SHARE: {LAYER_1: 0.25, LAYER_2: 0.5}})
    anchored(database, {Role.SOMA: {LAYER_1: 1}}, atlas="another")
    cortex, grey = ONTOLOGY.span(CORTEX), ONTOLOGY.span(8)
    page = assets_in_region(database, ANONYMOUS, "toy", [cortex])
    assert {one.asset_id: one.values for one in page.items} == {soma: ({"soma": 1.0},), volume: ({"share": 0.75},)}
    assert ids(assets_in_region(database, ANONYMOUS, "toy", [cortex], roles=[Role.SOMA])) == {soma}
    assert ids(assets_in_region(database, ANONYMOUS, "toy", [ONTOLOGY.span(FIBER)])) == {soma}
    # spans that lie in each other count once
    page = assets_in_region(database, ANONYMOUS, "toy", [cortex, grey, ONTOLOGY.span(LAYER_2)], roles=[Role.SHARE])
    assert page.items[0].values == ({"share": 0.75},)
    totals = totals_in_region(database, ANONYMOUS, "toy", [grey])
    assert (totals.assets, totals.values) == (2, {"soma": 1.0, "end": 4.0, "share": 0.75})


def test_a_soma_here_and_an_end_there(database: Database):
    both = anchored(database, {Role.SOMA: {LAYER_1: 1}, Role.END: {THALAMUS: 4}})
    anchored(database, {Role.SOMA: {LAYER_1: 1}, Role.END: {FIBER: 4}})
    anchored(database, {Role.SOMA: {THALAMUS: 1}, Role.END: {THALAMUS: 4}})
    wanted = [
        InRegion((ONTOLOGY.span(CORTEX),), (Role.SOMA,)),
        InRegion((ONTOLOGY.span(THALAMUS),), (Role.END,)),
    ]
    page = assets_with(database, ANONYMOUS, "toy", wanted)
    assert [(one.asset_id, one.values) for one in page.items] == [(both, ({"soma": 1.0}, {"end": 4.0}))]


def test_what_an_actor_may_not_see_does_not_exist(database: Database):
    shares = {Role.COUNT: {LAYER_1: 5}, typed_count("Neuron"): {LAYER_1: 3}}
    shown, draft = anchored(database, shares), anchored(database, shares, published=False)
    span = [ONTOLOGY.span(CORTEX)]
    assert ids(assets_in_region(database, LOCAL_OWNER, "toy", span)) == {shown, draft}
    assert ids(assets_in_region(database, ANONYMOUS, "toy", span)) == {shown}
    assert totals_in_region(database, LOCAL_OWNER, "toy", span).values == {"count": 10.0}
    assert totals_in_region(database, ANONYMOUS, "toy", span).values == {"count": 5.0}
    assert types_in_region(database, LOCAL_OWNER, "toy", span) == {"Neuron": 6.0}
    assert types_in_region(database, ANONYMOUS, "toy", span) == {"Neuron": 3.0}
    assert set(anchors_of(database, ANONYMOUS, [shown, draft])) == {shown}
    wanted = [InRegion(tuple(span), (Role.COUNT,))] * 2
    assert ids(assets_with(database, ANONYMOUS, "toy", wanted)) == {shown}


def test_cells_of_one_type_in_a_region(database: Database):
    one = anchored(
        database,
        {
            Role.COUNT: {LAYER_1: 5, THALAMUS: 9},
            typed_count("Astrocyte"): {LAYER_1: 2},
            typed_count("少突胶质细胞"): {LAYER_1: 3, THALAMUS: 9},
        },
    )
    cortex, grey = [ONTOLOGY.span(CORTEX)], [ONTOLOGY.span(8)]
    assert types_in_region(database, ANONYMOUS, "toy", grey) == {"少突胶质细胞": 12.0, "Astrocyte": 2.0}
    page = assets_in_region(database, ANONYMOUS, "toy", cortex, roles=[typed_count("少突胶质细胞")])
    assert page.items[0].asset_id == one
    assert page.items[0].values == ({"count:少突胶质细胞": 3.0},)


def test_pages_follow_each_other(database: Database):
    made = sorted(anchored(database, {Role.SOMA: {LAYER_1: 1}, Role.END: {LAYER_2: 1}}) for _ in range(5))
    seen, cursor = [], ""
    while cursor is not None:
        page = assets_in_region(database, ANONYMOUS, "toy", [ONTOLOGY.span(CORTEX)], cursor=cursor, limit=2)
        seen += [one.asset_id for one in page.items]
        cursor = page.next_cursor
    assert seen == made
    with pytest.raises(Invalid, match="limit is 501"):
        assets_in_region(database, ANONYMOUS, "toy", [(0, 1)], limit=501)
    with pytest.raises(Invalid, match="no region"):
        assets_in_region(database, ANONYMOUS, "toy", [])


def test_places_go_with_the_last_anchor_that_needs_them(database: Database):
    asset_id = anchored(database, {})
    places = {PlaceRole.SOMA: place_blocks(Points(SPACE, np.array([[5.0, 5, 5]])))}

    def found() -> int:
        return assets_within(database, LOCAL_OWNER, SPACE, Ball((5, 5, 5), 1), PlaceRole.SOMA).places

    with database.writing() as session:
        for atlas in ("toy", "another"):
            put(session, asset_id, replace(ANCHOR, atlas=atlas), places)
    assert found() == 1
    with database.writing() as session:
        remove_anchor(session, asset_id, "toy")
    assert found() == 1
    with database.writing() as session:
        put(session, asset_id, Anchor("another", "1", "toy", Certainty.NAME))
    assert found() == 0
