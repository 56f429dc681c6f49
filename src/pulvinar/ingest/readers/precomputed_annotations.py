"""Annotations of Neuroglancer's precomputed format, read from their spatial index, in which each is once.

Lines and boxes are given by their middle, and keep both ends as columns. Source: the format's document "annotations".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from pulvinar.errors import TooLarge, UnreadableFile
from pulvinar.ingest.reader import PointsData
from pulvinar.ingest.readers.frames import micrometres
from pulvinar.ingest.readers.precomputed_files import PrecomputedFolder, Sharding

_ENDS = {"POINT": 1, "LINE": 2, "AXIS_ALIGNED_BOUNDING_BOX": 2, "ELLIPSOID": 2}
_NUMBERS = {
    kind: np.dtype(kind).newbyteorder("<")
    for kind in ("float32", "int32", "uint32", "int16", "uint16", "int8", "uint8")
}
_COLOURS = {"rgb": 3, "rgba": 4}
_MOST = 100_000_000


def read_annotations(folder: PrecomputedFolder) -> PointsData:
    """All annotations of a folder, by identifier. Raises `UnreadableFile` for what is damaged or not understood."""
    info, name = folder.info, folder.info_name
    kind = info.get("annotation_type")
    if kind not in _ENDS:
        raise UnreadableFile(f"{name}: annotations of the type {str(kind)[:40]!r} are not read", hint="leave it out")
    axes, steps_um = _axes(info.get("dimensions"), name)
    record = _record(info.get("properties", []), _ENDS[kind] * len(axes), name)
    pieces, ids, total = [], [], 0
    for data, said in _cells(folder):
        count = int.from_bytes(data[:8], "little")
        if len(data) != 8 + count * (record.itemsize + 8):
            raise UnreadableFile(f"{said} is damaged: it declares {count} annotations in {len(data)} bytes")
        total += count
        if total > _MOST:
            raise TooLarge(f"{name} has more than {_MOST} annotations")
        pieces.append(np.frombuffer(data, record, count, 8))
        ids.append(np.frombuffer(data, "<u8", count, 8 + count * record.itemsize))
    rows, keys = (
        np.concatenate(parts) if parts else np.empty(0, dtype) for parts, dtype in ((pieces, record), (ids, "u8"))
    )
    keys, first = np.unique(keys, return_index=True)
    return _points(rows[first], keys, kind, axes, steps_um, info)


def _axes(said: Any, name: str) -> tuple[list[str], npt.NDArray[np.float64]]:
    """The names of the axes and how many micrometres a step of each is."""
    if not isinstance(said, dict) or not {"x", "y", "z"} <= said.keys() or len(said) > 16:
        raise UnreadableFile(f"{name}: its annotations have not the axes x, y and z", hint="leave it out")
    steps = []
    for axis, value in said.items():
        scale, unit = value if isinstance(value, list) and len(value) == 2 else (None, "")
        um = micrometres(str(unit)) if axis in ("x", "y", "z") else 1.0
        if not isinstance(scale, int | float) or not np.isfinite(scale) or not scale > 0 or um is None:
            raise UnreadableFile(f"{name}: the step {str(value)[:60]} of its axis {axis[:20]} can't be")
        steps.append(float(scale) * um)
    return list(said), np.asarray(steps)


def _record(properties: Any, floats: int, name: str) -> np.dtype[Any]:
    """One encoded annotation: its places, then its properties, those of four bytes first, filled up to four bytes."""
    fields: list[tuple[int, str, Any]] = []
    for item in properties if isinstance(properties, list) else []:
        kind = item.get("type") if isinstance(item, dict) else None
        if kind in _COLOURS:
            fields.append((1, str(item.get("id")), np.dtype(("u1", _COLOURS[kind]))))
        elif kind in _NUMBERS:
            fields.append((_NUMBERS[kind].itemsize, str(item.get("id")), _NUMBERS[kind]))
        else:
            raise UnreadableFile(f"{name}: its property {str(item)[:100]} is not understood", hint="leave it out")
    fields.sort(key=lambda field: -field[0])
    told = [("place", np.dtype(("<f4", floats))), *((key, dtype) for _, key, dtype in fields)]
    if len({key for key, _ in told}) < len(told) or len(told) > 1024:
        raise UnreadableFile(f"{name}: its properties don't have names of their own", hint="repair the info")
    loose = np.dtype(told)
    padding = -loose.itemsize % 4
    return np.dtype([*told, ("", np.dtype(("u1", padding)))]) if padding else loose


def _cells(folder: PrecomputedFolder) -> Iterator[tuple[bytes, str]]:
    """The cells of the spatial index that are there, and where each lies."""
    levels = folder.info.get("spatial")
    for level in levels if isinstance(levels, list) else []:
        key = level.get("key") if isinstance(level, dict) else None
        if not isinstance(key, str):
            raise UnreadableFile(f"{folder.info_name}: a level of its spatial index has no key", hint="repair the info")
        base = folder.path_of(key)
        if level.get("sharding") is not None:
            sharding = Sharding.of(level["sharding"], folder.info_name)
            for shard in folder.shards(key):
                for _, extent in sharding.entries(folder, shard):
                    yield sharding.read(folder, extent), shard
            continue
        for name in sorted(name for name in folder.files if name.startswith(f"{base}/")):
            yield folder.read(name.removeprefix(f"{folder.name}/").removesuffix(".gz")), name


def _points(
    rows: npt.NDArray[Any],
    keys: npt.NDArray[np.uint64],
    kind: str,
    axes: list[str],
    steps_um: npt.NDArray[np.float64],
    info: dict[str, Any],
) -> PointsData:
    ends = rows["place"].reshape(len(rows), _ENDS[kind], len(axes)).astype(np.float64) * steps_um
    order = [axes.index(axis) for axis in "zyx"]
    middle = ends[:, 0] if kind in ("POINT", "ELLIPSOID") else ends.mean(axis=1)
    # identifiers are uint64; those beyond int64 are kept as text
    columns: dict[str, npt.NDArray[Any]] = {"id": _column(keys)}
    if kind != "POINT":
        names = ("center", "radius") if kind == "ELLIPSOID" else ("first", "last")
        for end, word in enumerate(names):
            columns |= {f"{word}_{axes[at]}_um": np.ascontiguousarray(ends[:, end, at]) for at in order}
    columns |= {axis: np.ascontiguousarray(ends[:, 0, at]) for at, axis in enumerate(axes) if axis not in "xyz"}
    for item in info.get("properties", []):
        values = rows[str(item["id"])]
        if values.ndim > 1:
            columns[str(item["id"])] = np.array(["#" + bytes(value).hex() for value in values], object)
            continue
        columns[str(item["id"])] = _worded(values, item)
    return PointsData(np.ascontiguousarray(middle[:, order]), columns)


def _worded(values: npt.NDArray[Any], item: dict[str, Any]) -> npt.NDArray[Any]:
    """The words that a property's numbers stand for, or the numbers."""
    numbers, words = item.get("enum_values"), item.get("enum_labels")
    if isinstance(numbers, list) and isinstance(words, list) and len(numbers) == len(words) and numbers:
        known = dict(zip(numbers, map(str, words), strict=True))
        return np.array([known.get(value, str(value)) for value in values.tolist()], object)
    return _column(values)


def _column(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if values.dtype.kind == "f":
        return values.astype(np.float64)
    if values.dtype == np.uint64 and values.size and int(values.max()) >= 2**63:
        return np.array(list(map(str, values.tolist())), object)
    return values.astype(np.int64)
