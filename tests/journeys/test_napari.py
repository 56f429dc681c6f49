"""From napari, by its plugin: a person browses the server, opens a macaque with its regions, and neurons."""

import json
import os
import subprocess
from pathlib import Path

import nibabel
import numpy as np
import pytest
from tests.journeys.conftest import Maker, Site, make_site, serving

import pulvinar
from pulvinar.platform import open_platform
from pulvinar.settings import load_settings

ROOT = Path(__file__).parents[2]
PYTHON = Path(os.environ.get("PULVINAR_TEST_CLIENTS", ROOT / ".venv-clients")) / "bin" / "python"


@pytest.fixture(scope="module")
def site(tmp_path_factory, sample):
    """A server of its own: the marks that napari sends would lie on what other journeys look at."""
    with open_platform(load_settings(environment={}, home=tmp_path_factory.mktemp("napari-site"))) as platform:
        shown = make_site(Maker(platform), sample)
        with serving(platform) as address:
            yield Site(address, *shown)


@pytest.fixture(scope="module")
def opened(site, tmp_path_factory):
    """What napari shows at the end."""
    assert PYTHON.exists(), f"{PYTHON} is not there: run make .stamps/clients"
    sources = f"{ROOT / 'src'}{os.pathsep}{ROOT / 'plugins' / 'napari' / 'src'}"
    home = str(tmp_path_factory.mktemp("napari"))
    environment = {**os.environ, "PYTHONPATH": sources, "QT_QPA_PLATFORM": "offscreen", "HOME": home}
    command = [PYTHON, Path(__file__).with_name("person_in_napari.py")]
    command += [site.address, site.macaque.dataset_id, site.neurons.dataset_id]
    told = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=280)
    assert told.returncode == 0, told.stderr[-3000:]
    return json.loads(told.stdout.splitlines()[-1])


def test_the_browser_lists_finds_and_says_what_is_wrong(opened):
    assert len(opened["titles"]) >= 3
    assert any("INIA19" in title for title in opened["titles"])
    assert "region" in opened["wrong"]


def test_a_brain_and_its_regions_are_where_they_lie(opened, sample):
    template, labels = opened["layers"][:2]
    image = nibabel.load(sample("macaque/inia19/inia19-t1-brain.nii.gz"))
    voxels = np.squeeze(np.asarray(image.dataobj)).T.astype("uint16")
    assert (template["type"], labels["type"]) == ("Image", "Labels")
    assert template["levels"] > 1
    assert template["shape"] == list(voxels.shape)
    assert template["middle"] == int(voxels[voxels.shape[0] // 2].sum())
    corners = np.array([[x, y, z, 1] for x in (0, 1) for y in (0, 1) for z in (0, 1)]) * [
        *(size - 1 for size in voxels.shape[::-1]),
        1,
    ]
    world = (corners @ image.affine.T)[:, 2::-1] * 1000
    assert np.allclose([template["low"], template["high"]], [world.min(0), world.max(0)], atol=1.0)
    named = sample("macaque/inia19/inia19-NeuroMaps.txt").read_text().splitlines()
    number, name = next(line for line in named if line[:1].isdigit()).split()[:2]
    assert labels["regions"][number] == name


def test_neurons_are_lines_in_micrometres(opened):
    neurons = opened["layers"][2:]
    assert [layer["type"] for layer in neurons] == ["Vectors"] * 5
    assert all(layer["shape"][1:] == [2, 3] for layer in neurons)
    extent = np.ptp([layer["high"] for layer in neurons] + [layer["low"] for layer in neurons], axis=0)
    assert 1_000 < extent.max() < 20_000


def test_what_is_drawn_goes_back_as_marks_and_takes_its_own_place_when_sent_again(opened, site):
    told = opened["marks"]
    first, second = told["documents"]
    assert len(first) == 2
    assert second == first
    brains = pulvinar.connect(site.address, "")
    held = {}
    for name in first:
        document = brains.document(name)
        assert document.told["dataset"] == site.macaque.dataset_id
        held[document.title] = sorted(document.marks().values(), key=lambda mark: mark["places_um"])
    places = [mark["places_um"][0] for mark in held["cells"]]
    assert np.allclose(sorted(places), sorted([told["moved"], told["first"][1]]))
    assert {mark["kind"] for mark in held["cells"]} == {"point"}
    (path,) = held["a path"]
    assert path["kind"] == "polyline"
    assert path["places_um"] == [[0.0, 0.0, 0.0], [100.0, 0.0, 0.0], [100.0, 50.0, 0.0]]
    assert "Choose layers" in told["refused"]
