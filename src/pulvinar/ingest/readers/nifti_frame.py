"""Where a NIfTI volume says it lies: two maps and a table of sizes, which may disagree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pulvinar.errors import UnreadableFile
from pulvinar.ingest.reader import Finding, Form, Options, Severity
from pulvinar.ingest.readers.frames import Matrix, check_matrix, orientation, sar_from_ras, settle, voxel_size
from pulvinar.model.space import Affine
from pulvinar.model.volume import Triple

_LENGTHS_UM = {1: 1e6, 2: 1e3, 3: 1.0}
_TIMES_S = {8: 1.0, 16: 1e-3, 24: 1e-6}
_LONGEST_STEP_S = 100.0
"""A time step of whole seconds beyond this is more likely given in milliseconds."""


@dataclass(frozen=True)
class Frame:
    """Voxel size (z, y, x), the map to the world, the time step, and what is doubtful about them.

    `chosen` says where the map comes from: "sform", "qform", or "" for none.
    """

    voxel_size_um: Triple | None
    affine_um: Affine | None
    time_step_s: float | None
    findings: tuple[Finding, ...]
    chosen: str


def nifti_frame(header: Any, shape: Sequence[int], name: str, options: Options) -> Frame:
    """The frame of a volume of `shape` (t, c, z, y, x), after `options` have settled what is doubtful."""
    findings: list[Finding] = []
    unit_um = _unit(header, options, findings)
    maps = _maps(header, unit_um, name)
    chosen = _choose(maps, options, findings)
    matrix = maps.get(chosen)
    size: Triple | None
    if matrix is not None:
        size = voxel_size(matrix)
        _compare_sizes(header, size, unit_um, shape, findings)
    else:
        size = _sizes(header, unit_um, options, findings)
        findings += _without_map(maps, options)
    size_um, affine_um = settle(size, matrix, shape[2:], options)
    return Frame(size_um, affine_um, _time_step(header, shape[0], options, findings), tuple(findings), chosen)


def time_unit_s(header: Any) -> float:
    """The header's unit of time in seconds, 1 where it names none."""
    return _TIMES_S.get(_time_code(header), 1.0)


def _time_code(header: Any) -> int:
    return int(header["xyzt_units"]) & 56


def _unit(header: Any, options: Options, findings: list[Finding]) -> float:
    code = int(header["xyzt_units"]) & 7
    if code in _LENGTHS_UM:
        return _LENGTHS_UM[code]
    if options.voxel_size_um is None:
        findings.append(Finding(Severity.DOUBT, "the header has no unit of length: mm is assumed", "--voxel-size"))
    return 1e3


def _maps(header: Any, unit_um: float, name: str) -> dict[str, Matrix]:
    """The maps that the header says are valid, each checked."""
    found: dict[str, Matrix] = {}
    if int(header["sform_code"]) > 0:
        with np.errstate(invalid="ignore", over="ignore"):
            sform = sar_from_ras(header.get_sform(), unit_um)
        found["sform"] = check_matrix(sform, name, "the sform")
    if int(header["qform_code"]) > 0:
        sizes = np.asarray(header["pixdim"][1:4], np.float64)
        if not np.isfinite(sizes).all() or (sizes <= 0).any():
            # a qform takes its lengths from pixdim: without them it says nothing
            return found
        from nibabel.spatialimages import HeaderDataError

        try:
            qform = header.get_qform()
        except (ValueError, HeaderDataError) as error:
            raise UnreadableFile(f"{name}: the qform is no rotation: {error}", hint="repair the header") from error
        found["qform"] = check_matrix(sar_from_ras(qform, unit_um), name, "the qform")
    return found


def _without_map(maps: dict[str, Matrix], options: Options) -> list[Finding]:
    if options.orientation:
        return []
    if options.form is Form.NONE:
        text = "no map of the header to the world is taken: left and right are not known"
        return [Finding(Severity.DOUBT, text, "--orientation")]
    text = (
        "the header has no map to the world (no sform, no qform): left and right are not known; --form none brings it "
        "in without"
    )
    return [Finding(Severity.QUESTION, text, "--orientation")]


def _choose(maps: dict[str, Matrix], options: Options, findings: list[Finding]) -> str:
    """Which map counts, "" for none: what `--form` says, else the one that alone has the sides of `--orientation`.

    Where two differ and neither is said, that is asked; the sform is shown meanwhile, as in nibabel, FSL and SPM.
    """
    if options.form is Form.NONE:
        return ""
    if options.form in maps:
        return options.form.value
    if len(maps) < 2:
        return next(iter(maps), "")
    fitting = [name for name in maps if orientation(maps[name]) == options.orientation]
    if len(fitting) == 1:
        return fitting[0]
    findings += _differences(maps["sform"], maps["qform"])
    return "sform"


def _differences(s: Matrix, q: Matrix) -> list[Finding]:
    """A question where the sform `s` and the qform `q` put the volume elsewhere, or turn it otherwise."""
    letters, size = (orientation(s), orientation(q)), max(voxel_size(s))
    far = float(np.abs(s[:3, 3] - q[:3, 3]).max())
    if letters[0] != letters[1]:
        what = "left and right differ" if _swaps_sides(*letters) else "their axes differ"
        text = f"sform says {letters[0]}, qform says {letters[1]}: {what}, and only a person knows which is right"
        return [Finding(Severity.QUESTION, text, "--orientation")]
    if not np.allclose(s[:3, :3], q[:3, :3], atol=1e-2 * size):
        text = "sform and qform turn or scale the volume differently, and only a person knows which is right"
    elif far > 0.5 * size:
        text = f"sform and qform lie {far:g} µm apart, and only a person knows which is right"
    else:
        return []
    return [Finding(Severity.QUESTION, text, "--form")]


def _swaps_sides(one: str, other: str) -> bool:
    return any({a, b} == {"L", "R"} for a, b in zip(one, other, strict=True))


def _sizes(header: Any, unit_um: float, options: Options, findings: list[Finding]) -> Triple | None:
    """The voxel size from pixdim, for a header without a map."""
    x, y, z = (float(size) for size in header["pixdim"][1:4])
    if all(np.isfinite(size) and size > 0 for size in (z, y, x)):
        return float(f"{z * unit_um:.7g}"), float(f"{y * unit_um:.7g}"), float(f"{x * unit_um:.7g}")
    if options.voxel_size_um is None:
        text = f"the header's voxel size is {x:g} x {y:g} x {z:g}, which can't be"
        findings.append(Finding(Severity.QUESTION, text, "--voxel-size"))
    return None


def _compare_sizes(header: Any, size_um: Triple, unit_um: float, shape: Sequence[int], findings: list[Finding]) -> None:
    pixdim = [float(size) * unit_um for size in header["pixdim"][3:0:-1]]
    pairs = [(a, b) for a, b, voxels in zip(pixdim, size_um, shape[2:], strict=True) if voxels > 1]
    if any(not np.isfinite(a) or abs(a - b) > 0.01 * b for a, b in pairs):
        said, mapped = (" x ".join(f"{length:g}" for length in sizes) for sizes in (pixdim, size_um))
        text = f"pixdim says {said} µm (z, y, x), the map says {mapped}: the map is taken"
        findings.append(Finding(Severity.DOUBT, text, "--voxel-size"))


def _time_step(header: Any, steps: int, options: Options, findings: list[Finding]) -> float | None:
    if options.time_step_s is not None or steps == 1:
        return options.time_step_s
    step, code = float(header["pixdim"][4]), _time_code(header)
    if not np.isfinite(step) or step <= 0:
        findings.append(Finding(Severity.DOUBT, f"the header's time step is {step:g}: it is not known", "--time-step"))
        return None
    if code not in _TIMES_S and code != 0:
        findings.append(Finding(Severity.NOTE, "the fourth axis is not time (a frequency): it has no time step"))
        return None
    if code == 0:
        findings.append(Finding(Severity.DOUBT, f"the time step {step:g} has no unit: s is assumed", "--time-step"))
    step_s = float(f"{step * time_unit_s(header):.7g}")
    if step_s > _LONGEST_STEP_S:
        text = f"the header's time step is {step_s:g} s: perhaps milliseconds were meant"
        findings.append(Finding(Severity.DOUBT, text, "--time-step"))
    return step_s
