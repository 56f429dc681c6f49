"""A space cut into blocks, each named by one number, so that what is near has numbers that are near.

Blocks are numbered in Morton's order: the bits of their places along z, y and x in turn. Every cube of 2^k blocks a
side, laid out from the origin, is then one range of numbers, and any figure is a few ranges.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from pulvinar.errors import Invalid
from pulvinar.model.space import Points, Space

_SIDE_UM = {"zebrafish": 25.0, "mouse": 200.0, "macaque": 800.0, "human": 1600.0}
"""A brain is some 60 to 110 blocks long. By species and not by the atlas: the numbers of stored blocks must mean the
same in every version of it. Each side is a power of two of 25 micrometres."""
BITS = 20
"""Along each axis blocks have numbers of so many bits."""
_FIRST = -(1 << (BITS - 1))
"""Coordinates may be below zero: the blocks of an axis are numbered from here."""
_MOST = 4096
"""A figure is told in about so many cubes; those that its surface cuts are looked into one place at a time."""
_SPREAD = (
    (32, 0x001F00000000FFFF),
    (16, 0x001F0000FF0000FF),
    (8, 0x100F00F00F00F00F),
    (4, 0x10C30C30C30C30C3),
    (2, 0x1249249249249249),
)
_OUT, _CUT, _IN = 0, 1, 2
_HALVINGS = 5
_EIGHTHS = np.stack(np.meshgrid(*[[0, 1]] * 3, indexing="ij"), axis=-1).reshape(1, 8, 3)

Array = npt.NDArray[Any]


def block_side_um(space: Space) -> float:
    """How long the sides of the blocks of `space` are, in micrometres."""
    return _SIDE_UM.get(space.species, 200.0)


def block_codes(points: Points) -> npt.NDArray[np.int64]:
    """The number of the block in which each of `points` lies, int64 (n,).

    Raises `Invalid` for a place that is no number, or farther than any brain reaches.
    """
    with np.errstate(invalid="ignore"):
        index = np.floor(points.zyx_um / block_side_um(points.space)) - _FIRST
        if not ((index >= 0) & (index < 1 << BITS)).all():
            raise Invalid(
                f"a place is no number, or too far away for a brain in {points.space.name}",
                hint="check the unit of the coordinates",
            )
    return _code(index.astype(np.int64))


def block_corners(space: Space, codes: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """The first corner (z, y, x) of each block, micrometres, float64 (n, 3)."""
    axes = [_gathered(codes.astype(np.uint64) >> np.uint64(2 - axis)) for axis in range(3)]
    corners = (np.stack(axes, axis=1).astype(np.int64) + _FIRST) * block_side_um(space)
    return corners.astype(np.float64)


class Figure(Protocol):
    """A part of a space that can be asked for."""

    def sort(self, low: Array, high: Array) -> Array:
        """Of boxes from `low` up to `high`, float64 (n, 3): 0 outside, 1 cut by the surface, 2 inside; int8 (n,)."""

    def holds(self, zyx_um: Array) -> Array:
        """Which places (n, 3) are in it, bool (n,)."""

    def meets(self, low: Array, high: Array) -> Array:
        """Which boxes from `low` up to `high`, float64 (n, 3), share something with it, bool (n,)."""

    def __hash__(self) -> int:
        """Figures are values: the blocks of one are worked out once."""


@dataclass(frozen=True)
class Ball:
    """Everything within `radius_um` of `center_um` (z, y, x), the surface included."""

    center_um: tuple[float, float, float]
    radius_um: float

    def __post_init__(self) -> None:
        if not (np.isfinite(self.center_um).all() and 0 <= self.radius_um < np.inf):
            raise Invalid(f"there is no ball of {self.radius_um} um around {self.center_um}")

    def sort(self, low: Array, high: Array) -> Array:
        """As `Figure` says."""
        near = np.maximum(np.maximum(low - self.center_um, self.center_um - high), 0)
        far = np.maximum(np.abs(low - self.center_um), np.abs(high - self.center_um))
        square = self.radius_um**2
        return np.where((far**2).sum(axis=1) <= square, _IN, np.where((near**2).sum(axis=1) <= square, _CUT, _OUT))

    def holds(self, zyx_um: Array) -> Array:
        """As `Figure` says."""
        return np.asarray(((zyx_um - self.center_um) ** 2).sum(axis=1) <= self.radius_um**2)

    def meets(self, low: Array, high: Array) -> Array:
        """As `Figure` says."""
        return np.asarray(self.sort(low, high) != _OUT)


@dataclass(frozen=True)
class BoxFigure:
    """Everything from `start_um` up to, without, `stop_um` (z, y, x)."""

    start_um: tuple[float, float, float]
    stop_um: tuple[float, float, float]

    def __post_init__(self) -> None:
        corners = np.array([self.start_um, self.stop_um])
        if not (np.isfinite(corners).all() and (corners[0] < corners[1]).all()):
            raise Invalid(f"the box from {self.start_um} to {self.stop_um} is empty", hint="start lies below stop")

    def sort(self, low: Array, high: Array) -> Array:
        """As `Figure` says."""
        inside = ((low >= self.start_um) & (high <= self.stop_um)).all(axis=1)
        outside = ((high <= self.start_um) | (low >= self.stop_um)).any(axis=1)
        return np.where(inside, _IN, np.where(outside, _OUT, _CUT))

    def holds(self, zyx_um: Array) -> Array:
        """As `Figure` says."""
        return np.asarray(((zyx_um >= self.start_um) & (zyx_um < self.stop_um)).all(axis=1))

    def meets(self, low: Array, high: Array) -> Array:
        """As `Figure` says."""
        return np.asarray(((high > self.start_um) & (low < self.stop_um)).all(axis=1))


@dataclass(frozen=True)
class Around:
    """Everything within `radius_um` of something of which a function tells how far places (n, 3) are, float64 (n,).

    `box_gap_um` tells of boxes from `low` up to `high` how far each is from it at most, float64 (n,): the less it is
    too much, the sooner it is known which boxes meet the figure.
    """

    distance_um: Callable[[Array], Array]
    radius_um: float
    box_gap_um: Callable[[Array, Array], Array] | None = None

    def sort(self, low: Array, high: Array) -> Array:
        """As `Figure` says, of a ball around each box: what may be inside may count as cut."""
        return self._sorted(self.distance_um((low + high) / 2), low, high)

    def _sorted(self, distance: Array, low: Array, high: Array) -> Array:
        """The same, where it is known how far the middles of the boxes are."""
        half = np.linalg.norm(high - low, axis=1) / 2
        near, far = distance - half <= self.radius_um, distance + half <= self.radius_um
        return np.where(far, _IN, np.where(near, _CUT, _OUT))

    def holds(self, zyx_um: Array) -> Array:
        """As `Figure` says."""
        return np.asarray(self.distance_um(zyx_um) <= self.radius_um)

    def meets(self, low: Array, high: Array) -> Array:
        """As `Figure` says; boxes are halved until the middle of a part is in it or none can be, at most so often that
        what is missed is less than a 64th of the box."""
        # the images of one atlas have one box, and a box is told once for each cube in which it lies
        boxes, which = np.unique(np.concatenate([low, high], axis=1), axis=0, return_inverse=True)
        return self._meets(boxes[:, :3], boxes[:, 3:])[which.reshape(-1)]

    def _meets(self, low: Array, high: Array) -> Array:
        found = np.zeros(len(low), bool)
        if self.box_gap_um is not None:
            found = self.box_gap_um(low, high) <= self.radius_um
        owner = np.flatnonzero(~found)
        first, last = low[owner], high[owner]
        for _ in range(_HALVINGS + 1):
            if not len(owner):
                break
            distance = self.distance_um((first + last) / 2)
            found[owner[distance <= self.radius_um]] = True
            open_parts = (self._sorted(distance, first, last) != _OUT) & ~found[owner]
            owner, first, last = owner[open_parts], first[open_parts], last[open_parts]
            half = (last - first)[:, None] / 2
            first = (first[:, None] + _EIGHTHS * half).reshape(-1, 3)
            owner, last = np.repeat(owner, 8), first + np.repeat(half[:, 0], 8, axis=0)
        return found


@dataclass(frozen=True, eq=False)
class Cover:
    """The blocks of a figure as ranges of their numbers, both ends included, int64 (n, 2): those wholly inside of it,
    and those that its surface cuts. All are made of cubes of `1 << bits` blocks, the smallest that were looked at."""

    inside: npt.NDArray[np.int64]
    cut: npt.NDArray[np.int64]
    bits: int = 0

    @cached_property
    def whole(self) -> npt.NDArray[np.int64]:
        """Both together."""
        return _joined([self.inside, self.cut])

    @cached_property
    def codes(self) -> npt.NDArray[np.int64]:
        """Every block of both, rising: of a figure of few blocks, for there is no end to how many one may have."""
        first, last = self.whole.T
        many = last - first + 1
        return np.repeat(first - np.cumsum(many) + many, many) + np.arange(many.sum())


def cover(space: Space, figure: Figure) -> Cover:
    """The blocks of `space` in which `figure` lies."""
    return (_cover_around if isinstance(figure, Around) else _cover_plain)(space, figure)


def _cover(space: Space, figure: Figure) -> Cover:
    """Cubes are halved until they are inside, outside, or single."""
    side = block_side_um(space)
    cubes, level = np.zeros((1, 3), np.int64), BITS
    found: dict[int, list[Array]] = {_IN: [], _CUT: []}
    while len(cubes):
        low = (cubes + _FIRST) * side
        where = figure.sort(low, low + side * (1 << level))
        open_cubes = cubes[where == _CUT]
        done = level == 0 or 8 * len(open_cubes) > _MOST
        for kind in (_IN, _CUT) if done else (_IN,):
            first = _code(cubes[where == kind])
            found[kind].append(np.stack([first, first + (1 << (3 * level)) - 1], axis=1))
        if done:
            break
        level -= 1
        cubes = (open_cubes[:, None] + (_EIGHTHS << level)).reshape(-1, 3)
    return Cover(_joined(found[_IN]), _joined(found[_CUT]), 3 * level)


# Those around regions take 60 ms each, and regions are asked for again: no number of points may push them out.
_cover_around = lru_cache(32)(_cover)
_cover_plain = lru_cache(64)(_cover)


def in_ranges(ranges: npt.NDArray[np.int64], codes: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Which of `codes` (n,) are in one of `ranges` (m, 2), which rise and share nothing; bool (n,)."""
    if not len(ranges):
        return np.zeros(len(codes), bool)
    at = np.searchsorted(ranges[:, 0], codes, "right") - 1
    return np.asarray((at >= 0) & (codes <= ranges[np.maximum(at, 0), 1]))


def _joined(parts: list[Array]) -> npt.NDArray[np.int64]:
    """The ranges in rising order, neighbours made one."""
    ranges = np.concatenate([np.zeros((0, 2), np.int64), *parts])
    ranges = ranges[np.argsort(ranges[:, 0])]
    begins = np.flatnonzero(np.concatenate([[True], ranges[1:, 0] > ranges[:-1, 1] + 1])[: len(ranges)])
    ends = np.concatenate([begins[1:] - 1, [len(ranges) - 1]])[: len(begins)]
    return np.stack([ranges[begins, 0], ranges[ends, 1]], axis=1)


def _code(index: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The numbers of blocks by their places (n, 3) along z, y, x."""
    code = np.zeros(len(index), np.uint64)
    for axis in range(3):
        bits = index[:, axis].astype(np.uint64)
        for shift, mask in _SPREAD:
            bits = (bits | bits << np.uint64(shift)) & np.uint64(mask)
        code |= bits << np.uint64(2 - axis)
    return code.astype(np.int64)


def _gathered(bits: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Every third bit of each number, from the lowest on."""
    bits = bits & np.uint64(_SPREAD[-1][1])
    for at in range(len(_SPREAD) - 1, -1, -1):
        mask = _SPREAD[at - 1][1] if at else 0x1FFFFF
        bits = (bits | bits >> np.uint64(_SPREAD[at][0])) & np.uint64(mask)
    return bits
