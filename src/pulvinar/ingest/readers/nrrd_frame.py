"""What the axes of a NRRD mean, and where its volume lies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pulvinar.errors import Invalid, UnreadableFile
from pulvinar.ingest.reader import Finding, Options, Severity
from pulvinar.ingest.readers.frames import (
    Matrix,
    check_matrix,
    micrometres,
    sar_from_ras,
    seconds,
    settle,
    voxel_size,
)
from pulvinar.ingest.readers.raw_volume import RawLayout
from pulvinar.model.space import Affine
from pulvinar.model.volume import Triple

_SPATIAL = ("domain", "space")
_UNKNOWN = {"???", "none"}
_TO_RAS = {
    "right-anterior-superior": (1, 1, 1), "ras": (1, 1, 1),
    "left-anterior-superior": (-1, 1, 1), "las": (-1, 1, 1),
    "left-posterior-superior": (-1, -1, 1), "lps": (-1, -1, 1),
}  # fmt: skip


@dataclass(frozen=True)
class Frame:
    """Voxel size (z, y, x), the map to the world, the time step, and what is doubtful about them."""

    voxel_size_um: Triple | None
    affine_um: Affine | None
    time_step_s: float | None
    findings: tuple[Finding, ...]


def nrrd_axes(header: Mapping[str, Any], name: str, options: Options) -> list[str]:
    """One letter of "tczyx" an axis, in the header's order (fastest first)."""
    count = int(header["dimension"])
    if options.axes:
        letters = list(reversed(options.axes.lower()))
        if len(letters) != count or len(set(letters)) != count or not set(letters) <= set("tczyx"):
            raise Invalid(
                f"{name} has {count} axes, --axes {options.axes!r} doesn't name them",
                hint="one letter an axis of t, c, z, y, x, slowest first",
            )
        return letters
    letters = []
    space = iter("xyz")
    for index, kind in enumerate(_kinds(header, count, name)):
        letter = next(space, None) if kind in _SPATIAL else "t" if kind == "time" else "c"
        if letter is None or letter in letters:
            raise UnreadableFile(
                f"{name}: axis {index + 1} of {count} is one {kind} more than a volume has",
                hint="say with --axes what the axes mean, slowest first, for example tczyx",
            )
        letters.append(letter)
    return letters


def _kinds(header: Mapping[str, Any], count: int, name: str) -> list[str]:
    """What the header says each axis is; where it doesn't, the first three are space and a fourth is time."""
    if "complex" in header.get("kinds", ()):
        raise UnreadableFile(f"{name} holds complex numbers", hint="convert it to real numbers first")
    kinds = [str(kind).lower() for kind in header.get("kinds", ())]
    if len(kinds) == count and not set(kinds) <= _UNKNOWN:
        return kinds
    directions = header.get("space directions")
    if directions is not None and len(directions) == count:
        return ["list" if np.isnan(row).all() else "space" for row in np.asarray(directions)]
    return ["space", "space", "space", "time", "list"][:count] if count <= 5 else ["space"] * count


def nrrd_frame(header: Mapping[str, Any], layout: RawLayout, name: str, options: Options) -> Frame:
    """The frame of a volume that lies as `layout` says, after `options` have settled what is doubtful."""
    findings: list[Finding] = []
    letters = nrrd_axes(header, name, options)
    directions = _directions(header, letters, name)
    matrix: Matrix | None = None
    size: Triple | None = None
    if directions is not None:
        unit_um = _unit(header.get("space units"), options, findings)
        local = sar_from_ras(directions, unit_um)
        check_matrix(local, name, "its space directions")
        size = voxel_size(local)
        matrix = _world(header, directions, unit_um)
    else:
        size = _spacings(header, letters, options, findings)
    if not {"x", "y", "z"} <= set(letters) and size is not None:
        findings.append(Finding(Severity.NOTE, "it has fewer than three axes of space: the missing one is 1 voxel"))
    if size is None and options.voxel_size_um is None:
        findings.append(Finding(Severity.QUESTION, "the header has no voxel size", "--voxel-size"))
    if matrix is None and not options.orientation:
        text = f"the header's space is {header.get('space', 'not named')!s}: left and right are not known"
        findings.append(Finding(Severity.NOTE, text, "--orientation"))
    size_um, affine_um = settle(size, matrix, layout.shape[2:], options)
    return Frame(size_um, affine_um, _time_step(header, letters, options, findings), tuple(findings))


def _directions(header: Mapping[str, Any], letters: list[str], name: str) -> Matrix | None:
    """Columns (x, y, z) and origin in the file's own space and unit; None when it gives no directions."""
    rows = header.get("space directions")
    if rows is None:
        return None
    rows = np.asarray(rows, np.float64)
    if rows.ndim != 2 or len(rows) != len(letters) or rows.shape[1] > 3:
        raise UnreadableFile(f"{name}: its space directions have the shape {rows.shape}", hint="repair the header")
    matrix = np.eye(4)
    given = {letter: rows[index] for index, letter in enumerate(letters) if letter in "xyz"}
    for letter, row in given.items():
        matrix[: len(row), "xyz".index(letter)] = row
        matrix[len(row) : 3, "xyz".index(letter)] = 0
    if len(given) == 2:
        # the missing axis stands upright on the two, one voxel as thick as the thinner of them
        a, b = (matrix[:3, "xyz".index(letter)] for letter in given)
        normal = np.cross(a, b)
        length = np.linalg.norm(normal)
        missing = next(i for i, letter in enumerate("xyz") if letter not in given)
        matrix[:3, missing] = normal / (length or 1.0) * min(np.linalg.norm(a), np.linalg.norm(b))
    origin = header.get("space origin")
    if origin is not None and len(origin) == rows.shape[1]:
        matrix[: len(origin), 3] = origin
    return matrix


def _world(header: Mapping[str, Any], directions: Matrix, unit_um: float) -> Matrix | None:
    """The map to SAR micrometres; None when the space has no anatomical name."""
    signs = _TO_RAS.get(str(header.get("space", "")).lower())
    if signs is None:
        return None
    ras = directions.copy()
    ras[:3] *= np.array(signs)[:, None]
    return sar_from_ras(ras, unit_um)


def _unit(units: Any, options: Options, findings: list[Finding]) -> float:
    words = {str(word).strip('" ') for word in units} if units is not None else set()
    known = {micrometres(word) for word in words}
    if len(known) == 1 and (unit := known.pop()) is not None:
        return unit
    if options.voxel_size_um is None:
        said = f"the unit {', '.join(sorted(words))!r}" if words else "no unit of length"
        findings.append(Finding(Severity.DOUBT, f"the header has {said}: mm is assumed", "--voxel-size"))
    return 1e3


def _spacings(
    header: Mapping[str, Any], letters: list[str], options: Options, findings: list[Finding]
) -> Triple | None:
    """The voxel size from per-axis spacings."""
    given = header.get("spacings")
    if given is None or len(given) != len(letters):
        return None
    sizes = {letter: float(abs(size)) for letter, size in zip(letters, given, strict=True) if letter in "xyz"}
    if not sizes or not all(np.isfinite(size) and size > 0 for size in sizes.values()):
        return None
    units = header.get("units")
    spatial = [unit for letter, unit in zip(letters, units, strict=False) if letter in "xyz"] if units else None
    unit_um = _unit(spatial, options, findings)
    z, y, x = (float(f"{sizes.get(axis, min(sizes.values())) * unit_um:.7g}") for axis in "zyx")
    return z, y, x


def _time_step(
    header: Mapping[str, Any], letters: list[str], options: Options, findings: list[Finding]
) -> float | None:
    if options.time_step_s is not None or "t" not in letters:
        return options.time_step_s
    index = letters.index("t")
    spacings = header.get("spacings")
    step = float(spacings[index]) if spacings is not None and len(spacings) > index else np.nan
    units = header.get("units")
    unit_s = seconds(str(units[index])) if units is not None and len(units) > index else None
    if not np.isfinite(step) or step <= 0:
        findings.append(Finding(Severity.DOUBT, "the header has no time step", "--time-step"))
        return None
    if unit_s is None:
        findings.append(Finding(Severity.DOUBT, f"the time step {step:g} has no unit: s is assumed", "--time-step"))
    return step * (unit_s or 1.0)
