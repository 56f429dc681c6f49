from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulvinar.errors import UnreadableFile
from pulvinar.ingest.atlas_packers.region_colors import telling_color
from pulvinar.ingest.atlas_packers.side_regions import Meaning, NamedLabel, read_meanings, side_tree, split_side
from pulvinar.model.ontology import Ontology

TABLES = ["aal", "desikan_killiany", "harvard_oxford", "hcpex", "juelich"]
ROWS = (
    Meaning("Precentral*", "PreCG", "Precentral gyrus", ("Cortex", "Frontal lobe")),
    Meaning("Vermis", "VER", "Vermis", ("Cerebellum",)),
    Meaning("*", "=", "=", ("Cortex",)),
)


@pytest.mark.parametrize(
    ("text", "core", "side"),
    [
        ("Left_Frontal_Pole", "Frontal_Pole", "left"),
        ("Right-Thalamus-Proper", "Thalamus-Proper", "right"),
        ("ctx-lh-insula", "insula", "left"),
        ("Precentral_R", "Precentral", "right"),
        ("GM_Superior_parietal_lobule_5L_L", "GM_Superior_parietal_lobule_5L", "left"),
        ("Brain-Stem", "Brain-Stem", ""),
        ("Vermis_10", "Vermis_10", ""),
    ],
)
def test_sides_are_read_off_names_as_each_source_writes_them(text, core, side):
    assert split_side(text) == (core, side)


def test_an_area_holds_its_sides_and_groups_hold_areas():
    labels = [NamedLabel(8, "Precentral_R"), NamedLabel(7, "Precentral_L"), NamedLabel(9, "Vermis")]
    tree = Ontology("made up", "1", side_tree("made up", labels, ROWS))
    area = tree.find("PreCG")
    assert [(one.id, one.side, one.acronym) for one in tree.children(area.id)] == [
        (7, "left", "PreCG_L"),
        (8, "right", "PreCG_R"),
    ]
    assert [one.name for one in tree.ancestors(7)] == ["Precentral gyrus", "Frontal lobe", "Cortex", "Brain"]
    assert tree.find("precentral_r").id == tree.find("right Precentral gyrus").id == 8
    assert tree.region(9).side == ""
    assert tree.region(9).parent == tree.find("Cerebellum").id
    assert tree.region(7).color == tree.region(8).color == area.color


def test_sides_that_a_source_spells_apart_are_one_area():
    named = [NamedLabel(1, "posterior_OFC_R"), NamedLabel(2, "Posterior_OFC_L")]
    named += [NamedLabel(3, "Precentral_Gyrus_L"), NamedLabel(4, "Precentral_Gyri_R")]
    regions = side_tree("made up", named, ROWS)
    parents = {region.id: region.parent for region in regions}
    assert parents[1] == parents[2] != parents[3] == parents[4]


def test_a_name_that_no_row_tells_of_is_named():
    with pytest.raises(UnreadableFile, match=r"'Elsewhere_L' \(5\)"):
        side_tree("made up", [NamedLabel(5, "Elsewhere_L")], ROWS[:2])


@pytest.mark.parametrize("table", TABLES)
def test_tables_tell_each_acronym_and_name_once(table):
    rows = read_meanings(table)
    for told in ("source", "acronym", "name"):
        values = [getattr(row, told) for row in rows if getattr(row, told) != "="]
        assert len(set(values)) == len(values)
    assert all(row.acronym and row.name for row in rows)


@given(st.integers(0, 500))
def test_colours_of_neighbours_are_told_apart(first):
    colors = [telling_color(number) for number in range(first, first + 200)]
    assert len(set(colors)) == 200
    for one, other in pairwise(colors):
        apart = sum(abs(int(one[at : at + 2], 16) - int(other[at : at + 2], 16)) for at in (0, 2, 4))
        assert apart > 100
