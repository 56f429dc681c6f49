"""Surfaces, values of their vertices, and streamlines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import trimesh
from nibabel.cifti2 import BrainModelAxis, Cifti2Image, ScalarAxis, SeriesAxis
from nibabel.streamlines import Field, Tractogram
from tests.ingest.sources import GEOMETRY

from benchmarks._formats.entry import Format

_FACES = 1_000_000
_LINES, _POINTS_PER_LINE = 100_000, 60


def _surface(faces: int = _FACES) -> tuple[Any, Any]:
    """A sheet of triangles: vertices (n, 3) and faces (m, 3)."""
    side = int((faces / 2) ** 0.5) + 1
    y, x = (axis.ravel() for axis in np.mgrid[:side, :side])
    z = np.random.default_rng(7).normal(0, 0.3, side * side)
    corner = (np.arange(side - 1)[:, None] * side + np.arange(side - 1)).ravel()
    upper = np.stack([corner, corner + 1, corner + side], axis=1)
    lower = np.stack([corner + 1, corner + side + 1, corner + side], axis=1)
    return np.stack([x, y, z], axis=1).astype(np.float32), np.concatenate([upper, lower]).astype(np.int32)


def _exported(name: str, faces: int = _FACES, **how: Any) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        trimesh.Trimesh(*_surface(faces), process=False).export(folder / name, **how)
        return folder / name

    return make


def _obj_loop(path: Path) -> tuple[list[list[float]], list[list[int]]]:
    vertices, faces = [], []
    with path.open() as file:
        for line in file:
            kind, *words = line.split() or [""]
            if kind == "v":
                vertices.append([float(word) for word in words])
            elif kind == "f":
                faces.append([int(word) - 1 for word in words])
    return vertices, faces


def _loaded(path: Path) -> Any:
    return trimesh.load(path, process=False)


def _same_mesh(data: Any, path: Path) -> None:
    mesh = _loaded(path)
    assert np.array_equal(data.zyx_um[:, ::-1], mesh.vertices)
    assert np.array_equal(data.faces, mesh.faces)


def _same_triangles(data: Any, path: Path) -> None:
    """STL has no vertices of its own: the corners of each triangle are compared."""
    mesh = _loaded(path)
    assert np.array_equal(data.zyx_um[data.faces][..., ::-1], mesh.vertices[mesh.faces])


def _freesurfer(folder: Path) -> Path:
    nib.freesurfer.write_geometry(folder / "lh.white", *_surface(10 * _FACES))
    return folder / "lh.white"


def _surface_in_um(path: Path) -> tuple[Any, Any]:
    vertices, faces = nib.freesurfer.read_geometry(path)
    return np.ascontiguousarray(vertices[:, ::-1], "f8") * 1000, faces.astype("u4")


def _same_surface(data: Any, path: Path) -> None:
    vertices, faces = nib.freesurfer.read_geometry(path)
    assert np.array_equal(data.zyx_um[:, ::-1], vertices.astype(np.float64) * 1000)
    assert np.array_equal(data.faces, faces)


def _gifti(folder: Path) -> Path:
    vertices, faces = _surface(_FACES // 2)
    arrays = [
        nib.gifti.GiftiDataArray(vertices, "NIFTI_INTENT_POINTSET"),
        nib.gifti.GiftiDataArray(faces, "NIFTI_INTENT_TRIANGLE"),
    ]
    nib.save(nib.gifti.GiftiImage(darrays=arrays), folder / "lh.surf.gii")
    return folder / "lh.surf.gii"


def _same_gifti(data: Any, path: Path) -> None:
    points, triangles = (array.data for array in nib.load(path).darrays)
    assert np.array_equal(data.zyx_um[:, ::-1], points.astype(np.float64) * 1000)
    assert np.array_equal(data.faces, triangles)


def _cortex(vertices: int) -> BrainModelAxis:
    return BrainModelAxis.from_surface(np.arange(vertices), vertices, "CortexLeft")


def _scalars(folder: Path) -> Path:
    values = np.random.default_rng(4).normal(size=(200, 64_984)).astype("f4")
    Cifti2Image(values, (ScalarAxis([f"map {n}" for n in range(200)]), _cortex(64_984))).to_filename(
        folder / "brain.dscalar.nii"
    )
    return folder / "brain.dscalar.nii"


def _series(folder: Path) -> Path:
    values = np.random.default_rng(4).normal(size=(800, 64_984)).astype("f4")
    Cifti2Image(values, (SeriesAxis(0, 0.72, 800), _cortex(64_984))).to_filename(folder / "brain.dtseries.nii")
    return folder / "brain.dtseries.nii"


def _cifti(path: Path) -> Any:
    image = nib.load(path)
    return image.get_fdata(dtype=np.float32), [image.header.get_axis(place) for place in range(2)]


def _same_series(data: Any, path: Path) -> None:
    values, (along, _) = _cifti(path)
    assert np.array_equal(data.values, values)
    assert np.allclose(data.times_s, along.time)


def _tracts(name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        steps = np.random.default_rng(3).normal(size=(_LINES, _POINTS_PER_LINE, 3)).astype("f4")
        header = {}
        if name.endswith(".trk"):
            header = {
                Field.VOXEL_TO_RASMM: np.diag([2, 2, 2, 1]).astype("f4"),
                Field.VOXEL_SIZES: np.full(3, 2, "f4"),
                Field.DIMENSIONS: np.array((91, 109, 91), "i2"),
                Field.VOXEL_ORDER: "RAS",
            }
        lines = Tractogram(list(steps.cumsum(axis=1)), affine_to_rasmm=np.eye(4))
        nib.streamlines.save(lines, folder / name, header=header)
        return folder / name

    return make


def _same_tracts(data: Any, path: Path) -> None:
    lines = nib.streamlines.load(path).streamlines
    assert np.allclose(data.zyx_um[:, ::-1], lines.get_data().astype("f8") * 1000, rtol=0, atol=0.05)
    assert np.array_equal(np.diff(data.first), lines._lengths)


MESHES = [
    Format("OBJ", _exported("mesh.obj", _FACES // 4), "a loop in Python", _obj_loop, GEOMETRY["obj"], samples="obj"),
    Format("PLY", _exported("mesh.ply", 5 * _FACES), "trimesh", _loaded, _same_mesh),
    Format("PLY, text", _exported("mesh.ply", _FACES // 4, encoding="ascii"), "trimesh", _loaded, _same_mesh),
    Format("STL", _exported("mesh.stl", 2 * _FACES), "trimesh", _loaded, _same_triangles),
    Format("STL, text", _exported("mesh.stl", _FACES // 4, file_type="stl_ascii"), "trimesh", _loaded, _same_triangles),
    Format("FreeSurfer surface", _freesurfer, "nibabel, numpy", _surface_in_um, _same_surface),
    Format("GIFTI, gzip", _gifti, "nibabel", lambda path: [one.data for one in nib.load(path).darrays], _same_gifti,
           samples="gifti"),
    Format("CIFTI-2, scalars", _scalars, "nibabel", _cifti, GEOMETRY["cifti"], samples="cifti"),
    Format("CIFTI-2, series", _series, "nibabel", _cifti, _same_series),
    Format("TRK", _tracts("brain.trk"), "nibabel", nib.streamlines.load, _same_tracts),
    Format("TCK", _tracts("brain.tck"), "nibabel", nib.streamlines.load, _same_tracts),
]  # fmt: skip
