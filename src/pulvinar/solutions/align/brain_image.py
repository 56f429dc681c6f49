"""One level of a brain in memory: its voxels, where they lie, and where there is something to see."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, isfinite

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from pulvinar.errors import Invalid, TooLarge
from pulvinar.model.space import Affine, Space, opposite
from pulvinar.model.transform import affine_rows, check_affine

Gray = npt.NDArray[np.float32]
"""Intensities, axes (z, y, x)."""
Mask = npt.NDArray[np.bool_]
"""Where something is, axes (z, y, x)."""
Matrix = npt.NDArray[np.float64]
"""A homogeneous 4x4 map of (z, y, x, 1) columns."""

MOST_VOXELS = 40_000_000
"""A level of more voxels than this is not aligned: the engine holds some forty numbers for each."""
_DARKEST, _BRIGHTEST = 0.5, 99.8
"""Percentiles between which intensities are told apart."""


@dataclass(frozen=True, eq=False)
class BrainImage:
    """`voxels` (z, y, x), any real dtype; `voxel_to_space_um` maps an index (z, y, x, 1) to micrometres of `space`.

    `space.orientation` is what somebody stated, and is not believed. `mask` says where the image can be trusted: False
    where tissue is torn away, cut off, or of another organ; None where nobody has looked.
    Raises `Invalid` for what is no volume, and for a mask of another shape.
    """

    space: Space
    voxels: npt.NDArray[np.generic]
    voxel_to_space_um: Affine
    mask: Mask | None = None

    def __post_init__(self) -> None:
        if self.voxels.ndim != 3 or min(self.voxels.shape) < 4:
            raise Invalid(
                f"an image of shape {self.voxels.shape} is no brain volume", hint="expected (z, y, x), at least 4 each"
            )
        if self.mask is not None and self.mask.shape != self.voxels.shape:
            raise Invalid(f"a mask of shape {self.mask.shape} on an image of shape {self.voxels.shape}")
        check_affine(self.voxel_to_space_um)

    @property
    def voxel_size_um(self) -> Matrix:
        """The lengths (z, y, x) of a voxel's edges, float64 (3,)."""
        return np.asarray(np.linalg.norm(np.array(self.voxel_to_space_um)[:3, :3], axis=0))

    @property
    def stated_orientation(self) -> str:
        """To which sides the voxel axes rise, as stated; empty where nobody said."""
        return voxel_letters(self.space, np.array(self.voxel_to_space_um))


@dataclass(frozen=True, eq=False)
class WorkLevel:
    """A brain on voxels that are cubes, scaled to lie between 0 and 1: what an engine works on.

    `known` is where the image can be trusted, `tissue` where the brain is. `to_space_um` maps an index (z, y, x, 1) to
    micrometres of the brain's space.
    """

    voxels: Gray
    known: Mask
    tissue: Mask
    to_space_um: Matrix
    voxel_um: float


def voxel_letters(space: Space, voxel_to_space_um: Matrix) -> str:
    """To which sides of `space` rising voxel indices go; empty where the space has no orientation."""
    if not space.orientation:
        return ""
    unit = voxel_to_space_um[:3, :3] / np.linalg.norm(voxel_to_space_um[:3, :3], axis=0)
    # the axis that is the most certain chooses first: oblique axes may else choose the same
    letters = ["", "", ""]
    for _ in range(3):
        row, column = np.unravel_index(np.argmax(np.abs(unit)), unit.shape)
        letter = space.orientation[int(row)]
        letters[int(column)] = letter if unit[row, column] > 0 else opposite(letter)
        unit[row, :] = unit[:, column] = 0
    return "".join(letters)


def work_level(image: BrainImage, voxel_um: float) -> WorkLevel:
    """`image` on cubes of `voxel_um`, blurred first so that nothing is missed between them.

    Raises `Invalid` for an image without contrast, `TooLarge` for a level of more than `MOST_VOXELS`.
    """
    size = image.voxel_size_um
    factor = voxel_um / size
    shape = tuple(max(4, ceil(n / f)) for n, f in zip(image.voxels.shape, factor, strict=True))
    if np.prod(shape, dtype=float) > MOST_VOXELS:
        raise TooLarge(
            f"a level of {shape} voxels of {voxel_um:g} um is too large to align at once",
            hint="align at a larger voxel size: the field is applied to the full resolution afterwards",
        )
    gray = np.nan_to_num(np.asarray(image.voxels, np.float32), copy=False, posinf=0, neginf=0)
    offset = (np.array(image.voxels.shape) - 1 - factor * (np.array(shape) - 1)) / 2
    small = _resampled(gray, factor, offset, shape)
    known = np.ones(shape, bool)
    if image.mask is not None:
        known = _resampled(image.mask.astype(np.float32), factor, offset, shape) > 0.5
    if not known.any():
        raise Invalid(f"the mask of {image.space.name} leaves nothing to align", hint="True is where to look")
    low, high = np.percentile(small[known], (_DARKEST, _BRIGHTEST))
    if not (isfinite(low) and high > low):
        raise Invalid(f"the image of {image.space.name} is the same everywhere", hint="take another channel")
    scaled = np.clip((small - low) / (high - low), 0, 1) * known
    to_index = np.diag([*factor, 1.0])
    to_index[:3, 3] = offset
    to_space = np.array(image.voxel_to_space_um) @ to_index
    return WorkLevel(scaled.astype(np.float32), known, tissue_of(scaled) & known, to_space, voxel_um)


def tissue_of(gray: Gray) -> Mask:
    """Where the brain is in an image between 0 and 1: what is brighter than Otsu's threshold of the blurred square
    roots, its largest part, without holes."""
    from skimage.filters import threshold_otsu

    smooth = ndimage.gaussian_filter(np.sqrt(gray), 1.0)
    bright = ndimage.binary_opening(smooth > threshold_otsu(smooth), iterations=1)
    parts, count = ndimage.label(bright)
    if not count:
        return np.asarray(smooth > threshold_otsu(smooth))
    largest = parts == 1 + np.argmax(np.bincount(parts.ravel())[1:])
    return np.asarray(ndimage.binary_fill_holes(ndimage.binary_closing(np.pad(largest, 2), iterations=2)))[
        2:-2, 2:-2, 2:-2
    ]


def space_of_level(level: WorkLevel, index: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Micrometres (n, 3) of indices (n, 3)."""
    return np.asarray(index @ level.to_space_um[:3, :3].T + level.to_space_um[:3, 3])


def rows_of(matrix: Matrix) -> Affine:
    """A 4x4 array whose last row is exactly 0 0 0 1, as rows."""
    exact = matrix.copy()
    exact[3] = (0, 0, 0, 1)
    return affine_rows(exact)


def _resampled(gray: Gray, factor: Matrix, offset: Matrix, shape: tuple[int, ...]) -> Gray:
    blur = np.where(factor > 1.2, 0.4 * np.sqrt(np.maximum(factor**2 - 1, 0)), 0)
    smooth = ndimage.gaussian_filter(gray, blur) if blur.any() else gray
    # cubic: straight lines blur between voxels and not on them, a pattern that local correlation takes for tissue;
    # but what was blurred before keeps to lines: with cubes a real head was laid less well
    order = 1 if blur.any() else 3
    return np.asarray(
        ndimage.affine_transform(smooth, np.diag(factor), offset, output_shape=shape, order=order, mode="nearest"),
        np.float32,
    )
