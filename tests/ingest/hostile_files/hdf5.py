"""MINC2: what HDF5 can do to its reader: other files, plugins, chunks that are bombs or were never written."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from tests.ingest.hostile_files.bombs import zlib_bomb
from tests.ingest.hostile_files.case import Good, Refused, hostile

VOXELS = np.random.default_rng(4).integers(0, 60_000, (4, 5, 6)).astype(np.uint16)
IMAGE = "minc-2.0/image/0/image"
_AXES = ("zspace", "yspace", "xspace")


def minc(folder: Path, name: str = "brain.mnc", **image: Any) -> Path:
    """A sound volume as the format's description has it, its image made with what is said."""
    path = folder / name
    with h5py.File(path, "w") as file:
        _about(file, file.create_dataset(IMAGE, **(image or {"data": VOXELS})))
    return path


def _about(file: Any, image: Any) -> None:
    _image(image)
    for axis, length in zip(_AXES, VOXELS.shape, strict=True):
        dimension = file.create_dataset(f"minc-2.0/dimensions/{axis}", data=0)
        for key, value in {"length": length, "step": 0.5, "start": -1.0}.items():
            dimension.attrs[key] = value


def chunked(folder: Path) -> Path:
    """In packed chunks."""
    return minc(folder, data=VOXELS, chunks=(2, 5, 6), compression=4, fletcher32=True)


MINC = Good("minc", minc, {"brain": VOXELS})
CHUNKED = Good("minc, in chunks", chunked, {"brain": VOXELS})


def _edited(name: str, because: str, change: Callable[[Any, Path], Any]) -> None:
    """A case of a sound file that `change` has spoiled."""

    def make(folder: Path) -> Path:
        path = minc(folder)
        with h5py.File(path, "r+") as file:
            change(file, folder)
        return path

    hostile(f"minc: {name}", Refused(because), MINC)(make)


def _external_link(file: Any, folder: Path) -> None:
    minc(folder, "secret.mnc")
    del file[IMAGE]
    file[IMAGE] = h5py.ExternalLink(str(folder / "secret.mnc"), IMAGE)


def _soft_circle(file: Any, folder: Path) -> None:
    del file[IMAGE]
    file[IMAGE] = h5py.SoftLink(f"/{IMAGE}")


def _external_storage(file: Any, folder: Path) -> None:
    (folder / "secret.raw").write_bytes(VOXELS.tobytes())
    del file[IMAGE]
    outside = [(str(folder / "secret.raw"), 0, VOXELS.nbytes)]
    _image(file.create_dataset(IMAGE, VOXELS.shape, "u2", external=outside))


def _virtual(file: Any, folder: Path) -> None:
    source = minc(folder, "secret.mnc")
    layout = h5py.VirtualLayout(VOXELS.shape, "u2")
    layout[:] = h5py.VirtualSource(str(source), IMAGE, VOXELS.shape)
    del file[IMAGE]
    _image(file.create_virtual_dataset(IMAGE, layout))


def _image(image: Any) -> None:
    image.attrs["dimorder"] = np.bytes_(",".join(_AXES))
    image.attrs["valid_range"] = np.array((0.0, 65535.0))


def _replaced(file: Any, **how: Any) -> Any:
    del file[IMAGE]
    image = file.create_dataset(IMAGE, **how)
    _image(image)
    return image


def _chunk_bomb(file: Any, folder: Path) -> None:
    image = _replaced(file, shape=(2000, 2000, 2000), dtype="u2", chunks=(1000, 1000, 1000), compression=1)
    image.id.write_direct_chunk((0, 0, 0), zlib.compress(bytes(1 << 20)))


def _overfull_chunk(file: Any, folder: Path) -> None:
    image = _replaced(file, shape=VOXELS.shape, dtype="u2", chunks=VOXELS.shape, compression=1)
    image.id.write_direct_chunk((0, 0, 0), zlib_bomb(1 << 30))


def _lost_chunk(file: Any, folder: Path) -> None:
    image = _replaced(file, shape=VOXELS.shape, dtype="u2", chunks=(2, 5, 6))
    image[:2] = VOXELS[:2]


_edited("its image lies in another file", "is a link to elsewhere", _external_link)
_edited("its image is itself", "is a link that leads to no end", _soft_circle)
_edited("its voxels lie in another file", "lies in other files", _external_storage)
_edited("it is a view of another file", "lies in other files", _virtual)
_edited("chunk bomb", "one chunk of", _chunk_bomb)
_edited("a chunk that unpacks to more than it is", "larger packed than unpacked", _overfull_chunk)
_edited("a chunk that was never written", "were never written", _lost_chunk)
_edited(
    "a terabyte that was never written",
    "can't hold more than",
    lambda file, _: _replaced(file, shape=(8000, 8000, 8000), dtype="u2", chunks=(100, 100, 100)),
)
_edited(
    "voxels that were never written",
    "were never written",
    lambda file, _: _replaced(file, shape=VOXELS.shape, dtype="u2"),
)
_edited(
    "2^60 voxels",
    "brain.mnc",
    lambda file, _: _replaced(file, shape=(1 << 20, 1 << 20, 1 << 20), dtype="u2", chunks=(100, 100, 100)),
)
_edited("no range of values", "brain.mnc", lambda file, _: _ranged(file, (5.0, 5.0)))
_edited("NaN as range of values", "brain.mnc", lambda file, _: _ranged(file, (float("nan"), 5.0)))
_edited("NaN as direction", "not finite", lambda file, _: _dimension(file, "direction_cosines", [float("nan"), 0, 0]))
_edited("a step of nothing", "is singular", lambda file, _: _dimension(file, "step", 0.0))
_edited("irregular slices", "spaced irregularly", lambda file, _: _dimension(file, "spacing", np.bytes_("irregular")))


def _ranged(file: Any, limits: tuple[float, float]) -> None:
    file[IMAGE].attrs["valid_range"] = np.array(limits)
    file[f"{IMAGE}-min"], file[f"{IMAGE}-max"] = 0.0, 1.0


def _dimension(file: Any, key: str, value: Any) -> None:
    file["minc-2.0/dimensions/zspace"].attrs[key] = value


@hostile("minc: truncated", Refused("is damaged"), MINC)
def truncated(folder: Path) -> Path:
    """Its end is not there."""
    path = minc(folder)
    path.write_bytes(path.read_bytes()[:2000])
    return path


@hostile("minc: flipped bits in a chunk", Refused("is damaged"), CHUNKED)
def flipped(folder: Path) -> Path:
    """Its own checksum notices."""
    path = chunked(folder)
    with h5py.File(path) as file:
        place = file[IMAGE].id.get_chunk_info(0)
    content = bytearray(path.read_bytes())
    content[place.byte_offset + place.size // 2] ^= 255
    path.write_bytes(content)
    return path


@hostile("minc: a filter of a plugin", Refused("the filters"), CHUNKED)
def plugin(folder: Path) -> Path:
    """SZIP stands for any filter whose code would have to be loaded."""
    path = minc(folder)
    with h5py.File(path, "r+") as file:
        del file[IMAGE]
        layout = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        layout.set_chunk((2, 5, 6))
        layout.set_filter(32_001, h5py.h5z.FLAG_OPTIONAL, (0, 0, 0, 0))
        space = h5py.h5s.create_simple(VOXELS.shape)
        h5py.h5d.create(file.id, IMAGE.encode(), h5py.h5t.NATIVE_UINT16, space, layout)
        _image(file[IMAGE])
    return path
