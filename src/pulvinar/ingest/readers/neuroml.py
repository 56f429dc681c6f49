"""NeuroML 2: the morphologies of cells, each as a neuron.

A segment goes from its proximal point, or its parent's place `fractionAlong`, to its distal point. Nothing that a file
includes is opened. Source: NeuroML v2.3 schema and documentation (neuroml.org).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np

from pulvinar.errors import Invalid, TooLarge, UnreadableFile
from pulvinar.ingest.reader import (
    Finding,
    FoundAsset,
    GeometryData,
    OpenVolume,
    Options,
    Severity,
    SkeletonData,
    SourceFile,
)
from pulvinar.ingest.readers.forests import APICAL, AXON, DENDRITE, SOMA, skeleton_data, skeleton_findings
from pulvinar.ingest.readers.streams import start_of, stem_of
from pulvinar.ingest.readers.tracings import Point
from pulvinar.ingest.readers.xml_stream import first_element, parse_xml
from pulvinar.model.dataset import AssetKind

_MOST_SEGMENTS = 5_000_000
_GROUPS = {
    "soma": SOMA, "axon": AXON, "dendrite": DENDRITE, "dendrites": DENDRITE, "dend": DENDRITE, "basal_dend": DENDRITE,
    "basal": DENDRITE, "apical": APICAL, "apical_dend": APICAL, "apical_dendrite": APICAL,
    "GO:0043025": SOMA, "GO:0030424": AXON, "GO:0030425": DENDRITE, "GO:0097440": APICAL, "sao1044911821": SOMA,
    "sao1770195789": AXON, "sao1211023249": DENDRITE,
}  # fmt: skip
"""Types of nodes by a group's name without "_group", or by its term (Gene Ontology, NeuroLex)."""


@dataclass(eq=False)
class _Segment:
    id: int
    parent: int | None = None
    fraction: float = 1.0
    proximal: Point | None = None
    distal: Point | None = None


@dataclass(eq=False)
class _Group:
    id: str
    term: str
    members: list[int] = field(default_factory=list)
    includes: list[str] = field(default_factory=list)


@dataclass(eq=False)
class _Cell:
    """A morphology and the cell that has it; `id` is unique within the file."""

    id: str
    segments: dict[int, _Segment] = field(default_factory=dict)
    groups: dict[str, _Group] = field(default_factory=dict)


class NeuromlReader:
    """Reads each cell that has segments; files of channels and networks alone are passed over."""

    name: ClassVar[str] = "neuroml"
    priority: ClassVar[int] = 403

    def find(self, files: Sequence[SourceFile], options: Options) -> Iterator[FoundAsset]:
        """One asset a cell; raises `UnreadableFile`, naming the segment, for a tree that is none."""
        for file in files:
            if first_element(start_of(file.head)) == "neuroml":
                cells = _cells(file.path, file.name)
                for cell in cells:
                    yield self._found(file, cell, len(cells), options)

    def open_volume(self, asset: FoundAsset, root: Path, options: Options, scratch: Path) -> OpenVolume:
        """Never: every asset of this reader is a skeleton."""
        raise Invalid(f"{asset.name} is a neuron, not a volume")

    def read_geometry(self, asset: FoundAsset, root: Path, options: Options) -> GeometryData:
        """The neuron; node ids count from 1, for a segment has two ends."""
        name = asset.files[0]
        for cell in _cells(root / name, name):
            if _key(name, cell) == asset.key:
                return _skeleton(cell, name, options)
        raise UnreadableFile(f"{name} has no cell {asset.name} any more: it has changed since it was found")

    def _found(self, file: SourceFile, cell: _Cell, cells: int, options: Options) -> FoundAsset:
        skeleton = _skeleton(cell, file.name, options)
        findings = skeleton_findings(skeleton, options)
        untyped = int(np.count_nonzero(skeleton.type_code == 0))
        if untyped:
            text = f"of its nodes, {untyped} are in no group that says soma, axon or dendrite: their type is not known"
            findings.append(Finding(Severity.NOTE, text))
        return FoundAsset(
            self.name,
            key=_key(file.name, cell),
            name=cell.id if cells > 1 else stem_of(file.name),
            kind=AssetKind.SKELETON,
            files=(file.name,),
            findings=tuple(findings),
            metadata={"header": {"cell": cell.id, "segments": len(cell.segments), "nodes": len(skeleton.parent)}},
        )


def _key(name: str, cell: _Cell) -> str:
    return f"{name}#{cell.id}"


def _cells(path: Path, name: str) -> list[_Cell]:
    handler = _Handler(name)
    parse_xml(path, name, handler)
    found = [cell for cell in handler.cells if cell.segments]
    if len({cell.id for cell in found}) < len(found):
        raise UnreadableFile(f"{name} has two cells of one name", hint="give each an id of its own")
    return found


class _Handler:
    """Takes cells, or morphologies that stand by themselves, as their elements come by."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.cells: list[_Cell] = []
        self._cell_name = ""
        self._segment: _Segment | None = None
        self._group: _Group | None = None
        self._count = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag in ("cell", "cell2CaPools"):
            self._cell_name = attributes.get("id", "")
        elif tag == "morphology":
            name = self._cell_name or attributes.get("id", "")
            self.cells.append(_Cell(name[:200] or f"cell {len(self.cells) + 1}"))
        elif not self.cells:
            return
        elif tag == "segment":
            self._segment = _Segment(self._number(attributes, "id"))
        elif tag == "segmentGroup":
            self._group = _Group(attributes.get("id", ""), attributes.get("neuroLexId", ""))
        elif self._segment is not None:
            self._in_segment(self._segment, tag, attributes)
        elif self._group is not None and tag == "member":
            self._group.members.append(self._number(attributes, "segment"))
        elif self._group is not None and tag == "include":
            self._group.includes.append(attributes.get("segmentGroup", ""))

    def end(self, tag: str) -> None:
        if tag in ("cell", "cell2CaPools"):
            self._cell_name = ""
        elif tag == "segment" and self._segment is not None:
            self._add(self._segment)
            self._segment = None
        elif tag == "segmentGroup" and self._group is not None:
            self.cells[-1].groups[self._group.id] = self._group
            self._group = None

    def text(self, text: str) -> None:
        pass

    def _in_segment(self, segment: _Segment, tag: str, said: dict[str, str]) -> None:
        if tag == "parent":
            segment.parent = self._number(said, "segment")
            segment.fraction = self._float(said.get("fractionAlong", "1"), segment)
            if not 0 <= segment.fraction <= 1:
                raise UnreadableFile(
                    f"{self.name}: segment {segment.id} begins at {segment.fraction:g} of its parent, not at 0 to 1"
                )
        elif tag in ("proximal", "distal"):
            x, y, z, diameter = (self._float(said.get(key, ""), segment) for key in ("x", "y", "z", "diameter"))
            setattr(segment, tag, (x, y, z, diameter))

    def _add(self, segment: _Segment) -> None:
        segments = self.cells[-1].segments
        self._count += 1
        if self._count > _MOST_SEGMENTS:
            raise TooLarge(f"{self.name} has more than {_MOST_SEGMENTS} segments", hint="split the file")
        if segment.id in segments:
            raise UnreadableFile(f"{self.name}: two segments have the number {segment.id}", hint="export it again")
        if segment.distal is None or (segment.proximal is None and segment.parent is None):
            raise UnreadableFile(f"{self.name}: segment {segment.id} has not both ends", hint="export it again")
        segments[segment.id] = segment

    def _number(self, said: dict[str, str], key: str) -> int:
        text = said.get(key, "")
        if not text.isascii() or not text.isdigit() or len(text) > 15:
            raise UnreadableFile(f"{self.name}: a segment has the {key} {text[:40]!r}, which is no number")
        return int(text)

    def _float(self, text: str, segment: _Segment) -> float:
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise UnreadableFile(
                f"{self.name}: segment {segment.id} has the number {text[:40]!r}, which is not finite",
                hint="export the file again",
            )
        return number


def _skeleton(cell: _Cell, name: str, options: Options) -> SkeletonData:
    ordered = _in_order(cell, name)
    forks: dict[int, set[float]] = {}
    for segment in ordered:
        if segment.parent is not None and 0 < segment.fraction < 1:
            forks.setdefault(segment.parent, set()).add(segment.fraction)
    types = _types(cell)
    grown = _Grown()
    for segment in ordered:
        grown.add(segment, sorted(forks.get(segment.id, ())), types.get(segment.id, 0))
    nodes = np.array(grown.nodes) * [1, 1, 1, 0.5]
    return skeleton_data(nodes, np.array(grown.parents, np.int64), np.array(grown.types, np.int16), options)


class _Grown:
    """The nodes so far, and of each segment the node at each place along it that others begin at."""

    def __init__(self) -> None:
        self.nodes: list[Point] = []
        self.parents: list[int] = []
        self.types: list[int] = []
        self._at: dict[int, dict[float, int]] = {}

    def add(self, segment: _Segment, fractions: list[float], type_code: int) -> None:
        """Add the nodes of a segment whose parent is there; `fractions` are places along it where others begin."""
        assert segment.distal is not None
        fork = -1 if segment.parent is None else self._at[segment.parent][segment.fraction]
        begin = self.nodes[fork] if segment.proximal is None else segment.proximal
        if fork < 0 or begin[:3] != self.nodes[fork][:3]:
            fork = self._node(begin, fork, type_code)
        places = self._at[segment.id] = {0.0: fork}
        for fraction in fractions:
            x, y, z, diameter = (a + fraction * (b - a) for a, b in zip(begin, segment.distal, strict=True))
            fork = places[fraction] = self._node((x, y, z, diameter), fork, type_code)
        same = segment.distal[:3] == self.nodes[fork][:3]
        places[1.0] = fork if same else self._node(segment.distal, fork, type_code)

    def _node(self, point: Point, parent: int, type_code: int) -> int:
        self.nodes.append(point)
        self.parents.append(parent)
        self.types.append(type_code)
        return len(self.nodes) - 1


def _in_order(cell: _Cell, name: str) -> list[_Segment]:
    """The segments, each behind its parent; raises `UnreadableFile` for a parent that isn't there, and for circles."""
    children: dict[int | None, list[_Segment]] = {}
    for segment in cell.segments.values():
        if segment.parent is not None and segment.parent not in cell.segments:
            raise UnreadableFile(
                f"{name}: the parent {segment.parent} of segment {segment.id} is not in the file",
                hint="export the file again",
            )
        children.setdefault(segment.parent, []).append(segment)
    ordered = list(children.get(None, ()))
    for segment in ordered:
        ordered += children.get(segment.id, ())
    if len(ordered) < len(cell.segments):
        wrong = min(set(cell.segments) - {segment.id for segment in ordered})
        raise UnreadableFile(f"{name}: segment {wrong} is its own ancestor", hint="export the file again")
    return ordered


def _types(cell: _Cell) -> dict[int, int]:
    """The type of each segment that is in a group that names one, itself or through the groups that it includes."""
    types: dict[int, int] = {}
    for group in cell.groups.values():
        code = _GROUPS.get(group.id.removesuffix("_group"), _GROUPS.get(group.term))
        if code is None:
            continue
        waiting, seen = [group.id], {group.id}
        while waiting:
            one = cell.groups.get(waiting.pop())
            if one is None:
                continue
            # an apical dendrite is in the group of all dendrites too
            types |= {member: max(code, types.get(member, 0)) for member in one.members}
            waiting += [other for other in one.includes if other not in seen]
            seen.update(one.includes)
    return types
