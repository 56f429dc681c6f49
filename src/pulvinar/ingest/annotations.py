"""Points as Neuroglancer precomputed annotations: a spatial index of several levels, and one sharded file by id.

The coordinates are micrometres in (x, y, z); `info` says so as 1e-6 m. Format: the documents "annotations" and
"sharded" of Neuroglancer's precomputed format.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pulvinar.ingest.reader import TableColumn

POINTS_A_CELL = 10_000
"""What one cell of the spatial index shows at most; the rest appears in the finer levels."""

MOST_PROPERTIES = 12
MOST_WORDS = 4096
"""A text column with more different words than this is only in the table, not in the view."""


@dataclass(frozen=True)
class _Property:
    """One column as the view carries it: its entry in `info` and its values."""

    entry: dict[str, Any]
    values: npt.NDArray[Any]


def annotation_files(zyx_um: npt.NDArray[np.float64], columns: Mapping[str, TableColumn]) -> dict[str, bytes]:
    """The files of the view, by path: `info`, the cells of each level and `by_id/0.shard`.

    `zyx_um` has shape (n, 3), finite, micrometres; a point's id is its row.
    """
    properties = _properties(columns)
    records = _records(zyx_um, properties)
    lower = zyx_um.min(axis=0)[::-1]
    upper = np.maximum(zyx_um.max(axis=0)[::-1], lower + 1.0)
    # the upper bound is open: a point that lies on it would belong to no cell
    upper = upper + np.maximum((upper - lower) * 1e-6, 1e-3)
    files, spatial = _spatial_index(zyx_um[:, ::-1], records, lower, upper)
    info = {
        "@type": "neuroglancer_annotations_v1",
        "dimensions": {axis: [1e-6, "m"] for axis in "xyz"},
        "lower_bound": lower.tolist(),
        "upper_bound": upper.tolist(),
        "annotation_type": "POINT",
        "properties": [item.entry for item in properties],
        "relationships": [],
        "by_id": {"key": "by_id", "sharding": _SHARDING},
        "spatial": spatial,
    }
    files["info"] = json.dumps(info, ensure_ascii=False, separators=(",", ":")).encode()
    files["by_id/0.shard"] = _shard(records)
    return files


_SHARDING = {
    "@type": "neuroglancer_uint64_sharded_v1",
    "preshift_bits": 0,
    "hash": "identity",
    "minishard_bits": 0,
    "shard_bits": 0,
    "minishard_index_encoding": "raw",
    "data_encoding": "raw",
}


def _properties(columns: Mapping[str, TableColumn]) -> list[_Property]:
    """The columns that a view can carry: numbers, and text of few different words; widest types first, as stored."""
    found: list[_Property] = []
    for name, values in columns.items():
        item = _property(_identifier(name, len(found)), name, values)
        if item is not None and len(found) < MOST_PROPERTIES:
            found.append(item)
    return sorted(found, key=lambda item: -item.values.dtype.itemsize)


def _property(identifier: str, name: str, values: TableColumn) -> _Property | None:
    entry: dict[str, Any] = {"id": identifier, "description": name}
    if not isinstance(values, np.ndarray) or values.dtype.kind in "OUS":
        words, codes = _words(values)
        if len(words) > MOST_WORDS:
            return None
        kind = "uint8" if len(words) <= 256 else "uint16"
        entry |= {"type": kind, "enum_values": list(range(len(words))), "enum_labels": words}
        return _Property(entry, codes.astype("u1" if kind == "uint8" else "<u2"))
    if values.dtype.kind == "b":
        return _Property(entry | {"type": "uint8"}, values.astype("u1"))
    if values.dtype.kind in "iu" and values.size and values.min() >= -(2**31) and values.max() < 2**31:
        return _Property(entry | {"type": "int32"}, values.astype("<i4"))
    if values.dtype.kind in "iuf":
        return _Property(entry | {"type": "float32"}, values.astype("<f4"))
    return None


def _words(values: TableColumn) -> tuple[list[str], npt.NDArray[Any]]:
    """The different words of a column of text in their order, and each row's place among them."""
    texts: Any = values
    if isinstance(values, np.ndarray):
        texts = pa.array(["" if item is None else str(item) for item in values], pa.large_string())
    found = pc.dictionary_encode(texts)
    order = pc.sort_indices(found.dictionary).to_numpy()
    places = np.empty(len(order), np.int64)
    places[order] = np.arange(len(order))
    return found.dictionary.take(order).to_pylist(), places[found.indices.to_numpy()]


def _identifier(name: str, position: int) -> str:
    """`name` as the view's identifiers must be: a small letter, then letters, digits and underscores."""
    safe = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in name.lower())
    if not safe or not safe[0].isalpha():
        safe = "p_" + safe
    return f"{safe[:40]}_{position}"


def _records(zyx_um: npt.NDArray[np.float64], properties: list[_Property]) -> npt.NDArray[Any]:
    """One encoded annotation a row: x, y, z as float32, then the properties, filled up to four bytes."""
    fields: list[Any] = [("place", "<f4", 3)]
    fields += [(f"p{index}", item.values.dtype.str) for index, item in enumerate(properties)]
    loose = np.dtype(fields)
    padding = -loose.itemsize % 4
    packed = np.zeros(len(zyx_um), np.dtype([*fields, ("padding", "u1", padding)]) if padding else loose)
    packed["place"] = zyx_um[:, ::-1]
    for index, item in enumerate(properties):
        packed[f"p{index}"] = item.values
    return packed


def _spatial_index(
    xyz_um: npt.NDArray[np.float64],
    records: npt.NDArray[Any],
    lower: npt.NDArray[np.float64],
    upper: npt.NDArray[np.float64],
) -> tuple[dict[str, bytes], list[dict[str, Any]]]:
    """Levels from one cell down to eightfold finer ones; each point is in exactly one, which one is drawn by lot."""
    files: dict[str, bytes] = {}
    levels: list[dict[str, Any]] = []
    # a fixed seed: the same points always give the same bytes
    rest = np.random.default_rng(0).permutation(len(records))
    while rest.size:
        grid = _grid(upper - lower, len(levels))
        size = (upper - lower) / grid
        cells = np.minimum(((xyz_um[rest] - lower) / size).astype(np.int64), grid - 1)
        flat = np.ravel_multi_index(tuple(cells.T), tuple(grid))
        order = np.argsort(flat, kind="stable")
        starts = np.flatnonzero(np.r_[True, np.diff(flat[order]) > 0])
        within = np.arange(len(order)) - np.repeat(starts, np.diff(np.r_[starts, len(order)]))
        chosen = within < POINTS_A_CELL
        key = f"spatial{len(levels)}"
        for first, last in zip(starts, np.r_[starts[1:], len(order)], strict=True):
            rows = rest[order[first : min(last, first + POINTS_A_CELL)]]
            cell = "_".join(str(number) for number in cells[order[first]])
            files[f"{key}/{cell}"] = _cell(records[rows], rows)
        levels.append({"key": key, "grid_shape": grid.tolist(), "chunk_size": size.tolist(), "limit": POINTS_A_CELL})
        rest = rest[np.sort(order[~chosen])]
    return files, levels


def _grid(extent: npt.NDArray[np.float64], level: int) -> npt.NDArray[np.int64]:
    """Cells an axis: the longest axis is halved at each level, the others where that makes cells more cubic."""
    longest = float(extent.max()) / 2**level
    cells: npt.NDArray[np.int64] = np.maximum(1, np.round(extent / longest)).astype(np.int64)
    return cells


def _cell(records: npt.NDArray[Any], ids: npt.NDArray[np.int64]) -> bytes:
    return np.array([len(records)], "<u8").tobytes() + records.tobytes() + ids.astype("<u8").tobytes()


def _shard(records: npt.NDArray[Any]) -> bytes:
    """All annotations in one shard with one minishard; each is followed by no relationships."""
    body = records.tobytes()
    count, width = len(records), records.dtype.itemsize
    index = np.zeros((3, count), "<u8")
    index[0, 1:] = 1  # ids and offsets are stored as differences
    index[2] = width
    shard_index = np.array([len(body), len(body) + index.nbytes], "<u8")
    return shard_index.tobytes() + body + index.tobytes()
