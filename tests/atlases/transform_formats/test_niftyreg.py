"""The files here were written by NiftyReg 1.5 (reg_aladin, reg_f3d, reg_transform) for two small images whose headers
turn and flip their axes; `by_*` are what its reg_resample made of `floating` with linear interpolation."""

from pathlib import Path

import nibabel
import numpy as np
import pytest
from scipy.ndimage import binary_fill_holes, distance_transform_edt, map_coordinates

from pulvinar.atlases.spaces import CCFV3
from pulvinar.atlases.transform_formats import Ends, read_niftyreg_affine, read_transform
from pulvinar.atlases.transforms import apply
from pulvinar.errors import UnreadableFile
from pulvinar.model.space import Points, Space
from pulvinar.model.transform import AffineTransform, DisplacementTransform, Outside

HERE = Path(__file__).parent / "niftyreg"
REFERENCE, FLOATING = Space("reference", "mouse", "SAR"), Space("floating", "mouse", "SAR")


def voxel_centers(image) -> Points:
    """The places of all voxels of a NIfTI image, (z, y, x) micrometres of a SAR space."""
    index = np.stack(np.meshgrid(*(np.arange(n) for n in image.shape[:3]), indexing="ij"), -1).reshape(-1, 3)
    ras_mm = index @ image.affine[:3, :3].T + image.affine[:3, 3]
    return Points(REFERENCE, ras_mm[:, ::-1] * 1000)


def drawn(image, points: Points) -> np.ndarray:
    """The values of a NIfTI image at `points`, linear, 0 outside."""
    ras_mm = points.zyx_um[:, ::-1] / 1000
    back = np.linalg.inv(image.affine)
    return map_coordinates(image.get_fdata(), (ras_mm @ back[:3, :3].T + back[:3, 3]).T, order=1, mode="grid-constant")


def read(name: str, scratch: Path, ends: Ends | None = None):
    ends = ends or Ends(REFERENCE, FLOATING)
    return (
        read_niftyreg_affine(HERE / name, ends) if name.endswith(".txt") else read_transform(HERE / name, ends, scratch)
    )


@pytest.mark.parametrize(
    ("name", "resampled"),
    [("affine.txt", "by_affine"), ("deformation.nii.gz", "by_field"), ("displacement.nii.gz", "by_field")],
)
def test_points_go_where_niftyreg_took_the_voxels_from(name, resampled, tmp_path):
    theirs = nibabel.load(HERE / f"{resampled}.nii.gz")
    floating = nibabel.load(HERE / "floating.nii.gz")
    ours = drawn(floating, apply(read(name, tmp_path), voxel_centers(theirs))).reshape(theirs.shape)
    seen = theirs.get_fdata() > 0
    assert seen.mean() > 0.5
    np.testing.assert_allclose(ours, theirs.get_fdata(), atol=0.001)


def test_the_three_kinds_of_file_are_what_they_say(tmp_path):
    assert isinstance(read("affine.txt", tmp_path), AffineTransform)
    field = read("deformation.nii.gz", tmp_path)
    assert isinstance(field, DisplacementTransform)
    assert field.field.grid.outside is Outside.NEAREST


def test_a_deformation_and_a_displacement_say_the_same(tmp_path):
    points = Points(REFERENCE, np.random.default_rng(0).uniform(-12_000, 12_000, (2000, 3)))
    one, other = (apply(read(f"{name}.nii.gz", tmp_path), points) for name in ("deformation", "displacement"))
    np.testing.assert_allclose(one.zyx_um, other.zyx_um, atol=0.01)


def test_spaces_may_lie_otherwise_than_the_world(tmp_path):
    """The same field between spaces whose axes rise the other way and begin elsewhere."""
    turned = Space("turned", "mouse", "PIR", (100.0, -200.0, 300.0))
    shifted = Space("shifted", "mouse", "RIP", (7.0, 8.0, 9.0))
    points = np.random.default_rng(1).uniform(-8000, 8000, (500, 3))
    plain = apply(read("deformation.nii.gz", tmp_path), Points(REFERENCE, points)).zyx_um
    z, y, x = points.T
    given = Points(turned, np.stack([100 - y, -200 - z, 300 + x], 1))
    found = apply(read("deformation.nii.gz", tmp_path, Ends(turned, shifted)), given).zyx_um
    z, y, x = plain.T
    np.testing.assert_allclose(found, np.stack([7 + x, 8 - z, 9 - y], 1), atol=0.01)


def test_splines_are_refused_with_the_command_that_helps(tmp_path):
    with pytest.raises(UnreadableFile, match="spline control points") as caught:
        read("spline.nii.gz", tmp_path)
    assert "reg_transform" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1 0 0 0\n0 1 0 0\n0 0 1 0\n", "four rows"),
        ("1 0 0 0\n0 1 0 0\n0 0 x 0\n0 0 0 1", "four rows"),
        ("1 0 0 0\n0 1 0 0\n0 0 nan 0\n0 0 0 1", "no affine map"),
        ("1 0 0 0\n0 1 0 0\n1 1 0 0\n0 0 0 1", "flat"),
        ("1 0 0 0\n0 1 0 0\n0 0 1 0\n0 0 1 1", "no affine map"),
        ("", "four rows"),
        ("7" * 9000, "too large"),
    ],
)
def test_a_matrix_that_can_not_be_right_is_refused(text, said, tmp_path):
    path = tmp_path / "affine.txt"
    path.write_text(text)
    with pytest.raises(UnreadableFile, match=said):
        read_niftyreg_affine(path, Ends(REFERENCE, FLOATING))


def test_a_real_brain_meets_the_atlas_where_its_own_alignment_says(sample):
    """The sample came with the borders of the atlas's regions drawn onto the brain, by a map that is not among its
    files. What reg_aladin finds between the brain and its aligned copy brings those borders onto the atlas's own."""
    import tifffile

    folder = sample("mouse/whole_brain_autofluorescence/reg_output")
    borders, halves = (tifffile.imread(folder / f"{name}.tiff") for name in ("boundaries", "registered_hemispheres"))
    annotation = tifffile.imread(sample("mouse/allen_ccfv3_25um/derived_CCFv3_2017_annotation_100um_asr.tif"))
    tissue = np.stack([binary_fill_holes(plane) for plane in borders > 0])
    own = Space("brain", "mouse", "PIR")
    index = np.argwhere(np.ones(borders.shape, bool))[::3]
    found = apply(
        read_niftyreg_affine(HERE / "brain_to_ccfv3.txt", Ends(own, CCFV3)), Points(own, (index + 0.5) * 100.0)
    )
    voxels = (found.zyx_um / 100.0 - 0.5).T

    in_atlas = map_coordinates(annotation > 0, voxels, order=0)
    in_brain = tissue[tuple(index.T)]
    assert 2 * (in_atlas & in_brain).sum() / (in_atlas.sum() + in_brain.sum()) > 0.96

    far_um = map_coordinates(distance_transform_edt(~_borders_of(annotation)) * 100, voxels, order=1)
    on_border = borders[tuple(index.T)] > 0
    assert far_um[on_border].mean() < 20
    assert far_um[in_brain].mean() > 40

    half = halves[tuple(index.T)]
    assert ((half == 1) == (found.zyx_um[:, 2] > 5700))[half > 0].mean() > 0.99


def _borders_of(labels: np.ndarray) -> np.ndarray:
    """The voxels on both sides of a change of label."""
    found = np.zeros(labels.shape, bool)
    for axis in range(3):
        ahead, behind = (np.moveaxis(found, axis, 0)[part] for part in (slice(1, None), slice(None, -1)))
        change = np.moveaxis(np.diff(labels.astype(np.int64), axis=axis) != 0, axis, 0)
        ahead |= change
        behind |= change
    return found
