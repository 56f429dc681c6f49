"""An atlas comes in from BrainGlobe, and goes out to it again."""

import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from tests.ingest.atlas_packers import mini_zfish as fish

from pulvinar.errors import Conflict, NotFound

MADE = Path(__file__).parents[1] / "ingest" / "atlas_packers" / "mini_zfish.tar.xz"


@pytest.mark.parametrize(
    ("folder", "name"),
    [("second/mini_zfish_2.0um_v1.0", "brainglobe"), ("third/brainglobe-atlasapi", "brainglobe:mini_zfish_2.0um")],
)
def test_an_atlas_of_brainglobe_is_installed_and_written_again(pulvinar, tmp_path, folder, name):
    pytest.importorskip("brainglobe_atlasapi")
    from brainglobe_atlasapi import BrainGlobeAtlas

    with tarfile.open(MADE) as archive:
        archive.extractall(tmp_path, filter="data")
    installed = json.loads(pulvinar("atlas", "install", name, "--from", tmp_path / folder, "--json"))
    assert (installed["regions"], installed["species"]) == (4, "zebrafish")
    said = json.loads(pulvinar("atlas", "export", installed["name"], tmp_path / "out", "--json"))

    (tmp_path / "bg.conf").touch()
    theirs = BrainGlobeAtlas(
        said["name"], brainglobe_dir=tmp_path / "out", check_latest=False, config_dir=tmp_path / "bg.conf"
    )
    np.testing.assert_array_equal(theirs.annotation, fish.in_asr(fish.annotation()))
    np.testing.assert_array_equal(theirs.template, fish.in_asr(fish.reference()))
    assert [one["structure_id_path"] for one in theirs.structures_list] == [
        one["structure_id_path"] for one in fish.STRUCTURES
    ]
    points = theirs.mesh_from_structure("pal").points
    at = np.argwhere(theirs.annotation == 40000)
    # the surface is smoothed: within a voxel of the region's box
    np.testing.assert_allclose(points.min(axis=0), at.min(axis=0) * fish.SIZE_UM, atol=fish.SIZE_UM)
    np.testing.assert_allclose(points.max(axis=0), (at.max(axis=0) + 1) * fish.SIZE_UM, atol=fish.SIZE_UM)

    with pytest.raises(Conflict, match="there already"):
        pulvinar("atlas", "export", installed["name"], tmp_path / "out")
    assert "its terms: " in pulvinar("atlas", "export", installed["name"], tmp_path / "two", "--format", "brainglobe2")
    assert list((tmp_path / "two").glob("*/annotation.tiff"))
    with pytest.raises(NotFound):
        pulvinar("atlas", "export", "nothing", tmp_path / "three")
