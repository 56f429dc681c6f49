"""The values of an image over time, at one place."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np

from pulvinar.catalogue.measuring import Floats, Ints, Measured
from pulvinar.errors import Invalid, TooLarge
from pulvinar.model.space import Window
from pulvinar.model.volume import VolumeKind

MOST_FRAMES = 100_000


@dataclass(frozen=True, eq=False)
class TimeCourse:
    """The values of an image at one place over time.

    `times` float64 (frames,), seconds, or numbers of frames where nobody said how long one is (`timed` is False);
    `values` float64 (channels, frames), the means of `voxels` voxels of `level`; `zyx_um` is the middle of the first.
    """

    level: int
    timed: bool
    voxels: int
    zyx_um: Floats
    channels: tuple[str, ...]
    times: Floats
    values: Floats


def time_course(measured: Measured, zyx_um: Floats, *, radius_um: float = 0.0, level: int | None = None) -> TimeCourse:
    """The mean over the voxels whose centres lie within `radius_um` of a place (z, y, x) of the world, at each moment:
    of the voxel that holds the place where that is all.

    Without a level, the finest within the budget. Raises `Invalid` for labels, for a place outside and for an image
    without moments, `TooLarge` for more than one answer may read.
    """
    volume = measured.volume
    frames = volume.shape[0]
    if volume.kind is VolumeKind.LABELS or frames < 2:
        raise Invalid(f"{measured.asset.name} does not change over time", hint="take an image with time points")
    if frames > MOST_FRAMES:
        raise TooLarge(f"{measured.asset.name} has {frames} time points", hint=f"one answer has {MOST_FRAMES}")
    if not np.isfinite(zyx_um).all() or not 0 <= radius_um < np.inf:
        raise Invalid("the place or the radius is no number", hint="micrometres; the radius 0 or more")

    def chunks(one: int) -> int:
        low, high = _box(measured, one, zyx_um, radius_um)
        deep = volume.levels[one].chunk_shape[0]
        return len(measured.chunks_over(one, low, high)) * ceil(frames / deep) * deep

    chosen = measured.choose_level(level, chunks)
    low, high = _box(measured, chosen, zyx_um, radius_um)
    index = np.stack(np.meshgrid(*map(np.arange, low, high), indexing="ij"), axis=-1)
    world = measured.to_world(chosen)
    centers = index @ world[:3, :3].T + world[:3, 3]
    inside = np.linalg.norm(centers - zyx_um, axis=-1) <= radius_um
    if not inside.any():
        inside[np.unravel_index(np.argmin(np.linalg.norm(centers - zyx_um, axis=-1)), inside.shape)] = True
    window = Window((0, 0, *low.tolist()), (frames, volume.shape[1], *high.tolist()))
    values = measured.stored.read(chosen, window)[:, :, inside].astype(np.float64).mean(axis=2).T
    times = np.arange(frames, dtype=np.float64) * (volume.time_step_s or 1.0)
    names = tuple(channel.name for channel in volume.channels)
    timed = volume.time_step_s is not None
    return TimeCourse(chosen, timed, int(inside.sum()), centers[inside][0], names, times, values)


def _box(measured: Measured, level: int, zyx_um: Floats, radius_um: float) -> tuple[Ints, Ints]:
    """The voxels of `level` that may lie within the radius: the first, and the one after the last. Raises `Invalid`."""
    inverse = np.linalg.inv(measured.to_world(level))
    center = inverse[:3, :3] @ zyx_um + inverse[:3, 3]
    shape = np.array(measured.volume.levels[level].shape[2:])
    # half a voxel around the last centres is the image, too
    if ((center < -0.5) | (center > shape - 0.5)).any():
        raise Invalid(f"the place {zyx_um.tolist()} is outside of {measured.asset.name}", hint="z,y,x in micrometres")
    reach = radius_um * np.linalg.norm(inverse[:3, :3], axis=1)
    low = np.clip(np.round(center - reach), 0, shape - 1).astype(np.int64)
    high = np.clip(np.round(center + reach), 0, shape - 1).astype(np.int64) + 1
    return low, high
