"""Whether letters are written into an image: the plain look that finds what scanners and cameras print."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

_LOWEST, _HIGHEST = 5, 48
"""Heights of letters, in pixels."""
_FEWEST = 5
"""So many in one row are writing: fewer are noise."""
_RAREST = 0.05
"""Writing has one value, which few pixels of the image have."""


def has_writing(plane: npt.NDArray[Any]) -> bool:
    """Whether `plane` (y, x) has a row of small shapes, all of exactly its brightest or its darkest value.

    Handwriting, grey letters and letters on a busy ground are not seen: a person still looks.
    """
    if plane.ndim != 2 or min(plane.shape) < _LOWEST or plane.min() == plane.max():
        return False
    return any(_rows_of_letters(plane == value) for value in (plane.max(), plane.min()))


def _rows_of_letters(mask: npt.NDArray[np.bool_]) -> bool:
    if not 0 < mask.mean() < _RAREST:
        return False
    shapes, _ = ndimage.label(mask, structure=np.ones((3, 3), bool))
    boxes = [
        (rows.start, rows.stop - rows.start, columns.stop - columns.start)
        for rows, columns in ndimage.find_objects(shapes)
    ]
    letters = [box for box in boxes if _LOWEST <= box[1] <= _HIGHEST and box[2] <= 2 * box[1]]
    bottoms = np.array([top + height for top, height, _ in letters])
    return any(int((np.abs(bottoms - bottom) <= 1).sum()) >= _FEWEST for bottom in bottoms)
