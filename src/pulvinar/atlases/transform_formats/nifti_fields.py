"""Fields in NIfTI files, five dimensions (x, y, z, 1, 3): displacements of ITK and ANTs, deformations of NiftyReg.

ITK (intent 1007, vector): millimetres towards left, posterior and superior; (intent 1006, displacement vector): towards
right, anterior and superior. NiftyReg (intent name NREG_TRANS): the same frame as 1006; by `intent_p1`, 0 is the places
that voxels of the reference go to and 1 is displacements; splines and velocities are refused.
In either, the grid is that of the fixed (reference) image, and its points go to the moving (floating) image.
Source: nifti1.h; itk::NiftiImageIO; _reg_maths.h of NiftyReg.
"""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass
from math import prod
from pathlib import Path
from tempfile import mkstemp
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from pulvinar.atlases.transform_formats.steps import Ends, FieldStep, Triple, to_transform, unreadable, world_from_ras
from pulvinar.atlases.transform_formats.text_matrices import ImageGrid
from pulvinar.errors import TooLarge
from pulvinar.model.transform import Matrix, Outside, Transform, affine_rows

NIFTYREG = b"NREG_TRANS"
_VECTOR, _DISPLACEMENT = 1007, 1006
_DTYPES = {16: "f4", 64: "f8"}
_OTHERS = {2: "a grid of spline control points", 3: "velocities", 4: "velocities", 5: "splines of velocities"}
_UNITS_UM = {1: 1e6, 2: 1e3, 3: 1.0}
_COPY_BYTES = 1 << 20
_MOST_BYTES = 1 << 36
_GROWTH = 1100
"""Deflate makes nothing more than 1,032 times smaller."""


@dataclass(frozen=True, eq=False)
class _Mapped:
    """The vectors of an uncompressed file: `array` axes (component, z, y, x), read as pages are touched."""

    array: npt.NDArray[np.floating]

    def read(self, start: Triple, stop: Triple) -> npt.NDArray[np.floating]:
        return self.array[(slice(None), *(slice(a, b) for a, b in zip(start, stop, strict=True)))]


def read_nifti_field(path: Path, ends: Ends, scratch: Path) -> Transform:
    """The field in a `.nii` or `.nii.gz`. A compressed one is unpacked into the folder `scratch`; the vectors stay in
    the file and are read when points ask, so that it has to stay where it is as long as the transform is used.

    ITK's has no displacement outside of its grid; NiftyReg's goes on as at its edge, since it holds the affine map too.
    Raises `UnreadableFile` for a file that is none, `TooLarge` for one that declares more than 64 GiB.
    """
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    header = _header(path, packed)
    shape = _shape(header, path.name)
    grid = _grid(header, path.name, ends.file_unit_um)
    niftyreg = bytes(header["intent_name"]).split(b"\0")[0] == NIFTYREG
    intent, kind = int(header["intent_code"]), float(header["intent_p1"])
    if niftyreg and kind not in (0, 1):
        raise unreadable(
            path.name,
            f"holds {_OTHERS.get(int(kind) if np.isfinite(kind) else -1, 'another kind of transform')} of NiftyReg",
            "turn it into a deformation field: reg_transform -ref <image> -def <this file> <field.nii>",
        )
    if not niftyreg and intent not in (_VECTOR, _DISPLACEMENT):
        raise unreadable(path.name, f"is an image (intent {intent}), no field of vectors", "hand in the field itself")
    vectors = _Mapped(_map_values(path, header, shape, scratch if packed else None))
    ras = niftyreg or intent == _DISPLACEMENT
    step = FieldStep(
        shape,
        grid,
        vectors,
        ends.from_ras() if ras else ends.from_lps(),
        Outside.NEAREST if niftyreg else Outside.IDENTITY,
        absolute=niftyreg and kind == 0,
    )
    return to_transform([step], ends, path.name)


def read_image_grid(path: Path, file_unit_um: float = 1000.0) -> ImageGrid:
    """The grid of a NIfTI image of three dimensions or more: of its header alone, no voxel is read.

    Raises `UnreadableFile` for a file that is none, or that does not say where its voxels lie.
    """
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    header = _header(path, packed)
    dim = [int(size) for size in header["dim"]]
    if not 3 <= dim[0] <= 7 or min(dim[1:4]) < 1:
        raise unreadable(path.name, "is no image of three dimensions", "hand in the image that was aligned")
    return ImageGrid((dim[3], dim[2], dim[1]), affine_rows(_grid(header, path.name, file_unit_um)))


def _opened(path: Path, packed: bool) -> IO[bytes]:
    return gzip.open(path, "rb") if packed else path.open("rb")  # type: ignore[return-value]


def _header(path: Path, packed: bool) -> Any:
    from nibabel.nifti1 import Nifti1Header
    from nibabel.nifti2 import Nifti2Header

    with _opened(path, packed) as file:
        try:
            head = file.read(540)
        except (OSError, EOFError, zlib.error) as error:
            raise unreadable(path.name, f"can't be unpacked: {error}") from error
    for kind, size, magic in ((Nifti1Header, 348, slice(344, 348)), (Nifti2Header, 540, slice(4, 8))):
        if len(head) >= size and head[magic] in (b"n+1\0", b"n+2\0"):
            order = "<" if int.from_bytes(head[:4], "little") == size else ">"
            return kind(head[:size], endianness=order, check=False)
    raise unreadable(path.name, "is no NIfTI file of one part", "a field is a .nii or .nii.gz")


def _shape(header: Any, name: str) -> Triple:
    dim = [int(size) for size in header["dim"]]
    if dim[0] != 5 or dim[4] != 1 or dim[5] != 3 or min(dim[1:4]) < 1:
        raise unreadable(name, f"has the dimensions {dim[1 : max(dim[0], 0) + 1]}, a field has (x, y, z, 1, 3)")
    if int(header["datatype"]) not in _DTYPES:
        raise unreadable(name, f"has vectors of data type {int(header['datatype'])}", "write float32 or float64")
    return dim[3], dim[2], dim[1]


def _grid(header: Any, name: str, file_unit_um: float) -> Matrix:
    """The map of the index (z, y, x, 1) to the world: the sform, or the qform where there is none."""
    from nibabel.spatialimages import HeaderDataError

    unit_um = _UNITS_UM.get(int(header["xyzt_units"]) & 7, file_unit_um)
    if unit_um != file_unit_um:
        raise unreadable(
            name,
            f"says that its lengths are in units of {unit_um:g} um, and {file_unit_um:g} um was expected",
            "repair xyzt_units in the header: most programs write millimetres whatever it says",
        )
    maps = []
    try:
        if int(header["sform_code"]) > 0:
            maps.append(header.get_sform())
        if int(header["qform_code"]) > 0:
            maps.append(header.get_qform())
    except (HeaderDataError, ValueError) as error:
        raise unreadable(name, f"does not say where its voxels lie: {error}", "repair the header") from error
    if not maps or not np.isfinite(maps).all():
        raise unreadable(name, "does not say where its voxels lie: it has no sform and no qform", "repair the header")
    size = np.linalg.norm(maps[0][:3, :3], axis=0).max()
    if len(maps) == 2 and np.abs(maps[0] - maps[1]).max() > 0.1 * size:
        raise unreadable(name, "says in two ways where its voxels lie: sform and qform differ", "repair the header")
    return np.asarray(world_from_ras(file_unit_um) @ maps[0] @ np.eye(4)[[2, 1, 0, 3]])


def _map_values(path: Path, header: Any, shape: Triple, scratch: Path | None) -> npt.NDArray[np.floating]:
    dtype = np.dtype(f"{header.endianness}{_DTYPES[int(header['datatype'])]}")
    offset, slope, shift = (float(header[key]) for key in ("vox_offset", "scl_slope", "scl_inter"))
    if not (np.isfinite(offset) and 0 <= offset < 1 << 30):
        raise unreadable(path.name, f"puts its vectors at byte {offset}", "repair vox_offset")
    if np.isfinite(slope) and (slope, shift) not in ((0.0, 0.0), (1.0, 0.0)):
        raise unreadable(path.name, f"scales its vectors by {slope:g} and {shift:g}", "write it without scaling")
    end = int(offset) + 3 * prod(shape) * dtype.itemsize
    size = path.stat().st_size
    if end > (_MOST_BYTES if scratch is None else min(_MOST_BYTES, size * _GROWTH)):
        raise TooLarge(f"{path.name} declares a field of {shape}, {end >> 20} MiB, and has {size:,} bytes")
    if scratch is not None:
        path = _unpacked(path, end, scratch)
    if path.stat().st_size < end:
        raise unreadable(path.name, f"is truncated: {path.stat().st_size:,} bytes of {end:,}")
    return np.memmap(path, dtype, "r", int(offset), (3, *shape))


def _unpacked(path: Path, size_bytes: int, scratch: Path) -> Path:
    """A new file in `scratch` with the first `size_bytes` of what is packed, and no more."""
    scratch.mkdir(parents=True, exist_ok=True)
    handle, name = mkstemp(".nii", "field-", scratch)
    left = size_bytes
    try:
        with open(handle, "wb") as target, gzip.open(path, "rb") as packed:  # noqa: PTH123 (it is open already)
            while left and (block := packed.read(min(left, _COPY_BYTES))):
                target.write(block)
                left -= len(block)
    except (OSError, EOFError, zlib.error) as error:
        Path(name).unlink()
        raise unreadable(path.name, f"can't be unpacked: {error}") from error
    if left:
        Path(name).unlink()
        raise unreadable(path.name, f"is truncated: {left:,} bytes of {size_bytes:,} are missing")
    return Path(name)
