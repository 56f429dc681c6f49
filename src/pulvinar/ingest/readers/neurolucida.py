"""Neurolucida: traced neurons, as text (.asc) and as XML.

Trees and outlines of cell bodies are read; spines, markers and other contours are not. Source: Neurolucida's ASCII and
XML exports (MBF Bioscience; the XML schema http://www.mbfbioscience.com/2007/neurolucida).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np

from pulvinar.errors import Invalid, UnreadableFile
from pulvinar.ingest.reader import FoundAsset, GeometryData, OpenVolume, Options, SourceFile
from pulvinar.ingest.readers.forests import SOMA, neuron_asset
from pulvinar.ingest.readers.neurolucida_text import looks_like_neurolucida, parse_neurolucida
from pulvinar.ingest.readers.streams import start_of, whole
from pulvinar.ingest.readers.text import decoded, is_text
from pulvinar.ingest.readers.tracings import Branch, Point, Tracing, Tree, skeleton_of, type_of
from pulvinar.ingest.readers.xml_stream import first_element, parse_xml

_MOST_BYTES = 512 << 20


class NeurolucidaReader:
    """Reads all trees of a file as one neuron."""

    name: ClassVar[str] = "neurolucida"
    priority: ClassVar[int] = 402

    def find(self, files: Sequence[SourceFile], options: Options) -> Iterator[FoundAsset]:
        """One asset a file; raises `UnreadableFile`, naming the line, for one that is damaged."""
        for file in files:
            head = start_of(file.head)
            if first_element(head) == "mbf" or (is_text(head) and looks_like_neurolucida(_text(head))):
                skeleton, findings = skeleton_of(_parse(file.path, file.name), file.name, options)
                yield neuron_asset(self.name, file, skeleton, findings)

    def open_volume(self, asset: FoundAsset, root: Path, options: Options, scratch: Path) -> OpenVolume:
        """Never: every asset of this reader is a skeleton."""
        raise Invalid(f"{asset.name} is a neuron, not a volume")

    def read_geometry(self, asset: FoundAsset, root: Path, options: Options) -> GeometryData:
        """The neuron; its cell body, if one is drawn, is one node where the trees begin."""
        name = asset.files[0]
        return skeleton_of(_parse(root / name, name), name, options)[0]


def _parse(path: Path, name: str) -> Tracing:
    content = bytes(whole(path, name, _MOST_BYTES))
    if first_element(content[:4096]) != "mbf":
        return parse_neurolucida(_text(content), name)
    handler = _Drawing(name)
    parse_xml(path, name, handler)
    return handler.found


def _text(content: bytes) -> str:
    text = decoded(content)
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


class _Drawing:
    """Takes what an XML file draws: points that lie in a tree, in a branch or in the outline of a cell body."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.found = Tracing()
        self._elements: list[str] = []
        self._tree: Tree | None = None
        self._branches: list[Branch] = []
        self._outline: list[Point] | None = None

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        inside = self._elements[-1] if self._elements else ""
        self._elements.append(tag)
        if tag == "point":
            self._point(attributes, inside)
        elif tag == "tree":
            self._tree = Tree(type_of(attributes.get("type", "")) or 0)
            self._branches = [Branch()]
        elif tag == "branch" and self._branches:
            self._branches.append(Branch(self._branches[-1].tip, begins=True))
        elif tag == "contour":
            is_soma = type_of(attributes.get("name", "")) == SOMA
            self._outline = [] if is_soma else None
            if not is_soma:
                self.found.leave_out("contours")
        elif tag in ("marker", "spine"):
            self.found.leave_out(f"{tag}s")

    def end(self, tag: str) -> None:
        self._elements.pop()
        if tag == "branch" and len(self._branches) > 1:
            self._branches.pop()
        elif tag == "tree" and self._tree is not None:
            if self._tree.parents:
                self.found.trees.append(self._tree)
            self._tree, self._branches = None, []
        elif tag == "contour" and self._outline:
            self.found.outlines.append(np.array(self._outline))
            self._outline = None

    def text(self, text: str) -> None:
        pass

    def _point(self, said: dict[str, str], inside: str) -> None:
        try:
            x, y, z, diameter = (float(said[key]) for key in "xyzd")
        except (KeyError, ValueError):
            told = ", ".join(f"{key}={value[:20]}" for key, value in said.items())
            raise UnreadableFile(
                f"{self.name}: a point of it is not four numbers ({told})", hint="export the file again"
            ) from None
        point = (x, y, z, diameter)
        if inside in ("tree", "branch") and self._tree is not None:
            self._tree.grow(self._branches[-1], point)
        elif inside == "contour" and self._outline is not None:
            self._outline.append(point)
