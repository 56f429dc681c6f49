"""A matrix as a picture of which every cell can be told."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
from PIL import Image

from pulvinar.ingest.pictures import matrix_colours
from pulvinar.ingest.signals import spread

_PIXELS = 960


def heat_map(values: npt.NDArray[np.float64]) -> bytes:
    """`values` (rows, columns) as WebP without loss, each cell a square of whole pixels; NaN is grey.

    The colours are those of the thumbnail: dark to bright (by powers
    of ten where values go over many), or blue to red about 0 where some are negative.
    """
    picture = Image.fromarray(matrix_colours(spread(values)))
    factor = max(1, _PIXELS // max(values.shape))
    drawn = picture.resize((picture.width * factor, picture.height * factor), Image.Resampling.NEAREST)
    buffer = io.BytesIO()
    drawn.save(buffer, "WEBP", lossless=True)
    return buffer.getvalue()
