"""Affine maps that are four rows of four numbers: NiftyReg's and FSL's. Such a file does not say whose it is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pulvinar.atlases.transform_formats.steps import (
    AffineStep,
    Ends,
    affine_in_world,
    to_transform,
    unreadable,
)
from pulvinar.errors import Invalid
from pulvinar.model.space import Affine
from pulvinar.model.transform import Matrix, Transform, affine_rows, check_affine

_MOST_BYTES = 4096


@dataclass(frozen=True)
class ImageGrid:
    """Where the voxels of an image lie: its shape in voxels (z, y, x), and its `Volume.affine_um`, from the voxel's
    index (z, y, x, 1) to the world "SAR". Raises `Invalid` for a map without inverse."""

    shape: tuple[int, int, int]
    voxel_to_world_um: Affine

    def __post_init__(self) -> None:
        check_affine(self.voxel_to_world_um)


def read_niftyreg_affine(path: Path, ends: Ends) -> Transform:
    """An affine of `reg_aladin -aff`: from the places of the reference image to those of the floating one, RAS+
    millimetres. `Ends.source` is the space of the reference, `Ends.target` that of the floating image.

    Raises `UnreadableFile`. Source: NiftyReg's documentation of reg_transform.
    """
    return to_transform([affine_in_world(_four_rows(path), ends.from_ras())], ends, path.name)


def read_flirt(path: Path, ends: Ends, source_image: ImageGrid, target_image: ImageGrid) -> Transform:
    """A matrix of FSL's `flirt -omat`: from the input image (`source_image`) to the reference (`target_image`). Images
    and points go the same way here.

    Its places are voxels (x, y, z) times their sizes in millimetres, with x counted from the other end in an image
    whose header keeps left and right as RAS+ does (a map of positive determinant). Raises `UnreadableFile`.
    Source: FSL's FLIRT FAQ, "What is the format of the matrix used by FLIRT?".
    """
    into = _flirt_to_world(source_image, ends.file_unit_um)
    out_of = _flirt_to_world(target_image, ends.file_unit_um)
    matrix = out_of @ _four_rows(path) @ np.linalg.inv(into)
    return to_transform([AffineStep(matrix)], ends, path.name)


def _flirt_to_world(image: ImageGrid, unit_um: float) -> Matrix:
    """From FLIRT's places (x, y, z, 1) of an image to the world."""
    to_world = np.array(image.voxel_to_world_um)
    sizes = np.linalg.norm(to_world[:3, :3], axis=0)[::-1] / unit_um
    to_voxel = np.diag([*(1 / sizes), 1.0])
    # both orders of axes are turned round, which leaves the sign of the determinant as it is
    if np.linalg.det(to_world[:3, :3]) > 0:
        to_voxel[0] = (-1 / sizes[0], 0, 0, image.shape[2] - 1)
    return np.asarray(to_world @ np.eye(4)[[2, 1, 0, 3]] @ to_voxel)


def _four_rows(path: Path) -> Matrix:
    if path.stat().st_size > _MOST_BYTES:
        raise unreadable(path.name, "is too large for four rows of four numbers", "hand in the affine matrix")
    rows = [line.split() for line in path.read_text("utf-8", "replace").splitlines() if line.strip()]
    try:
        matrix = np.array(rows, np.float64)
    except ValueError:
        matrix = np.zeros(0)
    if matrix.shape != (4, 4):
        raise unreadable(path.name, "is not four rows of four numbers", "hand in the affine matrix")
    # programs round the last row as the others
    if np.allclose(matrix[3], (0, 0, 0, 1), atol=1e-6):
        matrix[3] = (0, 0, 0, 1)
    try:
        check_affine(affine_rows(matrix))
    except Invalid as error:
        raise unreadable(path.name, f"holds no affine map: {error.message}", error.hint) from error
    return matrix
