"""TCK: streamlines of MRtrix, in RAS millimetres.

Read by numpy, for the file is one array: a line of text each for what is said, then points, a point of NaN behind each
streamline and one of infinity at the end. Source: MRtrix3 documentation, "Tracks file format (.tck)".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
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
    TractsData,
)
from pulvinar.ingest.readers.streamlines import Ints, zyx_um_of
from pulvinar.ingest.readers.streams import compression, start_of, stem_of, whole
from pulvinar.model.dataset import AssetKind

_MAGIC = b"mrtrix tracks"
_LONGEST_HEADER = 1 << 20
_MOST_PACKED = 1 << 30
_DTYPES = {"Float32LE": "<f4", "Float32BE": ">f4", "Float64LE": "<f8", "Float64BE": ">f8", "Float32": "<f4"}


@dataclass(frozen=True, eq=False)
class _Tracks:
    """The rows of the file (points and ends of lines), the rows that hold a point, where each line begins in those."""

    rows: npt.NDArray[Any]
    kept: Ints
    first: Ints
    said: dict[str, str]


class TckReader:
    """Reads the streamlines of a file."""

    name: ClassVar[str] = "tck"
    priority: ClassVar[int] = 431

    def find(self, files: Sequence[SourceFile], options: Options) -> Iterator[FoundAsset]:
        """One asset a file; raises `UnreadableFile` for one that is cut short."""
        for file in files:
            if start_of(file.head).startswith(_MAGIC):
                yield self._found(file)

    def open_volume(self, asset: FoundAsset, root: Path, options: Options, scratch: Path) -> OpenVolume:
        """Never: every asset of this reader is a tractogram."""
        raise Invalid(f"{asset.name} is a tractogram, not a volume")

    def read_geometry(self, asset: FoundAsset, root: Path, options: Options) -> GeometryData:
        """The streamlines, those of no point among them."""
        name = asset.files[0]
        tracks = _read(root / name, name)

        def rasmm(start: int, stop: int) -> npt.NDArray[Any]:
            return tracks.rows[tracks.kept[start:stop]]

        return TractsData(zyx_um_of(rasmm, tracks.first, name), tracks.first, {})

    def _found(self, file: SourceFile) -> FoundAsset:
        tracks = _read(file.path, file.name)
        lines, told = len(tracks.first) - 1, tracks.said.get("count", "")
        findings = []
        if told.isascii() and told.isdigit() and len(told) < 18 and int(told) != lines:
            text = f"its header declares {int(told)} streamlines, and it holds {lines}: those are taken"
            findings.append(Finding(Severity.DOUBT, text))
        return FoundAsset(
            self.name,
            key=file.name,
            name=stem_of(file.name),
            kind=AssetKind.TRACTS,
            files=(file.name,),
            findings=tuple(findings),
            metadata={"header": {"streamlines": lines, "points": int(tracks.first[-1]), "said": tracks.said}},
        )


def _read(path: Path, name: str) -> _Tracks:
    with path.open("rb") as file:
        packed = compression(file.read(16))
    content: Any = whole(path, name, _MOST_PACKED) if packed else np.memmap(path, np.uint8, "r")
    head = bytes(content[:_LONGEST_HEADER])
    said = _header(head, name)
    dtype, offset = _layout(said, name)
    size = len(content) - offset
    if offset < len(_MAGIC) or size < 0:
        raise UnreadableFile(f"{name}: its header puts the points at byte {offset}", hint="copy the file again")
    count = size // (3 * dtype.itemsize)
    if not count:
        raise UnreadableFile(f"{name} is truncated: it has no points", hint="copy the file again")
    rows = np.frombuffer(content, dtype, count * 3, offset).reshape(-1, 3)
    return _split(rows, said, name)


def _split(rows: npt.NDArray[Any], said: dict[str, str], name: str) -> _Tracks:
    ended = _rows_where(np.isinf, rows)
    if not ended.size:
        raise UnreadableFile(f"{name} is truncated: it has no end", hint="copy the file again")
    inside = rows[: int(ended[0])]
    places = _rows_where(np.isnan, inside)
    if len(inside) and (not len(places) or places[-1] != len(inside) - 1):
        raise UnreadableFile(f"{name}: its last streamline has no end", hint="copy the file again")
    first = np.concatenate([[0], places - np.arange(len(places))]).astype(np.int64)
    if not first[-1]:
        raise UnreadableFile(f"{name} has {len(places)} streamlines and no point", hint="leave the file out")
    kept = np.ones(len(inside), bool)
    kept[places] = False
    return _Tracks(inside, np.flatnonzero(kept).astype(np.int64), first, said)


def _rows_where(test: Callable[[npt.NDArray[Any]], Any], rows: npt.NDArray[Any]) -> Ints:
    """The rows all of whose numbers pass the test; the first column alone rules out nearly all."""
    found = np.flatnonzero(test(rows[:, 0])).astype(np.int64)
    whole_row: npt.NDArray[np.bool_] = test(rows[found]).all(axis=1)
    return found[whole_row]


def _header(head: bytes, name: str) -> dict[str, str]:
    """What the lines of the header say; the first of a word that comes twice, but for the offset."""
    end = re.search(rb"(?m)^END\r?$", head)
    if end is None:
        raise UnreadableFile(f"{name}: its header has no end", hint="copy the file again")
    said: dict[str, str] = {}
    for line in head[: end.start()].decode("utf-8", "replace").splitlines()[1:1000]:
        key, _, value = line.partition(":")
        said.setdefault(key.strip()[:200], value.strip()[:2000])
    return said


def _layout(said: dict[str, str], name: str) -> tuple[np.dtype[Any], int]:
    """The type of a number, and where the points begin."""
    kind = _DTYPES.get(said.get("datatype", ""))
    if kind is None:
        raise UnreadableFile(f"{name}: its header names the data type {said.get('datatype', '')[:40]!r}")
    match = re.fullmatch(r"(\S+)\s+([0-9]{1,15})", said.get("file", ""))
    if match is None or match[1] != ".":
        raise UnreadableFile(
            f"{name}: its points lie in {said.get('file', '')[:80]!r}; another file is not opened",
            hint="save it as one file",
        )
    return np.dtype(kind), int(match[2])
