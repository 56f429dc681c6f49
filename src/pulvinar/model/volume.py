"""One image, or one set of labels, at several voxel sizes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from pulvinar.errors import Invalid
from pulvinar.model.space import Affine

AXES = ("t", "c", "z", "y", "x")
Shape5 = tuple[int, int, int, int, int]
Triple = tuple[float, float, float]


class VolumeKind(StrEnum):
    """What the numbers mean: intensities are averaged, labels are counted."""

    IMAGE = "image"
    LABELS = "labels"


@dataclass(frozen=True)
class Channel:
    """One channel: its name, its colour as RRGGBB, and the display range (low, high) once it is measured."""

    name: str
    color: str = "FFFFFF"
    window: tuple[float, float] | None = None


@dataclass(frozen=True)
class Level:
    """One resolution of a volume. Shapes are voxels in (t, c, z, y, x); lengths are micrometres in (z, y, x).

    `translation_um` is the centre of the first voxel, measured from the centre of level 0's first voxel.
    """

    shape: Shape5
    voxel_size_um: Triple
    translation_um: Triple
    chunk_shape: Shape5
    shard_shape: Shape5

    @property
    def voxels(self) -> int:
        """How many voxels."""
        return prod(self.shape)


@dataclass(frozen=True)
class Volume:
    """A multi-resolution volume, axes (t, c, z, y, x).

    `dtype` is a numpy name such as "uint16". `affine_um` maps level 0's voxel index (z, y, x, 1) to
    micrometres (z, y, x) in the world frame "SAR" (z to superior, y to anterior, x to right: NIfTI's RAS+);
    None when the orientation is not known. `time_step_s` is None unless the file says.
    """

    kind: VolumeKind
    dtype: str
    levels: tuple[Level, ...]
    channels: tuple[Channel, ...]
    affine_um: Affine | None = None
    time_step_s: float | None = None

    @property
    def shape(self) -> Shape5:
        """Level 0's shape (t, c, z, y, x)."""
        return self.levels[0].shape

    @property
    def voxel_size_um(self) -> Triple:
        """Level 0's voxel size (z, y, x)."""
        return self.levels[0].voxel_size_um

    @property
    def numpy_dtype(self) -> npt.DTypeLike:
        """`dtype` as numpy's."""
        return np.dtype(self.dtype)


def volume_to_json(volume: Volume) -> dict[str, Any]:
    """`volume` as JSON values, under its field names."""
    return {
        "kind": str(volume.kind),
        "dtype": volume.dtype,
        "levels": [
            {
                "shape": list(level.shape),
                "voxel_size_um": list(level.voxel_size_um),
                "translation_um": list(level.translation_um),
                "chunk_shape": list(level.chunk_shape),
                "shard_shape": list(level.shard_shape),
            }
            for level in volume.levels
        ],
        "channels": [
            {"name": channel.name, "color": channel.color, "window": list(channel.window) if channel.window else None}
            for channel in volume.channels
        ],
        "affine_um": [list(row) for row in volume.affine_um] if volume.affine_um else None,
        "time_step_s": volume.time_step_s,
    }


def volume_from_json(data: dict[str, Any]) -> Volume:
    """The volume that `volume_to_json` wrote; raises `Invalid` when `data` is not one."""
    try:
        return Volume(
            kind=VolumeKind(data["kind"]),
            dtype=data["dtype"],
            levels=tuple(Level(**{name: tuple(value) for name, value in level.items()}) for level in data["levels"]),
            channels=tuple(
                Channel(item["name"], item["color"], tuple(item["window"]) if item["window"] else None)
                for item in data["channels"]
            ),
            affine_um=tuple(tuple(row) for row in data["affine_um"]) if data["affine_um"] else None,
            time_step_s=data["time_step_s"],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise Invalid(f"this does not describe a volume: {error!r}") from error
