"""How a brain lies, found from the brain: all 48 ways to turn and mirror a volume are tried on a coarse level.

A brain that is symmetric looks the same in a mirror: which side is left then is what somebody stated, or, where nobody
did, a guess that is said to be one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import permutations, product
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import fft, ndimage

from pulvinar.model.space import opposite
from pulvinar.solutions.align.aligner import Aligner, Metric, Pair
from pulvinar.solutions.align.brain_image import Gray, Mask, Matrix, WorkLevel
from pulvinar.solutions.align.quality import alikeness

_REFINED = 6
"""So many of the best ways to lie are looked at more closely."""
_RIM = 2
"""So many voxels around the tissue are looked at too: the outline tells much."""
_TOLD_APART = 0.1
"""A mirror image whose local correlation is lower by less than this part is taken for as good."""


class LeftRight(StrEnum):
    """How it is known which side is left: from what was stated of that axis, from the handedness of what was stated,
    from the image alone, or not at all."""

    STATED = "stated"
    HANDEDNESS = "handedness"
    DATA = "data"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Turn:
    """One of the 48: axis k of the turned array is axis `axes[k]` of the array, run backwards where `flips[k]`."""

    axes: tuple[int, int, int]
    flips: tuple[bool, bool, bool]

    @property
    def is_mirrored(self) -> bool:
        """Whether it makes a left hand of a right one."""
        sign = np.linalg.det(np.eye(3)[list(self.axes)])
        return bool(sign * (-1) ** sum(self.flips) < 0)

    def turned(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """`array` (z, y, x), turned: a view."""
        return array.transpose(self.axes)[tuple(slice(None, None, -1 if flip else 1) for flip in self.flips)]

    def to_array(self, shape: tuple[int, ...]) -> Matrix:
        """The map of an index of the turned array to one of the array, whose shape is `shape`; 4x4."""
        matrix = np.zeros((4, 4))
        matrix[3, 3] = 1
        for axis, (stored, flip) in enumerate(zip(self.axes, self.flips, strict=True)):
            matrix[stored, axis] = -1 if flip else 1
            matrix[stored, 3] = shape[stored] - 1 if flip else 0
        return matrix

    def letters(self, target: str) -> str:
        """To which sides the axes of the array rise, when those of the turned one rise to `target`."""
        letters = ["", "", ""]
        for letter, stored, flip in zip(target, self.axes, self.flips, strict=True):
            letters[stored] = opposite(letter) if flip else letter
        return "".join(letters)


TURNS = tuple(Turn(axes, flips) for axes in permutations(range(3)) for flips in product((False, True), repeat=3))  # type: ignore[arg-type]


@dataclass(frozen=True)
class Orientation:
    """`letters`: to which sides the brain's voxel axes rise; `stated`: what was said of it, or empty.

    `alikeness` is the local correlation (0 to 1, squared) of this way to lie on a coarse level, `runner_up` that of the
    best other one that is no mirror image, `mirrored` that of the mirror image.
    """

    letters: str
    stated: str
    left_right: LeftRight
    alikeness: float
    runner_up: float
    mirrored: float


@dataclass(frozen=True, eq=False)
class Pose:
    """How the brain lies, roughly: `turn` brings its array the template's way round, and `template_to_brain_um` maps
    micrometres (z, y, x, 1) of one space to those of the other."""

    turn: Turn
    template_to_brain_um: Matrix
    orientation: Orientation


@dataclass(frozen=True, eq=False)
class _Candidate:
    turn: Turn
    shift: npt.NDArray[np.float64]
    """Index of the template minus index of the turned array."""
    score: float


@dataclass(frozen=True, eq=False)
class _Refined:
    turn: Turn
    affine: Matrix
    alikeness: float


def find_pose(template: WorkLevel, brain: WorkLevel, template_letters: str, stated: str, aligner: Aligner) -> Pose:
    """How `brain` lies in `template`, both on the same coarse voxels of some 24 to 32 along a brain."""
    # what is far from any tissue may be air, or where a part of the brain was cut off
    near = replace(brain, known=brain.known & ndimage.binary_dilation(brain.tissue, iterations=_RIM))
    candidates = sorted(_placed(template, near), key=lambda one: -one.score)
    left_right = next(axis for axis, letter in enumerate(template_letters) if letter in "LR")
    chosen: list[Turn] = []
    refined: dict[Turn, _Refined] = {}
    for one in candidates:
        if len(chosen) == _REFINED:
            break
        if one.turn not in chosen and _twin(one.turn, left_right) not in chosen:
            chosen.append(one.turn)
            start = np.eye(4)
            start[:3, 3] = -one.shift
            refined[one.turn] = _refined(template, brain, one.turn, start, aligner)
    chosen.sort(key=lambda turn: -refined[turn].alikeness)
    best, twin = chosen[0], _twin(chosen[0], left_right)
    refined[twin] = _mirrored(template, brain, refined[best], twin, left_right, aligner)
    pair = (refined[best], refined[twin])
    found, how = _sided(pair, template_letters, stated)
    other = pair[1] if found is pair[0] else pair[0]
    orientation = Orientation(
        found.turn.letters(template_letters),
        stated,
        how,
        found.alikeness,
        refined[chosen[1]].alikeness,
        other.alikeness,
    )
    to_index = found.turn.to_array(brain.voxels.shape) @ found.affine
    matrix = brain.to_space_um @ to_index @ np.linalg.inv(template.to_space_um)
    return Pose(found.turn, matrix, orientation)


def handedness(letters: str) -> int:
    """1 for axes that rise as those of a right hand do in the order S, A, R; -1 for their mirror image."""
    matrix = np.zeros((3, 3))
    for axis, letter in enumerate(letters):
        row = next(i for i, pair in enumerate(("SI", "AP", "RL")) if letter in pair)
        matrix[row, axis] = 1 if letter in "SAR" else -1
    return int(np.rint(np.linalg.det(matrix)))


def _sided(pair: tuple[_Refined, _Refined], template_letters: str, stated: str) -> tuple[_Refined, LeftRight]:
    """Of a way to lie and its mirror image, the one to take."""
    letters = [one.turn.letters(template_letters) for one in pair]
    if stated:
        axis = next(i for i, letter in enumerate(letters[0]) if letter in "LR")
        if stated[axis] in "LR":
            return pair[0 if letters[0][axis] == stated[axis] else 1], LeftRight.STATED
        return pair[0 if handedness(letters[0]) == handedness(stated) else 1], LeftRight.HANDEDNESS
    alike = [one.alikeness for one in pair]
    if min(alike) < (1 - _TOLD_APART) * max(alike):
        return max(pair, key=lambda one: one.alikeness), LeftRight.DATA
    return pair[0 if handedness(letters[0]) == handedness(template_letters) else 1], LeftRight.UNKNOWN


def _twin(turn: Turn, left_right: int) -> Turn:
    a, b, c = (flip != (axis == left_right) for axis, flip in enumerate(turn.flips))
    return Turn(turn.axes, (a, b, c))


def _placed(template: WorkLevel, brain: WorkLevel) -> list[_Candidate]:
    """For each turn where it fits best: by the correlation of the intensities, and of the outlines, at all shifts.

    Outside its array the template is known to be empty; the brain is compared where it is known. Source of the
    correlation under a mask: Padfield (2012), "Masked object registration in the Fourier domain", IEEE Transactions on
    Image Processing 21(5), 2706-2718.
    """
    held, part_of = _around(template.tissue), _around(brain.known)
    origin, first = np.array([one.start for one in held]), np.array([one.start for one in part_of])
    gray, tissue, seen = brain.voxels[part_of], brain.tissue[part_of], brain.known[part_of]
    channels = (template.voxels[held], template.tissue[held].astype(np.float32))
    span = np.array(channels[0].shape) + max(gray.shape)
    shape = tuple(fft.next_fast_len(int(n), real=True) for n in span)
    spectra = [(fft.rfftn(one, shape), fft.rfftn(one**2, shape)) for one in channels]
    found = []
    for turn in TURNS:
        known = turn.turned(seen).astype(np.float32)
        known_spectrum = np.conj(fft.rfftn(known, shape))
        parts = [turn.turned(gray), turn.turned(tissue).astype(np.float32)]
        scores = [
            _correlation(spectrum, part * known, known_spectrum, float(known.sum()), shape)
            for spectrum, part in zip(spectra, parts, strict=True)
        ]
        total = np.abs(scores[0]) + scores[1]
        at = np.array(np.unravel_index(np.argmax(total), shape))
        # shifts to the left come out at the far end
        shift = np.where(at >= np.array(channels[0].shape), at - np.array(shape), at)
        corner = np.linalg.inv(turn.to_array(brain.voxels.shape)) @ turn.to_array(gray.shape)[:, 3]
        begins = corner[:3] + np.linalg.inv(turn.to_array(brain.voxels.shape))[:3, :3] @ first
        found.append(_Candidate(turn, shift + origin - begins, float(total.max())))
    return found


def _around(mask: Mask) -> tuple[slice, ...]:
    """The box of a mask, and two voxels more on each side."""
    at = np.argwhere(mask)
    low, high = np.maximum(at.min(axis=0) - 2, 0), np.minimum(at.max(axis=0) + 3, mask.shape)
    return tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))


def _correlation(
    spectra: tuple[npt.NDArray[np.complex64], npt.NDArray[np.complex64]],
    part: Gray,
    known_spectrum: npt.NDArray[np.complex64],
    count: float,
    shape: tuple[int, ...],
) -> Gray:
    plain, squared = spectra
    product = fft.irfftn(plain * np.conj(fft.rfftn(part, shape)), shape)
    under = fft.irfftn(plain * known_spectrum, shape)
    under_squared = fft.irfftn(squared * known_spectrum, shape)
    varies = np.maximum(under_squared - under**2 / count, 1e-3 * float(under_squared.max()))
    own = max(float((part**2).sum() - part.sum() ** 2 / count), 1e-6)
    return np.asarray((product - under * part.sum() / count) / np.sqrt(varies * own), np.float32)


def _mirrored(
    template: WorkLevel, brain: WorkLevel, found: _Refined, twin: Turn, left_right: int, aligner: Aligner
) -> _Refined:
    """The same place in the mirror: both the template and the array are mirrored, the template about its middle."""
    in_template, in_array = np.eye(4), np.eye(4)
    in_template[left_right, left_right] = in_array[left_right, left_right] = -1
    in_template[left_right, 3] = 2 * np.argwhere(template.tissue)[:, left_right].mean()
    in_array[left_right, 3] = brain.voxels.shape[found.turn.axes[left_right]] - 1
    return _refined(template, brain, twin, in_array @ found.affine @ in_template, aligner)


def _refined(template: WorkLevel, brain: WorkLevel, turn: Turn, start: Matrix, aligner: Aligner) -> _Refined:
    """From the brain to the template, so that a brain of which a part is missing is not blown up to fill it."""
    turned, tissue = (np.ascontiguousarray(turn.turned(array)) for array in (brain.voxels, brain.tissue))
    near = turn.turned(brain.known) & ndimage.binary_dilation(tissue, iterations=_RIM)
    pair = Pair(turned, template.voxels, Metric.MUTUAL_INFORMATION, near)
    tried: list[Matrix] = [np.asarray(np.linalg.inv(start), np.float64)]
    tried.append(aligner.affine(pair, tried[0], 7))
    alike = [alikeness(turned, template.voxels, near, back) for back in tried]
    best = int(np.argmax(alike))
    return _Refined(turn, np.asarray(np.linalg.inv(tried[best]), np.float64), alike[best])
