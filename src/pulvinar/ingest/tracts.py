"""Streamlines as stored objects: a table with one row a line, and a skeleton that Neuroglancer reads."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pulvinar.ingest.canonical import (
    SEGMENT,
    GeometryFiles,
    check_places,
    extent,
    json_bytes,
    parquet,
    segment_properties,
)
from pulvinar.ingest.pictures import projection_pictures
from pulvinar.ingest.reader import TractsData
from pulvinar.ingest.skeletons import draw_edges, fragment, simplify, skeleton_info

MOST_SHOWN = 20_000
"""So many streamlines are in the view, spread evenly over the file's order; the table has all of them."""
_VIEW_STEPS = 1024
_DRAWN = 2_000


def tract_files(data: TractsData, name: str) -> GeometryFiles:
    """What is stored of a tractogram; raises `Invalid` when it has no point, or one that is not finite.

    `tracts.parquet` has one row a line: its points as three lists `z_um`, `y_um`, `x_um`, and the columns of the file.
    """
    check_places(data.zyx_um, name)
    lines, offsets = len(data.first) - 1, pa.array(data.first, pa.int64())
    columns: dict[str, Any] = {
        f"{axis}_um": pa.LargeListArray.from_arrays(offsets, pa.array(data.zyx_um[:, place]))
        for place, axis in enumerate("zyx")
    }
    shown = _every(lines, MOST_SHOWN)
    rows, edges = _view(data, shown, float(np.ptp(data.zyx_um, axis=0).max()) / _VIEW_STEPS)
    line_of = np.repeat(np.arange(lines), np.diff(data.first))
    steps = np.linalg.norm(np.diff(data.zyx_um, axis=0), axis=1)[np.diff(line_of) == 0]
    files = {
        "tracts.parquet": parquet({**columns, **data.columns}),
        "precomputed/info": json_bytes(skeleton_info()),
        f"precomputed/{SEGMENT}": fragment(data.zyx_um[rows], edges, ()),
        "precomputed/segments/info": json_bytes(segment_properties({SEGMENT: name})),
        "quality/thumbnail.webp": _thumbnail(data, _every(lines, _DRAWN)),
    }
    details = {
        **extent(data.zyx_um),
        "lines": lines,
        "lines_shown": len(shown),
        "length_um": float(steps.sum()),
        "columns": list(data.columns),
        "precomputed": "precomputed",
    }
    return GeometryFiles(files, details)


def _every(lines: int, most: int) -> npt.NDArray[np.int64]:
    """At most `most` of so many lines, spread evenly."""
    return np.unique(np.linspace(0, lines - 1, min(lines, most)).round().astype(np.int64))


def _chosen(data: TractsData, lines: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The rows of `lines`, and of each the place among them of the point before it, -1 at a line's beginning."""
    counts = np.diff(data.first)[lines]
    begins = np.concatenate([[0], np.cumsum(counts)])[:-1]
    rows = np.repeat(data.first[lines] - begins, counts) + np.arange(counts.sum())
    parent = np.arange(-1, len(rows) - 1)
    parent[begins[counts > 0]] = -1
    return rows, parent


def _view(
    data: TractsData, lines: npt.NDArray[np.int64], tolerance_um: float
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    rows, parent = _chosen(data, lines)
    kept, edges = simplify(data.zyx_um[rows], parent, tolerance_um)
    return rows[kept], edges


def _thumbnail(data: TractsData, lines: npt.NDArray[np.int64]) -> bytes:
    rows, parent = _chosen(data, lines)
    child = np.flatnonzero(parent >= 0)
    places = data.zyx_um[rows]
    return projection_pictures(places, draw_edges(np.stack([child, parent[child]], axis=1), places))
