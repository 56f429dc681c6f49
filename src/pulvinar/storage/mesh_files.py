"""Surfaces as files for other programs, x y z in micrometres: binary PLY, Wavefront OBJ, binary STL and NumPy's NPZ."""

from __future__ import annotations

import io
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from pulvinar.storage.mesh_format import Faces, Vertices

_STL_HEADER = 80
_STL_TRIANGLE = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attributes", "<u2")])


class SurfaceFormat(StrEnum):
    """The kinds of files that a surface can be had as."""

    PLY = "ply"
    OBJ = "obj"
    STL = "stl"
    NPZ = "npz"


def surface_file(form: SurfaceFormat, zyx_um: Vertices, faces: Faces, note: str = "") -> bytes:
    """The surface with the vertices (n, 3), columns (z, y, x), micrometres, and faces (m, 3) as a file of `form`.

    Vertices are written x, y, z; in an NPZ they are the array `zyx_um`, beside `faces`. `note` (ASCII) says which space
    they are of, where the form has room for it.
    """
    if form is SurfaceFormat.PLY:
        return ply(zyx_um, faces, note)
    if form is SurfaceFormat.OBJ:
        return _obj(zyx_um, faces, note)
    return _stl(zyx_um, faces, note) if form is SurfaceFormat.STL else _npz(zyx_um, faces)


def ply(zyx_um: Vertices, faces: Faces, note: str = "") -> bytes:
    """Binary PLY: vertices x, y, z as doubles in micrometres, faces as triples."""
    said = "".join(f"comment {one}\n" for one in ("unit micrometre", note) if one)
    header = (
        f"ply\nformat binary_little_endian 1.0\n{said}"
        f"element vertex {len(zyx_um)}\nproperty double x\nproperty double y\nproperty double z\n"
        f"element face {len(faces)}\nproperty list uchar uint vertex_indices\nend_header\n"
    )
    rows = np.empty(len(faces), np.dtype([("count", "u1"), ("rows", "<u4", 3)]))
    rows["count"], rows["rows"] = 3, faces
    return header.encode("ascii") + np.ascontiguousarray(zyx_um[:, ::-1], "<f8").tobytes() + rows.tobytes()


def _obj(zyx_um: Vertices, faces: Faces, note: str) -> bytes:
    written = io.StringIO()
    written.writelines(f"# {one}\n" for one in ("unit micrometre", note) if one)
    np.savetxt(written, zyx_um[:, ::-1], "v %.3f %.3f %.3f")
    np.savetxt(written, faces.astype(np.int64) + 1, "f %d %d %d")
    return written.getvalue().encode("ascii")


def _stl(zyx_um: Vertices, faces: Faces, note: str) -> bytes:
    corners: npt.NDArray[np.float64] = np.asarray(zyx_um, np.float64)[:, ::-1][faces.astype(np.int64)]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    triangles = np.zeros(len(faces), _STL_TRIANGLE)
    triangles["corners"], triangles["normal"] = corners, normals / np.where(length > 0, length, 1)
    # a header that begins with "solid" would be read as the other, written form
    header = f"unit micrometre; {note}".encode("ascii")[:_STL_HEADER].ljust(_STL_HEADER)
    return header + np.uint32(len(faces)).tobytes() + triangles.tobytes()


def _npz(zyx_um: Vertices, faces: Faces) -> bytes:
    written = io.BytesIO()
    np.savez_compressed(written, zyx_um=zyx_um, faces=faces)
    return written.getvalue()
