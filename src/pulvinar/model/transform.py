"""Maps from one space to another. A transform is named by the way that points go: a point of `source` becomes a point
of `target`.

Images go the other way: to fill a voxel of an image in space A from an image in space B, one takes the transform of
points from A to B. ANTs, ITK and NiftyReg name theirs by the way of the image; the docstrings of what reads their files
say what that makes of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from math import hypot, isfinite
from typing import Protocol

import numpy as np
import numpy.typing as npt

from pulvinar.errors import Invalid, SpaceMismatch
from pulvinar.model.space import Affine, Space

Matrix = npt.NDArray[np.float64]
"""A homogeneous 4x4 map of (z, y, x, 1) columns."""

IDENTITY: Affine = ((1.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0), (0.0, 0.0, 1.0, 0.0), (0.0, 0.0, 0.0, 1.0))
_FLATTEST = 1e-9
"""The determinant of a map's columns, each brought to length 1, below which it has no inverse worth the name."""


class Outside(StrEnum):
    """What a field of vectors says of a place beyond its outermost voxels.

    NEAREST: what the nearest voxel says, as far out as one likes. IDENTITY: the nearest voxel for half a voxel, and no
    displacement further out, as ITK does.
    """

    NEAREST = "nearest"
    IDENTITY = "identity"


@dataclass(frozen=True)
class FieldGrid:
    """Where the vectors of a field lie: `shape` in voxels (z, y, x), and the map of a voxel's index (z, y, x, 1) to
    micrometres (z, y, x) of the space of the points. Raises `Invalid` for an empty grid or a map without inverse."""

    shape: tuple[int, int, int]
    voxel_to_space_um: Affine
    outside: Outside = Outside.IDENTITY

    def __post_init__(self) -> None:
        if len(self.shape) != 3 or min(self.shape) < 1:
            raise Invalid(f"a field of shape {self.shape} has no voxels", hint="expected three sizes (z, y, x)")
        check_affine(self.voxel_to_space_um)


class VectorField(Protocol):
    """Vectors on a grid, read block by block, wherever they are."""

    @property
    def grid(self) -> FieldGrid:
        """Where they lie."""

    @property
    def block_shape(self) -> tuple[int, int, int]:
        """Voxels (z, y, x) that are decoded at once."""

    def read(self, start: tuple[int, int, int], stop: tuple[int, int, int]) -> npt.NDArray[np.float32]:
        """The vectors of voxels `start` up to and without `stop`: axes (component, z, y, x), components (z, y, x) in
        micrometres of the target, native byte order."""


@dataclass(frozen=True)
class AffineTransform:
    """`matrix_um` maps (z, y, x, 1) of `source` to (z, y, x, 1) of `target`, both in micrometres.

    `expected_error_um` is how far off a point is to be expected, None where nobody knows. `provenance` says where the
    transform comes from. Raises `Invalid` for a map without inverse.
    """

    source: Space
    target: Space
    matrix_um: Affine
    expected_error_um: float | None = None
    provenance: str = ""

    def __post_init__(self) -> None:
        check_affine(self.matrix_um)
        check_error(self.expected_error_um)


@dataclass(frozen=True)
class DisplacementTransform:
    """A point p becomes `base_um` p + v(p), where v is `field` between its voxels, trilinear.

    `base_um` is the identity where both spaces lie alike. `inverse` is the field of the way back, whose grid lies in
    `target` and whose base is the inverse of `base_um`; None until it is made. `inversion_error_um` is what it adds:
    the 95th percentile of how far forth and back ends from where it began.
    """

    source: Space
    target: Space
    field: VectorField
    base_um: Affine = IDENTITY
    expected_error_um: float | None = None
    provenance: str = ""
    inverse: VectorField | None = None
    inversion_error_um: float | None = None

    def __post_init__(self) -> None:
        check_affine(self.base_um)
        check_error(self.expected_error_um)
        check_error(self.inversion_error_um)


Step = AffineTransform | DisplacementTransform


@dataclass(frozen=True)
class Composition:
    """Transforms one after the other, the first of `parts` first. Raises `SpaceMismatch` where two don't meet."""

    parts: tuple[Step, ...]

    def __post_init__(self) -> None:
        if not self.parts:
            raise Invalid("a composition of nothing has no spaces", hint="take an affine transform of the identity")
        for before, after in zip(self.parts, self.parts[1:], strict=False):
            if before.target != after.source:
                raise SpaceMismatch(
                    f"a transform to {before.target.name} is followed by one from {after.source.name}",
                    hint="a composition begins with the transform that points meet first",
                )

    @property
    def source(self) -> Space:
        """Where points come from."""
        return self.parts[0].source

    @property
    def target(self) -> Space:
        """Where points go to."""
        return self.parts[-1].target

    @property
    def expected_error_um(self) -> float | None:
        """The errors of the parts, added as independent ones add; None when one is unknown."""
        return combined_error(part.expected_error_um for part in self.parts)

    @property
    def provenance(self) -> str:
        """What the parts say, in order."""
        return "; then ".join(part.provenance for part in self.parts if part.provenance)


Transform = AffineTransform | DisplacementTransform | Composition


def combined_error(errors_um: Iterable[float | None]) -> float | None:
    """Independent errors added in quadrature (the root of the sum of squares); None when one is None."""
    known = list(errors_um)
    return None if None in known else hypot(*(error for error in known if error is not None))


def check_error(error_um: float | None) -> None:
    """Raise `Invalid` for an error that is no length."""
    if error_um is not None and not (isfinite(error_um) and error_um >= 0):
        raise Invalid(f"{error_um} is no error in micrometres", hint="leave it None where nobody knows")


def check_affine(affine: Affine) -> None:
    """Raise `Invalid` unless `affine` is a homogeneous 4x4 map of finite numbers that has an inverse."""
    matrix = np.array(affine, np.float64)
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all() or (matrix[3] != (0, 0, 0, 1)).any():
        raise Invalid(
            f"{matrix.tolist()} is no affine map", hint="expected 4x4 finite numbers whose last row is 0 0 0 1"
        )
    lengths = np.linalg.norm(matrix[:3, :3], axis=0)
    if not lengths.all() or abs(np.linalg.det(matrix[:3, :3] / lengths)) < _FLATTEST:
        raise Invalid(
            f"the map {matrix.tolist()} has no inverse: it makes space flat", hint="check the file that it is from"
        )


def affine_rows(matrix: npt.ArrayLike) -> Affine:
    """A 4x4 array as the rows that a transform takes."""
    return tuple(tuple(float(number) for number in row) for row in np.asarray(matrix, np.float64))  # type: ignore[misc]


def inverse_rows(affine: Affine) -> Affine:
    """The inverse of `affine`; its last row is exact."""
    inverse = np.linalg.inv(np.array(affine, np.float64))
    inverse[3] = (0, 0, 0, 1)
    return affine_rows(inverse)


def space_to_world(space: Space) -> Affine:
    """The map from `space` to the world frame "SAR" of `Volume.affine_um`, (z, y, x, 1) in micrometres on both sides.

    Axes are put in the world's order and turned to rise towards superior, anterior and right; the space's origin
    becomes the world's. Raises `Invalid` for a space whose orientation nobody has said.
    """
    if not space.orientation:
        raise Invalid(f"the space {space.name} has no orientation", hint="say to which sides its axes rise")
    matrix = np.eye(4)
    matrix[:3, :3] = 0
    for axis, letter in enumerate(space.orientation):
        world = next(i for i, pair in enumerate(("SI", "AP", "RL")) if letter in pair)
        matrix[world, axis] = 1.0 if letter in "SAR" else -1.0
    matrix[:3, 3] = -matrix[:3, :3] @ space.origin_um
    return affine_rows(matrix + 0.0)


def world_to_space(space: Space) -> Affine:
    """The way back of `space_to_world`. Raises as it does."""
    return affine_rows(np.array(inverse_rows(space_to_world(space))) + 0.0)


def corner_grid(
    shape: tuple[int, int, int], voxel_size_um: tuple[float, float, float], outside: Outside = Outside.IDENTITY
) -> FieldGrid:
    """The grid of a space whose origin is the corner of the volume: the centre of voxel i lies at (i + 0.5) voxels, as
    in the Allen CCFv3."""
    rows = [[0.0] * 4 for _ in range(3)]
    for axis, size in enumerate(voxel_size_um):
        rows[axis][axis], rows[axis][3] = size, size / 2
    return FieldGrid(shape, affine_rows([*rows, [0.0, 0.0, 0.0, 1.0]]), outside)
