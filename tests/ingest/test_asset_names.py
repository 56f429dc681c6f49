"""What assets are called when their files' names say nothing."""

import numpy as np
import pytest
import tifffile

from pulvinar.ingest.asset_names import with_telling_names
from pulvinar.ingest.inspection import inspect
from pulvinar.ingest.intake import ingest
from pulvinar.ingest.reader import FoundAsset, Options
from pulvinar.ingest.record import RecordAnswers
from pulvinar.ingest.request import Request
from pulvinar.ingest.sandbox import Limits
from pulvinar.model.dataset import AssetKind

PLANE = np.arange(600, dtype=np.uint16).reshape(20, 30)


def named(*assets, submission="handed in"):
    found = [FoundAsset("r", f"{k}", name, kind, tuple(files)) for k, (name, files, kind) in enumerate(assets)]
    return [asset.name for asset in with_telling_names(found, submission)]


@pytest.mark.parametrize(
    ("name", "files", "expected"),
    [
        ("s", ["s_1.tif", "s_2.tif"], "handed in"),
        ("p", ["mouse 7/p1.tif", "mouse 7/p2.tif"], "mouse 7"),
        ("UltraII[00 x 00]", ["a/UltraII[00 x 00]_Z0.tif", "a/UltraII[00 x 00]_Z1.tif"], "handed in"),
        ("image", ["brain A/tif/image1.tif", "brain A/tif/image2.tif"], "brain A"),
        ("stack", ["ch0/ch00.tif", "ch1/ch10.tif"], "handed in"),
        ("切片 第", ["小鼠/切片 第1张.tif", "小鼠/切片 第2张.tif"], "小鼠"),
        ("小鼠", ["数据/小鼠1.tif", "数据/小鼠2.tif"], "小鼠"),
        ("array", ["zarr.json", "0/zarr.json"], "handed in"),
        ("0", ["fish.ome.zarr/0/zarr.json", "fish.ome.zarr/0/c/0"], "fish"),
        ("brain", ["a/brain1.tif", "a/brain2.tif"], "brain"),
        ("T1", ["sub01/T1.hdr", "sub01/T1.img"], "T1"),
        ("s", ["s.tif"], "s"),
    ],
)
def test_a_name_that_tells_nothing_is_the_folders(name, files, expected):
    assert named((name, files, AssetKind.VOLUME)) == [expected]


def test_assets_of_one_folder_stay_apart():
    files = [[f"lab/{letter}{number}.tif" for number in (1, 2)] for letter in "sp"]
    assert named(*((name, own, AssetKind.VOLUME) for name, own in zip("sp", files, strict=True))) == ["lab s", "lab p"]


def test_nothing_better_leaves_the_name():
    assert named(("p", ["p1.tif", "p2.tif"], AssetKind.VOLUME), submission="data.zip") == ["p"]


def test_a_whole_brain_is_called_as_the_folder_in_its_archive(sample, tmp_path):
    path = sample("mouse/whole_brain_autofluorescence/brain_270slices.tar.xz")
    (asset,) = inspect(path, Options(), scratch=tmp_path, limits=Limits()).assets
    assert asset.name == "brain"


def test_a_folder_names_what_is_ingested(means, tmp_path):
    folder = tmp_path / "Fos 2024"
    folder.mkdir()
    for number in range(3):
        tifffile.imwrite(folder / f"s_{number}.tif", PLANE)
    answers = RecordAnswers(title="t", species="mouse", licence="x")
    options = Options(voxel_size_um=(1.0, 1.0, 1.0))
    assert [one.name for one in ingest(means, Request(folder, options, answers)).version.assets] == ["Fos 2024"]
