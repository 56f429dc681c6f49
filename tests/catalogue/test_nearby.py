"""A search near a place finds what a look at every place would, in whichever way it goes, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from unittest.mock import patch

import numpy as np
import pytest
from tests.catalogue.archive import OBJECTS, Archive, an_asset, record

from pulvinar.access.visibility import audience_of
from pulvinar.access.work import UnitOfWork
from pulvinar.atlases.installed import record_atlas
from pulvinar.catalogue import add_asset, create_dataset, nearby, open_draft, publish
from pulvinar.catalogue.asset_index import index_asset
from pulvinar.catalogue.blocks import Around, Ball, BoxFigure, Figure
from pulvinar.catalogue.boxes import BoxesNear, box_blocks
from pulvinar.catalogue.drafts import remove_asset
from pulvinar.catalogue.nearby import PlacesNear, walk_near
from pulvinar.catalogue.places import assets_in_box, place_blocks, set_places
from pulvinar.catalogue.sharing import set_tier, share
from pulvinar.catalogue.tables import asset_entry
from pulvinar.catalogue.wanted import Term
from pulvinar.errors import Invalid
from pulvinar.model.access import ANONYMOUS, LOCAL_OWNER, Actor, Right, Tier
from pulvinar.model.anchor import PlaceRole
from pulvinar.model.atlas import Atlas
from pulvinar.model.dataset import AssetKind
from pulvinar.model.ontology import Ontology
from pulvinar.model.record import Record, Species
from pulvinar.model.space import Points, Space
from pulvinar.storage.database import Database

MOUSE = Space("allen_ccfv3", "mouse", "PIR")
RAT = Space("rat", "mouse", "PIR")
ROWS = {"_FIRST": 2, "_LENGTH": 3, "_GROWTH": 2, "_LOOKING": 10**6, "_LISTING": 10**6}
WAYS = (
    {"_FIRST": 100},
    {"_MOST_BLOCKS": -1, "_FIRST": 2, "_MOST": 4},
    ROWS | {"_READING": dict.fromkeys((True, False), 0)},
    ROWS | {"_READING": dict.fromkeys((True, False), 10**6)},
    {"_FIRST": 2, "_LENGTH": 3, "_GROWTH": 2},
)


@pytest.fixture(params=WAYS, ids=["as it is", "looked at", "listed and read", "listed and walked", "mixed"])
def way(request: pytest.FixtureRequest) -> Iterator[None]:
    with patch.multiple(nearby, **request.param):
        yield


def put(archive: Archive, name: str, zyx_um: np.ndarray, role: PlaceRole = PlaceRole.NODE, **about: object) -> str:
    """An asset with places, of which the search knows."""
    _, asset_id = archive.add(name, **about)
    with archive.database.writing() as session:
        set_places(session, asset_id, MOUSE.name, {role: place_blocks(Points(MOUSE, zyx_um))})
    return asset_id


def put_box(archive: Archive, name: str, low: np.ndarray, high: np.ndarray, **about: object) -> str:
    """An asset without places in a box."""
    _, asset_id = archive.add(name, **about)
    with archive.database.writing() as session:
        blocks = {PlaceRole.BOX: box_blocks(MOUSE, (tuple(low.tolist()), tuple(high.tolist())))}
        set_places(session, asset_id, MOUSE.name, blocks)
    return asset_id


def add_atlas_of_places(database: Database) -> None:
    """An atlas whose space is that of the places."""
    with UnitOfWork(database, LOCAL_OWNER) as work:
        dataset = create_dataset(work, Record("Atlas", Species.MOUSE, "CC0-1.0"))
        draft = open_draft(work, dataset.id)
        add_asset(work, draft.id, an_asset("template"), OBJECTS)
        publish(work, draft.id)
        record_atlas(work.session, Atlas("toy", "1", "Toy", Species.MOUSE, MOUSE, "toy", "CC0", "none"), dataset.id)


def test_what_is_found_is_what_lies_there(archive: Archive, way: None) -> None:
    random = np.random.default_rng(3)
    clouds: dict[str, np.ndarray] = {}
    for number in range(40):
        center = random.uniform(2000, 8000, 3)
        whole = random.integers(0, 60, (30, 3)) * 200.0
        cloud = whole if number % 4 == 0 else center + random.normal(0, 400, (random.integers(1, 40), 3))
        name = f"cell {number} {'even' if number % 2 == 0 else 'odd'}"
        put(archive, name, cloud, (PlaceRole.NODE, PlaceRole.CELL)[number % 2])
        clouds[name] = cloud
    figures: list[Figure] = [
        Ball((5000, 5000, 5000), 300.0),
        Ball((5000, 5000, 5000), 2600.0),
        Ball((-900, 0, 0), 10.0),
        BoxFigure((2000, 2000, 2000), (4000, 6000, 4200)),
        Around(lambda zyx: np.abs(zyx - 4000).max(axis=1), 900.0),
        BoxFigure((-50_000, -50_000, -50_000), (50_000, 50_000, 50_000)),
    ]
    with archive.database.session() as session:
        numbers = {row.asset_id: row.number for row in session.execute(asset_entry.select())}
        named = {hit.asset.name: numbers[hit.asset.id] for hit in archive.page("cell", limit=200).items}
        for figure in figures:
            held = {name for name, cloud in clouds.items() if figure.holds(cloud).any()}
            both = {name for name in held if figures[1].holds(clouds[name]).any()}
            for word, limit, wanted, others in (
                ("cell", 50, held, ()),
                ("even", 50, {name for name in held if "even" in name}, ()),
                ("cell", 3, held, ()),
                ("cell", 50, both, figures[1:2]),
            ):
                near = [PlacesNear(session, [(MOUSE, one)]) for one in (figure, *others)]
                term = Term((word,))
                found = walk_near(session, term, near, None, limit)
                assert found == sorted((named[name] for name in wanted), reverse=True)[:limit], (figure, word)
                if found[1:]:
                    assert walk_near(session, term, near, found[0], 1) == found[1:2]
            either = PlacesNear(session, [(RAT, figure), (MOUSE, figure), (MOUSE, figures[0])])
            wanted = held | {name for name, cloud in clouds.items() if figures[0].holds(cloud).any()}
            found = walk_near(session, Term(("cell",)), [either], None, 50)
            assert found == sorted((named[name] for name in wanted), reverse=True)


def test_a_volume_is_found_where_its_box_is(archive: Archive, way: None) -> None:
    random = np.random.default_rng(4)
    boxes: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for number in range(30):
        low = random.uniform(-3000, 8000, 3)
        sides = random.uniform(0, 10.0 ** random.uniform(0, 4.3), 3)
        name = f"volume {number} {'even' if number % 2 == 0 else 'odd'}"
        put_box(archive, name, low, low + sides)
        boxes[name] = low, low + sides
    put_box(archive, "volume 99 flat even", np.full(3, 5000.0), np.full(3, 5000.0))
    boxes["volume 99 flat even"] = np.full(3, 5000.0), np.full(3, 5000.0)
    put(archive, "volume of cells", np.full((1, 3), 5000.0), PlaceRole.CELL)
    balls = [((5000.0, 5000, 5000), 300.0), ((5000, 5000, 5000), 2600.0), ((-900, 0, 0), 10.0), ((0, 0, 9000), 4000.0)]
    drawn = [((2000.0, 2000, 2000), (4000.0, 6000, 4200)), ((-50_000,) * 3, (50_000,) * 3), ((-2e3,) * 3, (0.0,) * 3)]
    expected: list[tuple[Figure, set[str]]] = []
    for center, radius in balls:
        gap = {name: np.maximum(np.maximum(a - center, center - b), 0) for name, (a, b) in boxes.items()}
        expected.append((Ball(center, radius), {name for name, one in gap.items() if np.linalg.norm(one) <= radius}))
    for start, stop in drawn:
        held = {name for name, (a, b) in boxes.items() if (b > start).all() and (a < stop).all()}
        expected.append((BoxFigure(start, stop), held))
    with archive.database.session() as session:
        numbers = {row.asset_id: row.number for row in session.execute(asset_entry.select())}
        named = {hit.asset.name: numbers[hit.asset.id] for hit in archive.page("volume", limit=200).items}
        for figure, held in expected:
            if figure.holds(np.full((1, 3), 5000.0))[0]:
                held = held | {"volume of cells"}
            for word, wanted in (("volume", held), ("even", {name for name in held if "even" in name})):
                near = [PlacesNear(session, [(MOUSE, figure)])]
                found = walk_near(session, Term((word,)), near, None, 50)
                assert found == sorted((named[name] for name in wanted), reverse=True), (figure, word)


def test_boxes_around_a_region_are_told_but_for_slivers() -> None:
    random = np.random.default_rng(5)
    low = random.uniform(0, 9000, (400, 3))
    high = low + random.uniform(1, 3000, (400, 3))
    center, radius = np.array([4000.0, 5000, 6000]), 1200.0
    around = Around(lambda zyx: np.maximum(np.linalg.norm(zyx - center, axis=1) - 500, 0), radius - 500)
    truth = Ball((4000.0, 5000.0, 6000.0), radius).meets(low, high)
    told = around.meets(low, high)
    assert not (told & ~truth).any()
    deep = Ball((4000.0, 5000.0, 6000.0), radius - 100).meets(low, high)
    assert told[deep].all()
    assert 20 < truth.sum() < 380

    def gap_um(low: np.ndarray, high: np.ndarray) -> np.ndarray:
        return np.maximum(np.linalg.norm(np.maximum(np.maximum(low - center, center - high), 0), axis=1) - 500, 0)

    measured = Around(around.distance_um, around.radius_um, gap_um)
    assert (measured.meets(low, high) == truth).all(), "where gaps are told exactly no sliver is missed"


@pytest.mark.parametrize("asked", ["kind:points", "soma:CA1", "end:root -kind:table"])
def test_boxes_are_not_looked_for_where_what_is_asked_for_has_places(
    archive: Archive, atlas: Ontology, asked: str
) -> None:
    add_atlas_of_places(archive.database)
    at = np.array([[5000.0, 5000, 5000]])
    put(archive, "cells", at, PlaceRole.CELL, kind=AssetKind.POINTS, regions=(("soma", 4), ("end", 7)))
    put_box(archive, "volume", at[0] - 100, at[0] + 3000)
    near = "within:50um of:(5000,5000,5000)@allen_ccfv3"
    assert archive.names(near) == ["volume", "cells"]
    assert archive.names(f"{near} kind:volume") == ["volume"]
    with patch.object(BoxesNear, "between", side_effect=AssertionError), patch.object(BoxesNear, "holding", None):
        assert archive.names(f"{near} {asked}") == ["cells"]


def test_a_search_near_a_place_keeps_to_rights_and_goes_on(archive: Archive, way: None) -> None:
    add_atlas_of_places(archive.database)
    at = np.array([[5000.0, 5000, 5000], [7000, 7000, 7000]])
    for number in range(5):
        put(archive, f"cell {number}", at)
    put(archive, "cell hidden", at, published=False)
    put(archive, "cell far", at + 3000)
    put(archive, "cell soma", at, PlaceRole.SOMA)
    put_box(archive, "cell volume hidden too", at[0] - 100, at[0] + 3000, published=False)
    asked = "within:50um of:(5000,5000,5000)@allen_ccfv3"
    shown = [f"cell {number}" for number in (4, 3, 2, 1, 0)]
    assert archive.names(f"cell {asked}", ANONYMOUS) == shown
    (why,) = {one for hit in archive.page(asked, ANONYMOUS).items for one in hit.why}
    assert (why.where, why.found) == ("place", asked)
    assert archive.names(asked, ANONYMOUS) == shown
    assert archive.names(asked) == ["cell volume hidden too", "cell hidden", *shown]
    assert archive.names(f"{asked} -hidden box:(6000,6000,6000)..(9000,9000,7001)@allen_ccfv3") == shown
    assert archive.names(f"{asked} nowhere") == []
    page = archive.page(f"cell {asked}", ANONYMOUS, limit=2, facets=True)
    assert (page.count, page.capped) == (5, False)
    seen = [hit.asset.name for hit in page.items]
    while page.next_cursor:
        page = archive.page(f"cell {asked}", ANONYMOUS, limit=2, cursor=page.next_cursor)
        seen += [hit.asset.name for hit in page.items]
    assert seen == shown


def test_places_that_come_before_or_outlive_the_search_have_its_numbers(archive: Archive) -> None:
    add_atlas_of_places(archive.database)
    places = {PlaceRole.NODE: place_blocks(Points(MOUSE, np.array([[5000.0, 5000, 5000]])))}
    asked = "within:50um of:(5000,5000,5000)@allen_ccfv3"
    with UnitOfWork(archive.database, LOCAL_OWNER) as work:
        draft = open_draft(work, create_dataset(work, record()).id)
        early = an_asset("early")
        add_asset(work, draft.id, early, OBJECTS)
        work.session.execute(asset_entry.delete().where(asset_entry.c.asset_id == early.id))
        set_places(work.session, early.id, MOUSE.name, places)
    assert archive.names(asked) == []
    with archive.database.writing() as session:
        index_asset(session, early.id)
    assert archive.names(asked) == ["early"]
    with UnitOfWork(archive.database, LOCAL_OWNER) as work:
        remove_asset(work, draft.id, early.id)
    assert archive.names(asked) == []
    archive.add("takes the number that is free")
    assert archive.names(asked) == []


def test_a_space_in_which_no_atlas_lies_is_refused(archive: Archive) -> None:
    with pytest.raises(Invalid, match="no atlas lies in a space 'nowhere'"):
        archive.names("within:50um of:(1,2,3)@nowhere")


def test_exact_places_are_for_who_may_read_them(archive: Archive, way: None) -> None:
    """Halving a box would tell where each node of a neuron lies to whoever may see no more than that it is there."""
    add_atlas_of_places(archive.database)
    here, query = np.full((1, 3), 5000.0), "box:(4900,4900,4900)..(5100,5100,5100)@allen_ccfv3"
    for number in range(6):
        asset_id = put(archive, f"cell {number}", here, kind=AssetKind.SKELETON)
        hit = next(one for one in archive.page("cell").items if one.asset.id == asset_id)
        if number % 2:
            with UnitOfWork(archive.database, LOCAL_OWNER) as work:
                set_tier(work, hit.dataset_id, Tier.CONTROLLED)
    guest = Actor("guest", "guest")
    for near in (query, "within:100um of:(5000,5000,5000)@allen_ccfv3", f"cell {query}"):
        assert archive.names(near, guest) == ["cell 4", "cell 2", "cell 0"]
        assert archive.names(near, guest, limit=2) == ["cell 4", "cell 2"]
        told = archive.page(near, guest, facets=True)
        assert told.count == 3
        assert [one.count for one in told.facets["kind"]] == [3]
    assert len(archive.names("cell", guest)) == 6, "that they are there may be known"
    counted = assets_in_box(archive.database, guest, MOUSE, ((4900.0,) * 3, (5100.0,) * 3), PlaceRole.NODE)
    assert (counted.assets, counted.places) == (3, 3)
    with UnitOfWork(archive.database, LOCAL_OWNER) as work:
        share(work, hit.dataset_id, audience_of(guest.id), Right.READ)
    assert archive.names(query, guest) == ["cell 5", "cell 4", "cell 2", "cell 0"]
    assert len(archive.names(query)) == 6
