"""Pictures of an alignment for people: a checkerboard of the two brains, and the outlines of one on the other."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

from pulvinar.ingest.pictures import Picture, turned
from pulvinar.solutions.align.alignment import Alignment
from pulvinar.solutions.align.brain_image import Gray, tissue_of, voxel_letters
from pulvinar.solutions.align.quality import Labels

_PIXELS = 360
_SQUARES = 8
_TEMPLATE, _BRAIN = np.array([255, 140, 0]), np.array([80, 220, 255])


def checkerboard(found: Alignment) -> bytes:
    """Three sections through the middle, PNG, whose squares show in turn the template and the brain: lines that run on
    from one to the next are aligned."""
    return _png([_upright(found, _checked(*_pair(found, axis)), axis) for axis in range(3)])


def contours(found: Alignment, labels: Labels | None = None) -> bytes:
    """Three sections of the brain, PNG, with the template's outline (orange) and the brain's own (blue); in place of
    the template's those of `labels` (z, y, x, on the alignment's grid) where they are given."""
    shapes = (labels if labels is not None else tissue_of(found.template).astype(np.int64), tissue_of(found.seen))
    pictures = []
    for axis in range(3):
        _, seen = _pair(found, axis)
        picture = np.repeat((seen * 255).astype(np.uint8)[..., None], 3, axis=2)
        for shape, colour in zip(shapes, (_TEMPLATE, _BRAIN), strict=True):
            section = _enlarged(_middle(np.asarray(shape), axis).astype(np.float64), order=0)
            edge = ndimage.maximum_filter(section, 3) != ndimage.minimum_filter(section, 3)
            picture[edge] = colour
        pictures.append(_upright(found, picture, axis))
    return _png(pictures)


def _upright(found: Alignment, picture: Picture, axis: int) -> Picture:
    """A section across `axis` with superior (or anterior) up, where it is known how the template lies."""
    letters = voxel_letters(found.transform.target, np.array(found.grid.voxel_to_space_um))
    rest = [other for other in range(3) if other != axis]
    return turned(picture, letters, rest, (1.0, 1.0))[0]


def _pair(found: Alignment, axis: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    return _shown(found.template, axis), _shown(found.seen, axis)


def _shown(image: Gray, axis: int) -> npt.NDArray[np.float64]:
    return np.clip(_enlarged(_middle(image, axis).astype(np.float64), order=1), 0, 1) ** 0.7


def _checked(one: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    side = max(one.shape) // _SQUARES
    rows, columns = np.indices(one.shape) // side
    gray = np.where((rows + columns) % 2, one, other)
    return np.repeat((gray * 255).astype(np.uint8)[..., None], 3, axis=2)


def _middle(array: npt.NDArray[np.generic], axis: int) -> npt.NDArray[np.generic]:
    return np.asarray(array.take(array.shape[axis] // 2, axis))


def _enlarged(section: npt.NDArray[np.float64], order: int) -> npt.NDArray[np.float64]:
    return np.asarray(ndimage.zoom(section, _PIXELS / max(section.shape), order=order))


def _png(pictures: list[npt.NDArray[np.uint8]]) -> bytes:
    height = max(picture.shape[0] for picture in pictures)
    padded = [np.pad(one, ((0, height - one.shape[0]), (4, 4), (0, 0))) for one in pictures]
    buffer = io.BytesIO()
    Image.fromarray(np.concatenate(padded, axis=1)).save(buffer, "PNG")
    return buffer.getvalue()
