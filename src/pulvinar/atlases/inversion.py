"""The way back of a displacement: by fixed-point iteration, point by point or as a field made block by block.

y = A x + v(x) is solved as x <- x - A^-1 (A x + v(x) - y), which converges where v changes by less than the distance
between two points. Source: Chen, Lu, Chen, Ruchala and Olivera (2008), "A simple fixed-point approach to invert a
deformation field", Medical Physics 35(1), 81-88.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pulvinar.atlases.displacement import ArrayField, Triple, add_vectors, displace, mapped, store_field
from pulvinar.errors import Invalid, SpaceMismatch
from pulvinar.model.dataset import StoredObject
from pulvinar.model.space import Points
from pulvinar.model.transform import DisplacementTransform, FieldGrid, VectorField, affine_rows, inverse_rows
from pulvinar.storage.store import Store

TOLERANCE_UM = 0.1
_MOST_STEPS = 50
_BATCH = 1 << 20
_PROBES = 1 << 20
_BLOCK = (32, 64, 64)

Places = npt.NDArray[np.float64]


@dataclass(frozen=True)
class InversionError:
    """How far from where it began a point ends that goes back by the inverse and forth again, in micrometres.

    Measured at `points` random places of the inverse's grid, between its voxels, as far as their way back leads into
    the field. `unsolved` of the grid's voxels have no solution within the tolerance: where the field folds, and beyond
    its edge.
    """

    points: int
    max_um: float
    p95_um: float
    unsolved: int


@dataclass(frozen=True, eq=False)
class InvertedField:
    """`transform` is the given one with its inverse; `objects` are the inverse's, by path relative to its prefix."""

    transform: DisplacementTransform
    error: InversionError
    objects: tuple[StoredObject, ...]


def solve_inverse(
    transform: DisplacementTransform, points: Points, tolerance_um: float = TOLERANCE_UM
) -> tuple[Points, npt.NDArray[np.float64]]:
    """The points of the source that `transform` brings to `points`, and how far from them (n,) it brings them, in
    micrometres: more than `tolerance_um` where there is no solution. No inverse has to be made before.

    Raises `SpaceMismatch` for points of another space than its target, `Invalid` for one that is no number.
    """
    if points.space != transform.target:
        raise SpaceMismatch(f"the points are in {points.space.name}, the transform is to {transform.target.name}")
    if not np.isfinite(points.zyx_um).all():
        raise Invalid("a point is no number", hint="leave NaN and infinity out")
    found, far = np.empty_like(points.zyx_um), np.empty(len(points.zyx_um))
    for first in range(0, len(found), _BATCH):
        part = slice(first, first + _BATCH)
        found[part], far[part] = _solve(transform, points.zyx_um[part], tolerance_um)
    return Points(transform.source, found), far


def store_inverse(
    transform: DisplacementTransform,
    store: Store,
    prefix: str,
    scratch: Path,
    *,
    grid: FieldGrid | None = None,
    tolerance_um: float = TOLERANCE_UM,
) -> InvertedField:
    """Make the field of the way back, block by block, store it below `prefix`, and measure it.

    `grid` lies in the transform's target; by default it is the field's own, as its base maps it. Raises what reading
    the field and writing the inverse raise.
    """
    if grid is None:
        rows = affine_rows(np.array(transform.base_um) @ np.array(transform.field.grid.voxel_to_space_um))
        grid = FieldGrid(transform.field.grid.shape, rows, transform.field.grid.outside)
    solver = _Solver(transform, grid, tolerance_um)
    field, objects = store_field(solver, transform.target, store, prefix, scratch)
    return InvertedField(*_with_inverse(transform, field, solver), objects)


def inverse_in_memory(
    transform: DisplacementTransform, grid: FieldGrid, tolerance_um: float = TOLERANCE_UM
) -> tuple[DisplacementTransform, InversionError]:
    """As `store_inverse`, for a field that fits in memory: `transform` with its inverse on `grid`, and what it adds."""
    solver = _Solver(transform, grid, tolerance_um)
    return _with_inverse(transform, ArrayField(grid, solver.read((0, 0, 0), grid.shape)), solver)


def _with_inverse(
    transform: DisplacementTransform, field: VectorField, solver: _Solver
) -> tuple[DisplacementTransform, InversionError]:
    error = _measured(transform, field, solver.unsolved)
    return replace(transform, inverse=field, inversion_error_um=error.p95_um if error.points else None), error


class _Solver:
    """The inverse as a field that is computed as it is read; each voxel once, when its windows don't overlap."""

    block_shape = _BLOCK

    def __init__(self, transform: DisplacementTransform, grid: FieldGrid, tolerance_um: float) -> None:
        self.grid = grid
        self.unsolved = 0
        self._transform, self._tolerance_um = transform, tolerance_um

    def read(self, start: Triple, stop: Triple) -> npt.NDArray[np.float32]:
        axes = [np.arange(a, b, dtype=np.float64) for a, b in zip(start, stop, strict=True)]
        index = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
        places = mapped(self.grid.voxel_to_space_um, index)
        found, far = _solve(self._transform, places, self._tolerance_um)
        self.unsolved += int((far > self._tolerance_um).sum())
        vectors = found - mapped(inverse_rows(self._transform.base_um), places)
        shape = tuple(b - a for a, b in zip(start, stop, strict=True))
        return np.ascontiguousarray(vectors.T, np.float32).reshape(3, *shape)


def _solve(transform: DisplacementTransform, goal: Places, tolerance_um: float) -> tuple[Places, Places]:
    back = inverse_rows(transform.base_um)
    turn = np.array(back)[:3, :3].T
    found = mapped(back, goal)
    off = displace(transform, found) - goal
    far = np.linalg.norm(off, axis=1)
    going = np.flatnonzero(far > tolerance_um)
    for _ in range(_MOST_STEPS):
        if not len(going):
            break
        tried = found[going] - off[going] @ turn
        off_tried = displace(transform, tried) - goal[going]
        found[going], off[going], far[going] = tried, off_tried, np.linalg.norm(off_tried, axis=1)
        going = going[far[going] > tolerance_um]
    return found, far


def _measured(transform: DisplacementTransform, inverse: VectorField, unsolved: int) -> InversionError:
    """Random places, of a fixed seed: what a field is like at its voxels says nothing of what lies between."""
    shape = np.array(inverse.grid.shape)
    count = min(_PROBES, 8 * int(shape.prod()))
    index = np.random.default_rng(0).random((count, 3)) * (shape - 1)
    places = mapped(inverse.grid.voxel_to_space_um, index)
    back = mapped(inverse_rows(transform.base_um), places)
    add_vectors(inverse, places, back)
    grid = transform.field.grid
    voxel = mapped(inverse_rows(grid.voxel_to_space_um), back)
    within = ((voxel >= 0) & (voxel <= np.array(grid.shape) - 1)).all(axis=1)
    far = np.linalg.norm(displace(transform, back[within]) - places[within], axis=1)
    if not len(far):
        return InversionError(0, float("nan"), float("nan"), unsolved)
    return InversionError(len(far), float(far.max()), float(np.percentile(far, 95)), unsolved)
