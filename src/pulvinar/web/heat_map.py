"""A matrix as a picture of which every cell can be told."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from pulvinar.ingest.pictures import matrix_colours
from pulvinar.ingest.signals import spread

_PIXELS = 960


_MOST_NAMED = 24
_LONGEST = 20


@dataclass(frozen=True)
class Names:
    """Names beside a heat map that is 1000 wide: of every `step`th row or column, each with how far along it is."""

    step: int
    shown: tuple[tuple[float, str, str], ...]
    """(where, the name cut to what there is room for, the whole name)."""


def names_along(names: Sequence[str], length: float) -> Names:
    """The names of cells that fill `length`: so many of them that they can be read."""
    step = -(-len(names) // _MOST_NAMED)
    cell = length / max(1, len(names))
    shown = tuple(
        (round((at + 0.5) * cell, 2), name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…", name)
        for at, name in enumerate(names)
        if at % step == 0
    )
    return Names(step, shown)


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
