import gzip
import struct

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.ingest.readers.reading import find_one, flags, read_voxels, said
from tests.ingest.readers.windowed import opened, windows

from pulvinar.errors import TooLarge, UnreadableFile
from pulvinar.ingest.reader import Options
from pulvinar.ingest.reader_contract import source_files
from pulvinar.ingest.readers.frames import orientation
from pulvinar.ingest.readers.mgh import MghReader
from pulvinar.model.volume import VolumeKind

READER = MghReader()
AFFINE = np.array([[-2.0, 0.1, 0, 30], [0.1, 2, 0, -20], [0, 0, 3, 5], [0, 0, 0, 1]])
NAN = float("nan")


def image(shape=(4, 5, 6), dtype="i2", affine=AFFINE):
    return nib.MGHImage(np.random.default_rng(0).integers(0, 100, shape).astype(dtype), affine)


def patched(folder, offset, content, made=None):
    """A file whose header is overwritten at `offset`."""
    data = bytearray((made or image()).to_bytes())
    data[offset : offset + len(content)] = content
    (folder / "a.mgh").write_bytes(data)
    return folder


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    shape=st.tuples(st.integers(1, 7), st.integers(1, 7), st.integers(1, 7)),
    frames=st.sampled_from([(), (2,), (5,)]),
    dtype=st.sampled_from(["u1", "i2", "i4", "f4"]),
    ending=st.sampled_from([".mgh", ".mgz"]),
    turn=st.permutations([0, 1, 2]),
    flip=st.sampled_from([-1, 1]),
)
def test_values_and_places_are_those_of_nibabel(tmp_path_factory, shape, frames, dtype, ending, turn, flip):
    folder = tmp_path_factory.mktemp("mgh")
    affine = AFFINE.copy()
    affine[:3] = affine[:3][turn] * flip
    nib.save(image(shape + frames, dtype, affine), folder / f"a{ending}")
    source = nib.load(folder / f"a{ending}")
    expected = np.asanyarray(source.dataobj)
    expected = expected.reshape(*expected.shape, *[1] * (4 - expected.ndim)).transpose(3, 2, 1, 0)[:, None]
    found = read_voxels(READER, folder, folder.parent / "scratch")
    assert found.dtype == np.dtype(dtype)
    assert np.array_equal(found, expected)
    volume = find_one(READER, folder).volume
    z, y, x = 2, 1, 0
    world = np.array(volume.affine_um) @ [z, y, x, 1]
    assert np.allclose(world[2::-1], (source.affine @ [x, y, z, 1])[:3] * 1000, atol=0.1)
    assert volume.voxel_size_um == pytest.approx([float(n) * 1000 for n in source.header.get_zooms()[2::-1]], rel=1e-5)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(window=windows((3, 1, 6, 5, 4)), ending=st.sampled_from([".mgh", ".mgz"]))
def test_any_window_is_a_slice_of_the_voxels(tmp_path_factory, window, ending):
    folder = tmp_path_factory.mktemp("mgh")
    made = image((4, 5, 6, 3))
    nib.save(made, folder / f"a{ending}")
    with opened(READER, folder, folder.parent / "scratch") as read:
        assert np.array_equal(read(window), made.dataobj.transpose(3, 2, 1, 0)[:, None][window.slices])


@pytest.mark.parametrize("name", ["mri_T1.mgz", "mri_aseg.mgz"])
def test_real_brains_lie_where_nibabel_has_them(sample, name):
    path = sample(f"macaque/yerkes19/{name}")
    (found,) = READER.find([file for file in source_files(path.parent) if file.path == path], Options())
    affine = nib.load(path).affine
    assert orientation(np.array(found.volume.affine_um)) == "".join(nib.aff2axcodes(affine)[::-1])
    corner = [n - 1 for n in found.volume.shape[2:]]
    world = np.array(found.volume.affine_um) @ [*corner, 1]
    assert np.allclose(world[2::-1], (affine @ [*corner[::-1], 1])[:3] * 1000, atol=1)


def test_frames_have_the_repetition_time_of_the_footer(tmp_path):
    made = image((4, 5, 6, 3))
    made.header["tr"] = 2500
    for ending in (".mgh", ".mgz"):
        nib.save(made, tmp_path / f"a{ending}")
        assert find_one(READER, tmp_path).volume.time_step_s == 2.5
        (tmp_path / f"a{ending}").unlink()


@pytest.mark.parametrize("step", [0.0, -1.0, NAN, float("inf")])
def test_frames_without_a_time_step_are_a_doubt_that_a_person_settles(tmp_path, step):
    data = image((4, 5, 6, 3)).to_bytes()
    end = 284 + 4 * 5 * 6 * 3 * 2
    (tmp_path / "a.mgh").write_bytes(data[:end] + struct.pack(">f", step))
    found = find_one(READER, tmp_path)
    assert found.volume.time_step_s is None
    assert ("doubt", "--time-step") in flags(found)
    settled = find_one(READER, tmp_path, Options(time_step_s=2.0))
    assert settled.volume.time_step_s == 2.0
    assert ("doubt", "--time-step") not in flags(settled)
    (tmp_path / "a.mgh").write_bytes(data[:end])
    assert ("doubt", "--time-step") in flags(find_one(READER, tmp_path))


def test_a_file_without_a_map_has_a_size_and_no_sides(tmp_path):
    found = find_one(READER, patched(tmp_path, 28, struct.pack(">h", 0)))
    assert found.volume.affine_um is None
    assert found.volume.voxel_size_um == pytest.approx([3000, 2002.498, 2002.498], rel=1e-5)
    assert "left and right are not known" in said(found)
    settled = find_one(READER, tmp_path, Options(orientation="SAL"))
    assert orientation(np.array(settled.volume.affine_um)) == "SAL"
    assert ("doubt", "--orientation") not in flags(settled)


@pytest.mark.parametrize("size", [0.0, -1.0, NAN])
def test_a_voxel_size_that_cannot_be_is_asked_for(tmp_path, size):
    found = find_one(READER, patched(tmp_path, 28, struct.pack(">hf", 0, size)))
    assert found.volume.voxel_size_um is None
    assert ("question", "--voxel-size") in flags(found)
    given = find_one(READER, tmp_path, Options(voxel_size_um=(3.0, 2.0, 1.0)))
    assert given.volume.voxel_size_um == (3.0, 2.0, 1.0)
    assert ("question", "--voxel-size") not in flags(given)


def test_a_given_voxel_size_settles_a_header_that_lies(tmp_path):
    nib.save(image(affine=np.diag([-1.0, 1, 1, 1])), tmp_path / "a.mgz")
    found = find_one(READER, tmp_path, Options(voxel_size_um=(500.0, 500.0, 500.0)))
    assert found.volume.affine_um[2][2] == -500.0
    assert found.volume.voxel_size_um == (500.0, 500.0, 500.0)


def test_labels_kept_as_floats_become_integers_or_are_refused(tmp_path):
    labels = Options(kind=VolumeKind.LABELS)
    made = image(dtype="f4")
    nib.save(made, tmp_path / "aseg.mgz")
    assert ("note", "--kind") in flags(find_one(READER, tmp_path))
    found = read_voxels(READER, tmp_path, tmp_path.parent / "s", labels)
    assert found.dtype == np.uint32
    assert np.array_equal(found[0, 0].T, made.dataobj)
    made.dataobj[1, 2, 3] = 0.5
    nib.save(made, tmp_path / "aseg.mgz")
    with pytest.raises(UnreadableFile, match=r"aseg\.mgz: not every value .* aren't labels"):
        read_voxels(READER, tmp_path, tmp_path.parent / "s", labels)


@pytest.mark.parametrize(
    ("offset", "content", "reason"),
    [
        (4, struct.pack(">i", -4), r"declares the dimensions \(1, 6, 5, -4\)"),
        (12, struct.pack(">i", 0), r"declares the dimensions \(1, 0, 5, 4\)"),
        (4, struct.pack(">4i", *[2**31 - 1] * 4), "544 bytes can't hold them"),
        (16, struct.pack(">i", 2), "can't hold them"),
        (20, struct.pack(">i", 9), "the data type 9"),
        (30, struct.pack(">f", NAN), "not finite"),
        (42, struct.pack(">f", NAN), "not finite"),
        (78, struct.pack(">f", float("inf")), "not finite"),
        (30, struct.pack(">f", 1e30), "not finite"),
        (42, bytes(12), "singular"),
        (42, struct.pack(">6f", 1, 0, 0, 1, 0, 0), "singular"),
    ],
)
def test_a_header_that_cannot_be_is_refused_with_the_reason(tmp_path, offset, content, reason):
    with pytest.raises(UnreadableFile, match=rf"a\.mgh.*{reason}"):
        find_one(READER, patched(tmp_path, offset, content))


@pytest.mark.parametrize("size", [100, 283, 284, 523])
def test_a_file_that_ends_too_early_is_refused(tmp_path, size):
    (tmp_path / "a.mgh").write_bytes(image().to_bytes()[:size])
    with pytest.raises(UnreadableFile, match=r"a\.mgh is truncated"):
        find_one(READER, tmp_path)


@pytest.mark.parametrize("shape", [(4, 5, 6), (30, 30, 30)])
def test_a_packed_file_with_a_wrong_checksum_is_refused_however_small(tmp_path, shape):
    packed = bytearray(gzip.compress(image(shape).to_bytes()))
    packed[-5] ^= 1
    (tmp_path / "a.mgz").write_bytes(packed)
    with pytest.raises(UnreadableFile, match=r"a\.mgz: its compressed stream is damaged"):
        read_voxels(READER, tmp_path, tmp_path.parent / "s")


def test_a_packed_file_that_is_cut_off_or_holds_too_little_is_refused(tmp_path):
    packed = gzip.compress(image((30, 30, 30)).to_bytes())
    (tmp_path / "a.mgz").write_bytes(packed[:-100])
    with pytest.raises(UnreadableFile, match=r"a\.mgz: its compressed stream is damaged"):
        read_voxels(READER, tmp_path, tmp_path.parent / "s")
    (tmp_path / "a.mgz").write_bytes(gzip.compress(image((30, 30, 30)).to_bytes()[:-100]))
    with pytest.raises(UnreadableFile, match=r"a\.mgz is truncated: \d+ bytes of the 54284"):
        read_voxels(READER, tmp_path, tmp_path.parent / "s")


def test_a_packed_file_is_never_unpacked_beyond_what_it_declares(tmp_path):
    (tmp_path / "a.mgz").write_bytes(gzip.compress(image().to_bytes() + bytes(1 << 26)))
    scratch = tmp_path.with_name(f"{tmp_path.name}-scratch")
    with pytest.raises(TooLarge, match=r"a\.mgz holds more than the 524 bytes"):
        read_voxels(READER, tmp_path, scratch)
    assert sum(path.stat().st_size for path in scratch.iterdir()) == 524
