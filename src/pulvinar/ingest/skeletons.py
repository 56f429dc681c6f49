"""Neurons as stored objects: a table of nodes, and three forms that Neuroglancer reads: the exact one, an overview, and
one for a crowd."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from pulvinar.errors import Invalid
from pulvinar.ingest.canonical import (
    NM_PER_UM,
    SEGMENT,
    GeometryFiles,
    check_places,
    extent,
    json_bytes,
    parquet,
    place_columns,
    segment_properties,
    xyz_nm,
)
from pulvinar.ingest.pictures import Picture, projection_pictures
from pulvinar.ingest.reader import SkeletonData

OVERVIEW = 2
"""The id of a skeleton's second form: the same branch points and ends, and fewer nodes between them."""
OVERVIEW_STEPS = 1024
"""An overview strays from the exact skeleton by at most this part of its largest extent: by less than a pixel while the
whole of it fits on a screen. Whoever comes nearer is shown the exact one."""

CROWD = 3
"""The id of the form for thousands of neurons on one screen: no short twigs, and fewer nodes still."""
CROWD_STEPS = 256
"""The form for a crowd strays by at most this part of the largest extent; a twig as short as twice that is left out."""


def skeleton_files(data: SkeletonData, name: str) -> GeometryFiles:
    """What is stored of a neuron; raises `Invalid` when a place is not finite or a parent is no row."""
    check_places(data.zyx_um, name)
    count = len(data.zyx_um)
    if np.any((data.parent >= count) | (data.parent < -1)):
        raise Invalid(f"{name}: a node's parent is not a row of the table")
    child = np.flatnonzero(data.parent >= 0)
    edges = np.stack([child, data.parent[child]], axis=1).astype("<u4")
    columns: dict[str, npt.NDArray[Any]] = {
        "node_id": data.node_id,
        "parent": data.parent,
        "type_code": data.type_code,
        **place_columns(data.zyx_um),
        "radius_um": data.radius_um,
    }
    steps = np.linalg.norm(data.zyx_um[child] - data.zyx_um[data.parent[child]], axis=1)
    details: dict[str, Any] = {
        **extent(data.zyx_um),
        "roots": int(np.count_nonzero(data.parent < 0)),
        **_branching(data.parent),
        "length_um": float(steps.sum()),
    }
    attributes = [np.nan_to_num(data.radius_um, nan=0.0) * NM_PER_UM, data.type_code]
    files = {
        "skeleton.parquet": parquet(columns),
        "precomputed/info": json_bytes(skeleton_info("radius", "type")),
        f"precomputed/{SEGMENT}": fragment(data.zyx_um, edges, attributes),
        "precomputed/segments/info": json_bytes(segment_properties({SEGMENT: name})),
        "quality/thumbnail.webp": projection_pictures(data.zyx_um, draw_edges(edges, data.zyx_um)),
    }
    tolerance = float(np.ptp(data.zyx_um, axis=0).max()) / OVERVIEW_STEPS
    rows, fewer = simplify(data.zyx_um, data.parent, tolerance)
    if len(rows) < 0.8 * count:
        files[f"precomputed/{OVERVIEW}"] = fragment(data.zyx_um[rows], fewer, [values[rows] for values in attributes])
        details["overview"] = {"segment": OVERVIEW, "tolerance_um": tolerance, "count": len(rows)}
    coarse = tolerance * OVERVIEW_STEPS / CROWD_STEPS
    rows, fewer = without_twigs(data.zyx_um, rows, fewer, coarse)
    if len(rows) < 0.8 * count:
        files[f"precomputed/{CROWD}"] = fragment(data.zyx_um[rows], fewer, [values[rows] for values in attributes])
        details["crowd"] = {"segment": CROWD, "tolerance_um": coarse, "count": len(rows)}
    return GeometryFiles(files, {**details, "precomputed": "precomputed"})


def _branching(parent: npt.NDArray[np.int64]) -> dict[str, int]:
    """How many nodes have several children, and how many have none; a root is neither, for a soma is both often."""
    children = np.bincount(parent[parent >= 0], minlength=len(parent))[parent >= 0]
    return {"branch_points": int(np.count_nonzero(children > 1)), "ends": int(np.count_nonzero(children == 0))}


def skeleton_info(*attributes: str) -> dict[str, Any]:
    """Neuroglancer's `info` of skeletons with these values a node."""
    return {
        "@type": "neuroglancer_skeletons",
        "transform": [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0],
        "vertex_attributes": [{"id": name, "data_type": "float32", "num_components": 1} for name in attributes],
        "segment_properties": "segments",
    }


def fragment(zyx_um: npt.NDArray[np.float64], edges: npt.NDArray[Any], attributes: Sequence[npt.NDArray[Any]]) -> bytes:
    """Nodes and the pairs of rows that are joined, as Neuroglancer reads them; `attributes` as its `info` names them,
    a value a node each."""
    return b"".join(
        (
            np.array([len(zyx_um), len(edges)], "<u4").tobytes(),
            xyz_nm(zyx_um),
            edges.astype("<u4").tobytes(),
            *(values.astype("<f4").tobytes() for values in attributes),
        )
    )


def simplify(
    zyx_um: npt.NDArray[np.float64], parent: npt.NDArray[np.int64], tolerance_um: float
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Fewer nodes for a forest: the rows that stay, and its edges as pairs of places in those rows.

    Roots, branch points and ends stay; no node that goes was farther than `tolerance_um` from the line that takes its
    place (Ramer, Douglas and Peucker).
    """
    stays = (np.bincount(parent[parent >= 0], minlength=len(parent)) != 1) | (parent < 0)
    above, fixed = parent.tolist(), stays.tolist()
    edges: list[tuple[int, int]] = []
    for end in np.flatnonzero(stays & (parent >= 0)).tolist():
        path = [end]
        while len(path) == 1 or not fixed[path[-1]]:
            path.append(above[path[-1]])
        kept = [path[place] for place in _straightened(zyx_um[path], tolerance_um)]
        edges.extend(pairwise(kept))
    pairs = np.array(edges, np.int64).reshape(-1, 2)
    stays[pairs] = True
    place_of = np.cumsum(stays) - 1
    return np.flatnonzero(stays), place_of[pairs]


def without_twigs(
    zyx_um: npt.NDArray[np.float64], rows: npt.NDArray[np.int64], edges: npt.NDArray[np.int64], tolerance_um: float
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Fewer nodes still of what `simplify` gave, in the same form: without the branches that reach no farther than
    twice `tolerance_um` from where they leave, and simplified to it.

    Where a neurite forks, the branch that reaches farthest goes on, however short it is.
    """
    parent = np.full(len(rows), -1, np.int64)
    parent[edges[:, 0]] = edges[:, 1]
    places = zyx_um[rows]
    steps = np.linalg.norm(places - places[parent], axis=1)
    reach, longest = np.zeros(len(rows)), np.full(len(rows), -1, np.int64)
    waits = np.bincount(parent[parent >= 0], minlength=len(rows))
    tips_first = np.flatnonzero(waits == 0).tolist()
    for node in tips_first:  # it grows: a node comes when all above which it stands have come
        above = int(parent[node])
        if above < 0:
            continue
        if longest[above] < 0 or reach[node] + steps[node] > reach[above]:
            reach[above], longest[above] = reach[node] + steps[node], node
        waits[above] -= 1
        if not waits[above]:
            tips_first.append(above)
    stays = np.zeros(len(rows), bool)
    for node in reversed(tips_first):
        above = int(parent[node])
        far = above >= 0 and (longest[above] == node or reach[node] + steps[node] > 2 * tolerance_um)
        stays[node] = above < 0 or (stays[above] and far)
    kept = np.flatnonzero(stays)
    place_of = np.cumsum(stays) - 1
    left, fewer = simplify(places[kept], np.where(parent[kept] >= 0, place_of[parent[kept]], -1), tolerance_um)
    return rows[kept[left]], fewer


def _straightened(path: npt.NDArray[np.float64], tolerance: float) -> list[int]:
    """The places of `path` that stay, in order, its two ends among them."""
    kept, open_spans = {0, len(path) - 1}, [(0, len(path) - 1)]
    while open_spans:
        first, last = open_spans.pop()
        if last - first < 2:
            continue
        chord, away = path[last] - path[first], path[first + 1 : last] - path[first]
        length = float(chord @ chord)
        share = np.clip(away @ chord / length, 0, 1) if length else np.zeros(len(away))
        distance = np.linalg.norm(away - share[:, None] * chord, axis=1)
        farthest = int(distance.argmax())
        if distance[farthest] > tolerance:
            middle = first + 1 + farthest
            kept.add(middle)
            open_spans += [(first, middle), (middle, last)]
    return sorted(kept)


def draw_edges(edges: npt.NDArray[Any], zyx_um: npt.NDArray[np.float64]) -> Any:
    """Draws lines between places for `projection_pictures`, nearer ones in another tone."""
    depth_axis = int(np.argmin(zyx_um.max(axis=0) - zyx_um.min(axis=0)))
    depth = zyx_um[:, depth_axis]
    shade = (depth - depth.min()) / max(float(np.ptp(depth)), 1e-9)

    def draw(places: npt.NDArray[Any], side: int) -> Picture:
        canvas = Image.new("RGB", (side, side))
        pen = ImageDraw.Draw(canvas)
        for child, parent in edges.tolist():
            tone = float(shade[child])
            color = (int(120 + 135 * tone), int(200 - 60 * tone), int(255 - 160 * tone))
            pen.line([tuple(places[child][::-1]), tuple(places[parent][::-1])], fill=color, width=2)
        return np.asarray(canvas)

    return draw
