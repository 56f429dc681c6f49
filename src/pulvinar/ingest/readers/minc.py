"""MINC2: volumes of the McConnell Brain Imaging Centre, in HDF5.

The file's axes are kept in their order as (z, y, x), whatever they are called; `affine_um` says where each goes. MINC's
x rises to the right, y to the front, z upwards, in millimetres. Source: the MINC 2.0 file format reference.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from pulvinar.errors import Invalid, UnreadableFile
from pulvinar.ingest.reader import (
    Finding,
    FoundAsset,
    GeometryData,
    OpenVolume,
    Options,
    Severity,
    SourceFile,
    VolumeDescription,
)
from pulvinar.ingest.readers.frames import Matrix, check_matrix, sar_from_ras, settle, voxel_size
from pulvinar.ingest.readers.hdf5_chunks import Hdf5Numbers
from pulvinar.ingest.readers.hdf5_files import damage, dataset, is_hdf5, member, open_hdf5, text
from pulvinar.ingest.readers.raw_volume import as_labels, check_shape, name_findings
from pulvinar.ingest.readers.streams import stem_of
from pulvinar.model.dataset import AssetKind
from pulvinar.model.space import Window
from pulvinar.model.volume import AXES, Shape5, VolumeKind

_IMAGE = "minc-2.0/image/0/image"
_DIMENSIONS = "minc-2.0/dimensions"
_WORLD = {"xspace": 0, "yspace": 1, "zspace": 2}
_UM_PER_MM = 1e3
_PACKED_MOST, _PACKED_MORE_BYTES = 1.01, 4096
"""What deflate may add to what it can't pack, with checksums."""


@dataclass(frozen=True)
class _Scaling:
    """`real = (stored - low) / (high - low) * (top - bottom) + bottom`; `bottom` and `top` have one number a slice
    of the file's first axes. None of it where `is_identity`."""

    low: float
    high: float
    bottom: npt.NDArray[np.float64]
    top: npt.NDArray[np.float64]

    @property
    def is_identity(self) -> bool:
        return bool((self.bottom == self.low).all() and (self.top == self.high).all())


@dataclass(frozen=True)
class _Image:
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    chunks: tuple[int, ...]
    names: tuple[str, ...]
    letters: str
    scaling: _Scaling | None

    @property
    def shape5(self) -> Shape5:
        return self.spread(self.shape)

    def spread(self, sizes: Sequence[int]) -> Shape5:
        """`sizes` of the file's axes as (t, c, z, y, x), 1 where the file has no such axis."""
        t, c, z, y, x = (dict(zip(self.letters, sizes, strict=True)).get(axis, 1) for axis in AXES)
        return t, c, z, y, x

    def meaning_dtype(self, kind: VolumeKind | None) -> str:
        if self.scaling is None and (kind is not VolumeKind.LABELS or self.dtype.kind != "f"):
            return self.dtype.newbyteorder("=").name
        if kind is VolumeKind.LABELS:
            return "uint32"
        return "float32" if self.dtype.itemsize <= 2 else "float64"


class MincReader:
    """Reads volumes, time series and vectors, by hyperslabs."""

    name: ClassVar[str] = "minc"
    priority: ClassVar[int] = 330

    def find(self, files: Sequence[SourceFile], options: Options) -> Iterator[FoundAsset]:
        """One asset a file; other HDF5 files are passed over in silence."""
        for file in files:
            if is_hdf5(file) and _is_minc(file):
                yield self._found(file, options)

    def open_volume(self, asset: FoundAsset, root: Path, options: Options, scratch: Path) -> OpenVolume:
        """Open lazily; chunks are unpacked as they are asked for."""
        assert asset.volume is not None
        name = asset.files[0]
        file = open_hdf5(root / name, name)
        try:
            with damage(name):
                return _MincVolume(file, _read(file, name), asset.volume.dtype, name)
        except BaseException:
            file.close()
            raise

    def read_geometry(self, asset: FoundAsset, root: Path, options: Options) -> GeometryData:
        """Never: every asset of this reader is a volume."""
        raise Invalid(f"{asset.name} is a volume")

    def _found(self, file: SourceFile, options: Options) -> FoundAsset:
        with open_hdf5(file.path, file.name) as opened, damage(file.name):
            image = _read(opened, file.name)
            ras = _map(opened, image, file.name)
        matrix = check_matrix(sar_from_ras(ras, _UM_PER_MM), file.name, "the map of its dimensions")
        size_um, affine_um = settle(voxel_size(matrix), matrix, image.shape5[2:], options)
        stem = stem_of(file.name)
        findings = name_findings(stem, options)
        if image.shape5[0] > 1 and options.time_step_s is None:
            findings.append(Finding(Severity.DOUBT, "its time points have no step that is known", "--time-step"))
        return FoundAsset(
            self.name,
            key=file.name,
            name=stem,
            kind=AssetKind.VOLUME,
            files=(file.name,),
            volume=VolumeDescription(
                image.shape5,
                image.meaning_dtype(options.kind),
                image.spread(image.chunks),
                size_um,
                affine_um,
                options.kind,
                time_step_s=options.time_step_s,
            ),
            findings=tuple(findings),
            metadata={"header": {"dimensions": list(image.names), "stored_dtype": image.dtype.name}},
        )


class _MincVolume:
    """An `OpenVolume` over the image of an open MINC2 file."""

    def __init__(self, file: Any, image: _Image, dtype: str, name: str) -> None:
        self._file = file
        self._image = image
        self._numbers = Hdf5Numbers(file[_IMAGE], name)
        self._dtype = np.dtype(dtype)
        self._name = name

    def read_into(self, window: Window, out: npt.NDArray[Any]) -> None:
        """Fill `out`, of `window.shape` and the described dtype."""
        slices = dict(zip(AXES, window.slices, strict=True))
        wanted = tuple(slices[letter] for letter in self._image.letters)
        values = self._scaled(self._numbers.read(wanted), wanted)
        order = [self._image.letters.index(axis) for axis in AXES if axis in self._image.letters]
        out[...] = values.transpose(order).reshape(window.shape)

    def close(self) -> None:
        """Let go of the file."""
        self._numbers.close()
        self._file.close()

    def _scaled(self, stored: npt.NDArray[Any], wanted: tuple[slice, ...]) -> npt.NDArray[Any]:
        scaling = self._image.scaling
        values = stored
        if scaling is not None:
            bottom, top = (
                part[wanted[: part.ndim]].reshape(*stored.shape[: part.ndim], *[1] * (stored.ndim - part.ndim))
                for part in (scaling.bottom, scaling.top)
            )
            values = np.clip(stored.astype(np.float64), scaling.low, scaling.high)
            values -= scaling.low
            values *= (top - bottom) / (scaling.high - scaling.low)
            values += bottom
        if self._dtype.kind in "iu" and values.dtype.kind == "f":
            return as_labels(values.astype(np.float64), self._dtype, self._name)
        return values


def _is_minc(file: SourceFile) -> bool:
    """Whether an HDF5 file is MINC2; a damaged one is where its name says so."""
    try:
        with open_hdf5(file.path, file.name) as opened, damage(file.name):
            return "minc-2.0" in opened
    except UnreadableFile:
        if file.name.lower().endswith((".mnc", ".mnc2")):
            raise
        return False


def _numbers(file: Any, path: str, name: str) -> Hdf5Numbers | None:
    data = dataset(file, path, name)
    return None if data is None else Hdf5Numbers(data, name)


def _read(file: Any, name: str) -> _Image:
    image = _numbers(file, _IMAGE, name)
    if image is None:
        raise UnreadableFile(f"{name} is MINC2 without an image at {_IMAGE}")
    data = file[_IMAGE]
    check_shape(data.shape, name)
    names = tuple(text(data.attrs.get("dimorder", "")).split(","))
    _refuse_unwritten(data, name)
    if len(names) != data.ndim or len(set(names)) != len(names):
        raise UnreadableFile(f"{name}: its image has the axes {names} and {data.ndim} dimensions")
    scaling = _scaling(file, data, name)
    chunks = data.chunks or (*[1] * (data.ndim - 2), *data.shape[-2:])
    chunks = tuple(min(pair) for pair in zip(chunks, data.shape, strict=True))
    return _Image(data.shape, image.dtype, chunks, names, _letters(names, name), scaling)


def _refuse_unwritten(data: Any, name: str) -> None:
    """Raise `UnreadableFile` for voxels that are declared and in no chunk: HDF5 would give zeros for them.

    It would also take the first bytes of a chunk that unpacks to too many.
    """
    count, sizes = 1, [data.id.get_storage_size()]
    if data.chunks is not None:
        count = prod(-(-size // chunk) for size, chunk in zip(data.shape, data.chunks, strict=True))
        sizes = []
        data.id.chunk_iter(lambda chunk: sizes.append(chunk.size))
        if max(sizes, default=0) > _PACKED_MOST * prod(data.chunks) * data.dtype.itemsize + _PACKED_MORE_BYTES:
            raise UnreadableFile(f"{name}: a chunk is larger packed than unpacked", hint="make or copy the file again")
    stored = sum(size > 0 for size in sizes)
    if stored < count:
        raise UnreadableFile(
            f"{name}: {count - stored} of its {count} pieces were never written", hint="make or copy the file again"
        )


def _letters(names: tuple[str, ...], name: str) -> str:
    """One letter of "tczyx" an axis: the axes of space in their order are z, y and x."""
    spatial = sum(axis in _WORLD for axis in names)
    known = {"time": "t", "vector_dimension": "c"}
    if spatial not in (2, 3) or any(axis not in _WORLD and axis not in known for axis in names):
        raise UnreadableFile(
            f"{name}: its axes are {', '.join(names)}; two or three of space, time and vectors are read"
        )
    space = iter("zyx"[3 - spatial :])
    return "".join(next(space) if axis in _WORLD else known[axis] for axis in names)


def _scaling(file: Any, data: Any, name: str) -> _Scaling | None:
    """How stored integers become real values; None when they are the values (always for floats)."""
    if data.dtype.kind == "f":
        return None
    limits = np.iinfo(data.dtype)
    given = np.asarray(data.attrs.get("valid_range", (limits.min, limits.max)), np.float64).ravel()
    parts = [_numbers(file, f"{_IMAGE}-{word}", name) for word in ("min", "max")]
    ranges = [np.asarray(part.whole(), np.float64) for part in parts if part is not None]
    if len(ranges) < 2:
        return None
    bottom, top = ranges
    low, high = (float(given.min()), float(given.max())) if given.size == 2 else (0.0, 0.0)
    fits = bottom.shape == top.shape == data.shape[: bottom.ndim]
    if not (np.isfinite(bottom).all() and np.isfinite(top).all() and np.isfinite(given).all() and fits and high > low):
        raise UnreadableFile(f"{name}: the range of its values can't be ({low:g} to {high:g})", hint="repair the file")
    scaling = _Scaling(low, high, bottom, top)
    return None if scaling.is_identity else scaling


def _map(file: Any, image: _Image, name: str) -> Matrix:
    """Columns (x, y, z), which are the file's last to first axes of space, to RAS millimetres."""
    ras = np.eye(4)
    ras[:3, :3] = 0
    missing = set(_WORLD) - set(image.names)
    columns = dict(zip(image.names, image.letters, strict=True))
    if missing:
        columns[missing.pop()] = "z"
    for axis, letter in columns.items():
        if axis not in _WORLD:
            continue
        dimension = member(file, f"{_DIMENSIONS}/{axis}", name)
        attributes: Any = {} if dimension is None else dimension.attrs
        if text(attributes.get("spacing", "")).startswith("irregular"):
            raise UnreadableFile(f"{name}: its slices along {axis} are spaced irregularly", hint="resample it first")
        cosines = np.asarray(attributes.get("direction_cosines", np.eye(3)[_WORLD[axis]]), np.float64).ravel()
        step, start = (float(np.ravel(attributes.get(word, value))[0]) for word, value in (("step", 1.0), ("start", 0)))
        if cosines.shape != (3,):
            raise UnreadableFile(f"{name}: the direction of {axis} has {cosines.size} numbers")
        ras[:3, "xyz".index(letter)] = cosines * step
        ras[:3, 3] += cosines * start
    return ras
