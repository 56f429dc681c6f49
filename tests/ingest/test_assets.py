"""What an asset becomes of what a reader found: the colours of its channels."""

import numpy as np
import pytest
import tifffile

from pulvinar.errors import Invalid
from pulvinar.ingest.intake import ingest
from pulvinar.ingest.reader import Options
from pulvinar.ingest.record import RecordAnswers
from pulvinar.ingest.request import Request
from pulvinar.model.volume import volume_from_json

ANSWERS = RecordAnswers(title="A brain", species="mouse", licence="CC0-1.0")
TWO_UM = Options(voxel_size_um=(2.0, 2.0, 2.0))
HYPER = np.random.default_rng(2).integers(0, 60_000, (4, 2, 30, 40)).astype(np.uint16)
"""Axes z, c, y, x."""


def colours(means, path, color=""):
    (asset,) = ingest(means, Request(path, TWO_UM, ANSWERS, color=color)).version.assets
    return [channel.color for channel in volume_from_json(asset.details["volume"]).channels]


def hyperstack(folder):
    tifffile.imwrite(folder / "a.tif", HYPER, imagej=True, metadata={"axes": "ZCYX"})
    return folder / "a.tif"


def ome(folder, *color):
    about = {"axes": "ZCYX", "Channel": {"Name": ["GFP", "DAPI"]} | ({"Color": list(color)} if color else {})}
    tifffile.imwrite(folder / "a.ome.tif", HYPER, ome=True, metadata=about)
    return folder / "a.ome.tif"


@pytest.mark.parametrize("write", [hyperstack, ome, lambda folder: ome(folder, -1, -1)])
def test_channels_without_a_colour_can_be_told_apart(means, tmp_path, write):
    assert colours(means, write(tmp_path)) == ["64FF64", "FF64FF"]


def test_a_channel_keeps_the_colour_that_its_file_names(means, tmp_path):
    assert colours(means, ome(tmp_path, 0x00FF00FF, -1)) == ["00FF00", "FFFFFF"]


def test_channels_of_a_folder_of_planes_can_be_told_apart(means, sample):
    assert colours(means, sample("mouse/cells_lightsheet/crop_planes")) == ["64FF64", "FF64FF"]


def test_a_person_says_the_colour_of_every_channel_or_is_told_how_many_there_are(means, tmp_path):
    path = ome(tmp_path, 0x00FF00FF, -1)
    assert colours(means, path, "ff0000, #0000ff") == ["FF0000", "0000FF"]
    with pytest.raises(Invalid, match="--color FF0000 names 1, a has 2 channels"):
        colours(means, path, "FF0000")
    with pytest.raises(Invalid, match="'red,00FF00' is no colour"):
        colours(means, path, "red,00FF00")
    tifffile.imwrite(tmp_path / "one.tif", HYPER[:, 0], metadata=None, photometric="minisblack")
    assert colours(means, tmp_path / "one.tif") == ["FFFFFF"]
    assert colours(means, tmp_path / "one.tif", "64ff64") == ["64FF64"]
