"""Annotations as Neuroglancer writes them into its states: its axes are (x, y, z), in units that the state tells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pulvinar.errors import Invalid, UnitMissing
from pulvinar.model.mark import Mark, MarkKind
from pulvinar.model.text import short

_UM_A_METRE = 1e6
_MOST_LAYERS = 200
_UNIT = {"x": [1e-6, "m"], "y": [1e-6, "m"], "z": [1e-6, "m"]}


def marks_to_state(marks: Mapping[str, Mark], title: str) -> dict[str, Any]:
    """A state whose one layer holds `marks`, in micrometres."""
    layer = {
        "type": "annotation",
        "name": title or "marks",
        "source": {"url": "local://annotations", "transform": {"outputDimensions": _UNIT}},
        "annotations": [_annotation(mark_id, mark) for mark_id, mark in marks.items()],
    }
    return {"dimensions": _UNIT, "layers": [layer]}


def _annotation(mark_id: str, mark: Mark) -> dict[str, Any]:
    places = [list(reversed(place)) for place in mark.places_um]
    said = " ".join(filter(None, (mark.text, mark.verdict, mark.region)))
    common: dict[str, Any] = {"id": mark_id, **({"description": said} if said else {})}
    if len(places) == 1:
        return {**common, "type": "point", "point": places[0]}
    if mark.kind in (MarkKind.BOX, MarkKind.CORRECTION):
        return {**common, "type": "axis_aligned_bounding_box", "pointA": places[0], "pointB": places[1]}
    if mark.kind is MarkKind.LINE:
        return {**common, "type": "line", "pointA": places[0], "pointB": places[1]}
    return {**common, "type": "polyline", "points": places}


def annotations_from_state(told: Any) -> Iterator[tuple[object, object]]:
    """The names and the marks, as JSON of ours, of all annotation layers of a state, or of one layer.

    Raises `Invalid` for what is neither, `UnitMissing` where no unit is told.
    """
    layers = told.get("layers") if isinstance(told, Mapping) and "layers" in told else [told]
    if not isinstance(layers, list) or len(layers) > _MOST_LAYERS:
        raise Invalid("this is no state of Neuroglancer", hint='an object with a list "layers"')
    dimensions = told.get("dimensions") if isinstance(told, Mapping) else None
    for layer in layers:
        if isinstance(layer, Mapping) and isinstance(layer.get("annotations"), list):
            yield from _of_layer(layer, dimensions)


def _of_layer(layer: Mapping[str, Any], dimensions: Any) -> Iterator[tuple[object, object]]:
    columns = _columns(_own_dimensions(layer) or dimensions)
    color = layer.get("annotationColor")
    look = {"color": color} if isinstance(color, str) and len(color) == 7 else {}
    for one in layer["annotations"]:
        if not isinstance(one, Mapping):
            raise Invalid(f"{short(one, 80)!r} is no annotation")
        yield one.get("id"), {**_as_mark(one, columns), **look}


def _own_dimensions(layer: Mapping[str, Any]) -> Any:
    source = layer.get("source")
    if isinstance(source, list) and source:
        source = source[0]
    transform = source.get("transform") if isinstance(source, Mapping) else None
    return transform.get("outputDimensions") if isinstance(transform, Mapping) else None


def _columns(dimensions: Any) -> list[tuple[int, float]]:
    """Where z, y and x stand in a place, and how many micrometres one of each is."""
    if not isinstance(dimensions, Mapping):
        raise UnitMissing("the state tells no dimensions of its annotations", hint='as {"x": [1e-6, "m"], ...}')
    names = list(dimensions)
    columns = []
    for axis in "zyx":
        said = dimensions.get(axis)
        if not (isinstance(said, list) and len(said) == 2 and isinstance(said[0], (int, float)) and said[1] == "m"):
            raise UnitMissing(f"axis {axis} of the annotations is {short(said, 60)!r}", hint='as [1e-6, "m"]')
        columns.append((names.index(axis), float(said[0]) * _UM_A_METRE))
    return columns


def _as_mark(one: Mapping[str, Any], columns: list[tuple[int, float]]) -> dict[str, Any]:
    def place(value: object) -> list[float]:
        if not isinstance(value, list) or not all(_is_number(value, at) for at, _ in columns):
            raise Invalid(f"{short(value, 80)!r} is no place of an annotation")
        return [value[at] * scale for at, scale in columns]

    kind, text = one.get("type"), one.get("description") or ""
    if kind == "point":
        said = isinstance(text, str) and text.strip()
        return {"kind": MarkKind.NOTE if said else MarkKind.POINT, "places_um": [place(one.get("point"))], "text": text}
    if kind in ("line", "axis_aligned_bounding_box"):
        ends = [place(one.get("pointA")), place(one.get("pointB"))]
        return {"kind": MarkKind.LINE if kind == "line" else MarkKind.BOX, "places_um": ends, "text": text}
    if kind == "polyline" and isinstance(one.get("points"), list):
        return {"kind": MarkKind.POLYLINE, "places_um": [place(point) for point in one["points"]], "text": text}
    if kind == "ellipsoid":
        middle, radii = place(one.get("center")), place(one.get("radii"))
        corners = [[a + sign * r for a, r in zip(middle, radii, strict=True)] for sign in (-1, 1)]
        return {"kind": MarkKind.BOX, "places_um": corners, "text": text}
    raise Invalid(
        f"{short(kind, 60)!r} is no kind of annotation that is known here",
        hint="point, line, axis_aligned_bounding_box, polyline, ellipsoid",
    )


def _is_number(value: list[Any], at: int) -> bool:
    # of an integer of a thousand digits there is no float
    return at < len(value) and isinstance(value[at], (int, float)) and abs(value[at]) < 1e300
