"""NRRD: `.nrrd`, and `.nhdr` with its voxels in a file beside it.

The header's axes go from the fastest to the slowest; the array's (t, c, z, y, x) are the same bytes, so nothing is
reordered. Source: the NRRD file format, http://teem.sourceforge.net/nrrd/format.html.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from pulvinar.errors import Invalid, UnreadableFile
from pulvinar.ingest.reader import FoundAsset, GeometryData, OpenVolume, Options, SourceFile
from pulvinar.ingest.readers.dicom_person import person_findings, without_person
from pulvinar.ingest.readers.nrrd_frame import nrrd_axes, nrrd_frame
from pulvinar.ingest.readers.raw_volume import (
    RawLayout,
    RawVolume,
    check_room,
    check_shape,
    component_channels,
    described,
    name_findings,
)
from pulvinar.ingest.readers.streams import stem_of, unpack
from pulvinar.model.dataset import AssetKind

_LONGEST_HEADER = 1 << 20
_DTYPES = {
    "signed char": "i1", "int8": "i1", "int8_t": "i1",
    "uchar": "u1", "unsigned char": "u1", "uint8": "u1", "uint8_t": "u1",
    "short": "i2", "short int": "i2", "signed short": "i2", "signed short int": "i2", "int16": "i2", "int16_t": "i2",
    "ushort": "u2", "unsigned short": "u2", "unsigned short int": "u2", "uint16": "u2", "uint16_t": "u2",
    "int": "i4", "signed int": "i4", "int32": "i4", "int32_t": "i4",
    "uint": "u4", "unsigned int": "u4", "uint32": "u4", "uint32_t": "u4",
    "longlong": "i8", "long long": "i8", "long long int": "i8", "signed long long": "i8",
    "signed long long int": "i8", "int64": "i8", "int64_t": "i8",
    "ulonglong": "u8", "unsigned long long": "u8", "unsigned long long int": "u8", "uint64": "u8", "uint64_t": "u8",
    "float": "f4", "double": "f8",
}  # fmt: skip
_LIST = re.compile(r"data ?file:\s*LIST\b")
_PACKING = {"raw": "", "gzip": "gzip", "gz": "gzip", "bzip2": "bzip2", "bz2": "bzip2"}


@dataclass(frozen=True)
class _Image:
    """The header, and where the voxels lie: in `data_name`, packed as `packing` says, from byte `skip` on.

    `skip` is None when they are the file's last bytes.
    """

    header: Mapping[str, Any]
    layout: RawLayout
    data_name: str
    packing: str
    skip: int | None


class NrrdReader:
    """Reads volumes, colours, vectors and time series; encodings raw, gzip and bzip2."""

    name: ClassVar[str] = "nrrd"
    priority: ClassVar[int] = 320

    def find(self, files: Sequence[SourceFile], options: Options) -> Iterator[FoundAsset]:
        """One asset a header; raises `UnreadableFile` for one that can't be right."""
        by_name = {file.name: file for file in files}
        for file in files:
            if re.match(rb"NRRD000[1-9]\r?\n", file.head):
                yield self._found(file, by_name, options)

    def open_volume(self, asset: FoundAsset, root: Path, options: Options, scratch: Path) -> OpenVolume:
        """Open by positioned reads; packed voxels are unpacked into `scratch` first, and their checksum checked."""
        assert asset.volume is not None
        image = _read(root / asset.files[0], asset.files[0], options)
        path, layout = root / image.data_name, image.layout
        if image.packing:
            unpack(path, scratch / "voxels", layout.size_bytes, image.data_name, image.packing, image.skip or 0)
            path = scratch / "voxels"
        return RawVolume(path, layout, asset.volume.dtype, image.data_name)

    def read_geometry(self, asset: FoundAsset, root: Path, options: Options) -> GeometryData:
        """Never: every asset of this reader is a volume."""
        raise Invalid(f"{asset.name} is a volume")

    def _found(self, file: SourceFile, by_name: dict[str, SourceFile], options: Options) -> FoundAsset:
        image = _read(file.path, file.name, options)
        if image.data_name not in by_name:
            raise UnreadableFile(
                f"{file.name} puts its voxels into {image.data_name}, which is not in the submission",
                hint="hand in both files together",
            )
        data = by_name[image.data_name]
        behind = max(data.size_bytes - (image.skip or 0), 0)
        check_room(behind, RawLayout(image.layout.shape, image.layout.dtype), image.packing, data.name)
        frame = nrrd_frame(image.header, image.layout, file.name, options)
        header, person = without_person(_summary(image.header))
        stem = stem_of(file.name)
        return FoundAsset(
            self.name,
            key=file.name,
            name=stem,
            kind=AssetKind.VOLUME,
            files=tuple(dict.fromkeys((file.name, data.name))),
            volume=described(
                image.layout,
                options.kind,
                voxel_size_um=frame.voxel_size_um,
                affine_um=frame.affine_um,
                time_step_s=frame.time_step_s,
                channels=component_channels(image.layout.shape[1], file.name),
            ),
            findings=(*frame.findings, *person_findings([person], [file.name]), *name_findings(stem, options)),
            metadata={"header": header},
        )


def _read(path: Path, name: str, options: Options) -> _Image:
    header, size = _header(path, name)
    sizes = [int(size) for size in header["sizes"]]
    if len(sizes) != int(header["dimension"]):
        raise UnreadableFile(f"{name}: its header declares {header['dimension']} dimensions and {len(sizes)} sizes")
    check_shape(tuple(sizes), name)
    letters = nrrd_axes(header, name, options)
    order = "".join(reversed(letters))
    shape = tuple(dict(zip(letters, sizes, strict=True)).get(axis, 1) for axis in "tczyx")
    order = "".join(axis for axis in "tczyx" if axis not in order) + order
    dtype = _dtype(header, name)
    encoding = str(header["encoding"]).lower()
    if encoding not in _PACKING:
        raise UnreadableFile(f"{name}: its encoding is {encoding!r}", hint="save it as raw or gzip")
    data_name = _data_name(header, name)
    skip = _skip(header, path, 0 if data_name != name else size, name, data_name)
    if _PACKING[encoding] and _byte_skip(header):
        raise UnreadableFile(f"{name}: it skips bytes of a packed stream", hint="save it without a byte skip")
    t, c, z, y, x = shape
    layout = RawLayout((t, c, z, y, x), dtype, 0, order)
    if not _PACKING[encoding]:
        layout = RawLayout(layout.shape, dtype, _first_voxel(path, name, data_name, skip, layout), order)
    return _Image(header, layout, data_name, _PACKING[encoding], skip)


def _first_voxel(path: Path, name: str, data_name: str, skip: int | None, layout: RawLayout) -> int:
    if skip is not None:
        return skip
    data = path.parent / Path(data_name).name if data_name == name else _beside(path, name, data_name)
    size = data.stat().st_size if data.is_file() else layout.size_bytes
    return max(size - layout.size_bytes, 0)


def _beside(path: Path, name: str, data_name: str) -> Path:
    """The path of `data_name`, both names being relative to one folder."""
    return path.parents[name.count("/")] / data_name


def _header(path: Path, name: str) -> tuple[dict[str, Any], int]:
    """The header's fields as pynrrd parses them, and its length in bytes with the empty line."""
    import nrrd

    with path.open("rb") as file:
        text = file.read(_LONGEST_HEADER)
    end = re.search(rb"\r?\n\r?\n", text)
    if end is None and len(text) == _LONGEST_HEADER:
        raise UnreadableFile(f"{name}: its header has no end within {_LONGEST_HEADER} bytes")
    block = text[: end.start()] if end else text
    try:
        lines = [_plain(line) for line in block.decode("utf-8", "replace").splitlines()]
        # behind this field names of files follow, which pynrrd takes for fields
        last = next((i for i, line in enumerate(lines) if _LIST.match(line)), len(lines))
        lines = lines[: last + 1]
        header = dict(nrrd.read_header(lines))
        _check_fields(header, name)
    except UnreadableFile:
        raise
    except Exception as error:
        raise UnreadableFile(f"{name}: its header can't be read: {error}", hint="repair the header") from error
    return header, end.end() if end else len(text)


def _plain(line: str) -> str:
    """A line as pynrrd takes it: it drops what isn't ASCII, so that µm would become m, and knows no spaces in
    vectors."""
    line = re.sub("[µμ\N{REPLACEMENT CHARACTER}](?=m)", "u", line)
    return re.sub(r",\s+", ",", line) if line.startswith("space ") else line


def _check_fields(header: dict[str, Any], name: str) -> None:
    missing = [field for field in ("type", "dimension", "sizes", "encoding") if field not in header]
    if missing:
        raise UnreadableFile(f"{name}: its header has no {', '.join(missing)}", hint="repair the header")


def _dtype(header: Mapping[str, Any], name: str) -> str:
    word = str(header["type"]).lower()
    if word not in _DTYPES:
        raise UnreadableFile(f"{name}: its type is {word!r}, which is not a number", hint="save it as numbers")
    code = _DTYPES[word]
    endian = str(header.get("endian", "")).lower()
    if code[1] != "1" and endian not in ("little", "big"):
        raise UnreadableFile(f"{name}: its header does not say its byte order", hint="add the line endian: little")
    return (">" if endian == "big" else "<") + code


def _data_name(header: Mapping[str, Any], name: str) -> str:
    """The file with the voxels, relative to the submission; a header may name one beside or below itself only."""
    given = header.get("data file", header.get("datafile"))
    if given is None:
        return name
    given = str(given)
    if not given:
        raise UnreadableFile(f"{name}: its header names no data file", hint="repair the header")
    if given.split()[0] == "LIST" or "%" in given:
        raise UnreadableFile(f"{name}: its voxels are in many files ({given})", hint="save it as one file")
    target = posixpath.normpath(posixpath.join(posixpath.dirname(name), given))
    if given.startswith("/") or "\\" in given or ".." in given.split("/"):
        raise UnreadableFile(f"{name} points outside its folder: {given!r}", hint="put both files into one folder")
    return target


def _skip(header: Mapping[str, Any], path: Path, header_size: int, name: str, data_name: str) -> int | None:
    """Bytes before the voxels; None for the last bytes of the file (a byte skip of -1)."""
    lines = int(header.get("line skip", header.get("lineskip", 0)))
    skipped = _byte_skip(header)
    if lines < 0 or skipped < -1 or lines > 10_000:
        raise UnreadableFile(f"{name}: its header skips {lines} lines and {skipped} bytes")
    if skipped == -1:
        return None
    source = path if data_name == name else _beside(path, name, data_name)
    if not lines or not source.is_file():
        return header_size + skipped
    with source.open("rb") as file:
        file.seek(header_size)
        for _ in range(lines):
            file.readline(_LONGEST_HEADER)
        return file.tell() + skipped


def _byte_skip(header: Mapping[str, Any]) -> int:
    return int(header.get("byte skip", header.get("byteskip", 0)))


def _summary(header: Mapping[str, Any]) -> dict[str, str]:
    """The header's fields as text."""
    return {str(key)[:100]: " ".join(str(value).split())[:500] for key, value in list(header.items())[:100]}
