"""What the readers of tractography have in common: points of many lines, turned into the platform's places in parts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from pulvinar.errors import TooLarge, UnreadableFile
from pulvinar.ingest.reader import Options
from pulvinar.ingest.readers.places import places_zyx_um, step_um

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
_MILLIMETRE_UM = 1000.0
_PART = 1 << 20
_MOST_POINTS = 80_000_000


def zyx_um_of(rasmm: Callable[[int, int], Floats], first: Ints, options: Options, name: str) -> npt.NDArray[np.float64]:
    """Places (n, 3) of points that `rasmm(start, stop)` gives in RAS millimetres (x, y, z), a part at a time.

    Raises `UnreadableFile`, naming the line, for a point that is not finite, `TooLarge` for too many.
    """
    count = int(first[-1])
    if count > _MOST_POINTS:
        raise TooLarge(
            f"{name} has {count} points; at most {_MOST_POINTS} are read", hint="split the tractogram, or thin it out"
        )
    places = np.empty((count, 3))
    step = step_um(options, _MILLIMETRE_UM)
    for start in range(0, count, _PART):
        part = rasmm(start, min(start + _PART, count))
        finite = np.isfinite(part).all(axis=1)
        if not finite.all():
            line = int(np.searchsorted(first, start + int(np.argmin(finite)), side="right"))
            raise UnreadableFile(
                f"{name}: streamline {line} has a coordinate that is not finite", hint="export the file again"
            )
        places[start : start + len(part)] = places_zyx_um(part, options, step)
    return places
