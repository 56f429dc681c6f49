"""A transform that leads from the toy atlas: what is near the middle of its brain moves to the right."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import numpy.typing as npt
from tests.atlases.toy import SPACE

from pulvinar.atlases.departure import places_in_brain
from pulvinar.atlases.installed import find_atlas
from pulvinar.catalogue.transforms import StoredTransform
from pulvinar.cli.verbs import means_of
from pulvinar.ingest.transform_install import End, TransformFiles, TransformFormat, add_transform
from pulvinar.model.access import LOCAL_OWNER
from pulvinar.model.transform import space_to_world
from pulvinar.platform import Platform
from pulvinar.web.opened_atlases import opened_atlas

BULGE_UM = 100.0


def add_bulge(platform: Platform, folder: Path) -> tuple[StoredTransform, npt.NDArray[np.float64]]:
    """The transform, and the middle of the brain, (z, y, x) in micrometres of the world."""
    found = find_atlas(platform.database, LOCAL_OWNER, "toy")
    rows = np.array(space_to_world(SPACE))[:3]
    brain = places_in_brain(opened_atlas(platform, found).annotation).zyx_um @ rows[:, :3].T + rows[:, 3]
    middle = brain.mean(axis=0)
    path = folder / "deformation.nii.gz"
    _write(path, middle, 1.3 * float(np.ptp(brain, axis=0).max()))
    ends = (End(SPACE.name, SPACE.orientation), End("bulged", SPACE.orientation))
    files = TransformFiles((path,), TransformFormat.NIFTYREG, *ends, "CC0-1.0", 5.0, species="mouse")
    return add_transform(means_of(platform), files), middle


def _write(path: Path, middle: npt.NDArray[np.float64], width: float) -> None:
    """NiftyReg's field of deformation over a cube: places of the other space, (x, y, z) in millimetres."""
    side = 40
    affine = np.diag([width / side / 1000] * 3 + [1.0])
    affine[:3, 3] = middle[::-1] / 1000 - affine[0, 0] * (side - 1) / 2
    places = nib.affines.apply_affine(affine, np.stack(np.meshgrid(*[np.arange(side)] * 3, indexing="ij"), axis=-1))
    far = np.linalg.norm(places - middle[::-1] / 1000, axis=-1)
    places[..., 0] += BULGE_UM / 1000 * np.exp(-((far / (width / 8000)) ** 2))
    image = nib.Nifti1Image(places[..., None, :].astype("f4"), affine)
    image.header.set_intent("vector", name="NREG_TRANS")
    image.header["intent_p1"] = 0
    nib.save(image, path)
