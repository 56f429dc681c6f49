"""Marks as files: they come back as they went, other programs' are understood, and hostile ones are refused."""

import csv
import io
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulvinar.documents.formats import MarkFormat, corrections_csv, read_marks_file, write_marks
from pulvinar.errors import Invalid, UnitMissing
from pulvinar.model.mark import Mark, MarkKind

DIMENSIONS = '{"dimensions": {"x": [1, "m"], "y": [1, "m"], "z": [1, "m"]}, "layers": [{"annotations": '
UM = st.floats(-1e6, 1e6, allow_nan=False)
PLACE = st.tuples(UM, UM, UM)
TEXT = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=30)
MARKS = st.dictionaries(
    st.from_regex(r"[A-Za-z0-9_-]{1,12}", fullmatch=True),
    st.one_of(
        st.builds(
            lambda at, text, color: Mark(MarkKind.POINT, (at,), text, color),
            PLACE,
            TEXT,
            st.sampled_from(["", "FF8800"]),
        ),
        st.builds(lambda at, text: Mark(MarkKind.NOTE, (at,), f"!{text}"), PLACE, TEXT),
        st.builds(lambda places: Mark(MarkKind.POLYLINE, tuple(places)), st.lists(PLACE, min_size=2, max_size=9)),
        st.builds(lambda at: Mark(MarkKind.BOX, (at, tuple(one + 5e6 for one in at))), PLACE),
        st.builds(lambda at: Mark(MarkKind.CORRECTION, (at,), region="allen_mouse:382"), PLACE),
        st.builds(
            lambda at, said: Mark(MarkKind.VERDICT, (at,), verdict=said),
            PLACE,
            st.sampled_from(["accept", "reject", "add"]),
        ),
    ),
    min_size=1,
    max_size=6,
)


@given(marks=MARKS, form=st.sampled_from([MarkFormat.JSON, MarkFormat.CSV]))
def test_marks_come_back_as_they_went(marks, form):
    assert read_marks_file(write_marks(marks, form, "some").text, form) == marks


def test_a_table_holds_nothing_that_a_spreadsheet_computes():
    marks = {"-a": Mark(MarkKind.NOTE, ((1.0, 2.0, 3.0),), text="=HYPERLINK(0)")}
    cells = next(csv.DictReader(io.StringIO(write_marks(marks, MarkFormat.CSV).text)))
    assert (cells["mark"], cells["text"]) == ("'-a", "'=HYPERLINK(0)")
    assert read_marks_file(write_marks(marks, MarkFormat.CSV).text, MarkFormat.CSV) == marks


def test_a_plain_table_of_places_is_points():
    found = read_marks_file("x_um,y_um,z_um\n1,2,3\n4,5,6\n", MarkFormat.CSV)
    assert [one.places_um for one in found.values()] == [((3, 2, 1),), ((6, 5, 4),)]
    assert {one.kind for one in found.values()} == {MarkKind.POINT}


def test_what_neuroglancer_wrote_is_read_in_its_units():
    state = {
        "dimensions": {"x": [4e-9, "m"], "y": [4e-9, "m"], "z": [40e-9, "m"], "t": [1, "s"]},
        "layers": [
            {"type": "image", "source": "precomputed://gs://somewhere"},
            {
                "type": "annotation",
                "annotationColor": "#00ff00",
                "source": {"url": "local://annotations"},
                "annotations": [
                    {"type": "point", "id": "p", "point": [1000, 500, 100, 0]},
                    {"type": "point", "id": "n", "point": [0, 0, 0, 0], "description": "a synapse"},
                    {"type": "line", "id": "l", "pointA": [0, 0, 0, 0], "pointB": [250, 0, 0, 0]},
                    {
                        "type": "axis_aligned_bounding_box",
                        "id": "b",
                        "pointA": [0, 0, 0, 0],
                        "pointB": [250, 250, 25, 0],
                    },
                    {"type": "ellipsoid", "id": "e", "center": [250, 250, 25, 0], "radii": [250, 250, 25, 0]},
                ],
            },
        ],
    }
    found = read_marks_file(json.dumps(state), MarkFormat.NEUROGLANCER)
    np.testing.assert_allclose(found["p"].places_um, [(4, 2, 4)])
    assert found["n"].kind is MarkKind.NOTE
    assert found["n"].text == "a synapse"
    np.testing.assert_allclose(found["l"].places_um, [(0, 0, 0), (0, 0, 1)])
    np.testing.assert_allclose(found["b"].places_um, [(0, 0, 0), (1, 1, 1)])
    np.testing.assert_allclose(found["e"].places_um, [(0, 0, 0), (2, 2, 2)])
    assert found["p"].color == "00FF00"


def test_what_goes_to_neuroglancer_comes_back():
    marks = {
        "p": Mark(MarkKind.POINT, ((1.0, 2.0, 3.0),)),
        "n": Mark(MarkKind.NOTE, ((1.0, 2.0, 3.0),), text="here"),
        "l": Mark(MarkKind.LINE, ((1.0, 2.0, 3.0), (4.0, 5.0, 6.0))),
        "b": Mark(MarkKind.BOX, ((1.0, 2.0, 3.0), (4.0, 5.0, 6.0))),
        "o": Mark(MarkKind.POLYLINE, ((1.0, 2.0, 3.0), (4.0, 5.0, 6.0), (7.0, 8.0, 9.5))),
    }
    told = json.loads(write_marks(marks, MarkFormat.NEUROGLANCER).text)
    assert told["layers"][0]["annotations"][0]["point"] == [3, 2, 1]
    back = read_marks_file(json.dumps(told), MarkFormat.NEUROGLANCER)
    for name, mark in marks.items():
        assert back[name].kind is mark.kind
        np.testing.assert_allclose(back[name].places_um, mark.places_um)


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("json", ""),
        ("json", "[" * 100_000),
        ("json", "9" * 10_000),
        ("json", '{"format": "pulvinar-marks", "version": 2, "marks": []}'),
        ("json", '{"format": "pulvinar-marks", "version": 1, "marks": []}'),
        ("json", '{"format": "pulvinar-marks", "version": 1, "marks": [5]}'),
        (
            "json",
            '{"format": "pulvinar-marks", "version": 1, "marks": [{"id": "../a", "kind": "point"}]}',
        ),
        ("json", '{"format": "pulvinar-marks", "version": 1, "marks": [{"kind": "point", "places_um": [[1,2,NaN]]}]}'),
        ("csv", ""),
        ("csv", "a,b\n1,2\n"),
        ("csv", "z_um,y_um,x_um\n1,2,three\n"),
        ("csv", "z_um,y_um,x_um\n1,2\n"),
        ("csv", 'z_um,y_um,x_um\n1,2,"3\n'),
        ("csv", "z_um,y_um,x_um\n1,2,inf\n"),
        ("csv", "z_um,y_um,x_um,kind\n1,2,3,circle\n"),
        ("neuroglancer", "[]"),
        ("neuroglancer", '{"layers": 5}'),
        ("neuroglancer", '{"layers": [{"annotations": [{"type": "point", "point": [1, 2, 3]}]}]}'),
        (
            "neuroglancer",
            f"{DIMENSIONS}[5]}}]}}",
        ),
        (
            "neuroglancer",
            f'{DIMENSIONS}[{{"type": "point", "point": [1]}}]}}]}}',
        ),
        (
            "neuroglancer",
            f'{DIMENSIONS}[{{"type": ["a"]}}]}}]}}',
        ),
    ],
)
def test_what_is_no_file_of_marks_is_refused(form, text):
    with pytest.raises(Invalid) as refused:
        read_marks_file(text, MarkFormat(form))
    assert len(str(refused.value)) < 400


def test_a_state_without_units_is_asked_for_them():
    with pytest.raises(UnitMissing, match="axis z"):
        read_marks_file('{"dimensions": {"x": [1, "m"]}, "layers": [{"annotations": [{}]}]}', MarkFormat.NEUROGLANCER)


def test_verdicts_are_what_the_solution_cells_is_taught_by():
    import pyarrow.csv

    from pulvinar.solutions.cells.corrections import Verdict, corrections_from_table

    to_world = ((0.0, -2.0, 0.0, 100.0), (1.0, 0.0, 0.0, 7.0), (0.0, 0.0, 1.0, -3.0), (0.0, 0.0, 0.0, 1.0))
    inside = np.array([[10.0, 20.0, 30.0], [1.0, 2.0, 3.0]])
    world = inside @ np.array(to_world)[:3, :3].T + np.array(to_world)[:3, 3]
    marks = {
        "a": Mark(MarkKind.VERDICT, (tuple(world[0]),), verdict="reject"),
        "b": Mark(MarkKind.VERDICT, (tuple(world[1]),), verdict="add"),
        "c": Mark(MarkKind.POINT, ((0.0, 0.0, 0.0),)),
    }
    table = pyarrow.csv.read_csv(io.BytesIO(corrections_csv(marks, to_world).text.encode()))
    found = corrections_from_table(table)
    np.testing.assert_allclose(found.zyx_um, inside)
    assert found.verdict == (Verdict.REJECT, Verdict.ADD)
    with pytest.raises(Invalid, match="no verdict"):
        corrections_csv({"c": marks["c"]}, None)
