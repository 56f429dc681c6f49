"""Meshes, skeletons and annotations of Neuroglancer's precomputed format, each decoded from its bytes.

Stored places are (x, y, z); an `info`'s transform makes nanometres of them. Sources: the format's documents "meshes",
"skeletons" and "annotations".
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pulvinar.errors import UnreadableFile
from pulvinar.ingest.reader import MeshData, SkeletonData

Matrix = npt.NDArray[np.float64]
Places = npt.NDArray[Any]
Bytes = Callable[[int, int], bytes]

_MOST_LEVELS = 64
_ATTRIBUTES = ("float32", "int8", "uint8", "int16", "uint16", "int32", "uint32")


def draco_mesh(data: bytes, name: str) -> tuple[Places, npt.NDArray[np.uint32]]:
    """Vertices (n, 3), as they are encoded, and faces (m, 3) of a mesh that Draco has packed."""
    import DracoPy

    try:
        mesh = DracoPy.decode(data)
        vertices, faces = np.asarray(mesh.points), np.asarray(mesh.faces)
    except Exception as error:
        raise UnreadableFile(f"{name} is damaged: Draco says {error}", hint="copy it again") from error
    if vertices.ndim != 2 or vertices.shape[1] != 3 or (faces.size and faces.shape[1:] != (3,)):
        raise UnreadableFile(f"{name} is damaged: it holds no triangle mesh", hint="copy it again")
    return vertices, faces.reshape(-1, 3).astype(np.uint32)


def legacy_fragment(data: bytes, name: str) -> tuple[Places, npt.NDArray[np.uint32]]:
    """Vertices float32 (n, 3) and faces (m, 3) of one fragment: raw, or packed by Draco."""
    if data.startswith(b"DRACO"):
        return draco_mesh(data, name)
    count = int.from_bytes(data[:4], "little")
    faces_at = 4 + 12 * count
    if len(data) < faces_at or (len(data) - faces_at) % 12:
        raise UnreadableFile(
            f"{name} is truncated: it declares {count} vertices, its {len(data)} bytes hold no such mesh",
            hint="copy it again",
        )
    vertices = np.frombuffer(data, "<f4", 3 * count, 4).reshape(-1, 3)
    return vertices, np.frombuffer(data, "<u4", offset=faces_at).reshape(-1, 3).astype(np.uint32)


def joined(parts: Sequence[tuple[Places, npt.NDArray[np.uint32]]], name: str) -> tuple[Places, npt.NDArray[np.uint32]]:
    """Several meshes as one. Raises `UnreadableFile` for a face without its vertices, or for nothing at all."""
    counts = [len(vertices) for vertices, _ in parts]
    for (_, faces), count in zip(parts, counts, strict=True):
        if faces.size and int(faces.max()) >= count:
            raise UnreadableFile(f"{name} is damaged: a face names a vertex that is not there", hint="copy it again")
    if not sum(counts):
        raise UnreadableFile(f"{name} has no vertices: it is no mesh", hint="leave it out")
    begins = np.cumsum([0, *counts[:-1]])
    shifted = [faces.astype(np.int64) + begin for (_, faces), begin in zip(parts, begins, strict=True)]
    return np.concatenate([vertices for vertices, _ in parts]), np.concatenate(shifted).astype(np.uint32)


def finest_fragments(manifest: bytes, name: str) -> tuple[Matrix, npt.NDArray[np.int64], int]:
    """What a manifest of a mesh of several resolutions says of the finest: origins and steps of its fragments
    (n, 2, 3), the size in bytes of each, and the size of those of all resolutions."""
    fields = np.frombuffer(manifest[: len(manifest) // 4 * 4], "<u4")
    levels = int(fields[6]) if len(fields) > 6 else 0
    if not 0 < levels <= _MOST_LEVELS or len(fields) < 7 + 5 * levels:
        raise UnreadableFile(f"{name}: its manifest declares {levels} levels of detail", hint="copy it again")
    chunk, origin = (fields[at : at + 3].view("<f4").astype(np.float64) for at in (0, 3))
    offset = fields[7 + levels : 10 + levels].view("<f4").astype(np.float64)
    counts = fields[7 + 4 * levels : 7 + 5 * levels].astype(np.int64)
    at = 7 + 5 * levels
    if at + 4 * int(counts.sum()) != len(fields) or len(manifest) % 4:
        raise UnreadableFile(f"{name}: its manifest does not have the length that it declares", hint="copy it again")
    first = int(counts[0])
    positions = fields[at : at + 3 * first].reshape(3, -1).T.astype(np.float64)
    sizes = fields[at + 3 * first : at + 4 * first].astype(np.int64)
    total = int(sizes.sum())
    at += 4 * first
    for count in counts[1:].tolist():
        total += int(fields[at + 3 * count : at + 4 * count].astype(np.int64).sum())
        at += 4 * count
    origins = origin + offset + chunk * positions
    return np.stack([origins, np.broadcast_to(chunk, origins.shape)], axis=1), sizes, total


def multiresolution_mesh(
    manifest: bytes, read: Callable[[int], Bytes], bits: Any, name: str
) -> tuple[Places, npt.NDArray[np.uint32]]:
    """Stored places and faces of the finest resolution of a mesh.

    `read` takes the size of all fragments and gives what reads a part of them; `bits` is the number of bits of a
    coordinate within its fragment.
    """
    if bits not in (10, 16):
        raise UnreadableFile(
            f"{name}: coordinates of {str(bits)[:20]} bits are not known", hint="save it with 10 or 16"
        )
    frames, sizes, total = finest_fragments(manifest, name)
    part = read(total)
    parts, start = [], 0
    for (origin, step), size in zip(frames, sizes.tolist(), strict=True):
        if size:
            vertices, faces = draco_mesh(part(start, size), name)
            parts.append((origin + step * (vertices.astype(np.float64) / (2**bits - 1)), faces))
        start += size
    if not parts:
        raise UnreadableFile(f"{name} has no vertices: it is no mesh", hint="leave it out")
    return joined(parts, name)


def mesh_data(places_um: Matrix, faces: npt.NDArray[np.uint32], transform: Matrix) -> MeshData:
    """A mesh as the platform has it: walked the other way round where the map to (z, y, x) is a mirror."""
    # from (x, y, z) to (z, y, x) is a mirror by name only; a transform that mirrors turns every face inside out
    turned = float(np.linalg.det(transform[:, :3])) < 0
    return MeshData(places_um, np.ascontiguousarray(faces[:, ::-1]) if turned else faces)


def skeleton_parts(data: bytes, said: Any, name: str) -> tuple[Places, npt.NDArray[np.int64], dict[str, Places]]:
    """Places float32 (n, 3), edges (m, 2) and the attributes by name of one skeleton; `said` is the `info`'s list."""
    nodes, edges = (int.from_bytes(data[at : at + 4], "little") for at in (0, 4))
    attributes = list(_attributes(said, name))
    size = 8 + 12 * nodes + 8 * edges + sum(nodes * count * dtype.itemsize for _, dtype, count in attributes)
    if len(data) != size:
        raise UnreadableFile(
            f"{name} is damaged: {nodes} nodes and {edges} edges take {size} bytes, it has {len(data)}",
            hint="copy it again",
        )
    places = np.frombuffer(data, "<f4", 3 * nodes, 8).reshape(-1, 3)
    pairs = np.frombuffer(data, "<u4", 2 * edges, 8 + 12 * nodes).reshape(-1, 2).astype(np.int64)
    if pairs.size and int(pairs.max()) >= nodes:
        raise UnreadableFile(f"{name} is damaged: an edge names a node that is not there", hint="copy it again")
    at, found = 8 + 12 * nodes + 8 * edges, {}
    for key, dtype, count in attributes:
        found[key] = np.frombuffer(data, dtype, nodes * count, at).reshape(nodes, count)
        at += nodes * count * dtype.itemsize
    return places, pairs, found


def _attributes(said: Any, name: str) -> Iterator[tuple[str, np.dtype[Any], int]]:
    for item in said if isinstance(said, list) else []:
        item = item if isinstance(item, dict) else {}
        kind, count = item.get("data_type"), item.get("num_components", 1)
        if kind not in _ATTRIBUTES or type(count) is not int or not 0 < count <= 1024:
            raise UnreadableFile(f"{name}: its attribute {str(item)[:100]} can't be", hint="repair the info")
        yield str(item.get("id")), np.dtype(kind).newbyteorder("<"), count


def forest(places_um: Matrix, pairs: npt.NDArray[np.int64], attributes: dict[str, Places], name: str) -> SkeletonData:
    """Nodes that edges join, as trees: each begins at its node of the lowest number, a soma before others.

    Raises `UnreadableFile` where edges go in a ring.
    """
    count = len(places_um)
    if not count:
        raise UnreadableFile(f"{name} has no nodes", hint="leave it out")
    kinds = _column(attributes, ("type", "vertex_types", "compartment"), count)
    types = np.where((kinds >= 0) & (kinds < 2**15), kinds, 0).astype(np.int16)
    order, parent = _walk(count, pairs, np.argsort(types != 1, kind="stable"), name)
    radius = (_column(attributes, ("radius", "radii"), count, np.nan) / 1000.0).astype(np.float32)
    radius[~(radius > 0) | ~np.isfinite(radius)] = np.nan
    return SkeletonData(places_um[order], radius[order], parent, types[order], order.astype(np.int64) + 1)


def _column(attributes: dict[str, Places], names: Sequence[str], count: int, missing: float = 0) -> Matrix:
    found = next((attributes[name] for name in names if name in attributes and attributes[name].shape[1] == 1), None)
    values = np.full(count, missing) if found is None else found[:, 0].astype(np.float64)
    return np.where(np.isfinite(values), values, missing)


def _walk(
    count: int, pairs: npt.NDArray[np.int64], starts: npt.NDArray[np.intp], name: str
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The rows with parents before children, and the place of each one's parent in them, -1 at a root."""
    both = np.unique(np.sort(pairs, axis=1), axis=0)
    if (both[:, 0] == both[:, 1]).any():
        raise _ring(name, int(both[both[:, 0] == both[:, 1]][0, 0]))
    ends = np.concatenate([both, both[:, ::-1]])
    ends = ends[np.argsort(ends[:, 0], kind="stable")]
    first = np.searchsorted(ends[:, 0], np.arange(count + 1)).tolist()
    others = ends[:, 1].tolist()
    place = [-1] * count
    order: list[int] = []
    parent: list[int] = []
    for root in starts.tolist():
        if place[root] >= 0:
            continue
        waiting = deque([(root, -1)])
        while waiting:
            row, above = waiting.popleft()
            if place[row] >= 0:
                raise _ring(name, row)
            place[row] = len(order)
            order.append(row)
            parent.append(-1 if above < 0 else place[above])
            waiting.extend((other, row) for other in others[first[row] : first[row + 1]] if other != above)
    return np.asarray(order, np.int64), np.asarray(parent, np.int64)


def _ring(name: str, row: int) -> UnreadableFile:
    return UnreadableFile(f"{name}: its edges go in a ring through node {row}: it is no tree", hint="cut the ring")
