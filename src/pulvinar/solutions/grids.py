"""The space that a volume spans by itself: its voxel axes in micrometres, from the centre of its first voxel."""

from __future__ import annotations

import numpy as np

from pulvinar.ingest.record import orientation_of
from pulvinar.model.dataset import Asset
from pulvinar.model.record import Species
from pulvinar.model.space import Affine, Space
from pulvinar.model.transform import affine_rows
from pulvinar.model.volume import Level, volume_from_json


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
