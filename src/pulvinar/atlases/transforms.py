"""Bringing points from one space to another, and putting transforms together."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import overload

import numpy as np
import numpy.typing as npt

from pulvinar.atlases.displacement import displace, mapped
from pulvinar.errors import Invalid, SpaceMismatch
from pulvinar.model.space import Points, Space
from pulvinar.model.transform import (
    IDENTITY,
    AffineTransform,
    Composition,
    DisplacementTransform,
    Step,
    Transform,
    affine_rows,
    combined_error,
    inverse_rows,
)

_BATCH = 1 << 20
_MOST_THREADS = 4
"""So many points are brought over together, by each thread: what it takes besides the answer is bounded by both."""


def apply(transform: Transform, points: Points) -> Points:
    """`points` of the transform's source as points of its target.

    Raises `SpaceMismatch` for points of another space, `Invalid` for one that is no number.
    """
    if points.space != transform.source:
        raise SpaceMismatch(
            f"the points are in {points.space.name}, the transform is from {transform.source.name}",
            hint="a graph of spaces finds the transforms between",
        )
    steps = list(_fused(steps_of(transform)))
    out = np.empty(points.zyx_um.shape, np.float64)
    parts = [slice(first, first + _BATCH) for first in range(0, len(out), _BATCH)]

    def bring(part: slice) -> None:
        out[part] = _applied(steps, np.ascontiguousarray(points.zyx_um[part], np.float64))

    if len(parts) < 2:
        list(map(bring, parts))
    else:
        with ThreadPoolExecutor(min(_MOST_THREADS, len(os.sched_getaffinity(0))), "transform") as threads:
            list(threads.map(bring, parts))
    return Points(transform.target, out)


def compose(*transforms: Transform) -> Transform:
    """The transforms one after the other, the first one first. Raises `SpaceMismatch` where two don't meet."""
    steps = tuple(step for transform in transforms for step in steps_of(transform))
    return steps[0] if len(steps) == 1 else Composition(steps)


@overload
def invert(transform: AffineTransform) -> AffineTransform: ...
@overload
def invert(transform: DisplacementTransform) -> DisplacementTransform: ...
@overload
def invert(transform: Composition) -> Composition: ...


def invert(transform: Transform) -> Transform:
    """The way back, with the same expected error, to which the inverse of a field adds its own.

    Raises `Invalid` for a displacement whose inverse has not been made.
    """
    if isinstance(transform, Composition):
        return Composition(tuple(_inverted(part) for part in reversed(transform.parts)))
    return _inverted(transform)


def is_invertible(transform: Transform) -> bool:
    """Whether `invert` can give the way back: every displacement has its inverse."""
    return all(isinstance(step, AffineTransform) or step.inverse is not None for step in steps_of(transform))


def identity(space: Space) -> AffineTransform:
    """The transform that leaves the points of `space` where they are, without error."""
    return AffineTransform(space, space, IDENTITY, 0.0, "identity")


def steps_of(transform: Transform) -> tuple[Step, ...]:
    """The parts of a composition, or the one transform itself."""
    return transform.parts if isinstance(transform, Composition) else (transform,)


def _inverted(step: Step) -> Step:
    provenance = f"inverse of: {step.provenance}" if step.provenance else ""
    if isinstance(step, AffineTransform):
        return replace(
            step, source=step.target, target=step.source, matrix_um=inverse_rows(step.matrix_um), provenance=provenance
        )
    if step.inverse is None:
        raise Invalid(
            f"the way back from {step.target.name} to {step.source.name} has not been made",
            hint="store_inverse makes it from the field",
        )
    return DisplacementTransform(
        step.target,
        step.source,
        step.inverse,
        inverse_rows(step.base_um),
        combined_error((step.expected_error_um, step.inversion_error_um)),
        provenance,
        inverse=step.field,
        inversion_error_um=step.inversion_error_um,
    )


def _applied(steps: Sequence[Step], zyx_um: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    if not np.isfinite(zyx_um).all():
        raise Invalid("a point is no number", hint="leave NaN and infinity out")
    for step in steps:
        zyx_um = mapped(step.matrix_um, zyx_um) if isinstance(step, AffineTransform) else displace(step, zyx_um)
    return zyx_um


def _fused(steps: tuple[Step, ...]) -> Iterator[Step]:
    """The same steps with neighbouring affine ones made one."""
    held: AffineTransform | None = None
    for step in steps:
        if isinstance(step, AffineTransform):
            matrix = np.array(step.matrix_um)
            if held is not None:
                matrix = matrix @ np.array(held.matrix_um)
            held = AffineTransform(held.source if held else step.source, step.target, affine_rows(matrix))
            continue
        if held is not None:
            yield held
            held = None
        yield step
    if held is not None:
        yield held
