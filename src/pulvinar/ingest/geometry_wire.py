"""What is no volume on its way out of the reader process: described as JSON, columns as raw memory.

Nothing is unpickled: a column is numbers of a listed type, or text as a JSON list. A `Matrix` stays behind, and is read
by window.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np
import numpy.typing as npt

from pulvinar.errors import UnreadableFile
from pulvinar.ingest.answers import check_geometry
from pulvinar.ingest.reader import (
    ConnectivityData,
    GeometryData,
    Matrix,
    MeshData,
    PointsData,
    SkeletonData,
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
_TEXT = "text"
_TEXT_TYPES = {str, type(None)}

Array = npt.NDArray[Any]


def geometry_to_wire(data: GeometryData) -> tuple[dict[str, Any], bytes]:
    """`data` as a description and the bytes of its arrays, one after another."""
    parts: list[bytes] = []
    described: dict[str, Any] = {"kind": type(data).__name__, "arrays": {}, "texts": {}, "columns": []}
    for field in fields(data):
        value = getattr(data, field.name)
        if isinstance(value, dict):
            described["columns"] = [[name, _described(array, parts)] for name, array in value.items()]
        elif isinstance(value, str):
            described["texts"][field.name] = value
        elif not isinstance(value, np.ndarray):
            described["matrix"] = {"type": value.dtype.name, "shape": list(value.shape)}
        else:
            described["arrays"][field.name] = _described(value, parts)
    return described, b"".join(parts)


def _described(array: Array, parts: list[bytes]) -> dict[str, Any]:
    if array.dtype == object:
        # surrogates can't be written as UTF-8; JSON's own escapes carry them
        texts = array.tolist()
        if not set(map(type, texts)) <= _TEXT_TYPES:
            texts = [None if value is None else str(value) for value in texts]
        body = json.dumps(texts).encode()
        kind = _TEXT
    else:
        body, kind = np.ascontiguousarray(array).tobytes(), array.dtype.name
    parts.append(body)
    return {"type": kind, "shape": list(array.shape), "size": len(body)}


def geometry_from_wire(
    described: dict[str, Any], descriptor: int, matrix: Callable[[tuple[int, int], str], Matrix] | None = None
) -> GeometryData:
    """What `geometry_to_wire` described, its bytes read from `descriptor`. Raises `UnreadableFile`.

    `matrix` gives the `Matrix` of a shape and type that stayed in the reader process.
    """
    # read, never mapped: memory that the other side can shrink would end this process
    reading = _Reading(descriptor)
    try:
        kind = _KINDS[described["kind"]]
        given: dict[str, Any] = {name: reading.array(value) for name, value in described["arrays"].items()}
        given |= {name: str(value) for name, value in described["texts"].items()}
        if "matrix" in described and matrix is not None:
            rows, columns = map(int, described["matrix"]["shape"])
            given["values"] = matrix((rows, columns), str(described["matrix"]["type"]))
        if "columns" in {field.name for field in fields(kind)}:
            given["columns"] = {str(name): reading.array(value) for name, value in described["columns"]}
        data = kind(**given)
        check_geometry(data)
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise UnreadableFile(f"the reader sent data that can't be: {plain(error)}") from None
    return data


class _Reading:
    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._left = os.fstat(descriptor).st_size
        self._at = 0

    def array(self, described: dict[str, Any]) -> Array:
        size, kind, shape = int(described["size"]), described["type"], tuple(map(int, described["shape"]))
        if not 0 <= size <= self._left - self._at:
            raise ValueError(f"{size} bytes are announced, {self._left - self._at} are there")
        body = self._bytes(size)
        if kind == _TEXT:
            texts = json.loads(body)
            if not (isinstance(texts, list) and set(map(type, texts)) <= _TEXT_TYPES):
                raise ValueError("a column of text holds something else")
            array = np.empty(len(texts), dtype=object)
            array[:] = texts
            return array.reshape(shape)
        if kind not in _TYPES:
            raise ValueError(f"type {kind!r}")
        return np.frombuffer(body, kind).reshape(shape)

    def _bytes(self, size: int) -> bytearray:
        body = bytearray(size)
        view, filled = memoryview(body), 0
        while filled < size:
            got = os.preadv(self._descriptor, [view[filled:]], self._at + filled)
            if got == 0:
                raise ValueError("the data ends early")
            filled += got
        self._at += size
        return body
