import numpy as np
import pytest

from pulvinar.atlases.displacement import ArrayField
from pulvinar.atlases.transform_graph import SpaceGraph
from pulvinar.atlases.transforms import apply
from pulvinar.errors import Conflict, NotFound, SpaceMismatch
from pulvinar.model.space import Points, Space
from pulvinar.model.transform import IDENTITY, AffineTransform, Composition, DisplacementTransform, FieldGrid

SPACES = {name: Space(name, "mouse", "SAR") for name in "abcdef"}


def step(ends, error, shift=1.0):
    """A transform from the first letter's space to the second's: `shift` along z."""
    matrix = ((1.0, 0.0, 0.0, shift), *IDENTITY[1:])
    return AffineTransform(SPACES[ends[0]], SPACES[ends[1]], matrix, error, ends)


def one_way(ends, error):
    field = ArrayField(FieldGrid((1, 1, 1), IDENTITY), np.zeros((3, 1, 1, 1), np.float32))
    return DisplacementTransform(SPACES[ends[0]], SPACES[ends[1]], field, expected_error_um=error, provenance=ends)


def way(path):
    return [part.provenance.removeprefix("inverse of: ") for part in getattr(path, "parts", (path,))]


def test_the_smallest_expected_error_wins_not_the_fewest_steps():
    graph = SpaceGraph([step("ac", 60.0), step("ab", 30.0), step("bc", 40.0)])
    path = graph.path("a", "c")
    assert way(path) == ["ab", "bc"]
    # 50, the root of 30² + 40²; the plain sum would have chosen the direct way
    assert path.expected_error_um == pytest.approx(50.0)


def test_an_unknown_error_is_worse_than_any_known_one():
    graph = SpaceGraph([step("ac", None), step("ab", 3e4), step("bc", 4e4)])
    assert way(graph.path("a", "c")) == ["ab", "bc"]
    assert graph.path("a", "c").expected_error_um == pytest.approx(5e4)
    lonely = SpaceGraph([step("ac", None), step("ab", 1.0), step("bc", None), step("cd", 1.0)])
    assert way(lonely.path("a", "d")) == ["ac", "cd"]
    assert lonely.path("a", "d").expected_error_um is None


def test_of_two_transforms_between_the_same_spaces_the_better_is_taken():
    assert way(SpaceGraph([step("ab", 9.0, 1), step("ab", 2.0, 5), step("ab", None)]).path("a", "b")) == ["ab"]
    points = Points(SPACES["a"], np.zeros((1, 3)))
    found = apply(SpaceGraph([step("ab", 9.0, 1), step("ab", 2.0, 5)]).path("a", "b"), points)
    assert found.zyx_um[0, 0] == 5


def test_points_go_there_and_back():
    graph = SpaceGraph([step("ab", 1.0, 10), step("cb", 1.0, 3)])
    points = Points(SPACES["a"], np.array([[1.0, 2.0, 3.0]]))
    there = apply(graph.path("a", SPACES["c"]), points)
    assert there.space == SPACES["c"]
    assert there.zyx_um.tolist() == [[8.0, 2.0, 3.0]]
    assert apply(graph.path(there.space, "a"), there).zyx_um.tolist() == points.zyx_um.tolist()


def test_a_step_says_which_transform_it_is_and_whether_it_is_turned_round():
    # the first and the last are equal: the one that was added first is taken
    graph = SpaceGraph([step("ab", 1.0), step("cb", 1.0), one_way("cd", 1.0), step("ab", 1.0)])
    assert [(one.origin, one.inverted) for one in graph.steps("a", "d")] == [(0, False), (1, True), (2, False)]
    assert [(one.origin, one.inverted) for one in graph.steps("c", "a")] == [(1, False), (0, True)]
    assert graph.steps("a", "a") == ()


def test_what_has_no_inverse_is_a_way_there_alone():
    graph = SpaceGraph([one_way("ab", 1.0), step("bc", 1.0)])
    assert way(graph.path("a", "c")) == ["ab", "bc"]
    with pytest.raises(NotFound, match="no transform leads from c to a") as caught:
        graph.path("c", "a")
    assert "can be brought to b; pulvinar transform add" in caught.value.hint
    assert [space.name for space in graph.reachable("a")] == ["b", "c"]


def test_a_composition_is_one_edge_and_its_parts_count_each():
    whole = Composition((step("ab", 3.0), step("bc", None)))
    graph = SpaceGraph([whole, step("ad", 100.0), step("dc", 100.0)])
    assert way(graph.path("a", "c")) == ["ad", "dc"]


def test_staying_where_one_is_costs_nothing():
    graph = SpaceGraph([step("ab", 1.0)])
    assert graph.path("a", "a").expected_error_um == 0
    elsewhere = Space("elsewhere", "mouse")
    still = apply(SpaceGraph().path(elsewhere, elsewhere), Points(elsewhere, np.ones((1, 3))))
    assert still.zyx_um.tolist() == [[1, 1, 1]]


def test_a_space_that_is_not_there_is_named_with_those_that_are():
    graph = SpaceGraph([step("ab", 1.0)])
    with pytest.raises(NotFound, match="no transform is from or to z") as caught:
        graph.path("z", "a")
    assert caught.value.hint.startswith("spaces with transforms: a, b; pulvinar transform add")
    with pytest.raises(NotFound, match="no transform leads from a to z") as caught:
        graph.path("a", "z")
    assert "from a points can be brought to b; pulvinar transform add" in caught.value.hint


def test_two_spaces_of_one_name_do_not_mix():
    graph = SpaceGraph([step("ab", 1.0)])
    other = Space("b", "mouse", "PIR")
    with pytest.raises(Conflict, match="two spaces named b"):
        graph.add(AffineTransform(other, SPACES["c"], IDENTITY))
    with pytest.raises(NotFound, match="no transform is from or to c"):
        graph.path("c", "a")
    with pytest.raises(SpaceMismatch, match="of the same name"):
        graph.path(other, "a")
    with pytest.raises(SpaceMismatch, match="of the same name"):
        graph.path("a", other)


def test_a_long_chain_beats_a_bad_shortcut_wherever_it_lies():
    graph = SpaceGraph(
        [step("ab", 1.0), step("bc", 1.0), step("cd", 1.0), step("de", 1.0), step("be", 9.0), step("ef", 1.0)]
    )
    assert way(graph.path("a", "f")) == ["ab", "bc", "cd", "de", "ef"]
    assert way(graph.path("f", "a")) == ["ef", "de", "cd", "bc", "ab"]
