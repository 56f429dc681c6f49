"""What a GIFTI file holds: arrays with what is said of them, and a table of labels.

Read by expat into arrays, with sizes checked before memory is taken: nibabel's parser unpacks without a limit, and
opens the file that `ExternalFileName` names. Source: GIFTI Surface Data Format, version 1.0 (NITRC, 2011).
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pulvinar.errors import TooLarge, UnreadableFile
from pulvinar.ingest.readers.xml_stream import parse_xml

_DTYPES = {
    "UINT8": "u1", "INT8": "i1", "UINT16": "u2", "INT16": "i2", "UINT32": "u4", "INT32": "i4", "UINT64": "u8",
    "INT64": "i8", "FLOAT32": "f4", "FLOAT64": "f8",
}  # fmt: skip
_MOST_BYTES = 1 << 30
_MOST_ARRAYS = 100_000
_MOST_LABELS = 100_000
_LONGEST_VALUE = 4096
_ASCII_BYTES = 64
_WORDS_OF_ITS_LIBRARY = {
    "GIFTI_ENCODING_ASCII": "ASCII",
    "GIFTI_ENCODING_B64BIN": "Base64Binary",
    "GIFTI_ENCODING_B64GZ": "GZipBase64Binary",
    "GIFTI_ENCODING_EXTBIN": "ExternalFileBinary",
}
"""What gifticlib 1.08 writes in place of the words of the standard."""
"""So many letters of a number in text are believed, at most."""


@dataclass(frozen=True)
class Label:
    """A name in the file's label table; `color` as RRGGBB, "" where none is given."""

    id: int
    name: str
    color: str


@dataclass(eq=False)
class GiftiArray:
    """One data array. `space` and `to_space` are the words of NIfTI's xform codes, `matrix` the map between them."""

    intent: str
    dtype: str
    shape: tuple[int, ...]
    encoding: str
    order: str
    metadata: dict[str, str] = field(default_factory=dict)
    space: str = ""
    to_space: str = ""
    matrix: npt.NDArray[np.float64] | None = None
    values: npt.NDArray[Any] = field(default_factory=lambda: np.empty(0))


@dataclass(eq=False)
class GiftiFile:
    """A whole file."""

    metadata: dict[str, str] = field(default_factory=dict)
    labels: list[Label] = field(default_factory=list)
    arrays: list[GiftiArray] = field(default_factory=list)

    def of(self, intent: str) -> list[GiftiArray]:
        """The arrays of one intent ("POINTSET")."""
        return [array for array in self.arrays if array.intent == intent]


def read_gifti(path: Path, name: str) -> GiftiFile:
    """Read a file (gzip too). Raises `UnreadableFile` for one that is no GIFTI, is cut short, or lies in other files,
    `TooLarge` for more than 1 GiB of values."""
    handler = _Handler(name)
    parse_xml(path, name, handler)
    if handler.declared is None:
        raise UnreadableFile(f"{name} has no GIFTI element", hint="export it again")
    found = handler.file
    if handler.declared not in ("", str(len(found.arrays))):
        raise UnreadableFile(
            f"{name} declares {handler.declared} arrays and holds {len(found.arrays)}", hint="copy the file again"
        )
    return found


class _Handler:
    """Builds the file as its elements come by."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.file = GiftiFile()
        self.declared: str | None = None
        self._pieces: list[str] = []
        self._open: GiftiArray | None = None
        self._has_data = False
        self._key = ""
        self._label: dict[str, str] = {}
        self._bytes = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if self.declared is None and tag != "GIFTI":
            raise UnreadableFile(f"{self.name} begins with the element {tag[:40]}, not with GIFTI")
        self._pieces = []
        if tag == "GIFTI":
            self.declared = attributes.get("NumberOfDataArrays", "").strip()
        elif tag == "Label":
            self._label = attributes
        elif tag == "DataArray":
            self._begin(attributes)

    def text(self, text: str) -> None:
        self._pieces.append(text)

    def end(self, tag: str) -> None:
        text, self._pieces = "".join(self._pieces), []
        if tag == "Name":
            self._key = text.strip()[:_LONGEST_VALUE]
        elif tag == "Value":
            metadata = self.file.metadata if self._open is None else self._open.metadata
            metadata[self._key] = text.strip()[:_LONGEST_VALUE]
        elif tag == "Label":
            self._add_label(text.strip())
        elif tag == "DataArray":
            self._finish()
        elif self._open is not None:
            self._end_in_array(self._open, tag, text)

    def _end_in_array(self, array: GiftiArray, tag: str, text: str) -> None:
        if tag == "Data":
            array.values = _decoded(array, text, self._where())
            self._has_data = True
        elif tag == "DataSpace":
            array.space = _code(text)
        elif tag == "TransformedSpace":
            array.to_space = _code(text)
        elif tag == "MatrixData":
            numbers = _numbers(text, np.dtype("f8"), self._where())
            if numbers.size != 16 or not np.isfinite(numbers).all():
                raise UnreadableFile(f"{self._where()}: its matrix is not 16 finite numbers", hint="export it again")
            array.matrix = numbers.reshape(4, 4)

    def _where(self) -> str:
        return f"{self.name}, array {len(self.file.arrays) + 1}"

    def _begin(self, said: dict[str, str]) -> None:
        where = self._where()
        encoding, external = said.get("Encoding", ""), said.get("ExternalFileName", "").strip()
        encoding = _WORDS_OF_ITS_LIBRARY.get(encoding, encoding)
        if encoding == "ExternalFileBinary" or external:
            raise UnreadableFile(
                f"{where}: its values lie in another file ({external!r}), which is not opened",
                hint="export it with GZipBase64Binary",
            )
        if encoding not in ("ASCII", "Base64Binary", "GZipBase64Binary"):
            raise UnreadableFile(f"{where}: the encoding {encoding[:40]!r} is not known", hint="export it again")
        kind = _DTYPES.get(_code(said.get("DataType", ""), "NIFTI_TYPE_"))
        if kind is None:
            raise UnreadableFile(f"{where}: the data type {said.get('DataType', '')[:40]!r} is not read")
        endian = ">" if said.get("Endian", "") in ("BigEndian", "GIFTI_ENDIAN_BIG") else "<"
        shape = self._shape(said, where)
        self._bytes += prod(shape) * np.dtype(kind).itemsize
        if self._bytes > _MOST_BYTES or len(self.file.arrays) >= _MOST_ARRAYS:
            raise TooLarge(
                f"{where}: with it the file declares {self._bytes} bytes; at most {_MOST_BYTES} are read",
                hint="save long series as CIFTI or NIfTI, or in parts",
            )
        order = "F" if said.get("ArrayIndexingOrder") == "ColumnMajorOrder" else "C"
        self._open = GiftiArray(_code(said.get("Intent", "")), endian + kind, shape, encoding, order)
        self._has_data = False

    def _shape(self, said: dict[str, str], where: str) -> tuple[int, ...]:
        rank = said.get("Dimensionality", "")
        sizes = [said.get(f"Dim{axis}", "") for axis in range(int(rank) if rank in ("1", "2") else 0)]
        if not sizes or not all(size.isascii() and size.isdigit() and len(size) < 12 for size in sizes):
            told = ", ".join(f"{key}={said[key][:20]}" for key in sorted(said) if key.startswith("Dim"))
            raise UnreadableFile(f"{where}: its dimensions can't be ({told}): one or two are read")
        return tuple(int(size) for size in sizes)

    def _finish(self) -> None:
        array, self._open = self._open, None
        if array is None or not self._has_data:
            raise UnreadableFile(f"{self._where()}: it has no values", hint="copy the file again")
        self.file.arrays.append(array)

    def _add_label(self, text: str) -> None:
        said = self._label
        key = said.get("Key", said.get("Index", ""))
        if not key.removeprefix("-").isdigit() or not key.isascii() or len(key) > 11:
            raise UnreadableFile(f"{self.name}: the label {text[:40]!r} has the key {key[:20]!r}")
        if len(self.file.labels) >= _MOST_LABELS:
            raise TooLarge(f"{self.name} names more than {_MOST_LABELS} labels", hint="leave out those not used")
        color = hex_color([said.get(part, "") for part in ("Red", "Green", "Blue")])
        self.file.labels.append(Label(int(key), text[:_LONGEST_VALUE], color))


def hex_color(parts: list[Any]) -> str:
    """Red, green and blue between 0 and 1 as RRGGBB; "" where they are none."""
    try:
        shares = [float(part) for part in parts[:3]]
    except (TypeError, ValueError):
        return ""
    if len(shares) < 3 or not all(0 <= share <= 1 for share in shares):
        return ""
    return "".join(f"{round(share * 255):02X}" for share in shares)


def _code(text: str, prefix: str = "NIFTI_") -> str:
    """NIfTI's words without what they all begin with: "POINTSET", "FLOAT32", "SCANNER_ANAT"."""
    word = text.strip()
    for start in ("NIFTI_INTENT_", "NIFTI_XFORM_", prefix):
        word = word.removeprefix(start)
    return word[:_LONGEST_VALUE]


def _decoded(array: GiftiArray, text: str, where: str) -> npt.NDArray[Any]:
    dtype = np.dtype(array.dtype)
    declared = prod(array.shape) * dtype.itemsize
    if array.encoding == "ASCII":
        if len(text) > _ASCII_BYTES * (prod(array.shape) + 1):
            raise UnreadableFile(f"{where}: it has more text than its {prod(array.shape)} values need")
        values = _numbers(text, dtype, where)
    else:
        raw = _unpacked_bytes(array, text, declared, where)
        values = np.frombuffer(raw, dtype) if raw else np.empty(0, dtype)
    if values.size != prod(array.shape):
        raise UnreadableFile(
            f"{where}: it declares {prod(array.shape)} values and holds {values.size}", hint="copy the file again"
        )
    shaped = values.reshape(array.shape, order="F" if array.order == "F" else "C")
    return np.ascontiguousarray(shaped, dtype.newbyteorder("="))


def _unpacked_bytes(array: GiftiArray, text: str, declared: int, where: str) -> bytes:
    """The bytes of an array, exactly as many as it declares."""
    try:
        packed = text.strip()
        raw = base64.b64decode("".join(packed.split()) if re.search(r"\s", packed) else packed, validate=True)
    except (binascii.Error, ValueError) as error:
        raise UnreadableFile(f"{where}: its values are no Base64: {error}", hint="copy the file again") from error
    if array.encoding == "GZipBase64Binary":
        # zlib's frame by the standard; some programs write gzip's
        unpacker = zlib.decompressobj(47)
        try:
            raw = unpacker.decompress(raw, declared + 1)
        except zlib.error as error:
            raise UnreadableFile(f"{where}: its packed values are damaged: {error}", hint="copy it again") from error
        if len(raw) == declared and not unpacker.eof:
            raise UnreadableFile(f"{where}: its packed values are cut short", hint="copy the file again")
    if len(raw) != declared:
        more = "more" if len(raw) > declared else f"{len(raw)}"
        raise UnreadableFile(f"{where}: it declares {declared} bytes and holds {more}", hint="copy the file again")
    return raw


def _numbers(text: str, dtype: np.dtype[Any], where: str) -> npt.NDArray[Any]:
    try:
        told = np.array(text.split(), dtype=np.float64)
    except ValueError as error:
        raise UnreadableFile(f"{where}: a value is no number: {error}", hint="export the file again") from error
    with np.errstate(invalid="ignore", over="ignore"):
        numbers = told.astype(dtype)
    if dtype.kind in "iu" and not (numbers == told).all():
        raise UnreadableFile(f"{where}: a value is no {dtype.name}", hint="export the file again")
    return numbers
