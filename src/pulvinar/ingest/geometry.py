"""Skeletons, meshes, points and tables as stored objects: a canonical file, and a view that Neuroglancer reads.

Inside, lengths are micrometres in (z, y, x). Canonical files say so in their column names. The views follow
Neuroglancer's precomputed format, whose axes are (x, y, z) and whose unit for skeletons and meshes is the nanometre.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image, ImageDraw

from pulvinar.errors import Invalid
from pulvinar.ingest.annotations import annotation_files
from pulvinar.ingest.pictures import Picture, projection_pictures
from pulvinar.ingest.reader import GeometryData, MeshData, PointsData, SkeletonData, TableData

NM_PER_UM = 1000.0
SEGMENT = 1
"""The id under which the one skeleton or mesh of an asset is found in its view."""
OVERVIEW = 2
"""The id of a skeleton's second form: the same branch points and ends, and fewer nodes between them."""
OVERVIEW_STEPS = 1024
"""An overview strays from the exact skeleton by at most this part of its largest extent: by less than a pixel while the
whole of it fits on a screen. Whoever comes nearer is shown the exact one."""


@dataclass(frozen=True)
class GeometryFiles:
    """The objects of an asset, by path, and what is to be known of it without opening them."""

    files: Mapping[str, bytes]
    details: Mapping[str, Any]


def geometry_files(data: GeometryData, name: str) -> GeometryFiles:
    """What is stored of `data`; raises `Invalid` when places are not finite or rows point nowhere."""
    if isinstance(data, SkeletonData):
        return _skeleton(data, name)
    if isinstance(data, MeshData):
        return _mesh(data, name)
    if isinstance(data, PointsData):
        return _points(data)
    return _table(data)


def _skeleton(data: SkeletonData, name: str) -> GeometryFiles:
    _check_places(data.zyx_um, name)
    count = len(data.zyx_um)
    if np.any((data.parent >= count) | (data.parent < -1)):
        raise Invalid(f"{name}: a node's parent is not a row of the table")
    child = np.flatnonzero(data.parent >= 0)
    edges = np.stack([child, data.parent[child]], axis=1).astype("<u4")
    info = {
        "@type": "neuroglancer_skeletons",
        "transform": [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0],
        "vertex_attributes": [
            {"id": "radius", "data_type": "float32", "num_components": 1},
            {"id": "type", "data_type": "float32", "num_components": 1},
        ],
        "segment_properties": "segments",
    }
    columns: dict[str, npt.NDArray[Any]] = {
        "node_id": data.node_id,
        "parent": data.parent,
        "type_code": data.type_code,
        **_place_columns(data.zyx_um),
        "radius_um": data.radius_um,
    }
    steps = np.linalg.norm(data.zyx_um[child] - data.zyx_um[data.parent[child]], axis=1)
    details: dict[str, Any] = {
        **_extent(data.zyx_um),
        "roots": int(np.count_nonzero(data.parent < 0)),
        "length_um": float(steps.sum()),
    }
    files = {
        "skeleton.parquet": parquet(columns),
        "precomputed/info": _json(info),
        f"precomputed/{SEGMENT}": _fragment(data, np.arange(count), edges),
        "precomputed/segments/info": _json(segment_properties({SEGMENT: name})),
        "quality/thumbnail.webp": projection_pictures(data.zyx_um, _draw_edges(edges, data.zyx_um)),
    }
    tolerance = float(np.ptp(data.zyx_um, axis=0).max()) / OVERVIEW_STEPS
    rows, fewer = simplify(data.zyx_um, data.parent, tolerance)
    if len(rows) < 0.8 * count:
        files[f"precomputed/{OVERVIEW}"] = _fragment(data, rows, fewer)
        details["overview"] = {"segment": OVERVIEW, "tolerance_um": tolerance, "count": len(rows)}
    return GeometryFiles(files, {**details, "precomputed": "precomputed"})


def _fragment(data: SkeletonData, rows: npt.NDArray[Any], edges: npt.NDArray[Any]) -> bytes:
    """The nodes `rows` of a skeleton as Neuroglancer reads them; `edges` are pairs of places in `rows`."""
    radius = np.nan_to_num(data.radius_um[rows], nan=0.0).astype("<f4")
    return b"".join(
        (
            np.array([len(rows), len(edges)], "<u4").tobytes(),
            _xyz_nm(data.zyx_um[rows]),
            edges.astype("<u4").tobytes(),
            (radius * NM_PER_UM).astype("<f4").tobytes(),
            data.type_code[rows].astype("<f4").tobytes(),
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


def _mesh(data: MeshData, name: str) -> GeometryFiles:
    _check_places(data.zyx_um, name)
    if data.faces.size and int(data.faces.max()) >= len(data.zyx_um):
        raise Invalid(f"{name}: a face names a vertex that does not exist")
    fragment = b"".join(
        (np.array([len(data.zyx_um)], "<u4").tobytes(), _xyz_nm(data.zyx_um), data.faces.astype("<u4").tobytes())
    )
    files = {
        "mesh.ply": _ply(data),
        "precomputed/info": _json({"@type": "neuroglancer_legacy_mesh", "segment_properties": "segments"}),
        f"precomputed/{SEGMENT}:0": _json({"fragments": [f"{SEGMENT}.fragment"]}),
        f"precomputed/{SEGMENT}.fragment": fragment,
        "precomputed/segments/info": _json(segment_properties({SEGMENT: name})),
        "quality/thumbnail.webp": projection_pictures(data.zyx_um, _draw_mesh(data)),
    }
    details = {**_extent(data.zyx_um), "faces": len(data.faces), "precomputed": "precomputed"}
    return GeometryFiles(files, details)


def _points(data: PointsData) -> GeometryFiles:
    kept = np.isfinite(data.zyx_um).all(axis=1)
    if not kept.any():
        raise Invalid("the table has no row with a place")
    places = data.zyx_um[kept]
    columns = {name: values[kept] for name, values in data.columns.items()}
    clash = {"z_um", "y_um", "x_um"}
    own = {name: values for name, values in data.columns.items() if name not in clash}
    files = {
        "points.parquet": parquet({**_place_columns(data.zyx_um), **own}),
        **{f"precomputed/{path}": data for path, data in annotation_files(places, columns).items()},
        "quality/thumbnail.webp": projection_pictures(places, _draw_points),
    }
    details = {
        **_extent(places),
        "rows_without_place": int(np.count_nonzero(~kept)),
        "columns": list(data.columns),
        "precomputed": "precomputed",
    }
    return GeometryFiles(files, details)


def _table(data: TableData) -> GeometryFiles:
    rows = len(next(iter(data.columns.values()), []))
    return GeometryFiles({"table.parquet": parquet(data.columns)}, {"count": rows, "columns": list(data.columns)})


def parquet(columns: Mapping[str, npt.NDArray[Any]]) -> bytes:
    """`columns` as a Parquet file (zstd); text columns keep empty fields as null."""
    arrays = {name: _arrow(values) for name, values in columns.items()}
    sink = io.BytesIO()
    pq.write_table(pa.table(arrays), sink, compression="zstd")
    return sink.getvalue()


def segment_properties(
    labels: Mapping[int, str], tags: Mapping[int, str] | None = None, colours: Mapping[int, str] | None = None
) -> dict[str, Any]:
    """Neuroglancer's segment properties document: the name of each id, a short description, a colour as #RRGGBB."""
    ids = sorted(labels)
    properties: list[dict[str, Any]] = [{"id": "label", "type": "label", "values": [labels[key] for key in ids]}]
    if tags:
        properties.append({"id": "description", "type": "description", "values": [tags.get(key, "") for key in ids]})
    if colours:
        shown = [f"#{colours[key]}" if key in colours else "" for key in ids]
        properties.append({"id": "color", "type": "string", "values": shown})
    return {
        "@type": "neuroglancer_segment_properties",
        "inline": {"ids": [str(key) for key in ids], "properties": properties},
    }


def _arrow(values: npt.NDArray[Any]) -> Any:
    if values.dtype.kind in "OUS":
        return pa.array([None if item is None or item == "" else str(item) for item in values], pa.string())
    return pa.array(values)


def _check_places(zyx_um: npt.NDArray[np.float64], name: str) -> None:
    if not len(zyx_um) or not np.isfinite(zyx_um).all():
        raise Invalid(f"{name}: {'has no points' if not len(zyx_um) else 'a coordinate is not a finite number'}")


def _extent(zyx_um: npt.NDArray[np.float64]) -> dict[str, Any]:
    return {"count": len(zyx_um), "bounds_um": [zyx_um.min(axis=0).tolist(), zyx_um.max(axis=0).tolist()]}


def _place_columns(zyx_um: npt.NDArray[np.float64]) -> dict[str, npt.NDArray[np.float64]]:
    return {"z_um": zyx_um[:, 0], "y_um": zyx_um[:, 1], "x_um": zyx_um[:, 2]}


def _xyz_nm(zyx_um: npt.NDArray[np.float64]) -> bytes:
    return np.ascontiguousarray(zyx_um[:, ::-1] * NM_PER_UM, dtype="<f4").tobytes()


def _ply(data: MeshData) -> bytes:
    """The mesh as binary PLY: vertices x, y, z as doubles in micrometres, faces as triples."""
    header = (
        "ply\nformat binary_little_endian 1.0\ncomment unit micrometre\n"
        f"element vertex {len(data.zyx_um)}\nproperty double x\nproperty double y\nproperty double z\n"
        f"element face {len(data.faces)}\nproperty list uchar uint vertex_indices\nend_header\n"
    )
    faces = np.empty(len(data.faces), np.dtype([("count", "u1"), ("rows", "<u4", 3)]))
    faces["count"], faces["rows"] = 3, data.faces
    return header.encode() + np.ascontiguousarray(data.zyx_um[:, ::-1], "<f8").tobytes() + faces.tobytes()


def _draw_edges(edges: npt.NDArray[Any], zyx_um: npt.NDArray[np.float64]) -> Any:
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


def _draw_mesh(data: MeshData) -> Any:
    """Vertices shaded by how the surface faces the viewer: the rim of a brain is bright, its front dim."""
    normals = _vertex_normals(data)
    flat = int(np.argmin(np.ptp(data.zyx_um, axis=0)))
    rim = np.abs(1 - np.abs(normals[:, flat]))

    def draw(places: npt.NDArray[Any], side: int) -> Picture:
        # shade between vertices by splatting each face's corners and middle
        corners = data.faces.astype(np.int64)
        spots = np.concatenate([places, *_inside_faces(places, corners)])
        light = np.concatenate([rim, *([rim[corners].mean(axis=1)] * 4)])
        return _splat(spots, light, side, np.array([0.55, 0.85, 1.0]), soft=True)

    return draw


def _inside_faces(places: npt.NDArray[Any], corners: npt.NDArray[np.int64]) -> list[npt.NDArray[Any]]:
    a, b, c = (places[corners[:, index]] for index in range(3))
    return [(a + b + c) / 3, (4 * a + b + c) / 6, (a + 4 * b + c) / 6, (a + b + 4 * c) / 6]


def _vertex_normals(data: MeshData) -> npt.NDArray[np.float64]:
    a, b, c = (data.zyx_um[data.faces[:, index]] for index in range(3))
    faces = np.cross(b - a, c - a)
    normals = np.zeros_like(data.zyx_um)
    for index in range(3):
        np.add.at(normals, data.faces[:, index], faces)
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    unit: npt.NDArray[np.float64] = normals / np.where(length > 0, length, 1)
    return unit


def _draw_points(places: npt.NDArray[Any], side: int) -> Picture:
    return _splat(places, np.ones(len(places)), side, np.array([1.0, 0.8, 0.45]), soft=len(places) > 5000)


def _splat(
    places: npt.NDArray[Any], light: npt.NDArray[Any], side: int, tint: npt.NDArray[Any], *, soft: bool
) -> Picture:
    """Dots of light added up and compressed, so that dense places stay readable."""
    rows, columns = np.clip(places.round().astype(np.int64), 1, side - 2).T
    sky = np.zeros((side, side))
    reach = 1 if soft else 3
    for down in range(-reach, reach + 1):
        for right in range(-reach, reach + 1):
            if down * down + right * right <= reach * reach + 0.5:
                at = np.clip(rows + down, 0, side - 1), np.clip(columns + right, 0, side - 1)
                np.add.at(sky, at, light)
    top = max(float(np.percentile(sky[sky > 0], 99)) if sky.any() else 1.0, 1e-9)
    shade = np.clip(sky / top, 0, 1) ** 0.6
    picture: Picture = (shade[..., None] * tint * 255).astype(np.uint8)
    return picture


def _json(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
