"""How the voxels of an atlas lie, measured from themselves: headers are hints, anatomy is what counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pulvinar.errors import UnreadableFile
from pulvinar.model.space import Affine, Space, Window, opposite
from pulvinar.model.transform import affine_rows, world_to_space
from pulvinar.model.volume import Triple
from pulvinar.storage.sources import Voxels, VoxelSource

Center = npt.NDArray[np.float64]
"""A voxel index (z, y, x)."""


@dataclass(frozen=True)
class LabelPlace:
    """How many voxels a label has, and the mean of their indices (z, y, x)."""

    count: int
    center: Center


def label_places(source: VoxelSource) -> dict[int, LabelPlace]:
    """Where the labels of a volume are, read block by block; 0 is left out."""
    total: dict[int, tuple[int, Center]] = {}
    for window, voxels in blocks(source):
        corner = np.array(window.start[2:], np.float64)
        at = np.nonzero(voxels)
        labels, inverse = np.unique(voxels[at], return_inverse=True)
        count = np.bincount(inverse, minlength=len(labels))
        sums = np.stack([np.bincount(inverse, weights=axis, minlength=len(labels)) for axis in at], axis=1)
        for i, label in enumerate(labels.tolist()):
            before, place = total.get(int(label), (0, np.zeros(3)))
            total[int(label)] = (before + int(count[i]), place + sums[i] + count[i] * corner)
    return {label: LabelPlace(count, place / count) for label, (count, place) in total.items()}


def blocks(source: VoxelSource, planes: int = 16) -> Iterator[tuple[Window, Voxels]]:
    """The first time point and channel of a volume, some planes at a time: axes (z, y, x)."""
    _, _, depth, height, width = source.shape
    step = max(planes, source.block_shape[2])
    for start in range(0, depth, step):
        window = Window((0, 0, start, 0, 0), (1, 1, min(start + step, depth), height, width))
        block = source.read(window)
        yield window, block[0, 0]
        source.release(block)


def measured_orientation(places: Mapping[int, LabelPlace], landmarks: Mapping[str, Sequence[int]]) -> str:
    """Where rising z, y and x go, told from labels that are known to lie at a side of the brain.

    `landmarks` has for each letter of S, I, A, P, L, R the labels at that side: S and I, A and P must be there, L and R
    may be. An axis of which nobody tells is "?". Raises `UnreadableFile` when the landmarks don't lie on three axes, or
    a label isn't there: then it is another file.
    """
    letters = ["?", "?", "?"]
    for low, high in (("I", "S"), ("P", "A"), ("L", "R")):
        if low not in landmarks or high not in landmarks:
            continue
        across = _middle(places, landmarks[high]) - _middle(places, landmarks[low])
        axis = int(np.argmax(np.abs(across)))
        if letters[axis] != "?":
            raise UnreadableFile(
                f"regions that should lie {low} and {high} of each other don't", hint="is it the source's own file?"
            )
        letters[axis] = high if across[axis] > 0 else low
    return "".join(letters)


def _middle(places: Mapping[int, LabelPlace], labels: Sequence[int]) -> Center:
    there = [places[label] for label in labels if label in places]
    if not there:
        raise UnreadableFile(f"no voxel has one of the labels {list(labels)[:5]}", hint="is it the source's own file?")
    weights = [place.count for place in there]
    return np.asarray(np.average([place.center for place in there], axis=0, weights=weights))


def corner_affine(orientation: str, shape: tuple[int, int, int], size_um: Triple, space: Space) -> Affine:
    """The map from voxel index to `space`, whose origin is the corner of the volume, for voxels whose axes rise towards
    `orientation`."""
    matrix = np.zeros((4, 4))
    matrix[3, 3] = 1
    for axis, letter in enumerate(orientation):
        target = next(i for i, other in enumerate(space.orientation) if other in (letter, opposite(letter)))
        forward = space.orientation[target] == letter
        matrix[target, axis] = size_um[axis] if forward else -size_um[axis]
        matrix[target, 3] = size_um[axis] / 2 if forward else (shape[axis] - 0.5) * size_um[axis]
    return affine_rows(matrix)


def world_affine(affine_um: Affine, space: Space) -> Affine:
    """An affine into the world frame "SAR" as one into `space`."""
    return affine_rows(np.array(world_to_space(space)) @ np.array(affine_um))


def orientation_of_affine(affine_um: Affine) -> str:
    """Where the voxel axes rise in the world frame "SAR", by their largest parts."""
    letters = []
    for column in np.array(affine_um)[:3, :3].T:
        world = int(np.argmax(np.abs(column)))
        letters.append("SAR"[world] if column[world] > 0 else "IPL"[world])
    return "".join(letters)
