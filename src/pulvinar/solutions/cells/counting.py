"""The solution `cell_counts`: cells of a brain that was aligned, counted by region, and seen in the atlas."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from pulvinar.atlases.transform_json import transform_from_json
from pulvinar.atlases.transforms import apply, invert
from pulvinar.compute.engine import BlockResult, MadeObject
from pulvinar.errors import Invalid
from pulvinar.ingest.canonical import parquet
from pulvinar.model.anchor import measured_space
from pulvinar.model.atlas import Atlas, PartKind
from pulvinar.model.dataset import AssetKind
from pulvinar.model.plan import Block, Need, Plan, Step, StepKind
from pulvinar.model.solution import Input, Output, Parameter, ParameterKind, SolutionDescription, Words
from pulvinar.model.space import Points
from pulvinar.model.transform import FieldGrid, Transform, space_to_world
from pulvinar.model.volume import Channel
from pulvinar.solutions.cells.cell_table import Cells, cells_from_table, cells_to_table
from pulvinar.solutions.cells.heat import heat_map
from pulvinar.solutions.cells.points import put_cells
from pulvinar.solutions.cells.regions import count_cells
from pulvinar.solutions.grids import box_grid, planned_volume
from pulvinar.solutions.solution import Asked, Desk
from pulvinar.solutions.volume_output import store_volume
from pulvinar.storage.sources import ArraySource

_FIXED_BYTES = 800_000_000
_HEAT_VOXELS = 4_000_000
_BYTES_A_HEAT_VOXEL = 40
_BYTES_A_CELL = 600
_CELLS_A_SECOND = 2e5

DESCRIPTION = SolutionDescription(
    name="cell_counts",
    version="1",
    title=Words("Count cells by region", "按脑区计数细胞"),
    summary=Words(
        "Cells that were found in a brain, brought into an atlas by the transform of an alignment: how many and how "
        "densely in each region and side, the cells in the atlas, and a heat map.",
        "用配准得到的变换把脑中找到的细胞带入图谱：各脑区、左右侧的数量与密度，图谱中的细胞，以及热图。",
    ),
    inputs=(
        Input(
            "cells",
            Words("Cells", "细胞"),
            (AssetKind.POINTS,),
            help=Words("What Find cells has found in a brain.", "“查找细胞”在脑中找到的细胞。"),
        ),
        Input(
            "transform",
            Words("Transform", "变换"),
            (AssetKind.TRANSFORM,),
            help=Words("What Align to atlas has made of the same brain.", "对同一脑“配准到图谱”所得的变换。"),
        ),
        Input(
            "template",
            Words("Atlas", "图谱"),
            (AssetKind.VOLUME,),
            help=Words("The atlas that it was aligned to; it must have regions.", "所配准的图谱；须含有分区。"),
            of_atlas=True,
        ),
    ),
    outputs=(
        Output("counts", Words("Cells by region", "各脑区细胞"), AssetKind.TABLE),
        Output("placed", Words("Cells in the atlas", "图谱中的细胞"), AssetKind.POINTS),
        Output("heat", Words("Heat map", "热图"), AssetKind.VOLUME),
    ),
    parameters=(
        Parameter(
            "least_score",
            ParameterKind.NUMBER,
            Words("Least score", "最低得分"),
            0.5,
            minimum=0,
            maximum=1,
            help=Words("Cells below it are left out.", "低于此值的细胞不计入。"),
        ),
        Parameter(
            "radius_um",
            ParameterKind.NUMBER,
            Words("Spread of a cell in the heat map", "热图中每个细胞的扩散半径"),
            0.0,
            minimum=0,
            maximum=10_000,
            unit="um",
            help=Words("0: three voxels of the heat map.", "0 表示热图的三个体素。"),
        ),
    ),
)


class CellCounts:
    """The solution `cell_counts`."""

    description = DESCRIPTION

    def plan(self, asked: Asked) -> Plan:
        """One block. Raises `Invalid` for a transform that doesn't lead from the cells to the atlas, and for an atlas
        without regions or of which nobody knows the middle."""
        task = _Task(asked)
        cells = int(asked.inputs["cells"].details["count"])
        memory = _FIXED_BYTES + _BYTES_A_CELL * cells + _BYTES_A_HEAT_VOXEL * prod(task.heat_grid.shape)
        need = Need(memory, cpu_s=20 + cells / _CELLS_A_SECOND, fixed_bytes=_FIXED_BYTES)
        return Plan((Step("count", StepKind.WHOLE, need),))

    def run(self, step: Step, block: Block, desk: Desk) -> BlockResult:
        """Count."""
        return _count(_Task(desk.asked), desk)


@dataclass(frozen=True)
class _Task:
    asked: Asked

    def __post_init__(self) -> None:
        atlas, way, cells = self.atlas, self.asked.inputs["transform"].details, self.asked.inputs["cells"]
        lies = cells.details.get("space", {}).get("name", "")
        if {way["from"], way["to"]} != {lies, atlas.space.name}:
            raise Invalid(
                f"the transform leads from {way['from']} to {way['to']}, the cells lie in {lies or 'no space'} and the "
                f"atlas in {atlas.space.name}",
                hint="take the transform of the volume in which the cells were found, to this atlas",
            )
        if not atlas.has(PartKind.ANNOTATION):
            raise Invalid(f"atlas {atlas.name} has no regions", hint="choose one that has: pulvinar atlas list")
        if atlas.midline_um is None or not atlas.space.orientation:
            raise Invalid(f"nobody says where the middle of atlas {atlas.name} is", hint="choose another atlas")

    @property
    def atlas(self) -> Atlas:
        return self.asked.atlases["template"].atlas

    def transform(self, desk: Desk) -> Transform:
        """From the cells to the atlas."""
        asset = self.asked.inputs["transform"]
        found = transform_from_json(asset.details["transform"], desk.store, f"{asset.prefix}/")
        return found if found.target.name == self.atlas.space.name else invert(found)

    @cached_property
    def heat_grid(self) -> FieldGrid:
        """The template's box, in cubes."""
        template, part = self.asked.template("template")
        size, shape = template.voxel_size_um, template.shape[2:]
        edge = max((prod(size) * prod(shape) / _HEAT_VOXELS) ** (1 / 3), min(size))
        assert part.voxel_to_space_um is not None
        return box_grid(part.voxel_to_space_um, size, shape, edge)


def _count(task: _Task, desk: Desk) -> BlockResult:
    asset, atlas = desk.asset("cells"), task.atlas
    table = pq.read_table(io.BytesIO(desk.store.read(f"{asset.prefix}/points.parquet")))
    cells = cells_from_table(table).sure(float(task.asked.parameters["least_score"]))
    way = task.transform(desk)
    there = apply(way, Points(way.source, cells.zyx_um))
    counts = count_cells(there, desk.atlas("template").annotation).to_table()
    columns = {name: counts[name].combine_chunks() for name in counts.column_names}
    table_object = desk.put("counts", "table.parquet", parquet(columns))
    placed = Cells(there.zyx_um, cells.diameter_um, cells.score, cells.snr, cells.channels)
    lies = measured_space(atlas.space.name, way.expected_error_um)
    points, told = put_cells(desk, "placed", cells_to_table(placed), space_to_world(atlas.space))
    heat, seen = _heat(task, desk, there)
    details: Mapping[str, Mapping[str, Any]] = {
        "counts": {
            "name": f"{asset.name} by region of {atlas.name}",
            "count": counts.num_rows,
            "columns": counts.column_names,
        },
        "placed": {"name": f"{asset.name} in {atlas.space.name}", **told, **lies},
        "heat": {"name": f"heat map of {asset.name}", **seen, **lies},
    }
    return BlockResult(objects=(table_object, *points, *heat), details=details)


def _heat(task: _Task, desk: Desk, there: Points) -> tuple[tuple[MadeObject, ...], dict[str, Any]]:
    grid = task.heat_grid
    volume = planned_volume(grid, task.atlas.space, "float32", (Channel("cells a cubic millimetre"),))
    radius = float(task.asked.parameters["radius_um"]) or 3 * volume.voxel_size_um[0]
    heat = heat_map(there, grid.shape, np.array(grid.voxel_to_space_um), radius)
    return store_volume(desk, "heat", ArraySource(heat[None, None]), volume, task.atlas.species)
