"""The solution `align`: a brain brought to an installed atlas, seen in its space, with the atlas's regions on it.

First the two are aligned at a level that fits into memory; then what was found is applied to every voxel, by block.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from math import ceil, isfinite, prod
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt

from pulvinar.atlases.displacement import store_field
from pulvinar.atlases.installed import Installed, OpenAtlas
from pulvinar.atlases.transform_json import transform_from_json, transform_to_json
from pulvinar.atlases.transforms import invert
from pulvinar.compute.engine import BlockResult, MadeObject
from pulvinar.errors import Invalid, TooLarge
from pulvinar.ingest.label_names import LabelName
from pulvinar.ingest.reader import Finding, Severity
from pulvinar.model.anchor import measured_space
from pulvinar.model.atlas import AtlasPart, PartKind
from pulvinar.model.dataset import Asset, AssetKind
from pulvinar.model.plan import Block, Need, Plan, Step, StepKind
from pulvinar.model.record import Species
from pulvinar.model.solution import Input, Output, Parameter, ParameterKind, SolutionDescription, Words
from pulvinar.model.space import Affine, Space, Window
from pulvinar.model.transform import (
    IDENTITY,
    AffineTransform,
    DisplacementTransform,
    FieldGrid,
    affine_rows,
)
from pulvinar.model.volume import Channel, Level, Shape5, Volume, VolumeKind, volume_from_json
from pulvinar.solutions.align.alignment import Alignment, align, fitting_edge_um
from pulvinar.solutions.align.brain_image import MOST_VOXELS, BrainImage
from pulvinar.solutions.align.greedy import GreedyAligner
from pulvinar.solutions.align.pictures import checkerboard, contours
from pulvinar.solutions.align.quality import Labels
from pulvinar.solutions.align.warping import BUDGET_BYTES, Warped, warped_array
from pulvinar.solutions.grids import box_grid, grid_space, grid_space_name, level_affine, planned_volume
from pulvinar.solutions.solution import Asked, Desk
from pulvinar.solutions.volume_output import VolumeOutput, store_volume
from pulvinar.storage.pyramid import plan_levels
from pulvinar.storage.sources import ArraySource, VoxelSource
from pulvinar.storage.volumes import LevelSource, ReadableVolume

DOCUMENT = "transform.json"
_LABELS = np.dtype(np.uint32)
_PICTURES = {
    "checkerboard": Words(
        "Squares in turn from the template and the brain: lines that run on are aligned.",
        "棋盘格交替显示模板与脑图像：线条连续即表示对齐。",
    ),
    "outlines": Words(
        "The outline of the template (orange) and of the brain (blue).", "模板轮廓（橙）与脑轮廓（蓝）。"
    ),
    "regions": Words("The atlas's regions (orange) and the brain's outline (blue).", "图谱分区（橙）与脑轮廓（蓝）。"),
}
_FIXED_BYTES = 700_000_000
_BYTES_A_WORK_VOXEL = 250
_FIXED_SECONDS = 30.0
_SECONDS_A_WORK_VOXEL = 2e-5
_WARPED_A_SECOND = 3e6
_SIDE = 64
_MOST_CHANNELS = 16

DESCRIPTION = SolutionDescription(
    name="align",
    version="1",
    title=Words("Align to atlas", "配准到图谱"),
    summary=Words(
        "A brain brought to the template of an atlas: the brain in the atlas's space, the atlas's regions on the "
        "brain, the map both ways, and how well it went. How the brain lies is found from the data; parts may be "
        "missing.",
        "将脑图像配准到图谱模板：得到图谱空间中的脑、脑上的图谱分区、双向变换以及配准质量。脑的朝向由数据判定，允许部分缺失。",
    ),
    inputs=(
        Input(
            "image",
            Words("Brain", "脑图像"),
            (AssetKind.VOLUME,),
            help=Words("A volume of a brain, or of a part of one.", "全脑或部分脑的体数据。"),
        ),
        Input(
            "template",
            Words("Atlas", "图谱"),
            (AssetKind.VOLUME,),
            help=Words("The template of an installed atlas of the same species.", "同一物种的已安装图谱的模板。"),
            of_atlas=True,
        ),
    ),
    outputs=(
        Output("aligned", Words("Brain in the atlas's space", "图谱空间中的脑"), AssetKind.VOLUME),
        Output("regions", Words("Regions on the brain", "脑上的分区"), AssetKind.VOLUME, optional=True),
        Output("transform", Words("From the brain to the atlas", "从脑到图谱的变换"), AssetKind.TRANSFORM),
        Output("uncertainty", Words("Uncertainty", "不确定度"), AssetKind.VOLUME),
    ),
    parameters=(
        Parameter(
            "channel",
            ParameterKind.INTEGER,
            Words("Channel", "通道"),
            0,
            minimum=0,
            maximum=_MOST_CHANNELS - 1,
            help=Words(
                "The one that shows the tissue best, autofluorescence for example; counted from 0.",
                "最能显示组织的通道，例如自发荧光；从 0 计数。",
            ),
        ),
        Parameter(
            "work_voxel_um",
            ParameterKind.NUMBER,
            Words("Voxels to align at", "配准所用体素"),
            0.0,
            minimum=0,
            maximum=10_000,
            unit="um",
            help=Words(
                "Finer ones take longer; 0: the template's own, or such that it has 4.5 million.",
                "越细越慢；0 表示采用模板自身的体素，或使模板约有四百五十万体素。",
            ),
        ),
        Parameter(
            "output_voxel_um",
            ParameterKind.NUMBER,
            Words("Voxels of the result", "结果的体素"),
            0.0,
            minimum=0,
            maximum=10_000,
            unit="um",
            help=Words("0: as large as those of the brain.", "0 表示与脑图像的体素大小相当。"),
        ),
        Parameter(
            "carry_regions",
            ParameterKind.FLAG,
            Words("Regions on the brain too", "同时生成脑上的分区"),
            True,
            help=Words("On the brain's own voxels, where the atlas has regions.", "在脑自身的体素上；需图谱含有分区。"),
        ),
    ),
    citation="Yushkevich et al. (2016), Alzheimer's & Dementia 12(7), P126-P127 (PICSL greedy)",
)


class AlignSolution:
    """The solution `align`."""

    description = DESCRIPTION

    def plan(self, asked: Asked) -> Plan:
        """Aligning in one block, then both volumes by block. Raises `Invalid` for a channel that is not there and what
        is no image, `TooLarge` for too fine voxels to align at."""
        task = _Task(asked)
        voxels = task.work_voxels
        need = Need(
            _FIXED_BYTES + _BYTES_A_WORK_VOXEL * voxels + 16 * task.held_voxels,
            cpu_s=_FIXED_SECONDS + _SECONDS_A_WORK_VOXEL * voxels,
            fixed_bytes=_FIXED_BYTES,
        )
        steps = [Step("align", StepKind.WHOLE, need)]
        for output in task.volumes:
            steps += output.steps(4 * BUDGET_BYTES, _WARPED_A_SECOND)
        steps.append(Step("describe", StepKind.REDUCE, Need(_FIXED_BYTES, fixed_bytes=_FIXED_BYTES, cpu_s=10.0)))
        sizes = [prod(one.volume.shape) * np.dtype(one.volume.dtype).itemsize for one in task.volumes]
        return Plan(tuple(steps), bytes_read=2 * sum(sizes), bytes_written=sum(sizes))

    def run(self, step: Step, block: Block, desk: Desk) -> BlockResult:
        """Align, make a block of a volume, or describe what was made."""
        task = _Task(desk.asked)
        if step.name == "align":
            return _align(task, desk)
        if step.name == "describe":
            return _describe(task, desk)
        (output,) = (one for one in task.volumes if one.has(step))
        source = task.source(output, desk) if output.needs_source(step) else None
        return output.write(step, block, desk, source)


@dataclass(frozen=True)
class _Task:
    """What is asked, in the terms of this solution."""

    asked: Asked

    def __post_init__(self) -> None:
        if self.volume.kind is not VolumeKind.IMAGE:
            raise Invalid(f"{self.image.name} is a volume of labels", hint="choose the image that they belong to")
        if self.channel >= len(self.volume.channels):
            raise Invalid(
                f"the volume has no channel {self.channel}",
                hint=f"its channels are 0 to {len(self.volume.channels) - 1}",
            )
        if self.work_voxels > MOST_VOXELS:
            raise TooLarge(
                f"at voxels of {self.work_voxel_um:g} um there are {self.work_voxels:.3g} to align",
                hint=f"at most {MOST_VOXELS:.0e}: what is found is applied to the full resolution afterwards",
            )

    @property
    def image(self) -> Asset:
        return self.asked.inputs["image"]

    @cached_property
    def volume(self) -> Volume:
        return volume_from_json(self.image.details["volume"])

    @property
    def channel(self) -> int:
        return int(self.asked.parameters["channel"])

    @property
    def installed(self) -> Installed:
        return self.asked.atlases["template"]

    @cached_property
    def template(self) -> tuple[Volume, AtlasPart]:
        return self.asked.template("template")

    @property
    def species(self) -> Species:
        return self.installed.atlas.species

    @property
    def space(self) -> Space:
        return self.installed.atlas.space

    @cached_property
    def own_space(self) -> Space:
        return grid_space(self.image, self.species)

    @cached_property
    def work_voxel_um(self) -> float:
        volume, _ = self.template
        given = float(self.asked.parameters["work_voxel_um"])
        return given or fitting_edge_um(volume.voxel_size_um, volume.shape[2:])

    @property
    def work_voxels(self) -> int:
        """Of the brain and of the template together, at the voxels that are aligned."""
        both = (self.volume, self.template[0])
        return sum(ceil(prod(one.voxel_size_um) * prod(one.shape[2:]) / self.work_voxel_um**3) for one in both)

    @property
    def held_voxels(self) -> int:
        """Of the levels that are read for it."""
        both = (self.volume, self.template[0])
        return sum(prod(one.levels[_level(one, self.work_voxel_um)].shape[2:]) for one in both)

    @cached_property
    def grid(self) -> FieldGrid:
        """Of the brain in the atlas's space: the template's box, in cubes as large as the brain's voxels."""
        volume, part = self.template
        edge = float(self.asked.parameters["output_voxel_um"]) or prod(self.volume.voxel_size_um) ** (1 / 3)
        return box_grid(_lies(part), volume.voxel_size_um, volume.shape[2:], edge)

    @cached_property
    def own_grid(self) -> FieldGrid:
        """Of the brain itself."""
        z, y, x = self.volume.shape[2:]
        return FieldGrid((z, y, x), level_affine(self.volume.levels[0]))

    @property
    def volumes(self) -> tuple[VolumeOutput, ...]:
        """Those made of every voxel."""
        return (self.aligned, *([self.regions] if self.regions else []))

    @cached_property
    def aligned(self) -> VolumeOutput:
        times = self.volume.shape[0]
        made = planned_volume(self.grid, self.space, self.volume.dtype, self.volume.channels, times)
        return VolumeOutput("aligned", replace(made, time_step_s=self.volume.time_step_s), _block(made.levels[0]))

    @cached_property
    def regions(self) -> VolumeOutput | None:
        if not (self.asked.parameters["carry_regions"] and self.installed.atlas.has(PartKind.ANNOTATION)):
            return None
        volume = replace(self.volume, kind=VolumeKind.LABELS, dtype="uint32", channels=(Channel("regions"),))
        z, y, x = volume.shape[2:]
        levels = plan_levels((1, 1, z, y, x), volume.voxel_size_um, "uint32", VolumeKind.LABELS)
        return VolumeOutput("regions", replace(volume, levels=levels, time_step_s=None), _block(levels[0]))

    def transform(self, desk: Desk) -> DisplacementTransform:
        """What the first step has found, from the brain to the atlas."""
        ((_, result),) = desk.results("align")
        found = transform_from_json(result.values["transform"], desk.store, f"{desk.prefix('transform')}/")
        assert isinstance(found, DisplacementTransform)
        return found

    def source(self, output: VolumeOutput, desk: Desk) -> Warped:
        """Level 0 of one of the volumes."""
        found = self.transform(desk)
        if output.output == "aligned":
            image = LevelSource(desk.open_volume("image"), 0)
            return Warped(image, level_affine(self.volume.levels[0]), invert(found), self.grid, self.space)
        atlas = desk.atlas("template")
        part = atlas.atlas.part(PartKind.ANNOTATION)
        labels = LevelSource(atlas.volume(part), 0, _LABELS)
        return Warped(labels, _lies(part), found, self.own_grid, self.own_space, VolumeKind.LABELS)

    def align(self, desk: Desk) -> tuple[Alignment, Labels | None]:
        """Both levels that are close to the voxels to align at, aligned; and the annotation's labels on the grid of
        that."""
        _, part = self.template
        atlas = desk.atlas("template")
        template = _at_level(self.space, atlas.volume(part), _lies(part), 0, self.work_voxel_um)
        own = level_affine(self.volume.levels[0])
        brain = _at_level(self.own_space, desk.open_volume("image"), own, self.channel, self.work_voxel_um)
        found = align(template, brain, voxel_um=self.work_voxel_um, aligner=GreedyAligner(threads=1))
        return found, self._labels(atlas, found.grid)

    def _labels(self, atlas: OpenAtlas, grid: FieldGrid) -> Labels | None:
        if not atlas.atlas.has(PartKind.ANNOTATION):
            return None
        part = atlas.atlas.part(PartKind.ANNOTATION)
        held = atlas.volume(part)
        level = _level(held.volume, self.work_voxel_um)
        labels = _read(held, level, 0)
        return warped_array(
            labels,
            _on_level(_lies(part), held.volume, level),
            AffineTransform(self.space, self.space, IDENTITY),
            grid,
            VolumeKind.LABELS,
        )


def _align(task: _Task, desk: Desk) -> BlockResult:
    found, labels = task.align(desk)
    moved = found.transform
    assert isinstance(moved, DisplacementTransform)
    assert moved.inverse is not None
    prefix = desk.prefix("transform")
    for left in list(desk.store.list(prefix)):
        # of a run that was killed
        desk.store.delete(left.key)
    with TemporaryDirectory(prefix="pulvinar-") as folder:
        field, forth = store_field(moved.field, moved.source, desk.store, f"{prefix}/field", Path(folder))
        inverse, back = store_field(moved.inverse, moved.target, desk.store, f"{prefix}/inverse", Path(folder))
    made = [
        MadeObject("transform", f"{name}/{one.path}", one.size_bytes, one.sha256)
        for name, written in (("field", forth), ("inverse", back))
        for one in written
    ]
    uncertain, more = store_volume(desk, "uncertainty", *_uncertainty(task, found), task.species)
    transform = _as_stored(transform_to_json(replace(moved, field=field, inverse=inverse), f"{prefix}/"))
    pictures = {"checkerboard": checkerboard(found), "outlines": contours(found)}
    if labels is not None:
        pictures["regions"] = contours(found, labels)
    files = {f"pictures/{name}.png": data for name, data in pictures.items()}
    files[DOCUMENT] = json.dumps(transform, sort_keys=True, separators=(",", ":")).encode()
    made += [desk.put("transform", path, data) for path, data in files.items()]
    details = {
        "name": f"{task.image.name} to {task.installed.atlas.name}",
        "from": moved.source.name,
        "to": moved.target.name,
        "kind": "displacement",
        "expected_error_um": moved.expected_error_um,
        "obtained": moved.provenance,
        "transform": transform,
        "alignment": _as_stored(_quality(found)),
        "pictures": [{"path": f"pictures/{name}.png", "title": asdict(_PICTURES[name])} for name in pictures],
        "findings": _as_stored([asdict(Finding(Severity.DOUBT, one.text)) for one in found.doubts]),
    }
    return BlockResult(
        {"transform": transform, "error_um": moved.expected_error_um},
        (*made, *uncertain),
        {
            "transform": details,
            "uncertainty": {"name": f"uncertainty of {task.image.name}", **more, **measured_space(task.space.name)},
        },
    )


def _describe(task: _Task, desk: Desk) -> BlockResult:
    ((_, aligned),) = desk.results("align")
    error_um, atlas = aligned.values["error_um"], task.installed.atlas
    made, details, _ = task.aligned.described(desk, task.species)
    told = {
        "aligned": {
            "name": f"{task.image.name} in {atlas.space.name}",
            **details,
            **measured_space(task.space.name, error_um),
        }
    }
    if task.regions:
        ontology = desk.atlas("template").ontology.regions
        names = tuple(LabelName(one.id, one.name, one.acronym, one.color.upper()) for one in ontology)
        more, details, _ = task.regions.described(desk, task.species, names)
        made += more
        told["regions"] = {
            "name": f"regions of {atlas.name} on {task.image.name}",
            **details,
            **measured_space(grid_space_name(task.image)),
        }
    return BlockResult(objects=made, details=told)


def _quality(found: Alignment) -> dict[str, Any]:
    """What the page tells of how well it went, as JSON values."""
    quality, orientation = found.quality, found.orientation
    return {
        "stages": [asdict(one) for one in quality.stages],
        "growth_range": [one if isfinite(one) else None for one in quality.growth_range],
        "folded_share": quality.folded_share,
        "covered": quality.covered,
        "orientation": {**asdict(orientation), "left_right": orientation.left_right.value},
        "there_and_back_um": found.inversion.p95_um,
        "uncertainty_um": found.transform.expected_error_um,
        "look_at_this": found.look_at_this,
    }


def _as_stored(values: Any) -> Any:
    """JSON values as they come back from a database."""
    return json.loads(json.dumps(values, allow_nan=False))


def _uncertainty(task: _Task, found: Alignment) -> tuple[VoxelSource, Volume]:
    """How far off a place is to be expected, as a volume in the atlas's space."""
    volume = planned_volume(found.grid, task.space, "float32", (Channel("uncertainty (um)"),))
    return ArraySource(found.uncertainty_um[None, None]), volume


def _block(level: Level) -> Shape5:
    """What a warped volume is made in at once."""
    z, y, x = (min(_SIDE, n) for n in level.shape[2:])
    return 1, 1, z, y, x


def _level(volume: Volume, voxel_um: float) -> int:
    """The coarsest level whose voxels are no longer than `voxel_um` on any side, else the finest."""
    fine = [number for number, one in enumerate(volume.levels) if max(one.voxel_size_um) <= voxel_um * 1.001]
    return max(fine, default=0)


def _lies(part: AtlasPart) -> Affine:
    assert part.voxel_to_space_um is not None
    return part.voxel_to_space_um


def _at_level(space: Space, held: ReadableVolume, affine: Affine, channel: int, voxel_um: float) -> BrainImage:
    level = _level(held.volume, voxel_um)
    return BrainImage(space, _read(held, level, channel), _on_level(affine, held.volume, level))


def _read(held: ReadableVolume, level: int, channel: int) -> npt.NDArray[Any]:
    """One channel of the first time point of a level, (z, y, x)."""
    z, y, x = held.volume.levels[level].shape[2:]
    voxels: npt.NDArray[Any] = held.read(level, Window((0, channel, 0, 0, 0), (1, channel + 1, z, y, x)))[0, 0]
    return voxels


def _on_level(affine: Affine, volume: Volume, level: int) -> Affine:
    """`affine`, which places level 0's voxels, for those of another level."""
    finest, chosen = volume.levels[0], volume.levels[level]
    step = np.diag([*np.divide(chosen.voxel_size_um, finest.voxel_size_um), 1.0])
    step[:3, 3] = np.divide(chosen.translation_um, finest.voxel_size_um)
    return affine_rows(np.array(affine) @ step)
