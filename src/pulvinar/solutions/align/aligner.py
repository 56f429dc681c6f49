"""What an engine of alignment does: `align` calls these two, whoever does them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import numpy as np
import numpy.typing as npt

from pulvinar.errors import Invalid
from pulvinar.solutions.align.brain_image import Gray, Mask, Matrix


class Metric(StrEnum):
    """What counts as alike. MUTUAL_INFORMATION: one image tells of the other, in whatever colours. LOCAL_CORRELATION:
    around each voxel, one rises where the other does."""

    MUTUAL_INFORMATION = "mutual information"
    LOCAL_CORRELATION = "local correlation"


@dataclass(frozen=True, eq=False)
class Pair:
    """Two images (z, y, x) on cubes of one size; `fixed_mask` is where they may be compared, None everywhere.
    `faint`: they have little to do with each other, so that what they say is to be smoothed more."""

    fixed: Gray
    moving: Gray
    metric: Metric
    fixed_mask: Mask | None = None
    faint: bool = False

    def __post_init__(self) -> None:
        if self.fixed_mask is not None and self.fixed_mask.shape != self.fixed.shape:
            raise Invalid(f"a mask of shape {self.fixed_mask.shape} on an image of shape {self.fixed.shape}")


class Aligner(Protocol):
    """All maps are of indices (z, y, x) of `pair.fixed` to indices of `pair.moving`."""

    @property
    def version(self) -> str:
        """What is run, with its version."""

    def affine(self, pair: Pair, start: Matrix, freedom: int = 12) -> Matrix:
        """The map, 4x4, that makes the two most alike, looked for from `start`; `freedom` is 6 (turn and shift), 7 (and
        one scale) or 12."""

    def field(self, pair: Pair, affine: Matrix) -> npt.NDArray[np.float32]:
        """Vectors u (component, z, y, x), in voxels, on the grid of `pair.fixed`: index i becomes
        `affine` (i + u(i))."""
