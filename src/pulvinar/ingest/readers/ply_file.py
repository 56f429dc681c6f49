"""What a PLY file holds: its elements, each with a value or a list a row for each property.

Declared counts are checked against the file's size before memory is taken. Source: The PLY Polygon File Format (Turk,
Stanford, 1994).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib.recfunctions import structured_to_unstructured

from pulvinar.errors import UnreadableFile
from pulvinar.ingest.readers.text import numbers_by_line

Ints = npt.NDArray[np.int64]
_TYPES = {
    "char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4", "float": "f4",
    "double": "f8", "int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2", "int32": "i4", "uint32": "u4",
    "float32": "f4", "float64": "f8",
}  # fmt: skip
_FORMATS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}
_LONGEST_HEADER = 1 << 20
_MOST_PROPERTIES = 1000


@dataclass(frozen=True)
class Property:
    """One property of an element; `counted` is the type of a list's length, "" where it is no list."""

    name: str
    dtype: str
    counted: str = ""


@dataclass(eq=False)
class Element:
    """So many rows: `values` of each property by its name, and of lists `counts` a row (their values follow each
    other). `table` has the values of a binary file as they lie in it, a field "v0", "v1" ... a property."""

    name: str
    rows: int
    properties: list[Property] = field(default_factory=list)
    values: dict[str, npt.NDArray[Any]] = field(default_factory=dict)
    counts: dict[str, Ints] = field(default_factory=dict)
    table: npt.NDArray[Any] | None = None

    def side_by_side(self, names: Sequence[str]) -> npt.NDArray[Any]:
        """Properties that are no lists as an array (rows, names), a view where they lie so in the file."""
        if self.table is None:
            return np.stack([self.values[name].astype(np.float64) for name in names], axis=1)
        places = {one.name: f"v{place}" for place, one in enumerate(self.properties)}
        return structured_to_unstructured(self.table[[places[name] for name in names]])


@dataclass(frozen=True, eq=False)
class PlyFile:
    """A whole file."""

    elements: dict[str, Element]
    comments: tuple[str, ...]


def is_ply(head: bytes) -> bool:
    """Whether these are the first bytes of a PLY file."""
    return re.match(rb"ply\s*\n\s*(comment|obj_info|format)", head.replace(b"\r", b"\n")) is not None


def parse_ply(content: memoryview, name: str) -> PlyFile:
    """Read a file; raises `UnreadableFile` for a header that can't be, and where the rows don't fit it."""
    end = re.search(rb"(?m)^end_header[ \t]*(\r\n|\n|\r)", content[:_LONGEST_HEADER])
    if end is None:
        raise UnreadableFile(f"{name}: its header has no end", hint="copy the file again")
    header = bytes(content[: end.start()]).decode("utf-8", "replace").splitlines()
    order, elements, comments = _header(header, name)
    _check_declared(elements, len(content) - end.end(), name, is_text=not order)
    if order:
        at = end.end()
        for element in elements:
            at = _read_binary(content, at, element, order, name)
    else:
        _read_ascii(bytes(content[end.end() :]), len(header) + 2, elements, name)
    return PlyFile({element.name: element for element in elements}, comments)


def _check_declared(elements: list[Element], size_bytes: int, name: str, *, is_text: bool) -> None:
    """Refuse more rows than so many bytes can hold, before any is read: of text a number takes a digit and a space."""
    left = size_bytes + 1
    for element in elements:
        least = (2 if is_text else np.dtype(one.counted or one.dtype).itemsize for one in element.properties)
        left -= element.rows * sum(least)
        if left < 0:
            raise _too_short(element, name)


def _header(lines: list[str], name: str) -> tuple[str, list[Element], tuple[str, ...]]:
    order: str | None = None
    elements: list[Element] = []
    comments: list[str] = []
    for number, line in enumerate(lines[1:], 2):
        words = line.split()
        if not words or words[0] == "obj_info":
            continue
        if words[0] == "comment":
            comments.append(line.strip()[8:][:500])
        elif words[0] == "format" and len(words) == 3 and words[1] in _FORMATS:
            order = _FORMATS[words[1]]
        elif words[0] == "element" and len(words) == 3 and re.fullmatch(r"[0-9]{1,12}", words[2]):
            elements.append(Element(words[1], int(words[2])))
        elif words[0] == "property" and elements and (found := _property(words)):
            elements[-1].properties.append(found)
        else:
            raise UnreadableFile(f"{name}, line {number}: {line.strip()[:80]!r} is no line of a PLY header")
    if order is None:
        raise UnreadableFile(f"{name}: its header does not say whether it is text or binary")
    for element in elements:
        titles = [one.name for one in element.properties]
        if not titles or len(set(titles)) < len(titles) or len(titles) > _MOST_PROPERTIES:
            raise UnreadableFile(f"{name}: the element {element.name} has {len(titles)} properties, or one twice")
    if len({element.name for element in elements}) < len(elements):
        raise UnreadableFile(f"{name}: it has an element twice")
    return order, elements, tuple(comments[:100])


def _property(words: list[str]) -> Property | None:
    if len(words) == 3 and words[1] in _TYPES:
        return Property(words[2], _TYPES[words[1]])
    counted = _TYPES.get(words[2], "") if len(words) == 5 and words[1] == "list" else ""
    if counted and counted[0] in "iu" and words[3] in _TYPES:
        return Property(words[4], _TYPES[words[3]], counted)
    return None


def _read_binary(content: memoryview, at: int, element: Element, order: str, name: str) -> int:
    """Fill the element from byte `at` on; where the next begins."""
    lengths = _first_lengths(content, at, element, order, name) if element.rows else [0] * len(element.properties)
    dtype = _row_type(element, order, lengths)
    size = element.rows * dtype.itemsize
    if len(content) - at >= size:
        rows = np.frombuffer(content, dtype, element.rows, at) if size else np.empty(0, dtype)
        lists = [(place, one) for place, one in enumerate(element.properties) if one.counted]
        if all(np.all(rows[f"n{place}"] == lengths[place]) for place, _ in lists):
            element.table = rows
            for place, one in enumerate(element.properties):
                element.values[one.name] = rows[f"v{place}"].reshape(-1)
                if one.counted:
                    element.counts[one.name] = np.broadcast_to(np.int64(lengths[place]), element.rows)
            return at + size
    elif not any(one.counted for one in element.properties):
        raise _too_short(element, name)
    return _walk_binary(content, at, element, order, name)


def _first_lengths(content: memoryview, at: int, element: Element, order: str, name: str) -> list[int]:
    """How long the lists of the first row are: those of most files are all of one length."""
    lengths = []
    for one in element.properties:
        length = 1
        if one.counted:
            (length,) = _take(content, at, order, one.counted, 1, element, name)
            at += np.dtype(one.counted).itemsize
        _take(content, at, order, one.dtype, int(length), element, name)
        at += int(length) * np.dtype(one.dtype).itemsize
        lengths.append(int(length))
    return lengths


def _take(
    content: memoryview, at: int, order: str, dtype: str, count: int, element: Element, name: str
) -> tuple[Any, ...]:
    """So many numbers at byte `at`."""
    if count < 0 or at + count * np.dtype(dtype).itemsize > len(content):
        raise _too_short(element, name)
    return struct.unpack_from(f"{order}{count}{np.dtype(dtype).char}", content, at)


def _too_short(element: Element, name: str) -> UnreadableFile:
    return UnreadableFile(
        f"{name} is truncated, or declares too much: its {element.rows} rows of {element.name} are not all there",
        hint="copy the file again",
    )


def _row_type(element: Element, order: str, lengths: list[int]) -> np.dtype[Any]:
    fields: list[Any] = []
    for place, (one, length) in enumerate(zip(element.properties, lengths, strict=True)):
        if one.counted:
            fields += [(f"n{place}", order + one.counted), (f"v{place}", order + one.dtype, (length,))]
        else:
            fields.append((f"v{place}", order + one.dtype))
    return np.dtype(fields)


def _walk_binary(content: memoryview, at: int, element: Element, order: str, name: str) -> int:
    """As `_read_binary`, row by row: lists of different lengths."""
    least = sum(np.dtype(one.counted or one.dtype).itemsize for one in element.properties)
    if element.rows * least > len(content) - at:
        raise _too_short(element, name)
    found: list[list[Any]] = [[] for _ in element.properties]
    counts: list[list[int]] = [[] for _ in element.properties]
    for _ in range(element.rows):
        for place, one in enumerate(element.properties):
            length = 1
            if one.counted:
                (length,) = _take(content, at, order, one.counted, 1, element, name)
                at += np.dtype(one.counted).itemsize
                counts[place].append(length)
            found[place] += _take(content, at, order, one.dtype, length, element, name)
            at += length * np.dtype(one.dtype).itemsize
    for place, one in enumerate(element.properties):
        element.values[one.name] = np.array(found[place], one.dtype)
        if one.counted:
            element.counts[one.name] = np.array(counts[place], np.int64)
    return at


def _read_ascii(body: bytes, first_line: int, elements: list[Element], name: str) -> None:
    text = body.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    text = text if text.endswith(b"\n") else text + b"\n"
    lines = np.arange(text.count(b"\n"), dtype=np.int64) + first_line
    values, counts = numbers_by_line(np.frombuffer(text, np.uint8), lines, name)
    lines, counts = lines[counts > 0], counts[counts > 0]
    starts = np.cumsum(counts) - counts
    row = 0
    for element in elements:
        if row + element.rows > len(lines):
            raise _too_short(element, name)
        mine = slice(row, row + element.rows)
        _read_rows(element, values, (starts[mine], counts[mine], lines[mine]), name)
        row += element.rows


def _read_rows(element: Element, values: npt.NDArray[np.float64], rows: tuple[Ints, Ints, Ints], name: str) -> None:
    """Fill the element from numbers: where each row starts in `values`, how many it has, and its line."""
    starts, counts, lines = rows
    at, ends = starts.copy(), starts + counts

    def check(right: npt.NDArray[np.bool_], what: str) -> None:
        if not right.all():
            raise UnreadableFile(f"{name}, line {int(lines[int(np.argmin(right))])}: {what}", hint="export it again")

    for one in element.properties:
        check(at < ends, f"it has no {one.name}")
        if not one.counted:
            element.values[one.name] = values[at].astype(one.dtype if one.dtype[0] == "f" else np.float64)
            at += 1
            continue
        lengths = values[at]
        check((lengths == np.rint(lengths)) & (lengths >= 0) & (lengths <= counts), f"its {one.name} can't be")
        length = lengths.astype(np.int64)
        check(at + 1 + length <= ends, f"its {one.name} has fewer values than it says")
        within = np.arange(int(length.sum())) - np.repeat(np.cumsum(length) - length, length)
        element.values[one.name] = values[np.repeat(at + 1, length) + within]
        element.counts[one.name] = length
        at += 1 + length
    check(at == ends, f"it has more numbers than the properties of a {element.name}")
