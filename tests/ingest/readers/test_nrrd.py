import bz2
import gzip

import nrrd
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.ingest.readers.reading import find_one, flags, read_voxels, said
from tests.ingest.readers.windowed import opened, windows

from pulvinar.errors import Invalid, TooLarge, UnreadableFile
from pulvinar.ingest.reader import Options
from pulvinar.ingest.reader_contract import source_files
from pulvinar.ingest.readers.frames import orientation
from pulvinar.ingest.readers.nrrd import NrrdReader
from pulvinar.model.volume import VolumeKind

READER = NrrdReader()
BYTES = bytes(range(24))
"""The voxels of the files that are written by hand."""
DTYPES = ["u1", "i1", "<i2", ">i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f4", ">f4", "<f8"]


def header(*fields, kind="uint8", sizes="4 3 2", encoding="raw"):
    lines = ["NRRD0004", f"type: {kind}", f"dimension: {len(sizes.split())}", f"sizes: {sizes}"]
    return "\n".join([*lines, f"encoding: {encoding}", *fields, "", ""]).encode()


def written(folder, *fields, data=BYTES, name="a.nrrd", **about):
    """The asset of a file that is written by hand."""
    (folder / name).write_bytes(header(*fields, **about) + data)
    return find_one(READER, folder)


def voxels(folder, options=None):
    return read_voxels(READER, folder, folder.with_name(f"{folder.name}-scratch"), options)


def refusal(folder, options=None):
    """What is said of a file that can't be read."""
    with pytest.raises((UnreadableFile, TooLarge)) as caught:
        voxels(folder, options)
    assert "a.n" in caught.value.message
    return caught.value.message


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    shape=st.lists(st.integers(1, 6), min_size=3, max_size=4),
    dtype=st.sampled_from(DTYPES),
    encoding=st.sampled_from(["raw", "gzip", "bzip2"]),
    detached=st.booleans(),
    space=st.sampled_from(["right-anterior-superior", "left-anterior-superior", "left-posterior-superior"]),
    turn=st.permutations([0, 1, 2]),
)
def test_values_and_places_are_those_of_pynrrd(tmp_path_factory, shape, dtype, encoding, detached, space, turn):
    folder = tmp_path_factory.mktemp("nrrd")
    data = np.random.default_rng(1).integers(0, 100, shape).astype(dtype)
    rows = np.array([[2.0, 0.1, 0], [-0.1, 3, 0], [0, 0, -4]])[turn]
    about = {"encoding": encoding, "space": space, "space origin": [5.0, -6, 7], "space units": ["mm"] * 3}
    about["space directions"] = np.vstack([rows, *[[np.nan] * 3] * (len(shape) - 3)])
    about["kinds"] = ["domain"] * 3 + ["time"] * (len(shape) - 3)
    nrrd.write(str(folder / ("a.nhdr" if detached else "a.nrrd")), data, about, detached_header=detached)
    expected = data.reshape(*shape, *[1] * (4 - len(shape))).transpose(3, 2, 1, 0)[:, None]
    found = voxels(folder)
    assert found.dtype == data.dtype.newbyteorder("=")
    assert np.array_equal(found, expected)
    asset = find_one(READER, folder)
    assert len(asset.files) == 1 + detached
    x, y, z = 2, 1, 3
    sign = {"right-anterior-superior": (1, 1, 1), "left-anterior-superior": (-1, 1, 1)}.get(space, (-1, -1, 1))
    world = ([x, y, z] @ rows + [5, -6, 7]) * sign * 1000
    assert np.allclose((np.array(asset.volume.affine_um) @ [z, y, x, 1])[2::-1], world)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    window=windows((3, 2, 4, 5, 6)),
    encoding=st.sampled_from(["raw", "gzip", "bzip2"]),
    order=st.permutations(["RGB-color", "time", "domain", "domain", "domain"]),
)
def test_any_window_is_a_slice_of_the_voxels_whatever_the_order_of_axes(tmp_path_factory, window, encoding, order):
    folder = tmp_path_factory.mktemp("nrrd")
    whole = np.random.default_rng(0).integers(0, 60_000, (3, 2, 4, 5, 6), "u2")
    space = iter([4, 3, 2])
    axes = [{"RGB-color": 1, "time": 0}[kind] if kind != "domain" else next(space) for kind in order]
    nrrd.write(str(folder / "a.nrrd"), whole.transpose(axes), {"encoding": encoding, "kinds": list(order)})
    with opened(READER, folder, folder.parent / "scratch") as read:
        assert np.array_equal(read(window), whole[window.slices])


@pytest.mark.parametrize(
    "name",
    ["ZBrains/zbrain-H2B-RFP_6dpf_mean10fish_8bit_xyz5um.nrrd", "raw_brains/2016-10-18fish1/pre/ref_xyz5um.nrrd"],
)
def test_real_fish_have_the_size_that_their_names_say(sample, name):
    path = sample(f"zebrafish/zbrain_lightsheet/{name}")
    (found,) = READER.find([file for file in source_files(path.parent) if file.path == path], Options())
    header_said = nrrd.read_header(str(path))
    assert list(found.volume.shape[2:]) == header_said["sizes"].tolist()[::-1]
    assert found.volume.voxel_size_um == pytest.approx(np.diag(header_said["space directions"])[::-1], rel=1e-6)
    assert found.volume.voxel_size_um == pytest.approx((5.0, 5.0, 5.0), rel=0.01)


def test_lengths_are_read_in_their_unit(tmp_path):
    for unit, factor in (("mm", 1e3), ("um", 1), ("µm", 1), ("microns", 1), ("nm", 1e-3), ("m", 1e6)):
        expected = pytest.approx((4 * factor, 3 * factor, 2 * factor))
        spaced = written(tmp_path, "spacings: 2 3 4", "units: " + f'"{unit}" ' * 3)
        assert spaced.volume.voxel_size_um == expected
        assert spaced.volume.affine_um is None
        directed = "space directions: (2, 0, 0) (0,3,0) (0,0,4)"
        placed = written(tmp_path, "space: LPS", directed, "space units: " + f'"{unit}" ' * 3)
        assert placed.volume.voxel_size_um == expected
        assert orientation(np.array(placed.volume.affine_um)) == "SPL"
        assert not flags(placed)


@pytest.mark.parametrize(
    ("fields", "size", "doubted"),
    [
        (("spacings: 2 3 4",), (4e3, 3e3, 2e3), "no unit of length: mm is assumed"),
        (("spacings: 2 3 4", 'units: "mm" "mm" "um"'), (4e3, 3e3, 2e3), "the unit 'mm, um': mm is assumed"),
        (("spacings: 2 3 4", 'units: "ell" "ell" "ell"'), (4e3, 3e3, 2e3), "the unit 'ell': mm is assumed"),
    ],
)
def test_a_unit_that_is_missing_or_strange_is_a_doubt(tmp_path, fields, size, doubted):
    found = written(tmp_path, *fields)
    assert found.volume.voxel_size_um == size
    assert doubted in said(found)
    assert ("doubt", "--voxel-size") in flags(found)
    settled = find_one(READER, tmp_path, Options(voxel_size_um=(4.0, 3.0, 2.0)))
    assert settled.volume.voxel_size_um == (4.0, 3.0, 2.0)
    assert ("doubt", "--voxel-size") not in flags(settled)


@pytest.mark.parametrize("fields", [(), ("spacings: nan nan nan",), ("spacings: 0 1 1",), ("spacings: 1 1 inf",)])
def test_a_size_that_is_not_said_or_cannot_be_is_asked_for(tmp_path, fields):
    found = written(tmp_path, *fields)
    assert found.volume.voxel_size_um is None
    assert ("question", "--voxel-size") in flags(found)
    assert not flags(find_one(READER, tmp_path, Options(voxel_size_um=(1.0, 1.0, 1.0), orientation="SAR")))


def test_a_space_that_is_no_anatomy_gives_a_size_and_no_sides(tmp_path):
    directions = 'space directions: (2,0,0) (0,3,0) (0,0,4)\nspace units: "um" "um" "um"'
    found = written(tmp_path, "space: scanner-xyz", directions)
    assert found.volume.voxel_size_um == (4.0, 3.0, 2.0)
    assert found.volume.affine_um is None
    assert "scanner-xyz" in said(found)
    settled = find_one(READER, tmp_path, Options(orientation="IPL"))
    assert orientation(np.array(settled.volume.affine_um)) == "IPL"


def test_time_is_read_in_its_unit_or_doubted(tmp_path):
    kinds = "kinds: domain domain domain time"
    found = written(tmp_path, kinds, "spacings: 1 1 1 40", 'units: "um" "um" "um" "ms"', sizes="4 3 1 2")
    assert found.volume.time_step_s == pytest.approx(0.04)
    assert ("doubt", "--time-step") not in flags(found)
    bare = written(tmp_path, kinds, "spacings: 1 1 1 40", sizes="4 3 1 2")
    assert bare.volume.time_step_s == 40.0
    assert "40 has no unit: s is assumed" in said(bare)
    assert ("doubt", "--time-step") in flags(written(tmp_path, kinds, sizes="4 3 1 2"))
    assert find_one(READER, tmp_path, Options(time_step_s=1.5)).volume.time_step_s == 1.5


def test_axes_mean_what_kinds_or_a_person_says(tmp_path):
    assert written(tmp_path, "kinds: vector domain domain").volume.shape == (1, 4, 1, 2, 3)
    assert written(tmp_path, "kinds: domain domain list").volume.shape == (1, 2, 1, 3, 4)
    assert written(tmp_path, "kinds: ??? ??? ???").volume.shape == (1, 1, 2, 3, 4)
    assert written(tmp_path, "kinds: none none none").volume.shape == (1, 1, 2, 3, 4)
    assert written(tmp_path).volume.shape == (1, 1, 2, 3, 4)
    assert find_one(READER, tmp_path, Options(axes="tyx")).volume.shape == (2, 1, 1, 3, 4)
    assert np.array_equal(voxels(tmp_path, Options(axes="cyx"))[0, :, 0].ravel(), np.arange(24))
    with pytest.raises(Invalid, match=r"a\.nrrd has 3 axes, --axes 'zyxt'"):
        find_one(READER, tmp_path, Options(axes="zyxt"))
    (tmp_path / "a.nrrd").write_bytes(header("kinds: domain list vector") + BYTES)
    assert "axis 3 of 3 is one vector more than a volume has" in refusal(tmp_path)


def test_labels_kept_as_floats_become_integers_or_are_refused(tmp_path):
    labels = Options(kind=VolumeKind.LABELS)
    data = np.arange(24, dtype="f4")
    written(tmp_path, "endian: little", kind="float", data=data.tobytes())
    assert voxels(tmp_path, labels).dtype == np.uint32
    assert np.array_equal(voxels(tmp_path, labels).ravel(), data)
    written(tmp_path, "endian: little", kind="float", data=(data - 1).tobytes())
    assert "aren't labels" in refusal(tmp_path, labels)


def test_skipped_lines_and_bytes_and_windows_line_ends(tmp_path):
    written(tmp_path, "line skip: 2", "byte skip: 3", data=b"one\ntwo\nxyz" + BYTES)
    assert voxels(tmp_path).ravel().tolist() == list(BYTES)
    written(tmp_path, "byte skip: -1", data=b"how many?" + BYTES)
    assert voxels(tmp_path).ravel().tolist() == list(BYTES)
    (tmp_path / "a.nrrd").write_bytes(header().replace(b"\n", b"\r\n") + BYTES)
    assert voxels(tmp_path).ravel().tolist() == list(BYTES)
    (tmp_path / "a.nrrd").write_bytes(header("# a comment", "lab:=a key: with a colon") + BYTES)
    assert voxels(tmp_path).ravel().tolist() == list(BYTES)


@pytest.mark.parametrize("field", ["data file", "datafile"])
def test_voxels_beside_the_header_are_found_below_it(tmp_path, field):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/deep").mkdir()
    (tmp_path / "sub/deep/a.raw").write_bytes(BYTES)
    (tmp_path / "sub/a.nhdr").write_bytes(header(f"{field}: ./deep/a.raw"))
    assert find_one(READER, tmp_path).files == ("sub/a.nhdr", "sub/deep/a.raw")
    assert voxels(tmp_path).ravel().tolist() == list(BYTES)


@pytest.mark.parametrize(
    ("named", "reason"),
    [
        ("../secret.raw", "points outside its folder: '../secret.raw'"),
        ("sub/../../secret.raw", "points outside its folder: 'sub/../../secret.raw'"),
        ("{folder}/secret.raw", "points outside its folder"),
        ("..\\secret.raw", "points outside its folder"),
        ("secret.raw", "puts its voxels into in/secret.raw, which is not in the submission"),
        ("LIST\nsecret.raw", "its voxels are in many files (LIST)"),
        ("secret%d.raw 1 2 1", "its voxels are in many files"),
        ("", "names no data file"),
        ("a.nhdr", "is truncated"),
    ],
)
@pytest.mark.parametrize("field", ["data file", "datafile"])
def test_no_header_leads_out_of_its_folder(tmp_path, field, named, reason):
    (tmp_path / "in").mkdir()
    (tmp_path / "secret.raw").write_bytes(BYTES)
    (tmp_path / "in/a.nhdr").write_bytes(header(f"{field}: {named.format(folder=tmp_path)}"))
    assert reason in refusal(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b"4 3 2", b"4 -3 2", "declares the dimensions (4, -3, 2)"),
        (b"4 3 2", b"4 0 2", "declares the dimensions (4, 0, 2)"),
        (b"4 3 2", b"4 3 two", "its header can't be read"),
        (b"4 3 2", b"9999999999 9999999999 9999999999", "can't hold them"),
        (b"4 3 2", b"99999999999999 3 2", "declares the dimensions (99999999999999, 3, 2)"),
        (b"4 3 2", b"4 3", "declares 3 dimensions and 2 sizes"),
        (b"dimension: 3", b"dimension: 999999999", "declares 999999999 dimensions and 3 sizes"),
        (b"dimension: 3", b"dimension: three", "its header can't be read"),
        (b"dimension: 3\n", b"", "its header has no dimension"),
        (b"uint8", b"block", "its type is 'block'"),
        (b"uint8", b"int16", "does not say its byte order"),
        (b"encoding: raw", b"encoding: ascii", "its encoding is 'ascii'"),
        (b"encoding: raw", b"encoding: raw\nencoding: gzip", "Duplicate header field"),
        (b"encoding: raw", b"encoding: raw\nline skip: -1", "skips -1 lines"),
        (b"encoding: raw", b"encoding: raw\nbyte skip: -2", "skips 0 lines and -2 bytes"),
        (b"encoding: raw", b"encoding: raw\nkinds: complex domain domain", "holds complex numbers"),
        (b"encoding: raw", b"encoding: gzip\nbyte skip: 4", "skips bytes of a packed stream"),
        (b"encoding: raw", b"encoding: gzip\nbyteskip: 4", "skips bytes of a packed stream"),
        (b"encoding: raw", b"encoding: raw\nspace directions: (nan,0,0) (0,1,0) (0,0,1)", "not finite"),
        (b"encoding: raw", b"encoding: raw\nspace directions: (1,0,0) (0,inf,0) (0,0,1)", "not finite"),
        (b"encoding: raw", b"encoding: raw\nspace directions: (1,0,0) (2,0,0) (0,0,1)", "singular"),
        (b"encoding: raw", b"encoding: raw\nspace directions: (0,0,0) (0,1,0) (0,0,1)", "singular"),
        (b"encoding: raw", b"encoding: raw\nspace directions: (1,0,0) (0,1,0)", "directions have the shape (2, 3)"),
        (b"\n\n", b"\n", "its header can't be read"),
    ],
)
def test_a_header_that_cannot_be_is_refused_with_the_reason(tmp_path, old, new, reason):
    whole = header() + BYTES
    assert old in whole
    (tmp_path / "a.nrrd").write_bytes(whole.replace(old, new))
    assert reason in refusal(tmp_path)


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("bzip2", bz2.compress)])
def test_packed_voxels_that_are_damaged_or_too_many_are_refused(tmp_path, encoding, pack):
    data = np.random.default_rng(0).integers(0, 256, 30**3, "u1").tobytes()
    sizes = {"sizes": "30 30 30", "encoding": encoding}
    packed = bytearray(pack(data))
    (tmp_path / "a.nrrd").write_bytes(header(**sizes) + packed[:-50])
    assert "its compressed stream is damaged" in refusal(tmp_path)
    (tmp_path / "a.nrrd").write_bytes(header(**sizes) + pack(data[:-1]))
    assert "26999 bytes of the 27000" in refusal(tmp_path)
    (tmp_path / "a.nrrd").write_bytes(header(**sizes) + pack(data + bytes(1 << 22)))
    assert "holds more than the 27000 bytes" in refusal(tmp_path)
    packed[-6] ^= 1
    (tmp_path / "a.nrrd").write_bytes(header(**sizes) + packed)
    assert "its compressed stream is damaged" in refusal(tmp_path)


def test_a_raw_file_that_is_one_byte_short_is_refused(tmp_path):
    (tmp_path / "a.nrrd").write_bytes(header() + BYTES[:-1])
    assert "declares 24 bytes, its 23 bytes can't hold them" in refusal(tmp_path)
