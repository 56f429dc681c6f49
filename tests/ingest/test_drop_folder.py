"""What an instrument leaves in a watched folder is brought in once it is whole, and never twice."""

import hashlib
import shutil

import numpy as np
import pytest
import tifffile

from pulvinar.ingest.drop_folder import DropFolder, folder_state, problems_of_manifest
from pulvinar.ingest.reader import Options
from pulvinar.ingest.record import RecordAnswers
from pulvinar.ingest.request import Means, Originals, Request
from pulvinar.ingest.sandbox import Limits
from pulvinar.platform import open_platform
from pulvinar.settings import load_settings

LIMITS = Limits(memory_bytes=4 << 30, cpu_s=600, budget_bytes=10**10)


@pytest.fixture
def means(tmp_path):
    with open_platform(load_settings(environment={}, home=tmp_path / "home")) as platform:
        yield Means(platform.database, platform.store, platform.settings.resolved_scratch(), LIMITS)


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "landing"
    made.mkdir()
    return made


def watched(means, folder, quiet_s=0.0, **answers) -> DropFolder:
    said = RecordAnswers(**{"title": "scan", "species": "mouse", "licence": "CC0-1.0", **answers})
    options = Options(voxel_size_um=(5.0, 2.0, 2.0), axes="zyx")
    request = Request(path=folder, options=options, answers=said, originals=Originals.DISCARD)
    return DropFolder(means, folder, request, quiet_s=quiet_s)


def scan(folder, name="scan01", seed=0):
    made = folder / name
    made.mkdir()
    tifffile.imwrite(made / "scan.tif", np.random.default_rng(seed).integers(0, 99, (8, 20, 24)).astype(np.uint16))
    return made


def test_what_is_quiet_is_brought_in_once(means, folder):
    scan(folder)
    drop = watched(means, folder, quiet_s=0.0)
    (done,) = drop.look()
    assert done.version.assets[0].name
    assert done.version.dataset_id in (folder / "scan01.done.txt").read_text()
    assert drop.look() == []
    # another process, and the text is lost: the session of the ingest is still known
    (folder / "scan01.done.txt").unlink()
    (again,) = watched(means, folder).look()
    assert again.before
    assert again.version.id == done.version.id


def test_what_still_changes_waits(means, folder):
    made = scan(folder)
    drop = watched(means, folder, quiet_s=1000.0)
    assert drop.look() == []
    before = folder_state(made)
    (made / "more.tif").write_bytes(b"x")
    assert folder_state(made) != before
    assert drop.look() == []


def test_a_manifest_says_when_it_is_whole(means, folder):
    made = scan(folder)
    data = (made / "scan.tif").read_bytes()
    (made / "manifest.sha256").write_text(f"{hashlib.sha256(data).hexdigest()}  ./scan.tif\n")
    (made / "scan.tif").write_bytes(data[:100])
    drop = watched(means, folder, quiet_s=1e9)
    assert drop.look() == []
    assert problems_of_manifest(made) == ["scan.tif is another file"]
    (made / "scan.tif").write_bytes(data)
    assert len(drop.look()) == 1


def test_a_manifest_leads_nowhere_else(folder):
    made = scan(folder)
    (folder / "secret").write_bytes(b"x")
    (made / "SHA256SUMS").write_text(f"{hashlib.sha256(b'x').hexdigest()}  ../secret\n")
    assert problems_of_manifest(made) == ["../secret is not there"]


def test_an_error_lands_beside_it_and_is_tried_again_once_something_has_changed(means, folder):
    made = folder / "broken"
    made.mkdir()
    (made / "scan.tif").write_bytes(b"II*\x00 nothing more")
    scan(folder, "sound")
    told = []
    drop = watched(means, folder)
    # one that fails holds up no other
    assert len(drop.look(say=told.append)) == 1
    text = (folder / "broken.error.txt").read_text()
    assert text.startswith("broken was not brought in.")
    assert "scan.tif" in text
    assert len(told) == 2
    assert drop.look(say=told.append) == []
    assert len(told) == 2
    shutil.copy(folder / "sound" / "scan.tif", made / "scan.tif")
    assert len(drop.look()) == 1
    assert not (folder / "broken.error.txt").exists()


def test_a_record_beside_the_data_says_more(means, folder):
    made = scan(folder)
    (made / "record.yaml").write_text("title: 来自仪器\nspecies: zebrafish\nlicence: CC-BY-4.0\n")
    (done,) = watched(means, folder, title="", species="", licence="").look()
    assert done.version.record.title == "来自仪器"
