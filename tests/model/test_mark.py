"""What a mark is, and what is none."""

import pytest

from pulvinar.errors import Invalid
from pulvinar.model.mark import Mark, MarkKind, check_mark_id, mark_from_json, mark_to_json

HERE = [1, 2.5, 3]


@pytest.mark.parametrize(
    "told",
    [
        {"kind": "point", "places_um": [HERE]},
        {"kind": "line", "places_um": [HERE, [4.0, 5.0, 6.0]], "color": "FF8800"},
        {"kind": "polyline", "places_um": [HERE] * 40, "text": "along the tract"},
        {"kind": "box", "places_um": [HERE, [9.0, 8.0, 7.0]]},
        {"kind": "note", "places_um": [HERE], "text": "海马体边界不清"},
        {"kind": "correction", "places_um": [HERE], "region": "allen_mouse:382"},
        {"kind": "verdict", "places_um": [HERE], "verdict": "reject"},
    ],
)
def test_a_mark_comes_back_as_it_was_written(told):
    mark = mark_from_json(told)
    assert mark_from_json(mark_to_json(mark)) == mark
    assert mark.kind == told["kind"]
    assert [list(one) for one in mark.places_um] == told["places_um"]


def test_a_colour_is_written_in_one_way():
    told = {"kind": "point", "places_um": [HERE], "color": "#ff8800"}
    assert mark_from_json(told) == Mark(MarkKind.POINT, ((1, 2.5, 3),), color="FF8800")


@pytest.mark.parametrize(
    "told",
    [
        None,
        [],
        {"kind": "circle", "places_um": [HERE]},
        {"kind": ["point"], "places_um": [HERE]},
        {"kind": "point"},
        {"kind": "point", "places_um": "abc"},
        {"kind": "point", "places_um": []},
        {"kind": "point", "places_um": [HERE, HERE]},
        {"kind": "point", "places_um": [[1, 2]]},
        {"kind": "point", "places_um": [[1, 2, "3"]]},
        {"kind": "point", "places_um": [[1, 2, True]]},
        {"kind": "point", "places_um": [[1, 2, float("nan")]]},
        {"kind": "point", "places_um": [[1, 2, float("inf")]]},
        {"kind": "point", "places_um": [[1, 2, 10**400]]},
        {"kind": "polyline", "places_um": [HERE] * 10_001},
        {"kind": "box", "places_um": [HERE, [1, 8, 7]]},
        {"kind": "note", "places_um": [HERE], "text": "  "},
        {"kind": "note", "places_um": [HERE], "text": "a" * 2001},
        {"kind": "point", "places_um": [HERE], "text": 5},
        {"kind": "point", "places_um": [HERE], "color": "red; background: url(x)"},
        {"kind": "point", "places_um": [HERE], "region": "allen_mouse:382"},
        {"kind": "correction", "places_um": [HERE]},
        {"kind": "correction", "places_um": [HERE], "region": "<script>"},
        {"kind": "verdict", "places_um": [HERE]},
        {"kind": "verdict", "places_um": [HERE], "verdict": "maybe"},
        {"kind": "point", "places_um": [HERE], "verdict": "accept"},
        {"kind": "point", "places_um": [HERE], "__proto__": {}},
    ],
)
def test_what_is_no_mark_is_refused(told):
    with pytest.raises(Invalid) as refused:
        mark_from_json(told)
    assert len(str(refused.value)) < 400


def test_letters_that_no_database_takes_are_left_out():
    mark = mark_from_json({"kind": "note", "places_um": [HERE], "text": "a\0b\ud800"})
    assert mark.text == "ab?"


@pytest.mark.parametrize("name", ["", "a" * 65, "a/b", "../x", "ä", 5, None])
def test_what_can_name_no_mark_is_refused(name):
    with pytest.raises(Invalid):
        check_mark_id(name)
