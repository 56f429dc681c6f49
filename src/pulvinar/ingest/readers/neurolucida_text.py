"""Neurolucida's text files (.asc): nested parentheses, read in one pass without recursion.

A tree is an unnamed group of points, `(x y z diameter)`; a group within it holds the branches of a fork, parted by `|`.
Groups that begin with a word or a title are properties, markers or contours. Source: Neurolucida file format, MBF
Bioscience, as described by NeuroM and Neurolucida's own ASCII export.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NoReturn

import numpy as np

from pulvinar.errors import TooLarge, UnreadableFile
from pulvinar.ingest.readers.forests import SOMA, Floats
from pulvinar.ingest.readers.neurolucida_runs import MARK, shorten
from pulvinar.ingest.readers.tracings import Branch, Tracing, Tree, type_of

_NUMBER = r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?"
_TOKEN = re.compile(
    rf"(?P<title>\"[^\"]*\")|(?P<run>{MARK})"
    rf"|(?P<point>\(\s*({_NUMBER})[\s,]+({_NUMBER})[\s,]+({_NUMBER})[\s,]+({_NUMBER})(?:[\s,]+[A-Za-z][\w-]*)?\s*\))"
    rf"|(?P<mark>[()|<>])|(?P<word>[^\s()|<>;\",{MARK}]+)"
)
_FIRST_NUMBER = 4
_DEEPEST = 1_000_000
_KNOWN = re.compile(
    r"\(\s*(?:CellBody|Cell Body|Axon|Dendrite|Apical|ImageCoords|Sections|Thumbnail)\b|\"Cell ?Body\"", re.IGNORECASE
)


@dataclass(eq=False)
class _Group:
    """What is open: `title` is its first word, "" where it began with a group or a point, None at its beginning."""

    position: int
    start: int = -1
    title: str | None = None
    branch: Branch = field(default_factory=Branch)
    points: list[Floats] = field(default_factory=list)
    is_point: bool = False
    is_quoted: bool = False
    within_named: bool = False
    """Whether it lies in a named group that itself lies in another: a marker's or a property's."""


def looks_like_neurolucida(text: str) -> bool:
    """Whether a file that begins so is one: groups from the beginning on, with words of Neurolucida."""
    bare = re.sub(r";[^\n]*", "", text).lstrip()
    return bare.startswith("(") and _KNOWN.search(bare) is not None


def parse_neurolucida(text: str, name: str) -> Tracing:
    """Everything drawn in a file; raises `UnreadableFile`, naming the line, where groups don't close or a point isn't
    four numbers."""
    return _Parser(text, name).parse()


class _Parser:
    """The groups that are open, and the tree of the outermost."""

    def __init__(self, text: str, name: str) -> None:
        self.whole, self.name = text, name
        self.short = shorten(text)
        self.found = Tracing()
        self.open: list[_Group] = []
        self.tree = Tree()
        self.type_code: int | None = None

    def parse(self) -> Tracing:
        hidden = 0
        for match in _TOKEN.finditer(self.short.text):
            kind, text = match.lastgroup, match[0]
            if kind == "mark" and text in "<>":
                # spines, which belong to a branch and are no part of it
                hidden = max(hidden + (1 if text == "<" else -1), 0)
                if text == "<" and hidden == 1:
                    self.found.leave_out("spines")
            elif not hidden:
                self._take(str(kind), text, match)
        if self.open or hidden:
            position = self.open[-1].position if self.open else len(self.short.text)
            self._refuse(position, "a group that begins here has no end: the file is truncated")
        return self.found

    def _take(self, kind: str, text: str, match: re.Match[str]) -> None:
        if kind == "point":
            values = match.groups()[_FIRST_NUMBER - 1 : _FIRST_NUMBER + 3]
            self._points(np.array([values], np.float64), match.start())
        elif kind == "run":
            self._points(self.short.runs[match.start()], match.start())
        elif text == "(":
            self._begin(match.start())
        elif text == ")":
            self._end(match.start())
        elif text == "|":
            if self.open and not self.open[-1].title:
                self.open[-1].branch = Branch(self.open[-1].start, begins=True)
        elif self.open and self.open[-1].title is None:
            self.open[-1].title = text.strip('"')
            self.open[-1].is_quoted = kind == "title"
            self.open[-1].is_point = kind == "word" and _is_number(text)

    def _begin(self, position: int) -> None:
        group = _Group(position)
        if self.open:
            above = self.open[-1]
            above.title = above.title or ""
            group.start = above.branch.tip
            group.within_named = above.within_named or (len(self.open) > 1 and bool(above.title))
            group.branch = Branch(group.start, begins=True)
        else:
            self.tree, self.type_code = Tree(), None
        if len(self.open) >= _DEEPEST:
            raise TooLarge(f"{self.name} has groups {_DEEPEST} deep in each other", hint="export it again")
        self.open.append(group)

    def _points(self, points: Floats, position: int) -> None:
        if not self.open:
            self._refuse(position, "a point lies in no group")
        group = self.open[-1]
        group.title = group.title or ""
        if group.within_named or (len(self.open) > 1 and group.title):
            return
        if self.open[0].title:
            # an outline, whose points lie in it alone
            if len(self.open) == 1:
                group.points.append(points)
        else:
            self.tree.grow_by(group.branch, points)

    def _end(self, position: int) -> None:
        if not self.open:
            self._refuse(position, "a group ends here that has not begun")
        group = self.open.pop()
        if not self.open:
            self._finish(group)
        elif group.is_point and not group.within_named and self._is_drawn():
            self._refuse(group.position, "a point is not four finite numbers")
        elif group.title and len(self.open) == 1:
            code = type_of(group.title)
            self.type_code = code if code is not None else self.type_code
            if group.title.lower() in ("dot", "cross", "marker"):
                self.found.leave_out("markers")

    def _is_drawn(self) -> bool:
        """Whether the outermost group is a tree or a cell body."""
        title = self.open[0].title
        return not title or type_of(title) == SOMA or self.type_code == SOMA

    def _finish(self, group: _Group) -> None:
        is_soma = self.type_code == SOMA or type_of(group.title or "") == SOMA
        if is_soma:
            points = np.concatenate([*group.points, self.tree.nodes()])
            if len(points):
                self.found.outlines.append(points)
        elif group.title:
            # other things with numbers, such as an image's place, have no quotes
            if group.points and group.is_quoted:
                self.found.leave_out("contours")
        elif self.tree.parents:
            if self.type_code is None:
                self.found.leave_out("trees of no type")
                return
            self.tree.type_code = self.type_code
            self.found.trees.append(self.tree)

    def _refuse(self, position: int, what: str) -> NoReturn:
        line = self.whole.count("\n", 0, self.short.original(position)) + 1
        raise UnreadableFile(f"{self.name}, line {line}: {what}", hint="repair the line, or export the file again")


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
