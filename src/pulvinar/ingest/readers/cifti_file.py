"""What a CIFTI-2 file holds: a matrix, and what its two axes are.

The header's sizes are checked before memory is taken. Source: CIFTI-2 file format specification (Connectome Workbench,
2014), which is NIfTI-2 with an XML extension.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from pulvinar.errors import PulvinarError, TooLarge, UnreadableFile
from pulvinar.ingest.matrices import LARGEST_TABLE_VALUES
from pulvinar.ingest.reader import Matrix
from pulvinar.ingest.readers.gifti_file import Label, hex_color
from pulvinar.ingest.readers.open_matrices import BY_COLUMN, RawMatrix
from pulvinar.ingest.readers.raw_volume import RawLayout, float_type
from pulvinar.ingest.readers.streams import compression, unpacked
from pulvinar.ingest.readers.xml_stream import parse_pieces

_HEADER = 540
_EXTENSION = 32
_MOST_XML = 256 << 20
_MOST_BYTES = 1 << 30
_DTYPES = {2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4"}
_INTENTS = range(3000, 3100)
_SURFACE = "CIFTI_MODEL_TYPE_SURFACE"
_STRUCTURE = "CIFTI_STRUCTURE_"

Table = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Elements:
    """An axis of things in the brain or in a list: `table` has one row each, "name" always where `named`.

    `zyx_um` (n, 3) are the places of voxels in the world, NaN for vertices; of no rows where there are no voxels.
    """

    table: Table
    names: npt.NDArray[Any]
    zyx_um: npt.NDArray[np.float64]
    structures: dict[str, int]


@dataclass(frozen=True, eq=False)
class Maps:
    """An axis of named maps; `labels` has the table of each, none for scalars."""

    names: tuple[str, ...]
    labels: tuple[tuple[Label, ...], ...] = ()


@dataclass(frozen=True)
class Series:
    """An axis of equal steps; `unit` is "SECOND", "HERTZ", "METER" or "RADIAN"."""

    start: float
    step: float
    size: int
    unit: str


Axis = Elements | Maps | Series


@dataclass(frozen=True, eq=False)
class CiftiFile:
    """`axes[0]` runs along the rows of the file's matrix (dimension 0), `axes[1]` along its columns; its values have
    the `shape` of the axes in this order."""

    axes: tuple[Axis, Axis]
    shape: tuple[int, int]
    metadata: dict[str, str]
    path: Path
    name: str
    _header: Any

    @cached_property
    def values(self) -> npt.NDArray[Any]:
        """All values; raises `TooLarge` for more than 1 GiB, `UnreadableFile` where the file ends early."""
        _check_held(self._header, self.shape, self.name)
        with unpacked(self.path, self.name) as stream:
            stream.read(int(self._header["vox_offset"]))
            return _matrix(stream, _stored(self._header), self.shape, self._scaling, self.name)

    def opened(self) -> npt.NDArray[Any] | Matrix:
        """The values as floats, read by window where they are many."""
        if _is_compressed(self.path) or prod(self.shape) <= LARGEST_TABLE_VALUES:
            return self.values.astype(float_type(_stored(self._header)), copy=False)
        shape = (self.shape[0], 1, 1, 1, self.shape[1])
        # along the file's rows numbers lie side by side
        layout = RawLayout(shape, _stored(self._header).str, int(self._header["vox_offset"]), BY_COLUMN, *self._scaling)
        return RawMatrix(self.path, layout, self.name)

    @property
    def _scaling(self) -> tuple[float, float]:
        """Slope and intercept of the values; raises `UnreadableFile` for such as are not finite."""
        slope, intercept = float(self._header["scl_slope"]), float(self._header["scl_inter"])
        # a slope of 0 means none (nifti1.h)
        if slope == 0 or np.isnan(slope):
            return 1.0, 0.0
        if not np.isfinite([slope, intercept]).all():
            raise UnreadableFile(
                f"{self.name}: its header scales values by {slope} and {intercept}", hint="repair scl_slope"
            )
        return slope, intercept


def is_cifti(head: bytes) -> bool:
    """Whether these first bytes are NIfTI-2's with an intent of CIFTI-2."""
    order = _byte_order(head)
    return bool(order) and int(np.frombuffer(head[504:508], f"{order}i4")[0]) in _INTENTS


def read_cifti(path: Path, name: str) -> CiftiFile:
    """Read the description in a file (gzip too); raises `UnreadableFile` where header, axes and matrix disagree."""
    with unpacked(path, name) as stream:
        header = _header(stream, name)
        shape = _shape(header, name)
        xml = _extension(stream, header, name)
        _check_room(header, shape, path, name)
        document, metadata = _document(xml, name)
        axes = tuple(_axis(document, place, shape[place], name) for place in range(2))
    return CiftiFile((axes[0], axes[1]), shape, metadata, path, name, header)


def _stored(header: Any) -> np.dtype[Any]:
    return np.dtype(f"{header.endianness}{_DTYPES[int(header['datatype'])]}")


def _is_compressed(path: Path) -> bool:
    with path.open("rb") as file:
        return bool(compression(file.read(16)))


def _check_room(header: Any, shape: tuple[int, int], path: Path, name: str) -> None:
    """Raise `UnreadableFile` for a file that ends before its matrix, `TooLarge` for a stream of more than 1 GiB."""
    if _is_compressed(path):
        _check_held(header, shape, name)
        return
    size = prod(shape) * _stored(header).itemsize
    there = path.stat().st_size - int(header["vox_offset"])
    if there < size:
        raise _truncated(there, size, name)


def _truncated(there: int, size: int, name: str) -> UnreadableFile:
    return UnreadableFile(
        f"{name} is truncated: its matrix has {there} bytes of the {size} that it declares", hint="copy the file again"
    )


def _check_held(header: Any, shape: tuple[int, int], name: str) -> None:
    """Raise `TooLarge` for a matrix that is not held in memory."""
    size = prod(shape) * _stored(header).itemsize
    if size > _MOST_BYTES:
        raise TooLarge(
            f"{name} declares a matrix of {shape[0]} x {shape[1]}, {size} bytes; at most {_MOST_BYTES} are read of "
            "maps, and of a file that is compressed",
            hint="unpack a series or a matrix of connectivity (gunzip); save maps in parts",
        )


def _byte_order(head: bytes) -> str:
    if len(head) < _HEADER or head[4:8] != b"n+2\0":
        return ""
    return next((order for order in "<>" if int(np.frombuffer(head[:4], f"{order}i4")[0]) == _HEADER), "")


def _header(stream: IO[bytes], name: str) -> Any:
    from nibabel.nifti2 import Nifti2Header

    head = stream.read(_HEADER)
    if not is_cifti(head):
        raise UnreadableFile(f"{name} is no CIFTI-2 file any more: it has changed since it was found")
    header = Nifti2Header(head, endianness=_byte_order(head), check=False)
    if int(header["datatype"]) not in _DTYPES:
        raise UnreadableFile(f"{name}: its header names the data type {int(header['datatype'])}, which is not read")
    return header


def _shape(header: Any, name: str) -> tuple[int, int]:
    dim = [int(size) for size in header["dim"]]
    if dim[0] != 6 or any(size != 1 for size in dim[1:5]) or min(dim[5:7]) < 1:
        raise UnreadableFile(
            f"{name}: its header declares the dimensions {dim}; a matrix of two axes is read",
            hint="save each matrix of a series of matrices as a file of its own",
        )
    return dim[5], dim[6]


def _extension(stream: IO[bytes], header: Any, name: str) -> bytes:
    """The XML of the header's extension; the stream stands at the matrix then."""
    offset = float(header["vox_offset"])
    if not _HEADER + 12 <= offset <= _MOST_XML:
        raise UnreadableFile(f"{name}: its header puts the matrix at byte {offset:g}", hint="copy the file again")
    between = stream.read(int(offset) - _HEADER)
    if len(between) < int(offset) - _HEADER:
        raise UnreadableFile(f"{name} is truncated: it ends before its matrix", hint="copy the file again")
    at, order = 4, f"{header.endianness}i4"
    while between[0] and at + 8 <= len(between):
        size, code = (int(number) for number in np.frombuffer(between[at : at + 8], order))
        if not 8 <= size <= len(between) - at:
            raise UnreadableFile(f"{name}: an extension of its header declares {size} bytes")
        if code == _EXTENSION:
            return between[at + 8 : at + size].rstrip(b"\0")
        at += size
    raise UnreadableFile(f"{name} has no CIFTI description in its header", hint="export it again")


def _document(xml: bytes, name: str) -> tuple[Any, dict[str, str]]:
    """The header as nibabel's object, once it is known that it declares no entity and can't grow."""
    from nibabel.cifti2.parse_cifti2 import Cifti2Parser

    pieces = [xml]
    parse_pieces(lambda: pieces.pop() if pieces else b"", name, _Silent())
    parser = Cifti2Parser()
    _understood(lambda: parser.parse(string=xml), name)
    if parser.header is None:
        raise UnreadableFile(f"{name}: its header's XML is not CIFTI's", hint="export it again")
    metadata = parser.header.matrix.metadata
    return parser.header, {str(key): str(value)[:4096] for key, value in (metadata or {}).items()}


class _Silent:
    def start(self, tag: str, attributes: dict[str, str]) -> None:
        pass

    def end(self, tag: str) -> None:
        pass

    def text(self, text: str) -> None:
        pass


def _understood(ask: Callable[[], Any], name: str) -> Any:
    """What `ask` gives; whatever nibabel raises at a damaged header becomes `UnreadableFile`."""
    try:
        return ask()
    except (PulvinarError, MemoryError):
        raise
    except Exception as error:
        said = str(error) or type(error).__name__
        raise UnreadableFile(f"{name}: its CIFTI description can't be: {said}", hint="export the file again") from error


def _axis(document: Any, place: int, size: int, name: str) -> Axis:
    mapping = _understood(lambda: document.matrix.get_index_map(place), name)
    models = [*mapping.brain_models]
    _check_models(models, size, name)
    if models:
        return _understood(lambda: _grayordinates(models, mapping, name), name)  # type: ignore[no-any-return]
    axis = _understood(lambda: document.get_axis(place), name)
    # what the description leaves out is None to nibabel
    if axis.size != size:
        raise UnreadableFile(
            f"{name}: its description names {axis.size} elements, its matrix has {size}", hint="export it again"
        )
    converted: Axis = _understood(lambda: _converted(axis), name)
    return converted


def _converted(axis: Any) -> Axis:
    kind = type(axis).__name__
    if kind == "SeriesAxis":
        return Series(float(axis.start), float(axis.step), int(axis.size), str(axis.unit))
    if kind == "ScalarAxis":
        return Maps(tuple(str(one) for one in axis.name))
    if kind == "LabelAxis":
        tables = [
            [Label(int(key), str(text), hex_color([*rgba])) for key, (text, rgba) in table.items()]
            for table in axis.label
        ]
        return Maps(tuple(str(one) for one in axis.name), tuple(tuple(table) for table in tables))
    return _parcels(axis)


def _check_models(models: list[Any], size: int, name: str) -> None:
    """Models follow each other without gaps, and list as many vertices or voxels as they count: nibabel would take
    memory for what is declared, and misplace what lies in another order."""
    expected = 0
    for model in models:
        count, offset = model.index_count, model.index_offset
        listed = model.vertex_indices if model.model_type == _SURFACE else model.voxel_indices_ijk
        if not isinstance(count, int) or offset != expected or listed is None or len(listed) != count or count < 1:
            raise UnreadableFile(
                f"{name}: {model.brain_structure} declares {count} elements from {offset} on and lists "
                f"{0 if listed is None else len(listed)}; {expected} came before",
                hint="export the file again",
            )
        expected += count
    if models and expected != size:
        raise UnreadableFile(f"{name}: its description names {expected} elements, its matrix has {size}")


def _unit_um(mapping: Any, name: str) -> float:
    if mapping.volume is None:
        return 1000.0
    exponent = mapping.volume.transformation_matrix_voxel_indices_ijk_to_xyz.meter_exponent
    if exponent not in range(-9, 1):
        raise UnreadableFile(f"{name}: the unit of its volume is 10 to the power {exponent} metres")
    return float(10.0 ** (int(exponent) + 6))


def _grayordinates(models: Sequence[Any], mapping: Any, name: str) -> Elements:
    """The elements of models that `_check_models` has seen; nibabel's own axis takes a second for a million of them."""
    vertex, voxel = [], []
    for model in models:
        is_surface = model.model_type == _SURFACE
        count, nothing = model.index_count, -1
        vertices = np.array([*model.vertex_indices], np.int64) if is_surface else np.full(count, nothing)
        voxels = np.full((count, 3), nothing) if is_surface else np.array([*model.voxel_indices_ijk], np.int64)
        most = model.surface_number_of_vertices if is_surface else None
        if is_surface and (most is None or vertices.max() >= most):
            raise UnreadableFile(f"{name}: {model.brain_structure} has {most} vertices, and names one beyond them")
        if (vertices if is_surface else voxels).min() < 0:
            raise UnreadableFile(f"{name}: {model.brain_structure} names a place below 0", hint="export the file again")
        vertex.append(vertices)
        voxel.append(voxels)
    parts = [str(model.brain_structure).removeprefix(_STRUCTURE) for model in models]
    structure = np.repeat(np.array(parts, dtype=object), [len(one) for one in vertex])
    table: Table = {"structure": structure, "vertex": np.concatenate(vertex)}
    every, places = np.concatenate(voxel), np.empty((0, 3))
    on_surface = table["vertex"] >= 0
    if not on_surface.all():
        matrix = _voxels_to_world(mapping, name)
        places = ((every @ matrix[:3, :3].T + matrix[:3, 3]) * _unit_um(mapping, name))[:, ::-1].copy()
        places[on_surface] = np.nan
        table |= {f"voxel_{letter}": every[:, column] for column, letter in enumerate("ijk")}
        table |= {f"{letter}_um": np.ascontiguousarray(places[:, column]) for column, letter in enumerate("zyx")}
    texts: list[str] = []
    found: dict[str, int] = {}
    for part, vertices, voxels in zip(parts, vertex, voxel, strict=True):
        found[part] = found.get(part, 0) + len(vertices)
        if vertices[0] >= 0:
            texts += [f"{part} {number}" for number in vertices.tolist()]
        else:
            texts += [f"{part} {i} {j} {k}" for i, j, k in voxels.tolist()]
    return Elements(table, np.array(texts, dtype=object), places, dict(sorted(found.items())))


def _voxels_to_world(mapping: Any, name: str) -> npt.NDArray[np.float64]:
    volume = mapping.volume
    told = None if volume is None else volume.transformation_matrix_voxel_indices_ijk_to_xyz
    matrix = np.asarray([] if told is None or told.matrix is None else told.matrix, np.float64)
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all():
        raise UnreadableFile(f"{name}: the map of its voxels to the world is not 16 finite numbers")
    return matrix


def _parcels(axis: Any) -> Elements:
    names = np.array([str(one) for one in axis.name], dtype=object)
    vertices = [sum(len(part) for part in parts.values()) for parts in axis.vertices]
    table: Table = {
        "name": names,
        "vertices": np.array(vertices, np.int64),
        "voxels": np.array([len(part) for part in axis.voxels], np.int64),
    }
    return Elements(table, names, np.empty((0, 3)), {})


def _matrix(
    stream: IO[bytes], dtype: np.dtype[Any], shape: tuple[int, int], scaling: tuple[float, float], name: str
) -> npt.NDArray[Any]:
    size = prod(shape) * dtype.itemsize
    raw = stream.read(size)
    if len(raw) < size:
        raise _truncated(len(raw), size, name)
    # reading to the end is what checks the checksum of a compressed file
    while stream.read(1 << 20):
        pass
    values = np.frombuffer(raw, dtype).reshape(shape, order="F").astype(dtype.newbyteorder("="))
    slope, intercept = scaling
    if slope == 1 and intercept == 0:
        return values
    with np.errstate(over="ignore", invalid="ignore"):
        return values.astype(np.float64) * slope + intercept
