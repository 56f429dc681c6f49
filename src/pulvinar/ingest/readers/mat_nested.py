"""What lies inside of MATLAB's structs and cell arrays: every value with the path that leads to it.

A field of a struct is `s/field`, of the third element of an array of structs `s(3)/field`; the third cell is `c{3}`.
Source: the MAT-File Format of MathWorks (2023), level 5, and how version 7.3 writes structs and cells in HDF5.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import IO, Any, Literal

from pulvinar.errors import TooLarge, UnreadableFile
from pulvinar.ingest.readers.hdf5_chunks import checked_values
from pulvinar.ingest.readers.hdf5_files import member, text
from pulvinar.ingest.readers.hdf5_values import is_group, target_of

MOST_VALUES = 10_000
"""More values than these, of all depths, are not looked at."""
_DEEPEST = 16
_MOST_TEXT = 4000
_AGAIN = "save the file again in MATLAB"
_MATRIX = 14
_PIECE = 1 << 20

Order = Literal["little", "big"]


@dataclass(frozen=True)
class Container:
    """What a value lies in: a "struct", one of an array of "structs", or a "cell"; `index` counts from 1."""

    path: str
    type: str
    index: int = 1
    field: str = ""

    @property
    def below(self) -> str:
        """The path of the value."""
        if self.type == "cell":
            return f"{self.path}{{{self.index}}}"
        return f"{self.path}({self.index})/{self.field}" if self.type == "structs" else f"{self.path}/{self.field}"


class Forward:
    """The bytes of one variable, packed or not, read forward and no further than asked for."""

    def __init__(self, file: IO[bytes], place: int, size: int, *, packed: bool) -> None:
        self._file, self._place, self._left = file, place, size
        self._unpacker = zlib.decompressobj() if packed else None
        self._packed = self._ahead = b""
        self.at = 0

    def read(self, count: int) -> bytes:
        """The next `count` bytes; fewer at the end."""
        return b"".join(self._pieces(count))

    def peek(self, count: int) -> bytes:
        """As `read`, and the bytes come again."""
        at, found = self.at, self.read(count)
        self._ahead, self.at = found + self._ahead, at
        return found

    def skip_to(self, at: int) -> None:
        """Go on to the byte `at`, which is not behind."""
        if self._unpacker is None and not self._ahead:
            self._place, self._left, self.at = self._place + at - self.at, self._left - at + self.at, at
            return
        for _ in self._pieces(at - self.at):
            pass

    def _pieces(self, count: int) -> Iterator[bytes]:
        while count > 0:
            most = min(count, _PIECE)
            piece, self._ahead = (self._ahead[:most] or self._piece(most)), self._ahead[most:]
            if not piece:
                return
            self.at += len(piece)
            count -= len(piece)
            yield piece

    def _piece(self, most: int) -> bytes:
        if self._unpacker is None:
            return self._stored(most)
        while not self._unpacker.eof:
            packed = self._packed or self._stored(_PIECE)
            if not packed:
                return b""
            piece = self._unpacker.decompress(packed, most)
            self._packed = self._unpacker.unconsumed_tail
            if piece:
                return piece
        return b""

    def _stored(self, most: int) -> bytes:
        self._file.seek(self._place)
        data = self._file.read(max(0, min(most, self._left)))
        self._place += len(data)
        self._left -= len(data)
        return data


@dataclass(frozen=True)
class Held:
    """A value of version 5: where its matrix begins in the bytes of its variable, and its first bytes."""

    container: Container
    at: int
    start: bytes


@dataclass(frozen=True)
class Held7:
    """A value of version 7.3: the path of its dataset in the file, and the dataset."""

    container: Container
    path: str
    data: Any


def held_5(stream: Forward, order: Order, root: str, name: str) -> Iterator[Held]:
    """Every value of the struct or cell array whose matrix begins where `stream` is; containers are gone into.

    Raises `UnreadableFile` for parts that are longer than what they lie in, `TooLarge` for too many or too deep ones.
    """
    walk = _Walk(stream, order, name)
    tag = walk.tag(1 << 62)
    if tag is not None:
        yield from walk.values(tag, root, 0)


@dataclass
class _Walk:
    """Goes through nested matrices of one variable, in the order in which they are stored."""

    stream: Forward
    order: Order
    name: str
    count: int = 0

    def tag(self, end: int) -> tuple[int, int, int, bytes] | None:
        """Type, size and first byte of the next element, with its data where the tag has it; None at the end."""
        head = self.stream.read(8) if self.stream.at + 8 <= end else b""
        if len(head) < 8:
            return None
        word = int.from_bytes(head[:4], self.order)
        if word >> 16:
            return word & 0xFFFF, min(word >> 16, 4), self.stream.at, head[4 : 4 + min(word >> 16, 4)]
        size = int.from_bytes(head[4:], self.order)
        if self.stream.at + size > end:
            raise self._damaged("a part goes on behind the end of what it lies in")
        return word, size, self.stream.at, b""

    def values(self, tag: tuple[int, int, int, bytes], path: str, depth: int) -> Iterator[Held]:
        """The values of a container, whose first byte is next."""
        end = tag[2] + tag[1]
        self._check(depth)
        flags, sides, _ = (self._small(end) for _ in range(3))
        kind = int.from_bytes(flags[:4], self.order) & 0xFF
        shape = [int.from_bytes(sides[at : at + 4], self.order, signed=True) for at in range(0, len(sides), 4)]
        count = prod(shape) if shape and min(shape) >= 0 else 0
        fields = self._fields(end) if kind == 2 else []
        if kind == 2 and not fields:
            return
        for index in range(1, count + 1):
            for field in fields or [""]:
                one = self.tag(end)
                if one is None or one[0] != _MATRIX:
                    raise self._damaged(f"{path} has fewer values than it declares")
                type_of = "cell" if not fields else "struct" if count == 1 else "structs"
                yield from self._value(one, Container(path, type_of, index, field), depth)

    def _value(self, tag: tuple[int, int, int, bytes], container: Container, depth: int) -> Iterator[Held]:
        self._check(depth)
        _, size, begin, _ = tag
        start = self.stream.peek(min(size, _MOST_TEXT))
        # the flags of a matrix are its first element
        if size and int.from_bytes(start[8:12], self.order) & 0xFF in (1, 2):
            yield from self.values(tag, container.below, depth + 1)
        elif size:
            yield Held(container, begin, start)
        self.stream.skip_to(begin + size)

    def _check(self, depth: int) -> None:
        self.count += 1
        if self.count > MOST_VALUES or depth > _DEEPEST:
            raise _too_many(self.name)

    def _small(self, end: int) -> bytes:
        """The data of a small element that comes next."""
        tag = self.tag(end)
        if tag is None or tag[1] > _PIECE:
            raise self._damaged("a struct or cell array has no head that can be")
        _, size, begin, inside = tag
        data = inside or self.stream.read(size)
        if not inside:
            self.stream.skip_to(begin + -(-size // 8) * 8)
        return data

    def _fields(self, end: int) -> list[str]:
        length = int.from_bytes(self._small(end)[:4], self.order)
        names = self._small(end)
        if not 0 < length <= 1024:
            raise self._damaged(f"the names of fields have {length} letters")
        cut = [names[at : at + length].partition(b"\0")[0] for at in range(0, len(names), length)]
        return [letters.decode("latin-1") for letters in cut]

    def _damaged(self, reason: str) -> UnreadableFile:
        return UnreadableFile(f"{self.name} is damaged: {reason}", hint=_AGAIN)


def held_7(place: Any, root: str, name: str) -> Iterator[Held7]:
    """Every value of the struct (a group) or cell array (a dataset of references) at `place`.

    Raises `TooLarge` for too many or too deep ones, as references that lead in a ring are.
    """
    count = 0

    def below(place: Any, container: Container, depth: int) -> Iterator[Held7]:
        nonlocal count
        count += 1
        if count > MOST_VALUES or depth > _DEEPEST:
            raise _too_many(name)
        if is_group(place):
            for key in place:
                yield from _field(place, container.below, key, depth)
        elif _refers(place):
            yield from referred(place, container.below, "cell", "", depth)
        elif place is not None:
            yield Held7(container, place.name.lstrip("/"), place)

    def _field(group: Any, path: str, key: str, depth: int) -> Iterator[Held7]:
        value = member(group, key, name)
        if (
            value is not None
            and not is_group(value)
            and _refers(value)
            and not text(value.attrs.get("MATLAB_class", ""))
        ):
            # a field of an array of structs: a reference for each of them
            yield from referred(value, path, "structs", key, depth)
        else:
            yield from below(value, Container(path, "struct", 1, key), depth + 1)

    def referred(data: Any, path: str, kind: str, field: str, depth: int) -> Iterator[Held7]:
        if data.size > MOST_VALUES:
            raise _too_many(name)
        # MATLAB's columns are HDF5's rows, so that elements come in MATLAB's order
        for index, reference in enumerate(checked_values(data, name), 1):
            yield from below(target_of(data, reference), Container(path, kind, index, field), depth + 1)

    if is_group(place):
        for key in place:
            yield from _field(place, root, key, 0)
    elif _refers(place):
        yield from referred(place, root, "cell", "", 0)


def _refers(data: Any) -> bool:
    import h5py

    return h5py.check_ref_dtype(data.dtype) is not None


def _too_many(name: str) -> TooLarge:
    return TooLarge(
        f"{name} has more than {MOST_VALUES} values in structs and cells, or more than {_DEEPEST} in each other",
        hint="save the matrices that matter as variables of their own",
    )
