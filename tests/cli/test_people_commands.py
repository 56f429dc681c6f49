"""The commands for people's data, as a person types them."""

import json

import pytest
from tests.ingest.people import planted
from typer.testing import CliRunner

from pulvinar.cli.app import app
from pulvinar.cli.options import BasisChoice
from pulvinar.cli.people_app import FaceChoice
from pulvinar.errors import Conflict, Invalid, NotFound
from pulvinar.model.quarantine import Basis, Face

ANSWERS = ("--title", "a head", "--species", "human", "--licence", "CC0-1.0", "--subject", "sub-01")


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("PULVINAR_HOME", str(tmp_path / "home"))

    def run(*words, fails=None):
        done = CliRunner().invoke(app, [str(word) for word in words])
        if fails is not None:
            assert isinstance(done.exception, fails), done.output
            return done.exception
        assert done.exception is None, done.exception
        return done.stdout

    return run


def test_a_head_from_the_files_to_being_erased(run, tmp_path):
    path = planted.nifti(tmp_path / "in" / "T1w.nii.gz")
    made = json.loads(run("ingest", path, *ANSWERS, "--json"))
    dataset = made["dataset"] if "dataset" in made else made["dataset_id"]
    (state,) = json.loads(run("quarantine", dataset, "--json"))
    assert state["held"]
    assert state["face"] == "unknown"
    run("publish", dataset, fails=Conflict)
    run("quarantine", dataset, "--release", state["asset_id"], "--face", "kept", fails=Invalid)
    assert "may leave" in run("quarantine", dataset, "--release", state["asset_id"], "--face", "absent")
    run("publish", dataset)
    assert state["asset_id"] in run("erase", "sub-01", "--dry")
    run("erase", "sub-01", fails=Invalid)
    told = run("erase", "sub-01", "--reason", "a letter of 1 March")
    assert "CERTIFICATE OF ERASURE" in told
    assert "删除证明" in told
    assert state["asset_id"] in told
    run("erase", "sub-01", "--reason", "again", fails=NotFound)
    assert "0 erasures" in run("erase", "--restored", tmp_path / "home" / "erasures")
    assert "0 erasures finished" in run("erase")


def test_a_stated_basis_lets_a_head_leave_unless_the_files_name_somebody(run, tmp_path):
    import nibabel
    import numpy as np

    nibabel.save(nibabel.Nifti1Image(np.ones((20, 20, 20), np.int16), np.diag([8, 8, 8, 1])), tmp_path / "mean.nii.gz")
    run("ingest", tmp_path / "mean.nii.gz", *ANSWERS, "--basis", "template", "--publish")
    path = planted.nifti(tmp_path / "in" / "T1w.nii.gz")
    run("ingest", path.parent, *ANSWERS, "--basis", "already-anonymous", "--publish", fails=Conflict)


def test_copies_are_made_and_told_of(run, tmp_path):
    planted.dicom_series(tmp_path / "in")
    told = json.loads(run("deidentify", tmp_path / "in", tmp_path / "out", "--json"))
    assert told["files"] == 6
    assert (tmp_path / "out" / told["subjects"][0]).is_dir()
    run("deidentify", tmp_path / "in", tmp_path / "out", fails=Conflict)


def test_the_choices_are_those_of_the_model():
    assert [one.value for one in BasisChoice] == [one.value for one in Basis]
    assert {one.value for one in FaceChoice} == {one.value for one in Face} - {"unknown"}
