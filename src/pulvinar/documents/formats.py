"""Marks as files: JSON of our own, a table, annotations of Neuroglancer, and corrections that cells are taught by.

Files from outside are hostile: each mark of one is checked as any other, and one that can't be understood is refused
whole, naming the mark.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import uuid4

import numpy as np
import numpy.typing as npt

from pulvinar.documents.neuroglancer import annotations_from_state, marks_to_state
from pulvinar.errors import Invalid, PulvinarError
from pulvinar.model.mark import Mark, MarkKind, check_mark_id, mark_from_json, mark_to_json
from pulvinar.model.space import Affine
from pulvinar.model.text import from_cell, short, to_cell

Marks = Mapping[str, Mark]
_VERSION = 1
_FORMAT = "pulvinar-marks"
_COLUMNS = ("mark", "kind", "z_um", "y_um", "x_um", "text", "color", "region", "verdict")
_WORDS = ("text", "color", "region", "verdict")
CORRECTION_COLUMNS = ("z_um", "y_um", "x_um", "verdict")


class MarkFormat(StrEnum):
    """How marks are written."""

    JSON = "json"
    CSV = "csv"
    NEUROGLANCER = "neuroglancer"


@dataclass(frozen=True)
class Written:
    """A file that was made: what it holds, and how it is called on the wire."""

    text: str
    media_type: str
    suffix: str


def write_marks(marks: Marks, form: MarkFormat, title: str = "") -> Written:
    """`marks` as a file."""
    if form is MarkFormat.CSV:
        return Written(_to_csv(marks), "text/csv; charset=utf-8", "csv")
    told = marks_to_state(marks, title) if form is MarkFormat.NEUROGLANCER else _to_json(marks, title)
    return Written(json.dumps(told, ensure_ascii=False, allow_nan=False), "application/json", "json")


def read_marks_file(text: str, form: MarkFormat) -> dict[str, Mark]:
    """The marks of a file by their names; one that has no name gets a new one. Raises `Invalid`."""
    if form is MarkFormat.CSV:
        return _named(_rows(text), mark_from_json)
    told = _parsed(text)
    if form is MarkFormat.NEUROGLANCER:
        return _named(annotations_from_state(told), mark_from_json)
    if not isinstance(told, dict) or told.get("format") != _FORMAT or not isinstance(told.get("marks"), list):
        raise Invalid("this is no file of marks", hint=f'an object with "format": "{_FORMAT}" and a list "marks"')
    if told.get("version") != _VERSION:
        raise Invalid(f"version {short(told.get('version'), 40)} of the file is unknown", hint=f"known: {_VERSION}")
    return _named((_split(one) for one in told["marks"]), mark_from_json)


def _split(one: object) -> tuple[object, object]:
    if not isinstance(one, dict):
        return None, one
    return one.get("id"), {name: value for name, value in one.items() if name != "id"}


def _named(found: Iterable[tuple[object, object]], read: Callable[[object], Mark]) -> dict[str, Mark]:
    marks: dict[str, Mark] = {}
    for count, (name, told) in enumerate(found, 1):
        try:
            mark = read(told)
            mark_id = new_mark_id() if name in (None, "") else check_mark_id(name)
        except PulvinarError as error:
            raise Invalid(f"mark {count}: {error.message}", hint=error.hint) from error
        if mark_id in marks:
            raise Invalid(f"mark {count}: {mark_id!r} is there twice")
        marks[mark_id] = mark
    if not marks:
        raise Invalid("the file holds no mark")
    return marks


def new_mark_id() -> str:
    """A name for a mark that no other one has."""
    return uuid4().hex


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    # numbers of thousands of digits and lists in lists by the thousand are refused by other errors
    except (ValueError, RecursionError) as error:
        raise Invalid(f"this is no JSON: {short(error, 120)}") from error


def _to_json(marks: Marks, title: str) -> dict[str, Any]:
    listed = [{"id": mark_id, **mark_to_json(mark)} for mark_id, mark in marks.items()]
    return {"format": _FORMAT, "version": _VERSION, "title": title, "axes": "zyx", "unit": "um", "marks": listed}


def _to_csv(marks: Marks) -> str:
    """A row for each place: rows of one mark follow each other."""
    out = io.StringIO()
    # a lone carriage return in a text is only read back from within quotes
    table = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL)
    table.writerow(_COLUMNS)
    for mark_id, mark in marks.items():
        for place in mark.places_um:
            words = (to_cell(getattr(mark, name)) for name in _WORDS)
            table.writerow([to_cell(mark_id), mark.kind.value, *(repr(one) for one in place), *words])
    return out.getvalue()


def _rows(text: str) -> Iterable[tuple[object, object]]:
    """The marks of a table. Without a column `mark` each row is a point of its own."""
    table = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")), strict=True)
    try:
        lacking = [name for name in _COLUMNS[2:5] if name not in (table.fieldnames or ())]
        if lacking:
            raise Invalid(f"the table has no column {lacking[0]!r}", hint=f"columns: {', '.join(_COLUMNS)}")
        marks: list[tuple[str, dict[str, Any]]] = []
        for row in table:
            said = {name: from_cell(row.get(name) or "") for name in ("mark", *_WORDS)}
            place = [_number(row.get(name), table.line_num) for name in _COLUMNS[2:5]]
            name = said.pop("mark")
            if name and marks and marks[-1][0] == name:
                marks[-1][1]["places_um"].append(place)
            else:
                marks.append((name, {"kind": row.get("kind") or MarkKind.POINT, "places_um": [place], **said}))
    except csv.Error as error:
        raise Invalid(f"line {table.line_num} of the table can't be read: {error}") from error
    return marks


def _number(text: str | None, line: int) -> float:
    try:
        return float(text or "")
    except ValueError as error:
        raise Invalid(f"line {line}: {short(text, 40)!r} is no number of micrometres") from error


def corrections_of(marks: Marks, to_world_um: Affine | None) -> tuple[npt.NDArray[np.float64], list[str]]:
    """The verdicts among `marks`: places float64 (n, 3), micrometres (z, y, x) from the centre of the first voxel of
    the volume in which the cells were found, and what was said of each.

    `to_world_um` leads from there to where the marks lie. Raises `Invalid` where there is no verdict.
    """
    verdicts = [mark for mark in marks.values() if mark.kind is MarkKind.VERDICT]
    if not verdicts:
        raise Invalid("there is no verdict on a cell in this document", hint="accept, reject or add some")
    places = np.array([mark.places_um[0] for mark in verdicts], np.float64)
    if to_world_um is not None:
        matrix = np.array(to_world_um, np.float64)
        places = np.asarray(np.linalg.solve(matrix[:3, :3], (places - matrix[:3, 3]).T).T, np.float64)
    return places, [mark.verdict for mark in verdicts]


def corrections_csv(marks: Marks, to_world_um: Affine | None) -> Written:
    """The same as a table with the columns z_um, y_um, x_um and verdict. Raises `Invalid` as `corrections_of`."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(CORRECTION_COLUMNS)
    for place, verdict in zip(*corrections_of(marks, to_world_um), strict=True):
        table.writerow([*(repr(round(float(one), 6)) for one in place), verdict])
    return Written(out.getvalue(), "text/csv; charset=utf-8", "csv")
