"""Our side of the ingest figures, each a process of its own.

`python -m benchmarks._one_ingest pyramid STACK OUT` turns a TIFF stack into a stored volume;
`python -m benchmarks._one_ingest codec STACK OUT` then encodes the same chunks of all levels with all cores, and does
nothing else: once by the codec as zarr-python and the peers call it ("stock"), once as we call it ("own": the same
format in larger blocks and by a newer build, which is faster). It prints the seconds of each.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from math import prod
from os import sched_getaffinity
from pathlib import Path
from typing import Any

import numcodecs
import numcodecs.blosc
import numpy as np
import numpy.typing as npt
import tifffile

from pulvinar.model.dataset import StoredObject
from pulvinar.model.space import Window
from pulvinar.model.volume import Channel, Shape5, Volume, VolumeKind
from pulvinar.storage.codecs import ChunkCodec
from pulvinar.storage.pyramid_plan import plan_levels, plan_pyramid, tiles
from pulvinar.storage.sources import Voxels
from pulvinar.storage.store import open_store
from pulvinar.storage.volumes import StoredVolume

PREFIX = "assets/stack"


class StackSource:
    """The pages of an uncompressed TIFF, read by window; nothing is decoded, so any window costs what it holds."""

    def __init__(self, path: Path) -> None:
        pages = tifffile.memmap(path, mode="r")
        self.shape: Shape5 = (1, 1, *pages.shape)
        self.dtype: np.dtype[Any] = pages.dtype
        self.block_shape: Shape5 = (1, 1, 1, 1, 1)
        self._path = path
        self._spare: list[npt.NDArray[np.uint8]] = []

    def read(self, window: Window) -> Voxels:
        """A copy. The file is mapped anew each time, so that pages read before don't count as this process's."""
        pages = tifffile.memmap(self._path, mode="r")[np.newaxis, np.newaxis]
        size = prod(window.shape) * self.dtype.itemsize
        room = self._spare.pop() if self._spare and self._spare[-1].nbytes >= size else np.empty(size, np.uint8)
        voxels = room[:size].view(self.dtype).reshape(window.shape)
        np.copyto(voxels, pages[window.slices])
        return voxels

    def release(self, voxels: Voxels) -> None:
        """Its memory is used for another window."""
        room = voxels
        while isinstance(room.base, np.ndarray):
            room = room.base
        self._spare.append(room)


class Forgetful:
    """A ledger for a run that is never resumed."""

    def finished(self) -> Mapping[str, StoredObject]:
        """Nothing."""
        return {}

    def record(self, objects: Sequence[StoredObject]) -> None:
        """Forget them."""


def volume_of(source: StackSource) -> Volume:
    """What the stack becomes."""
    levels = plan_levels(source.shape, (1.0, 1.0, 1.0), source.dtype, VolumeKind.IMAGE)
    return Volume(VolumeKind.IMAGE, source.dtype.name, levels, (Channel("signal"),))


def pyramid(stack: Path, out: Path) -> None:
    """The whole path: read, all levels, checksums, durable shards, documents."""
    from pulvinar.storage.pyramid import write_pyramid

    source = StackSource(stack)
    scratch = out / "scratch"
    scratch.mkdir(parents=True)
    plan = plan_pyramid(volume_of(source), source.block_shape)
    store = open_store(f"file://{out.absolute() / 'store'}")
    write_pyramid(source, plan, store, PREFIX, ledger=Forgetful(), scratch=scratch)


def codec(stack: Path, out: Path) -> None:
    """Encode every chunk of every level, timing nothing but that."""
    volume = volume_of(StackSource(stack))
    stored = StoredVolume(open_store(f"file://{out.absolute() / 'store'}"), PREFIX, volume)
    stock = numcodecs.Blosc(cname="zstd", clevel=1, shuffle=numcodecs.Blosc.BITSHUFFLE)
    numcodecs.blosc.use_threads = False
    taken = {"stock": [0.0, 0.0], "own": [0.0, 0.0]}
    with ThreadPoolExecutor(len(sched_getaffinity(0))) as workers:
        for number, level in enumerate(volume.levels):
            own = ChunkCodec.for_volume(volume.kind, volume.dtype, level.chunk_shape)
            for window in tiles(Window.whole(level.shape), level.shard_shape):
                voxels = stored.read(number, window)
                cuts = tiles(Window.whole(voxels.shape), level.chunk_shape)
                chunks = [np.ascontiguousarray(voxels[cut.slices]) for cut in cuts]
                for name, encode in (("stock", stock.encode), ("own", own.encode)):
                    start, before = time.perf_counter(), _cpu_s()
                    deque(workers.map(encode, chunks), maxlen=0)
                    taken[name][0] += time.perf_counter() - start
                    taken[name][1] += _cpu_s() - before
    print(json.dumps(taken))


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    {"pyramid": pyramid, "codec": codec}[sys.argv[1]](Path(sys.argv[2]), Path(sys.argv[3]))
