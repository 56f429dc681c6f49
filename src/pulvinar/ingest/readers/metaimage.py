"""MetaImage: `.mha`, and `.mhd` with its voxels in one file beside it, or in one a slice.

Axes go from the fastest to the slowest, so the array's (t, c, z, y, x) are the same bytes. Positions are millimetres in
DICOM's frame (left, posterior, superior), as ITK and Slicer write them. Source: the MetaImage documentation of ITK
(MetaIO) and its tags.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from pulvinar.errors import Invalid, UnreadableFile
from pulvinar.ingest.reader import Finding, FoundAsset, GeometryData, OpenVolume, Options, Severity, SourceFile
from pulvinar.ingest.readers.dicom_person import person_findings, without_person
from pulvinar.ingest.readers.frames import Matrix, check_matrix, sar_from_ras, settle, voxel_size
from pulvinar.ingest.readers.raw_volume import (
    RawLayout,
    RawVolume,
    Voxels,
    check_room,
    check_shape,
    component_channels,
    described,
    name_findings,
)
from pulvinar.ingest.readers.streams import stem_of, unpack
from pulvinar.model.dataset import AssetKind
from pulvinar.model.space import Affine, Window
from pulvinar.model.text import plain
from pulvinar.model.volume import Triple

_LONGEST_HEADER = 1 << 20
_MOST_FILES = 100_000
_DTYPES = {
    "MET_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2", "MET_INT": "i4", "MET_UINT": "u4",
    "MET_LONG": "i4", "MET_ULONG": "u4", "MET_LONG_LONG": "i8", "MET_ULONG_LONG": "u8", "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}  # fmt: skip
_LINE = re.compile(r"\s*([A-Za-z_][\w ]*?)\s*=\s*(.*?)\s*$")
_TRUE = ("true", "1", "yes")
_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True)
class _Image:
    """The header, how the voxels lie, and in which files; `packed` says that they are one zlib stream."""

    header: Mapping[str, str]
    layout: RawLayout
    files: tuple[str, ...]
    packed: bool

    @property
    def by_slice(self) -> bool:
        """Whether each slice lies in a file of its own."""
        return len(self.files) > 1


class MetaImageReader:
    """Reads volumes, vectors and time series; raw or compressed."""

    name: ClassVar[str] = "metaimage"
    priority: ClassVar[int] = 330

    def find(self, files: Sequence[SourceFile], options: Options) -> Iterator[FoundAsset]:
        """One asset a header; raises `UnreadableFile` for one that can't be right."""
        by_name = {file.name: file for file in files}
        for file in files:
            if _is_header(file.head):
                yield self._found(file, by_name, options)

    def open_volume(self, asset: FoundAsset, root: Path, options: Options, scratch: Path) -> OpenVolume:
        """Open by positioned reads; packed voxels are unpacked into `scratch` first, and their checksum checked."""
        assert asset.volume is not None
        image = _read(root / asset.files[0], asset.files[0])
        if image.by_slice:
            return _Slices(root, image, asset.volume.dtype)
        path, layout = root / image.files[0], image.layout
        if image.packed:
            target = scratch / "voxels"
            unpack(path, target, layout.size_bytes, image.files[0], "zlib", layout.offset)
            path, layout = target, replace(layout, offset=0)
        return RawVolume(path, layout, asset.volume.dtype, image.files[0])

    def read_geometry(self, asset: FoundAsset, root: Path, options: Options) -> GeometryData:
        """Never: every asset of this reader is a volume."""
        raise Invalid(f"{asset.name} is a volume")

    def _found(self, file: SourceFile, by_name: dict[str, SourceFile], options: Options) -> FoundAsset:
        image = _read(file.path, file.name)
        _check_files(image, by_name, file.name)
        size_um, affine_um, findings = _frame(image, file.name, options)
        stem = stem_of(file.name)
        time_step_s, more = _time_step(image, options)
        header, person = without_person({key: plain(value)[:500] for key, value in list(image.header.items())[:100]})
        return FoundAsset(
            self.name,
            key=file.name,
            name=stem,
            kind=AssetKind.VOLUME,
            files=tuple(dict.fromkeys((file.name, *image.files))),
            volume=described(
                image.layout,
                options.kind,
                voxel_size_um=size_um,
                affine_um=affine_um,
                channels=component_channels(image.layout.shape[1], file.name),
                time_step_s=time_step_s,
            ),
            findings=(*findings, *more, *person_findings([person], [file.name]), *name_findings(stem, options)),
            metadata={"header": header},
        )


def _is_header(head: bytes) -> bool:
    start = head[:4096].decode("latin-1")
    words = [match[1] for match in map(_LINE.match, start.splitlines()[:30]) if match]
    return words[:1] in (["ObjectType"], ["NDims"]) and "NDims" in words and "Image" in start


def _read(path: Path, name: str) -> _Image:
    header, end = _header(path, name)
    if header.get("ObjectType", "Image") != "Image":
        raise UnreadableFile(f"{name} holds {plain(header['ObjectType'])}, not an image", hint="save it as an image")
    if not _flag(header, "BinaryData", default=True):
        raise UnreadableFile(f"{name}: its voxels are written as text", hint="save it in binary")
    word = header.get("ElementType", "")
    code = _DTYPES.get(word.removesuffix("_ARRAY"))
    if code is None:
        raise UnreadableFile(f"{name}: its type is {plain(word)!r}, which is not a number", hint="save it as numbers")
    count = _whole(header, "NDims", name)
    sizes = [int(size) for size in _numbers(header, "DimSize", name, count)]
    channels = _whole(header, "ElementNumberOfChannels", name, 1)
    if not 1 <= len(sizes) <= 4:
        raise UnreadableFile(f"{name}: its header declares {len(sizes)} dimensions, 1 to 4 are read")
    x, y, z, t = (*sizes, *[1] * (4 - len(sizes)))
    check_shape((t, channels, z, y, x), name)
    order = "tzyxc" if channels > 1 else "tczyx"
    big = _flag(header, "BinaryDataByteOrderMSB") or _flag(header, "ElementByteOrderMSB")
    layout = RawLayout((t, channels, z, y, x), (">" if big else "<") + code, 0, order)
    packed = _flag(header, "CompressedData")
    files = _data_files(header, path, name, end, layout)
    size = layout.size_bytes // len(files)
    return _Image(
        header, replace(layout, offset=_offset(header, path, name, (files, end), size, packed)), files, packed
    )


def _header(path: Path, name: str) -> tuple[dict[str, str], int]:
    """The header's fields, and where it ends: behind the line ElementDataFile, which is the last."""
    with path.open("rb") as file:
        data = file.read(_LONGEST_HEADER)
    header: dict[str, str] = {}
    position = 0
    while position < len(data):
        end = data.find(b"\n", position)
        end = len(data) if end < 0 else end + 1
        match = _LINE.match(data[position:end].decode("utf-8", "replace"))
        position = end
        if match is None:
            continue
        if match[1] in header:
            raise UnreadableFile(f"{name}: its header says {plain(match[1])} twice", hint="repair the header")
        header[match[1]] = match[2]
        if match[1] == "ElementDataFile":
            return header, position
    raise UnreadableFile(f"{name}: its header does not say where its voxels are (ElementDataFile)", hint="repair it")


def _flag(header: Mapping[str, str], word: str, *, default: bool = False) -> bool:
    return header[word].lower() in _TRUE if word in header else default


def _numbers(header: Mapping[str, str], word: str, name: str, count: int) -> list[float]:
    try:
        found = [float(part) for part in header[word].split()]
    except (KeyError, ValueError):
        found = []
    if len(found) != count or not np.isfinite(found).all():
        said = plain(header.get(word, "not there"))[:200]
        raise UnreadableFile(f"{name}: {word} is {said}, not {count} numbers", hint="repair the header")
    return found


def _whole(header: Mapping[str, str], word: str, name: str, default: int | None = None) -> int:
    if word not in header and default is not None:
        return default
    (number,) = _numbers(header, word, name, 1)
    if not number.is_integer():
        raise UnreadableFile(f"{name}: {word} is {number:g}, not a whole number", hint="repair the header")
    return int(number)


def _data_files(header: Mapping[str, str], path: Path, name: str, end: int, layout: RawLayout) -> tuple[str, ...]:
    """The files with voxels; a header may name those beside or below itself only."""
    given = header["ElementDataFile"]
    if given.upper() == "LOCAL":
        return (name,)
    if given.upper().startswith("LIST"):
        # behind the line follows a name a slice
        if given.split()[1:] not in ([], ["2D"], ["2"]):
            raise UnreadableFile(f"{name}: its voxels are in files of {plain(given)}", hint="save it as one file")
        with path.open("rb") as file:
            file.seek(end)
            lines = file.read(_LONGEST_HEADER * 8).decode("utf-8", "replace").split("\n")
        listed = [line.strip() for line in lines if line.strip()]
    elif "%" in given:
        listed = _numbered(given, name)
    else:
        return (_beside(given, name),)
    slices = layout.shape[0] * layout.shape[2]
    if len(listed) != slices:
        raise UnreadableFile(f"{name}: it names {len(listed)} files for {slices} slices", hint="repair the header")
    if len(set(listed)) < len(listed):
        raise UnreadableFile(f"{name}: it names a file twice", hint="repair the header")
    return tuple(_beside(one, name) for one in listed)


def _numbered(given: str, name: str) -> list[str]:
    """`slice%03d.raw 1 20 1`: a pattern, first, last and step."""
    pattern, *rest = given.split()
    match = re.fullmatch(r"([^%]*)%(0?\d?)d([^%]*)", pattern)
    if match is None or len(rest) < 2 or not all(part.isdigit() for part in rest):
        raise UnreadableFile(f"{name}: its files are {plain(given)}, which is no pattern", hint="repair the header")
    first, last, step = (*map(int, rest[:2]), int(rest[2]) if len(rest) > 2 else 1)
    if step < 1 or not 0 <= last - first < _MOST_FILES * step:
        raise UnreadableFile(f"{name}: its files are numbered {plain(given)}", hint="repair the header")
    return [f"{match[1]}{format(number, f'{match[2]}d')}{match[3]}" for number in range(first, last + 1, step)]


def _beside(given: str, name: str) -> str:
    if given.startswith("/") or "\\" in given or ".." in given.split("/") or re.match("[A-Za-z]:", given):
        raise UnreadableFile(
            f"{name} points outside its folder: {plain(given)!r}", hint="put all files into one folder"
        )
    return posixpath.normpath(posixpath.join(posixpath.dirname(name), given))


def _offset(
    header: Mapping[str, str], path: Path, name: str, data: tuple[Sequence[str], int], size: int, packed: bool
) -> int:
    """Bytes before the voxels: the header itself, what it says is to be skipped, or what is there beyond the voxels."""
    files, end = data
    start = end if files[0] == name else 0
    skip = _whole(header, "HeaderSize", name, 0)
    if skip < -1:
        raise UnreadableFile(f"{name}: its header skips {skip} bytes", hint="repair HeaderSize")
    if skip != -1:
        return start + skip
    if packed:
        raise UnreadableFile(f"{name}: it skips bytes of a packed stream", hint="save it without a HeaderSize")
    first = path.parents[name.count("/")] / files[0]
    return max(first.stat().st_size - size, 0) if first.is_file() else 0


def _check_files(image: _Image, by_name: Mapping[str, SourceFile], name: str) -> None:
    if image.packed and image.by_slice:
        raise UnreadableFile(f"{name}: its many files are compressed", hint="save it as one file")
    part = replace(image.layout, shape=(1, image.layout.shape[1], 1, *image.layout.shape[3:]))
    for data in image.files:
        if data not in by_name:
            raise UnreadableFile(
                f"{name} puts its voxels into {plain(data)}, which is not in the submission",
                hint="hand in all files together",
            )
        there = by_name[data].size_bytes - (image.layout.offset if image.packed else 0)
        layout = replace(image.layout, offset=0) if image.packed else part if image.by_slice else image.layout
        check_room(there, layout, "gzip" if image.packed else "", data)


def _frame(image: _Image, name: str, options: Options) -> tuple[Triple | None, Affine | None, list[Finding]]:
    """Voxel size and map to the world, after a person's word."""
    header, findings = image.header, []
    count = _whole(header, "NDims", name)
    word = next((word for word in ("ElementSpacing", "ElementSize") if word in header), None)
    size: Triple | None = None
    matrix: Matrix | None = None
    if word is not None:
        spacing = [*_numbers(header, word, name, count), *[1.0] * 3][:3]
        if min(spacing) <= 0:
            raise UnreadableFile(f"{name}: {word} is {plain(header[word])}", hint="repair the header")
        flat = _flat(header, name, count)
        if flat is None and not options.orientation:
            text = "the header has no map to the world: left and right are not known"
            findings.append(Finding(Severity.DOUBT, text, "--orientation"))
        matrix = None if flat is None else _map(flat, spacing, name)
        z, y, x = (float(f"{length * 1e3:.7g}") for length in reversed(spacing))
        size = (z, y, x) if matrix is None else voxel_size(matrix)
        if count < 3 and options.voxel_size_um is None:
            text = "it has fewer than three axes of space: the missing one is 1 voxel"
            findings.append(Finding(Severity.NOTE, text, "--voxel-size"))
    elif options.voxel_size_um is None:
        text = "its header does not say how large its voxels are"
        findings.append(Finding(Severity.QUESTION, text, "--voxel-size"))
    size_um, affine_um = settle(size, matrix, image.layout.shape[2:], options)
    return size_um, affine_um, findings


def _flat(header: Mapping[str, str], name: str, count: int) -> tuple[Matrix, list[float]] | None:
    """The directions of axes, (3, 3) with an axis a column, and the first voxel's place; None where nothing is said."""
    turn = next((word for word in ("TransformMatrix", "Rotation", "Orientation") if word in header), None)
    place = next((word for word in ("Offset", "Position", "Origin") if word in header), None)
    if turn is None and place is None:
        return None
    space = min(count, 3)
    directions = np.eye(3)
    if turn is not None:
        # the header has the direction of one axis behind the other
        said = np.reshape(_numbers(header, turn, name, count * count), (count, count))
        directions[:space, :space] = said[:space, :space].T
    origin = _numbers(header, place, name, count) if place else [0.0] * count
    return directions, [*origin, *[0.0] * 3][:3]


def _map(flat: tuple[Matrix, list[float]], spacing: Sequence[float], name: str) -> Matrix:
    matrix = np.eye(4)
    matrix[:3, :3] = flat[0] * np.asarray(spacing)
    matrix[:3, 3] = flat[1]
    return check_matrix(sar_from_ras(_LPS_TO_RAS @ matrix, 1e3), name, "its TransformMatrix")


def _time_step(image: _Image, options: Options) -> tuple[float | None, list[Finding]]:
    steps = image.layout.shape[0]
    if options.time_step_s is not None or steps == 1:
        return options.time_step_s, []
    # the fourth spacing has no unit that is written anywhere
    text = f"its {steps} time points have no step that is known"
    return None, [Finding(Severity.DOUBT, text, "--time-step")]


class _Slices:
    """An `OpenVolume` over a file a slice."""

    def __init__(self, root: Path, image: _Image, dtype: str) -> None:
        _, c, z, y, x = image.layout.shape
        self._root, self._files, self._dtype, self._depth = root, image.files, dtype, z
        self._layout = replace(image.layout, shape=(1, c, 1, y, x))

    def read_into(self, window: Window, out: Voxels) -> None:
        """Fill `out`, of `window.shape` and the described dtype."""
        (t0, c0, z0, y0, x0), (t1, c1, z1, y1, x1) = window.start, window.stop
        part = Window((0, c0, 0, y0, x0), (1, c1, 1, y1, x1))
        for t in range(t0, t1):
            for z in range(z0, z1):
                name = self._files[t * self._depth + z]
                opened = RawVolume(self._root / name, self._layout, self._dtype, name)
                try:
                    opened.read_into(part, out[t - t0 : t - t0 + 1, :, z - z0 : z - z0 + 1])
                finally:
                    opened.close()

    def close(self) -> None:
        """Nothing is held open."""
