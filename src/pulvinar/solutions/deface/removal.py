"""The face of one head: found by aligning it to the template, kept away from its brain, and taken out of its voxels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from pulvinar.atlases.transforms import apply
from pulvinar.errors import Conflict
from pulvinar.model.space import Affine, Points, Window
from pulvinar.model.transform import inverse_rows
from pulvinar.model.volume import Shape5
from pulvinar.solutions.align.aligner import Aligner
from pulvinar.solutions.align.alignment import Alignment, align
from pulvinar.solutions.align.brain_image import BrainImage, rows_of, work_level
from pulvinar.solutions.deface.face import Part, face_mask
from pulvinar.storage.sources import Voxels, VoxelSource

WORK_VOXEL_UM = 2000.0
_GUARD_UM = 8000.0
"""Nothing so close to the brain is touched: as much as skull and skin are thick, less than an eye is deep."""
_LEAST_OVERLAP = 0.8
"""Below this share of the template's brain that meets tissue, nobody knows where the face is."""
_POINTS = 1 << 20

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class FaceFound:
    """`mask` (z, y, x) on cubes that `to_space_um` places in the head's space: True is face. `brain` is where the
    template's brain came to lie there. `alignment` says how sure that is."""

    mask: Mask
    brain: Mask
    to_space_um: Affine
    alignment: Alignment


def find_face(
    template: BrainImage, head: BrainImage, parts: Part = Part.FACE, *, aligner: Aligner | None = None
) -> FaceFound:
    """Where the face of `head` is, by the map to `template`, which lies in MNI152 and has no skull.

    Raises `Conflict` where the two can't be brought together well enough to know, and what `align` raises.
    """
    found = align(template, head, voxel_um=WORK_VOXEL_UM, aligner=aligner)
    overlap = found.quality.stages[-1].tissue_dice
    if overlap < _LEAST_OVERLAP:
        raise Conflict(
            f"the head could not be aligned to the template (they overlap to {overlap:.2f}): nobody knows where its "
            "face is",
            hint="crop the volume to the head, or say how it lies; until then it stays in quarantine",
        )
    level = work_level(head, WORK_VOXEL_UM)
    rows = rows_of(level.to_space_um)
    there = _in_template(found, rows, level.voxels.shape)
    brain = _sampled(_brain_of(template), template.voxel_to_space_um, there)
    guarded = ndimage.distance_transform_edt(~brain, sampling=WORK_VOXEL_UM) <= _GUARD_UM
    return FaceFound(face_mask(there, parts) & ~guarded, brain, rows, found)


def _in_template(found: Alignment, rows: Affine, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """The places (z, y, x, 3) in the template's space of the centres of a grid in the head's."""
    matrix = np.array(rows)
    index = np.moveaxis(np.indices(shape, dtype=np.float32), 0, -1).reshape(-1, 3)
    there = np.empty_like(index)
    for start in range(0, len(index), _POINTS):
        some = slice(start, start + _POINTS)
        own = index[some] @ matrix[:3, :3].T + matrix[:3, 3]
        there[some] = apply(found.transform, Points(found.transform.source, own)).zyx_um
    return there.reshape(*shape, 3)


def _brain_of(template: BrainImage) -> Mask:
    """A template without skull is its own mask."""
    return np.asarray(ndimage.binary_fill_holes(np.asarray(template.voxels) > 0), bool)


def _sampled(mask: Mask, affine: Affine, places_um: npt.NDArray[np.float32]) -> Mask:
    to_index = np.array(inverse_rows(affine))
    index = places_um @ to_index[:3, :3].T + to_index[:3, 3]
    return np.asarray(ndimage.map_coordinates(mask.astype(np.uint8), np.moveaxis(index, -1, 0), order=0) > 0)


class Defaced:
    """`source` with 0 wherever `found` says face: level 0 of a volume without one. `affine` places its voxels."""

    def __init__(self, source: VoxelSource, affine: Affine, mask: Mask, to_space_um: Affine) -> None:
        self._source, self._mask = source, mask
        self._to_mask = np.array(inverse_rows(to_space_um)) @ np.array(affine)
        self.shape: Shape5 = source.shape
        self.dtype = source.dtype
        self.block_shape: Shape5 = source.block_shape

    def read(self, window: Window) -> Voxels:
        """The voxels of `window`, those of the face 0."""
        held = self._source.read(window)
        voxels = np.array(held)
        self._source.release(held)
        voxels[..., self.face(window.start[2:], window.stop[2:])] = 0
        return voxels

    def release(self, voxels: Voxels) -> None:
        """Nothing: what `read` gives is a copy."""

    def face(self, start: tuple[int, ...], stop: tuple[int, ...]) -> Mask:
        """Which voxels (z, y, x) of a box are face."""
        index = [np.arange(a, b, dtype=np.float32) for a, b in zip(start, stop, strict=True)]
        grid: list[npt.NDArray[Any]] = list(np.meshgrid(*index, indexing="ij"))
        places = [
            np.rint(sum(row[i] * grid[i] for i in range(3)) + row[3]).astype(np.int32) for row in self._to_mask[:3]
        ]
        inside = [np.clip(place, 0, size - 1) for place, size in zip(places, self._mask.shape, strict=True)]
        return np.asarray(self._mask[tuple(inside)])
