"""FreeSurfer: surfaces (lh.white, lh.pial), and values of their vertices (lh.thickness, lh.sulc).

A surface's places are millimetres around the centre of the volume that it was made from; the file's end says how that
volume lies in the scanner, and there they are put, so that the surface lies in its volume. Source: FreeSurfer's wiki,
"File formats", and `MRISread`; the end of the file as in `nibabel.freesurfer`, which reads all of a file at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from pulvinar.errors import Invalid, UnreadableFile
from pulvinar.ingest.reader import (
    Finding,
    FoundAsset,
    GeometryData,
    MeshData,
    OpenVolume,
    Options,
    Severity,
    SourceFile,
    TableData,
)
from pulvinar.ingest.readers.meshes import Faces, Floats, check_vertices, checked_faces
from pulvinar.ingest.readers.places import Numbers, world_zyx_um
from pulvinar.ingest.readers.streams import mapped
from pulvinar.model.dataset import AssetKind

_SURFACE, _VALUES = b"\xff\xff\xfe", b"\xff\xff\xff"
_VALUES_HEADER = 15
_AXES = ("xras", "yras", "zras")
_SAID = ("valid", "filename", "volume", "voxelsize", *_AXES, "cras")
_ENDS = (b"\0\0\0\x14", b"\0\0\0\x02\0\0\0\0\0\0\0\x14")
"""How the end of a file begins that describes the volume: its tag, by itself or behind one that says that places are
around the volume's centre."""
_LONGEST_END = 1 << 16
_TURN = np.array([[-1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
"""Where the voxel axes of FreeSurfer's own volumes go: left, inferior, anterior, as columns in RAS."""


class FreesurferReader:
    """Reads surfaces of triangles, and values a vertex in the newer form."""

    name: ClassVar[str] = "freesurfer"
    priority: ClassVar[int] = 421

    def find(self, files: Sequence[SourceFile], options: Options) -> Iterator[FoundAsset]:
        """One asset a file; raises `UnreadableFile` for a surface that is cut short."""
        for file in files:
            if file.head.startswith(_SURFACE + b"created by"):
                vertices, faces, findings = _surface(file.path, file.name)
                header = {"vertices": len(vertices), "faces": len(faces)}
                yield self._found(file, AssetKind.MESH, findings, header)
            elif _values_count(file.head, file.size_bytes):
                count = _values_count(file.head, file.size_bytes)
                yield self._found(file, AssetKind.TABLE, [], {"vertices": count, "columns": [_title(file.name)]})

    def open_volume(self, asset: FoundAsset, root: Path, options: Options, scratch: Path) -> OpenVolume:
        """Never: no asset of this reader is a volume."""
        raise Invalid(f"{asset.name} is a surface or a table, not a volume")

    def read_geometry(self, asset: FoundAsset, root: Path, options: Options) -> GeometryData:
        """The surface, or a table with a row a vertex."""
        name = asset.files[0]
        if asset.kind is AssetKind.MESH:
            vertices, faces, _ = _surface(root / name, name)
            return MeshData(world_zyx_um(vertices), faces)
        content = (root / name).read_bytes()
        count = _values_count(content[:_VALUES_HEADER], len(content))
        if not count:
            raise UnreadableFile(f"{name} holds no values of vertices any more: it has changed since it was found")
        values = np.frombuffer(content, ">f4", count, _VALUES_HEADER).astype(np.float64)
        return TableData({"vertex": np.arange(count, dtype=np.int64), _title(name): values})

    def _found(self, file: SourceFile, kind: AssetKind, findings: list[Finding], header: dict[str, Any]) -> FoundAsset:
        return FoundAsset(
            self.name,
            key=file.name,
            # "lh.white" is a whole name, not one with an ending
            name=file.name.rsplit("/", 1)[-1],
            kind=kind,
            files=(file.name,),
            findings=tuple(findings),
            metadata={"header": header},
        )


def _title(name: str) -> str:
    """What the values are: "thickness" of lh.thickness."""
    return re.sub(r"^[lr]h\.", "", name.rsplit("/", 1)[-1]) or "value"


def _values_count(head: bytes, size_bytes: int) -> int:
    """How many vertices a file of values has; 0 for other files, also old surfaces, which begin with the same bytes."""
    if not head.startswith(_VALUES) or len(head) < _VALUES_HEADER:
        return 0
    count, _, per_vertex = np.frombuffer(head[3:_VALUES_HEADER], ">i4").tolist()
    return count if per_vertex == 1 and count > 0 and size_bytes == _VALUES_HEADER + 4 * count else 0


def _surface(path: Path, name: str) -> tuple[Numbers, Faces, list[Finding]]:
    """Vertices (n, 3) in RAS millimetres, faces, and what is doubtful of their place."""
    content = mapped(path)
    head = bytes(content[:4096])
    # the counts stand behind two ends of lines
    words = head[3:].split(b"\n", 2)
    if len(words) < 3 or len(words[2]) < 8:
        raise UnreadableFile(f"{name} is truncated: it ends within its header", hint="copy the file again")
    vertices, faces = (int(count) for count in np.frombuffer(words[2][:8], ">i4"))
    begin = len(head) - len(words[2]) + 8
    end = begin + 12 * (vertices + faces)
    if min(vertices, faces) < 1 or len(content) < end:
        raise UnreadableFile(
            f"{name} declares {vertices} vertices and {faces} faces, more than its {len(content)} bytes hold",
            hint="copy the file again",
        )
    places = np.frombuffer(content, ">f4", 3 * vertices, begin).reshape(-1, 3)
    check_vertices(places, name)
    corners = np.frombuffer(content, ">i4", 3 * faces, begin + 12 * vertices).reshape(-1, 3)
    placed, findings = _in_scanner(places, _volume(bytes(content[end : end + _LONGEST_END]), name), name)
    return placed, checked_faces(corners, places, name), findings


def _volume(end: bytes, name: str) -> dict[str, list[str]]:
    """What the file's end says of the volume, in words; nothing where it has no such end."""
    mark = next((mark for mark in _ENDS if end.startswith(mark)), None)
    if mark is None:
        return {}
    said = {}
    # a letter of the file's name may hold what is an end of a line elsewhere
    for line in end[len(mark) :].split(b"\n")[: len(_SAID)]:
        key, _, value = line.decode("latin-1").partition("=")
        said[key.strip()] = value.partition("#")[0].split()
    if absent := [key for key in _SAID if key not in said]:
        raise UnreadableFile(f"{name}: its end, which says where it lies, is damaged: it has no {absent[0]}")
    return said


def _in_scanner(places: Numbers, volume: dict[str, list[str]], name: str) -> tuple[Numbers, list[Finding]]:
    """The places as the scanner has them, by the volume that the file's end describes."""
    if volume.get("valid", ["0"])[:1] != ["1"]:
        text = "the file does not say where its volume lies: places are taken as they are, around the volume's centre"
        return places, [Finding(Severity.DOUBT, text)]
    told = [_three(volume[key], name) for key in (*_AXES, "cras")]
    turn = np.stack(told[:3], axis=1) @ _TURN.T
    if abs(abs(float(np.linalg.det(turn))) - 1) > 0.01:
        raise UnreadableFile(f"{name}: the directions of its volume are not at right angles", hint="export it again")
    return places @ turn.T + told[3], []


def _three(words: list[str], name: str) -> Floats:
    """A direction or a place; raises `UnreadableFile` for one that is not three numbers."""
    try:
        numbers = np.array([float(word) for word in words])
    except ValueError:
        numbers = np.empty(0)
    if numbers.shape != (3,) or not np.isfinite(numbers).all():
        raise UnreadableFile(f"{name}: its end does not say where it lies: {' '.join(words)!r} is not three numbers")
    return numbers
