"""Surfaces at several levels of detail in Neuroglancer's format `neuroglancer_multilod_draco`, written and read back.

Each level of a surface is one fragment in a cube around the whole of it. Places are (x, y, z) in nanometres, as in
every view of geometry that this platform stores. The format is described in Neuroglancer's
datasource/precomputed/meshes.md.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import DracoPy
import numpy as np
import numpy.typing as npt

from pulvinar.errors import Corrupt, NotFound

Vertices = npt.NDArray[np.float64]
"""Places (n, 3), columns x, y, z, nanometres."""
Faces = npt.NDArray[np.uint32]
"""Triangles (m, 3), rows of the vertices."""

BITS = 16
"""A vertex is exact to a part in 65,535 of the surface's extent."""
_COMPRESSION = 7


def multilod_info(segment_properties: str = "") -> dict[str, Any]:
    """The `info` of a folder of such surfaces."""
    info: dict[str, Any] = {
        "@type": "neuroglancer_multilod_draco",
        "vertex_quantization_bits": BITS,
        "transform": [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0],
        "lod_scale_multiplier": 1,
    }
    return {**info, "segment_properties": segment_properties} if segment_properties else info


def multilod_mesh(levels: Sequence[tuple[Vertices, Faces]], scales_nm: Sequence[float]) -> tuple[bytes, bytes]:
    """A surface's manifest (`<id>.index`) and its fragments (`<id>`), from the finest level on.

    `scales_nm` is how large the details of each level are: a viewer takes the coarsest whose details are below a pixel.
    """
    low = np.min([vertices.min(axis=0) for vertices, _ in levels], axis=0)
    high = np.max([vertices.max(axis=0) for vertices, _ in levels], axis=0)
    side = float(max((high - low).max(), 1.0))
    # the cube of a level is twice that of the finer one, and begins at the same corner
    fragments = [_encoded(vertices, faces, low, side * 2**at) for at, (vertices, faces) in enumerate(levels)]
    count = len(levels)
    manifest = b"".join(
        (
            np.full(3, side, "<f4").tobytes(),
            low.astype("<f4").tobytes(),
            struct.pack("<I", count),
            np.asarray(scales_nm, "<f4").tobytes(),
            np.zeros((count, 3), "<f4").tobytes(),
            np.ones(count, "<u4").tobytes(),
            *(np.zeros(3, "<u4").tobytes() + struct.pack("<I", len(fragment)) for fragment in fragments),
        )
    )
    return manifest, b"".join(fragments)


def _encoded(vertices: Vertices, faces: Faces, low: npt.NDArray[np.float64], side: float) -> bytes:
    encoded: bytes = DracoPy.encode(
        vertices,
        faces,
        quantization_bits=BITS,
        quantization_range=side,
        quantization_origin=low,
        compression_level=_COMPRESSION,
    )
    return encoded


def read_multilod(manifest: bytes, fragments: bytes, level: int = 0) -> tuple[Vertices, Faces]:
    """One level of a surface that `multilod_mesh` wrote. Raises `NotFound` for a level it hasn't, `Corrupt` for what is
    none."""
    try:
        (count,) = struct.unpack_from("<I", manifest, 24)
        sizes = np.frombuffer(manifest, "<u4", offset=28 + count * 20).reshape(count, 4)[:, 3].astype(np.int64)
        if level >= len(sizes):
            raise NotFound(f"this surface has no level {level}", hint=f"its levels are 0 to {len(sizes) - 1}")
        start = int(sizes[:level].sum())
        mesh = DracoPy.decode(fragments[start : start + int(sizes[level])])
    except (struct.error, ValueError, IndexError, DracoPy.FileTypeException) as error:
        raise Corrupt(f"a surface can't be read: {error}", hint="run `pulvinar verify` on its dataset") from error
    return np.asarray(mesh.points, np.float64), np.asarray(mesh.faces, np.uint32)
