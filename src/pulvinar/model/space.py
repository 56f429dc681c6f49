"""Where things are: coordinate frames, and places that know their frame."""

from __future__ import annotations

from dataclasses import dataclass
from operator import lt, sub
from typing import Self

import numpy as np
import numpy.typing as npt

from pulvinar.errors import Invalid, SpaceMismatch

_OPPOSITES = {"L": "R", "R": "L", "P": "A", "A": "P", "I": "S", "S": "I"}
_SIDES = {"L": "left", "R": "right", "P": "posterior", "A": "anterior", "I": "inferior", "S": "superior"}
_PAIRS = ({"L", "R"}, {"P", "A"}, {"I", "S"})

Affine = tuple[tuple[float, float, float, float], ...]
"""Four rows of four numbers: a homogeneous map of (z, y, x) columns."""


@dataclass(frozen=True)
class Space:
    """A coordinate frame of one species, in micrometres, axis order (z, y, x).

    `orientation` has one letter an axis, in axis order: the side that rising coordinates go to, of
    L/R (left, right), P/A (posterior, anterior) and I/S (inferior, superior). "SAR" is NIfTI's RAS+
    written in (z, y, x) order. The empty string means that nobody said.
    """

    name: str
    species: str
    orientation: str = ""
    origin_um: tuple[float, float, float] = (0.0, 0.0, 0.0)
    extent_um: tuple[float, float, float] | None = None

    def __post_init__(self) -> None:
        if self.orientation:
            check_orientation(self.orientation)


def check_orientation(letters: str) -> str:
    """`letters` itself when they name three different axes, one letter each; raises `Invalid` otherwise."""
    axes = [next((i for i, pair in enumerate(_PAIRS) if letter in pair), None) for letter in letters]
    if len(letters) != 3 or sorted(a for a in axes if a is not None) != [0, 1, 2]:
        raise Invalid(
            f"{letters!r} is not an orientation",
            hint="three letters, one of each pair L/R, P/A, I/S, in axis order (z, y, x), for example SAR",
        )
    return letters


def axes_said(space: Space) -> str:
    """Where the axes of `space` rise to, as a file for other programs says it: in English, x first."""
    if not space.orientation:
        return f"space {space.name}, micrometres"
    axes = zip("xyz", reversed(space.orientation), strict=True)
    return f"space {space.name}, micrometres, {', '.join(f'{axis} to {_SIDES[letter]}' for axis, letter in axes)}"


def opposite(letter: str) -> str:
    """The other end of the axis that `letter` names: "L" for "R"."""
    return _OPPOSITES[letter]


@dataclass(frozen=True, eq=False)
class Points:
    """Places in one space: `zyx_um` has shape (n, 3), columns (z, y, x), micrometres, float64."""

    space: Space
    zyx_um: npt.NDArray[np.float64]

    def __post_init__(self) -> None:
        if self.zyx_um.ndim != 2 or self.zyx_um.shape[1] != 3:
            raise Invalid(f"points have shape {self.zyx_um.shape}", hint="expected (n, 3), columns z, y, x")


@dataclass(frozen=True)
class Box:
    """An axis-aligned box in one space: corners in micrometres, (z, y, x), start below stop on each axis."""

    space: Space
    start_um: tuple[float, float, float]
    stop_um: tuple[float, float, float]

    def __post_init__(self) -> None:
        if any(b <= a for a, b in zip(self.start_um, self.stop_um, strict=True)):
            raise Invalid(f"box from {self.start_um} to {self.stop_um} is empty")

    def contains(self, points: Points) -> npt.NDArray[np.bool_]:
        """Which of `points` lie inside, shape (n,); raises `SpaceMismatch` when the spaces differ."""
        if points.space != self.space:
            raise SpaceMismatch(f"points are in {points.space.name}, the box is in {self.space.name}")
        inside = (points.zyx_um >= self.start_um) & (points.zyx_um < self.stop_um)
        return np.asarray(inside.all(axis=1))


@dataclass(frozen=True)
class Window:
    """A block of voxels of one level, axes (t, c, z, y, x): from `start` up to and without `stop`."""

    start: tuple[int, int, int, int, int]
    stop: tuple[int, int, int, int, int]

    def __post_init__(self) -> None:
        if min(self.start) < 0 or not all(map(lt, self.start, self.stop)):
            raise Invalid(f"window from {self.start} to {self.stop} is empty or negative")

    @classmethod
    def whole(cls, shape: tuple[int, ...]) -> Self:
        """The window over everything of an array of `shape` (t, c, z, y, x)."""
        return cls((0, 0, 0, 0, 0), tuple(shape))  # type: ignore[arg-type]

    @property
    def shape(self) -> tuple[int, int, int, int, int]:
        """Voxels an axis."""
        t, c, z, y, x = map(sub, self.stop, self.start)
        return t, c, z, y, x

    @property
    def slices(self) -> tuple[slice, ...]:
        """For indexing an array of axes (t, c, z, y, x)."""
        return tuple(slice(a, b) for a, b in zip(self.start, self.stop, strict=True))
