"""The solution `cells`: a volume looked at block by block, and one table of all cells that were found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import ceil, prod
from pathlib import Path

import numpy as np
import pyarrow as pa

from pulvinar.compute.engine import BlockResult
from pulvinar.errors import Invalid
from pulvinar.model.anchor import measured_space
from pulvinar.model.dataset import AssetKind
from pulvinar.model.plan import Block, BlockGrid, Need, Plan, Step, StepKind
from pulvinar.model.solution import (
    Corner,
    Input,
    Output,
    Parameter,
    ParameterKind,
    SolutionDescription,
    Value,
    Words,
    corners_um,
)
from pulvinar.model.space import Window
from pulvinar.model.volume import Volume, VolumeKind, volume_from_json
from pulvinar.solutions.cells.blocks import Voxel, block_of
from pulvinar.solutions.cells.cell_table import Cells, cells_from_table, cells_to_table
from pulvinar.solutions.cells.models import MODEL, model_file
from pulvinar.solutions.cells.points import put_cells
from pulvinar.solutions.cells.search import Search, cells_of_block, merged
from pulvinar.solutions.cells.searching import (
    BACKGROUND,
    DIAMETER,
    DIAMETER_Z,
    MOST_CHANNELS,
    SIGNAL,
    channels,
    number,
    volume_search,
)
from pulvinar.solutions.cells.sections import SectionSearch
from pulvinar.solutions.grids import Part, grid_space_name, grid_to_world, part_in
from pulvinar.solutions.solution import Asked, Desk

_FIXED_BYTES = 600_000_000
"""What a worker has before it reads a voxel: libraries, the network, decoded chunks in its cache."""
_VOXELS_A_SECOND = 8e6


DESCRIPTION = SolutionDescription(
    name="cells",
    version="4",
    title=Words("Find cells", "查找细胞"),
    summary=Words(
        "Labelled cell bodies in a volume or in sections: where each is, how large, and how sure that is, as points "
        "with a table.",
        "在三维体数据或切片中查找被标记的细胞体：给出每个细胞的位置、大小与可信度，汇成一张表。",
    ),
    inputs=(
        Input(
            "image",
            Words("Image", "图像"),
            (AssetKind.VOLUME,),
            help=Words(
                "A volume of light-sheet or serial two-photon microscopy, or fluorescence sections.",
                "光片或序列双光子显微体数据，或荧光切片。",
            ),
        ),
        MODEL,
    ),
    outputs=(Output("cells", Words("Cells", "细胞"), AssetKind.POINTS),),
    parameters=(
        Parameter(
            "picture",
            ParameterKind.CHOICE,
            Words("What the image is", "图像类型"),
            "volume",
            choices=("volume", "sections"),
            help=Words(
                "sections: each plane is a slice by itself, looked at plane by plane.",
                "sections：每个平面是独立切片，逐面查找。",
            ),
        ),
        DIAMETER,
        DIAMETER_Z,
        SIGNAL,
        number(
            "second",
            Words("Second channel of cells", "第二个细胞通道"),
            -1,
            -1,
            MOST_CHANNELS - 1,
            "",
            Words(
                "Of sections with two markers; a cell seen in both is one. -1 where there is none.",
                "用于有两种标记的切片；两个通道中都可见的细胞算一个。没有则为 -1。",
            ),
        ),
        number(
            "white",
            Words("Brightest value of sections", "切片中最亮的值"),
            0.0,
            0.0,
            1e9,
            "",
            Words(
                "What is shown as white; 0: 255 of 8-bit pictures, else the channel's display window.",
                "显示为白色的值；0 表示 8 位图像取 255，其他取通道的显示窗口上限。",
            ),
        ),
        BACKGROUND,
        number(
            "least_score",
            Words("Least score", "最低得分"),
            0.0,
            0.0,
            1.0,
            "",
            Words(
                "How sure the network must be; the table keeps the score. 0: as the card was measured.",
                "网络判断的最低可信度；表中保留得分。0 表示与准确性卡片的测量相同。",
            ),
        ),
        number(
            "block_side",
            Words("Side of a block", "数据块边长"),
            256,
            32,
            1024,
            "voxels",
            Words("Smaller blocks take less memory each.", "数据块越小，所需内存越少。"),
        ),
        Parameter(
            "box",
            ParameterKind.BOX,
            Words("Only in this box", "仅限此框内"),
            "",
            unit="um",
            help=Words(
                "Two corners z,y,x,z,y,x from the centre of the image's first voxel, as the viewer's box tool fills "
                "them in. Empty: everywhere.",
                "两个角点 z,y,x,z,y,x，从图像首个体素中心起算，可由查看器的框选工具填入。留空表示全部。",
            ),
        ),
    ),
)


class CellSolution:
    """The solution `cells`."""

    description = DESCRIPTION

    def plan(self, asked: Asked) -> Plan:
        """A map over blocks with the search's halo, and one table. Raises `Invalid` for channels that are not there."""
        task = _task(asked)
        side = int(asked.parameters["block_side"])
        down, along, across = (a + b for a, b in zip(task.halo, task.search.grain(task.size_um), strict=True))
        grid = BlockGrid((1, 1, *task.looked_at.shape), (1, 1, side, side, side), (0, 0, down, along, across))
        read = tuple(min(side + 2 * h, n) for h, n in zip(grid.halo[2:], task.shape, strict=True))
        itemsize = np.dtype(task.volume.dtype).itemsize
        count = len(task.volume.channels)
        z, y, x = read
        voxel_bytes = prod(read) * count * itemsize + task.search.block_bytes((z, y, x), task.size_um, itemsize)
        need = Need(_FIXED_BYTES + voxel_bytes, cpu_s=prod(read) / _VOXELS_A_SECOND, fixed_bytes=_FIXED_BYTES)
        looking = Step("look", StepKind.MAP, need, grid, size_parameter="block_side")
        joining = Step("join", StepKind.REDUCE, Need(2 * _FIXED_BYTES, fixed_bytes=2 * _FIXED_BYTES))
        return Plan((looking, joining), bytes_read=len(grid) * prod(read) * count * itemsize)

    def run(self, step: Step, block: Block, desk: Desk) -> BlockResult:
        """Look at one block, or make the table."""
        return _look(block, desk) if step.name == "look" else _join(desk)


@dataclass(frozen=True)
class _Task:
    volume: Volume
    search: Search
    box_um: tuple[Corner, Corner] | None

    @property
    def shape(self) -> Voxel:
        z, y, x = self.volume.levels[0].shape[2:]
        return z, y, x

    @property
    def size_um(self) -> tuple[float, float, float]:
        return self.volume.levels[0].voxel_size_um

    @property
    def halo(self) -> Voxel:
        return self.search.halo(self.size_um)

    @cached_property
    def looked_at(self) -> Part:
        """The voxels whose cells are looked for: those of the box, and so many around them that a cell whose peak lies
        outside of it and whose middle inside is found, and both pictures of one that is seen in two colours.

        Raises `Invalid` where the box holds no voxel.
        """
        if self.box_um is None:
            return Part((0, 0, 0), self.shape)
        part = part_in(self.box_um, self.size_um, self.shape)
        around = tuple(
            ceil(diameter / 2 / size) + grain
            for diameter, size, grain in zip(
                self.search.diameter_um, self.size_um, self.search.grain(self.size_um), strict=True
            )
        )
        return part.grown(around, self.shape)

    def inside(self, cells: Cells) -> Cells:
        """Those in the box."""
        if self.box_um is None:
            return cells
        low, high = np.array(self.box_um)
        return cells[((cells.zyx_um >= low) & (cells.zyx_um < high)).all(axis=1)]


def _task(asked: Asked, model: Path | None = None) -> _Task:
    volume, given = volume_from_json(asked.inputs["image"].details["volume"]), asked.parameters
    if volume.kind is not VolumeKind.IMAGE or volume.levels[0].shape[0] != 1:
        raise Invalid("cells are found in an image of one time point", hint="choose another volume")
    if given["picture"] == "sections":
        if "model" in asked.inputs:
            raise Invalid("the model judges cells of volumes, and the image is sections", hint="leave the model out")
        search: Search = _sections(volume, given)
    else:
        search = volume_search(volume, given, model)
    return _Task(volume, search, corners_um(str(given.get("box", ""))))


def _sections(volume: Volume, given: Mapping[str, Value]) -> SectionSearch:
    """Raises `Invalid` where nobody knows what is white."""
    signal = (*channels(volume, given, "signal"), *channels(volume, given, "second"))
    # the network looks at two: one channel alone is shown to it twice
    first, second = signal if len(signal) > 1 else signal * 2
    across = float(given["diameter_um"])
    least = float(given["least_score"]) or SectionSearch.least_score
    white = tuple(float(given["white"]) or _white(volume, channel) for channel in (first, second))
    search = SectionSearch((across, across, across), (first, second), white, least)
    search.factor(volume.levels[0].voxel_size_um)
    return search


def _white(volume: Volume, channel: int) -> float:
    """What is shown as white in a channel. Raises `Invalid` where nobody says it."""
    if volume.dtype == "uint8":
        return 255.0
    window = volume.channels[channel].window
    if window is None or window[1] <= 0:
        raise Invalid(f"nobody says what is white in channel {channel}", hint="give the parameter 'white'")
    return float(window[1])


def _look(block: Block, desk: Desk) -> BlockResult:
    assert block.core is not None
    task = _task(desk.asked, model_file(desk, "model"))
    first = task.looked_at.start
    start, stop = ((z + first[0], y + first[1], x + first[2]) for _, _, z, y, x in (block.core.start, block.core.stop))
    piece = block_of(task.shape, start, stop, task.halo, task.search.grain(task.size_um))
    window = Window((0, 0, *piece.read_start), (1, len(task.volume.channels), *piece.read_stop))
    voxels = np.asarray(desk.open_volume("image").read(0, window))[0]
    found = cells_of_block(voxels, piece, task.size_um, task.search)
    return BlockResult({"cells": cells_to_table(found).to_pydict()})


def _join(desk: Desk) -> BlockResult:
    task = _task(desk.asked)
    empty = cells_to_table(merged([], task.search))
    parts = [pa.table(result.values["cells"], empty.schema) for _, result in desk.results()]
    table = cells_to_table(task.inside(merged(map(cells_from_table, parts), task.search)))
    image = desk.asset("image")
    made, details = put_cells(desk, "cells", table, grid_to_world(task.volume))
    lies = measured_space(grid_space_name(image))
    return BlockResult(objects=made, details={"cells": {"name": f"cells of {image.name}", **details, **lies}})
