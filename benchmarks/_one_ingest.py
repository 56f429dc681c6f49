"""Our side of the ingest figures, each a process of its own.

`python -m benchmarks._one_ingest pyramid STACK OUT` turns a TIFF stack into a stored volume: the platform's own reader
in its locked-up process, all levels, checksums, durable shards, documents.
`python -m benchmarks._one_ingest whole STACK OUT` is `pulvinar ingest`, which also keeps figures of quality, pictures
and a catalogue, and takes the checksum of the stack itself.
`python -m benchmarks._one_ingest codec STACK OUT` encodes the same chunks of all levels with all cores, and does
nothing else: once by the codec as zarr-python and the peers call it ("stock"), once as we call it ("own": the same
format in larger blocks and by a newer build, which is faster). It prints the seconds of each.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from pulvinar.cli import settle_process

settle_process()

import numpy as np  # noqa: E402

from pulvinar.model.dataset import StoredObject  # noqa: E402
from pulvinar.model.space import Window  # noqa: E402
from pulvinar.model.volume import Channel, Shape5, Volume, VolumeKind  # noqa: E402
from pulvinar.storage.codecs import ChunkCodec  # noqa: E402
from pulvinar.storage.pyramid_plan import plan_levels, plan_pyramid, tiles  # noqa: E402
from pulvinar.storage.store import open_store  # noqa: E402
from pulvinar.storage.volumes import StoredVolume  # noqa: E402

PREFIX = "assets/stack"


class Forgetful:
    """A ledger for a run that is never resumed."""

    def finished(self) -> Mapping[str, StoredObject]:
        """Nothing."""
        return {}

    def record(self, objects: Sequence[StoredObject]) -> None:
        """Forget them."""


def volume_of(shape: Shape5, dtype: np.dtype[Any]) -> Volume:
    """What a stack becomes."""
    levels = plan_levels(shape, (1.0, 1.0, 1.0), dtype, VolumeKind.IMAGE)
    return Volume(VolumeKind.IMAGE, dtype.name, levels, (Channel("signal"),))


def pyramid(stack: Path, out: Path) -> None:
    """From the file to every level, durable and with checksums."""
    from pulvinar.ingest.sandbox import Limits, ReaderHost
    from pulvinar.ingest.submission import open_submission
    from pulvinar.storage.pyramid import load_kernels, write_pyramid

    scratch = out.absolute() / "scratch"
    scratch.mkdir(parents=True)
    store = open_store(f"file://{out.absolute() / 'store'}")
    with (
        open_submission(stack.absolute(), scratch, Limits()) as submission,
        ReaderHost(submission.root, scratch=scratch, limits=Limits(), readable=submission.readable) as host,
    ):
        load_kernels()
        (asset,) = host.find(submission.files)
        with host.open_volume(asset) as source:
            volume = volume_of(source.shape, source.dtype)
            plan = plan_pyramid(volume, source.block_shape)
            write_pyramid(source, plan, store, PREFIX, ledger=Forgetful(), scratch=scratch)


def whole(stack: Path, out: Path) -> None:
    """`pulvinar ingest`."""
    answers = ["--species", "mouse", "--title", "A stack", "--licence", "CC0-1.0", "--voxel-size", "1"]
    program = Path(sys.executable).with_name("pulvinar")
    os.execve(program, [program, "ingest", stack, *answers], os.environ | {"PULVINAR_HOME": str(out.absolute())})


class _OwnCodec(threading.local):
    """Our codec with memory of each thread's own, as the pyramid gives it."""

    def __init__(self, codec: ChunkCodec) -> None:
        self._codec = codec
        self._room = np.empty(codec.room_bytes, np.uint8)

    def encode(self, chunk: np.ndarray[Any, Any]) -> int:
        return self._codec.encode_into(chunk, self._room)


def codec(stack: Path, out: Path) -> None:
    """Encode every chunk of every level, timing nothing but that."""
    import numcodecs
    import numcodecs.blosc
    import tifffile

    pages = tifffile.memmap(stack, mode="r")
    volume = volume_of((1, 1, *pages.shape), pages.dtype)
    stored = StoredVolume(open_store(f"file://{out.absolute() / 'store'}"), PREFIX, volume)
    stock = numcodecs.Blosc(cname="zstd", clevel=1, shuffle=numcodecs.Blosc.BITSHUFFLE)
    numcodecs.blosc.use_threads = False
    taken = {"stock": [0.0, 0.0], "own": [0.0, 0.0]}
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as workers:
        for number, level in enumerate(volume.levels):
            own = _OwnCodec(ChunkCodec.for_volume(volume.kind, volume.dtype, level.chunk_shape))
            for window in tiles(Window.whole(level.shape), level.shard_shape):
                voxels = stored.read(number, window)
                cuts = tiles(Window.whole(voxels.shape), level.chunk_shape)
                chunks = [_whole_chunk(voxels[cut.slices], level.chunk_shape) for cut in cuts]
                for name, encode in (("stock", stock.encode), ("own", own.encode)):
                    start, before = time.perf_counter(), _cpu_s()
                    deque(workers.map(encode, chunks), maxlen=0)
                    taken[name][0] += time.perf_counter() - start
                    taken[name][1] += _cpu_s() - before
    print(json.dumps(taken))


def _whole_chunk(inside: np.ndarray[Any, Any], shape: Shape5) -> np.ndarray[Any, Any]:
    """`inside` in C order, with zeros beyond its end up to `shape`."""
    return np.pad(inside, [(0, n - m) for n, m in zip(shape, inside.shape, strict=True)])


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    {"pyramid": pyramid, "whole": whole, "codec": codec}[sys.argv[1]](Path(sys.argv[2]), Path(sys.argv[3]))
