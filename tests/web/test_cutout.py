"""Cut-outs: what is refused before a voxel is read, and files that other programs read back as the same voxels."""

import gzip
import io
import zipfile
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest
import tifffile
import zarr

from pulvinar.errors import Invalid, TooLarge
from pulvinar.model.space import Window
from pulvinar.model.volume import Channel, Volume, VolumeKind
from pulvinar.storage.pyramid_plan import plan_levels
from pulvinar.web.cutout import Cutout, Wish, plan_cutout
from pulvinar.web.cutout_formats import Format, write

AFFINE = ((0.0, 0.0, -30.0, 900.0), (20.0, 0.0, 0.0, -400.0), (0.0, 10.0, 0.0, 70.0), (0.0, 0.0, 0.0, 1.0))


def volume_of(shape: tuple[int, ...], dtype: str = "uint16", kind: VolumeKind = VolumeKind.IMAGE) -> Volume:
    levels = plan_levels(shape, (20.0, 10.0, 30.0), dtype, kind)  # type: ignore[arg-type]
    channels = tuple(Channel(f"channel {n}") for n in range(shape[1]))
    return Volume(kind, dtype, levels, channels, affine_um=AFFINE, time_step_s=2.5)


def voxels_of(volume: Volume, level: int = 0) -> np.ndarray:
    shape = volume.levels[level].shape
    rng = np.random.default_rng(7)
    if np.dtype(volume.dtype).kind == "f":
        return rng.normal(size=shape).astype(volume.dtype)
    return rng.integers(0, np.iinfo(volume.dtype).max, shape, dtype=volume.dtype, endpoint=True)


def made(cutout: Cutout, voxels: np.ndarray, form: Format, scratch: Path) -> bytes:
    def read(window: Window) -> np.ndarray:
        return voxels[window.slices]

    data = b"".join(write(cutout, read, form, scratch))
    assert list(scratch.iterdir()) == []
    return data


@pytest.fixture(params=["uint8", "uint16", "int16", "float32", "float64", "int64", "uint64"])
def case(request: pytest.FixtureRequest) -> tuple[Cutout, np.ndarray, np.ndarray]:
    """A cut-out over odd corners of a volume of two channels and time points, its source, and what it must hold."""
    volume = volume_of((2, 2, 150, 70, 40), request.param)
    cutout = plan_cutout(volume, Wish(0, (60, 3, 5), (131, 69, 38)), 10**9)
    voxels = voxels_of(volume)
    return cutout, voxels, voxels[:, :, 60:131, 3:69, 5:38]


def test_npy_is_what_was_asked_for(case, tmp_path: Path):
    cutout, voxels, wanted = case
    found = np.load(io.BytesIO(made(cutout, voxels, Format.NPY, tmp_path)))
    assert found.dtype == wanted.dtype
    assert np.array_equal(found, wanted)


def test_nifti_is_what_was_asked_for(case, tmp_path: Path):
    cutout, voxels, wanted = case
    image = nibabel.Nifti1Image.from_bytes(gzip.decompress(made(cutout, voxels, Format.NIFTI, tmp_path)))
    assert image.get_data_dtype() == wanted.dtype
    assert np.array_equal(np.asarray(image.dataobj), wanted.transpose(4, 3, 2, 0, 1))
    assert np.allclose(image.header.get_zooms()[:4], (0.03, 0.01, 0.02, 2.5))
    assert image.header.get_xyzt_units() == ("mm", "sec")


def test_tiff_is_what_was_asked_for(case, tmp_path: Path):
    cutout, voxels, wanted = case
    with tifffile.TiffFile(io.BytesIO(made(cutout, voxels, Format.TIFF, tmp_path))) as file:
        series = file.series[0]
        found = series.asarray()
        if file.is_imagej:
            assert file.imagej_metadata["spacing"] == 20.0
            wanted = wanted.swapaxes(1, 2)
        elif file.is_ome:
            assert 'PhysicalSizeX="30.0"' in file.ome_metadata
            assert 'PhysicalSizeZ="20.0"' in file.ome_metadata
        else:
            assert wanted.dtype.name in ("int64", "uint64")
            assert file.shaped_metadata[0]["voxel_size_um"] == [20.0, 10.0, 30.0]
        assert found.dtype == wanted.dtype
        assert np.array_equal(found, wanted)
        assert file.is_ome == (wanted.dtype.name in ("int16", "float64"))


def test_zarr_is_what_was_asked_for(case, tmp_path: Path):
    cutout, voxels, wanted = case
    with zipfile.ZipFile(io.BytesIO(made(cutout, voxels, Format.ZARR, tmp_path))) as archive:
        assert archive.testzip() is None
        archive.extractall(tmp_path / "out.ome.zarr")
    group = zarr.open_group(tmp_path / "out.ome.zarr", mode="r")
    assert np.array_equal(group["0"][:], wanted)
    told = group.attrs["ome"]["multiscales"][0]["datasets"][0]["coordinateTransformations"]
    assert told[0]["scale"] == [2.5, 1, 20, 10, 30]
    assert told[1]["translation"] == [0, 0, 1200, 30, 150]


@pytest.mark.parametrize("level", [0, 1])
def test_the_affine_of_a_box_says_where_its_voxels_are_in_the_world(level: int, tmp_path: Path):
    volume = volume_of((1, 1, 150, 300, 100))
    cutout = plan_cutout(volume, Wish(level, (4, 6, 8), (20, 21, 22)), 10**9)
    image = nibabel.Nifti1Image.from_bytes(
        gzip.decompress(made(cutout, voxels_of(volume, level), Format.NIFTI, tmp_path))
    )
    taken = volume.levels[level]
    first_um = [s + v * n for s, v, n in zip(taken.translation_um, taken.voxel_size_um, (4, 6, 8), strict=True)]
    index = [place / size for place, size in zip(first_um, volume.voxel_size_um, strict=True)]
    z, y, x, _ = np.array(AFFINE) @ [*index, 1.0]
    assert np.allclose(image.affine @ [0, 0, 0, 1], [x / 1000, y / 1000, z / 1000, 1])
    assert image.header["sform_code"] == 1


def test_a_sheared_volume_has_only_an_sform(tmp_path: Path):
    sheared = ((20.0, 3.0, 0.0, 0.0), (0.0, 10.0, 0.0, 0.0), (0.0, 0.0, 30.0, 0.0), (0.0, 0.0, 0.0, 1.0))
    volume = replace(volume_of((1, 1, 9, 9, 9)), affine_um=sheared)
    cutout = plan_cutout(volume, Wish(0, (0, 0, 0), (9, 9, 9)), 10**9)
    image = nibabel.Nifti1Image.from_bytes(gzip.decompress(made(cutout, voxels_of(volume), Format.NIFTI, tmp_path)))
    assert (image.header["sform_code"], image.header["qform_code"]) == (1, 0)


def test_an_unknown_orientation_stays_unknown(tmp_path: Path):
    volume = replace(volume_of((1, 1, 9, 9, 9)), affine_um=None)
    cutout = plan_cutout(volume, Wish(0, (0, 0, 0), (9, 9, 9)), 10**9)
    image = nibabel.Nifti1Image.from_bytes(gzip.decompress(made(cutout, voxels_of(volume), Format.NIFTI, tmp_path)))
    assert (image.header["sform_code"], image.header["qform_code"]) == (0, 0)
    assert np.allclose(image.header.get_zooms(), (0.03, 0.01, 0.02))


def test_a_box_of_unknown_orientation_says_where_it_was_cut(tmp_path: Path):
    volume = replace(volume_of((1, 1, 9, 9, 9)), affine_um=None)
    z, y, x = volume.voxel_size_um
    cutout = plan_cutout(volume, Wish(0, (3, 2, 1), (9, 9, 9)), 10**9)
    image = nibabel.Nifti1Image.from_bytes(gzip.decompress(made(cutout, voxels_of(volume), Format.NIFTI, tmp_path)))
    for matrix in (image.header.get_sform(), image.header.get_qform()):
        assert np.allclose(matrix[:3, 3], np.array([x, 2 * y, 3 * z]) / 1000)


def test_a_side_longer_than_nifti_1_can_say_gives_nifti_2(tmp_path: Path):
    volume = volume_of((1, 1, 1, 2, 40_000), "uint8")
    cutout = plan_cutout(volume, Wish(0, (0, 0, 0), (1, 2, 40_000)), 10**9)
    voxels = voxels_of(volume)
    image = nibabel.Nifti2Image.from_bytes(gzip.decompress(made(cutout, voxels, Format.NIFTI, tmp_path)))
    assert np.array_equal(np.asarray(image.dataobj), voxels[0, 0].T)


def test_one_channel_and_one_time_point_can_be_chosen(tmp_path: Path):
    volume = volume_of((3, 2, 5, 6, 7))
    cutout = plan_cutout(volume, Wish(0, (0, 0, 0), (5, 6, 7), channel=1, time=2), 10**9)
    voxels = voxels_of(volume)
    found = np.load(io.BytesIO(made(cutout, voxels, Format.NPY, tmp_path)))
    assert np.array_equal(found, voxels[2:3, 1:2])
    assert [channel.name for channel in cutout.channels] == ["channel 1"]


def test_too_much_is_refused_with_a_level_that_fits():
    volume = volume_of((1, 1, 400, 800, 300))
    whole = Wish(0, (0, 0, 0), (400, 800, 300))
    with pytest.raises(TooLarge, match=r"192\.0 MB") as refused:
        plan_cutout(volume, whole, 30_000_000)
    query = dict(part.split("=") for part in refused.value.hint.split(": ")[1].split("&"))
    again = Wish(int(query["level"]), *(tuple(map(int, query[name].split(","))) for name in ("start", "stop")))
    assert plan_cutout(volume, again, 30_000_000).window.shape[2:] == volume.levels[again.level].shape[2:]


@pytest.mark.parametrize(
    "wish",
    [
        Wish(9, (0, 0, 0), (1, 1, 1)),
        Wish(0, (0, 0, 0), (11, 1, 1)),
        Wish(0, (5, 0, 0), (5, 1, 1)),
        Wish(0, (0, 0, 0), (1, 1, 1), channel=1),
        Wish(0, (0, 0, 0), (1, 1, 1), time=1),
    ],
)
def test_what_is_not_there_is_refused(wish: Wish):
    with pytest.raises(Invalid):
        plan_cutout(volume_of((1, 1, 10, 10, 10)), wish, 10**9)
