"""A region in its brain, as a picture: a section through the region, with the outlines of all others."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pulvinar.atlases.annotation import Annotation
from pulvinar.ingest.pictures import level_for, rgb, scaled, to_webp, turned
from pulvinar.ingest.record import orientation_of
from pulvinar.model.space import Window
from pulvinar.model.volume import VolumeKind

_PIXELS = 560
_TISSUE, _BORDER = 58, 128


def region_picture(annotation: Annotation, region_id: int, axis: int) -> bytes | None:
    """The section across `axis` (0: z, 1: y, 2: x) in which the region (and all below it) is largest nearby its middle,
    as WebP: the region in its colour, other tissue dark grey with lighter borders. None when it has no voxel."""
    volume = annotation.volume.volume
    at = _plane_of(annotation, region_id, axis)
    if at is None:
        return None
    index = level_for(volume, axis)
    level = volume.levels[index]
    factor = level.voxel_size_um[axis] / volume.voxel_size_um[axis]
    plane = min(int(at / factor), level.shape[2 + axis] - 1)
    start, stop = [0] * 5, [1, 1, *level.shape[2:]]
    start[2 + axis], stop[2 + axis] = plane, plane + 1
    window = Window(tuple(start), tuple(stop))  # type: ignore[arg-type]
    labels = np.take(annotation.volume.read(index, window)[0, 0], 0, axis=axis)
    color = annotation.ontology.region(region_id).color
    picture = _drawn(labels, np.isin(labels, annotation.labels_of(region_id)), color)
    rest = [other for other in range(3) if other != axis]
    height, width = (level.shape[2 + other] * level.voxel_size_um[other] for other in rest)
    picture, size = turned(picture, orientation_of(volume.affine_um), rest, (height, width))
    return to_webp(scaled(picture, size, _PIXELS, VolumeKind.IMAGE))


def _plane_of(annotation: Annotation, region_id: int, axis: int) -> int | None:
    """The plane of level 0 with most of the region, told from the index of chunks: each chunk's voxels lie around its
    centre."""
    rows = annotation.index.rows(annotation.labels_of(region_id))
    if not len(rows):
        return None
    low, high = annotation.index.start[rows, axis], annotation.index.stop[rows, axis]
    count = annotation.index.count[rows]
    # every chunk's voxels spread evenly between its first and its last plane: the fullest plane wins
    change = np.zeros(int(high.max()) + 1)
    np.add.at(change, low, count / (high - low))
    np.add.at(change, high, -count / (high - low))
    return int(np.argmax(np.cumsum(change)))


def _drawn(labels: npt.NDArray[np.generic], inside: npt.NDArray[np.bool_], color: str) -> npt.NDArray[np.uint8]:
    """RGB (rows, columns, 3)."""
    grey = np.where(labels != 0, _TISSUE, 0).astype(np.uint8)
    border = np.zeros(labels.shape, np.bool_)
    border[1:] |= labels[1:] != labels[:-1]
    border[:, 1:] |= labels[:, 1:] != labels[:, :-1]
    grey[border] = _BORDER
    picture = np.repeat(grey[..., None], 3, axis=2)
    picture[inside] = rgb(color)
    picture[inside & border] = (0.75 * rgb(color)).astype(np.uint8)
    return picture
