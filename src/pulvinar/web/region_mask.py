"""The mask of a region as a cut-out of its atlas's annotation, so that it can be had in every format of those."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pulvinar.atlases.installed import OpenAtlas
from pulvinar.errors import NotFound
from pulvinar.model.space import Window
from pulvinar.model.volume import Channel
from pulvinar.web.cutout import Cutout, Read, Wish, plan_cutout


def mask_cutout(atlas: OpenAtlas, region_id: int, level: int, budget_bytes: int) -> tuple[Cutout, Read] | None:
    """The box of a region and all below it at `level`, and what reads its voxels as 0 and 1 (uint8); None when it has
    none. Raises `NotFound` for an unknown level, `TooLarge` for more than `budget_bytes`."""
    annotation = atlas.annotation
    volume = annotation.volume.volume
    box = annotation.box_of(region_id)
    if box is None:
        return None
    if level >= len(volume.levels):
        raise NotFound(f"{atlas.atlas.name} has no level {level}", hint=f"levels 0 to {len(volume.levels) - 1}")
    factor = np.divide(volume.levels[level].voxel_size_um, volume.voxel_size_um)
    start = np.floor(box[0] / factor).astype(int)
    stop = np.minimum(np.ceil(box[1] / factor).astype(int), volume.levels[level].shape[2:])
    labels = annotation.labels_of(region_id)
    mask = replace(volume, dtype="uint8", channels=(Channel(atlas.ontology.region(region_id).name),))
    z, y, x = start.tolist()
    far_z, far_y, far_x = stop.tolist()
    cutout = plan_cutout(mask, Wish(level, (z, y, x), (far_z, far_y, far_x)), budget_bytes)

    def read(window: Window) -> np.ndarray:
        return np.isin(annotation.volume.read(level, window), labels).astype(np.uint8)

    return cutout, read
