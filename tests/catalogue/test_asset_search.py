"""One search over text, anatomy and rights, on both databases."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.catalogue.archive import FISH, HUMAN, MONKEY, OBJECTS, Archive, add_atlas, an_asset, record
from tests.catalogue.index_sizes import index_sizes

from pulvinar.access.visibility import EVERYONE, audience_of, hide
from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue import add_asset, open_draft, publish
from pulvinar.catalogue.asset_search import SearchTools
from pulvinar.catalogue.asset_tokens import day_number, number_tokens, resolution_number, span_tokens
from pulvinar.catalogue.drafts import remove_asset, set_record
from pulvinar.catalogue.hits import Why
from pulvinar.catalogue.query_nodes import (
    QueryError,
)
from pulvinar.catalogue.sharing import share, unshare
from pulvinar.errors import Invalid
from pulvinar.model.access import ANONYMOUS, LOCAL_OWNER, Actor, Right
from pulvinar.model.dataset import AssetKind
from pulvinar.model.ontology import Ontology
from pulvinar.model.record import Acquisition, Record, Species

GUEST = Actor("guest", "guest")


def test_assets_are_found_by_their_names_and_by_what_their_dataset_says(archive: Archive) -> None:
    archive.add("left brain", record("Whole mouse brain", description="Cleared with the apical dendrites labelled"))
    archive.add("neuron 17", record("小鼠海马神经元", keywords=("全脑",)), kind=AssetKind.SKELETON)
    assert archive.names("neuron") == ["neuron 17"]
    assert archive.names("海马神经") == ["neuron 17"]
    assert archive.names("海马 全脑") == ["neuron 17"]
    assert archive.names("cleared brain") == ["left brain"]
    assert archive.names('"apical dendrites"') == ["left brain"]
    assert archive.names('"dendrites apical"') == []
    assert archive.names("neur") == ["neuron 17"], "the beginning of a word"
    assert archive.names("brain -neuron") == ["left brain"]
    assert archive.names("-neuron") == ["left brain"]
    assert set(archive.names("neuron OR left")) == {"neuron 17", "left brain"}
    assert set(archive.names("")) == {"neuron 17", "left brain"}


def test_fields_choose_by_what_things_are(archive: Archive) -> None:
    fine = Acquisition(modality="light-sheet", stains=("GCaMP6s",), date="2021-03-04")
    archive.add("fine", record(acquisition=fine, lab="Institute of Neuroscience, Shanghai"), voxel_um=1.8)
    coarse = Acquisition(modality="MRI T1", date="2019", voxel_size_um=(25.0, 25.0, 25.0))
    archive.add("coarse", Record("x", Species.HUMAN, "CC0-1.0", acquisition=coarse), kind=AssetKind.POINTS)
    for query in (
        "species:mouse", "物种：小鼠", "modality:光片", "licence:CC-BY-4.0", "kind:volume", "has:volume",
        "-kind:points", "resolution:1um..2um",
        'lab:"institute of neuroscience"', "lab:shanghai", "resolution:<2um", "resolution:<=1.8um",
        "date:>2020", "date:2021", "date:2021-03", "date:2021-03-04", "date:2020..2022", "日期：>=2021",
        "species:mouse resolution:1.8um -date:2019",
    ):  # fmt: skip
        assert archive.names(query) == ["fine"], query
    for query in (
        "species:human",
        "resolution:>2um",
        "date:<2020",
        "kind:点云",
        "has:points",
        "date:2019",
        "-species:mouse",
    ):
        assert archive.names(query) == ["coarse"], query
    for query in ("resolution:<1.8um", "date:2021-03-05", "lab:neuroscience kind:mesh", 'lab:"neuroscience of"'):
        assert archive.names(query) == [], query


def test_a_region_holds_what_lies_below_it_and_says_so(archive: Archive, atlas: Ontology) -> None:
    archive.add("in CA1", regions=(("soma", 4), ("end", 7)), kind=AssetKind.SKELETON)
    archive.add("in the thalamus", regions=(("share", 6),))
    assert archive.names("region:hippocampal-region") == ["in CA1"]
    assert archive.names("脑区：海马") == ["in CA1"]
    assert set(archive.names("region:root")) == {"in CA1", "in the thalamus"}
    assert archive.names("soma:HIP end:TH") == ["in CA1"]
    assert archive.names("soma:TH") == []
    assert archive.names("region:TH -region:PUL") == ["in the thalamus"]
    assert archive.names("region:CA1 atlas:toy_2026") == ["in CA1"]
    (hit,) = archive.page("region:HPF").items
    assert hit.why == (Why("region", "HPF", "Field CA1", "海马CA1区"),)
    (hit,) = archive.page("end:丘脑").items
    assert hit.why == (Why("end", "丘脑", "Pulvinar", "丘脑枕"),)


def test_a_free_word_that_names_a_region_finds_what_lies_there(archive: Archive, atlas: Ontology) -> None:
    archive.add("one cell", regions=(("soma", 4),))
    archive.add("told", record("Cells of the hippocampal region"))
    assert set(archive.names('"hippocampal region"')) == {"one cell", "told"}
    why = {hit.asset.name: hit.why[0].where for hit in archive.page('"hippocampal region"').items}
    assert why == {"one cell": "region", "told": "title"}


@pytest.mark.parametrize(
    ("query", "at", "hint"),
    [
        ("brain region:hippocampel-region", 6, "Hippocampal region"),
        ("atlas:toi_2026 region:CA1", 0, "toy_2026"),
        ("soma:nowhere", 0, "tree of regions"),
    ],
)
def test_an_unknown_region_is_pointed_at_with_the_nearest(
    archive: Archive, atlas: Ontology, query: str, at: int, hint: str
) -> None:
    with pytest.raises(QueryError) as told:
        archive.page(query)
    assert told.value.at == at
    assert hint in told.value.hint


def test_exact_regions_and_titles_come_first_then_titles_then_what_is_newest(archive: Archive, atlas: Ontology) -> None:
    archive.add("whole", record("Thalamus"))
    archive.add("titled", record("The thalamus of a mouse"))
    archive.add("a", record(description="with the thalamus"))
    archive.add("b", record(description="without thalamus"))
    assert archive.names("thalamus") == ["whole", "titled", "b", "a"]
    archive.add("itself", regions=(("share", 3),))
    archive.add("below", regions=(("share", 4),))
    assert archive.names("region:HIP") == ["itself", "below"]
    assert archive.names("region:HIP OR region:TH") == ["below", "itself"], "of several none is the very one"


def test_pages_go_over_tiers_without_a_gap(archive: Archive) -> None:
    for number in range(4):
        archive.add(f"titled {number}", record("A cortex"))
        archive.add(f"told {number}", record(description="a cortex"))
    names, cursor = [], None
    while True:
        page = archive.page("cortex", limit=3, cursor=cursor)
        names += [hit.asset.name for hit in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
        assert len(page.items) == 3
    assert names == [f"{what} {number}" for what in ("titled", "told") for number in (3, 2, 1, 0)]
    for wrong in ("0.nobody", "x", f"9.{page.items[0].asset.id}"):
        with pytest.raises(Invalid, match="not a cursor"):
            archive.page("cortex", cursor=wrong)


def test_nobody_meets_what_is_hidden(archive: Archive, atlas: Ontology) -> None:
    dataset, _ = archive.add("secret neuron", record("Hidden"), published=False, regions=(("soma", 4),))
    archive.add("open neuron", record("Shown"), regions=(("soma", 4),))
    queries = ("neuron", "neur", "region:CA1", "kind:volume", "species:mouse", "-fish", "", "neuron OR region:CA1")
    for query in queries:
        assert "secret neuron" in archive.names(query), query
        for actor in (ANONYMOUS, GUEST):
            page = archive.page(query, actor, facets=True)
            assert "secret neuron" not in [hit.asset.name for hit in page.items]
            assert page.count == len(page.items)
            kinds = [value.count for value in page.facets["kind"]]
            assert kinds == [page.count], "facets count what is seen"
    with UnitOfWork(archive.database, LOCAL_OWNER) as work:
        share(work, dataset, audience_of(GUEST.id), Right.SEE)
    assert archive.names("neuron", GUEST) == ["open neuron"], "who sees the dataset alone sees no draft of it"
    with UnitOfWork(archive.database, LOCAL_OWNER) as work:
        share(work, dataset, audience_of(GUEST.id), Right.READ)
    assert sorted(archive.names("neuron", GUEST)) == ["open neuron", "secret neuron"]
    assert archive.names("neuron", ANONYMOUS) == ["open neuron"]


def test_who_is_given_a_published_dataset_that_not_everyone_sees_finds_it(archive: Archive) -> None:
    dataset, asset_id = archive.add("controlled", record("Controlled"))
    with UnitOfWork(archive.database, LOCAL_OWNER) as work:
        hide(work.session, dataset, EVERYONE)
        share(work, dataset, audience_of(GUEST.id))
    assert archive.names("controlled", GUEST) == ["controlled"]
    assert archive.names("-fish kind:volume", GUEST) == ["controlled"]
    assert archive.names("controlled", ANONYMOUS) == []
    assert archive.page("", ANONYMOUS, facets=True).count == 0
    with UnitOfWork(archive.database, LOCAL_OWNER) as work:
        unshare(work, dataset, audience_of(GUEST.id))
    assert archive.names("controlled", GUEST) == []
    with pytest.raises(Invalid, match="not a cursor"):
        archive.page("controlled", GUEST, cursor=f"0.{asset_id}")


def test_what_was_given_for_a_time_is_not_found_when_it_is_over(archive: Archive) -> None:
    now = datetime.now(UTC)
    dataset, _ = archive.add("controlled", record("Controlled"))
    with UnitOfWork(archive.database, LOCAL_OWNER) as work:
        hide(work.session, dataset, EVERYONE)
        share(work, dataset, audience_of(GUEST.id), ends=now + timedelta(hours=1))
    assert archive.names("controlled", GUEST) == ["controlled"]
    with patch("pulvinar.access.visibility.datetime") as clock:
        clock.now.return_value = now + timedelta(hours=2)
        assert archive.names("controlled", GUEST) == [], "what was asked before is asked of this moment"


def test_what_a_draft_adds_is_for_the_owner_until_it_is_published(archive: Archive) -> None:
    dataset, kept = archive.add("kept", record("First"))
    with UnitOfWork(archive.database, LOCAL_OWNER) as work:
        draft = open_draft(work, dataset)
        set_record(work, draft.id, record("Second"))
        added = an_asset("added", AssetKind.POINTS)
        add_asset(work, draft.id, added, OBJECTS)
    assert archive.names("first", ANONYMOUS) == ["kept"]
    assert archive.names("second OR kind:points OR has:points", ANONYMOUS) == []
    assert set(archive.names("second")) == {"kept", "added"}
    with UnitOfWork(archive.database, LOCAL_OWNER) as work:
        remove_asset(work, draft.id, kept)
    assert archive.names("", ANONYMOUS) == ["kept"], "the published version has it"
    with UnitOfWork(archive.database, LOCAL_OWNER) as work:
        publish(work, draft.id)
    assert archive.names("second", ANONYMOUS) == ["added"]
    assert archive.names("first OR kept", ANONYMOUS) == []


def test_what_is_removed_is_no_longer_found(archive: Archive) -> None:
    dataset, gone = archive.add("gone", published=False)
    with UnitOfWork(archive.database, LOCAL_OWNER) as work:
        draft = open_draft(work, dataset)
        add_asset(work, draft.id, an_asset("left"), OBJECTS)
        remove_asset(work, draft.id, gone)
    assert archive.names("") == ["left"]
    assert archive.page("", facets=True).count == 1


def test_facets_count_the_results_and_ask_on(archive: Archive, atlas: Ontology) -> None:
    archive.add("a", record(lab="North", acquisition=Acquisition("light-sheet", date="2020")), regions=(("share", 4),))
    archive.add("b", record(lab="North", acquisition=Acquisition("MRI T1", date="2021")), regions=(("share", 7),))
    archive.add("c", Record("A brain", Species.HUMAN, "CC0-1.0"), kind=AssetKind.MESH)
    page = archive.page('"a brain"', facets=True)
    assert [hit.asset.name for hit in page.items] == ["c", "b", "a"]
    assert (page.count, page.capped) == (3, False)
    counted = {name: {one.value: one.count for one in values} for name, values in page.facets.items()}
    assert counted["species"] == {"mouse": 2, "human": 1}
    assert counted["lab"] == {"North": 2}
    assert counted["year"] == {"2020": 1, "2021": 1}
    assert counted["kind"] == {"volume": 2, "mesh": 1}
    assert len(counted["region"]) == 2
    for values in page.facets.values():
        for one in values:
            assert archive.page(f'"a brain" {one.query}', facets=True).count == one.count, one
    with patch("pulvinar.catalogue.asset_search.COUNTED", 2):
        capped = archive.page('"a brain"', facets=True)
    assert (capped.count, capped.capped) == (2, True)


def test_a_place_needs_an_index_of_places_and_stands_beside_the_rest(archive: Archive) -> None:
    asked = "cell within:5um of:(1,2,3)@toy"
    with pytest.raises(QueryError, match="neither taken away"):
        archive.page(f"-{asked.removeprefix('cell ')}")
    with pytest.raises(QueryError, match="no index of places"):
        archive.page(asked, tools=SearchTools())


def test_a_walk_over_small_blocks_finds_the_same(archive: Archive) -> None:
    with index_sizes(small=True):
        for number in range(12):
            archive.add(f"cell {number} {'even' if number % 2 == 0 else 'odd'}")
        assert archive.names("even -4") == [f"cell {number} even" for number in (10, 8, 6, 2, 0)]
        assert archive.names("odd", limit=2) == ["cell 11 odd", "cell 9 odd"]
        assert len(archive.names('"1 odd" OR kind:volume')) == 12


@given(st.integers(0, 4**11 - 1), st.integers(0, 4**11), st.integers(0, 4**11))
def test_a_number_has_a_token_of_a_span_if_and_only_if_it_lies_in_it(value: int, least: int, below: int) -> None:
    span = span_tokens("d", least, below)
    assert len(set(number_tokens("d", value)) & set(span)) == (least <= value < below)
    assert len(span) <= 66


def test_days_and_lengths_fit_their_numbers() -> None:
    assert day_number(date.max) < 4**11
    assert resolution_number(1e12) == 4**15 - 1
    assert resolution_number(0.004) == 4


def test_a_name_means_a_region_in_each_atlas_that_has_one_by_this_or_a_common_name(
    archive: Archive, atlas: Ontology
) -> None:
    add_atlas(archive.database, "monkey_2026", MONKEY)
    add_atlas(archive.database, "human_2026", HUMAN)
    archive.add("mouse cell", regions=(("soma", 4),))
    monkey = Record("x", Species.MACAQUE, "CC0-1.0")
    archive.add("macaque cell", monkey, regions=(("soma", 2),), atlas="monkey_2026")
    archive.add("human scan", regions=(("share", 2),), atlas="human_2026")
    everywhere = {"mouse cell", "macaque cell", "human scan"}
    for query in ("region:hippocampus", "脑区：海马", "hippocampus", "region:海马体"):
        assert set(archive.names(query)) == everywhere, query
    assert archive.names("region:hippocampus species:macaque") == ["macaque cell"]
    assert archive.names("region:hippocampus atlas:human_2026") == ["human scan"]
    assert archive.names("soma:hippocampus species:macaque") == ["macaque cell"]


def test_homologues_are_looked_for_in_the_atlases_of_other_species(archive: Archive, atlas: Ontology) -> None:
    add_atlas(archive.database, "fish_2026", FISH)
    archive.add("mouse cell", regions=(("soma", 4),))
    archive.add("fish cell", regions=(("soma", 2),), atlas="fish_2026")
    tools = SearchTools(homologues=lambda tree, region: [("fish", "Pallium")] if region.acronym == "HIP" else [])
    assert archive.names("region:HIP") == ["mouse cell"]
    (fish,) = (hit for hit in archive.page("region:HIP homologues:yes", tools=tools).items if hit.asset.name[0] == "f")
    assert fish.why == (Why("region", "Pallium", "Pallium", "", homologue=True),)
    assert set(archive.names("region:HIP homologues:yes", tools=tools)) == {"mouse cell", "fish cell"}
    assert archive.names("region:HIP homologues:no", tools=tools) == ["mouse cell"]
    with pytest.raises(QueryError, match="no table of homologues"):
        archive.page("region:HIP homologues:yes", tools=SearchTools())
