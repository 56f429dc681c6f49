"""Where the voxels of each label are: made once by block, so that a question about a region costs that region."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from pulvinar.model.space import Window
from pulvinar.storage.volumes import ReadableVolume

LABEL_INDEX = "label_index.parquet"
"""The object of an annotation's asset that holds the index."""


@dataclass(frozen=True, eq=False)
class LabelIndex:
    """One row a label and chunk of level 0, sorted by label, then chunk; label 0 has none.

    `label` int64 (n,); `chunk` int32 (n, 3), the chunk's number in (z, y, x); `count` int64 (n,), voxels; `start` and
    `stop` int32 (n, 3), the box of the label's voxels in that chunk, in voxels of level 0, stop not included; `center`
    float64 (n, 3), the mean of the voxels' indices.
    """

    label: npt.NDArray[np.int64]
    chunk: npt.NDArray[np.int32]
    count: npt.NDArray[np.int64]
    start: npt.NDArray[np.int32]
    stop: npt.NDArray[np.int32]
    center: npt.NDArray[np.float64]

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """Every label that has voxels, rising."""
        return np.unique(self.label)

    def rows(self, labels: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The rows of `labels` (m,), rising."""
        labels = np.sort(labels)
        first = np.searchsorted(self.label, labels, "left")
        last = np.searchsorted(self.label, labels, "right")
        parts = [np.arange(a, b) for a, b in zip(first, last, strict=True) if b > a]
        return np.concatenate(parts) if parts else np.zeros(0, np.int64)


def index_labels(volume: ReadableVolume) -> LabelIndex:
    """Read level 0 of a label volume chunk by chunk, and note what is where. Memory: one chunk."""
    found = [row for window in _chunks(volume) for row in _rows(volume, window)]
    found.sort(key=lambda row: (row[0], row[1]))
    label, chunk, count, start, stop, center = zip(*found, strict=True) if found else ((),) * 6
    return LabelIndex(
        np.array(label, np.int64),
        np.array(chunk, np.int32).reshape(-1, 3),
        np.array(count, np.int64),
        np.array(start, np.int32).reshape(-1, 3),
        np.array(stop, np.int32).reshape(-1, 3),
        np.array(center, np.float64).reshape(-1, 3),
    )


_Row = tuple[int, tuple[int, ...], int, tuple[int, ...], tuple[int, ...], tuple[float, ...]]


def _chunks(volume: ReadableVolume) -> Iterator[Window]:
    level = volume.volume.levels[0]
    size, shape = level.chunk_shape[2:], level.shape[2:]
    for corner in np.ndindex(*(-(-n // step) for n, step in zip(shape, size, strict=True))):
        z, y, x = (int(at * step) for at, step in zip(corner, size, strict=True))
        far_z, far_y, far_x = (min(at + step, n) for at, step, n in zip((z, y, x), size, shape, strict=True))
        yield Window((0, 0, z, y, x), (1, 1, far_z, far_y, far_x))


def _rows(volume: ReadableVolume, window: Window) -> Iterator[_Row]:
    voxels = volume.read(0, window)[0, 0]
    if not voxels.any():
        return
    corner = np.array(window.start[2:])
    chunk = tuple(int(a) for a in corner // np.array(volume.volume.levels[0].chunk_shape[2:]))
    at = np.nonzero(voxels)
    labels, inverse = np.unique(voxels[at], return_inverse=True)
    count = np.bincount(inverse, minlength=len(labels))
    places = np.stack(at, axis=1)
    low = np.full((len(labels), 3), np.iinfo(np.int64).max)
    high = np.full((len(labels), 3), -1)
    np.minimum.at(low, inverse, places)
    np.maximum.at(high, inverse, places)
    total = np.stack([np.bincount(inverse, weights=axis, minlength=len(labels)) for axis in at], axis=1)
    low, high, center = low + corner, high + corner + 1, total / count[:, None] + corner
    for i, label in enumerate(labels):
        yield int(label), chunk, int(count[i]), tuple(low[i]), tuple(high[i]), tuple(center[i])


def index_to_bytes(index: LabelIndex) -> bytes:
    """`index` as a Parquet file."""
    columns: dict[str, npt.NDArray[np.generic]] = {"label": index.label, "count": index.count}
    for name in ("chunk", "start", "stop", "center"):
        columns |= {f"{name}_{axis}": getattr(index, name)[:, i] for i, axis in enumerate("zyx")}
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out, compression="zstd")
    return out.getvalue()


def index_from_bytes(data: bytes) -> LabelIndex:
    """The index that `index_to_bytes` wrote."""
    table = pq.read_table(io.BytesIO(data))
    column = {name: table[name].to_numpy() for name in table.column_names}
    chunk, start, stop, center = (
        np.stack([column[f"{name}_{axis}"] for axis in "zyx"], axis=1) for name in ("chunk", "start", "stop", "center")
    )
    return LabelIndex(column["label"], chunk, column["count"], start, stop, center)
