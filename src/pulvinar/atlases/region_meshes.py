"""The surfaces of an atlas's regions, each of a region and all below it: between two children there is no wall."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array

from pulvinar.atlases.annotation import Annotation
from pulvinar.errors import NotFound
from pulvinar.model.ontology import Ontology
from pulvinar.storage.mesh_format import Faces, Vertices, multilod_info, multilod_mesh, read_multilod
from pulvinar.storage.store import Store

FOLDER = "precomputed"
"""The folder of the surfaces in their asset."""

_MOST_VOXELS = 1_500_000
"""A region whose box has more is drawn from a coarser level."""
_MOST_FACES = 60_000
_COARSER = 4
"""How many times fewer triangles each level of detail has."""
_FEWEST_FACES = 600
_LEVELS = 3
# Taubin (1995), "A signal processing approach to fair surface design": a step inwards, a larger one outwards, so that
# the stairs of voxels go and the volume stays
_INWARDS, _OUTWARDS, _ROUNDS = 0.5, -0.53, 12
_simplifying = Lock()
"""The library keeps its surface in variables that all threads share."""


def surface_files(
    annotation: Annotation, progress: Callable[[int, int], None] = lambda done, total: None, *, threads: int = 2
) -> Iterator[tuple[str, bytes]]:
    """The objects of an atlas's surfaces, one after the other: for every region with voxels, its own or of what is
    below it, its manifest and fragments, then the `info` and the names. Memory: the box of a region at a level where it
    has a million and a half voxels at most, a few at a time."""
    regions = regions_with_voxels(annotation)

    def encoded(region: int) -> tuple[bytes, bytes]:
        made = region_surface(annotation, region)
        return multilod_mesh(made, _scales(annotation, made))

    with ThreadPoolExecutor(max(1, threads)) as pool:
        for done, (region, (manifest, fragments)) in enumerate(
            zip(regions, pool.map(encoded, regions), strict=True), 1
        ):
            yield f"{FOLDER}/{region}.index", manifest
            yield f"{FOLDER}/{region}", fragments
            progress(done, len(regions))
    yield f"{FOLDER}/info", _json(multilod_info("segments"))
    yield f"{FOLDER}/segments/info", _json(_segments(annotation.ontology, regions))


def regions_with_voxels(annotation: Annotation) -> list[int]:
    """The regions that have a surface, in the tree's order."""
    ontology = annotation.ontology
    labels = [label for label in annotation.index.labels.tolist() if label in ontology]
    above = {one.id for label in labels for one in ontology.ancestors(label, itself=True)}
    return sorted(above, key=ontology.position)


def region_surface(annotation: Annotation, region_id: int) -> list[tuple[Vertices, Faces]]:
    """The closed surface of a region and all below it at up to three levels of detail, from the finest on, in
    nanometres (x, y, z) of the atlas's space. Raises `NotFound` for a region without voxels."""
    vertices, faces = _marched(annotation, region_id)
    vertices = _smoothed(vertices, faces)
    matrix = annotation.voxel_to_space_um
    placed = (vertices @ matrix[:3, :3].T + matrix[:3, 3])[:, ::-1] * 1000
    # both the axes' order and an affine may mirror: triangles are to face outwards after all
    if _enclosed(placed, faces) < 0:
        faces = faces[:, ::-1]
    placed = _as_large_as(placed, faces, annotation.volume_of(region_id) * 1e18)
    levels = [_simplified(placed, faces, _MOST_FACES)]
    while len(levels) < _LEVELS and len(levels[-1][1]) > _FEWEST_FACES:
        levels.append(_simplified(*levels[-1], len(levels[-1][1]) // _COARSER))
    return levels


def _marched(annotation: Annotation, region_id: int) -> tuple[Vertices, npt.NDArray[np.int64]]:
    """Marching cubes around a region's mask: vertices in voxels (z, y, x) of level 0, faces."""
    from skimage.measure import marching_cubes

    levels = annotation.volume.volume.levels
    for number in range(_level_for(annotation, region_id), -1, -1):
        mask = annotation.mask_of(region_id, number)
        # a thin region can have no voxel left at a coarser level
        if mask is not None:
            break
    else:
        raise NotFound(f"region {region_id} has no voxel", hint="ask a region that has some")
    factor = np.divide(levels[mask.level].voxel_size_um, levels[0].voxel_size_um)
    vertices, faces, _, _ = marching_cubes(np.pad(mask.voxels, 1).astype(np.uint8), 0.5)
    at_level = vertices.astype(np.float64) - 1 + np.array(mask.start)
    return (at_level + 0.5) * factor - 0.5, faces.astype(np.int64)


def _level_for(annotation: Annotation, region_id: int) -> int:
    """The finest level at which the region's box is small enough."""
    box = annotation.box_of(region_id)
    if box is None:
        return 0
    levels = annotation.volume.volume.levels
    for number, level in enumerate(levels):
        factor = np.divide(level.voxel_size_um, levels[0].voxel_size_um)
        if np.prod((box[1] - box[0]) / factor) <= _MOST_VOXELS:
            return number
    return len(levels) - 1


def _smoothed(vertices: Vertices, faces: npt.NDArray[np.int64]) -> Vertices:
    """Taubin's smoothing with equal weights of neighbours."""
    count = len(vertices)
    a, b = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).T
    joined = coo_array((np.ones(2 * len(a)), (np.r_[a, b], np.r_[b, a])), shape=(count, count)).tocsr()
    joined.data[:] = 1
    degree = np.maximum(np.asarray(joined.sum(axis=1)).ravel(), 1)[:, None]
    for _ in range(_ROUNDS):
        for step in (_INWARDS, _OUTWARDS):
            vertices = vertices + step * (joined @ vertices / degree - vertices)
    return vertices


def _enclosed(vertices: Vertices, faces: npt.NDArray[np.int64]) -> float:
    """The volume that a closed surface encloses, negative where its triangles face inwards."""
    a, b, c = (vertices[faces[:, corner]] for corner in range(3))
    return float((a * np.cross(b, c)).sum()) / 6


def _as_large_as(vertices: Vertices, faces: npt.NDArray[np.int64], volume: float) -> Vertices:
    """The surface moved along its normals until it encloses `volume`: marching cuts the corners of small regions."""
    count = len(faces)
    belongs = (faces.ravel(), np.repeat(np.arange(count), 3))
    faces_of_vertex = coo_array((np.ones(3 * count), belongs), shape=(len(vertices), count)).tocsr()
    for _ in range(3):
        a, b, c = (vertices[faces[:, corner]] for corner in range(3))
        normals = np.cross(b - a, c - a)
        enclosed = float((a * normals).sum()) / 6
        area = float(np.linalg.norm(normals, axis=1).sum()) / 2
        at_vertices = faces_of_vertex @ normals
        length = np.linalg.norm(at_vertices, axis=1, keepdims=True)
        vertices = vertices + (volume - enclosed) / area * at_vertices / np.where(length > 0, length, 1)
    return vertices


def _simplified(vertices: Vertices, faces: npt.NDArray[Any], most: int) -> tuple[Vertices, Faces]:
    """The same surface with at most about `most` triangles."""
    from fast_simplification import simplify

    if len(faces) > most:
        corners, triangles = np.ascontiguousarray(vertices, np.float64), np.ascontiguousarray(faces, np.int32)
        with _simplifying:
            vertices, faces = simplify(corners, triangles, target_count=most)
    return np.asarray(vertices, np.float64), np.asarray(faces, np.uint32)


def _scales(annotation: Annotation, levels: list[tuple[Vertices, Faces]]) -> list[float]:
    """How large details are at each level, in nanometres: edges grow as the root of what triangles get fewer."""
    finest = float(min(annotation.volume.volume.voxel_size_um)) * 1000
    return [finest * (len(levels[0][1]) / max(1, len(faces))) ** 0.5 for _, faces in levels]


def _segments(ontology: Ontology, regions: list[int]) -> dict[str, Any]:
    """Names of the surfaces as Neuroglancer's segment properties."""
    named = [ontology.region(one) for one in regions]
    properties = [
        {"id": "label", "type": "label", "values": [one.acronym or one.name for one in named]},
        {"id": "description", "type": "description", "values": [one.name for one in named]},
    ]
    inline = {"ids": [str(one.id) for one in named], "properties": properties}
    return {"@type": "neuroglancer_segment_properties", "inline": inline}


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def read_surface(store: Store, prefix: str, region_id: int, level: int = 0) -> tuple[Vertices, Faces]:
    """A stored surface of a region: vertices (n, 3) in micrometres (z, y, x) of the atlas's space, faces (m, 3).

    `prefix` is that of the surfaces' asset. Raises `NotFound` for a region that has none.
    """
    try:
        manifest = store.read(f"{prefix}/{FOLDER}/{region_id}.index")
    except NotFound as error:
        raise NotFound(f"region {region_id} has no surface", hint="ask a region that has voxels") from error
    vertices, faces = read_multilod(manifest, store.read(f"{prefix}/{FOLDER}/{region_id}"), level)
    return vertices[:, ::-1] / 1000, faces


def regions_with_surface(store: Store, prefix: str) -> frozenset[int]:
    """The regions that have a stored surface; `prefix` is that of the surfaces' asset."""
    names = (entry.key.rpartition("/")[2] for entry in store.list(f"{prefix}/{FOLDER}"))
    return frozenset(int(name.removesuffix(".index")) for name in names if name.endswith(".index"))
