"""A person installs an atlas from the command line, looks at it, checks it and asks it."""

import json
import tarfile
from pathlib import Path

import nibabel
import numpy as np
import pytest
import trimesh
from tests.ingest.atlas_packers import mini_zfish as fish
from typer.testing import CliRunner

from pulvinar.catalogue.anchors import anchors_of
from pulvinar.catalogue.versions import get_version
from pulvinar.cli.app import app
from pulvinar.errors import Invalid, NotFound
from pulvinar.platform import open_platform
from pulvinar.settings import load_settings

MADE = Path(__file__).parents[1] / "ingest" / "atlas_packers" / "mini_zfish.tar.xz"


@pytest.fixture
def installed(pulvinar, tmp_path):
    with tarfile.open(MADE) as archive:
        archive.extractall(tmp_path, filter="data")
    folder = tmp_path / "second" / "mini_zfish_2.0um_v1.0"
    return json.loads(pulvinar("atlas", "install", "brainglobe", "--from", folder, "--json")), folder


def test_an_installed_atlas_is_listed_and_once_more_changes_nothing(pulvinar, installed):
    told, folder = installed
    (listed,) = json.loads(pulvinar("atlas", "list", "--json"))
    assert listed == told
    again = json.loads(pulvinar("atlas", "install", "brainglobe", "--from", folder, "--json"))
    assert again == told
    assert told["name"] in pulvinar("atlas", "list")
    versions = json.loads(pulvinar("show", told["dataset"], "--json"))
    assert versions["number"] == 1


def test_regions_are_found_by_their_words_and_told_whole(pulvinar, installed):
    name = installed[0]["name"]
    every = json.loads(pulvinar("atlas", "regions", name, "--json"))
    assert {one["id"] for one in every} == {one["id"] for one in fish.STRUCTURES}
    wanted = every[-1]
    found = json.loads(pulvinar("atlas", "regions", name, "--search", wanted["name"], "--json"))
    assert found[0]["id"] == wanted["id"]
    about = json.loads(pulvinar("atlas", "region", name, wanted["acronym"], "--json"))
    assert (about["id"], about["name"]) == (wanted["id"], wanted["name"])
    x, y, z = about["place x,y,z"]
    (place,) = json.loads(pulvinar("atlas", "at", name, f"{x},{y},{z}", "--json"))
    assert (place["distance_um"], wanted["name"] in place["region"]) == (0, True)
    (left,) = json.loads(pulvinar("atlas", "at", name, "-50,0,0", "--json"))
    assert left["distance_um"] >= 50
    with pytest.raises(NotFound):
        pulvinar("atlas", "region", name, "no such region")
    with pytest.raises(Invalid, match="is no place"):
        pulvinar("atlas", "at", name, "1,2")


def test_a_region_is_written_as_a_mask_and_as_a_surface(pulvinar, installed, tmp_path):
    name, region = installed[0]["name"], str(fish.STRUCTURES[-1]["id"])
    assert "voxels of level 0" in pulvinar("atlas", "mask", name, region, tmp_path / "mask.nii.gz")
    image = nibabel.load(tmp_path / "mask.nii.gz")
    volume_mm3 = np.asarray(image.dataobj).sum() * np.prod(image.header.get_zooms())
    told = json.loads(pulvinar("atlas", "region", name, region, "--json"))
    assert volume_mm3 == pytest.approx(told["volume mm3"], rel=1e-5)
    said = pulvinar("atlas", "mesh", name, region, tmp_path / "region.stl", "--level", "0")
    assert "triangles; space" in said
    mesh = trimesh.load(tmp_path / "region.stl")
    x, y, z = told["place x,y,z"]
    assert mesh.is_watertight
    assert ((mesh.bounds[0] <= [x, y, z]) & (mesh.bounds[1] >= [x, y, z])).all()
    with pytest.raises(Invalid, match="no name of a surface"):
        pulvinar("atlas", "mesh", name, region, tmp_path / "region.blend")
    with pytest.raises(Invalid, match="no name of a mask"):
        pulvinar("atlas", "mask", name, region, tmp_path / "region.png")


def test_places_are_mirrored_and_the_regions_below_one_listed(pulvinar, installed):
    name = installed[0]["name"]
    about = json.loads(pulvinar("atlas", "regions", name, "--json"))
    (once,) = json.loads(pulvinar("atlas", "mirror", name, "1,2,3", "--json"))
    there = ",".join(map(str, once["mirrored"]))
    (back,) = json.loads(pulvinar("atlas", "mirror", name, there, "--json"))
    assert (once["mirrored"] == [1, 2, 3], back["mirrored"]) == (False, [1, 2, 3])
    assert there.split(",")[0] in pulvinar("atlas", "mirror", name, "1,2,3")
    root = next(one for one in about if not one["parent"])
    below = json.loads(pulvinar("atlas", "regions", name, "--below", str(root["id"]), "--json"))
    assert below == [one for one in about if one["id"] != root["id"]]


def test_checks_are_told_one_by_one_and_one_that_fails_fails_the_command(pulvinar, installed):
    # the made-up fish has a template that rises from corner to corner, and no tissue
    done = CliRunner().invoke(app, ["atlas", "check", installed[0]["name"], "--json"])
    assert isinstance(done.exception, Invalid)
    assert done.exception.message == "1 checks failed"
    (told,) = json.loads(done.stdout).values()
    assert {one["name"]: one["passed"] for one in told if one["passed"] is not True} == {
        "template and annotation overlap": False,
        "left is left": None,
    }
    assert "every region with voxels has a surface" in {one["name"] for one in told}


def test_an_atlas_whose_files_are_not_given_says_where_they_are(pulvinar):
    known = json.loads(pulvinar("atlas", "list", "--known", "--json"))
    assert {"allen_mouse_25um", "inia19_macaque"} <= {one["name"] for one in known}
    assert all(one["licence"] and one["from"] for one in known)
    with pytest.raises(NotFound) as told:
        pulvinar("atlas", "install", "allen_mouse_25um")
    assert "ABA_25um_2017_annotation.tif.lzma" in told.value.hint


def test_terms_that_bind_are_printed(pulvinar, sample):
    folder = sample("zebrafish/zbrain_lightsheet/ZBrains")
    assert "its terms: Z-Brain: terms of Harvard University" in pulvinar(
        "atlas", "install", "zbrain_zebrafish", "--from", folder
    )


def test_a_new_version_renews_the_anchors_of_what_lies_in_the_atlas(pulvinar, installed, tmp_path):
    told, folder = installed
    cells = tmp_path / "cells.csv"
    cells.write_text("x,y,z\n20,20,20\n24,22,20\n")
    space = next(one for one in pulvinar("show", told["dataset"]).split() if one.startswith("brainglobe_"))
    said = ["--unit", "um", "--space", space, "--species", "zebrafish", "--title", "Cells"]
    ingested = json.loads(pulvinar("ingest", cells, *said, "--licence", "CC0-1.0", "--publish", "--json"))

    def newer(version, *options):
        metadata = json.loads((folder / "metadata.json").read_text()) | {"version": version}
        (folder / "metadata.json").write_text(json.dumps(metadata))
        return pulvinar("atlas", "install", "brainglobe", "--from", folder, *options)

    def anchor():
        with open_platform(load_settings()) as platform:
            (asset,) = get_version(platform.database, platform.actor, ingested["dataset_id"]).assets
            ((only,),) = anchors_of(platform.database, platform.actor, [asset.id]).values()
        return only.atlas_version, only.stale

    assert anchor() == ("1.0", False)
    newer("1.1")
    assert anchor() == ("1.1", False)
    kept = newer("1.2", "--keep-anchors")
    assert anchor() == ("1.1", True)
    command = f"pulvinar anchor --atlas {told['name']} --stale"
    assert command in kept
    assert json.loads(pulvinar("atlas", "list", "--json"))[0]["stale anchors"] == 1
    pulvinar(*command.split()[1:])
    assert anchor() == ("1.2", False)
