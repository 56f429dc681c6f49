"""Coordinates of files that have columns and no unit: which column is which axis, where it goes, how long a step is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pulvinar.errors import Invalid, MetadataMissing
from pulvinar.ingest.reader import Options
from pulvinar.ingest.readers.frames import directions, micrometres
from pulvinar.model.volume import Triple

Floats = npt.NDArray[np.float64]
_ROWS_AT_ONCE = 40_000
Numbers = npt.NDArray[Any]
"""Of any type of numbers, in any order of bytes."""


def column_axes(options: Options) -> str:
    """What the columns that a file calls x, y, z are: three letters of "xyz" in the file's order."""
    letters = options.axes.lower() or "xyz"
    if sorted(letters) != ["x", "y", "z"]:
        raise Invalid(
            f"--axes {options.axes!r} does not name the three columns of coordinates",
            hint="three letters in the file's order: xyz as they are, zyx where its x is the platform's z",
        )
    return letters


def step_um(options: Options, stated_um: float = 1.0) -> Triple:
    """How long one step is along (z, y, x): as `--unit` says, else as the file states.

    Raises `MetadataMissing` where the unit is the voxel and nobody gave its size, `Invalid` for an unknown unit.
    """
    unit = options.unit.strip().lower()
    if not unit:
        return stated_um, stated_um, stated_um
    if unit in ("voxel", "voxels"):
        if options.voxel_size_um is None:
            raise MetadataMissing("--unit voxel needs the voxel's size", hint="give --voxel-size z,y,x")
        return options.voxel_size_um
    length = micrometres(unit)
    if length is None:
        raise Invalid(f"the unit {options.unit!r} is not known", hint="um, mm, nm or voxel")
    return length, length, length


def places_zyx_um(columns: Numbers, options: Options, step: Triple) -> Floats:
    """Coordinates (n, 3) in the file's column order, as (z, y, x) in micrometres.

    Where the orientation is given they are turned into the world, as those of a volume are by its map: so that neurons
    of an atlas lie in the atlas.
    """
    return places_of_columns(tuple(columns.T), options, step)


def places_of_columns(columns: Sequence[Numbers], options: Options, step: Triple) -> Floats:
    """As `places_zyx_um`, of three columns (n,) that lie each for itself."""
    places = np.empty((len(columns[0]), 3))
    for axis, (column, length) in enumerate(zip(_order(options), step, strict=True)):
        np.multiply(columns[column], length, out=places[:, axis], dtype=np.float64)
    return np.ascontiguousarray(places @ directions(options.orientation).T) if options.orientation else places


def world_zyx_um(ras_mm: Numbers, out: Floats | None = None) -> Floats:
    """Places (n, 3) in RAS millimetres (x, y, z) as the world's (z, y, x) in micrometres, in `out` if given.

    For formats that say where their places lie: a unit, axes or an orientation that is given is for other files.
    """
    places = np.empty((len(ras_mm), 3)) if out is None else out
    for first in range(0, len(places), _ROWS_AT_ONCE):
        # what is turned and multiplied while it lies in the processor's cache takes a third of the time
        some = ras_mm[first : first + _ROWS_AT_ONCE].astype(np.float64)
        np.multiply(some[:, ::-1], 1000.0, out=places[first : first + _ROWS_AT_ONCE])
    return places


def mirrors(options: Options) -> bool:
    """Whether `places_zyx_um` turns a left hand into a right one, so that triangles must be walked the other way."""
    turned = np.eye(3)[_order(options)]
    if options.orientation:
        turned = directions(options.orientation) @ turned
    # x, y, z written as z, y, x is a mirror by itself, and the only one that changes nothing
    return float(np.linalg.det(turned)) > 0


def _order(options: Options) -> list[int]:
    """The file's columns of z, y and x."""
    axes = column_axes(options)
    return [axes.index(axis) for axis in "zyx"]


def mean_step_um(step: Triple) -> float:
    """One number for lengths without direction, such as a radius: the geometric mean."""
    return math.prod(step) ** (1 / 3)
