"""`measure`: the figures of the card on real heads, against masks of their brains that others have made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from pulvinar.atlases.spaces import MNI152
from pulvinar.errors import NotFound
from pulvinar.ingest.sandbox import Limits, ReaderHost
from pulvinar.ingest.submission import open_submission
from pulvinar.model.space import Space, Window
from pulvinar.solutions.align.brain_image import BrainImage, Mask, rows_of
from pulvinar.solutions.cards import Figure
from pulvinar.solutions.deface.face import Part
from pulvinar.solutions.deface.removal import Defaced, FaceFound, find_face
from pulvinar.storage.sources import ArraySource

_TEMPLATE = "datasets/data/mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz"
_NET = "models/brainchop_meshnet/onnx_derived/model5_gw_ae.onnx"
HEADS = {"t1_1mm": "human/t1_1mm/t1_crop.nii.gz", "dicom_struct": "human/dicom_struct_T1_384slices.tar.gz"}
_EDGE = 256
_TO_RAS = np.eye(4)[[2, 1, 0, 3]]


@dataclass(frozen=True)
class Measured:
    """Of one head: voxels of its brain, how many of those were changed, what share of the head in front of and below
    the brain was removed, and how far the nearest removed voxel is from the brain."""

    brain_voxels: int
    changed: int
    removed_voxels: int
    face_removed: float
    nearest_mm: float


def measure(samples: Path) -> Iterator[Figure]:
    """The figures of the card. Raises `NotFound` where a sample or the template is missing, and what `align` raises."""
    for name, path in HEADS.items():
        found = measure_head(samples, samples / path)
        data = f"{name}, {found.brain_voxels:,} voxels of brain"
        changed, share = float(found.changed), found.face_removed
        yield Figure(f"{name} brain voxels changed", "SILVER", changed, changed, changed, data=data)
        yield Figure(f"{name} face removed", "SILVER", share, share, share, data=data)
        near = found.nearest_mm
        yield Figure(f"{name} nearest to the brain", "SILVER", near, near, near, unit="mm", data=data)


def measure_head(samples: Path, path: Path, parts: Part = Part.FACE) -> Measured:
    """Deface one head, and count."""
    head = read_head(path)
    face = find_face(template(), head, parts)
    removed = removed_voxels(head, face)
    brain = brain_mask(head, samples / _NET)
    size_mm = head.voxel_size_um / 1000
    away = ndimage.distance_transform_edt(~brain, sampling=size_mm)
    tissue = _tissue(head)
    expected = tissue & _ahead(head, brain)
    return Measured(
        int(brain.sum()),
        int((removed & brain).sum()),
        int(removed.sum()),
        float((removed & expected).sum() / max(int(expected.sum()), 1)),
        float(away[removed].min()) if removed.any() else float("inf"),
    )


def template() -> BrainImage:
    """The template of MNI152 as nilearn brings it: without skull."""
    import nibabel

    try:
        path = files("nilearn") / _TEMPLATE
    except ModuleNotFoundError:
        raise NotFound("nilearn, which brings the template, is not installed", hint="pip install nilearn") from None
    image: Any = nibabel.load(str(path))
    return _image(np.asanyarray(image.dataobj), image.affine, MNI152)


def read_head(path: Path) -> BrainImage:
    """The first volume of a file, a folder or an archive, as the readers of ingest see it."""
    if not path.exists():
        raise NotFound(f"the sample {path.name} is not there")
    with TemporaryDirectory(prefix="pulvinar-deface-") as folder:
        scratch = Path(folder)
        (scratch / "reading").mkdir()
        with (
            open_submission(path, scratch, Limits()) as submission,
            ReaderHost(
                submission.root, scratch=scratch / "reading", limits=Limits(), readable=submission.readable
            ) as host,
        ):
            found = next(one for one in host.find(submission.files) if one.volume is not None)
            assert found.volume is not None
            assert found.volume.affine_um is not None
            _, _, z, y, x = found.volume.shape
            voxels = np.array(host.open_volume(found).read(Window((0, 0, 0, 0, 0), (1, 1, z, y, x))))[0, 0]
            return BrainImage(Space(path.name, "human", "SAR"), voxels, found.volume.affine_um)


def removed_voxels(head: BrainImage, face: FaceFound) -> Mask:
    """Which voxels (z, y, x) of a head are taken out."""
    source = ArraySource(head.voxels[None, None])
    shape = head.voxels.shape
    return Defaced(source, head.voxel_to_space_um, face.mask, face.to_space_um).face((0, 0, 0), shape)


def brain_mask(head: BrainImage, net: Path) -> Mask:
    """The brain by a small net that knows grey and white matter: independent of any alignment."""
    import onnxruntime

    if not net.exists():
        raise NotFound(f"the model {net.name} is not among the samples")
    cube, to_cube = _conformed(head)
    session = onnxruntime.InferenceSession(str(net), providers=["CPUExecutionProvider"])
    (told,) = session.run(None, {session.get_inputs()[0].name: cube[None, None].astype(np.float32)})
    labels = np.asarray(told).squeeze()
    parts, count = ndimage.label(labels > 0)
    largest = parts == 1 + np.argmax(np.bincount(parts.ravel())[1:]) if count else labels > 0
    whole = ndimage.binary_fill_holes(largest)
    matrix = np.linalg.inv(to_cube)
    back = ndimage.affine_transform(
        np.asarray(whole, np.float32), matrix[:3, :3], matrix[:3, 3], output_shape=head.voxels.shape, order=0
    )
    return np.asarray(back > 0.5)


def _conformed(head: BrainImage) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float64]]:
    """The head as the net wants it, 256 voxels of 1 mm a side in FreeSurfer's order (left, inferior, anterior), between
    0 and 1; and the map of that cube's indices to the head's."""
    own = np.array(head.voxel_to_space_um)
    middle = own @ np.array([*(np.array(head.voxels.shape) - 1) / 2, 1.0])
    to_space = np.zeros((4, 4))
    # columns: the cube's axes; rows: superior, anterior, right
    to_space[:3, :3] = np.array([[0, -1, 0], [0, 0, 1], [-1, 0, 0]]) * 1000
    to_space[:3, 3] = middle[:3] - to_space[:3, :3] @ np.full(3, (_EDGE - 1) / 2)
    to_space[3, 3] = 1
    to_head = np.linalg.inv(own) @ to_space
    cube = ndimage.affine_transform(
        head.voxels.astype(np.float32), to_head[:3, :3], to_head[:3, 3], output_shape=(_EDGE,) * 3, order=1
    )
    low, high = np.percentile(cube, (2, 98))
    return np.clip((cube - low) / max(high - low, 1e-6), 0, 1), to_head


def _tissue(head: BrainImage) -> Mask:
    from skimage.filters import threshold_otsu

    voxels = head.voxels.astype(np.float32)
    return np.asarray(voxels > 0.5 * threshold_otsu(voxels[voxels > 0]))


def _ahead(head: BrainImage, brain: Mask) -> Mask:
    """Where a face is to be expected, by the brain's own box: in the front third of it and before, below its middle."""
    matrix = np.array(head.voxel_to_space_um)
    places = np.argwhere(brain) @ matrix[:3, :3].T + matrix[:3, 3]
    (low_z, low_y, _), (high_z, high_y, _) = np.percentile(places, (0.1, 99.9), axis=0)
    index = np.indices(brain.shape, dtype=np.float32)
    z, y = (sum(row[i] * index[i] for i in range(3)) + row[3] for row in matrix[:2])
    return np.asarray((y > high_y - 0.2 * (high_y - low_y)) & (z < low_z + 0.35 * (high_z - low_z)))


def _image(voxels: npt.NDArray[Any], affine: npt.NDArray[np.float64], space: Space) -> BrainImage:
    """A NIfTI's voxels and its map in millimetres as (z, y, x) and micrometres."""
    matrix = _TO_RAS @ affine @ _TO_RAS
    matrix[:3] *= 1000
    return BrainImage(space, np.ascontiguousarray(voxels.transpose(2, 1, 0)), rows_of(matrix))
