"""The solution `deface`: a head without its face, in the same voxels, to be looked at before it leaves quarantine."""

from __future__ import annotations

import io
from dataclasses import asdict
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from pulvinar.compute.engine import BlockResult
from pulvinar.errors import Invalid
from pulvinar.ingest.pictures import turned
from pulvinar.model.dataset import AssetKind
from pulvinar.model.plan import Block, Need, Plan, Step, StepKind
from pulvinar.model.record import Species
from pulvinar.model.solution import Input, Output, Parameter, ParameterKind, SolutionDescription, Words
from pulvinar.model.space import Affine, Window
from pulvinar.model.transform import affine_rows
from pulvinar.model.volume import Volume, VolumeKind, volume_from_json
from pulvinar.solutions.align.brain_image import BrainImage, voxel_letters
from pulvinar.solutions.align.greedy import GreedyAligner
from pulvinar.solutions.deface.face import Part
from pulvinar.solutions.deface.removal import WORK_VOXEL_UM, Defaced, FaceFound, find_face
from pulvinar.solutions.grids import grid_space, level_affine
from pulvinar.solutions.solution import Asked, Desk
from pulvinar.solutions.volume_output import store_volume
from pulvinar.storage.sources import ArraySource
from pulvinar.storage.volumes import LevelSource, ReadableVolume

_FIXED_BYTES = 1_500_000_000
_BYTES_A_VOXEL = 16
_SECONDS_A_VOXEL = 2e-6
_PICTURE = "pictures/removed.png"
_PICTURE_TITLE = Words(
    "What was removed (red), on the head as it is now: the brain must be whole, and no nose, eye or mouth be left.",
    "已移除的部分（红色），叠加在处理后的头部上：脑应完整，且不应残留鼻、眼或口。",
)

DESCRIPTION = SolutionDescription(
    name="deface",
    version="1",
    title=Words("Remove the face", "去除面部"),
    summary=Words(
        "A human head without its face: where that is follows from aligning the head to the MNI152 template, offline. "
        "Voxels of the face become 0; what lies within 8 mm of the brain is never touched. The result stays in "
        "quarantine until a person has looked at it. Without a face it is harder to know who it is, not impossible.",
        "去除人头图像中的面部：将头部配准到 MNI152 模板以确定面部位置，全程离线。面部体素置 0；"
        "脑周围 8 毫米以内从不改动。结果保留在隔离区，直至有人审核。去除面部使辨认更难，但并非不可能。",
    ),
    inputs=(
        Input(
            "image",
            Words("Head", "头部图像"),
            (AssetKind.VOLUME,),
            help=Words("A volume of a human head.", "人头的体数据。"),
        ),
        Input(
            "template",
            Words("Atlas", "图谱"),
            (AssetKind.VOLUME,),
            help=Words("The template of an installed atlas in MNI152.", "位于 MNI152 的已安装图谱的模板。"),
            of_atlas=True,
        ),
    ),
    outputs=(Output("defaced", Words("Head without face", "去面部的头部"), AssetKind.VOLUME),),
    parameters=(
        Parameter(
            "ears",
            ParameterKind.FLAG,
            Words("Ears too", "同时去除双耳"),
            False,
            help=Words("Ears too tell people apart.", "耳廓同样可用于辨认。"),
        ),
    ),
    citation="Yushkevich et al. (2016), Alzheimer's & Dementia 12(7), P126-P127 (PICSL greedy)",
)


class DefaceSolution:
    """The solution `deface`."""

    description = DESCRIPTION

    def plan(self, asked: Asked) -> Plan:
        """One block. Raises `Invalid` for what is no image of a human head, and for an atlas in another space."""
        task = _Task(asked)
        voxels = prod(task.volume.shape)
        memory = _FIXED_BYTES + _BYTES_A_VOXEL * voxels
        need = Need(memory, cpu_s=60 + _SECONDS_A_VOXEL * voxels, fixed_bytes=_FIXED_BYTES)
        size = voxels * np.dtype(task.volume.dtype).itemsize
        return Plan((Step("deface", StepKind.WHOLE, need),), bytes_read=size, bytes_written=size)

    def run(self, step: Step, block: Block, desk: Desk) -> BlockResult:
        """Find the face and store the head without it."""
        task = _Task(desk.asked)
        found = task.find(desk)
        head = desk.open_volume("image")
        source = Defaced(LevelSource(head, 0), level_affine(task.volume.levels[0]), found.mask, found.to_space_um)
        made, details = store_volume(desk, "defaced", source, task.volume, Species.HUMAN)
        picture = desk.put("defaced", _PICTURE, _removed_picture(task.coarse(head, task.volume), found))
        told = {
            **details,
            "name": f"{desk.asset('image').name} without face",
            "deface": _quality(found),
            "pictures": [{"path": _PICTURE, "title": asdict(_PICTURE_TITLE)}],
        }
        return BlockResult(objects=(*made, picture), details={"defaced": told})


class _Task:
    """What is asked, in the terms of this solution."""

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        atlas = asked.atlases["template"].atlas
        if self.volume.kind is not VolumeKind.IMAGE:
            raise Invalid("a volume of labels has no face", hint="choose the image of the head")
        if atlas.species is not Species.HUMAN or atlas.space.name != "mni152":
            raise Invalid(
                f"the atlas {atlas.name} is in {atlas.space.name}, where nobody has drawn a face",
                hint="install an atlas in mni152: pulvinar atlas install",
            )

    @cached_property
    def volume(self) -> Volume:
        return volume_from_json(self.asked.inputs["image"].details["volume"])

    def coarse(self, held: ReadableVolume, volume: Volume) -> BrainImage:
        """The head at the level that is aligned."""
        space = grid_space(self.asked.inputs["image"], Species.HUMAN)
        level = _level(volume)
        return BrainImage(space, _read(held, level), level_affine(volume.levels[level]))

    def find(self, desk: Desk) -> FaceFound:
        """Where the face is."""
        _, part = self.asked.template("template")
        atlas = desk.atlas("template")
        held = atlas.volume(part)
        level = _level(held.volume)
        assert part.voxel_to_space_um is not None
        affine = _on_level(part.voxel_to_space_um, held.volume, level)
        template = BrainImage(atlas.atlas.space, _read(held, level), affine)
        parts = Part.FACE | Part.EARS if self.asked.parameters["ears"] else Part.FACE
        head = self.coarse(desk.open_volume("image"), self.volume)
        return find_face(template, head, parts, aligner=GreedyAligner(threads=1))


def _quality(found: FaceFound) -> dict[str, Any]:
    """What a reviewer is told, as JSON values."""
    return {
        "removed_share": float(found.mask.mean()),
        "brain_voxels_changed": int((found.mask & found.brain).sum()),
        "overlap": found.alignment.quality.stages[-1].tissue_dice,
        "doubts": [one.text for one in found.alignment.doubts],
    }


def _level(volume: Volume) -> int:
    """The coarsest level whose voxels are no longer than those that are aligned, else the finest."""
    fine = [number for number, one in enumerate(volume.levels) if max(one.voxel_size_um) <= WORK_VOXEL_UM * 1.001]
    return max(fine, default=0)


def _read(held: ReadableVolume, level: int) -> npt.NDArray[Any]:
    """The first channel and time point of a level, (z, y, x)."""
    z, y, x = held.volume.levels[level].shape[2:]
    voxels: npt.NDArray[Any] = held.read(level, Window((0, 0, 0, 0, 0), (1, 1, z, y, x)))[0, 0]
    return voxels


def _on_level(affine: Affine, volume: Volume, level: int) -> Affine:
    finest, chosen = volume.levels[0], volume.levels[level]
    step = np.diag([*np.divide(chosen.voxel_size_um, finest.voxel_size_um), 1.0])
    step[:3, 3] = np.divide(chosen.translation_um, finest.voxel_size_um)
    return affine_rows(np.array(affine) @ step)


def _removed_picture(head: BrainImage, found: FaceFound) -> bytes:
    """Three middle sections of the head without its face, PNG, with what was removed in red, through which nothing
    shows."""
    from PIL import Image

    source = Defaced(ArraySource(head.voxels[None, None]), head.voxel_to_space_um, found.mask, found.to_space_um)
    face = source.face((0, 0, 0), head.voxels.shape)
    gray = np.where(face, 0, head.voxels.astype(np.float32))
    gray = np.clip(gray / max(float(np.percentile(gray, 99.5)), 1e-6), 0, 1)
    letters = voxel_letters(head.space, np.array(head.voxel_to_space_um))
    sections = []
    for axis in range(3):
        middle = head.voxels.shape[axis] // 2
        picture = np.repeat((gray.take(middle, axis) * 255).astype(np.uint8)[..., None], 3, axis=2)
        picture[face.take(middle, axis)] = (150, 30, 30)
        rest = [other for other in range(3) if other != axis]
        sections.append(turned(picture, letters, rest, (1.0, 1.0))[0] if letters else picture)
    height = max(one.shape[0] for one in sections)
    padded = [np.pad(one, ((0, height - one.shape[0]), (2, 2), (0, 0))) for one in sections]
    whole = Image.fromarray(np.concatenate(padded, axis=1))
    buffer = io.BytesIO()
    whole.resize((whole.width * 2, whole.height * 2)).save(buffer, "PNG")
    return buffer.getvalue()
