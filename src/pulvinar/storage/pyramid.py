"""Making every level of a volume in one pass over its source.

A block is read piece by piece. The chunks of a piece are encoded and appended to their shard, and halved into chunks of
the next level, which wait until their last voxel has come; then they go the same way. The order of everything follows
from the plan alone, so the same voxels give the same bytes, however many threads work and however often it was stopped.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections import deque
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from importlib import import_module
from math import prod
from pathlib import Path
from typing import Protocol

import numpy as np

from pulvinar.errors import Invalid
from pulvinar.model.dataset import StoredObject
from pulvinar.model.space import Window
from pulvinar.model.volume import Shape5, Volume
from pulvinar.storage.block_writer import BlockInput, BlockWriter
from pulvinar.storage.pyramid_plan import Block, PyramidPlan, cells, clip, morton, plan_levels, plan_pyramid
from pulvinar.storage.shards import ShardWriter, shard_path
from pulvinar.storage.slabs import SlabSource
from pulvinar.storage.sources import Voxels, VoxelSource
from pulvinar.storage.space import room_in
from pulvinar.storage.store import Store
from pulvinar.storage.volumes import LevelSource, StoredVolume
from pulvinar.storage.zarr_metadata import volume_documents

__all__ = [
    "Block",
    "NoLedger",
    "PyramidPlan",
    "ShardLedger",
    "finished_voxels",
    "load_kernels",
    "plan_levels",
    "plan_pyramid",
    "write_block",
    "write_pyramid",
]

# what is read back is read once: only the indexes of its shards are worth keeping
_CACHE_BYTES = 4 * 2**20
# shards that are being made durable while work goes on
_FINISHING = 4


class ShardLedger(Protocol):
    """What is finished, kept over kills and restarts. Called from the thread that writes the pyramid."""

    def finished(self) -> Mapping[str, StoredObject]:
        """Every object that was recorded, by path relative to the asset."""

    def record(self, objects: Sequence[StoredObject]) -> None:
        """Objects that are whole and durable in the store; so is this note when it returns."""


def write_pyramid(
    source: VoxelSource,
    plan: PyramidPlan,
    store: Store,
    prefix: str,
    *,
    ledger: ShardLedger,
    scratch: Path,
    threads: int = 0,
    observe: Callable[[Window, Voxels], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[StoredObject, ...]:
    """Write all levels of `plan.volume` below `prefix`, and return every object of it, sorted by path.

    What the ledger names is not made again: where coarser levels need it, it is read back. `observe` sees each window
    of level 0 that is read, once a run, before any shard that holds it is recorded; windows are the same in every run.
    `progress` is told (voxels done, voxels in all). Both are called from this thread. `threads` 0: one a core.

    Raises `Invalid` when the source isn't of the plan's shape and type, `Unavailable` when a disk is full, and what
    source, store and ledger raise; then no object is left that isn't whole and recorded.
    """
    _check(source, plan.volume)
    with room_in(scratch), ExitStack() as stack:
        run = _Run(plan.volume, store, prefix, ledger, scratch, progress)
        stack.callback(run.close)
        writing = _Writing(run, threads, stack)
        stage = 0
        for block in plan.blocks:
            if block.stage > stage:
                # it reads what the stage before has stored
                run.settle(leave=0)
                stage = block.stage
            writing.write(block, source if block.stage == 0 else None, observe)
        run.put_documents()
        run.settle(leave=0)
    return tuple(sorted(run.objects.values(), key=lambda item: item.path))


def write_block(
    source: VoxelSource | None,
    block: Block,
    volume: Volume,
    store: Store,
    prefix: str,
    *,
    scratch: Path,
    threads: int = 1,
    observe: Callable[[Window, Voxels], None] | None = None,
) -> tuple[StoredObject, ...]:
    """Write one block of a plan of `volume` and return every shard of it that isn't empty, sorted by path: for many
    workers, of which each makes some blocks.

    `source` is that of level 0; None for a block of a later stage, all of whose stage before is stored. No document of
    the volume is written: `volume_documents` has them. Raises as `write_pyramid`.
    """
    if source is not None:
        _check(source, volume)
    with room_in(scratch), ExitStack() as stack:
        run = _Run(volume, store, prefix, NoLedger(), scratch, None)
        stack.callback(run.close)
        _Writing(run, threads, stack).write(block, source, observe)
        run.settle(leave=0)
    return tuple(sorted(run.objects.values(), key=lambda item: item.path))


class NoLedger:
    """Satisfies `ShardLedger` for what is made anew when its making was stopped."""

    def finished(self) -> Mapping[str, StoredObject]:
        """Nothing."""
        return {}

    def record(self, objects: Sequence[StoredObject]) -> None:
        """Nothing is kept."""


def load_kernels() -> None:
    """Import the compiled loops now and not with the first chunk: for who has to wait for something else."""
    with _unimportable("scipy.linalg"):
        # numba looks here whether it could solve equations, which no loop of ours does: a fifth of a second
        import_module("numba.np.arraymath")
    import_module("pulvinar.storage.halving_kernels")
    import_module("pulvinar.storage.plane_codec")


@contextmanager
def _unimportable(name: str) -> Iterator[None]:
    """Let an import of module `name` fail meanwhile, unless it is there already."""
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[name]


def finished_voxels(volume: Volume, paths: Container[str]) -> int:
    """How many voxels of level 0 lie in shards that are among the finished `paths`."""
    level = volume.levels[0]
    whole = Window.whole(level.shape)
    shards = morton(cells(whole, level.shard_shape))
    return sum(prod(clip(one, level.shard_shape, whole).shape) for one in shards if shard_path(0, one) in paths)


class _Run:
    """One call of `write_pyramid`: the shards on their way into the store, and what is recorded."""

    def __init__(
        self,
        volume: Volume,
        store: Store,
        prefix: str,
        ledger: ShardLedger,
        scratch: Path,
        progress: Callable[[int, int], None] | None,
    ) -> None:
        self.volume, self.store, self.prefix, self.scratch = volume, store, prefix, scratch
        self._ledger, self._progress = ledger, progress
        self._documents = volume_documents(volume)
        self._finishers = ThreadPoolExecutor(_FINISHING, "finish")
        self._finishing: deque[Future[StoredObject]] = deque()
        self._done = 0
        root = next(iter(self._documents)).partition("/")[0] + "/"
        self.finished = {path: item for path, item in ledger.finished().items() if path.startswith(root)}
        self.objects = dict(self.finished)

    def start(self, path: str, grid: Shape5) -> ShardWriter:
        key = f"{self.prefix}/{path}"
        local = self.store.scratch_for(key, self.scratch)
        local.unlink(missing_ok=True)
        # a file that isn't moved but sent is read once more
        return ShardWriter(local, grid, cached=self.store.local_path(key) is None)

    def finish(self, path: str, writer: ShardWriter) -> None:
        if writer.empty:
            return
        self.settle(leave=2 * _FINISHING)
        self._finishing.append(self._finishers.submit(self._store_shard, path, writer))

    def _store_shard(self, path: str, writer: ShardWriter) -> StoredObject:
        try:
            item = writer.finish(path)
            self.store.put_file(f"{self.prefix}/{path}", writer.path)
        except BaseException:
            writer.discard()
            raise
        return item

    def settle(self, *, leave: int) -> None:
        """Record what has become durable; wait until at most `leave` shards are under way."""
        items = []
        while self._finishing and (len(self._finishing) > leave or self._finishing[0].done()):
            items.append(self._finishing.popleft().result())
        self._record(items)

    def put_documents(self) -> None:
        items = []
        for path, data in self._documents.items():
            item = StoredObject(path, len(data), hashlib.sha256(data).hexdigest())
            if self.finished.get(path) != item:
                self.store.put_bytes(f"{self.prefix}/{path}", data)
                items.append(item)
        self.settle(leave=0)
        self._record(items)

    def passed(self, voxels: int) -> None:
        self._done += voxels
        self.settle(leave=2 * _FINISHING)
        if self._progress:
            self._progress(self._done, self.volume.levels[0].voxels)

    def close(self) -> None:
        """Record what became whole in spite of a failure elsewhere."""
        self._finishers.shutdown()
        self._record([future.result() for future in self._finishing if future.exception() is None])

    def _record(self, items: Sequence[StoredObject]) -> None:
        if items:
            self._ledger.record(items)
            self.objects.update((item.path, item) for item in items)


class _Writing:
    """The threads that blocks of a run are written by, ended with `stack`."""

    def __init__(self, run: _Run, threads: int, stack: ExitStack) -> None:
        self._run = run
        self._workers = stack.enter_context(ThreadPoolExecutor(threads or len(os.sched_getaffinity(0)), "encode"))
        self._reader = stack.enter_context(ThreadPoolExecutor(1, "read"))
        self._stored = StoredVolume(run.store, run.prefix, run.volume, cache_bytes=_CACHE_BYTES)

    def write(self, block: Block, source: VoxelSource | None, observe: Callable[[Window, Voxels], None] | None) -> None:
        """Write `block` from `source`, or from the level that it says where there is none."""
        run = self._run
        with ExitStack() as within:
            voxels: VoxelSource = source if source is not None else LevelSource(self._stored, block.base)
            if block.slabbed:
                voxels = within.enter_context(SlabSource(voxels, block.window, block.slab_shape, run.scratch))
            passed = run.passed if source is not None else _ignore
            watch = observe if source is not None else None
            given = BlockInput(run.volume, voxels, self._stored.read, run.finished, watch, passed)
            BlockWriter(block, given, run, self._workers, self._reader, run.scratch).run()


def _check(source: VoxelSource, volume: Volume) -> None:
    if tuple(source.shape) != volume.shape or source.dtype != np.dtype(volume.dtype):
        raise Invalid(
            f"the source has shape {tuple(source.shape)} and type {source.dtype}, "
            f"the volume {volume.shape} and {volume.dtype}"
        )


def _ignore(voxels: int) -> None:
    pass
