"""Every format of ITK is written by SimpleITK and compared with what its own TransformPoint says."""

import gzip
import struct
from dataclasses import replace

import h5py
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 (its own name)
from scipy.io import loadmat

from pulvinar.atlases.displacement import store_field
from pulvinar.atlases.transform_formats import Ends, read_chain, read_transform
from pulvinar.atlases.transforms import apply
from pulvinar.errors import Invalid, PulvinarError, TooLarge, UnreadableFile
from pulvinar.model.space import Points, Space
from pulvinar.model.transform import AffineTransform, Composition, DisplacementTransform, Outside
from pulvinar.storage.store import open_store

FIXED, MOVING = Space("mni152", "human", "SAR"), Space("scan", "human", "SAR")
ENDS = Ends(FIXED, MOVING, expected_error_um=300.0, provenance="a test")
SIZE, SPACING, ORIGIN = (9, 11, 13), (4.0, 3.0, 3.5), (-15.0, -17.0, -20.0)
DIRECTION = (0.0, 0.0, 1.0, -0.6, 0.8, 0.0, -0.8, -0.6, 0.0)


def affine(kind=sitk.AffineTransform):
    made = kind(3)
    made.SetMatrix((1.1, 0.2, -0.1, 0.05, 0.9, 0.3, -0.2, 0.1, 1.05))
    made.SetTranslation((4.0, -7.0, 11.0))
    made.SetCenter((1.0, 20.0, -5.0))
    return made


def euler(zyx=False):
    made = sitk.Euler3DTransform((3.0, 2.0, 1.0), 0.3, -0.4, 0.6, (5.0, 6.0, 7.0))
    made.SetComputeZYX(zyx)
    return made


def image_of_vectors(seed=0):
    vectors = np.random.default_rng(seed).normal(0, 2, (*SIZE[::-1], 3))
    image = sitk.GetImageFromArray(vectors, isVector=True)
    image.SetSpacing(SPACING)
    image.SetOrigin(ORIGIN)
    image.SetDirection(DIRECTION)
    return image


def field(seed=0):
    return sitk.DisplacementFieldTransform(image_of_vectors(seed))


def similarity():
    return sitk.Similarity3DTransform(1.3, (0.1, 0.7, -0.3), 0.4, (1.0, 2.0, 3.0), (4.0, 5.0, 6.0))


AFFINES = {
    "affine": affine,
    "euler": euler,
    "euler zyx": lambda: euler(True),
    "rigid": lambda: sitk.VersorRigid3DTransform((0.2, 0.9, -0.1), 0.7, (1.0, -2.0, 3.0), (9.0, 8.0, 7.0)),
    "similarity": similarity,
    "translation": lambda: sitk.TranslationTransform(3, (1.0, 2.0, 3.0)),
    "scale": lambda: sitk.ScaleTransform(3, (1.1, 0.8, 1.3)),
    "identity": lambda: sitk.Transform(3, sitk.sitkIdentity),
}
CHAINS = {
    "two affines": (affine, euler),
    "affine and field": (affine, field),
    "field and affine": (field, affine),
    "two fields": (lambda: field(1), affine, lambda: field(2), euler),
}


def lps_points(count=1500, seed=5):
    """Places around the field, a part of them outside, (x, y, z) millimetres of LPS."""
    inside = np.random.default_rng(seed).uniform(-1.5, np.array(SIZE) + 0.5, (count, 3))
    return ORIGIN + (inside * SPACING) @ np.reshape(DIRECTION, (3, 3)).T


def to_space(lps_mm, space=FIXED):
    x, y, z = lps_mm.T * 1000
    return Points(space, np.stack([z, -y, -x], 1))


def assert_same(transform, theirs, tolerance_um=0.05):
    lps = lps_points()
    expected = to_space(np.array([theirs.TransformPoint(point.tolist()) for point in lps])).zyx_um
    np.testing.assert_allclose(apply(transform, to_space(lps)).zyx_um, expected, atol=tolerance_um, rtol=0)


@pytest.mark.parametrize("ending", ["tfm", "txt", "mat", "h5"])
@pytest.mark.parametrize("name", AFFINES)
def test_affine_files_say_what_itk_says(name, ending, tmp_path):
    theirs, path = AFFINES[name](), tmp_path / f"0GenericAffine.{ending}"
    sitk.WriteTransform(theirs, str(path))
    ours = read_transform(path, ENDS, tmp_path)
    assert isinstance(ours, AffineTransform)
    assert (ours.source, ours.target, ours.expected_error_um, ours.provenance) == (FIXED, MOVING, 300.0, "a test")
    assert_same(ours, theirs)


@pytest.mark.parametrize("ending", ["tfm", "h5"])
@pytest.mark.parametrize("name", CHAINS)
def test_composites_apply_the_last_one_first_as_itk_does(name, ending, tmp_path):
    theirs = sitk.CompositeTransform([make() for make in CHAINS[name]])
    path = tmp_path / f"composite.{ending}"
    sitk.WriteTransform(theirs, str(path))
    ours = read_transform(path, ENDS, tmp_path)
    assert isinstance(ours, Composition) == (name == "two fields")
    assert ours.expected_error_um == pytest.approx(300.0)
    # at the border of a field, half a voxel out, one rounding decides: random points do not lie there
    assert_same(ours, theirs)


@pytest.mark.parametrize("ending", ["nii", "nii.gz"])
@pytest.mark.parametrize("dtype", [sitk.sitkVectorFloat32, sitk.sitkVectorFloat64])
def test_a_field_in_nifti_says_what_itk_says(ending, dtype, tmp_path):
    path = tmp_path / f"1Warp.{ending}"
    sitk.WriteImage(sitk.Cast(image_of_vectors(), dtype), str(path))
    ours = read_transform(path, ENDS, tmp_path / "scratch")
    assert isinstance(ours, DisplacementTransform)
    assert ours.field.grid.outside is Outside.IDENTITY
    # what SimpleITK reads back: the map in the header is of 32 bits
    again = sitk.DisplacementFieldTransform(sitk.ReadImage(str(path), sitk.sitkVectorFloat64))
    assert_same(ours, again, tolerance_um=2.0)


def test_vectors_marked_as_displacements_are_of_the_frame_of_nifti(tmp_path):
    path = tmp_path / "field.nii"
    sitk.WriteImage(sitk.Cast(image_of_vectors(), sitk.sitkVectorFloat32), str(path))
    data = bytearray(path.read_bytes())
    vector = read_transform(path, ENDS, tmp_path)
    data[68:70] = struct.pack("<h", 1006)
    path.write_bytes(data)
    marked = read_transform(path, ENDS, tmp_path)
    one, other = vector.field.read((2, 2, 2), (3, 3, 3)).ravel(), marked.field.read((2, 2, 2), (3, 3, 3)).ravel()
    np.testing.assert_allclose(other, one * (1, -1, -1))


def test_a_matlab_file_holds_what_scipy_reads(tmp_path):
    path = tmp_path / "a.mat"
    sitk.WriteTransform(affine(), str(path))
    held = loadmat(path)
    assert read_transform(path, ENDS, tmp_path).matrix_um[0][0] == pytest.approx(
        held["AffineTransform_double_3_3"][8, 0]
    )


def test_a_warp_and_an_affine_in_two_files_are_chained_as_ants_lists_them(tmp_path):
    """-t 1Warp.nii.gz -t 0GenericAffine.mat: points meet the warp first; with [0GenericAffine.mat,1], its inverse."""
    warp, matrix = tmp_path / "1Warp.nii.gz", tmp_path / "0GenericAffine.mat"
    sitk.WriteImage(image_of_vectors(), str(warp))
    sitk.WriteTransform(affine(), str(matrix))
    ccf = Space("allen_ccfv3", "mouse", "PIR", (100.0, 50.0, -20.0))
    again = sitk.DisplacementFieldTransform(sitk.ReadImage(str(warp), sitk.sitkVectorFloat64))
    # the last one that is added to ITK's composite is the first that points meet
    assert_same(read_chain([warp, matrix], ENDS, tmp_path), sitk.CompositeTransform([affine(), again]), 2.0)
    there = read_chain([warp, matrix], replace(ENDS, target=ccf), tmp_path)
    assert (there.source, there.target, there.expected_error_um) == (FIXED, ccf, pytest.approx(300.0))
    back = sitk.CompositeTransform([again, affine().GetInverse()])
    assert_same(read_chain([matrix, warp], ENDS, tmp_path, inverted=[matrix]), back, 2.0)
    with pytest.raises(Invalid, match="has not been made"):
        read_chain([matrix, warp], ENDS, tmp_path, inverted=[warp])
    with pytest.raises(Invalid, match="no files"):
        read_chain([], ENDS, tmp_path)


def test_images_with_headers_of_their_own_are_told_by_the_ends(tmp_path):
    """A space whose origin is the corner of its volume, aligned as a file whose header puts voxel 0 elsewhere."""
    path = tmp_path / "a.tfm"
    sitk.WriteTransform(affine(), str(path))
    ccf = Space("allen_ccfv3", "mouse", "PIR")
    # (z, y, x) of the space, as the header of its file has it: x along AP, y along DV, z along LR, without any flip
    header = ((0.0, 0.0, 1.0, 5.0), (0.0, 1.0, 0.0, 0.0), (1.0, 0.0, 0.0, -30.0), (0.0, 0.0, 0.0, 1.0))
    ours = read_transform(path, Ends(ccf, MOVING, source_to_world_um=header), tmp_path)
    ap, dv, lr = 1200.0, 340.0, 5600.0
    ras_mm = np.array([ap - 30, dv, lr + 5]) / 1000
    x, y, z = affine().TransformPoint((ras_mm * (-1, -1, 1)).tolist())
    found = apply(ours, Points(ccf, np.array([[ap, dv, lr]]))).zyx_um
    np.testing.assert_allclose(found, [[z * 1000, -y * 1000, -x * 1000]], atol=1e-6)


def bspline(path):
    sitk.WriteTransform(sitk.BSplineTransform(3, 3), str(path))


def flat(path):
    made = sitk.ScaleTransform(3, (1.0, 0.0, 1.0))
    sitk.WriteTransform(made, str(path))


def two_dimensional(path):
    sitk.WriteTransform(sitk.AffineTransform(2), str(path))


@pytest.mark.parametrize(
    ("make", "said", "ending"),
    [
        (bspline, "BSpline", "tfm"),
        (bspline, "BSpline", "h5"),
        *((flat, "flat", ending) for ending in ("tfm", "mat", "h5")),
        *((two_dimensional, "three dimensions", ending) for ending in ("tfm", "mat", "h5")),
    ],
)
def test_what_can_not_be_used_is_refused_by_name(make, said, ending, tmp_path):
    path = tmp_path / f"a.{ending}"
    make(path)
    with pytest.raises(UnreadableFile, match=said) as caught:
        read_transform(path, ENDS, tmp_path)
    assert "a." in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no transform"),
        ("Transform: AffineTransform_double_3_3\nParameters: 1 0 0\nFixedParameters: 0 0 0\n", "12 parameters"),
        ("Transform: ScaleTransform_double_3_3\nParameters: 1 1 2\n", "centre"),
        ("Transform: AffineTransform_double_3_3\nParameters: 1 2 zebra\n", "zebra"),
        ("Transform: AffineTransform_double_3_3\nParameters: nan 0 0 0 1 0 0 0 1 0 0 0\n", "no numbers"),
        ("Transform: DisplacementFieldTransform_double_3_3\nParameters: 1\nFixedParameters: 1\n", "where it lies"),
        (
            "Transform: DisplacementFieldTransform_double_3_3\nParameters: 1\n"
            "FixedParameters: 1e9 1e9 1e9 0 0 0 1 1 1 1 0 0 0 1 0 0 0 1\n",
            "declares a field",
        ),
        ("Transform: IdentityTransform_double_3_3\nTransform: IdentityTransform_double_3_3\n", "follow each other"),
    ],
)
def test_text_that_can_not_be_right_is_refused(text, said, tmp_path):
    path = tmp_path / "a.tfm"
    path.write_text(f"#Insight Transform File V1.0\n{text}")
    with pytest.raises(UnreadableFile, match=said):
        read_transform(path, ENDS, tmp_path)


@pytest.mark.parametrize("ending", ["mat", "h5", "nii", "nii.gz"])
def test_a_file_cut_short_anywhere_is_refused_or_read_as_it_was(ending, tmp_path):
    path = tmp_path / f"whole.{ending}"
    if "nii" in ending:
        sitk.WriteImage(sitk.Cast(image_of_vectors(), sitk.sitkVectorFloat32), str(path))
    else:
        sitk.WriteTransform(affine(), str(path))
    data = path.read_bytes()
    cut = tmp_path / f"cut.{ending}"
    for end in np.linspace(1, len(data) - 1, 40).astype(int):
        cut.write_bytes(data[:end])
        try:
            transform = read_transform(cut, ENDS, tmp_path)
        except (UnreadableFile, TooLarge):
            continue
        np.testing.assert_array_equal(
            apply(transform, to_space(lps_points(20))).zyx_um,
            apply(read_transform(path, ENDS, tmp_path), to_space(lps_points(20))).zyx_um,
        )


def test_a_field_that_holds_nan_is_refused_when_it_is_met(tmp_path):
    path = tmp_path / "field.nii"
    sitk.WriteImage(sitk.Cast(image_of_vectors(), sitk.sitkVectorFloat32), str(path))
    data = bytearray(path.read_bytes())
    data[-400:-396] = struct.pack("<f", np.nan)
    path.write_bytes(data)
    with pytest.raises(UnreadableFile, match="no number"):
        apply(read_transform(path, ENDS, tmp_path), to_space(lps_points()))


def test_a_packed_field_that_declares_more_than_it_can_hold_is_not_unpacked(tmp_path):
    path = tmp_path / "field.nii"
    sitk.WriteImage(sitk.Cast(image_of_vectors(), sitk.sitkVectorFloat32), str(path))
    data = bytearray(path.read_bytes())
    data[42:48] = struct.pack("<3h", 3000, 3000, 3000)
    packed = tmp_path / "field.nii.gz"
    packed.write_bytes(gzip.compress(bytes(data)))
    with pytest.raises(TooLarge, match="declares"):
        read_transform(packed, ENDS, tmp_path / "scratch")
    assert not (tmp_path / "scratch").exists()


@pytest.mark.parametrize("link", [h5py.ExternalLink("other.h5", "/secret"), h5py.SoftLink("/elsewhere")])
def test_nothing_is_read_from_another_file(link, tmp_path):
    path = tmp_path / "a.h5"
    sitk.WriteTransform(affine(), str(path))
    with h5py.File(path, "r+") as file:
        group = file["TransformGroup/0"]
        del group["TransformParameters"]
        group["TransformParameters"] = link
    with pytest.raises(UnreadableFile, match="link to elsewhere"):
        read_transform(path, ENDS, tmp_path)


def test_a_field_whose_header_is_of_another_unit_is_asked_about(tmp_path):
    path = tmp_path / "field.nii"
    sitk.WriteImage(image_of_vectors(), str(path))
    data = bytearray(path.read_bytes())
    data[123] = 3
    path.write_bytes(data)
    with pytest.raises(UnreadableFile, match="units of 1 um, and 1000 um was expected") as caught:
        read_transform(path, ENDS, tmp_path)
    # who meets this at the command line has no other remedy
    assert caught.value.hint.startswith("repair xyzt_units in the header")
    micrometres = read_transform(path, replace(ENDS, file_unit_um=1.0), tmp_path)
    assert np.linalg.norm(micrometres.field.grid.voxel_to_space_um, axis=0)[2] == pytest.approx(SPACING[0], rel=1e-5)


def test_an_image_is_no_field(tmp_path):
    path = tmp_path / "image.nii.gz"
    sitk.WriteImage(sitk.Image((4, 4, 4), sitk.sitkFloat32), str(path))
    with pytest.raises(UnreadableFile, match=r"image\.nii\.gz has the dimensions"):
        read_transform(path, ENDS, tmp_path)


@pytest.mark.parametrize("content", [b"", b"\x0a", b"1 0 0 0\n0 1 0 0\n0 0 1 0\n0 0 0 1\n", b"\0" * 600])
def test_what_is_no_transform_is_refused(content, tmp_path):
    path = tmp_path / "what"
    path.write_bytes(content)
    with pytest.raises(UnreadableFile, match="what"):
        read_transform(path, ENDS, tmp_path)


@pytest.mark.parametrize("ending", ["h5", "nii.gz"])
def test_a_field_in_a_file_can_be_stored(ending, tmp_path):
    path = tmp_path / f"field.{ending}"
    if ending == "h5":
        sitk.WriteTransform(sitk.CompositeTransform([affine(), field()]), str(path))
    else:
        sitk.WriteImage(image_of_vectors(), str(path))
    transform = read_transform(path, ENDS, tmp_path / "scratch")
    store = open_store(f"file://{tmp_path / 'store'}")
    kept, _ = store_field(transform.field, transform.source, store, "assets/field", tmp_path)
    points = to_space(lps_points())
    expected = apply(transform, points).zyx_um
    path.unlink()
    np.testing.assert_array_equal(apply(replace(transform, field=kept), points).zyx_um, expected)


@pytest.mark.parametrize("ending", ["tfm", "mat", "h5", "nii", "nii.gz"])
def test_damage_is_refused_or_leads_somewhere(ending, tmp_path):
    """Any other error than ours would be one that a person can't act on."""
    whole, damaged = tmp_path / f"whole.{ending}", tmp_path / f"damaged.{ending}"
    if "nii" in ending:
        sitk.WriteImage(sitk.Cast(image_of_vectors(), sitk.sitkVectorFloat32), str(whole))
    else:
        sitk.WriteTransform(affine(), str(whole))
    data = np.frombuffer(whole.read_bytes(), np.uint8)
    rng, refused = np.random.default_rng(0), 0
    for _ in range(60):
        changed = data.copy()
        changed[rng.integers(0, min(len(data), 400), 5)] = rng.choice([0, 127, 128, 255], 5)
        damaged.write_bytes(changed.tobytes())
        try:
            found = apply(read_transform(damaged, ENDS, tmp_path / "scratch"), to_space(lps_points(20)))
        except PulvinarError:
            refused += 1
            continue
        assert np.isfinite(found.zyx_um).all()
    assert refused
