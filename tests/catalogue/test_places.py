"""The index of places answers as a look at every place would, on both databases."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.catalogue.conftest import OBJECTS, RECORD, new_asset

from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue import add_asset, create_dataset, open_draft, publish
from pulvinar.catalogue.anchors import remove_anchor
from pulvinar.catalogue.blocks import Ball, BoxFigure, block_codes, block_corners, block_side_um, cover
from pulvinar.catalogue.places import assets_in_box, assets_within, place_blocks, set_places
from pulvinar.errors import Invalid
from pulvinar.model.access import ANONYMOUS, LOCAL_OWNER
from pulvinar.model.anchor import PlaceRole
from pulvinar.model.space import Points, Space
from pulvinar.storage.database import Database

MOUSE = Space("allen_ccfv3", "mouse", "PIR")
FISH = Space("zbrain", "zebrafish")
coordinate = st.floats(-1e5, 1e5, allow_nan=False, width=32)
place = st.tuples(coordinate, coordinate, coordinate)


def add_places(database: Database, space: Space, zyx_um: np.ndarray, role: PlaceRole, *, published: bool = True) -> str:
    """An asset in a dataset of its own, with places."""
    asset = new_asset()
    with UnitOfWork(database, LOCAL_OWNER) as work:
        draft = open_draft(work, create_dataset(work, RECORD).id)
        add_asset(work, draft.id, asset, OBJECTS)
        if published:
            publish(work, draft.id)
        set_places(work.session, asset.id, space.name, {role: place_blocks(Points(space, zyx_um))})
    return asset.id


def within(database: Database, figure, role=PlaceRole.SOMA, *, actor=LOCAL_OWNER, space=MOUSE) -> dict[str, int]:
    page = assets_within(database, actor, space, figure, role, limit=500)
    assert page.next_cursor is None
    assert (page.assets, page.places) == (len(page.items), sum(count for _, count in page.items))
    return dict(page.items)


@given(st.lists(place, min_size=1, max_size=30))
def test_a_place_lies_in_the_block_that_has_its_number(places):
    points = Points(FISH, np.array(places))
    corners = block_corners(FISH, block_codes(points))
    assert ((corners <= points.zyx_um) & (points.zyx_um < corners + block_side_um(FISH))).all()


@settings(max_examples=60, deadline=None)
@given(
    figure=st.one_of(
        st.builds(Ball, place, st.floats(0, 3e4)),
        st.builds(
            lambda a, b: BoxFigure(a, tuple(x + y for x, y in zip(a, b, strict=True))),
            place,
            st.tuples(*[st.floats(1, 3e4)] * 3),
        ),
    ),
    seed=st.integers(0, 99),
)
def test_a_cover_says_of_each_block_what_a_look_at_it_says(figure, seed):
    found = cover(MOUSE, figure)
    near = figure.center_um if isinstance(figure, Ball) else figure.start_um
    random = np.random.default_rng(seed)
    spread = 10.0 ** random.uniform(0, 5, 3000)[:, None]
    zyx = np.clip(near + spread * random.standard_normal((3000, 3)), -9e7, 9e7)
    codes = block_codes(Points(MOUSE, zyx))

    def among(ranges: np.ndarray) -> np.ndarray:
        assert (ranges[1:, 0] > ranges[:-1, 1]).all()
        at = np.searchsorted(ranges[:, 0], codes, "right") - 1
        return (at >= 0) & (codes <= ranges[np.maximum(at, 0), 1]) if len(ranges) else np.zeros(len(codes), bool)

    inside, cut, held = among(found.inside), among(found.cut), figure.holds(zyx)
    assert held[inside].all()
    assert not held[~inside & ~cut].any()
    assert not (inside & cut).any()
    assert len(found.inside) + len(found.cut) < 20_000


def test_counts_are_those_of_a_look_at_every_place(database: Database):
    random = np.random.default_rng(1)
    # whole numbers too, so that places lie on the surfaces of boxes and of blocks
    clouds = [
        random.uniform(0, 12000, (400, 3)),
        random.integers(0, 400, (400, 3)) * 25.0,
        5000 + 300 * random.standard_normal((900, 3)),
    ]
    ids = [add_places(database, MOUSE, cloud, PlaceRole.SOMA) for cloud in clouds]
    figures = [
        Ball((5000, 5000, 5000), 350.0),
        Ball((4000, 6000, 5000), 2600.0),
        Ball((5000, 5000, 5000), 0.0),
        Ball((6000, 6000, 6000), 50_000.0),
        BoxFigure((400, 400, 400), (2000, 5000, 10_000)),
        BoxFigure((425, 4975, 4990), (5025, 5013, 9000)),
        BoxFigure((-9000, -9000, -9000), (-1, -1, -1)),
    ]
    for figure in figures:
        slow = {
            one: sum(bool(figure.holds(at[None])[0]) for at in cloud) for one, cloud in zip(ids, clouds, strict=True)
        }
        assert within(database, figure) == {one: count for one, count in slow.items() if count}
    box = assets_in_box(database, LOCAL_OWNER, MOUSE, ((0, 0, 0), (12001, 12001, 12001)), PlaceRole.SOMA)
    assert (box.assets, box.places) == (3, 1700)


def test_roles_and_spaces_are_kept_apart_and_drafts_are_not_there_for_others(database: Database):
    at = np.array([[100.0, 100, 100]])
    shown = add_places(database, MOUSE, at, PlaceRole.SOMA)
    draft = add_places(database, MOUSE, at, PlaceRole.SOMA, published=False)
    add_places(database, MOUSE, at, PlaceRole.END)
    add_places(database, Space("other", "mouse"), at, PlaceRole.SOMA)
    ball = Ball((100, 100, 110), 20)
    assert within(database, ball) == {shown: 1, draft: 1}
    assert within(database, ball, actor=ANONYMOUS) == {shown: 1}
    assert within(database, Ball((100, 100, 5000), 20)) == {}
    with database.writing() as session:
        remove_anchor(session, shown, "any")
    assert within(database, ball) == {draft: 1}


def test_pages_follow_each_other(database: Database):
    at = np.array([[100.0, 100, 100], [101, 101, 101]])
    ids = sorted(add_places(database, MOUSE, at, PlaceRole.CELL) for _ in range(5))
    ask: Callable[..., object] = assets_within
    seen, cursor = [], ""
    while cursor is not None:
        page = ask(database, LOCAL_OWNER, MOUSE, Ball((100, 100, 100), 9), PlaceRole.CELL, cursor=cursor, limit=2)
        assert (page.assets, page.places) == (5, 10)
        seen += [one for one, _ in page.items]
        cursor = page.next_cursor
    assert seen == ids
    with pytest.raises(Invalid, match="limit is 0"):
        ask(database, LOCAL_OWNER, MOUSE, Ball((0, 0, 0), 9), PlaceRole.CELL, limit=0)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e12])
def test_a_place_that_can_not_be_is_refused(bad):
    with pytest.raises(Invalid, match="too far away"):
        place_blocks(Points(MOUSE, np.array([[0.0, bad, 0.0]])))


def test_figures_that_can_not_be_are_refused():
    with pytest.raises(Invalid, match="is empty"):
        BoxFigure((0, 0, 0), (1, 1, 0))
    with pytest.raises(Invalid, match="no ball"):
        Ball((0, 0, 0), -1)
