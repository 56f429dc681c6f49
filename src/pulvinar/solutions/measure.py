"""Measuring a volume: how many voxels, mean, spread, lowest and highest, of the whole or of each label of another."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import prod, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from pulvinar.compute.engine import BlockResult
from pulvinar.errors import Invalid
from pulvinar.model.dataset import Asset, AssetKind
from pulvinar.model.plan import Block, BlockGrid, Need, Plan, Step, StepKind
from pulvinar.model.solution import Input, Output, Parameter, ParameterKind, SolutionDescription, Words
from pulvinar.model.volume import Level, Volume, VolumeKind, volume_from_json
from pulvinar.solutions.solution import Asked, Desk

_FIXED_BYTES = 400_000_000
"""What a worker has before it reads a voxel, decoded chunks in its cache included."""
_WORKING_BYTES = 40
"""Beside the voxels themselves: float64 values, ranks, their order and what sorting needs, a voxel."""
_VOXELS_A_SECOND = 1e7

DESCRIPTION = SolutionDescription(
    name="measure",
    version="1",
    title=Words("Intensities", "强度统计"),
    summary=Words(
        "Number of voxels, mean, standard deviation, lowest and highest value of a volume, as a whole or of each label "
        "of a volume of labels on the same grid.",
        "整个体积或同一网格上每个标签区域的体素数、均值、标准差、最小值和最大值。",
    ),
    inputs=(
        Input("image", Words("Image", "图像"), (AssetKind.VOLUME,), help=Words("What is measured.", "被测量的体积。")),
        Input(
            "labels",
            Words("Labels", "标签"),
            (AssetKind.VOLUME,),
            optional=True,
            help=Words(
                "Labels on the same grid; without them the whole is measured.", "同一网格上的标签;不选则测量整体。"
            ),
        ),
    ),
    outputs=(Output("statistics", Words("Intensities", "强度统计"), AssetKind.TABLE),),
    parameters=(
        Parameter(
            "level",
            ParameterKind.INTEGER,
            Words("Level", "分辨率层级"),
            0,
            minimum=0,
            maximum=20,
            help=Words("0 is the finest.", "0 为最精细。"),
        ),
        Parameter(
            "block_side",
            ParameterKind.INTEGER,
            Words("Side of a block", "数据块边长"),
            256,
            minimum=16,
            maximum=1024,
            unit="voxels",
            help=Words("Smaller blocks take less memory each.", "数据块越小,所需内存越少。"),
        ),
    ),
)


@dataclass(frozen=True)
class Moments:
    """What is known of some values: how many, their mean, the sum of squares around it, lowest and highest."""

    count: int
    mean: float
    around: float
    low: float
    high: float

    def __add__(self, other: Moments) -> Moments:
        # Chan, Golub and LeVeque 1983: no digits are lost to large means
        count = self.count + other.count
        apart = other.mean - self.mean
        mean = self.mean + apart * other.count / count
        around = self.around + other.around + apart * apart * self.count * other.count / count
        return Moments(count, mean, around, min(self.low, other.low), max(self.high, other.high))


class Measure:
    """The solution `measure`."""

    description = DESCRIPTION

    def plan(self, asked: Asked) -> Plan:
        """A map over blocks, and their sum."""
        volume, level = _level_of(asked)
        voxel_bytes = np.dtype(volume.dtype).itemsize
        if "labels" in asked.inputs:
            labels = _volume(asked.inputs["labels"])
            _same_grid(labels, level)
            voxel_bytes += np.dtype(labels.dtype).itemsize
        side = int(asked.parameters["block_side"])
        grid = BlockGrid(level.shape, (1, 1, side, side, side))
        voxels = prod(map(min, grid.block_shape, level.shape))
        need = Need(
            memory_bytes=_FIXED_BYTES + voxels * (voxel_bytes + _WORKING_BYTES),
            cpu_s=voxels / _VOXELS_A_SECOND,
            fixed_bytes=_FIXED_BYTES,
        )
        measuring = Step("measure", StepKind.MAP, need, grid, size_parameter="block_side")
        adding = Step("add", StepKind.REDUCE, Need(2 * _FIXED_BYTES, fixed_bytes=2 * _FIXED_BYTES))
        return Plan((measuring, adding), bytes_read=level.voxels * voxel_bytes)

    def run(self, step: Step, block: Block, desk: Desk) -> BlockResult:
        """Measure one block, or add all up."""
        return _measure(block, desk) if step.name == "measure" else _add(desk)


def _measure(block: Block, desk: Desk) -> BlockResult:
    assert block.core is not None
    _, level = _level_of(desk.asked)
    number = int(desk.asked.parameters["level"])
    values = np.asarray(desk.open_volume("image").read(number, block.core)).ravel().astype(np.float64)
    labels = np.zeros(values.shape, np.int64)
    if "labels" in desk.asked.inputs:
        # labels have one channel and one time, which hold for all of the image's
        start, stop = block.core.start, block.core.stop
        window = type(block.core)((0, 0, *start[2:]), (1, 1, *stop[2:]))
        at = _same_grid(_volume(desk.asset("labels")), level)
        labels = np.asarray(desk.open_volume("labels").read(at, window)).ravel()
    finite = np.isfinite(values)
    rows = [
        [int(label), one.count, one.mean, one.around, one.low, one.high]
        for label, one in _moments(values[finite], labels[finite])
    ]
    return BlockResult({"time": block.core.start[0], "channel": block.core.start[1], "rows": rows})


def _moments(values: npt.NDArray[np.float64], labels: npt.NDArray[Any]) -> Iterator[tuple[int, Moments]]:
    """What is known of the values of each label."""
    if not len(values):
        return
    order = np.argsort(labels, kind="stable")
    sorted_values, sorted_labels = values[order], labels[order]
    starts = np.flatnonzero(np.r_[True, sorted_labels[1:] != sorted_labels[:-1]])
    counts = np.diff(np.r_[starts, len(values)])
    means = np.add.reduceat(sorted_values, starts) / counts
    around = np.add.reduceat((sorted_values - np.repeat(means, counts)) ** 2, starts)
    low, high = np.minimum.reduceat(sorted_values, starts), np.maximum.reduceat(sorted_values, starts)
    columns = (sorted_labels[starts], counts, means, around, low, high)
    for label, *moments in zip(*(column.tolist() for column in columns), strict=True):
        yield label, Moments(*moments)


def _add(desk: Desk) -> BlockResult:
    known: dict[tuple[int, int, int], Moments] = {}
    for _, result in desk.results():
        place = result.values["time"], result.values["channel"]
        for label, *moments in result.values["rows"]:
            key, one = (*place, label), Moments(*moments)
            known[key] = known[key] + one if key in known else one
    volume = _volume(desk.asset("image"))
    columns = _columns(volume, sorted(known.items()))
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink, compression="zstd")
    made = desk.put("statistics", "table.parquet", sink.getvalue())
    named = f"intensities of {desk.asset('image').name}"
    details = {"name": named, "count": len(known), "columns": list(columns)}
    return BlockResult(objects=(made,), details={"statistics": details})


def _columns(volume: Volume, rows: Iterable[tuple[tuple[int, int, int], Moments]]) -> dict[str, Any]:
    kept = list(rows)
    return {
        "label": [label for (_, _, label), _ in kept],
        "channel": [volume.channels[channel].name for (_, channel, _), _ in kept],
        "time": [time for (time, _, _), _ in kept],
        "voxels": [one.count for _, one in kept],
        "mean": [one.mean for _, one in kept],
        "standard_deviation": [sqrt(one.around / one.count) for _, one in kept],
        "lowest": [one.low for _, one in kept],
        "highest": [one.high for _, one in kept],
    }


def _volume(asset: Asset) -> Volume:
    return volume_from_json(asset.details["volume"])


def _level_of(asked: Asked) -> tuple[Volume, Level]:
    volume, number = _volume(asked.inputs["image"]), int(asked.parameters["level"])
    if number >= len(volume.levels):
        raise Invalid(f"the image has no level {number}", hint=f"its levels are 0 to {len(volume.levels) - 1}")
    return volume, volume.levels[number]


def _same_grid(labels: Volume, level: Level) -> int:
    """The level of `labels` that lies on the grid of `level`. Raises `Invalid`."""
    if labels.kind is not VolumeKind.LABELS:
        raise Invalid("the input 'labels' is an image", hint="choose a volume of labels")
    for number, one in enumerate(labels.levels):
        if one.shape[2:] == level.shape[2:] and np.allclose(one.voxel_size_um, level.voxel_size_um, rtol=1e-3):
            return number
    raise Invalid(
        f"no level of the labels has the grid of the image, {level.shape[2:]} voxels of {level.voxel_size_um} um",
        hint="bring the labels onto the grid of the image first, or choose another level",
    )
