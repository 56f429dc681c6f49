"""Grids of volumes: the space that one spans by itself, and those that are made in a space.

A volume's own space has its voxel axes, in micrometres from the centre of its first voxel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pulvinar.errors import Invalid
from pulvinar.ingest.record import orientation_of
from pulvinar.model.dataset import Asset
from pulvinar.model.record import Species
from pulvinar.model.solution import Corner
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


@dataclass(frozen=True)
class Part:
    """Voxels of a level, from `start` up to and without `stop`, both (z, y, x)."""

    start: tuple[int, int, int]
    stop: tuple[int, int, int]

    @property
    def shape(self) -> tuple[int, int, int]:
        """How many along each axis."""
        z, y, x = (b - a for a, b in zip(self.start, self.stop, strict=True))
        return z, y, x

    def grown(self, by: tuple[int, ...], shape: tuple[int, int, int]) -> Part:
        """The same with `by` voxels more to each side, as far as a level of `shape` has them."""
        low, high = np.maximum(np.subtract(self.start, by), 0), np.minimum(np.add(self.stop, by), shape)
        (a, b, c), (d, e, f) = low.tolist(), high.tolist()
        return Part((a, b, c), (d, e, f))


def part_in(box_um: tuple[Corner, Corner], size_um: Triple, shape: tuple[int, int, int]) -> Part:
    """The voxels of a level of `shape` whose centres lie in a box of the grid's space. Raises `Invalid` for none."""
    (a, b, c), (d, e, f) = (
        np.clip(np.ceil(np.divide(corner, size_um) - 1e-9), 0, shape).astype(int).tolist() for corner in box_um
    )
    if min(d - a, e - b, f - c) < 1:
        end = ", ".join(f"{(n - 1) * size:g}" for n, size in zip(shape, size_um, strict=True))
        raise Invalid("the box holds no voxel of the image", hint=f"it reaches from 0, 0, 0 to {end} um (z, y, x)")
    return Part((a, b, c), (d, e, f))


def box_in_grid(box_um: tuple[Corner, Corner], volume: Volume) -> tuple[Corner, Corner]:
    """The smallest box of the volume's own space that holds a box of the world; corners (z, y, x). Where a volume says
    no orientation both are one."""
    matrix = np.linalg.inv(np.array(grid_to_world(volume) or np.eye(4)))
    corners = np.stack(np.meshgrid(*np.array(box_um).T, indexing="ij"), axis=-1).reshape(-1, 3)
    there = np.round(corners @ matrix[:3, :3].T + matrix[:3, 3], 3)
    (a, b, c), (d, e, f) = there.min(axis=0).tolist(), there.max(axis=0).tolist()
    return (a, b, c), (d, e, f)


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
