"""SIM: brains made from a template under a warp that is known, to measure an alignment where the truth is known.

Such a figure says how well a warp is found again. It says nothing of how well two animals' regions agree, which is far
less: never show one for the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from pulvinar.model.space import Points, Space
from pulvinar.solutions.align.brain_image import BrainImage, Matrix, rows_of, work_level
from pulvinar.solutions.align.orientation import TURNS, Turn
from pulvinar.solutions.align.quality import Labels

_MOST_TURN_DEG, _MOST_SCALE, _MOST_SHIFT = 12.0, 0.1, 0.06
_RIPPLE, _AMPLITUDE = 0.1, 0.015
"""How wide the bumps of a warp are, and how far they reach (their root mean square), of the longest side."""


@dataclass(frozen=True, eq=False)
class KnownBrain:
    """A brain whose place is known: `labels` are its regions (z, y, x) on its own voxels, `truth_index` (3, z, y, x) is
    the index of the template's level that each voxel shows. `level_to_um` maps that index to micrometres."""

    image: BrainImage
    labels: Labels
    truth_index: npt.NDArray[np.float64]
    level_to_um: Matrix
    start_labels: Labels
    letters: str

    def truth(self, at: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
        """Micrometres (n, 3) of the template where the voxels `at` (n, 3) belong."""
        index = self.truth_index[:, at[:, 0], at[:, 1], at[:, 2]].T
        return np.asarray(index @ self.level_to_um[:3, :3].T + self.level_to_um[:3, 3])

    def points(self, at: npt.NDArray[np.intp]) -> Points:
        """The voxels `at` (n, 3) as points of the brain."""
        matrix = np.array(self.image.voxel_to_space_um)
        return Points(self.image.space, at @ matrix[:3, :3].T + matrix[:3, 3])


def known_brain(
    template: BrainImage,
    labels: Labels,
    voxel_um: float,
    seed: int,
    *,
    slab: bool = False,
    turn: Turn | None = None,
) -> KnownBrain:
    """`template` and its `labels` (z, y, x, the template's voxels) under a random warp, on cubes of `voxel_um`: other
    contrasts, light that varies, noise, another way to lie, and with `slab` only half of it along its longest axis.

    The same `seed` gives the same brain. No warp mirrors it, and its stated orientation has the right side right.
    """
    rng = np.random.default_rng(seed)
    level = work_level(template, voxel_um)
    shape = level.voxels.shape
    index = _warped_index(rng, shape)
    # straight lines between voxels would blur the brain in a pattern that no microscope or scanner makes
    voxels = _disturbed(rng, ndimage.map_coordinates(level.voxels, index, order=3))
    label_index = _in_template(template, level.to_space_um, index)
    found = _nearest(labels, label_index)
    start = _nearest(labels, _in_template(template, level.to_space_um, np.indices(shape, dtype=np.float64)))
    if slab:
        axis = int(np.argmax(shape))
        tissue = np.flatnonzero(found.any(axis=tuple(other for other in range(3) if other != axis)))
        low = int(tissue[0] + rng.uniform(0.2, 0.3) * len(tissue))
        cut = tuple(slice(low, low + len(tissue) // 2) if other == axis else slice(None) for other in range(3))
        voxels, found, start, index = voxels[cut], found[cut], start[cut], index[(slice(None), *cut)]
    chosen = turn or _some_turn(rng)
    letters = chosen.letters(template.stated_orientation)
    space = Space(f"known warp {seed} of {template.space.name}", template.space.species, letters)
    image = BrainImage(space, _turned_back(voxels, chosen), rows_of(np.diag([voxel_um, voxel_um, voxel_um, 1.0])))
    truth = np.stack([_turned_back(part, chosen) for part in index])
    return KnownBrain(
        image, _turned_back(found, chosen), truth, level.to_space_um, _turned_back(start, chosen), letters
    )


def _turned_back(turned: npt.NDArray[Any], turn: Turn) -> npt.NDArray[Any]:
    """The array of which `turn` makes `turned`."""
    straight = turned[tuple(slice(None, None, -1 if flip else 1) for flip in turn.flips)]
    return np.ascontiguousarray(straight.transpose(np.argsort(turn.axes)))


def _some_turn(rng: np.random.Generator) -> Turn:
    proper = [turn for turn in TURNS if not turn.is_mirrored]
    return proper[int(rng.integers(len(proper)))]


def _warped_index(rng: np.random.Generator, shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
    """Where each voxel looks into the template: an affine map about the middle, and smooth bumps that don't fold."""
    from scipy.spatial.transform import Rotation

    longest = max(shape)
    middle = (np.array(shape) - 1)[:, None, None, None] / 2
    turn = Rotation.from_rotvec(_direction(rng) * np.deg2rad(rng.uniform(0.5, 1) * _MOST_TURN_DEG)).as_matrix()
    linear = turn @ np.diag(rng.uniform(1 - _MOST_SCALE, 1 + _MOST_SCALE, 3))
    shift = _direction(rng) * rng.uniform(0.5, 1) * _MOST_SHIFT * longest
    bumps = ndimage.gaussian_filter(rng.normal(size=(3, *shape)), (0, *(3 * [_RIPPLE * longest])), mode="wrap")
    bumps *= _AMPLITUDE * longest / bumps.std()
    from_middle = np.indices(shape, dtype=np.float64) - middle
    return np.asarray(np.einsum("ij,jzyx->izyx", linear, from_middle) + middle + shift[:, None, None, None] + bumps)


def _direction(rng: np.random.Generator) -> npt.NDArray[np.float64]:
    way = rng.normal(size=3)
    return np.asarray(way / np.linalg.norm(way))


def _disturbed(rng: np.random.Generator, gray: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Other contrasts, light that varies by a third, and noise of 3 per cent."""
    light = ndimage.gaussian_filter(rng.normal(size=gray.shape), max(gray.shape) / 5, mode="wrap")
    light = np.exp(0.15 * light / light.std())
    gamma = rng.uniform(0.6, 1.5)
    return np.asarray(1000 * (np.clip(gray, 0, 1) ** gamma * light + rng.normal(0, 0.03, gray.shape)) + 100, np.float32)


def _in_template(template: BrainImage, level_to_um: Matrix, index: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    matrix = np.linalg.inv(np.array(template.voxel_to_space_um)) @ level_to_um
    return np.asarray(np.einsum("ij,jzyx->izyx", matrix[:3, :3], index) + matrix[:3, 3][:, None, None, None])


def _nearest(labels: Labels, index: npt.NDArray[np.float64]) -> Labels:
    at = np.floor(index + 0.5).astype(int)
    size = np.array(labels.shape)[:, None, None, None]
    inside = ((at >= 0) & (at < size)).all(axis=0)
    return np.where(inside, labels[tuple(np.clip(at, 0, size - 1))], 0)
