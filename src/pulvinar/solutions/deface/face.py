"""Where the face is in MNI152: a surface of few numbers, drawn on the template's own coordinates.

The profile says, for each height, from where on forwards everything is face. It was placed by anatomy (the orbits lie
60 mm in front of the anterior commissure and 35 mm below it, the frontal lobe ends above them) and runs in front of and
below the template's brain, of whose rim it takes less than half a percent: `removal` keeps away from the brain itself.
"""

from __future__ import annotations

from enum import Flag, auto

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]
_HEIGHT_MM = (-400.0, -90.0, -70.0, -50.0, -38.0, -25.0, -10.0, 5.0, 25.0, 45.0)
_FROM_MM = (12.0, 12.0, 22.0, 32.0, 42.0, 56.0, 70.0, 78.0, 84.0, 96.0)
"""At these heights (z of MNI152), what lies further forwards (y) is face; above the last, nothing is."""
_EAR_SIDE_MM, _EAR_FORWARDS_MM, _EAR_HEIGHT_MM = 72.0, (-55.0, 12.0), (-75.0, 12.0)


class Part(Flag):
    """What is to be removed."""

    FACE = auto()
    EARS = auto()


def face_mask(zyx_um: npt.NDArray[np.floating], parts: Part = Part.FACE) -> Mask:
    """Which of the points (..., 3) of MNI152 (superior, anterior, right; micrometres) are in one of `parts`."""
    z, y, x = np.moveaxis(np.asarray(zyx_um) / 1000, -1, 0)
    found = np.zeros(z.shape, bool)
    if Part.FACE in parts:
        found |= (y > np.interp(z, _HEIGHT_MM, _FROM_MM)) & (z < _HEIGHT_MM[-1])
    if Part.EARS in parts:
        within = (y > _EAR_FORWARDS_MM[0]) & (y < _EAR_FORWARDS_MM[1])
        found |= within & (np.abs(x) > _EAR_SIDE_MM) & (z > _EAR_HEIGHT_MM[0]) & (z < _EAR_HEIGHT_MM[1])
    return np.asarray(found)
