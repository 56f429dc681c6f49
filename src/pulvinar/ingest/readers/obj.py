"""Wavefront OBJ: triangle meshes.

Only vertices and faces are read; texture, normals, groups and materials are not, and no file that an OBJ names is ever
opened. Polygons are cut into fans of triangles. Source: Wavefront's Advanced Visualizer manual, appendix B1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

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
)
from pulvinar.ingest.readers.meshes import check_size, fans, mesh_data, unit_findings
from pulvinar.ingest.readers.streams import plain_name, start_of, stem_of
from pulvinar.ingest.readers.text import (
    Floats,
    Ints,
    blocks,
    check_lines,
    is_text,
    lines_of,
    numbers_by_line,
    whole_lines,
)
from pulvinar.model.dataset import AssetKind

_KEYWORDS = frozenset(
    b"v vt vn vp f g o s l p usemtl mtllib cstype deg bmat step curv curv2 surf parm trim hole scrv sp end con mg "
    b"bevel c_interp d_interp lod shadow_obj trace_obj ctech stech call csh usemap maplib".split()
)
_LETTERS = {letter: ord(letter) for letter in "vf/"}


class ObjReader:
    """Reads the one mesh of a file; its groups are put together."""

    name: ClassVar[str] = "obj"
    priority: ClassVar[int] = 410

    def find(self, files: Sequence[SourceFile], options: Options) -> Iterator[FoundAsset]:
        """One asset a file, recognised by its keywords."""
        for file in files:
            head = start_of(file.head)
            if is_text(head) and _looks_like_obj(whole_lines(file), file.name):
                yield self._found(file, head, options)

    def open_volume(self, asset: FoundAsset, root: Path, options: Options, scratch: Path) -> OpenVolume:
        """Never: every asset of this reader is a mesh."""
        raise Invalid(f"{asset.name} is a mesh, not a volume")

    def read_geometry(self, asset: FoundAsset, root: Path, options: Options) -> GeometryData:
        """The mesh; raises `UnreadableFile`, naming the line, for a face without its vertices."""
        name = asset.files[0]
        return mesh_data(*_read(root / name, name), options)

    def _found(self, file: SourceFile, head: bytes, options: Options) -> FoundAsset:
        vertices, faces = _read(file.path, file.name)
        findings = unit_findings("OBJ", vertices, options)
        if re.search(rb"(?m)^\s*mtllib", head):
            findings.append(Finding(Severity.NOTE, "the materials that it names are not read"))
        return FoundAsset(
            self.name,
            key=file.name,
            name=stem_of(file.name),
            kind=AssetKind.MESH,
            files=(file.name,),
            findings=tuple(findings),
            metadata={"header": {"vertices": len(vertices), "faces": len(faces)}},
        )


def _looks_like_obj(lines: list[bytes], name: str) -> bool:
    words = [line.split() for line in _tidy(b"\n".join(lines)).splitlines()]
    used = [line for line in words if line and not line[0].startswith(b"#")]
    if not all(line[0] in _KEYWORDS for line in used):
        return False
    if plain_name(name).endswith(".obj"):
        return True
    vertices = [line for line in used if line[0] == b"v"]
    return bool(vertices) and all(re.fullmatch(rb"[-+.\deE]+", word) for line in vertices for word in line[1:])


def _read(path: Path, name: str) -> tuple[Floats, npt.NDArray[np.uint32]]:
    """Vertices (n, 3) in the file's x, y, z, and triangles (m, 3) of their rows."""
    vertices: list[Floats] = []
    triangles: list[Ints] = []
    lines: list[Ints] = []
    known = corners = 0
    for first, block in _unbroken(blocks(path, name)):
        places, faces, face_lines = _read_block(_tidy(block), first, known, name)
        known += len(places)
        corners += faces.size
        check_size(known, corners // 3, name)
        vertices.append(places)
        triangles.append(faces)
        lines.append(face_lines)
    faces = np.concatenate(triangles) if triangles else np.empty((0, 3), np.int64)
    if not known or not len(faces):
        raise UnreadableFile(f"{name} has {known} vertices and {len(faces)} faces: it is no mesh")
    inside = ((faces >= 0) & (faces < known)).all(axis=1)
    check_lines(inside, np.concatenate(lines), name, f"the face names a vertex that is not one of the {known}")
    return np.concatenate(vertices), faces.astype(np.uint32)


def _unbroken(pieces: Iterator[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
    """The same blocks, none of which ends within a line that goes on in the next."""
    line, rest = 1, b""
    for _, piece in pieces:
        block = rest + piece
        end = re.match(rb"(?s).*(?<!\\)(?<!\\\r)\n", block)
        cut = end.end() if end else 0
        if cut:
            yield line, block[:cut]
        line, rest = line + block.count(b"\n", 0, cut), block[cut:]
    if rest:
        yield line, rest


def _tidy(block: bytes) -> bytes:
    """`block` with lines that go on joined (their number of lines kept), and no space before keywords."""
    if b"\\" in block:
        block = re.sub(rb"(?m)^((?:[^\n]*\\\r?\n)+)([^\n]*)", _join, block)
    return re.sub(rb"(?m)^[ \t]+", b"", block) if re.search(rb"(?m)^[ \t]", block) else block


def _join(match: re.Match[bytes]) -> bytes:
    joined: bytes = re.sub(rb"\\\r?\n", b" ", match[1]) + match[2]
    return joined + b"\n" * match[1].count(b"\n")


def _read_block(block: bytes, first: int, known: int, name: str) -> tuple[Floats, Ints, Ints]:
    """Vertices, triangles (rows from 0) and the line of each triangle, of one block; `known` vertices came before."""
    data, starts, ends = lines_of(block)
    numbers = first + np.arange(len(starts), dtype=np.int64)
    keyword, behind = data[starts], data[np.minimum(starts + 1, len(data) - 1)]
    spaced = (behind == 32) | ((behind >= 9) & (behind <= 13))
    is_vertex, is_face = (spaced & (keyword == _LETTERS[letter]) for letter in "vf")
    values, counts = numbers_by_line(*_lines(data, starts, ends, is_vertex, numbers), name)
    vertex_lines = numbers[is_vertex]
    check_lines(counts >= 3, vertex_lines, name, "a vertex needs three numbers")
    at = np.cumsum(counts) - counts
    places = np.stack([values[at], values[at + 1], values[at + 2]], axis=1) if at.size else np.empty((0, 3))
    check_lines(np.isfinite(places).all(axis=1), vertex_lines, name, "a coordinate is not finite")
    before = known + np.cumsum(is_vertex)[is_face]
    faces, face_lines = _faces(*_lines(data, starts, ends, is_face, numbers), before, name)
    return places, faces, face_lines


def _lines(
    data: npt.NDArray[np.uint8], starts: Ints, ends: Ints, wanted: npt.NDArray[np.bool_], numbers: Ints
) -> tuple[npt.NDArray[np.uint8], Ints]:
    """The bytes of the wanted lines without their keyword's letter, and their numbers."""
    lengths = ends - starts
    text = data[np.repeat(wanted, lengths)].copy()
    text[np.cumsum(lengths[wanted]) - lengths[wanted]] = 32
    hashes = np.flatnonzero(text == ord("#"))
    if hashes.size:
        # a comment behind the numbers: blanked up to the line's end
        newlines = np.flatnonzero(text == 10)
        for position in hashes.tolist():
            text[position : newlines[np.searchsorted(newlines, position)]] = 32
    return text, numbers[wanted]


def _faces(text: npt.NDArray[np.uint8], numbers: Ints, before: Ints, name: str) -> tuple[Ints, Ints]:
    """Triangles of vertex rows and the line of each; `before` says how many vertices each line may count back."""
    slash = text == _LETTERS["/"]
    if slash.any():
        text = _first_of_slashed(text, slash, numbers, name)
    values, counts = numbers_by_line(text, numbers, name)
    check_lines(counts >= 3, numbers, name, "a face needs three corners")
    corner_line = np.repeat(np.arange(len(counts)), counts)
    whole = (values == np.rint(values)) & (values != 0) & (np.abs(values) < 2**53)
    check_lines(whole, numbers[corner_line], name, "a face counts its vertices from 1, or back from -1")
    rows = values.astype(np.int64)
    rows = np.where(rows > 0, rows - 1, before[corner_line] + rows)
    faces, line = fans(rows, counts)
    return faces, numbers[line]


def _first_of_slashed(
    text: npt.NDArray[np.uint8], slash: npt.NDArray[np.bool_], numbers: Ints, name: str
) -> npt.NDArray[np.uint8]:
    """Corners written v/vt/vn cut down to v."""
    space = (text == 32) | ((text >= 9) & (text <= 13))
    begins = ~space & np.concatenate([[True], space[:-1]])
    line = np.cumsum(text == 10) - (text == 10)
    check_lines(~(begins & slash), numbers[np.minimum(line, len(numbers) - 1)], name, "a corner has no vertex")
    seen = np.cumsum(slash)
    token = np.cumsum(begins) - 1
    seen_before: Ints = (seen - slash)[np.flatnonzero(begins)]
    gone = ~space & (token >= 0) & (seen - seen_before[np.maximum(token, 0)] > 0)
    cut = text.copy()
    cut[gone] = 32
    return cut
