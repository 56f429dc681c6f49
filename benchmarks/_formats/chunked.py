"""Images in chunks: Zarr, N5, precomputed, and what keeps its chunks in HDF5."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import tensorstore as ts
import z5py
import zarr
from tests.ingest.readers.hdf5_writers import write_bigdataviewer, write_imaris

from benchmarks._formats.entry import SIZED, Format, Voxels, brain

_CHUNKS = (64, 128, 128)


def _ome_zarr(folder: Path) -> Path:
    group = zarr.open_group(folder / "brain.ome.zarr", mode="w")
    group.create_array("0", data=brain(), chunks=_CHUNKS)
    axes = [{"name": axis, "type": "space", "unit": "micrometer"} for axis in "zyx"]
    levels = [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [2.0, 2.0, 2.0]}]}]
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": levels}]}
    return folder / "brain.ome.zarr"


def _plain_zarr(version: Any) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        zarr.create_array(folder / "brain.zarr", data=brain(), chunks=_CHUNKS, zarr_format=version)
        return folder / "brain.zarr"

    return make


def _zarr_voxels(part: str = "") -> Callable[[Path], Voxels]:
    return lambda path: np.asarray(zarr.open_array(path / part, mode="r")[:])[None, None]


def _n5(folder: Path) -> Path:
    file = z5py.File(folder / "brain.n5", mode="w", use_zarr_format=False)
    made = file.create_dataset("brain", data=brain(), chunks=_CHUNKS, compression="gzip", level=1)
    made.attrs["pixelResolution"] = {"dimensions": [1.0, 1.0, 2.0], "unit": "um"}
    return folder / "brain.n5"


def _n5_voxels(path: Path) -> Voxels:
    return z5py.File(path, mode="r", use_zarr_format=False)["brain"][:][None, None]


def _precomputed(folder: Path) -> Path:
    voxels = brain()
    made = ts.open(
        {
            "driver": "neuroglancer_precomputed",
            "kvstore": {"driver": "file", "path": str(folder / "brain")},
            "multiscale_metadata": {"type": "image", "data_type": "uint16", "num_channels": 1},
            "scale_metadata": {
                "size": voxels.shape[::-1],
                "encoding": "raw",
                "chunk_size": [128, 128, 64],
                "resolution": [1000, 1000, 2000],
            },
        },
        create=True,
    ).result()
    made[..., 0].write(voxels.T).result()
    return folder / "brain"


def _precomputed_voxels(path: Path) -> Voxels:
    opened = ts.open(
        {"driver": "neuroglancer_precomputed", "kvstore": {"driver": "file", "path": str(path)}}, open=True
    ).result()
    return np.ascontiguousarray(opened[..., 0].read().result().T)[None, None]


def _hdf5(folder: Path) -> Path:
    with h5py.File(folder / "brain.h5", "w") as file:
        file.create_dataset("volume", data=brain(), chunks=(16, 128, 128), compression=1)
    return folder / "brain.h5"


def _imaris(folder: Path) -> Path:
    write_imaris(folder / "brain.ims", brain()[None, None], pad=64, packing=1)
    return folder / "brain.ims"


def _bigdataviewer(folder: Path) -> Path:
    (folder / "bdv").mkdir()
    write_bigdataviewer(folder / "bdv", brain()[None, None, None], chunk=(16, 128, 128))
    return folder / "bdv"


def _h5py(place: str, *, file: str = "") -> Callable[[Path], Voxels]:
    def read(path: Path) -> Voxels:
        with h5py.File(path / file if file else path) as opened:
            voxels: Voxels = opened[place][()]
        return voxels[None, None].view(np.uint16)

    return read


CHUNKED = [
    Format("OME-Zarr 0.5, zstd", _ome_zarr, "zarr-python", _zarr_voxels("0")),
    Format("Zarr 3, zstd", _plain_zarr(3), "zarr-python", _zarr_voxels(), options=SIZED),
    Format("Zarr 2, zstd", _plain_zarr(2), "zarr-python", _zarr_voxels(), options=SIZED),
    Format("N5, gzip", _n5, "z5py", _n5_voxels),
    Format("Precomputed, raw", _precomputed, "tensorstore", _precomputed_voxels),
    Format("HDF5, chunks of gzip", _hdf5, "h5py", _h5py("volume"), options=SIZED),
    Format("Imaris, chunks of gzip", _imaris, "h5py", _h5py("DataSet/ResolutionLevel 0/TimePoint 0/Channel 0/Data")),
    Format("BigDataViewer, gzip", _bigdataviewer, "h5py", _h5py("t00000/s00/0/cells", file="a.h5")),
]
