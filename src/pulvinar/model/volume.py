"""One image, or one set of labels, at several voxel sizes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import prod

import numpy as np
import numpy.typing as npt

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
