"""The tiles of one scene of a CZI file, put at their places as a window asks for them.

Where tiles overlap, the one with the higher mosaic index lies on top, as Zeiss's own programs show it. A tile is
unpacked into no more memory than its size takes.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pulvinar.errors import TooLarge, UnreadableFile
from pulvinar.ingest.readers.czi_container import CziBytes, Tile
from pulvinar.ingest.readers.raw_volume import put
from pulvinar.model.space import Window
from pulvinar.model.volume import Shape5

Voxels = npt.NDArray[Any]
Key = tuple[int, ...]
"""What makes a channel: the index along C and along each further dimension of the scene."""
_CACHE_BYTES = 256 << 20
_AT_ONCE_BYTES = 256 << 20
_LARGEST_TILE_BYTES = 1 << 30
_RAW, _JPEG, _LZW, _JPEG_XR, _ZSTD, _ZSTD_WITH_HEADER = 0, 1, 2, 4, 5, 6
_COMPRESSIONS = frozenset({_RAW, _JPEG, _LZW, _JPEG_XR, _ZSTD, _ZSTD_WITH_HEADER})
_RED_FIRST = [2, 1, 0, 3]


@dataclass(frozen=True)
class Component:
    """One channel as it is read: sample number `sample` (red first) of the tiles whose channel is `key`."""

    key: Key
    sample: int


@dataclass(frozen=True)
class Scene:
    """The full resolution of one scene. `further` names its dimensions beside those of a volume and the mosaic's
    ("H" for phases or detector elements, "V" for views, "I", "R", "B"); `origin` is (t, z, y, x)."""

    number: int
    tiles: tuple[Tile, ...]
    further: tuple[str, ...]
    components: tuple[Component, ...]
    origin: tuple[int, int, int, int]
    shape: Shape5
    dtype: np.dtype[Any]

    @classmethod
    def of(cls, number: int, tiles: Sequence[Tile]) -> Scene:
        """The scene that `tiles`, all at full resolution, make."""
        names = sorted({name for tile in tiles for name in tile.place} - set("TZCSM"))
        further = tuple(name for name in names if len({tile.place.get(name, 0) for tile in tiles}) > 1)
        samples: dict[Key, int] = {}
        for tile in tiles:
            key = channel_of(tile, further)
            samples[key] = max(samples.get(key, 1), tile.pixels.samples)
        components = [Component(key, sample) for key in sorted(samples) for sample in range(samples[key])]
        times, planes = ([tile.place.get(name, 0) for tile in tiles] for name in "TZ")
        y, x = (min(tile.start[axis] for tile in tiles) for axis in (0, 1))
        high, wide = (max(tile.start[axis] + tile.size[axis] for tile in tiles) - low for axis, low in ((0, y), (1, x)))
        return cls(
            number,
            tuple(sorted(tiles, key=lambda tile: tile.place.get("M", 0))),
            further,
            tuple(components),
            (min(times), min(planes), y, x),
            (max(times) - min(times) + 1, len(components), max(planes) - min(planes) + 1, high, wide),
            np.result_type(*{tile.pixels.dtype for tile in tiles}),
        )

    def planes(self) -> dict[tuple[int, Key, int], list[Tile]]:
        """The tiles of each plane by (t, channel, z), those on top last."""
        found: dict[tuple[int, Key, int], list[Tile]] = {}
        for tile in self.tiles:
            t, z = tile.place.get("T", 0) - self.origin[0], tile.place.get("Z", 0) - self.origin[1]
            found.setdefault((t, channel_of(tile, self.further), z), []).append(tile)
        return found


def channel_of(tile: Tile, further: Sequence[str]) -> Key:
    """Which channel a tile belongs to."""
    return tuple(tile.place.get(name, 0) for name in ("C", *further))


def check_tile(tile: Tile, size_bytes: int, name: str) -> None:
    """Raise `UnreadableFile` or `TooLarge` for a tile that can't be unpacked."""
    if tile.compression not in _COMPRESSIONS:
        raise UnreadableFile(
            f"{name}: its tiles are packed by compression {tile.compression} of CZI, which is not read",
            hint="save it without compression, in ZEN",
        )
    if tile.stored_bytes > _LARGEST_TILE_BYTES and tile.compression != _RAW:
        raise TooLarge(
            f"{name}: one packed tile of it holds {tile.stored_bytes} bytes", hint="save it in smaller tiles"
        )
    if tile.compression == _RAW and tile.position + tile.stored_bytes > size_bytes:
        raise UnreadableFile(
            f"{name} is truncated: a tile of {tile.stored_bytes} bytes at byte {tile.position} of {size_bytes}",
            hint="copy it again",
        )


@dataclass(frozen=True, eq=False)
class _Part:
    """What a window wants of one tile: `rows` and `columns` of it, `samples` of its pixels, into `goal` (sample, row,
    column)."""

    tile: Tile
    rows: range
    columns: range
    samples: range
    goal: Voxels


class SceneVolume:
    """An `OpenVolume` over one scene. Raises `UnreadableFile`, naming the tile, for what is damaged."""

    def __init__(self, path: Path, scene: Scene, dtype: str, name: str) -> None:
        self._file = CziBytes(path, name)
        self._scene, self._planes = scene, scene.planes()
        self._dtype = np.dtype(dtype)
        self._cache: OrderedDict[int, Voxels] = OrderedDict()
        self._cached_bytes = 0
        self._threads = ThreadPoolExecutor(len(os.sched_getaffinity(0)), "decode")

    def read_into(self, window: Window, out: Voxels) -> None:
        """Fill `out`, of `window.shape` and the described dtype; 0 where no tile lies."""
        out[...] = 0
        waiting: list[tuple[_Part, Future[Voxels] | Voxels]] = []
        size = 0
        for part in self._parts(window, out):
            waiting.append((part, self._pixels(part)))
            size += part.tile.stored_bytes
            if size > _AT_ONCE_BYTES:
                self._place(waiting)
                waiting, size = [], 0
        self._place(waiting)

    def close(self) -> None:
        """Let go of file and threads."""
        self._threads.shutdown()
        self._file.close()

    def _parts(self, window: Window, out: Voxels) -> Iterator[_Part]:
        for key, samples, channels in _runs(self._scene.components[window.start[1] : window.stop[1]]):
            for t in range(window.start[0], window.stop[0]):
                for z in range(window.start[2], window.stop[2]):
                    goal = out[t - window.start[0], channels, z - window.start[2]]
                    for tile in self._planes.get((t, key, z), ()):
                        part = self._overlap(tile, window, samples, goal)
                        if part is not None:
                            yield part

    def _overlap(self, tile: Tile, window: Window, samples: range, goal: Voxels) -> _Part | None:
        spans, target = [], [slice(0, len(samples))]
        for axis in (0, 1):
            start = tile.start[axis] - self._scene.origin[2 + axis]
            first, last = max(start, window.start[3 + axis]), min(start + tile.size[axis], window.stop[3 + axis])
            if first >= last:
                return None
            spans.append(range(first - start, last - start))
            target.append(slice(first - window.start[3 + axis], last - window.start[3 + axis]))
        there = range(samples.start, min(samples.stop, tile.pixels.samples))
        return _Part(tile, spans[0], spans[1], there, goal[tuple(target)][: len(there)])

    def _pixels(self, part: _Part) -> Future[Voxels] | Voxels:
        """The tile's pixels as (row, column, sample): where nothing is packed, of the wanted rows alone."""
        tile = part.tile
        if tile.compression == _RAW:
            return self._threads.submit(self._raw_rows, tile, part.rows)
        if tile.position in self._cache:
            self._cache.move_to_end(tile.position)
            return self._cache[tile.position]
        return self._threads.submit(self._unpacked, tile)

    def _place(self, waiting: Sequence[tuple[_Part, Future[Voxels] | Voxels]]) -> None:
        for part, task in waiting:
            values = task.result() if isinstance(task, Future) else task
            if part.tile.compression == _RAW:
                values = values[:, part.columns.start : part.columns.stop]
            else:
                self._keep(part.tile, values)
                values = values[part.rows.start : part.rows.stop, part.columns.start : part.columns.stop]
            values = values[:, :, part.samples.start : part.samples.stop]
            put(values.transpose(2, 0, 1), part.goal, self._file.name)

    def _keep(self, tile: Tile, values: Voxels) -> None:
        if tile.position in self._cache:
            return
        self._cache[tile.position] = values
        self._cached_bytes += values.nbytes
        while self._cached_bytes > _CACHE_BYTES:
            self._cached_bytes -= self._cache.popitem(last=False)[1].nbytes

    def _raw_rows(self, tile: Tile, rows: range) -> Voxels:
        start, size = self._file.pixels_of(tile)
        if size < tile.stored_bytes:
            raise self._damage(tile, f"it holds {size} bytes, its size needs {tile.stored_bytes}")
        row_bytes = tile.stored_bytes // tile.stored[0]
        packed = self._file.read(start + rows.start * row_bytes, len(rows) * row_bytes, "a tile")
        return _red_first(_shaped(packed, tile, len(rows)))

    def _unpacked(self, tile: Tile) -> Voxels:
        start, size = self._file.pixels_of(tile)
        packed = self._file.read(start, size, "a tile")
        try:
            return _decoded(packed, tile)
        except Exception as error:
            raise self._damage(tile, str(error)) from error

    def _damage(self, tile: Tile, why: str) -> UnreadableFile:
        place = ", ".join(f"{name} = {number}" for name, number in tile.place.items())
        return UnreadableFile(f"{self._file.name} is damaged: its tile {place}: {why}", hint="copy it again")


def _runs(components: Sequence[Component]) -> Iterator[tuple[Key, range, slice]]:
    """Neighbouring components of one channel: its key, their samples, and which of `components` they are."""
    first = 0
    for number in range(1, len(components) + 1):
        if number == len(components) or components[number].key != components[first].key:
            samples = range(components[first].sample, components[number - 1].sample + 1)
            yield components[first].key, samples, slice(first, number)
            first = number


def _shaped(packed: bytes | bytearray | memoryview, tile: Tile, rows: int) -> Voxels:
    dtype = np.dtype(tile.pixels.dtype).newbyteorder("<")
    values = np.frombuffer(packed, dtype, rows * tile.stored[1] * tile.pixels.samples)
    return values.reshape(rows, tile.stored[1], tile.pixels.samples)


def _red_first(values: Voxels) -> Voxels:
    """Pixels of several samples lie as blue, green, red(, alpha)."""
    count = values.shape[2]
    return values if count == 1 else values[:, :, _RED_FIRST[:count]]


def _decoded(packed: bytes, tile: Tile) -> Voxels:
    """The pixels (row, column, sample) of a packed tile; raises whatever the codec raises for damage."""
    import imagecodecs

    size = tile.stored_bytes
    unpacked: bytes | bytearray | memoryview
    if tile.compression in (_JPEG, _JPEG_XR):
        shape = (*tile.stored, tile.pixels.samples)
        room = np.empty(shape if tile.pixels.samples > 1 else shape[:2], tile.pixels.dtype)
        codec = imagecodecs.jpeg8_decode if tile.compression == _JPEG else imagecodecs.jpegxr_decode
        return np.asarray(codec(packed, out=room)).reshape(shape)
    if tile.compression == _LZW:
        unpacked = imagecodecs.lzw_decode(packed, out=size)
    elif tile.compression == _ZSTD:
        unpacked = imagecodecs.zstd_decode(packed, out=size)
    else:
        unpacked = _zstd_with_header(packed, size)
    if len(unpacked) != size:
        raise ValueError(f"it unpacks to {len(unpacked)} bytes, its size needs {size}")
    return _red_first(_shaped(unpacked, tile, tile.stored[0]))


def _zstd_with_header(packed: bytes, size: int) -> bytes | memoryview:
    """Zstandard behind a header that may say that all low bytes lie before all high ones."""
    import imagecodecs

    length = packed[0]
    if length not in (1, 3) or (length == 3 and packed[1] != 1):
        raise ValueError(f"its header {packed[:3].hex()} is not understood")
    unpacked = bytes(imagecodecs.zstd_decode(packed[length:], out=size))
    if length == 1 or not packed[2] & 1:
        return unpacked
    low, high = np.frombuffer(unpacked, np.uint8).reshape(2, -1)
    words = high.astype("<u2")
    words <<= 8
    words |= low
    return words.view(np.uint8).data
