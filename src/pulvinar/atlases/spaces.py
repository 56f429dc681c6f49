"""The spaces of reference brains by name, and in which order of axes others write places of them.

`allen_ccfv3` has its origin at the corner of the volume: the centre of voxel i lies at (i + 0.5) voxels
(`corner_grid`). `mni152` has that of its NIfTI files, whose millimetres are a thousand of its micrometres.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from math import sqrt

import numpy as np

from pulvinar.model.space import Space
from pulvinar.model.transform import AffineTransform, affine_rows

CCFV3 = Space("allen_ccfv3", "mouse", "PIR", extent_um=(13_200.0, 8_000.0, 11_400.0))
"""Allen CCFv3: (z, y, x) rise towards posterior, inferior and right."""

MNI152 = Space("mni152", "human", "SAR")
"""ICBM MNI152: (z, y, x) rise towards superior, anterior and right."""


@dataclass(frozen=True)
class _Order:
    """What the columns x, y, z of a file are, as the letters that they rise to, and in which unit."""

    xyz: str
    unit_um: float
    expected_error_um: float
    provenance: str


class CcfColumns(Enum):
    """How files of neurons write places of the Allen CCFv3 in their columns x, y, z."""

    FMOST_25UM = _Order(
        "PIR",
        25.0,
        # whether a whole number is a voxel's corner, as is taken here, or its centre is nowhere said
        12.5 * sqrt(3),
        "full morphologies of fMOST in voxels of the CCFv3 at 25 um: x along AP, y along DV, z along LR",
    )
    MOUSELIGHT = _Order(
        "PIR",
        1.0,
        0.0,
        "MouseLight's files of the CCFv3 in micrometres: x along AP, y along DV, z along LR",
    )
    LR_DV_AP = _Order("RIP", 1.0, 0.0, "micrometres of the CCFv3: x along LR, y along DV, z along AP")


def ccf_columns(columns: CcfColumns) -> AffineTransform:
    """From the numbers of a file to the CCFv3, micrometres.

    The source is a space whose (z, y, x) are the file's columns z, y, x as they stand there, in the file's own unit:
    read the file without a unit, as `Points(transform.source, xyz[:, ::-1])`.
    """
    order = columns.value
    source = Space(f"{CCFV3.name}, {columns.name.lower()}", CCFV3.species, order.xyz[::-1])
    matrix = np.zeros((4, 4))
    for axis, letter in enumerate(source.orientation):
        matrix[CCFV3.orientation.index(letter), axis] = order.unit_um
    matrix[3, 3] = 1
    return AffineTransform(source, CCFV3, affine_rows(matrix), order.expected_error_um, order.provenance)
