"""What is no volume on its way out of the reader process: described as JSON, columns as raw memory.

Nothing is unpickled: a column is numbers of a listed type, or text: UTF-8 behind the places where each begins, or a
JSON list where some of it is no Unicode or missing. Text that comes as Arrow's arrives as Arrow's, other text as an
array of str. A `Matrix` stays behind, and is read by window.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from pulvinar.errors import UnreadableFile
from pulvinar.ingest.answers import check_geometry
from pulvinar.ingest.reader import (
    ColumnPlaces,
    ConnectivityData,
    GeometryData,
    Matrix,
    MeshData,
    PointsData,
    SkeletonData,
    TableColumn,
    TableData,
    TimeSeriesData,
    TractsData,
)
from pulvinar.model.text import plain

_KINDS: dict[str, type[GeometryData]] = {
    kind.__name__: kind
    for kind in (SkeletonData, MeshData, PointsData, TableData, TimeSeriesData, ConnectivityData, TractsData)
}
_TYPES = ("bool", "int16", "int64", "uint32", "float32", "float64")
_TEXT, _ARROW, _JSON = "utf8", "arrow", "json"
_ALIGNED = 64
_TEXT_TYPES = {str, type(None)}

Array = npt.NDArray[Any]


def geometry_to_wire(data: GeometryData) -> tuple[dict[str, Any], list[memoryview]]:
    """`data` as a description and the bytes of its arrays, which `on_the_wire` puts one after another."""
    parts: list[memoryview] = []
    described: dict[str, Any] = {"kind": type(data).__name__, "arrays": {}, "texts": {}, "columns": []}
    for field in fields(data):
        value = getattr(data, field.name)
        if isinstance(value, Mapping):
            described["columns"] = [[name, _described(array, parts)] for name, array in value.items()]
        elif isinstance(value, str):
            described["texts"][field.name] = value
        elif isinstance(value, ColumnPlaces):
            described["places"] = {"names": value.names, "step_um": value.step_um}
        elif not isinstance(value, np.ndarray):
            described["matrix"] = {"type": value.dtype.name, "shape": list(value.shape)}
        else:
            described["arrays"][field.name] = _described(value, parts)
    return described, parts


def wire_bytes(parts: Sequence[memoryview]) -> int:
    """The bytes that `parts` take, each from an even place on."""
    return sum(_even(len(part)) for part in parts)


def on_the_wire(parts: Sequence[memoryview]) -> list[memoryview]:
    """`parts` with what lies between them, as `geometry_from_wire` looks for them."""
    gaps = (memoryview(bytes(_even(len(part)) - len(part))) for part in parts)
    return [piece for pair in zip(parts, gaps, strict=True) for piece in pair if piece]


def _even(size_bytes: int) -> int:
    return -(-size_bytes // _ALIGNED) * _ALIGNED


def _described(array: TableColumn, parts: list[memoryview]) -> dict[str, Any]:
    order: Literal["C", "F"] = "C"
    if not isinstance(array, np.ndarray):
        parts += (bodies := _arrow_to_wire(array))
        return {"type": _ARROW, "shape": [len(array)], "sizes": [len(body) for body in bodies]}
    if array.dtype == object:
        bodies = _text_to_wire(array.ravel().tolist())
        kind = _TEXT if len(bodies) == 2 else _JSON
    else:
        # by columns where it lies so: turning it would touch all of it twice
        order = "F" if array.flags.f_contiguous else "C"
        bodies, kind = [_bytes_of(array.ravel(order))], array.dtype.name
    parts += bodies
    return {"type": kind, "shape": list(array.shape), "order": order, "sizes": [len(body) for body in bodies]}


def _bytes_of(array: Array) -> memoryview:
    """Of an array of one axis, without a copy."""
    return memoryview(array.view(np.uint8).data)


def _arrow_to_wire(texts: Any) -> list[memoryview]:
    """Where each text begins and all letters, as `texts` has them."""
    if texts.null_count:
        raise ValueError("a column of text has places without any")
    _, begins, letters = texts.buffers()
    places = memoryview(begins).cast("B")[8 * texts.offset : 8 * (texts.offset + len(texts) + 1)]
    return [places, memoryview(letters or b"").cast("B")]


def _text_to_wire(texts: list[Any]) -> list[memoryview]:
    """Where each text begins and all letters; one list as JSON where some of it is no Unicode or missing."""
    try:
        joined = "".join(texts)
        letters = joined.encode()
        encoded: list[Any] = texts if len(letters) == len(joined) else [text.encode() for text in texts]
    except (TypeError, UnicodeError):
        # surrogates can't be written as UTF-8; JSON's own escapes carry them
        values = [value if value is None or isinstance(value, str) else str(value) for value in texts]
        return [memoryview(json.dumps(values).encode())]
    begins = np.zeros(len(texts) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, encoded), np.int64, len(texts)), out=begins[1:])
    return [_bytes_of(begins), memoryview(letters)]


def geometry_from_wire(
    described: dict[str, Any], content: memoryview, matrix: Callable[[tuple[int, int], str], Matrix] | None = None
) -> GeometryData:
    """What `geometry_to_wire` described, its bytes being `content`, which nobody else can change.

    Arrays of numbers look at `content`. `matrix` gives the `Matrix` of a shape and type that stayed in the reader
    process. Raises `UnreadableFile`.
    """
    reading = _Reading(content)
    try:
        kind = _KINDS[described["kind"]]
        given: dict[str, Any] = {name: reading.array(value) for name, value in described["arrays"].items()}
        given |= {name: str(value) for name, value in described["texts"].items()}
        if "matrix" in described and matrix is not None:
            rows, columns = map(int, described["matrix"]["shape"])
            given["values"] = matrix((rows, columns), str(described["matrix"]["type"]))
        if kind is PointsData and "places" in described:
            given["places"] = _column_places(described["places"])
        if "columns" in {field.name for field in fields(kind)}:
            given["columns"] = {str(name): reading.column(value) for name, value in described["columns"]}
        data = kind(**given)
        check_geometry(data)
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise UnreadableFile(f"the reader sent data that can't be: {plain(error)}") from None
    return data


def _column_places(described: dict[str, Any]) -> ColumnPlaces:
    (z, y, x), (dz, dy, dx) = map(str, described["names"]), map(float, described["step_um"])
    return ColumnPlaces((z, y, x), (dz, dy, dx))


class _Reading:
    def __init__(self, content: memoryview) -> None:
        self._content = content
        self._at = 0

    def array(self, described: dict[str, Any]) -> Array:
        """An array of numpy; what is announced as Arrow's becomes one."""
        column = self.column(described)
        return column if isinstance(column, np.ndarray) else _object_array(column.to_pylist())

    def column(self, described: dict[str, Any]) -> TableColumn:
        kind, shape = described["type"], tuple(map(int, described["shape"]))
        bodies = [self._body(int(size)) for size in described["sizes"]]
        if min(shape, default=0) < 0 or len(bodies) != (2 if kind in (_TEXT, _ARROW) else 1):
            raise ValueError(f"{len(bodies)} pieces of the shape {shape}")
        if kind in (_TEXT, _ARROW):
            texts = _text_from_wire(bodies[0], bodies[1])
            return texts if kind == _ARROW else _object_array(texts.to_pylist()).reshape(shape)
        if kind == _JSON:
            texts = json.loads(bytes(bodies[0]))
            if not (isinstance(texts, list) and set(map(type, texts)) <= _TEXT_TYPES):
                raise ValueError("a column of text holds something else")
            return _object_array(texts).reshape(shape)
        if kind not in _TYPES:
            raise ValueError(f"type {kind!r}")
        return np.frombuffer(bodies[0], kind).reshape(shape, order="F" if described.get("order") == "F" else "C")

    def _body(self, size: int) -> memoryview:
        left = len(self._content) - self._at
        if not 0 <= size <= left:
            raise ValueError(f"{size} bytes are announced, {left} are there")
        body = self._content[self._at : self._at + size]
        self._at += _even(size)
        return body


def _text_from_wire(begins: memoryview, letters: memoryview) -> Any:
    import pyarrow as pa

    count = len(begins) // 8 - 1
    if count < 0:
        raise ValueError("a column of text has no end")
    texts = pa.LargeStringArray.from_buffers(count, pa.py_buffer(begins), pa.py_buffer(letters))
    # that each begins where the one before it ends, within the letters, and that all of it is UTF-8
    texts.validate(full=True)
    return texts


def _object_array(values: list[Any]) -> Array:
    array = np.empty(len(values), object)
    array[:] = values
    return array
