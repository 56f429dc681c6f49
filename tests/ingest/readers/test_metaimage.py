import zlib

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.ingest.readers.reading import find_one, flags, read_voxels, said
from tests.ingest.readers.windowed import opened, windows

from pulvinar.errors import TooLarge, UnreadableFile
from pulvinar.ingest.reader import Options
from pulvinar.ingest.readers.metaimage import MetaImageReader

READER = MetaImageReader()
BYTES = bytes(range(24))
DTYPES = ["u1", "i1", "u2", "i2", "u4", "i4", "f4", "f8"]


def written(folder, *fields, data=BYTES, name="a.mha", size="4 3 2", local="LOCAL", kind="MET_UCHAR"):
    """The asset of a header that is written by hand, with its voxels behind it."""
    lines = ["ObjectType = Image", f"NDims = {len(size.split())}", f"DimSize = {size}", f"ElementType = {kind}"]
    text = "\n".join([*lines, *fields, f"ElementDataFile = {local}", ""])
    (folder / name).write_bytes(text.encode() + data)
    return find_one(READER, folder)


def voxels(folder, options=None):
    return read_voxels(READER, folder, folder.with_name(f"{folder.name}-scratch"), options)


def refusal(folder, *fields, **about):
    with pytest.raises((UnreadableFile, TooLarge)) as caught:
        written(folder, *fields, **about)
        voxels(folder)
    assert any(name in caught.value.message for name in ("a.mha", "a.mhd", ".raw"))
    return caught.value.message


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    shape=st.lists(st.integers(1, 6), min_size=2, max_size=4),
    dtype=st.sampled_from(DTYPES),
    packed=st.booleans(),
    channels=st.sampled_from([1, 3]),
    ending=st.sampled_from(["mha", "mhd"]),
    turn=st.permutations([0, 1, 2]),
)
def test_values_and_places_are_those_of_itk(tmp_path_factory, shape, dtype, packed, channels, ending, turn):
    folder = tmp_path_factory.mktemp("meta")
    vector = channels > 1
    data = np.random.default_rng(1).integers(0, 100, [*shape, *([3] if vector else [])]).astype(dtype)
    picture = sitk.GetImageFromArray(data, isVector=vector)
    if len(shape) == 3:
        turned = np.array([[0.8, 0.6, 0], [-0.6, 0.8, 0], [0, 0, 1]])[:, turn]
        picture.SetDirection(turned.ravel().tolist())
        picture.SetOrigin((10.0, -20, 30))
        picture.SetSpacing((0.5, 2.0, 3.0))
    sitk.WriteImage(picture, str(folder / f"a.{ending}"), packed)
    asset = find_one(READER, folder)
    spatial = data if vector else data[..., None]
    full = spatial.reshape(*[1] * (4 - len(shape)), *spatial.shape)
    assert np.array_equal(voxels(folder), full.transpose(0, 4, 1, 2, 3))
    assert len(asset.files) == (1 if ending == "mha" else 2)
    if len(shape) == 3:
        for index in [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)]:
            lps = picture.TransformContinuousIndexToPhysicalPoint(index)
            world = np.array(asset.volume.affine_um) @ [*index[::-1], 1]
            assert world[2::-1] == pytest.approx(np.array(lps) * (-1000, -1000, 1000))
        assert asset.volume.voxel_size_um == pytest.approx((3000, 2000, 500))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(window=windows((2, 3, 4, 5, 6)), packed=st.booleans())
def test_any_window_is_a_slice_of_the_voxels(tmp_path_factory, window, packed):
    folder = tmp_path_factory.mktemp("meta")
    whole = np.random.default_rng(0).integers(0, 60_000, (2, 3, 4, 5, 6)).astype("u2")
    sitk.WriteImage(
        sitk.GetImageFromArray(whole.transpose(0, 2, 3, 4, 1), isVector=True), str(folder / "a.mha"), packed
    )
    with opened(READER, folder, folder.parent / "scratch") as read:
        assert np.array_equal(read(window), whole[window.slices])


@pytest.mark.parametrize("local", ["LIST\ns1.raw\ns2.raw", "LIST 2D\ns1.raw\ns2.raw", "s%d.raw 1 2 1", "s%d.raw 1 2"])
def test_a_file_a_slice_is_one_volume(tmp_path, local):
    for number in (1, 2):
        (tmp_path / f"s{number}.raw").write_bytes(BYTES[12 * number - 12 : 12 * number])
    asset = written(tmp_path, name="a.mhd", local=local, data=b"")
    assert asset.files == ("a.mhd", "s1.raw", "s2.raw")
    assert voxels(tmp_path).tobytes() == BYTES
    (tmp_path / "s2.raw").write_bytes(BYTES[:5])
    assert "s2.raw is truncated" in refusal(tmp_path, name="a.mhd", local=local, data=b"")
    (tmp_path / "s2.raw").unlink()
    assert "s2.raw, which is not in the submission" in refusal(tmp_path, name="a.mhd", local=local, data=b"")


@pytest.mark.parametrize("order", ["BinaryDataByteOrderMSB", "ElementByteOrderMSB"])
def test_the_byte_order_is_that_of_the_header(tmp_path, order):
    data = np.arange(24, dtype=">i2")
    written(tmp_path, f"{order} = True", kind="MET_SHORT", data=data.tobytes())
    assert voxels(tmp_path).ravel().tolist() == list(range(24))


def test_bytes_before_the_voxels_are_skipped(tmp_path):
    written(tmp_path, "HeaderSize = 5", data=b"12345" + BYTES)
    assert voxels(tmp_path).tobytes() == BYTES
    (tmp_path / "a.raw").write_bytes(b"seven b" + BYTES)
    (tmp_path / "a.mha").unlink()
    written(tmp_path, "HeaderSize = -1", name="a.mhd", local="a.raw", data=b"")
    assert voxels(tmp_path).tobytes() == BYTES


def test_what_the_header_leaves_open_is_said(tmp_path):
    asset = written(tmp_path)
    assert ("question", "--voxel-size") in flags(asset)
    asset = written(tmp_path, "ElementSpacing = 1 2 3")
    assert ("doubt", "--orientation") in flags(asset)
    assert asset.volume.voxel_size_um == (3000, 2000, 1000)
    asset = written(tmp_path, "ElementSpacing = 1 2 3", "Offset = 1 2 3")
    assert not asset.findings
    asset = written(tmp_path, "ElementSpacing = 1 2 3 4", "Offset = 1 2 3 0", size="4 3 1 2")
    assert "its 2 time points have no step that is known" in said(asset)
    asset = find_one(READER, tmp_path, Options(time_step_s=0.5))
    assert asset.volume.time_step_s == 0.5


@pytest.mark.parametrize("outside", ["/etc/passwd", "../a.raw", "b/../../a.raw", "C:\\a.raw", "c:a.raw"])
def test_a_file_outside_the_submission_is_never_opened(tmp_path, outside):
    assert "points outside its folder" in refusal(tmp_path, name="a.mhd", local=outside, data=b"")
    assert "points outside its folder" in refusal(tmp_path, name="a.mhd", local=f"LIST\n{outside}\nb.raw", data=b"")


@pytest.mark.parametrize(
    ("fields", "about", "reason"),
    [
        ((), {"data": BYTES[:20]}, "is truncated"),
        ((), {"size": "4 3 -2"}, "declares the dimensions"),
        ((), {"size": "4 3 1000000000000"}, "is truncated"),
        ((), {"size": "4 3 0"}, "declares the dimensions"),
        ((), {"size": "1 1 1 1 1"}, "declares 5 dimensions"),
        ((), {"kind": "MET_STRING"}, "which is not a number"),
        (("ElementSpacing = 1 nan 1",), {}, "ElementSpacing is 1 nan 1"),
        (("ElementSpacing = 1 0 1",), {}, "ElementSpacing is 1 0 1"),
        (("ElementSpacing = 1 1 1", "TransformMatrix = 1 0 0 1 0 0 0 0 1"), {}, "is singular"),
        (("ElementSpacing = 1 1 1", "TransformMatrix = 1 0 0"), {}, "TransformMatrix is 1 0 0, not 9 numbers"),
        (("BinaryData = False",), {}, "written as text"),
        (("CompressedData = True",), {"data": b"y" + zlib.compress(BYTES)[1:]}, "is damaged"),
        (("CompressedData = True",), {"data": zlib.compress(BYTES)[:-4]}, "is damaged"),
        (("CompressedData = True",), {"data": zlib.compress(BYTES)[:-1] + b"\0"}, "is damaged"),
        (("CompressedData = True",), {"data": zlib.compress(bytes(50 << 20))}, "holds more than the 24 bytes"),
        (("CompressedData = True",), {"data": zlib.compress(BYTES[:20])}, "is truncated"),
        (("HeaderSize = -2",), {}, "skips -2 bytes"),
        ((), {"local": "s%d.raw 1 900000000 1"}, "its files are numbered"),
        ((), {"local": "s%s.raw 1 2"}, "is no pattern"),
        (("DimSize = 4 3 2",), {}, "says DimSize twice"),
    ],
)
def test_a_header_that_lies_is_refused_with_the_reason(tmp_path, fields, about, reason):
    assert reason in refusal(tmp_path, *fields, **about)


def test_its_twin_in_good_order_is_read(tmp_path):
    written(tmp_path, "CompressedData = True", "ElementSpacing = 1 1 1", data=zlib.compress(BYTES))
    assert voxels(tmp_path).tobytes() == BYTES


def test_other_objects_of_the_format_are_refused(tmp_path):
    (tmp_path / "a.mha").write_text("ObjectType = Tube\nNDims = 3\nObjectSubType = Image\nElementDataFile = LOCAL\n")
    with pytest.raises(UnreadableFile, match="holds Tube, not an image"):
        find_one(READER, tmp_path)
