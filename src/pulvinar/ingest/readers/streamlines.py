"""What the readers of tractography have in common: points of many lines, turned into the platform's places in parts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from pulvinar.errors import TooLarge, UnreadableFile
from pulvinar.ingest.readers.places import Numbers, world_zyx_um

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
# so many points stay in the processor's cache from one step to the next
_PART = 1 << 15
_MOST_POINTS = 80_000_000


def zyx_um_of(rasmm: Callable[[int, int], Numbers], first: Ints, name: str) -> Floats:
    """Places (n, 3) of points that `rasmm(start, stop)` gives in RAS millimetres (x, y, z), a part at a time.

    Raises `UnreadableFile`, naming the line, for a point that is not finite, `TooLarge` for too many.
    """
    count = int(first[-1])
    if count > _MOST_POINTS:
        raise TooLarge(
            f"{name} has {count} points; at most {_MOST_POINTS} are read", hint="split the tractogram, or thin it out"
        )
    places = np.empty((count, 3))
    for start in range(0, count, _PART):
        part = rasmm(start, min(start + _PART, count))
        if not np.isfinite(part).all():
            wrong = start + int(np.argmin(np.isfinite(part).all(axis=1)))
            line = int(np.searchsorted(first, wrong, side="right"))
            raise UnreadableFile(
                f"{name}: streamline {line} has a coordinate that is not finite", hint="export the file again"
            )
        world_zyx_um(part, places[start : start + len(part)])
    return places
