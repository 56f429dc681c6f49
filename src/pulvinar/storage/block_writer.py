"""One block of a pyramid: from the voxels of its base level to the finished shards of all its levels."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from math import prod
from operator import sub
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from pulvinar.model.dataset import StoredObject
from pulvinar.model.space import Window
from pulvinar.model.volume import Shape5, Volume
from pulvinar.storage.codecs import ChunkCodec
from pulvinar.storage.downsample import bits, downsample_into
from pulvinar.storage.pending import ChunkKey, PendingChunk, PendingChunks
from pulvinar.storage.pyramid_plan import Block, Factors, cells, clip, factors_between, morton, quanta
from pulvinar.storage.shards import ShardWriter, chunks_per_shard, shard_path
from pulvinar.storage.sources import Voxels, VoxelSource

# waiting chunks beyond this are spilled, and encoded ones beyond this are waited for before more work is given out
_PENDING_BYTES = 256 * 2**20
_IN_FLIGHT_BYTES = 96 * 2**20
_ORIGIN: Shape5 = (0, 0, 0, 0, 0)


class Encoded(NamedTuple):
    """A chunk's stored bytes: the first `size` of `room`, which is used again."""

    room: Voxels
    size: int


class ShardSink(Protocol):
    """Where a block's shards go."""

    def start(self, path: str, grid: Shape5) -> ShardWriter:
        """A local file for the shard of `grid` chunks at `path`."""

    def finish(self, path: str, writer: ShardWriter) -> None:
        """Every chunk of it has come."""


@dataclass(frozen=True)
class BlockInput:
    """What a block is made from: `source` gives its base level, `stored` any level that is finished.

    `finished` holds the paths of finished shards. `observe` sees each window read from `source`, `passed` is told how
    many voxels of the base level are done with.
    """

    volume: Volume
    source: VoxelSource
    stored: Callable[[int, Window], Voxels]
    finished: Mapping[str, StoredObject]
    observe: Callable[[Window, Voxels], None] | None
    passed: Callable[[int], None]


@dataclass(eq=False)
class _Quantum:
    """One piece of the base level that was read, and how many jobs still look at it. None of it: no job needs it."""

    window: Window
    voxels: Voxels | None
    release: Callable[[], None]
    jobs: int = 0


@dataclass(eq=False)
class _Job:
    """Chunks of one level that are encoded and halved together. `result` has None for a chunk of fill only."""

    level: int
    chunks: list[Shape5]
    result: Future[list[Encoded | None]] | None
    delivers: int
    parent: PendingChunk | None
    own: PendingChunk | None = None
    quantum: _Quantum | None = None


@dataclass(eq=False)
class _OpenShard:
    path: str
    missing: int
    writer: ShardWriter | None = None


class _Buffers(threading.local):
    """A thread's own memory: for a chunk of the base level, and for bit planes by the number of values in a chunk."""

    def __init__(self) -> None:
        self.chunk: Voxels | None = None
        self.planes: dict[int, Voxels] = {}


@dataclass(eq=False)
class BlockWriter:
    """Makes one block with `workers`, reading ahead with `reader`. Use it once."""

    block: Block
    given: BlockInput
    sink: ShardSink
    workers: Executor
    reader: Executor
    scratch: Path
    _jobs: deque[_Job] = field(default_factory=deque)
    _held: list[_Quantum] = field(default_factory=list)
    _shards: dict[tuple[int, Shape5], _OpenShard] = field(default_factory=dict)

    def __post_init__(self) -> None:
        volume = self.given.volume
        levels = range(self.block.base, self.block.levels.stop)
        self._codecs = {
            k: ChunkCodec.for_volume(volume.kind, volume.dtype, volume.levels[k].chunk_shape) for k in levels
        }
        self._room_bytes = max(codec.room_bytes for codec in self._codecs.values())
        self._rooms: deque[Voxels] = deque()
        self._per_shard = {k: chunks_per_shard(volume.levels[k]) for k in levels}
        self._factors: dict[int, Factors] = {
            k: factors_between(volume.levels[k], volume.levels[k + 1]) for k in levels[:-1]
        }
        self._dtype = np.dtype(volume.dtype)
        # a fixed number, not one that depends on the machine: the order of chunks in a shard follows from it
        self._most_jobs = max(8, min(64, _IN_FLIGHT_BYTES // (8 * self._codecs[self.block.base].chunk_bytes)))
        self._buffers = _Buffers()

    def run(self) -> None:
        """Write every shard of the block that is not finished; a block that is finished costs nothing."""
        if all(path in self.given.finished for path in self._paths()):
            self.given.passed(prod(self.block.window.shape))
            return
        slot_bytes = max(codec.chunk_bytes for codec in self._codecs.values())
        with PendingChunks(self._dtype, slot_bytes, _PENDING_BYTES, self.scratch) as self._pending:
            try:
                self._feed_all()
            finally:
                self._abandon()

    def _paths(self) -> Iterator[str]:
        """Every shard of the block. Shards nest in blocks, so the part of a level in the block is a whole number."""
        window = self.block.window
        for k in range(self.block.base, self.block.levels.stop):
            if k > self.block.base:
                window = _halved(window, self._factors[k - 1])
            if k in self.block.levels:
                for shard in morton(cells(window, self.given.volume.levels[k].shard_shape)):
                    yield shard_path(k, shard)

    # reading

    def _feed_all(self) -> None:
        for quantum in self._read_ahead():
            if quantum.voxels is not None and self.given.observe and self._reads_source(quantum.window):
                self.given.observe(quantum.window, quantum.voxels)
            self._feed(quantum)
        while self._jobs:
            self._settle()

    def _read_ahead(self) -> Iterator[_Quantum]:
        """Every piece of the block, one being read while two are worked on."""
        ahead: deque[Future[_Quantum]] = deque()
        try:
            for window in quanta(self.block):
                ahead.append(self.reader.submit(self._read, window))
                if len(ahead) > 1:
                    yield self._await(ahead.popleft())
                    while len(self._held) > 1:
                        self._settle()
            yield self._await(ahead.popleft())
        finally:
            for reading in ahead:
                if not reading.cancel() and reading.exception() is None:
                    reading.result().release()

    def _await(self, reading: Future[_Quantum]) -> _Quantum:
        quantum = reading.result()
        self._held.append(quantum)
        return quantum

    def _read(self, window: Window) -> _Quantum:
        if self._reads_source(window):
            held = self.given.source.read(window)
            return _Quantum(window, np.ascontiguousarray(held), lambda: self.given.source.release(held))
        if self._parents_wait(window):
            return _Quantum(window, self.given.stored(self.block.base, window), lambda: None)
        return _Quantum(window, None, lambda: None)

    def _reads_source(self, window: Window) -> bool:
        """Whether the block's source is asked for `window`: always for what isn't stored yet."""
        base = self.block.base
        if base not in self.block.levels:
            return self._parents_wait(window)
        shards = morton(cells(window, self.given.volume.levels[base].shard_shape))
        return any(self._is_open(base, shard) for shard in shards)

    def _parents_wait(self, window: Window) -> bool:
        base = self.block.base
        if base not in self._factors:
            return False
        above = _halved(window, self._factors[base])
        shards = morton(cells(above, self.given.volume.levels[base + 1].shard_shape))
        return any(self._is_open(base + 1, shard) for shard in shards)

    def _is_open(self, level: int, shard: Shape5) -> bool:
        return shard_path(level, shard) not in self.given.finished

    # giving out work

    def _feed(self, quantum: _Quantum) -> None:
        """Cut a piece into jobs: what goes into one chunk of the next level is worked on together."""
        base = self.block.base
        footprint = self._footprint(base)
        boxes = [clip(cell, footprint, quantum.window) for cell in morton(cells(quantum.window, footprint))]
        quantum.jobs = len(boxes)
        for box in boxes:
            while len(self._jobs) >= self._most_jobs:
                self._settle()
            self._feed_box(quantum, box)

    def _feed_box(self, quantum: _Quantum, box: Window) -> None:
        base = self.block.base
        shape = self.given.volume.levels[base].chunk_shape
        chunks = list(morton(cells(box, shape)))
        wanted = [base in self.block.levels and self._wanted((base, cell)) for cell in chunks]
        parent = self._parent_of(base, box)
        target = self._target(parent)
        job = _Job(base, chunks, None, prod(box.shape), parent, quantum=quantum)
        if any(wanted) or target is not None:
            job.result = self.workers.submit(self._work_box, quantum, box, chunks, wanted, target)
        self._jobs.append(job)

    def _give_chunk(self, chunk: PendingChunk) -> None:
        """A waiting chunk is complete: encode it, and pass it on."""
        level, cell = chunk.key
        window = clip(cell, chunk.shape, Window.whole(self.given.volume.levels[level].shape))
        parent = self._parent_of(level, window)
        target = self._target(parent)
        job = _Job(level, [cell], None, prod(window.shape), parent, own=chunk)
        if self._wanted(chunk.key):
            voxels = self._pending.use(chunk, clear=True)
            job.result = self.workers.submit(self._work_chunk, level, voxels, window, target)
        elif target is not None:
            job.result = self.workers.submit(self._work_stored, level, window, target)
        self._jobs.append(job)

    def _footprint(self, level: int) -> Shape5:
        """What of `level` goes into one chunk of the next; one chunk where there is no next level in the block."""
        if level not in self._factors:
            return self.given.volume.levels[level].chunk_shape
        above = self.given.volume.levels[level + 1].chunk_shape
        t, c, z, y, x = (n * f for n, f in zip(above, (1, 1, *self._factors[level]), strict=True))
        return t, c, z, y, x

    def _parent_of(self, level: int, box: Window) -> PendingChunk | None:
        if level not in self._factors:
            return None
        volume, footprint = self.given.volume, self._footprint(level)
        t, c, z, y, x = (a // n for a, n in zip(box.start, footprint, strict=True))
        whole = clip((t, c, z, y, x), footprint, Window.whole(volume.levels[level].shape))
        shape = volume.levels[level + 1].chunk_shape
        return self._pending.find((level + 1, (t, c, z, y, x)), shape, prod(whole.shape))

    def _target(self, parent: PendingChunk | None) -> Voxels | None:
        """Where to halve into; None when the parent's shard is finished."""
        if parent is None or not self._wanted(parent.key):
            return None
        level, cell = parent.key
        end = self.given.volume.levels[level].shape
        clipped = any((i + 1) * n > m for i, n, m in zip(cell, parent.shape, end, strict=True))
        return self._pending.use(parent, clear=clipped)

    def _wanted(self, key: ChunkKey) -> bool:
        return self._shard_of(key).writer is not None

    def _shard_of(self, key: ChunkKey) -> _OpenShard:
        level, (t, c, z, y, x) = key
        dt, dc, dz, dy, dx = self._per_shard[level]
        place = (level, (t // dt, c // dc, z // dz, y // dy, x // dx))
        if place not in self._shards:
            self._shards[place] = self._opened(*place)
        return self._shards[place]

    def _opened(self, level: int, cell: Shape5) -> _OpenShard:
        shape = self.given.volume.levels[level]
        whole = clip(cell, shape.shard_shape, Window.whole(shape.shape))
        shard = _OpenShard(shard_path(level, cell), prod(len(axis) for axis in cells(whole, shape.chunk_shape)))
        if self._is_open(level, cell):
            shard.writer = self.sink.start(shard.path, self._per_shard[level])
        return shard

    # the work itself, in many threads

    def _work_box(
        self, quantum: _Quantum, box: Window, chunks: list[Shape5], wanted: list[bool], target: Voxels | None
    ) -> list[Encoded | None]:
        voxels, base = quantum.voxels, self.block.base
        assert voxels is not None
        shape = self.given.volume.levels[base].chunk_shape
        encoded: list[Encoded | None] = []
        for cell, is_wanted in zip(chunks, wanted, strict=True):
            window = clip(cell, shape, box)
            inside = voxels[_slices_within(window, quantum.window)]
            chunk, planes = self._whole_chunk(base, inside, split=is_wanted)
            # chunk by chunk, while it is in this core's cache
            if target is not None:
                self._halve(base, chunk, window, target)
            encoded.append(self._encode(base, chunk, planes) if is_wanted else None)
        return encoded

    def _work_chunk(self, level: int, voxels: Voxels, window: Window, target: Voxels | None) -> list[Encoded | None]:
        if target is not None:
            self._halve(level, voxels, window, target)
        return [self._encode(level, voxels, self._split(level, voxels, voxels))]

    def _work_stored(self, level: int, window: Window, target: Voxels) -> list[Encoded | None]:
        self._halve(level, self.given.stored(level, window), window, target)
        return [None]

    def _whole_chunk(self, level: int, inside: Voxels, *, split: bool) -> tuple[Voxels, Voxels | None]:
        """`inside` at the beginning of a chunk, in memory of this thread, zeros beyond; and its bit planes, if any."""
        shape = self.given.volume.levels[level].chunk_shape
        buffer = self._buffers.chunk
        if buffer is None:
            buffer = self._buffers.chunk = np.empty(shape, self._dtype)
        if inside.shape != shape:
            buffer.fill(0)
            buffer[tuple(slice(n) for n in inside.shape)] = inside
            inside = buffer
        planes = self._split(level, inside, buffer) if split else None
        if planes is None and inside is not buffer:
            np.copyto(buffer, inside)
        return buffer, planes

    def _split(self, level: int, source: Voxels, chunk: Voxels) -> Voxels | None:
        """Copy `source` to `chunk`, which may be the same; its bit planes in memory of this thread. None, and nothing
        copied, where the codec takes none."""
        if not self._codecs[level].takes_planes:
            return None
        from pulvinar.storage.bit_planes import copy_and_split, room_for_planes

        planes = self._buffers.planes.get(chunk.size)
        if planes is None:
            planes = self._buffers.planes[chunk.size] = room_for_planes(chunk.size)
        copy_and_split(source[0, 0], chunk[0, 0], planes)
        return planes

    def _encode(self, level: int, chunk: Voxels, planes: Voxels | None) -> Encoded | None:
        if not _any_bit(chunk):
            return None
        try:
            room = self._rooms.pop()
        except IndexError:
            room = np.empty(self._room_bytes, np.uint8)
        return Encoded(room, self._codecs[level].encode_into(chunk, room, planes))

    def _halve(self, level: int, voxels: Voxels, window: Window, target: Voxels) -> None:
        """Halve `window` of `level`, which lies at the beginning of `voxels`, into `target`."""
        fz, fy, fx = factors = self._factors[level]
        times, channels, depth, height, width = self.given.volume.levels[level + 1].chunk_shape
        t, c, z, y, x = window.start
        place = (t % times, c % channels, z // fz % depth, y // fy % height, x // fx % width)
        downsample_into(voxels, _ORIGIN, window.shape, target, place, factors, self.given.volume.kind)

    # taking results, in the order in which work was given out

    def _settle(self) -> None:
        job = self._jobs.popleft()
        encoded: list[Encoded | None] = [None] * len(job.chunks)
        if job.result is not None:
            encoded = job.result.result()
        if job.level in self.block.levels:
            self._append(job, encoded)
        if job.own is not None:
            self._pending.drop(job.own)
        if job.quantum is not None:
            self._let_go(job.quantum)
        if job.parent is not None:
            if self._wanted(job.parent.key):
                self._pending.leave(job.parent)
            job.parent.missing -= job.delivers
            if not job.parent.missing:
                self._give_chunk(job.parent)

    def _append(self, job: _Job, encoded: list[Encoded | None]) -> None:
        dt, dc, dz, dy, dx = self._per_shard[job.level]
        by_shard: dict[str, tuple[_OpenShard, list[tuple[Shape5, memoryview]]]] = {}
        for cell, data in zip(job.chunks, encoded, strict=True):
            shard = self._shard_of((job.level, cell))
            shard.missing -= 1
            parts = by_shard.setdefault(shard.path, (shard, []))[1]
            if data is not None:
                t, c, z, y, x = cell
                parts.append(((t % dt, c % dc, z % dz, y % dy, x % dx), data.room.data[: data.size]))
        for shard, parts in by_shard.values():
            if shard.writer is not None and parts:
                shard.writer.append(parts)
            if not shard.missing and shard.writer is not None:
                self.sink.finish(shard.path, shard.writer)
        self._rooms.extend(data.room for data in encoded if data is not None)

    def _let_go(self, quantum: _Quantum) -> None:
        quantum.jobs -= 1
        if not quantum.jobs:
            quantum.voxels = None
            quantum.release()
            self._held.remove(quantum)
            self.given.passed(prod(quantum.window.shape))

    def _abandon(self) -> None:
        """After a failure: wait for what still runs, give back what was read, remove what isn't whole."""
        for job in self._jobs:
            if job.result is not None:
                job.result.cancel() or job.result.exception()
        for quantum in self._held:
            quantum.release()
        for shard in self._shards.values():
            if shard.missing and shard.writer is not None:
                shard.writer.discard()
        self._jobs.clear()


def _halved(window: Window, factors: Factors) -> Window:
    """The part of the next level that `window` goes into."""
    all_factors = (1, 1, *factors)
    start = tuple(a // f for a, f in zip(window.start, all_factors, strict=True))
    stop = tuple(-(-b // f) for b, f in zip(window.stop, all_factors, strict=True))
    return Window(start, stop)  # type: ignore[arg-type]


def _slices_within(window: Window, around: Window) -> tuple[slice, slice, slice, slice, slice]:
    """For cutting `window` out of the voxels of `around`."""
    t, c, z, y, x = map(sub, window.start, around.start)
    dt, dc, dz, dy, dx = window.shape
    return slice(t, t + dt), slice(c, c + dc), slice(z, z + dz), slice(y, y + dy), slice(x, x + dx)


def _any_bit(chunk: Voxels) -> bool:
    # one look is enough wherever there is noise
    if chunk[0, 0, 0, 0, 0] != 0:
        return True
    flat = bits(chunk.reshape(-1))
    return bool((flat.view(np.uint64) if chunk.nbytes % 8 == 0 else flat).any())
