"""Cells as a table: where each is, how large, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from pulvinar.errors import Invalid, UnreadableFile

_COLUMNS: dict[str, pa.DataType] = {
    "z_um": pa.float64(),
    "y_um": pa.float64(),
    "x_um": pa.float64(),
    "diameter_um": pa.float32(),
    "score": pa.float32(),
    "snr": pa.float32(),
    "channels": pa.uint8(),
}


@dataclass(frozen=True, eq=False)
class Cells:
    """Cells of one volume, in rising order of their place.

    `zyx_um` float64 (n, 3) are the middles, micrometres from the centre of the volume's first voxel; `diameter_um`
    float32 (n,) is that of a ball as large as what lies above half of the cell's height; `score` float32 (n,) is the
    classifier's, 0 to 1; `snr` float32 (n,) how far the cell stands out of what is around it, in standard deviations;
    `channels` uint8 (n,) has bit c set where the cell was seen in channel c.
    """

    zyx_um: npt.NDArray[np.float64]
    diameter_um: npt.NDArray[np.float32]
    score: npt.NDArray[np.float32]
    snr: npt.NDArray[np.float32]
    channels: npt.NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.zyx_um)

    def __getitem__(self, which: npt.NDArray[np.bool_] | npt.NDArray[np.intp]) -> Cells:
        return Cells(*(getattr(self, field.name)[which] for field in fields(self)))

    @classmethod
    def none(cls) -> Cells:
        """No cell."""
        empty = np.empty(0, np.float32)
        return cls(np.empty((0, 3)), empty, empty, empty, np.empty(0, np.uint8))

    def sure(self, least_score: float) -> Cells:
        """Those whose score is at least `least_score`."""
        return self[self.score >= least_score]


def joined(parts: Sequence[Cells]) -> Cells:
    """All cells of `parts` in rising order of place."""
    if not parts:
        return Cells.none()
    whole = Cells(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Cells)))
    return whole[np.lexsort((whole.channels, *whole.zyx_um.T[::-1]))]


def paired_channels(cells: Cells, within_um: float) -> Cells:
    """The same cells with two that were seen in different channels, each the other's nearest and at most `within_um`
    apart, made one: at the place of the higher score, with the channels of both."""
    from scipy.spatial import cKDTree

    kinds = np.unique(cells.channels)
    for kind in kinds[1:]:
        first, second = (np.flatnonzero(which) for which in (cells.channels < kind, cells.channels == kind))
        if not len(first) or not len(second):
            continue
        far, there = cKDTree(cells.zyx_um[first]).query(cells.zyx_um[second], distance_upper_bound=within_um)
        back = cKDTree(cells.zyx_um[second]).query(cells.zyx_um[first])[1]
        near = np.flatnonzero(np.isfinite(far))
        both = near[back[there[near]] == near]
        a, b = first[there[both]], second[both]
        kept, gone = np.where(cells.score[a] >= cells.score[b], (a, b), (b, a))
        channels = cells.channels.copy()
        channels[kept] |= channels[gone]
        cells = replace(cells, channels=channels)[np.setdiff1d(np.arange(len(cells)), gone)]
    return joined([cells])


def cells_to_table(cells: Cells) -> pa.Table:
    """Columns z_um, y_um, x_um, diameter_um, score, snr and channels, one row a cell."""
    arrays = [*cells.zyx_um.T, cells.diameter_um, cells.score, cells.snr, cells.channels]
    return pa.table([pa.array(a, kind) for a, kind in zip(arrays, _COLUMNS.values(), strict=True)], list(_COLUMNS))


def cells_from_table(table: pa.Table) -> Cells:
    """The cells that `cells_to_table` wrote. Raises `Invalid` for a table that lacks one of its columns."""
    lacking = [name for name in _COLUMNS if name not in table.column_names]
    if lacking:
        raise Invalid(f"the table of cells has no column {lacking[0]!r}", hint=f"expected: {', '.join(_COLUMNS)}")
    z, y, x, *rest = (table.column(name).cast(kind).to_numpy() for name, kind in _COLUMNS.items())
    return Cells(np.stack([z, y, x], axis=1), *rest)


def write_cells(cells: Cells, path: Path) -> None:
    """Write a Parquet table to `path`, complete or not at all."""
    unfinished = path.with_suffix(".unfinished")
    pq.write_table(cells_to_table(cells), unfinished, compression="zstd")
    unfinished.replace(path)


def read_cells(path: Path) -> Cells:
    """The cells that `write_cells` wrote. Raises `UnreadableFile` for what is no Parquet file, else as
    `cells_from_table`."""
    try:
        table = pq.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise UnreadableFile(f"{path} is no table of cells: {error}", hint="write_cells makes one") from error
    return cells_from_table(table)
