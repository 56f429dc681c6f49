"""A person measures from the command line, with coordinates that they type."""

import csv
import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest

from pulvinar.errors import Invalid

MADE = Path(__file__).parents[1] / "ingest" / "atlas_packers" / "mini_zfish.tar.xz"


@pytest.fixture
def measure(pulvinar, tmp_path):
    with tarfile.open(MADE) as archive:
        archive.extractall(tmp_path, filter="data")
    folder = tmp_path / "second" / "mini_zfish_2.0um_v1.0"
    pulvinar.dataset = json.loads(pulvinar("atlas", "install", "brainglobe", "--from", folder, "--json"))
    return pulvinar


def test_lines_boxes_and_regions(measure):
    name = measure.dataset["name"]
    shown = json.loads(measure("show", measure.dataset["dataset"], "--json"))
    assets = {one["name"]: one["id"] for one in shown["assets"] if one["kind"] == "volume"}
    template = next(key for at, key in assets.items() if "annot" not in at.lower())
    regions = [line.split()[0] for line in measure("atlas", "regions", name).splitlines()]
    rows = json.loads(measure("measure", "regions", name, regions[0], "--image", template, "--json"))
    volume = json.loads(measure("atlas", "region", name, regions[0], "--json"))["volume mm3"]
    assert rows[0]["mm3"] == pytest.approx(volume, abs=1e-4)
    box = json.loads(measure("measure", "box", template, "-1e5,-1e5,-1e5", "1e5,1e5,1e5", "--json"))[0]
    assert box["minimum"] <= box["mean"] <= box["maximum"]
    table = measure("measure", "line", template, "-1000,0,0", "1000,0,0", "--csv", "--level", 0)
    profile = list(csv.reader(io.StringIO(table)))
    assert profile[0][:4] == ["distance um", "x um", "y um", "z um"]
    assert np.ptp([float(row[1]) for row in profile[1:]]) == pytest.approx(2000)
    with pytest.raises(Invalid, match="no place"):
        measure("measure", "line", template, "1,2", "3,4,5")
