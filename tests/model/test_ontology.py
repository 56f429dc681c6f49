import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulvinar.errors import Invalid, NotFound
from pulvinar.model.ontology import NameState, Ontology, Region, ontology_from_json, ontology_to_json


def region(id_: int, parent: int | None = None, **said) -> Region:
    return Region("toy", id_, said.pop("acronym", f"R{id_}"), said.pop("name", f"region {id_}"), parent, **said)


BRAIN = Ontology(
    "toy",
    "1",
    (
        region(1, name="brain", acronym="BR", name_zh="脑"),
        region(5, 1, name="Hippocampal formation", acronym="HPF", name_zh="海马结构"),
        region(7, 5, name="Field CA1", acronym="CA1", synonyms=("cornu ammonis 1",)),
        region(6, 5, name="Dentate gyrus", acronym="DG", name_zh="齿状回", name_zh_state=NameState.PROPOSED),
        region(9, 1, name="Thalamus", acronym="TH", name_zh="丘脑"),
        region(10, 9, name="field CA1 look-alike", acronym="ca1"),
    ),
)


@st.composite
def trees(draw: st.DrawFn) -> list[Region]:
    """A forest, its regions in any order."""
    count = draw(st.integers(1, 30))
    parents = [None if i == 0 else draw(st.one_of(st.none(), st.integers(0, i - 1))) for i in range(count)]
    return draw(st.permutations([region(i, parent) for i, parent in enumerate(parents)]))


@given(trees())
def test_a_span_is_a_region_and_all_below_it_and_nothing_else(regions: list[Region]):
    tree = Ontology("toy", "1", tuple(regions))
    parent = {one.id: one.parent for one in regions}

    def below(one: int | None, top: int) -> bool:
        while one is not None:
            if one == top:
                return True
            one = parent[one]
        return False

    for top in parent:
        first, last = tree.span(top)
        assert {one.id for one in tree.regions[first : last + 1]} == {one for one in parent if below(one, top)}
        assert tree.ancestors(top, itself=True)[0].id == top
        assert all(top in {one.id for one in tree.descendants(up.id)} for up in tree.ancestors(top))


@given(trees())
def test_a_tree_is_read_back_as_it_was_written(regions: list[Region]):
    tree = Ontology("toy", "1", tuple(regions))
    again = ontology_from_json(ontology_to_json(tree))
    assert again == tree
    assert [again.position(one.id) for one in regions] == [tree.position(one.id) for one in regions]


def test_a_cycle_is_refused_and_named():
    with pytest.raises(Invalid, match=r"cycle.*2|cycle.*3"):
        Ontology("toy", "1", (region(1), region(2, 3), region(3, 2)))


def test_an_unknown_parent_and_an_identifier_given_twice_are_refused():
    with pytest.raises(Invalid, match="unknown parent 4"):
        Ontology("toy", "1", (region(1), region(2, 4)))
    with pytest.raises(Invalid, match="two regions 2"):
        Ontology("toy", "1", (region(2), region(2)))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("HPF", 5),
        ("海马结构", 5),
        ("hippocampal formation", 5),
        ("Hippocampal-Formation", 5),
        ("7", 7),
        ("CA1", 7),
        ("ca1", 10),
        ("Cornu Ammonis 1", 7),
        (" TH ", 9),
    ],
)
def test_a_region_is_found_by_any_of_its_names(text: str, found: int):
    assert BRAIN.find(text).id == found


def test_a_slip_of_the_pen_is_answered_with_what_is_near():
    with pytest.raises(NotFound) as caught:
        BRAIN.find("Hipocampal formation")
    assert "Hippocampal formation" in caught.value.hint


def test_search_puts_the_exact_name_first_and_finds_parts_of_names_in_both_languages():
    assert [one.id for one in BRAIN.search("ca1")] == [7, 10]
    assert [one.id for one in BRAIN.search("齿状")] == [6]
    assert [one.id for one in BRAIN.search("formation hippocampal")] == [5]
    assert BRAIN.search("") == ()


def test_names_in_a_language_fall_back_to_english():
    assert (BRAIN.find("TH").label("zh"), BRAIN.find("CA1").label("zh")) == ("丘脑", "Field CA1")
