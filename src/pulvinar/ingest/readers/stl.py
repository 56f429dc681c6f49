"""STL: triangle meshes, binary and text.

A triangle has its corners by itself; corners at the same place become one vertex. Normals and the two bytes behind each
triangle are not read. Source: StereoLithography Interface Specification (3D Systems, 1989).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from pulvinar.errors import Invalid, UnreadableFile
from pulvinar.ingest.reader import FoundAsset, GeometryData, OpenVolume, Options, SourceFile
from pulvinar.ingest.readers.meshes import Faces, Floats, checked_faces, mesh_data, unit_findings
from pulvinar.ingest.readers.streams import content_of, plain_name, start_of, stem_of
from pulvinar.ingest.readers.text import is_text, numbers_by_line
from pulvinar.model.dataset import AssetKind

_HEADER = 84
_RECORD = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
_MOST_BYTES = 1 << 30
_FEW_WORDS = 40
_LONGEST_NAME = 1024
_VERTEX = rb"\s+vertex[ \t]+(\S+[ \t]+\S+[ \t]+\S+)"
_FACET = re.compile(
    rb"(?i)\bfacet\s+normal\s+\S+\s+\S+\s+\S+\s+outer\s+loop" + _VERTEX * 3 + rb"\s+endloop\s+endfacet\b"
)
_WORDS = frozenset({b"solid", b"facet", b"outer", b"vertex", b"endloop", b"endfacet", b"endsolid"})


class StlReader:
    """Reads the one mesh of a file; several solids are put together."""

    name: ClassVar[str] = "stl"
    priority: ClassVar[int] = 412

    def find(self, files: Sequence[SourceFile], options: Options) -> Iterator[FoundAsset]:
        """One asset a file, recognised by its words or, binary, by its size; a damaged one by its name too."""
        for file in files:
            if _is_stl(file):
                yield self._found(file, options)

    def open_volume(self, asset: FoundAsset, root: Path, options: Options, scratch: Path) -> OpenVolume:
        """Never: every asset of this reader is a mesh."""
        raise Invalid(f"{asset.name} is a mesh, not a volume")

    def read_geometry(self, asset: FoundAsset, root: Path, options: Options) -> GeometryData:
        """The mesh, its vertices in the order in which they first come."""
        name = asset.files[0]
        return mesh_data(*_read(root / name, name), options)

    def _found(self, file: SourceFile, options: Options) -> FoundAsset:
        vertices, faces = _read(file.path, file.name)
        return FoundAsset(
            self.name,
            key=file.name,
            name=stem_of(file.name),
            kind=AssetKind.MESH,
            files=(file.name,),
            findings=tuple(unit_findings("STL", vertices, options)),
            metadata={"header": {"vertices": len(vertices), "faces": len(faces)}},
        )


def _is_stl(file: SourceFile) -> bool:
    head = start_of(file.head)
    if _is_words(head):
        return True
    packed = head != file.head[: len(head)]
    if len(head) < _HEADER:
        return False
    named = plain_name(file.name).endswith(".stl")
    return named or (not packed and file.size_bytes > _HEADER and file.size_bytes == _size(head))


def _is_words(head: bytes) -> bool:
    words = head.split()[:_FEW_WORDS]
    return is_text(head) and words[:1] == [b"solid"] and bool({b"facet", b"endsolid"} & set(words))


def _size(content: bytes | memoryview) -> int:
    """How many bytes a binary file has that begins so."""
    return _HEADER + _RECORD.itemsize * int.from_bytes(content[80:84], "little")


def _read(path: Path, name: str) -> tuple[Floats, Faces]:
    content = content_of(path, name, _MOST_BYTES)
    # many programs begin binary files with "solid" too
    if len(content) >= _HEADER and len(content) == _size(content):
        corners = np.frombuffer(content, _RECORD, offset=_HEADER)["corners"].reshape(-1, 3)
    elif _is_words(bytes(content[:4096])):
        corners = _corners_of_text(bytes(content), name)
    else:
        declared = _size(content) if len(content) >= _HEADER else _HEADER
        raise UnreadableFile(
            f"{name} has {len(content)} bytes, and its header declares {declared}", hint="copy the file again"
        )
    return _joined(corners, name)


def _joined(corners: npt.NDArray[np.floating[Any]], name: str) -> tuple[Floats, Faces]:
    """Vertices and faces of corners (3 a triangle, one after the other)."""
    if not np.isfinite(corners).all():
        wrong = int(np.argmin(np.isfinite(corners).all(axis=1))) // 3
        raise UnreadableFile(
            f"{name}: triangle {wrong + 1} has a coordinate that is not finite", hint="export it again"
        )
    import pyarrow as pa

    # -0.0 and 0.0 are one place; a dictionary has its entries in the order in which they first come
    rows = np.ascontiguousarray(corners + 0.0)
    kind = pa.binary(rows.itemsize * 3)
    buffer = pa.py_buffer(memoryview(rows.reshape(-1).view(np.uint8).data))
    places: Any = pa.FixedSizeBinaryArray.from_buffers(kind, len(rows), [None, buffer]).dictionary_encode()
    vertices = np.frombuffer(places.dictionary.buffers()[1], rows.dtype, len(places.dictionary) * 3).reshape(-1, 3)
    faces = places.indices.to_numpy().reshape(-1, 3)
    return vertices.astype(np.float64), checked_faces(faces, vertices, name)


def _corners_of_text(content: bytes, name: str) -> Floats:
    """The corners; raises `UnreadableFile`, naming the line, where words don't follow each other as they must."""
    parts = _FACET.split(content)
    # lines are looked at one by one only where something is wrong, to name the one
    if len(parts) > 1 and all(_is_between(gap) for gap in parts[::4]):
        del parts[::4]
        with suppress(UnreadableFile):
            body = np.frombuffer(b"\n".join(parts) + b"\n", np.uint8)
            values, counts = numbers_by_line(body, np.arange(len(parts), dtype=np.int64), name)
            if b"endsolid" in content[-_LONGEST_NAME:].lower() and (counts == 3).all():
                return values.reshape(-1, 3)
    return _corners_by_line(content, name)


def _is_between(gap: bytes) -> bool:
    """Whether nothing but the ends and beginnings of solids stands between two triangles."""
    words = [line.split(None, 1)[0].lower() for line in gap.splitlines() if line.strip()]
    return all(word in (b"solid", b"endsolid") for word in words)


def _corners_by_line(content: bytes, name: str) -> Floats:
    text = content.replace(b"\r", b"\n") if b"\n" not in content else content
    lines = [(number, line.split(None, 1)) for number, line in enumerate(text.split(b"\n"), 1) if line.strip()]
    kept: list[bytes] = []
    numbers: list[int] = []
    corners = 0
    for number, words in lines:
        word = words[0].lower()
        if word not in _WORDS:
            shown = words[0][:40].decode("utf-8", "replace")
            raise UnreadableFile(f"{name}, line {number}: {shown!r} is no word of STL", hint="export it again")
        if word == b"vertex":
            kept.append(words[1] if len(words) > 1 else b"")
            numbers.append(number)
            corners += 1
        elif word == b"endloop":
            if corners != 3:
                raise UnreadableFile(f"{name}, line {number}: a triangle has {corners} corners", hint="export it again")
            corners = 0
    if corners or lines[-1][1][0].lower() != b"endsolid":
        raise UnreadableFile(f"{name} is truncated: it ends within a solid", hint="copy the file again")
    if not kept:
        return np.empty((0, 3))
    body = np.frombuffer(b"\n".join(kept) + b"\n", np.uint8)
    values, counts = numbers_by_line(body, np.array(numbers, np.int64), name)
    if (counts != 3).any():
        line = numbers[int(np.argmax(counts != 3))]
        raise UnreadableFile(f"{name}, line {line}: a vertex needs three numbers", hint="export it again")
    return values.reshape(-1, 3)
