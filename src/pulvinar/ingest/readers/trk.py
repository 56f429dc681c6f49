"""TRK: streamlines of TrackVis and the Diffusion Toolkit, with values of each line.

Points are millimetres from the corner of the first voxel, in the voxels' order; nibabel knows the way from there to RAS
millimetres. The records are found by numpy, as all of the file are words of four bytes. Source: TrackVis, "Track File",
version 2.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from pulvinar.errors import Invalid, TooLarge, UnreadableFile
from pulvinar.ingest.reader import (
    Finding,
    FoundAsset,
    GeometryData,
    OpenVolume,
    Options,
    Severity,
    SourceFile,
    TractsData,
)
from pulvinar.ingest.readers.frames import Matrix, check_matrix
from pulvinar.ingest.readers.streamlines import Floats, Ints, zyx_um_of
from pulvinar.ingest.readers.streams import compression, start_of, stem_of, whole
from pulvinar.ingest.readers.table_columns import unique_names
from pulvinar.model.dataset import AssetKind

_HEADER = 1000
_MOST_PACKED = 1 << 30
_MOST_VALUES = 1000
_MOST_LINES = 20_000_000


@dataclass(frozen=True, eq=False)
class _Tracks:
    """A file's words after its header; `begin` is the word of each line's first point, `first` its row among all
    points, `width` the words of a point."""

    header: Any
    words: npt.NDArray[Any]
    begin: Ints
    first: Ints
    width: int


class TrkReader:
    """Reads the streamlines of a file, with their own values; those of each point are left out."""

    name: ClassVar[str] = "trk"
    priority: ClassVar[int] = 430

    def find(self, files: Sequence[SourceFile], options: Options) -> Iterator[FoundAsset]:
        """One asset a file; raises `UnreadableFile` for one whose records don't fit its header."""
        for file in files:
            head = start_of(file.head)
            if head.startswith(b"TRACK\0") and len(head) >= _HEADER:
                yield self._found(file)
            elif head.startswith(b"TRACK\0"):
                raise UnreadableFile(f"{file.name} is truncated: it ends within its header", hint="copy it again")

    def open_volume(self, asset: FoundAsset, root: Path, options: Options, scratch: Path) -> OpenVolume:
        """Never: every asset of this reader is a tractogram."""
        raise Invalid(f"{asset.name} is a tractogram, not a volume")

    def read_geometry(self, asset: FoundAsset, root: Path, options: Options) -> GeometryData:
        """The streamlines in the world, and a column for each value of a line."""
        name = asset.files[0]
        tracks = _read(root / name, name)
        matrix, _ = _to_rasmm(tracks.header, name)
        values = tracks.words.view(tracks.words.dtype.str.replace("i4", "f4"))
        line_of = np.repeat(np.arange(len(tracks.begin)), np.diff(tracks.first))

        def rasmm(start: int, stop: int) -> Floats:
            lines = line_of[start:stop]
            at = tracks.begin[lines] + (np.arange(start, stop) - tracks.first[lines]) * tracks.width
            points = np.stack([values[at], values[at + 1], values[at + 2]], axis=1).astype(np.float64)
            return points @ matrix[:3, :3].T + matrix[:3, 3]

        places = zyx_um_of(rasmm, tracks.first, name)
        return TractsData(places, tracks.first, _columns(tracks, values))

    def _found(self, file: SourceFile) -> FoundAsset:
        tracks = _read(file.path, file.name)
        _, findings = _to_rasmm(tracks.header, file.name)
        scalars = _titles(tracks.header, "scalar_name", int(tracks.header["nb_scalars_per_point"]))
        if scalars:
            text = f"its values of each point are left out: {', '.join(scalars)}"
            findings.append(Finding(Severity.NOTE, text))
        return FoundAsset(
            self.name,
            key=file.name,
            name=stem_of(file.name),
            kind=AssetKind.TRACTS,
            files=(file.name,),
            findings=tuple(findings),
            metadata={
                "header": {
                    "streamlines": len(tracks.begin),
                    "points": int(tracks.first[-1]),
                    "columns": _property_titles(tracks.header),
                    "dimensions": [int(size) for size in tracks.header["dimensions"]],
                    "voxel_order": _word(tracks.header["voxel_order"]),
                }
            },
        )


def _read(path: Path, name: str) -> _Tracks:
    with path.open("rb") as file:
        packed = compression(file.read(16))
    content: Any = whole(path, name, _MOST_PACKED) if packed else np.memmap(path, np.uint8, "r")
    header = _header(bytes(content[:_HEADER]), name)
    size = len(content) - _HEADER
    if size % 4:
        raise UnreadableFile(f"{name} is truncated: {size} bytes after its header are no whole numbers")
    order = header.dtype["hdr_size"].str[0]
    words = np.frombuffer(content, f"{order}i4", size // 4, _HEADER) if size else np.empty(0, f"{order}i4")
    width = 3 + int(header["nb_scalars_per_point"])
    begin, counts = _records(words, width, int(header["nb_properties_per_streamline"]), name)
    declared = int(header["nb_streamlines"])
    if declared not in (0, len(begin)):
        raise UnreadableFile(
            f"{name} declares {declared} streamlines and holds {len(begin)}",
            hint="copy the file again; if it is whole, save it with the right count",
        )
    first = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    if not first[-1]:
        raise UnreadableFile(f"{name} has {len(begin)} streamlines and no point", hint="leave the file out")
    return _Tracks(header, words, begin, first, width)


def _header(head: bytes, name: str) -> Any:
    from nibabel.streamlines.trk import header_2_dtype

    if len(head) < _HEADER:
        raise UnreadableFile(f"{name} is truncated: it ends within its header", hint="copy the file again")
    for order in "<>":
        header = np.frombuffer(head, header_2_dtype.newbyteorder(order))[0]
        if int(header["hdr_size"]) == _HEADER:
            break
    else:
        raise UnreadableFile(f"{name}: its header declares {int(header['hdr_size'])} bytes, TRK has {_HEADER}")
    values = int(header["nb_scalars_per_point"]), int(header["nb_properties_per_streamline"])
    if not 0 <= min(values) <= max(values) <= _MOST_VALUES or int(header["nb_streamlines"]) < 0:
        raise UnreadableFile(
            f"{name}: its header declares {values[0]} values a point, {values[1]} a line and "
            f"{int(header['nb_streamlines'])} lines",
            hint="copy the file again",
        )
    return header


def _records(words: npt.NDArray[Any], width: int, properties: int, name: str) -> tuple[Ints, Ints]:
    """The word of each line's first point and its number of points; every word is accounted for."""
    begin: list[int] = []
    counts: list[int] = []
    at, end = 0, len(words)
    while at < end:
        count = int(words[at])
        begin.append(at + 1)
        counts.append(count)
        at += 1 + count * width + properties
        if count < 0 or at > end:
            raise UnreadableFile(
                f"{name}: streamline {len(begin)} declares {count} points, more than the file has",
                hint="copy the file again",
            )
        if len(begin) > _MOST_LINES:
            raise TooLarge(f"{name} has more than {_MOST_LINES} streamlines", hint="split the tractogram")
    return np.array(begin, np.int64), np.array(counts, np.int64)


def _to_rasmm(header: Any, name: str) -> tuple[Matrix, list[Finding]]:
    """The map of the file's points to RAS millimetres, and what is doubtful of it."""
    from nibabel.orientations import aff2axcodes
    from nibabel.streamlines.trk import get_affine_trackvis_to_rasmm

    findings = []
    told = {key: header[key] for key in header.dtype.names}
    sizes = np.asarray(told["voxel_sizes"], np.float64)
    if not np.isfinite(sizes).all() or not (sizes > 0).all():
        raise UnreadableFile(f"{name}: its voxel size {sizes.tolist()} can't be", hint="repair the header")
    order = _word(told["voxel_order"]).upper()
    told["voxel_order"] = np.bytes_(order.encode() or b"LPS")
    if not order:
        findings.append(Finding(Severity.DOUBT, "the header names no order of voxels: LPS is taken, as TrackVis does"))
    elif sorted("LPS".find({"R": "L", "A": "P", "I": "S"}.get(letter, letter)) for letter in order) != [0, 1, 2]:
        raise UnreadableFile(f"{name}: its order of voxels {order!r} can't be", hint="repair the header")
    if not float(told["voxel_to_rasmm"][3, 3]):
        told["voxel_to_rasmm"] = np.diag([*sizes, 1.0])
        text = "the header has no map to the world: the corner of its volume is taken as the world's origin"
        findings.append(Finding(Severity.DOUBT, text))
    check_matrix(np.asarray(told["voxel_to_rasmm"], np.float64), name, "its map to the world")
    if None in aff2axcodes(told["voxel_to_rasmm"]):
        raise UnreadableFile(
            f"{name}: its map to the world gives an axis no direction", hint="repair the file's header"
        )
    return check_matrix(np.asarray(get_affine_trackvis_to_rasmm(told), np.float64), name, "its map"), findings


def _word(value: Any) -> str:
    return bytes(value).split(b"\0")[0].decode("latin-1").strip()


def _titles(header: Any, key: str, count: int) -> list[str]:
    """The names of so many values: one name may stand for several, whose number follows it behind a zero byte."""
    titles: list[str] = []
    for raw in header[key].tolist():
        title, _, many = raw.partition(b"\0")
        several = int(many) if many.isdigit() and len(many) < 4 else 1
        text = title.decode("utf-8", "replace").strip()
        if text:
            titles += [text] if several == 1 else [f"{text} {part + 1}" for part in range(several)]
    titles += [f"value {number + 1}" for number in range(len(titles), count)]
    return titles[:count]


def _property_titles(header: Any) -> list[str]:
    return unique_names(_titles(header, "property_name", int(header["nb_properties_per_streamline"])))


def _columns(tracks: _Tracks, values: npt.NDArray[Any]) -> dict[str, npt.NDArray[Any]]:
    behind = tracks.begin + np.diff(tracks.first) * tracks.width
    titles = _property_titles(tracks.header)
    return {title: values[behind + place].astype(np.float64) for place, title in enumerate(titles)}
