"""Grids of volumes: the space that one spans by itself, and those that are made in a space.

A volume's own space has its voxel axes, in micrometres from the centre of its first voxel.
"""

from __future__ import annotations

import numpy as np

from pulvinar.ingest.record import orientation_of
from pulvinar.model.dataset import Asset
from pulvinar.model.record import Species
from pulvinar.model.space import Affine, Space
from pulvinar.model.transform import FieldGrid, affine_rows, space_to_world
from pulvinar.model.volume import Channel, Level, Triple, Volume, VolumeKind, volume_from_json
from pulvinar.storage.pyramid import plan_levels


def grid_space(volume: Asset, species: Species) -> Space:
    """The space of a volume's own grid; its orientation is what the volume states, and may be empty."""
    held = volume_from_json(volume.details["volume"])
    return Space(grid_space_name(volume), species.value, orientation_of(held.affine_um))


def grid_space_name(volume: Asset) -> str:
    """What that space is called: what is found in a volume lies in it, and transforms lead from it."""
    return f"volume/{volume.id}"


def level_affine(level: Level) -> Affine:
    """From the indices (z, y, x, 1) of a level to that space."""
    matrix = np.diag([*level.voxel_size_um, 1.0])
    matrix[:3, 3] = level.translation_um
    return affine_rows(matrix)


def grid_to_world(volume: Volume) -> Affine | None:
    """From that space to the world, None where the volume says no orientation."""
    if volume.affine_um is None:
        return None
    return affine_rows(np.array(volume.affine_um) @ np.diag([*(1 / np.array(volume.voxel_size_um)), 1.0]))


def box_grid(affine: Affine, size_um: Triple, shape: tuple[int, ...], edge_um: float) -> FieldGrid:
    """The box of `shape` voxels (z, y, x) of `size_um` that `affine` places, cut into cubes of about `edge_um`."""
    counts = [max(1, round(n * size / edge_um)) for n, size in zip(shape, size_um, strict=True)]
    factor = np.array(shape) / counts
    step = np.diag([*factor, 1.0])
    step[:3, 3] = (factor - 1) / 2
    z, y, x = counts
    return FieldGrid((z, y, x), affine_rows(np.array(affine) @ step))


def planned_volume(grid: FieldGrid, space: Space, dtype: str, channels: tuple[Channel, ...], times: int = 1) -> Volume:
    """An image on `grid` of `space`, with its levels."""
    rows = np.array(grid.voxel_to_space_um)
    z, y, x = np.linalg.norm(rows[:3, :3], axis=0).tolist()
    levels = plan_levels((times, len(channels), *grid.shape), (z, y, x), dtype, VolumeKind.IMAGE)
    world = affine_rows(np.array(space_to_world(space)) @ rows) if space.orientation else None
    return Volume(VolumeKind.IMAGE, dtype, levels, channels, world)
