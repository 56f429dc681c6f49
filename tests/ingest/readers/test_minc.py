import shutil

import h5py
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
from pulvinar.ingest.readers.minc import MincReader
from pulvinar.model.volume import VolumeKind

READER = MincReader()
IMAGE = "minc-2.0/image/0/image"
DIMENSIONS = "minc-2.0/dimensions"
SPACE = ("zspace", "yspace", "xspace")
VOXELS = np.arange(2 * 3 * 4, dtype="u2").reshape(2, 3, 4)
NAN = float("nan")


def write(path, data=VOXELS, axes=SPACE, *, limits=None, low=None, high=None, **about):
    """A MINC2 file as its format's description has it; `about` holds attributes of every dimension."""
    with h5py.File(path, "w") as file:
        image = file.create_dataset(IMAGE, data=data)
        image.attrs["dimorder"] = np.bytes_(",".join(axes))
        image.attrs["valid_range"] = np.array(limits or (0.0, 100.0))
        if low is not None:
            file[f"{IMAGE}-min"], file[f"{IMAGE}-max"] = low, high
            for part in ("min", "max"):
                order = ",".join(axes[: np.ndim(low)])
                file[f"{IMAGE}-{part}"].attrs["dimorder"] = np.bytes_(order)
        for index, axis in enumerate(axes):
            dimension = file.create_dataset(f"{DIMENSIONS}/{axis}", data=0)
            values = {"length": data.shape[index], "step": 0.5 * (index + 1), "start": 10.0 * index - 5, **about}
            for key, value in values.items():
                dimension.attrs[key] = value


@pytest.fixture
def edit(tmp_path):
    """A sound file `a.mnc`, open to be spoiled."""
    write(tmp_path / "a.mnc")
    with h5py.File(tmp_path / "a.mnc", "r+") as file:
        yield file


def refusal(file, folder):
    """What is said of a spoiled file."""
    file.close()
    with pytest.raises((UnreadableFile, TooLarge)) as caught:
        find_one(READER, folder)
    assert "a.mnc" in caught.value.message
    return caught.value.message


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    shape=st.tuples(*[st.integers(1, 6)] * 3),
    dtype=st.sampled_from(["u1", "i1", "<i2", ">i2", "<u2", "<i4", ">f4", "<f8"]),
    axes=st.permutations(SPACE),
    scaled=st.sampled_from(["no", "as one", "by slice", "by row"]),
)
def test_values_and_places_are_those_of_nibabel(tmp_path_factory, shape, dtype, axes, scaled):
    folder = tmp_path_factory.mktemp("minc")
    rng = np.random.default_rng(1)
    data = rng.integers(0, 100, shape).astype(dtype)
    # nibabel needs ranges; a range of 0 to 100 is the valid range, so that what is stored is what is meant
    ranks = {"no": 0, "as one": 0, "by slice": 1, "by row": 2}[scaled]
    low = rng.random(shape[:ranks]) if scaled != "no" else np.zeros(())
    high = low + 1 + rng.random(shape[:ranks]) if scaled != "no" else np.full((), 100.0)
    write(folder / "a.mnc", data, tuple(axes), low=low, high=high)
    source = nib.load(shutil.copy(folder / "a.mnc", tmp_path_factory.mktemp("nibabel")))
    found = read_voxels(READER, folder, folder.parent / "scratch")[0, 0]
    assert np.allclose(found, np.asanyarray(source.dataobj), rtol=1e-6)
    if scaled == "no" or data.dtype.kind == "f":
        assert found.dtype == data.dtype.newbyteorder("=")
        assert np.array_equal(found, data)
    volume = find_one(READER, folder).volume
    index = [n - 1 for n in shape]
    world = np.array(volume.affine_um) @ [*index, 1]
    assert np.allclose(world[2::-1], (source.affine @ [*index, 1])[:3] * 1000, rtol=1e-6)
    assert volume.voxel_size_um == (500.0, 1000.0, 1500.0)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(window=windows((3, 1, 4, 5, 6)), chunked=st.booleans(), scaled=st.booleans())
def test_any_window_is_a_slice_of_the_voxels(tmp_path_factory, window, chunked, scaled):
    folder = tmp_path_factory.mktemp("minc")
    data = np.random.default_rng(0).integers(0, 100, (3, 4, 5, 6), "u2")
    low = np.arange(12.0).reshape(3, 4)
    high = low * 2 + 1
    ranges = {"low": low, "high": high} if scaled else {}
    write(folder / "a.mnc", data, ("time", *SPACE), **ranges)
    if chunked:
        with h5py.File(folder / "a.mnc", "r+") as file:
            attributes = dict(file[IMAGE].attrs)
            del file[IMAGE]
            file.create_dataset(IMAGE, data=data, chunks=(1, 2, 3, 4), compression=4, shuffle=True, fletcher32=True)
            file[IMAGE].attrs.update(attributes)
    meant = data / 100 * (high - low)[..., None, None] + low[..., None, None] if scaled else data
    with opened(READER, folder, folder.parent / "scratch") as read:
        assert np.allclose(read(window), meant[:, None][window.slices], rtol=1e-6)


@pytest.mark.parametrize(
    "name", ["average_template_200um.mnc", "DSURQE_CCFv3_average_200um.mnc", "DSURQE_CCFv3_labels_200um.mnc"]
)
def test_real_brains_lie_where_nibabel_has_them(sample, name):
    path = sample(f"mouse/dsurqe_mri_200um/{name}")
    (found,) = READER.find([file for file in source_files(path.parent) if file.path == path], Options())
    source = nib.load(path)
    assert found.volume.shape[2:] == source.shape
    corner = [n - 1 for n in source.shape]
    world = np.array(found.volume.affine_um) @ [*corner, 1]
    assert np.allclose(world[2::-1], (source.affine @ [*corner, 1])[:3] * 1000, atol=0.01)
    assert orientation(np.array(found.volume.affine_um)) == "".join(nib.aff2axcodes(source.affine))
    assert found.volume.voxel_size_um == (200.0, 200.0, 200.0)


def test_oblique_axes_and_backward_steps_lie_where_they_say(tmp_path):
    write(tmp_path / "a.mnc", step=-2.0, start=1.0)
    turned = {"xspace": [0.8, 0.6, 0.0], "yspace": [-0.6, 0.8, 0.0], "zspace": [0.0, 0.0, 1.0]}
    with h5py.File(tmp_path / "a.mnc", "r+") as file:
        for axis, cosines in turned.items():
            file[f"{DIMENSIONS}/{axis}"].attrs["direction_cosines"] = cosines
    affine = np.array(find_one(READER, tmp_path).volume.affine_um)
    # the world's (z, y, x) of the first voxel: the starts along each axis' own direction
    assert np.allclose(affine[:3, 3], [1000, 1400, 200])
    assert np.allclose(affine[:3, :3], [[-2000, 0, 0], [0, -1600, -1200], [0, 1200, -1600]])


def test_vectors_become_channels_and_times_need_a_step(tmp_path):
    data = np.random.default_rng(0).integers(0, 100, (2, 3, 4, 5, 6)).astype("f4")
    write(tmp_path / "a.mnc", data, ("time", *SPACE, "vector_dimension"))
    found = find_one(READER, tmp_path)
    assert found.volume.shape == (2, 6, 3, 4, 5)
    assert ("doubt", "--time-step") in flags(found)
    assert np.array_equal(read_voxels(READER, tmp_path, tmp_path.parent / "s"), np.moveaxis(data, -1, 1))
    settled = find_one(READER, tmp_path, Options(time_step_s=0.5))
    assert settled.volume.time_step_s == 0.5
    assert not flags(settled)


def test_labels_that_are_scaled_become_integers_or_are_refused(tmp_path):
    labels = Options(kind=VolumeKind.LABELS)
    write(tmp_path / "labels.mnc", low=0.0, high=200.0)
    assert "--kind labels" in said(find_one(READER, tmp_path))
    found = read_voxels(READER, tmp_path, tmp_path.parent / "s", labels)
    assert found.dtype == np.uint32
    assert np.array_equal(found[0, 0], VOXELS * 2)
    write(tmp_path / "labels.mnc", low=0.0, high=50.0)
    with pytest.raises(UnreadableFile, match=r"labels\.mnc: not every value .* aren't labels"):
        read_voxels(READER, tmp_path, tmp_path.parent / "s", labels)


def test_values_beyond_the_valid_range_are_its_ends(tmp_path):
    write(tmp_path / "a.mnc", limits=(5.0, 10.0), low=0.0, high=1.0)
    found = read_voxels(READER, tmp_path, tmp_path.parent / "s")[0, 0]
    assert found[0, 0, 0] == 0
    assert found[-1, -1, -1] == 1
    assert np.allclose(found, np.asanyarray(nib.load(tmp_path / "a.mnc").dataobj))


def other_file(folder):
    """A sound MINC2 outside of the submission, whose voxels nobody may get hold of."""
    path = folder.with_name(f"{folder.name}-secret.h5")
    write(path)
    return path


@pytest.mark.parametrize("place", ["minc-2.0", IMAGE, f"{IMAGE}-min", f"{DIMENSIONS}/xspace"])
def test_a_link_to_another_file_is_refused_and_not_followed(edit, tmp_path, place):
    edit[f"{IMAGE}-max"] = 1.0
    if place in edit:
        del edit[place]
    edit[place] = h5py.ExternalLink(str(other_file(tmp_path)), place)
    assert "is a link to elsewhere" in refusal(edit, tmp_path)


def test_a_link_within_the_file_is_followed(edit, tmp_path):
    edit.move(IMAGE, "hidden")
    edit[IMAGE] = h5py.SoftLink("/hidden")
    edit.close()
    assert np.array_equal(read_voxels(READER, tmp_path, tmp_path.parent / "s")[0, 0], VOXELS)


def test_voxels_that_lie_in_another_file_are_not_read(edit, tmp_path):
    secret = tmp_path.with_name(f"{tmp_path.name}-secret.raw")
    secret.write_bytes(bytes(48))
    del edit[IMAGE]
    edit.create_dataset(IMAGE, (2, 3, 4), "u2", external=[(str(secret), 0, 48)]).attrs["dimorder"] = ",".join(SPACE)
    assert "lies in other files" in refusal(edit, tmp_path)


def test_a_view_of_another_file_is_not_read(edit, tmp_path):
    layout = h5py.VirtualLayout((2, 3, 4), "u2")
    layout[:] = h5py.VirtualSource(str(other_file(tmp_path)), IMAGE, (2, 3, 4))
    del edit[IMAGE]
    edit.create_virtual_dataset(IMAGE, layout).attrs["dimorder"] = ",".join(SPACE)
    assert "lies in other files" in refusal(edit, tmp_path)


def test_a_filter_that_would_load_code_is_refused(edit, tmp_path):
    del edit[IMAGE]
    packed = edit.create_dataset(IMAGE, data=VOXELS, chunks=True, scaleoffset=0)
    packed.attrs["dimorder"] = ",".join(SPACE)
    assert "packed by the filters [6]" in refusal(edit, tmp_path)


def test_a_chunk_that_unpacks_to_gigabytes_is_refused(edit, tmp_path):
    del edit[IMAGE]
    huge = edit.create_dataset(IMAGE, (1 << 20,) * 3, "u2", chunks=(1024, 1024, 1024))
    huge.attrs["dimorder"] = ",".join(SPACE)
    assert "(1024, 1024, 1024) values" in refusal(edit, tmp_path)


@pytest.mark.parametrize(
    ("attribute", "value", "reason"),
    [
        ("step", NAN, "not finite"),
        ("start", np.inf, "not finite"),
        ("step", 0.0, "singular"),
        ("step", "wide", "wide"),
        ("direction_cosines", [0.0, 1.0, 0.0], "singular"),
        ("direction_cosines", [1.0, 0.0], "the direction of xspace has 2 numbers"),
        ("spacing", np.bytes_("irregular"), "xspace are spaced irregularly"),
    ],
)
def test_a_dimension_that_cannot_be_is_refused_with_the_reason(edit, tmp_path, attribute, value, reason):
    edit[f"{DIMENSIONS}/xspace"].attrs[attribute] = value
    assert reason in refusal(edit, tmp_path)


@pytest.mark.parametrize(
    ("low", "high", "limits", "reason"),
    [
        (0.0, 1.0, (5.0, 5.0), "5 to 5"),
        (NAN, 1.0, (0.0, 10.0), "can't be"),
        (0.0, np.inf, (0.0, 10.0), "can't be"),
        (0.0, 1.0, (0.0, NAN), "can't be"),
        ([0.0] * 5, [1.0] * 5, (0.0, 10.0), "can't be"),
        ([0.0] * 2, 1.0, (0.0, 10.0), "can't be"),
    ],
)
def test_a_range_of_values_that_cannot_be_is_refused(edit, tmp_path, low, high, limits, reason):
    edit[IMAGE].attrs["valid_range"] = limits
    edit[f"{IMAGE}-min"], edit[f"{IMAGE}-max"] = low, high
    assert reason in refusal(edit, tmp_path)


@pytest.mark.parametrize(
    ("data", "axes", "reason"),
    [
        (VOXELS, "zspace,yspace,wspace", "its axes are zspace, yspace, wspace"),
        (VOXELS, "zspace,yspace", "3 dimensions"),
        (VOXELS, "zspace,zspace,xspace", "3 dimensions"),
        (VOXELS, "time,xspace,vector_dimension", "two or three of space"),
        (VOXELS[:0], "zspace,yspace,xspace", r"the dimensions (0, 3, 4)"),
        (np.full((2, 3, 4), b"x"), "zspace,yspace,xspace", "not numbers"),
        (h5py.Empty("u2"), "zspace,yspace,xspace", "is damaged"),
    ],
)
def test_an_image_that_cannot_be_is_refused_with_the_reason(edit, tmp_path, data, axes, reason):
    del edit[IMAGE]
    edit.create_dataset(IMAGE, data=data).attrs["dimorder"] = axes
    assert reason in refusal(edit, tmp_path)


def test_an_image_that_is_not_there_is_said(edit, tmp_path):
    del edit[IMAGE]
    assert f"without an image at {IMAGE}" in refusal(edit, tmp_path)


def test_a_file_cut_short_is_refused_and_other_hdf5_is_passed_over(tmp_path):
    write(tmp_path / "a.mnc")
    whole = (tmp_path / "a.mnc").read_bytes()
    (tmp_path / "a.mnc").write_bytes(whole[:-10])
    with pytest.raises(UnreadableFile, match=r"a\.mnc is damaged: .*truncated"):
        find_one(READER, tmp_path)
    (tmp_path / "a.mnc").unlink()
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["data"] = VOXELS
    assert list(READER.find(source_files(tmp_path), Options())) == []


def test_a_chunk_whose_checksum_is_wrong_is_refused_when_it_is_read(tmp_path):
    write(tmp_path / "a.mnc")
    with h5py.File(tmp_path / "a.mnc", "r+") as file:
        attributes = dict(file[IMAGE].attrs)
        del file[IMAGE]
        data = file.create_dataset(IMAGE, data=VOXELS, chunks=(2, 3, 4), fletcher32=True)
        data.attrs.update(attributes)
        position = data.id.get_chunk_info(0).byte_offset
    raw = bytearray((tmp_path / "a.mnc").read_bytes())
    raw[position] ^= 1
    (tmp_path / "a.mnc").write_bytes(raw)
    with pytest.raises(UnreadableFile, match=r"a\.mnc: the chunk at .* is damaged: its checksum is wrong"):
        read_voxels(READER, tmp_path, tmp_path.parent / "s")
