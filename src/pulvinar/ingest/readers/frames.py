"""Lengths and directions of files, brought into the platform's own: micrometres, (z, y, x), world frame "SAR"."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pulvinar.errors import Invalid, UnreadableFile
from pulvinar.ingest.reader import Finding, Options, Severity
from pulvinar.model.space import Affine, check_orientation
from pulvinar.model.volume import Triple

Matrix = npt.NDArray[np.float64]
"""A homogeneous map, (4, 4)."""

_MICROMETRES = {
    "m": 1e6, "meter": 1e6, "metre": 1e6,
    "cm": 1e4, "centimeter": 1e4, "centimetre": 1e4,
    "mm": 1e3, "millimeter": 1e3, "millimetre": 1e3,
    "um": 1.0, "µm": 1.0, "μm": 1.0, "micron": 1.0, "micrometer": 1.0, "micrometre": 1.0,
    "nm": 1e-3, "nanometer": 1e-3, "nanometre": 1e-3,
}  # fmt: skip
_SECONDS = {
    "s": 1.0, "sec": 1.0, "second": 1.0, "ms": 1e-3, "msec": 1e-3, "millisecond": 1e-3,
    "us": 1e-6, "usec": 1e-6, "µs": 1e-6, "μs": 1e-6, "microsecond": 1e-6, "ns": 1e-9, "nanosecond": 1e-9,
    "minute": 60.0, "hour": 3600.0, "day": 86_400.0,
}  # fmt: skip
_LARGEST_UM = 1e12
_REGULAR = 0.1
_WORLD = {"S": (0, 1), "I": (0, -1), "A": (1, 1), "P": (1, -1), "R": (2, 1), "L": (2, -1)}
_LETTERS = (("S", "I"), ("A", "P"), ("R", "L"))


def micrometres(unit: str) -> float | None:
    """How many micrometres one `unit` of length is ("mm", "microns", "µm"); None when the word is not known."""
    word = unit.strip().strip('"').lower()
    return _MICROMETRES.get(word, _MICROMETRES.get(word.removesuffix("s")) if len(word) > 2 else None)


def seconds(unit: str) -> float | None:
    """How many seconds one `unit` of time is; None when the word is not known."""
    word = unit.strip().strip('"').lower()
    return _SECONDS.get(word, _SECONDS.get(word.removesuffix("s")) if len(word) > 2 else None)


def sar_from_ras(ras: npt.NDArray[Any], unit_um: float) -> Matrix:
    """The map of (x, y, z) columns to RAS+ (x, y, z) rows, as one of (z, y, x) to SAR rows in micrometres."""
    flip = np.eye(4)[[2, 1, 0, 3]]
    matrix: Matrix = flip @ np.asarray(ras, np.float64) @ flip
    matrix[:3] *= unit_um
    return matrix


def check_matrix(matrix: Matrix, name: str, what: str) -> Matrix:
    """`matrix` itself; raises `UnreadableFile` when it has a number that isn't finite or flattens an axis."""
    with np.errstate(over="ignore", invalid="ignore"):
        sizes = np.linalg.norm(matrix[:3, :3], axis=0)
    if not np.isfinite(matrix).all() or sizes.max() > _LARGEST_UM:
        raise UnreadableFile(f"{name}: {what} has a number that is not finite", hint="repair the file's header")
    # the axes' parallelepiped against their box: below a millionth two axes are one
    if not sizes.all() or abs(np.linalg.det(matrix[:3, :3] / np.where(sizes == 0, 1, sizes))) < 1e-6:
        raise UnreadableFile(f"{name}: {what} is singular: it maps the volume to a plane", hint="repair the header")
    return matrix


def voxel_size(matrix: Matrix) -> Triple:
    """The lengths of the columns, (z, y, x), rounded to float32's precision, which headers have."""
    z, y, x = (float(f"{length:.7g}") for length in np.linalg.norm(matrix[:3, :3], axis=0))
    return z, y, x


def orientation(matrix: Matrix) -> str:
    """Three letters as in `Space`: where each of the axes (z, y, x) goes, by its largest part, each world axis once."""
    sizes = np.linalg.norm(matrix[:3, :3], axis=0)
    directions = matrix[:3, :3] / sizes
    found = [""] * 3
    strength = np.abs(directions)
    for _ in range(3):
        world, axis = np.unravel_index(int(np.argmax(strength)), (3, 3))
        found[axis] = _LETTERS[world][0 if directions[world, axis] > 0 else 1]
        strength[world, :] = strength[:, axis] = -1
    return "".join(found)


def directions(letters: str) -> Matrix:
    """The world's directions (rows z, y, x) of three axes (columns z, y, x) that go to `letters`, shape (3, 3)."""
    check_orientation(letters)
    matrix = np.zeros((3, 3))
    for axis, letter in enumerate(letters):
        world, sign = _WORLD[letter]
        matrix[world, axis] = sign
    return matrix


def oriented(letters: str, size_um: Triple, shape: Sequence[int], before: Matrix | None) -> Matrix:
    """The map of a volume of `shape` (z, y, x) whose axes go to `letters`.

    Its centre stays where `before` has it; without one, the first voxel is the world's origin.
    """
    matrix = np.eye(4)
    matrix[:3, :3] = directions(letters) * np.asarray(size_um)
    if before is not None:
        centre = np.array([*((np.asarray(shape) - 1) / 2), 1.0])
        matrix[:3, 3] = (before @ centre)[:3] - matrix[:3, :3] @ centre[:3]
    return matrix


def settle(
    size_um: Triple | None, matrix: Matrix | None, shape: Sequence[int], options: Options
) -> tuple[Triple | None, Affine | None]:
    """Voxel size and map after a person's word has overruled the header's.

    A given voxel size stretches the header's map with its origin, for who mistakes a unit mistakes it everywhere; a
    given orientation replaces its directions.
    """
    if options.voxel_size_um is not None:
        _check_size(options.voxel_size_um)
        if matrix is not None:
            factors = np.asarray(options.voxel_size_um) / np.asarray(voxel_size(matrix))
            # the origin follows each world axis by the voxel axis that runs along it
            along = np.abs(matrix[:3, :3]) / np.abs(matrix[:3, :3]).sum(axis=1, keepdims=True)
            matrix = matrix.copy()
            matrix[:3, 3] *= along @ factors
            matrix[:3, :3] *= factors
        size_um = options.voxel_size_um
    if options.orientation and size_um is not None and (matrix is None or orientation(matrix) != options.orientation):
        matrix = oriented(options.orientation, size_um, shape, matrix)
    return size_um, None if matrix is None else affine(matrix)


def size_of_sides(
    sides_um: Mapping[str, float | None], planes: int, options: Options
) -> tuple[Triple | None, list[Finding]]:
    """The voxel size of a file that says the length of each side by its letter, and a question where it doesn't say
    all of them; `planes` along z."""
    z, y, x = (sides_um.get(letter) for letter in "zyx")
    if z and y and x:
        return (z, y, x), []
    if options.voxel_size_um is not None:
        return None, []
    said = [f"{letter} = {side:g} µm" for letter, side in sides_um.items() if side]
    known = f" (only {', '.join(said)})" if said else ""
    what = "the thickness of its plane" if planes == 1 and y and x else "the size of its voxels"
    return None, [Finding(Severity.QUESTION, f"the file does not say {what}{known}", "--voxel-size")]


def positive(value: Any) -> float:
    """`value` as a number; 0 where it isn't one, or isn't positive and finite."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return 0.0
    return number if 0 < number < math.inf else 0.0


def regular_step(times: npt.NDArray[np.float64]) -> float | None:
    """The usual step between `times`, to float32's precision; None where one differs from it by more than a tenth."""
    steps = np.diff(times)
    usual = float(np.median(steps)) if steps.size and np.isfinite(steps).all() else 0.0
    if usual <= 0 or np.abs(steps - usual).max() > _REGULAR * usual:
        return None
    return float(f"{usual:.7g}")


def unknown_step(count: int, step_s: float | None) -> list[Finding]:
    """A doubt about several time points whose step nobody says."""
    if count < 2 or step_s is not None:
        return []
    return [Finding(Severity.DOUBT, f"its {count} time points have no step that is known", "--time-step")]


def unknown_orientation(options: Options) -> list[Finding]:
    """A note on a file of a format that never says where left and right are."""
    if options.orientation:
        return []
    text = "the file does not say where left and right are: give --orientation to have it shown upright"
    return [Finding(Severity.NOTE, text, "--orientation")]


def affine(matrix: Matrix) -> Affine:
    """`matrix` as the model's plain numbers."""
    a, b, c, d = ((float(row[0]), float(row[1]), float(row[2]), float(row[3])) for row in matrix + 0.0)
    return a, b, c, d


def _check_size(size_um: Triple) -> None:
    if not all(math.isfinite(size) and size > 0 for size in size_um):
        raise Invalid(f"voxel size {size_um} µm is not three positive numbers", hint="give --voxel-size z,y,x")
