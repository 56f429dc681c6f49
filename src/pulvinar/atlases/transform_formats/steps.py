"""What a file of transforms says, step by step, and the transform that it makes.

Every format speaks of the physical places of images. Here those are the world frame "SAR" in micrometres, columns
(z, y, x): ITK's LPS millimetres and NIfTI's RAS+ millimetres are turned into it where they are read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import sqrt
from typing import Protocol

import numpy as np
import numpy.typing as npt

from pulvinar.errors import Invalid, PulvinarError, UnreadableFile
from pulvinar.model.space import Affine, Space
from pulvinar.model.transform import (
    AffineTransform,
    Composition,
    DisplacementTransform,
    FieldGrid,
    Matrix,
    Outside,
    Transform,
    affine_rows,
    check_affine,
    inverse_rows,
    space_to_world,
    world_to_space,
)

Triple = tuple[int, int, int]
_PLANES_VOXELS = 1 << 20
_LPS, _RAS = (-1.0, -1.0, 1.0), (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Ends:
    """Between which spaces a file's points go, and how the spaces lie in the world that the file speaks of.

    `source_to_world_um` and `target_to_world_um` map (z, y, x, 1) of a space to the world "SAR"; when they are None,
    the spaces lie as `space_to_world` says. Give them where the images that were aligned had headers of their own: they
    are an image's `Volume.affine_um` after the inverse of its map from voxels to the space. `file_unit_um` is the unit
    of the file's lengths: 1000 for the millimetres of ITK and NIfTI.
    """

    source: Space
    target: Space
    source_to_world_um: Affine | None = None
    target_to_world_um: Affine | None = None
    file_unit_um: float = 1000.0
    expected_error_um: float | None = None
    provenance: str = ""

    def __post_init__(self) -> None:
        for affine in (self.source_to_world_um, self.target_to_world_um):
            if affine is not None:
                check_affine(affine)

    def reversed(self) -> Ends:
        """The same, from the target to the source."""
        return replace(
            self,
            source=self.target,
            target=self.source,
            source_to_world_um=self.target_to_world_um,
            target_to_world_um=self.source_to_world_um,
        )

    def into_world(self) -> Matrix:
        """From the source to the world."""
        return np.array(self.source_to_world_um or space_to_world(self.source))

    def out_of_world(self) -> Matrix:
        """From the world to the target."""
        given = self.target_to_world_um
        return np.array(inverse_rows(given) if given else world_to_space(self.target))

    def from_lps(self) -> Matrix:
        """From (x, y, z, 1) of ITK's frame, rising to left, posterior and superior, to the world."""
        return _from_xyz(_LPS, self.file_unit_um)

    def from_ras(self) -> Matrix:
        """From (x, y, z, 1) of NIfTI's frame, rising to right, anterior and superior, to the world."""
        return world_from_ras(self.file_unit_um)


@dataclass(frozen=True, eq=False)
class AffineStep:
    """`matrix` maps the world to the world."""

    matrix: Matrix


class RawVectors(Protocol):
    """The vectors of a file, as they stand there."""

    def read(self, start: Triple, stop: Triple) -> npt.NDArray[np.floating]:
        """Those of a box of voxels: axes (component, z, y, x), components (x, y, z) in the file's frame and unit."""


@dataclass(frozen=True, eq=False)
class FieldStep:
    """Vectors on a grid of the world. `from_file` maps the file's (x, y, z, 1) to the world. The vectors are
    displacements, or the places themselves where `absolute`. `rows` is how many planes are read at once."""

    shape: Triple
    voxel_to_world: Matrix
    vectors: RawVectors
    from_file: Matrix
    outside: Outside
    absolute: bool = False


@dataclass(frozen=True, eq=False)
class FileField:
    """A field in a file: a vector is `linear` v + `shift` [voxel index, 1], with the file's vector v (x, y, z)."""

    grid: FieldGrid
    vectors: RawVectors
    linear: npt.NDArray[np.float64]
    shift: npt.NDArray[np.float64]

    @property
    def block_shape(self) -> Triple:
        """Whole planes, about a million voxels of them: files have them one after the other."""
        z, y, x = self.grid.shape
        return min(z, max(1, _PLANES_VOXELS // (y * x))), y, x

    @np.errstate(over="ignore", invalid="ignore")
    def read(self, start: Triple, stop: Triple) -> npt.NDArray[np.float32]:
        """As `VectorField.read` says. Raises `UnreadableFile` for a vector that is no number."""
        raw = self.vectors.read(start, stop)
        out = np.empty(raw.shape, np.float32)
        y, x = (np.arange(a, b, dtype=np.float64) for a, b in zip(start[1:], stop[1:], strict=True))
        in_plane = self.shift[:, 1, None, None] * y[:, None] + self.shift[:, 2, None, None] * x
        # plane by plane, so that only one is held in 64 bits
        for number in range(raw.shape[1]):
            at_plane = self.shift[:, 0] * (start[0] + number) + self.shift[:, 3]
            turned = np.tensordot(self.linear, np.asarray(raw[:, number], np.float64), 1)
            out[:, number] = turned + in_plane + at_plane[:, None, None]
        if not np.isfinite(out).all():
            raise UnreadableFile("the field has a vector that is no number", hint="write the file again")
        return out


WorldStep = AffineStep | FieldStep


def to_transform(steps: Sequence[WorldStep], ends: Ends, name: str) -> Transform:
    """The transform of `steps`, the first one first. Affine steps become part of the field beside them, so that a file
    with one field is one transform. Raises `UnreadableFile` for a step that has no inverse, naming the file `name`."""
    try:
        return _to_transform(steps, ends)
    except UnreadableFile:
        raise
    except Invalid as error:
        raise UnreadableFile(f"{name}: {error.message}", hint=error.hint) from error


def affine_in_world(matrix: npt.ArrayLike, from_file: Matrix) -> AffineStep:
    """A map of the file's (x, y, z, 1) onto itself, as a step of the world."""
    return AffineStep(from_file @ np.asarray(matrix, np.float64) @ np.linalg.inv(from_file))


def world_from_ras(unit_um: float) -> Matrix:
    """From (x, y, z, 1) of NIfTI's frame, rising to right, anterior and superior, in units of `unit_um`, to the
    world."""
    return _from_xyz(_RAS, unit_um)


def unreadable(name: str, what: str, hint: str = "write the file again") -> PulvinarError:
    """The error of a file that can't be right."""
    return UnreadableFile(f"{name} {what}", hint=hint)


def _to_transform(steps: Sequence[WorldStep], ends: Ends) -> Transform:
    fields = [step for step in steps if isinstance(step, FieldStep)]
    # affine maps before, between and after the fields
    between = [np.eye(4) for _ in range(len(fields) + 1)]
    place = 0
    for step in steps:
        if isinstance(step, FieldStep):
            place += 1
        else:
            between[place] = step.matrix @ between[place]
    between[0] = between[0] @ ends.into_world()
    between[-1] = ends.out_of_world() @ between[-1]
    if not fields:
        return AffineTransform(
            ends.source, ends.target, affine_rows(between[0]), ends.expected_error_um, ends.provenance
        )
    parts = [
        _displacement(field, between[0] if i == 0 else np.eye(4), between[i + 1], ends_between(ends, i, len(fields)))
        for i, field in enumerate(fields)
    ]
    return parts[0] if len(parts) == 1 else Composition(tuple(parts))


def ends_between(ends: Ends, place: int, count: int) -> Ends:
    """The ends of transform `place` of the `count` that lead from one end to the other. Between them points are in the
    world; the error is shared so that the parts make the whole again."""

    def space(number: int) -> Space:
        name = f"{ends.source.name} to {ends.target.name}, after {number} of {count}"
        return Space(name, ends.source.species, "SAR")

    first, last = place == 0, place == count - 1
    return replace(
        ends,
        source=ends.source if first else space(place),
        target=ends.target if last else space(place + 1),
        source_to_world_um=ends.source_to_world_um if first else None,
        target_to_world_um=ends.target_to_world_um if last else None,
        expected_error_um=None if ends.expected_error_um is None else ends.expected_error_um / sqrt(count),
    )


def _displacement(step: FieldStep, before: Matrix, after: Matrix, ends: Ends) -> DisplacementTransform:
    """`before`: the source to the field's world; `after`: that world to the target."""
    to_source = np.linalg.inv(before) @ step.voxel_to_world
    to_source[3] = (0, 0, 0, 1)
    turned = after @ step.from_file
    shift = np.zeros((3, 4))
    if step.absolute:
        # the place less where the voxel itself would go
        shift = -(after @ step.voxel_to_world)[:3]
        shift[:, 3] += turned[:3, 3]
    grid = FieldGrid(step.shape, affine_rows(to_source), step.outside)
    return DisplacementTransform(
        ends.source,
        ends.target,
        FileField(grid, step.vectors, turned[:3, :3], shift),
        affine_rows(after @ before),
        ends.expected_error_um,
        ends.provenance,
    )


def _from_xyz(signs: tuple[float, float, float], unit_um: float) -> Matrix:
    matrix = np.zeros((4, 4))
    for axis, sign in enumerate(signs):
        matrix[2 - axis, axis] = sign * unit_um
    matrix[3, 3] = 1
    return matrix
