"""Coordinates of files that have columns and no unit: which column is which axis, and how long one step is."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from pulvinar.errors import Invalid, MetadataMissing
from pulvinar.ingest.reader import Options
from pulvinar.ingest.readers.frames import micrometres
from pulvinar.model.volume import Triple

Floats = npt.NDArray[np.float64]


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


def places_zyx_um(columns: Floats, axes: str, step: Triple) -> Floats:
    """Coordinates (n, 3) in the file's column order `axes`, as (z, y, x) in micrometres."""
    order = [axes.index(axis) for axis in "zyx"]
    return np.ascontiguousarray(columns[:, order] * np.asarray(step))


def mean_step_um(step: Triple) -> float:
    """One number for lengths without direction, such as a radius: the geometric mean."""
    return math.prod(step) ** (1 / 3)
