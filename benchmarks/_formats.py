"""The formats whose reading is timed and compared: how a large file of each is made, and the plain way to read it.

A new format is one more entry of `FORMATS`. What writes a file is another program than the reader under test, and so
is what reads it beside.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import nibabel as nib
import nrrd
import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import tifffile
import zarr
from tests.ingest.sources import GEOMETRY, VOLUMES

from pulvinar.ingest.reader import Options

Voxels = np.ndarray
_ROWS = 1_000_000


@dataclass(frozen=True)
class Format:
    """One row of the table.

    `make` writes a large file into a folder; `plain` reads it whole by the library `by` alone, into voxels (t, c, z, y,
    x) of a volume, or anything of what is none; `same` asserts that what our reader gave of a geometry is what the file
    holds. `samples` is the reader whose real samples belong to the row, "" for a row without.
    """

    name: str
    make: Callable[[Path], Path]
    by: str
    plain: Callable[[Path], Any]
    same: Callable[[Any, Path], None] | None = None
    samples: str = ""
    options: Options = field(default_factory=Options)


def brain(planes: int = 256, side: int = 512) -> Voxels:
    """Smooth structure and a little noise (z, y, x), uint16: it packs as recorded images do."""
    numbers = np.random.default_rng(5)
    z, y, x = (np.linspace(0, 12, size, dtype=np.float32) for size in (planes, side, side))
    smooth = np.sin(z)[:, None, None] + np.sin(y * 1.3)[None, :, None] * np.cos(x)[None, None, :]
    noise = numbers.integers(0, 8, (side, side), dtype=np.uint16)
    return (smooth * 400 + 1000).astype(np.uint16) + noise


def _image() -> Any:
    image = nib.Nifti1Image(brain().T, np.diag([0.5, 0.5, 0.5, 1]))
    image.header.set_xyzt_units("mm")
    return image


def _nifti(folder: Path) -> Path:
    nib.save(_image(), folder / "brain.nii")
    return folder / "brain.nii"


def _nifti_gz(folder: Path) -> Path:
    (folder / "brain.nii.gz").write_bytes(gzip.compress(_image().to_bytes(), 1))
    return folder / "brain.nii.gz"


def _mgz(folder: Path) -> Path:
    content = nib.MGHImage(brain().T.astype(np.int16), np.eye(4)).to_bytes()
    (folder / "brain.mgz").write_bytes(gzip.compress(content, 1))
    return folder / "brain.mgz"


def _nrrd(encoding: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        said = {"spacings": [0.5] * 3, "encoding": encoding}
        nrrd.write(str(folder / "brain.nrrd"), brain().T, said, compression_level=1)
        return folder / "brain.nrrd"

    return make


def _minc(folder: Path) -> Path:
    voxels = brain()
    with h5py.File(folder / "brain.mnc", "w") as file:
        image = file.create_dataset("minc-2.0/image/0/image", data=voxels, chunks=(16, 128, 128), compression=1)
        image.attrs["dimorder"], image.attrs["valid_range"] = (
            np.bytes_("zspace,yspace,xspace"),
            np.array((0.0, 65535.0)),
        )
        # the range of what is meant is that of what is stored, which nibabel must be told
        for word, value in (("min", 0.0), ("max", 65535.0)):
            file[f"minc-2.0/image/0/image-{word}"] = value
        for axis, length in zip(("zspace", "yspace", "xspace"), voxels.shape, strict=True):
            dimension = file.create_dataset(f"minc-2.0/dimensions/{axis}", data=0)
            dimension.attrs["length"], dimension.attrs["step"], dimension.attrs["start"] = length, 0.5, 0.0
    return folder / "brain.mnc"


def _minc_voxels(path: Path) -> Voxels:
    with h5py.File(path) as file:
        voxels: Voxels = file["minc-2.0/image/0/image"][()]
    return voxels[None, None]


def _tiff(**how: Any) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        with tifffile.TiffWriter(folder / "brain.tif") as writer:
            for plane in brain():
                writer.write(plane, photometric="minisblack", metadata=None, **how)
        return folder / "brain.tif"

    return make


def _tiff_voxels(path: Path) -> Voxels:
    return np.stack([page.asarray() for page in tifffile.TiffFile(path).pages])[None, None]


def _zarr(folder: Path) -> Path:
    group = zarr.open_group(folder / "brain.ome.zarr", mode="w")
    group.create_array("0", data=brain(), chunks=(64, 128, 128))
    axes = [{"name": axis, "type": "space", "unit": "micrometer"} for axis in "zyx"]
    levels = [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [2.0, 2.0, 2.0]}]}]
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": levels}]}
    return folder / "brain.ome.zarr"


def _zarr_voxels(path: Path) -> Voxels:
    return np.asarray(zarr.open_array(path / "0", mode="r")[:])[None, None]


def _whole(read: Callable[[Path], Voxels]) -> Callable[[Path], Voxels]:
    """As `read`, and in memory: nibabel maps a file that isn't packed."""
    return lambda path: np.array(read(path))


def _swc(folder: Path) -> Path:
    places = np.random.default_rng(6).normal(0, 1, (_ROWS // 4, 3)).cumsum(axis=0)
    with (folder / "neuron.swc").open("w") as file:
        for number, (x, y, z) in enumerate(places, 1):
            file.write(f"{number} 3 {x:.4f} {y:.4f} {z:.4f} 0.5 {number - 1 if number > 1 else -1}\n")
    return folder / "neuron.swc"


def _obj(folder: Path) -> Path:
    corners = np.random.default_rng(7).normal(0, 100, (_ROWS // 8, 3))
    with (folder / "mesh.obj").open("w") as file:
        file.writelines(f"v {x:.5f} {y:.5f} {z:.5f}\n" for x, y, z in corners)
        file.writelines(f"f {n} {n + 1} {n + 2}\n" for n in range(1, len(corners) - 1))
    return folder / "mesh.obj"


def _cells() -> Any:
    places = np.random.default_rng(8).normal(0, 1000, (_ROWS, 3)).round(3)
    named = {"name": pa.array([f"cell {number}" for number in range(_ROWS)])}
    return pa.table({**named, **{axis: places[:, index] for index, axis in enumerate("xyz")}})


def _csv(folder: Path) -> Path:
    pyarrow.csv.write_csv(_cells(), folder / "cells.csv")
    return folder / "cells.csv"


def _parquet(folder: Path) -> Path:
    pq.write_table(_cells(), folder / "cells.parquet")
    return folder / "cells.parquet"


def _columns(table: Any) -> dict[str, Any]:
    return {name: table.column(name).to_numpy(zero_copy_only=False) for name in table.column_names}


def _same_columns(data: Any, path: Path) -> None:
    expected = _columns(pq.read_table(path) if path.suffix == ".parquet" else pyarrow.csv.read_csv(path))
    assert list(data.columns) == list(expected)
    assert all(np.array_equal(data.columns[name], expected[name]) for name in expected)


FORMATS = [
    Format("NIfTI", _nifti, "nibabel", _whole(VOLUMES["nifti"]), samples="nifti"),
    Format("NIfTI, gzip", _nifti_gz, "nibabel", VOLUMES["nifti"]),
    Format("MGH, gzip", _mgz, "nibabel", VOLUMES["mgh"], samples="mgh"),
    Format("NRRD", _nrrd("raw"), "pynrrd", _whole(VOLUMES["nrrd"]), samples="nrrd"),
    Format("NRRD, gzip", _nrrd("gzip"), "pynrrd", VOLUMES["nrrd"]),
    Format("MINC2, chunks of gzip", _minc, "h5py", _minc_voxels, samples="minc"),
    Format("TIFF", _tiff(), "tifffile", _tiff_voxels, samples="tiff"),
    Format("TIFF, deflate", _tiff(compression="zlib"), "tifffile", _tiff_voxels),
    Format("TIFF, tiles of LZW", _tiff(compression="lzw", tile=(128, 128)), "tifffile", _tiff_voxels),
    Format("OME-Zarr 0.5, zstd", _zarr, "zarr-python", _zarr_voxels),
    Format("SWC", _swc, "numpy.loadtxt", np.loadtxt, GEOMETRY["swc"], samples="swc"),
    Format("OBJ", _obj, "a loop in Python", lambda path: _obj_loop(path), GEOMETRY["obj"], samples="obj"),
    Format("CSV", _csv, "pyarrow", lambda path: _columns(pyarrow.csv.read_csv(path)), _same_columns, samples="tables"),
    Format("Parquet", _parquet, "pyarrow", lambda path: _columns(pq.read_table(path)), _same_columns),
]


def _obj_loop(path: Path) -> tuple[list[list[float]], list[list[int]]]:
    vertices, faces = [], []
    with path.open() as file:
        for line in file:
            kind, *words = line.split()
            if kind == "v":
                vertices.append([float(word) for word in words])
            elif kind == "f":
                faces.append([int(word) - 1 for word in words])
    return vertices, faces
