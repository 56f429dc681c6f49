"""A cut-out as a file of some format, written piece by piece as its voxels are read.

Voxels keep their type in every format, 64-bit labels too.
"""

from __future__ import annotations

import io
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import numpy.typing as npt
import tifffile
from nibabel.spatialimages import HeaderDataError

from pulvinar.model.space import Affine, Window
from pulvinar.storage.codecs import ChunkCodec
from pulvinar.storage.volumes import unsharded_documents
from pulvinar.web.cutout import Cutout, Read

PIECE_BYTES = 1 << 20
_IMAGEJ_TYPES = ("uint8", "uint16", "float32")
_IMAGEJ_LIMIT_BYTES = 2**32 - 2**20
_OME_TYPES = ("int8", "int16", "int32", "uint8", "uint16", "uint32", "float32", "float64")
_UNKNOWN, _SCANNER = 0, 1
"""NIfTI's codes for a frame of which nobody knows the anatomy, and for the subject's."""
_NIFTI_1_LARGEST_SIDE = 32767

Voxels = npt.NDArray[Any]


class Format(StrEnum):
    """The kinds of files that a cut-out can be had as."""

    NIFTI = "nii.gz"
    TIFF = "tif"
    NPY = "npy"
    ZARR = "zarr"


MEDIA_TYPES = {
    Format.NIFTI: "application/gzip",
    Format.TIFF: "image/tiff",
    Format.NPY: "application/octet-stream",
    Format.ZARR: "application/zip",
}

SUFFIXES = {Format.NIFTI: ".nii.gz", Format.TIFF: ".tif", Format.NPY: ".npy", Format.ZARR: ".ome.zarr.zip"}


def write(cutout: Cutout, read: Read, form: Format, scratch: Path) -> Iterator[bytes]:
    """The bytes of `cutout` as a file of `form`; `read` gives voxels, `scratch` takes what must lie on a disk."""
    if form is Format.TIFF:
        return tiff(cutout, read, scratch)
    writers: dict[Format, Callable[[Cutout, Read], Iterator[bytes]]] = {
        Format.NIFTI: nifti,
        Format.NPY: npy,
        Format.ZARR: zarr_zip,
    }
    return writers[form](cutout, read)


def npy(cutout: Cutout, read: Read) -> Iterator[bytes]:
    """NumPy's own format: one array, axes (t, c, z, y, x)."""
    head = io.BytesIO()
    described = np.lib.format.dtype_to_descr(cutout.dtype)
    about = {"descr": described, "fortran_order": False, "shape": cutout.window.shape}
    np.lib.format.write_array_header_1_0(head, about)
    yield head.getvalue()
    for time in range(cutout.window.start[0], cutout.window.stop[0]):
        for channel in range(cutout.window.start[1], cutout.window.stop[1]):
            for slab in cutout.slabs(time, slice(channel, channel + 1)):
                yield read(slab).tobytes()


def nifti(cutout: Cutout, read: Read) -> Iterator[bytes]:
    """NIfTI, compressed: axes (x, y, z, t, c), millimetres and seconds, RAS+ world frame where it is known.

    NIfTI-1, or NIfTI-2 where a side is longer than NIfTI-1 can say. 64-bit labels stay 64-bit.
    """
    squeezer = zlib.compressobj(1, zlib.DEFLATED, 31)
    yield squeezer.compress(_nifti_head(cutout))
    for channel in range(cutout.window.start[1], cutout.window.stop[1]):
        for time in range(cutout.window.start[0], cutout.window.stop[0]):
            for slab in cutout.slabs(time, slice(channel, channel + 1)):
                yield squeezer.compress(read(slab).astype(cutout.dtype.newbyteorder("<"), copy=False).tobytes())
    yield squeezer.flush()


def _nifti_head(cutout: Cutout) -> bytes:
    t, c, z, y, x = cutout.window.shape
    shape = (x, y, z, t, c) if c > 1 else (x, y, z, t) if t > 1 else (x, y, z)
    old = max(shape) <= _NIFTI_1_LARGEST_SIDE
    head = (nibabel.Nifti1Header if old else nibabel.Nifti2Header)(endianness="<")
    head.set_data_dtype(cutout.dtype)
    head.set_data_shape(shape)
    sizes_mm = [size / 1000 for size in reversed(cutout.level.voxel_size_um)]
    head.set_zooms((*sizes_mm, cutout.volume.time_step_s or 1.0, 1.0)[: len(shape)])
    head.set_xyzt_units("mm", "sec")
    if cutout.affine_um is not None:
        _set_frame(head, ras_mm(cutout.affine_um), _SCANNER)
    else:
        # nobody knows where its axes go, and no code may claim it; but the numbers say where the box was cut
        _set_frame(head, ras_mm(cutout.own_frame_um), _UNKNOWN)
    head["vox_offset"] = 352 if old else 544
    # Four zero bytes behind the header say that no extension follows.
    return bytes(head.binaryblock) + bytes(4)


def _set_frame(head: Any, affine: npt.NDArray[np.float64], code: int) -> None:
    """Say it as a matrix, and once more as a rotation where that is possible: some programs read only this."""
    head.set_sform(affine, code=code)
    try:
        head.set_qform(affine, code=code, strip_shears=False)
    except HeaderDataError:
        head["qform_code"] = 0


def ras_mm(affine_um: Affine) -> npt.NDArray[np.float64]:
    """`affine_um`, of (z, y, x) in micrometres, as NIfTI's: of (x, y, z) in millimetres."""
    flip = np.eye(4)[[2, 1, 0, 3]]
    affine: npt.NDArray[np.float64] = flip @ np.array(affine_um) @ flip
    affine[:3] /= 1000
    return affine


def tiff(cutout: Cutout, read: Read, scratch: Path) -> Iterator[bytes]:
    """TIFF with voxel sizes: as ImageJ writes it where ImageJ knows the type, else OME-TIFF, else plain.

    Written to a file in `scratch` first, because TIFF says at its front what comes later.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=scratch, prefix="cutout-") as folder:
        path = Path(folder) / "cutout.tif"
        _write_tiff(cutout, read, path)
        with path.open("rb") as file:
            while piece := file.read(PIECE_BYTES):
                yield piece


def _write_tiff(cutout: Cutout, read: Read, path: Path) -> None:
    t, c, z, y, x = cutout.window.shape
    name, large = cutout.dtype.name, cutout.size_bytes >= _IMAGEJ_LIMIT_BYTES
    per_um = (1 / cutout.level.voxel_size_um[2], 1 / cutout.level.voxel_size_um[1])
    form: dict[str, Any]
    if name in _IMAGEJ_TYPES and not large:
        shape, form = (t, z, c, y, x), {"imagej": True, "resolution": per_um, "metadata": _imagej_metadata(cutout)}
    elif name in _OME_TYPES:
        shape, form = (t, c, z, y, x), {"ome": True, "bigtiff": large, "metadata": _ome_metadata(cutout)}
    else:
        per_cm = (per_um[0] * 1e4, per_um[1] * 1e4)
        said = {"axes": "TCZYX", "voxel_size_um": list(cutout.level.voxel_size_um)}
        shape = (t, c, z, y, x)
        form = {"bigtiff": large, "resolution": per_cm, "resolutionunit": "CENTIMETER", "metadata": said}
    planes = _planes(cutout, read, channels_inside=form.get("imagej", False))
    tifffile.imwrite(path, planes, shape=shape, dtype=cutout.dtype, photometric="minisblack", **form)


def _planes(cutout: Cutout, read: Read, *, channels_inside: bool) -> Iterator[Voxels]:
    """Every plane (y, x); time is slowest, and channels run inside of z or outside of it."""
    first, end = cutout.window.start[1], cutout.window.stop[1]
    spans = [slice(first, end)] if channels_inside else [slice(n, n + 1) for n in range(first, end)]
    for time in range(cutout.window.start[0], cutout.window.stop[0]):
        for span in spans:
            for slab in cutout.slabs(time, span):
                for plane in read(slab)[0].swapaxes(0, 1):
                    yield from plane


def _imagej_metadata(cutout: Cutout) -> dict[str, Any]:
    said: dict[str, Any] = {"axes": "TZCYX", "spacing": cutout.level.voxel_size_um[0], "unit": "um"}
    if cutout.volume.time_step_s:
        said["finterval"] = cutout.volume.time_step_s
    return said


def _ome_metadata(cutout: Cutout) -> dict[str, Any]:
    said: dict[str, Any] = {"axes": "TCZYX", "Channel": {"Name": [channel.name for channel in cutout.channels]}}
    for axis, size in zip("ZYX", cutout.level.voxel_size_um, strict=True):
        said |= {f"PhysicalSize{axis}": size, f"PhysicalSize{axis}Unit": "µm"}
    if cutout.volume.time_step_s:
        said |= {"TimeIncrement": cutout.volume.time_step_s, "TimeIncrementUnit": "s"}
    return said


def zarr_zip(cutout: Cutout, read: Read) -> Iterator[bytes]:
    """An OME-Zarr of one level, in a zip file without compression of its own (the chunks have theirs)."""
    sink = _Sink()
    volume = cutout.as_volume()
    chunk_shape = volume.levels[0].chunk_shape
    codec = ChunkCodec.for_volume(volume.kind, volume.dtype, chunk_shape)
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
        for path, data in unsharded_documents(volume).items():
            archive.writestr(zipfile.ZipInfo(path), data)
        for position in np.ndindex(*(-(-a // b) for a, b in zip(volume.shape, chunk_shape, strict=True))):
            chunk = _chunk(cutout, read, position, chunk_shape)
            # As in the store: what holds only the fill value isn't written.
            if chunk.any():
                name = "0/c/" + "/".join(map(str, position))
                archive.writestr(zipfile.ZipInfo(name), codec.encode(chunk))
                yield sink.take()
    yield sink.take()


def _chunk(cutout: Cutout, read: Read, position: tuple[int, ...], chunk_shape: tuple[int, ...]) -> Voxels:
    """One chunk of the cut-out, filled up with zeros at the far edges."""
    start = [n * size for n, size in zip(position, chunk_shape, strict=True)]
    stop = [min(a + size, end) for a, size, end in zip(start, chunk_shape, cutout.window.shape, strict=True)]
    shift = cutout.window.start
    window = Window(
        tuple(a + b for a, b in zip(start, shift, strict=True)),  # type: ignore[arg-type]
        tuple(a + b for a, b in zip(stop, shift, strict=True)),  # type: ignore[arg-type]
    )
    voxels = read(window)
    if voxels.shape == chunk_shape:
        return voxels
    chunk = np.zeros(chunk_shape, voxels.dtype)
    chunk[tuple(slice(0, side) for side in voxels.shape)] = voxels
    return chunk


class _Sink(io.RawIOBase):
    """What a zip file is written into: holds the bytes until they are taken, and can't go back."""

    def __init__(self) -> None:
        self._held = bytearray()

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, data: Any) -> int:
        """Hold `data`."""
        self._held += data
        return len(data)

    def take(self) -> bytes:
        """What was written since the last time."""
        data = bytes(self._held)
        self._held.clear()
        return data
