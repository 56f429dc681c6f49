"""Reading whatever is handed in, wholly, and telling a clear refusal from a fault of the reader."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import prod
from pathlib import Path

import numpy as np

from pulvinar.errors import PulvinarError
from pulvinar.ingest.reader import FoundAsset, Options, SourceFile
from pulvinar.ingest.sandbox import Limits, ReaderHost
from pulvinar.ingest.submission import open_submission
from pulvinar.model.space import Window

LIMITS = Limits(memory_bytes=1 << 30, cpu_s=60, answer_s=20, budget_bytes=1 << 30)
OPTIONS = Options(voxel_size_um=(1.0, 1.0, 1.0))
_MOST_BYTES = 64 << 20
_TROUBLES = {
    "crash": "the reader crashed on it|ended with code|hung up and went on|does not start",
    "hang": "gave no answer|seconds of processor time",
    "memory": "takes more memory than a reader may have|reader process was killed|makes .* bytes of data",
    "unforeseen": "it can't be read: ",
    "nonsense": "described something that can't be|sent data that can't be|that is no answer",
}


def trouble(error: BaseException) -> str:
    """What kind of fault an error shows; nothing for a refusal that a reader has made on purpose."""
    if not isinstance(error, PulvinarError):
        return "unforeseen"
    return next((kind for kind, words in _TROUBLES.items() if re.search(words, error.message)), "")


def read_all(host: ReaderHost, files: Sequence[SourceFile]) -> int:
    """How many assets are in the files, each read, of a volume too large the first part. Raises what a reader does."""
    found, unreadable = host.survey(files)
    for asset in found:
        _read(host, asset)
    # one that can't be read is a fault only where its error is one
    for item in unreadable:
        raise item.error
    return len(found)


def _read(host: ReaderHost, asset: FoundAsset) -> None:
    if asset.volume is None:
        host.read_geometry(asset)
        return
    with host.open_volume(asset) as source:
        shape = source.shape
        size = prod(shape) * np.dtype(source.dtype).itemsize
        stop = shape if size <= _MOST_BYTES else tuple(min(side, 16) for side in shape)
        source.release(source.read(Window((0, 0, 0, 0, 0), stop)))


def read_submission(path: Path, scratch: Path) -> int:
    """How many assets are in a file, folder or archive, each read. Raises what a reader does."""
    with open_submission(path, scratch, LIMITS) as submission:
        reading = scratch / "reading"
        reading.mkdir()
        with ReaderHost(
            submission.root, scratch=reading, limits=LIMITS, options=OPTIONS, readable=submission.readable
        ) as host:
            return read_all(host, submission.files)
