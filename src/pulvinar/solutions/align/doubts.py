"""Why somebody should look at an alignment before anything is built on it."""

from __future__ import annotations

from dataclasses import dataclass

from pulvinar.atlases.inversion import InversionError
from pulvinar.solutions.align.orientation import LeftRight, Orientation
from pulvinar.solutions.align.quality import Quality

_RUNNER_UP = 0.85
_TISSUE_DICE = 0.9
_COVERED = 0.85
_GROWN = (0.1, 8.0)


@dataclass(frozen=True)
class Doubt:
    """One reason: `name` for programs, `text` for people (which pages say in other languages too)."""

    name: str
    text: str


def doubts_of(
    orientation: Orientation, quality: Quality, inversion: InversionError, voxel_um: float
) -> tuple[Doubt, ...]:
    """Every reason there is, the gravest first; none when nothing looks odd."""
    found = [*_of_orientation(orientation), *_of_quality(quality)]
    if inversion.points and inversion.p95_um > voxel_um / 2:
        found.append(
            Doubt(
                "inverse",
                f"going forth and back ends {inversion.p95_um:.3g} um away (95th percentile)",
            )
        )
    return tuple(found)


def _of_orientation(found: Orientation) -> list[Doubt]:
    doubts = []
    if found.runner_up > _RUNNER_UP * found.alikeness:
        doubts.append(
            Doubt(
                "orientation-unsure",
                f"another way to lie fits almost as well ({found.runner_up:.2f} against {found.alikeness:.2f})",
            )
        )
    if found.stated and found.stated != found.letters:
        doubts.append(
            Doubt(
                "orientation-differs",
                f"the brain lies {found.letters}, {found.stated} was stated",
            )
        )
    if found.left_right in (LeftRight.UNKNOWN, LeftRight.HANDEDNESS):
        doubts.append(
            Doubt(
                "left-right",
                "the brain alone does not tell left from right, and nobody stated it for this axis",
            )
        )
    return doubts


def _of_quality(quality: Quality) -> list[Doubt]:
    doubts = []
    last, rough = quality.stages[-1], quality.stages[0]
    if last.tissue_dice < _TISSUE_DICE:
        doubts.append(
            Doubt(
                "outline",
                f"the outlines overlap only to {last.tissue_dice:.2f} (Dice)",
            )
        )
    if last.mutual_information <= rough.mutual_information:
        doubts.append(
            Doubt(
                "no-gain",
                "the images have no more in common than before",
            )
        )
    if quality.folded_share > 0:
        doubts.append(
            Doubt(
                "folds",
                f"the deformation folds at {quality.folded_share:.2%} of the voxels",
            )
        )
    low, high = quality.growth_range
    if low < _GROWN[0] or high > _GROWN[1]:
        doubts.append(
            Doubt(
                "growth",
                f"volume changes locally by factors of {low:.2f} to {high:.2f}",
            )
        )
    if quality.covered < _COVERED:
        doubts.append(
            Doubt(
                "partial",
                f"only {quality.covered:.0%} of the template's tissue could be compared",
            )
        )
    return doubts
