"""Where electrodes and regions of interest of an NWB file lie."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from pulvinar.errors import UnreadableFile
from pulvinar.ingest.reader import Finding, Options, Severity
from pulvinar.ingest.readers.frames import micrometres
from pulvinar.ingest.readers.hdf5_chunks import Hdf5Numbers
from pulvinar.ingest.readers.hdf5_files import dataset, member
from pulvinar.ingest.readers.hdf5_values import is_group, numbers_at, numbers_of, records_of, text_said
from pulvinar.ingest.readers.places import places_zyx_um, step_um

Floats = npt.NDArray[np.float64]
ELECTRODE_AXES = "RIP"
"""Where an electrode's z, y and x rise: to the right, downwards and to the back."""
MOST_MASK_BYTES = 4 << 30
_PLAUSIBLE_UM = (1e-3, 1e3)


@dataclass(frozen=True)
class Grid:
    """How long the steps of an imaging plane's pixels along x, y (and z) are, and where the first one lies."""

    step_um: Floats
    origin_um: Floats

    def findings(self) -> list[Finding]:
        """A doubt where a pixel is as long as no microscope's: NWB's unit is the metre unless the file says so."""
        low, high = _PLAUSIBLE_UM
        if ((self.step_um >= low) & (self.step_um <= high)).all():
            return []
        said = " x ".join(f"{length:g}" for length in self.step_um)
        text = f"its imaging plane says that a pixel is {said} µm: its unit may be another"
        return [Finding(Severity.DOUBT, text, "--voxel-size")]


def grid_of(plane: Any, name: str) -> Grid | None:
    """The grid of an imaging plane; None where the file doesn't say it."""
    if not is_group(plane):
        return None
    step = _lengths(plane, "grid_spacing", name)
    if step is None or not (np.isfinite(step) & (step > 0)).all():
        return None
    origin = _lengths(plane, "origin_coords", name)
    return Grid(step, np.zeros(3) if origin is None else np.resize(np.append(origin, 0.0), 3))


def _lengths(plane: Any, key: str, name: str) -> Floats | None:
    """Two or three lengths in micrometres; metres where no unit is said, as the format has it."""
    values = numbers_at(plane, key, name)
    if values is None or values.shape not in ((2,), (3,)):
        return None
    unit = micrometres(text_said(plane[key], "unit") or "meters")
    return None if unit is None else values * unit


def centres(table: Any, name: str) -> Floats | None:
    """The middle of each region of interest in pixels, float64 (n, 3) as x, y, z; z is 0 in a plane, and NaN stands
    where a mask is empty. None where the table has no masks that can be read."""
    data = dataset(table, "image_mask", name)
    if data is not None:
        return _image_centres(data, name)
    for key in ("pixel_mask", "voxel_mask"):
        data, ends = dataset(table, key, name), dataset(table, f"{key}_index", name)
        if data is not None and ends is not None and data.dtype.names:
            return _listed_centres(data, numbers_of(ends, name), name)
    return None


def _image_centres(data: Any, name: str) -> Floats | None:
    if data.ndim not in (3, 4) or data.dtype.kind not in "iufb" or data.size * data.dtype.itemsize > MOST_MASK_BYTES:
        return None
    found = np.zeros((data.shape[0], 3))
    with closing(Hdf5Numbers(data, name)) as masks:
        for row in range(data.shape[0]):
            wanted = (slice(row, row + 1), *(slice(0, size) for size in data.shape[1:]))
            weights = np.nan_to_num(masks.read(wanted)[0].astype(np.float64), posinf=0, neginf=0).clip(0)
            found[row, : weights.ndim] = _mean_index(weights)
    return found


def _mean_index(weights: Floats) -> list[float]:
    """The weighted mean of the indexes along each axis, NaN without any weight."""
    total = weights.sum()
    if not total > 0:
        return [np.nan] * weights.ndim
    axes = range(weights.ndim)
    along = (weights.sum(axis=tuple(other for other in axes if other != axis)) for axis in axes)
    return [float((part * np.arange(len(part))).sum() / total) for part in along]


def _listed_centres(data: Any, ends: npt.NDArray[Any], name: str) -> Floats | None:
    records = records_of(data, name)
    letters = [letter for letter in "xyz" if letter in data.dtype.names]
    if records is None or "weight" not in data.dtype.names or letters[:2] != ["x", "y"]:
        return None
    first, last = row_ranges(ends, len(records), f"{name}: the masks of its regions of interest")
    weights = np.nan_to_num(records["weight"].astype(np.float64)).clip(0)
    found = np.zeros((len(ends), 3))
    totals = _sums(weights, first, last)
    with np.errstate(invalid="ignore", divide="ignore"):
        for axis, letter in enumerate(letters):
            found[:, axis] = _sums(weights * records[letter].astype(np.float64), first, last) / totals
    return found


def _sums(values: Floats, first: npt.NDArray[np.int64], last: npt.NDArray[np.int64]) -> Floats:
    running = np.concatenate([[0.0], np.cumsum(values)])
    sums: Floats = running[last] - running[first]
    return sums


def row_ranges(ends: npt.NDArray[Any], count: int, what: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Where each row's part of `count` values begins and ends, from its ends; raises `UnreadableFile` for ends that
    fall or lie behind the values."""
    last = ends.astype(np.int64)
    first = np.concatenate([np.zeros(1, np.int64), last[:-1]]) if len(last) else last
    if last.ndim != 1 or not ((last >= first) & (first >= 0) & (last <= count)).all():
        raise UnreadableFile(f"{what}: their index does not fit their {count} values", hint="repair the file")
    return first, last


def roi_places(table: Any, pixels: Floats | None, name: str, options: Options) -> tuple[Floats, list[Finding]]:
    """The centres of regions of interest, in micrometres (n, 3), and what is doubtful; of no rows where the imaging
    plane does not say how large a pixel is."""
    grid = grid_of(member(table, "imaging_plane", name), name)
    if pixels is None:
        return np.empty((0, 3)), []
    if options.voxel_size_um is not None:
        step = np.array(options.voxel_size_um[::-1])
        grid = Grid(step, np.zeros(3) if grid is None else grid.origin_um)
    if grid is None:
        text = "its imaging plane does not say how large a pixel is: the regions' centres are kept in pixels"
        return np.empty((0, 3)), [Finding(Severity.NOTE, text, "--voxel-size")]
    step = np.append(grid.step_um, 1.0)[:3]
    placed = places_zyx_um(grid.origin_um + pixels * step, replace(options, axes=""), (1.0, 1.0, 1.0))
    return placed, grid.findings()


def electrode_places(columns: dict[str, Any], options: Options) -> tuple[Floats, list[Finding]]:
    """The places of electrodes from their table's x, y and z, in micrometres (n, 3); of no rows where none has one."""
    found: Sequence[Any] = [columns.get(letter) for letter in "xyz"]
    if any(column is None or column.dtype.kind not in "if" for column in found):
        return np.empty((0, 3)), []
    xyz = np.stack([column.astype(np.float64) for column in found], axis=1)
    if not np.isfinite(xyz).all(axis=1).any():
        return np.empty((0, 3)), []
    xyz[~np.isfinite(xyz).all(axis=1)] = np.nan
    said = replace(options, axes="", orientation=options.orientation or ELECTRODE_AXES)
    text = "the electrodes' x, y and z are taken as rising to the back, downwards and to the right, as NWB says, in µm"
    findings = [] if options.unit else [Finding(Severity.DOUBT, text, "--unit")]
    return places_zyx_um(xyz, said, step_um(options)), findings
