"""The planes of one volume in the pages of TIFF files: where each lies, and how a piece of it is read.

Values that lie in the file as they are come by positioned reads, straight into place where they can; anything else is
decoded strip by strip or tile by tile, in as many threads as there are cores. Only what a window touches is read.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import product
from math import prod
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import tifffile

from pulvinar.errors import PulvinarError, UnreadableFile
from pulvinar.ingest.readers.raw_volume import put
from pulvinar.model.space import Window
from pulvinar.model.volume import AXES

Voxels = npt.NDArray[Any]
Task = Callable[[], None]

TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_OPEN_FILES = 64
_KNOWN_PLANES = 2048
_NARROW = 4
"""A window narrower than its rows by this is read row by row."""


@dataclass(frozen=True)
class PageLayout:
    """What all pages of a volume share. `segment` is (rows, columns) of a strip or tile; where `is_raw`, strips hold
    the values as they are."""

    rows: int
    columns: int
    samples: int
    is_planar: bool
    dtype: np.dtype[Any]
    segment: tuple[int, int]
    is_raw: bool

    @classmethod
    def of(cls, page: Any) -> PageLayout:
        """The layout of a tifffile page."""
        tiled = bool(page.is_tiled)
        segment = (
            (page.tilelength, page.tilewidth) if tiled else (min(page.rowsperstrip, page.imagelength), page.imagewidth)
        )
        dtype = page.dtype.newbyteorder(page.parent.byteorder)
        plain = page.compression == 1 and page.predictor == 1 and page.fillorder == 1 and not page.is_subsampled
        return cls(
            page.imagelength,
            page.imagewidth,
            page.samplesperpixel,
            page.planarconfig == 2 and page.samplesperpixel > 1,
            dtype,
            segment,
            plain and not tiled and page.bitspersample == dtype.itemsize * 8 and dtype.kind in "iuf",
        )

    @property
    def grid(self) -> tuple[int, int]:
        """Segments along rows and columns."""
        return -(-self.rows // self.segment[0]), -(-self.columns // self.segment[1])

    @property
    def segments(self) -> int:
        """Segments of a page."""
        return prod(self.grid) * (self.samples if self.is_planar else 1)

    @property
    def row_bytes(self) -> int:
        """A row of a raw strip."""
        return self.columns * (1 if self.is_planar else self.samples) * self.dtype.itemsize


@dataclass(frozen=True, eq=False)
class Plane:
    """One page: its file, its segments' places, and tifffile's decoder for them."""

    path: Path
    label: str
    offsets: npt.NDArray[np.int64]
    counts: npt.NDArray[np.int64]
    decode: Callable[..., Any]
    tables: bytes | None


@dataclass(frozen=True)
class PlaneOrder:
    """How the planes of files make a volume.

    The files are a grid (t, c, z); each holds planes along the axes `letters`, slowest first, of `shape`; the rows and
    columns of a plane run along `plane_letters`.
    """

    grid: tuple[int, int, int]
    letters: str
    shape: tuple[int, ...]
    plane_letters: str

    def extent(self, letter: str) -> int:
        """Planes along an axis, files and pages together."""
        files = self.grid["tcz".index(letter)] if letter in "tcz" else 1
        return files * (self.shape[self.letters.index(letter)] if letter in self.letters else 1)

    def find(self, place: dict[str, int]) -> tuple[int, int]:
        """The file and the page in it at a place; each axis is counted by files or by pages, never by both."""
        file = 0
        for letter, size in zip("tcz", self.grid, strict=True):
            file = file * size + (place[letter] if size > 1 else 0)
        page = 0
        for letter, size in zip(self.letters, self.shape, strict=True):
            page = page * size + (place[letter] if size > 1 else 0)
        return file, page


class Order(Protocol):
    """Which page of which file is the plane at a place; `shape` counts planes, rows and columns run along
    `plane_letters`."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Planes along each axis of pages."""

    @property
    def plane_letters(self) -> str:
        """The axes of a plane's rows and columns."""

    def find(self, place: dict[str, int]) -> tuple[int, int] | None:
        """The file and the page in it; None for a plane that no file has, which reads as 0."""


class PlaneVolume:
    """An `OpenVolume` over pages. Raises `UnreadableFile`, naming file and page, for what is damaged or missing."""

    def __init__(
        self,
        files: Sequence[tuple[Path, str]],
        order: Order,
        layout: PageLayout,
        dtype: str,
        pages_of: Callable[[Any], Any],
        *,
        several: bool = False,
        sparse: bool = False,
    ) -> None:
        """`pages_of` gives the pages of an open file; `several`: see `open_tiff`; `sparse`: strips and tiles that are
        not stored are empty, and not lost."""
        self._files, self._order, self._layout = files, order, layout
        self._dtype = np.dtype(dtype)
        self._pages_of, self._several, self._sparse = pages_of, several, sparse
        self._alike: Any = None
        self._planes: OrderedDict[tuple[int, int], Plane] = OrderedDict()
        self._books: OrderedDict[int, Any] = OrderedDict()
        self._open: OrderedDict[Path, int] = OrderedDict()
        self._threads = ThreadPoolExecutor(len(os.sched_getaffinity(0)), "decode")

    def read_into(self, window: Window, out: Voxels) -> None:
        """Fill `out`, of `window.shape` and the described dtype."""
        ranges = {letter: range(a, b) for letter, a, b in zip(AXES, window.start, window.stop, strict=True)}
        planes = list(self._planes_of(ranges, out))
        # a few planes at a time, so that their files can be open all at once
        for first in range(0, len(planes), _OPEN_FILES // 2):
            tasks = []
            for place, samples, target in planes[first : first + _OPEN_FILES // 2]:
                found = self._order.find(place)
                if found is None:
                    target[...] = 0
                    continue
                plane = self._plane(*found)
                rows, columns = (ranges[letter] for letter in self._order.plane_letters)
                tasks += list(self._tasks(plane, samples, rows, columns, target))
            for done in [self._threads.submit(task) for task in tasks]:
                done.result()

    def close(self) -> None:
        """Let go of files and threads."""
        self._threads.shutdown()
        for book in self._books.values():
            book.close()
        for descriptor in self._open.values():
            os.close(descriptor)

    def _planes_of(self, ranges: dict[str, range], out: Voxels) -> Iterator[tuple[dict[str, int], range, Voxels]]:
        """For each plane that a window touches: its place, which samples of it, and where they go: (sample, row,
        column)."""
        letters = [letter for letter in AXES if letter not in self._order.plane_letters]
        samples = self._layout.samples
        spans = [
            range(ranges[x].start // samples, -(-ranges[x].stop // samples)) if x == "c" else ranges[x] for x in letters
        ]
        for numbers in product(*spans):
            place = dict(zip(letters, numbers, strict=True))
            channels = range(
                max(ranges["c"].start, place.get("c", 0) * samples),
                min(ranges["c"].stop, (place.get("c", 0) + 1) * samples),
            )
            index: list[Any] = [slice(None)] * 5
            for letter, number in place.items():
                index[AXES.index(letter)] = number - ranges[letter].start
            index[1] = slice(channels.start - ranges["c"].start, channels.stop - ranges["c"].start)
            left = [letter for letter in AXES if letter == "c" or letter in self._order.plane_letters]
            target = out[tuple(index)].transpose([left.index(letter) for letter in "c" + self._order.plane_letters])
            first = place.get("c", 0) * samples
            yield place, range(channels.start - first, channels.stop - first), target

    def _plane(self, file: int, page: int) -> Plane:
        key = (file, page)
        if key not in self._planes:
            self._planes[key] = self._look_up(file, page)
            while len(self._planes) > _KNOWN_PLANES:
                self._planes.popitem(last=False)
        return self._planes[key]

    def _look_up(self, file: int, number: int) -> Plane:
        path, name = self._files[file]
        label = f"{name}, page {number + 1}" if prod(self._order.shape) > 1 else name
        book = self._book(file)
        try:
            page = self._pages_of(book)[number]
        except PulvinarError:
            raise
        except Exception as error:
            raise UnreadableFile(f"{label} is damaged: {error}", hint="copy the file again") from error
        if page is None:
            raise UnreadableFile(f"{label} is missing: a file of its set is not there", hint="add the missing files")
        if page.keyframe is not self._alike and (
            page.keyframe.dtype is None or PageLayout.of(page.keyframe) != self._layout
        ):
            raise UnreadableFile(f"{label} is not like the first plane", hint="copy it again, or take it out")
        self._alike = page.keyframe
        offsets, counts = (np.asarray(numbers, np.int64) for numbers in (page.dataoffsets, page.databytecounts))
        if len(offsets) != self._layout.segments or len(counts) != len(offsets):
            raise UnreadableFile(
                f"{label} is damaged: it has {len(offsets)} strips or tiles, its size needs {self._layout.segments}",
                hint="copy the file again",
            )
        if min(offsets.min(initial=0), counts.min(initial=0)) < 0:
            raise UnreadableFile(
                f"{label} is damaged: a strip or tile has less than no bytes, or lies before the file",
                hint="copy the file again",
            )
        with suppress(AttributeError):
            path = Path(page.parent.filehandle.path)
        return Plane(path, label, offsets, counts, page.keyframe.decode, page.jpegtables)

    def _book(self, file: int) -> Any:
        if file not in self._books:
            path, name = self._files[file]
            self._books[file] = open_tiff(path, name, several=self._several)
            while len(self._books) > _OPEN_FILES:
                self._books.popitem(last=False)[1].close()
        return self._books[file]

    def _tasks(self, plane: Plane, samples: range, rows: range, columns: range, target: Voxels) -> Iterator[Task]:
        layout = self._layout
        high, wide = layout.segment
        descriptor = self._descriptor(plane.path)
        groups = [(range(s, s + 1), s) for s in samples] if layout.is_planar else [(samples, 0)]
        spans = range(columns.start // wide, -(-columns.stop // wide))
        for chosen, group in groups:
            part = target[chosen.start - samples.start : chosen.stop - samples.start]
            for row, column in product(range(rows.start // high, -(-rows.stop // high)), spans):
                box = (
                    range(max(rows.start, row * high), min(rows.stop, (row + 1) * high)),
                    range(max(columns.start, column * wide), min(columns.stop, (column + 1) * wide)),
                )
                index = (group * layout.grid[0] + row) * layout.grid[1] + column
                goal = part[
                    :,
                    box[0].start - rows.start : box[0].stop - rows.start,
                    box[1].start - columns.start : box[1].stop - columns.start,
                ]
                if not plane.counts[index]:
                    yield partial(self._leave_empty, plane, index, goal)
                    continue
                piece = _Piece(plane, layout, descriptor, index, (row * high, column * wide), chosen, box, goal)
                yield piece.copy if layout.is_raw else piece.decode

    def _leave_empty(self, plane: Plane, index: int, goal: Voxels) -> None:
        """A strip or tile of no bytes: some writers leave out what is empty, and one that broke off looks the same."""
        if not self._sparse:
            raise UnreadableFile(
                f"{plane.label}: strip or tile {index + 1} is not stored, and nothing shows that it is empty and not "
                "lost",
                hint="copy the file again; where it is empty, give --sparse",
            )
        goal[...] = 0

    def _descriptor(self, path: Path) -> int:
        if path in self._open:
            self._open.move_to_end(path)
        else:
            while len(self._open) >= _OPEN_FILES:
                os.close(self._open.popitem(last=False)[1])
            self._open[path] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        return self._open[path]


@dataclass(frozen=True, eq=False)
class _Piece:
    """What a window wants of one segment: `samples`, and `box` of rows and columns of the page, into `goal`."""

    plane: Plane
    layout: PageLayout
    descriptor: int
    index: int
    corner: tuple[int, int]
    samples: range
    box: tuple[range, range]
    goal: Voxels

    def copy(self) -> None:
        """Read values that lie in a strip as they are."""
        offset, count = int(self.plane.offsets[self.index]), int(self.plane.counts[self.index])
        (rows, columns), row_bytes = self.box, self.layout.row_bytes
        if count < (rows.stop - self.corner[0]) * row_bytes:
            raise self._truncated()
        first = offset + (rows.start - self.corner[0]) * row_bytes
        packed = 1 if self.layout.is_planar else self.layout.samples
        straight = packed == 1 and self.goal.dtype == self.layout.dtype and _rows_are_packed(self.goal)
        if len(columns) * _NARROW <= self.layout.columns and len(rows) > 1:
            step = packed * self.layout.dtype.itemsize
            for number, row in enumerate(rows):
                position = offset + (row - self.corner[0]) * row_bytes + columns.start * step
                if straight:
                    self._read(position, self.goal[0, number])
                else:
                    self._convert(position, self.goal[:, number : number + 1], len(columns), packed)
        elif straight and len(columns) == self.layout.columns and self.goal[0].flags.c_contiguous:
            self._read(first, self.goal)
        else:
            self._convert(first, self.goal, self.layout.columns, packed, columns)

    def _convert(self, position: int, goal: Voxels, width: int, packed: int, columns: range | None = None) -> None:
        """Read rows of `width` into memory of their own, and what is wanted of them from there."""
        room = np.empty((goal.shape[1], width, packed), self.layout.dtype)
        self._read(position, room)
        wanted = room if columns is None else room[:, columns.start : columns.stop]
        if not self.layout.is_planar:
            wanted = wanted[:, :, self.samples.start : self.samples.stop]
        put(wanted.transpose(2, 0, 1), goal, self.plane.label)

    def decode(self) -> None:
        """Read and decode one strip or tile."""
        data = np.empty(int(self.plane.counts[self.index]), np.uint8)
        self._read(int(self.plane.offsets[self.index]), data)
        try:
            values, _, shape = self.plane.decode(data.tobytes(), self.index, jpegtables=self.plane.tables)
            values = values[0, : shape[1], : shape[2]]
        except Exception as error:
            raise UnreadableFile(
                f"{self.plane.label} is damaged in strip or tile {self.index + 1}: {error}", hint="copy the file again"
            ) from error
        rows, columns = self.box
        top, left = self.corner
        wanted = values[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
        if not self.layout.is_planar:
            wanted = wanted[:, :, self.samples.start : self.samples.stop]
        if wanted.shape[:2] != (len(rows), len(columns)):
            raise UnreadableFile(f"{self.plane.label} is damaged: strip or tile {self.index + 1} is too small")
        put(wanted.transpose(2, 0, 1), self.goal, self.plane.label)

    def _read(self, position: int, room: Voxels) -> None:
        view = memoryview(room.reshape(-1).view(np.uint8).data)
        done = 0
        while done < len(view):
            got = os.preadv(self.descriptor, [view[done:]], position + done)
            if not got:
                raise self._truncated()
            done += got

    def _truncated(self) -> UnreadableFile:
        return UnreadableFile(
            f"{self.plane.label} is truncated: strip {self.index + 1} is not whole", hint="copy it again"
        )


def _rows_are_packed(goal: Voxels) -> bool:
    return goal.shape[0] == 1 and goal.strides[2] == goal.itemsize and goal.dtype.isnative


def open_tiff(path: Path, name: str, *, several: bool = False) -> Any:
    """The file as tifffile's; `several` lets an OME-TIFF's other files be opened, which must have been checked."""
    try:
        opened = tifffile.TiffFile(path, _multifile=several)
        # counted once, a chain of pages that runs in a circle has an end: to go through it otherwise never ends
        len(opened.pages)
        return opened
    except Exception as error:
        raise UnreadableFile(f"{name} is damaged: {error}", hint="copy the file again") from error
