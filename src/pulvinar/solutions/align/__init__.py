"""A brain to its atlas: how it lies is found from the data, then an affine map and a smooth deformation, both ways.

With it comes how well it went, how sure each place is, and whether a person should look.

`align` takes two levels in memory; `Warped` shows a volume of any size through what it found, block by block.
"""

from pulvinar.solutions.align.alignment import Alignment, align
from pulvinar.solutions.align.brain_image import BrainImage
from pulvinar.solutions.align.measure import measure
from pulvinar.solutions.align.pictures import checkerboard, contours
from pulvinar.solutions.align.warping import Warped, warped_array

__all__ = [
    "Alignment",
    "BrainImage",
    "Warped",
    "align",
    "checkerboard",
    "contours",
    "measure",
    "warped_array",
]
