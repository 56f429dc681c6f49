import gzip
import struct
import zlib
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.ingest.readers.reading import find_one, flags, read_voxels, said

from pulvinar.errors import TooLarge, UnreadableFile
from pulvinar.ingest.reader import Form, Options, Severity
from pulvinar.ingest.readers.frames import orientation, sar_from_ras
from pulvinar.ingest.readers.nifti import NiftiReader
from pulvinar.model.volume import VolumeKind

READER = NiftiReader()
AFFINE = np.array([[-2.0, 0, 0, 30], [0, 2, 0, -20], [0, 0, 3, 5], [0, 0, 0, 1]])
DTYPES = ["u1", "i1", "<i2", ">i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f4", ">f4", "<f8"]


def image(shape=(4, 5, 6), dtype="i2", affine=AFFINE, seed=0):
    made = nib.Nifti1Image(np.random.default_rng(seed).integers(0, 100, shape).astype(dtype), affine)
    made.header.set_xyzt_units("mm", "sec")
    return made


def patched(folder, offset, content, made=None):
    """A file whose header is overwritten at `offset`."""
    data = bytearray((made or image()).to_bytes())
    data[offset : offset + len(content)] = content
    (folder / "a.nii").write_bytes(data)
    return folder


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    shape=st.lists(st.integers(1, 7), min_size=1, max_size=5),
    dtype=st.sampled_from(DTYPES),
    slope=st.sampled_from([None, (2.0, -3.0), (0.1, 0.0), (1.0, 0.5)]),
    version=st.sampled_from([nib.Nifti1Image, nib.Nifti2Image]),
    ending=st.sampled_from([".nii", ".nii.gz"]),
    turn=st.permutations([0, 1, 2]),
)
def test_values_and_places_are_those_of_nibabel(tmp_path_factory, shape, dtype, slope, version, ending, turn):
    folder = tmp_path_factory.mktemp("nifti")
    affine = AFFINE.copy()
    affine[:3] = affine[:3][turn]
    data = np.random.default_rng(1).integers(0, 100, shape).astype(dtype)
    made = version(data, affine, dtype=np.dtype(dtype))
    if slope:
        made.header.set_slope_inter(*slope)
    nib.save(made, folder / f"a{ending}")
    source = nib.load(folder / f"a{ending}")
    expected = np.asanyarray(source.dataobj)
    expected = expected.reshape(*expected.shape, *[1] * (5 - expected.ndim)).transpose(3, 4, 2, 1, 0)
    found = read_voxels(READER, folder, folder.parent / "scratch")
    assert np.allclose(found, expected, rtol=1e-6)
    if not slope:
        assert np.array_equal(found, expected)
    volume = find_one(READER, folder).volume
    z, y, x = 2, 1, 0
    world = np.array(volume.affine_um) @ [z, y, x, 1]
    assert np.allclose(world[2::-1], (source.affine @ [x, y, z, 1])[:3] * 1000, rtol=1e-5)


def test_lengths_and_times_become_micrometres_and_seconds(tmp_path):
    for unit, factor in (("micron", 1), ("mm", 1e3), ("meter", 1e6)):
        made = image((4, 5, 6, 7))
        made.header.set_xyzt_units(unit, "msec")
        made.header["pixdim"][4] = 2000
        nib.save(made, tmp_path / "a.nii")
        volume = find_one(READER, tmp_path).volume
        assert volume.voxel_size_um == pytest.approx((3 * factor, 2 * factor, 2 * factor))
        assert volume.time_step_s == 2.0


def test_a_unit_that_is_missing_is_a_doubt(tmp_path):
    made = image()
    made.header["xyzt_units"] = 0
    nib.save(made, tmp_path / "a.nii")
    assert ("doubt", "--voxel-size") in flags(find_one(READER, tmp_path))
    assert not flags(find_one(READER, tmp_path, Options(voxel_size_um=(3.0, 2.0, 2.0))))


def test_a_time_step_of_half_an_hour_is_a_doubt(sample):
    folder = sample("human/haxby2001/example4d.nii.gz").parent
    file = next(f for f in NiftiReader().find(files_named(folder, "example4d.nii.gz"), Options()))
    assert ("doubt", "--time-step") in flags(file)
    assert file.volume.time_step_s == 2000.0
    (settled,) = READER.find(files_named(folder, "example4d.nii.gz"), Options(time_step_s=2.0))
    assert settled.volume.time_step_s == 2.0
    assert ("doubt", "--time-step") not in flags(settled)


def files_named(folder, name):
    from pulvinar.ingest.reader_contract import source_files

    return [file for file in source_files(folder) if file.name == name]


def test_maps_that_swap_left_and_right_are_a_question_that_orientation_answers(tmp_path):
    made = image()
    made.set_sform(AFFINE, 1)
    made.set_qform(np.diag([2.0, 2, 3, 1]), 1)
    nib.save(made, tmp_path / "a.nii")
    found = find_one(READER, tmp_path)
    assert ("question", "--orientation") in flags(found)
    assert "left and right differ" in said(found)
    settled = find_one(READER, tmp_path, Options(orientation="SAR"))
    assert orientation(np.array(settled.volume.affine_um)) == "SAR"
    assert ("question", "--orientation") not in flags(settled)


def test_a_file_without_a_map_has_a_size_and_no_sides(tmp_path):
    made = image(affine=None)
    made.header["pixdim"][1:4] = 2, 2, 3
    nib.save(made, tmp_path / "a.nii")
    patched(tmp_path, 252, struct.pack("<2h", 0, 0), nib.load(tmp_path / "a.nii"))
    found = find_one(READER, tmp_path)
    assert found.volume.affine_um is None
    assert found.volume.voxel_size_um == (3000.0, 2000.0, 2000.0)
    assert ("question", "--orientation") in flags(found)
    settled = find_one(READER, tmp_path, Options(orientation="SAL"))
    assert orientation(np.array(settled.volume.affine_um)) == "SAL"
    unknown = find_one(READER, tmp_path, Options(form=Form.NONE))
    assert unknown.volume.affine_um is None
    assert {severity for severity, _ in flags(unknown)} == {"doubt"}


TURNED, MOVED = np.array(AFFINE), np.array(AFFINE)
TURNED[:3, :3] = np.array([[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, 1]]) @ AFFINE[:3, :3]
MOVED[0, 3] += 50


@pytest.mark.parametrize(
    ("qform", "words"),
    [(TURNED, "turn or scale the volume differently"), (MOVED, "lie 50000 µm apart")],
    ids=["turned", "moved"],
)
def test_maps_that_differ_are_a_question_that_form_answers(tmp_path, qform, words):
    made = image()
    made.set_sform(AFFINE, 1)
    made.set_qform(qform, 1)
    nib.save(made, tmp_path / "a.nii")
    asked = find_one(READER, tmp_path, Options(orientation="SAL"))
    assert ("question", "--form") in flags(asked)
    assert words in said(asked)
    for form, expected in ((Form.SFORM, AFFINE), (Form.QFORM, qform)):
        settled = find_one(READER, tmp_path, Options(form=form))
        assert not flags(settled)
        assert np.allclose(settled.volume.affine_um, sar_from_ras(expected, 1e3), rtol=1e-4, atol=1)
    assert find_one(READER, tmp_path, Options(form=Form.NONE)).volume.affine_um is None


def test_maps_that_agree_are_not_asked_about(tmp_path):
    made = image()
    made.set_sform(AFFINE, 1)
    made.set_qform(AFFINE, 1)
    nib.save(made, tmp_path / "a.nii")
    assert not flags(find_one(READER, tmp_path))


def test_a_voxel_size_that_cannot_be_is_asked_for(tmp_path):
    patched(tmp_path, 252, struct.pack("<2h", 0, 0))
    data = bytearray((tmp_path / "a.nii").read_bytes())
    data[80:92] = struct.pack("<3f", -1, 0, float("nan"))
    (tmp_path / "a.nii").write_bytes(data)
    assert ("question", "--voxel-size") in flags(find_one(READER, tmp_path))
    given = find_one(READER, tmp_path, Options(voxel_size_um=(3.0, 2.0, 1.0)))
    assert given.volume.voxel_size_um == (3.0, 2.0, 1.0)
    assert ("question", "--voxel-size") not in flags(given)


def test_a_given_voxel_size_stretches_the_map(tmp_path):
    nib.save(image(), tmp_path / "a.nii")
    before = find_one(READER, tmp_path).volume
    after = find_one(READER, tmp_path, Options(voxel_size_um=(1500.0, 1000.0, 1000.0))).volume
    assert np.allclose(np.array(after.affine_um)[:3], np.array(before.affine_um)[:3] / 2)


def test_labels_are_labels_where_the_header_says_so(sample, tmp_path):
    folder = sample("macaque/inia19/inia19-NeuroMaps.nii.gz").parent
    (found,) = READER.find(files_named(folder, "inia19-NeuroMaps.nii.gz"), Options())
    assert found.volume.kind is VolumeKind.LABELS
    (image_asked,) = READER.find(files_named(folder, "inia19-NeuroMaps.nii.gz"), Options(kind=VolumeKind.IMAGE))
    assert image_asked.volume.kind is VolumeKind.IMAGE


def test_labels_kept_as_floats_become_integers_or_are_refused(tmp_path):
    labels = Options(kind=VolumeKind.LABELS)
    nib.save(image(dtype="f4"), tmp_path / "a.nii")
    found = read_voxels(READER, tmp_path, tmp_path.parent / "s", labels)
    assert found.dtype == np.uint32
    assert np.array_equal(found, read_voxels(READER, tmp_path, tmp_path.parent / "s"))
    broken = image(dtype="f4")
    broken.dataobj[1, 2, 3] = 0.5
    nib.save(broken, tmp_path / "a.nii")
    with pytest.raises(UnreadableFile, match="aren't labels"):
        read_voxels(READER, tmp_path, tmp_path.parent / "s", labels)


def test_colours_become_channels(tmp_path):
    colours = np.random.default_rng(0).integers(0, 255, (4, 5, 6, 3), "u1")
    made = nib.Nifti1Image(colours.view([("R", "u1"), ("G", "u1"), ("B", "u1")])[..., 0], AFFINE)
    nib.save(made, tmp_path / "a.nii.gz")
    found = read_voxels(READER, tmp_path, tmp_path.parent / "s")
    assert np.array_equal(found[0].transpose(3, 2, 1, 0), colours)
    assert [channel.color for channel in find_one(READER, tmp_path).volume.channels] == ["FF0000", "00FF00", "0000FF"]


NAN = struct.pack("<f", float("nan"))


@pytest.mark.parametrize(
    ("offset", "content", "reason"),
    [
        (40, struct.pack("<8h", 7, *[32767] * 7), "more than three of space"),
        (40, struct.pack("<8h", 3, 32767, 32767, 32767, 1, 1, 1, 1), "can't hold them"),
        (40, struct.pack("<8h", 3, 4, -5, 6, 1, 1, 1, 1), "declares the dimensions"),
        (40, struct.pack("<8h", 3, 4, 0, 6, 1, 1, 1, 1), "declares the dimensions"),
        (40, struct.pack("<h", 0), "0 dimensions"),
        (70, struct.pack("<2h", 4, 8), "8 bits a voxel"),
        (70, struct.pack("<2h", 32, 64), "complex"),
        (70, struct.pack("<2h", 1536, 128), "float128"),
        (70, struct.pack("<2h", 99, 16), "data type 99"),
        (108, NAN, "voxels at byte nan"),
        (108, struct.pack("<f", 100), "within the header"),
        (108, struct.pack("<f", 1e30), "voxels at byte"),
        (112, struct.pack("<f", float("inf")), "scales values"),
        (112, struct.pack("<2f", 2.0, float("nan")), "no intercept"),
        (112, struct.pack("<2f", float("nan"), 0.0), "scales values by nan"),
        (280, NAN, "not finite"),
        (280, bytes(48), "singular"),
        (296, struct.pack("<4f", -2, 0, 0, 30), "singular"),
    ],
)
def test_a_header_that_cannot_be_is_refused_with_the_reason(tmp_path, offset, content, reason):
    with pytest.raises(UnreadableFile, match=reason):
        find_one(READER, patched(tmp_path, offset, content))


def test_a_slope_that_means_none_is_not_applied(tmp_path):
    made = image()
    patched(tmp_path, 112, struct.pack("<2f", 0.0, 0.0), made)
    found = read_voxels(READER, tmp_path, tmp_path.parent / "s")
    assert found.dtype == np.int16
    assert np.array_equal(found[0, 0].T, made.dataobj)


def test_a_packed_file_with_a_flipped_bit_is_refused(tmp_path):
    packed = bytearray(gzip.compress(image((20, 20, 20)).to_bytes()))
    packed[-5] ^= 1
    (tmp_path / "a.nii.gz").write_bytes(packed)
    with pytest.raises(UnreadableFile, match="damaged"):
        read_voxels(READER, tmp_path, tmp_path.parent / "s")


def test_a_packed_file_is_never_unpacked_beyond_what_it_declares(tmp_path):
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(image().to_bytes() + bytes(1 << 26)))
    with pytest.raises(TooLarge, match="holds more"):
        read_voxels(READER, tmp_path, tmp_path.parent / "s")


def test_a_packed_file_that_declares_more_than_it_can_hold_is_known_at_once(tmp_path):
    data = bytearray(image().to_bytes())
    data[40:56] = struct.pack("<8h", 3, 32767, 32767, 32767, 1, 1, 1, 1)
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(bytes(data)))
    with pytest.raises(UnreadableFile, match="can't hold them"):
        find_one(READER, tmp_path)


def test_a_truncated_file_is_refused(tmp_path):
    (tmp_path / "a.nii").write_bytes(image().to_bytes()[:-1])
    with pytest.raises(UnreadableFile, match="truncated"):
        find_one(READER, tmp_path)
    (tmp_path / "a.nii").unlink()
    whole = zlib.compressobj(wbits=31)
    packed = whole.compress(image((30, 30, 30)).to_bytes()) + whole.flush(zlib.Z_SYNC_FLUSH)
    (tmp_path / "a.nii.gz").write_bytes(packed)
    with pytest.raises(UnreadableFile, match=r"damaged|truncated"):
        read_voxels(READER, tmp_path, tmp_path.parent / "s")


def test_a_header_of_a_pair_names_the_file_it_lacks(tmp_path):
    nib.save(nib.Nifti1Pair(np.zeros((4, 5, 6), "i2"), AFFINE), tmp_path / "a.img")
    assert find_one(READER, tmp_path).files == ("a.hdr", "a.img")
    (tmp_path / "a.img").unlink()
    with pytest.raises(UnreadableFile, match=r"a\.img is not in the submission"):
        find_one(READER, tmp_path)


def test_reading_needs_the_options_that_found_it(tmp_path):
    nib.save(image(dtype="f4"), tmp_path / "a.nii")
    assert replace(find_one(READER, tmp_path), findings=()) == replace(find_one(READER, tmp_path), findings=())


def test_a_packed_file_that_is_cut_off_is_doubted_before_it_is_read(tmp_path):
    data = gzip.compress(image((20, 30, 40)).to_bytes())
    (tmp_path / "a.nii.gz").write_bytes(data)
    assert not any("compressed stream" in finding.message for finding in find_one(READER, tmp_path).findings)
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(image((20, 30, 40)).to_bytes() + bytes(1000)))
    assert not any("compressed stream" in finding.message for finding in find_one(READER, tmp_path).findings)
    (tmp_path / "a.nii.gz").write_bytes(data[: len(data) // 2])
    (doubt,) = [item for item in find_one(READER, tmp_path).findings if "compressed stream" in item.message]
    assert doubt.severity is Severity.DOUBT
    assert "declares 48352" in doubt.message


def test_the_order_and_time_of_slices_are_kept(tmp_path):
    image = nib.Nifti1Image(np.zeros((2, 2, 4, 3), "i2"), np.eye(4))
    image.header.set_xyzt_units("mm", "msec")
    image.header.set_zooms((1, 1, 1, 2000))
    image.header["slice_code"], image.header["slice_duration"], image.header["slice_end"] = 3, 500, 3
    nib.save(image, tmp_path / "a.nii")
    found = find_one(READER, tmp_path)
    assert found.volume.time_step_s == 2
    header = found.metadata["header"]
    assert header["slice_order"] == "every second, rising"
    assert (header["slice_start"], header["slice_end"], header["slice_duration_s"]) == (0, 3, 0.5)


@pytest.mark.parametrize(
    ("code", "content"), [(2, b"\x10\x00\x10\x00PN\x04\x00Doe^"), (0, b'{"PatientName": "Doe^Jane"}')]
)
@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
def test_elements_of_dicom_in_the_header_are_named_and_not_kept(tmp_path, code, content, kind):
    image = kind(np.arange(8, dtype="i2").reshape(2, 2, 2), np.eye(4))
    nib.save(image, tmp_path / "a.nii")
    assert ("doubt", "--originals") not in flags(find_one(READER, tmp_path))
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"a brain"))
    image.header.extensions.append(nib.nifti1.Nifti1Extension(code, content))
    nib.save(image, tmp_path / "a.nii")
    found = find_one(READER, tmp_path)
    assert ("doubt", "--originals") in flags(found)
    assert "doe" not in f"{found.name} {found.metadata}".lower()
