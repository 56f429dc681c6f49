"""What is kept of a search: the cells' places in an atlas, tables of counts, and the heat map as a volume."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as pv
import pyarrow.parquet as pq

from pulvinar.errors import Invalid
from pulvinar.model.dataset import StoredObject
from pulvinar.model.space import Points, Space
from pulvinar.model.volume import Channel, Volume, VolumeKind
from pulvinar.solutions.cells.candidates import Triple
from pulvinar.solutions.cells.cell_table import Cells
from pulvinar.storage.pyramid import ShardLedger, write_pyramid
from pulvinar.storage.pyramid_plan import plan_levels, plan_pyramid
from pulvinar.storage.sources import ArraySource
from pulvinar.storage.store import Store


def points_of(cells: Cells, voxel_size_um: Triple, space: Space, voxel_to_space_um: npt.NDArray[np.float64]) -> Points:
    """The middles of `cells` in `space`, to which `voxel_to_space_um` (4, 4) takes the voxels (z, y, x, 1) of the
    volume that they were found in."""
    voxels = cells.zyx_um / voxel_size_um
    return Points(space, voxels @ voxel_to_space_um[:3, :3].T + voxel_to_space_um[:3, 3])


def write_table(table: pa.Table, path: Path) -> None:
    """Write counts or a comparison as `.csv` or `.parquet`, complete or not at all. Raises `Invalid` for another
    end."""
    if path.suffix not in {".csv", ".parquet"}:
        raise Invalid(f"a table is not written as {path.name}", hint="let its name end with .csv or .parquet")
    unfinished = path.with_suffix(".unfinished")
    if path.suffix == ".csv":
        pv.write_csv(table, unfinished)
    else:
        pq.write_table(table, unfinished)
    unfinished.replace(path)


def write_heat_map(
    density: npt.NDArray[np.float32],
    voxel_size_um: Triple,
    store: Store,
    prefix: str,
    *,
    ledger: ShardLedger,
    scratch: Path,
) -> list[StoredObject]:
    """Write `density` (z, y, x), cells a cubic millimetre, as a multi-resolution volume below `prefix` of `store`; its
    objects. Raises as `write_pyramid` does."""
    levels = plan_levels((1, 1, *density.shape), voxel_size_um, density.dtype, VolumeKind.IMAGE)
    high = float(density.max()) if density.size else 0.0
    channel = Channel("cells a cubic millimetre", "FFB000", (0.0, high or 1.0))
    volume = Volume(VolumeKind.IMAGE, density.dtype.name, levels, (channel,))
    source = ArraySource(density[None, None])
    plan = plan_pyramid(volume, source.block_shape)
    return list(write_pyramid(source, plan, store, prefix, ledger=ledger, scratch=scratch))
