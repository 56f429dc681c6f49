"""How well two brains lie on each other, in numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from pulvinar.solutions.align.brain_image import Gray, Mask, Matrix, WorkLevel

Labels = npt.NDArray[np.integer]
"""Region labels (z, y, x), 0 where there is none."""

_BINS = 48
_FLAT = 1e-5
"""A variance, of intensities between 0 and 1, below which there is nothing to see."""


@dataclass(frozen=True)
class Stage:
    """How alike the two were after "rough", "affine" or "field": normalized mutual information (1 to 2), and the Dice
    of what is tissue, both where they can be compared."""

    name: str
    mutual_information: float
    tissue_dice: float


@dataclass(frozen=True)
class Quality:
    """`growth_range` is the least and the greatest by which volume grows beyond the affine map, within tissue (the
    0.1th and 99.9th percentile); `folded_share` the share of it that is turned inside out; `covered` the share of the
    template's tissue that could be compared."""

    stages: tuple[Stage, ...]
    growth_range: tuple[float, float]
    folded_share: float
    covered: float

    @classmethod
    def of(cls, stages: tuple[Stage, ...], grown: npt.NDArray[np.float64], covered: float) -> Self:
        """From the Jacobian determinants (n,) of the tissue's voxels."""
        if not len(grown):
            return cls(stages, (float("nan"), float("nan")), 0.0, covered)
        low, high = np.percentile(grown, (0.1, 99.9))
        return cls(stages, (float(low), float(high)), float((grown <= 0).mean()), covered)


def measured_stage(name: str, template: WorkLevel, seen: Gray, tissue: Mask, compared: Mask) -> Stage:
    """A brain, `seen` on the template's grid with its `tissue`, beside the template, where they are `compared`."""
    return Stage(
        name,
        mutual_information(template.voxels, seen, compared),
        dice(template.tissue & compared, tissue & compared),
    )


def mutual_information(one: Gray, other: Gray, where: Mask) -> float:
    """Normalized mutual information, 1 for nothing in common to 2 for one that tells all of the other; of the voxels
    (z, y, x) `where`, whose values lie between 0 and 1.

    Source: Studholme, Hill and Hawkes (1999), "An overlap invariant entropy measure of 3D medical image alignment",
    Pattern Recognition 32(1), 71-86.
    """
    a, b = (np.clip(image[where] * _BINS, 0, _BINS - 1).astype(np.int64) for image in (one, other))
    joint = np.bincount(a * _BINS + b, minlength=_BINS**2).reshape(_BINS, _BINS) / max(len(a), 1)
    both = _entropy(joint)
    return (_entropy(joint.sum(0)) + _entropy(joint.sum(1))) / both if both > 0 else 1.0


def local_correlation(one: Gray, other: Gray, size: int = 5) -> Gray:
    """The squared correlation of two images (z, y, x) in a cube of `size` voxels around each voxel: 1 where one tells
    of the other, light or dark; 0 where one of them is flat."""
    means = [ndimage.uniform_filter(image, size) for image in (one, other)]
    own = [ndimage.uniform_filter(image**2, size) - mean**2 for image, mean in zip((one, other), means, strict=True)]
    shared = ndimage.uniform_filter(one * other, size) - means[0] * means[1]
    flat = (own[0] < _FLAT) | (own[1] < _FLAT)
    return np.asarray(np.where(flat, 0, np.minimum(shared**2 / np.maximum(own[0] * own[1], _FLAT**2), 1)), np.float32)


def concordance(one: Gray, other: Gray, where: Mask, size: int = 5) -> float:
    """Whether two images brighten together: 1 where they do everywhere, 0 as often as not, -1 never; each place counts
    as much as they have to do with each other."""
    means = [ndimage.uniform_filter(image, size) for image in (one, other)]
    shared = (ndimage.uniform_filter(one * other, size) - means[0] * means[1])[where]
    total = float(np.abs(shared).sum())
    return float(shared.sum()) / total if total else 0.0


def alikeness(fixed: Gray, moving: Gray, where: Mask, affine: Matrix) -> float:
    """The mean local correlation (0 to 1, squared) of `fixed`, where it is to be looked at, with `moving` as seen
    there; `affine` maps indices of the one to those of the other."""
    return float(local_correlation(carried(moving, affine, fixed.shape), fixed)[where].mean())


def carried(image: Gray, affine: Matrix, shape: tuple[int, ...]) -> Gray:
    """`image` on a grid of `shape`, whose indices `affine` maps to its own; 0 outside."""
    return np.asarray(
        ndimage.affine_transform(image, affine[:3, :3], affine[:3, 3], output_shape=shape, order=1), np.float32
    )


def dice(one: Mask, other: Mask) -> float:
    """Twice what two masks share, of what they hold together; 1 for the same, nan for two that are empty."""
    total = int(one.sum()) + int(other.sum())
    return 2 * int((one & other).sum()) / total if total else float("nan")


def region_dice(truth: Labels, found: Labels, smallest: int = 500) -> dict[int, float]:
    """The Dice of each label that has more than `smallest` voxels in `truth`; 0 is left out."""
    labels, index = np.unique(np.concatenate([truth.ravel(), found.ravel()]), return_inverse=True)
    first, second = index[: truth.size], index[truth.size :]
    count = len(labels)
    in_truth, in_found = np.bincount(first, minlength=count), np.bincount(second, minlength=count)
    shared = np.bincount(first[first == second], minlength=count)
    return {
        int(label): 2 * int(shared[i]) / int(in_truth[i] + in_found[i])
        for i, label in enumerate(labels)
        if label and in_truth[i] > smallest
    }


def jacobian(mapped: npt.NDArray[np.float64], voxel: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """By how much a map grows volume at each voxel but the outermost: `mapped` (z, y, x, 3) is where each voxel goes;
    `voxel` (3,) its edges, in the same unit. Below 0 it folds."""
    from numpy.linalg import det

    slopes = [
        (np.roll(mapped, -1, axis) - np.roll(mapped, 1, axis))[1:-1, 1:-1, 1:-1] / (2 * voxel[axis])
        for axis in range(3)
    ]
    return np.asarray(det(np.stack(slopes, axis=-1)))


def _entropy(shares: npt.NDArray[np.float64]) -> float:
    some = shares[shares > 0]
    return float(-(some * np.log(some)).sum())
