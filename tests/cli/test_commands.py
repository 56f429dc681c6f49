"""A small brain's way through the commands, as a person types them: what they print, and how they end."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import nibabel
import numpy as np
import pytest
from typer.testing import CliRunner

from pulvinar.cli.app import app
from pulvinar.cli.errors import exit_code
from pulvinar.errors import Conflict, Corrupt, Invalid, MetadataMissing, NotFound, UnreadableFile

SAID = ["--title", "Macaque head", "--species", "macaque", "--licence", "CC-BY-4.0"]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def brain(samples, tmp_path_factory):
    """A corner of a real macaque's labels."""
    source = nibabel.load(samples / "macaque" / "inia19" / "inia19-NeuroMaps.nii.gz")
    corner = source.slicer[60:100, 80:130, 40:80]
    path = tmp_path_factory.mktemp("brain") / "regions.nii.gz"
    nibabel.save(corner, path)
    return path


@pytest.fixture
def pulvinar(home, monkeypatch):
    """Runs a command; gives what it printed, and raises what ends it."""
    monkeypatch.setenv("PULVINAR_HOME", str(home))

    def run(*words):
        done = CliRunner().invoke(app, [str(word) for word in words])
        run.printed = done.stdout
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == 0, done.output
        return done.stdout

    return run


def test_the_way_of_a_brain(pulvinar, home, brain):
    said = pulvinar("inspect", brain)
    assert "regions  [volume, read by nifti" in said
    assert "shape t=1  c=1  z=40  y=50  x=40" in said
    assert json.loads(pulvinar("inspect", brain, "--json"))["assets"][0]["volume"]["shape"] == [1, 1, 40, 50, 40]

    with pytest.raises(MetadataMissing) as missing:
        pulvinar("ingest", brain, "--kind", "labels")
    assert all(flag in missing.value.hint for flag in ("--title", "--species", "--licence"))
    made = json.loads(pulvinar("ingest", brain, "--kind", "labels", *SAID, "--json"))
    dataset = made["dataset_id"]
    assert (made["state"], made["number"], made["before"]) == ("draft", 1, False)
    assert "brought in before" in pulvinar("ingest", brain, "--kind", "labels", *SAID)

    assert dataset in pulvinar("list")
    assert dataset in pulvinar("list", "macaque", "--species", "macaque")
    assert pulvinar("list", "unicorn") == ""
    shown = json.loads(pulvinar("show", dataset, "--manifest"))
    assert shown["digest"] == made["digest"]
    assert "Macaque head" in pulvinar("show", dataset)
    assert "0 damages" in pulvinar("verify", dataset)

    (asset,) = shown["assets"]
    stored = home / "store" / "assets" / asset["id"] / asset["objects"][0]["path"]
    whole = stored.read_bytes()
    stored.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(Corrupt, match=f"damages in dataset {dataset}") as damaged:
        pulvinar("verify", dataset)
    assert exit_code(damaged.value) == 6
    assert f"damaged: assets/{asset['id']}/{asset['objects'][0]['path']}: " in pulvinar.printed
    stored.unlink()
    with pytest.raises(Corrupt, match=f"{asset['objects'][0]['path']} is missing"):
        pulvinar("publish", dataset)
    stored.write_bytes(whole)
    assert "1 (published)" in pulvinar("publish", dataset)
    with pytest.raises(NotFound, match="no draft"):
        pulvinar("publish", dataset)
    assert pulvinar("sweep", "--grace-hours", "0").startswith("0 objects (0 B) removed")
    assert "0 damages" in pulvinar("verify", "--all")


def test_a_wrong_asset_is_taken_out_and_swept(pulvinar, home, brain):
    first = json.loads(pulvinar("ingest", brain, "--kind", "labels", *SAID, "--again", "--json"))
    dataset = first["dataset_id"]
    with pytest.raises(Conflict) as taken:
        pulvinar("ingest", brain, "--kind", "image", "--dataset", dataset)
    assert f"pulvinar remove {dataset} regions" in taken.value.hint
    pulvinar("ingest", brain, "--kind", "image", "--dataset", dataset, "--name", "wrong")
    with pytest.raises(NotFound, match="no asset 'heart'"):
        pulvinar("remove", dataset, "heart")
    left = json.loads(pulvinar("remove", dataset, "wrong", "--json"))
    assert [asset["name"] for asset in left["assets"]] == ["regions"]
    assert left["digest"] == first["digest"]
    swept = json.loads(pulvinar("sweep", "--grace-hours", "0", "--json"))
    (gone,) = {key.split("/")[1] for key in swept["removed"]}
    assert not (home / "store" / "assets" / gone).exists()
    assert json.loads(pulvinar("sweep", "--grace-hours", "0", "--json"))["removed"] == []
    assert "0 damages" in pulvinar("verify", "--all")


def test_a_matrix_is_asked_for_and_answered(pulvinar, tmp_path):
    np.save(tmp_path / "thing.npy", np.arange(60.0).reshape(20, 3))
    with pytest.raises(MetadataMissing, match="--table-kind"):
        pulvinar("ingest", tmp_path, *SAID)
    said = ["--table-kind", "time_series", "--axes", "tc", "--time-step", "0.5"]
    (asset,) = json.loads(pulvinar("ingest", tmp_path, *SAID, *said, "--json"))["assets"]
    assert asset["kind"] == "time_series"


@pytest.mark.parametrize(
    ("words", "kind", "said"),
    [
        (["inspect", "/no/such/file"], NotFound, "/no/such/file"),
        (["ingest", "/no/such/file", *SAID], NotFound, "/no/such/file"),
        (["inspect", "{empty}", "--time-step", "0"], Invalid, "--time-step 0"),
        (["ingest", "{empty}", *SAID], UnreadableFile, "there is no file in"),
        (["ingest", "{empty}", *SAID, "--color", "zz"], Invalid, "--color 'zz'"),
        (["ingest", "{empty}", *SAID, "--orientation", "XYZ"], Invalid, "--orientation"),
        (["ingest", "{empty}", *SAID, "--voxel-size", "big"], Invalid, "--voxel-size: 'big'"),
        (["show", "local-01hzzzzzzzzzzzzzzzzzzzzzzz"], NotFound, "no dataset"),
        (["publish", "local-01hzzzzzzzzzzzzzzzzzzzzzzz"], NotFound, "no dataset"),
        (["verify", "local-01hzzzzzzzzzzzzzzzzzzzzzzz"], NotFound, "no dataset"),
        (["remove", "local-01hzzzzzzzzzzzzzzzzzzzzzzz", "a"], NotFound, "no dataset"),
        (["list", "--species", "unicorn"], Invalid, "unicorn"),
    ],
)
def test_what_can_not_be_done_is_said(pulvinar, tmp_path, words, kind, said):
    with pytest.raises(kind, match=said):
        pulvinar(*(word.format(empty=tmp_path) for word in words))


@pytest.mark.parametrize("setting", ["HOME", "SCRATCH"])
@pytest.mark.parametrize("command", ["list", "inspect"])
def test_a_folder_that_can_not_be_is_said_with_its_setting(pulvinar, monkeypatch, tmp_path, setting, command):
    monkeypatch.setenv(f"PULVINAR_{setting}", "/proc/nothing")
    with pytest.raises(Invalid, match=f"PULVINAR_{'SCRATCH' if command == 'inspect' else setting}") as caught:
        pulvinar(command, *([tmp_path] if command == "inspect" else []))
    assert exit_code(caught.value) == 2


def test_a_damaged_file_ends_an_inspection_with_a_code(home, tmp_path):
    (tmp_path / "good.csv").write_text("x,y,z\n1,2,3\n4,5,6\n")
    (tmp_path / "bad.csv").write_text("x,y,z\n1,2,3\n4,5\n")
    with command(home, "inspect", tmp_path) as process:
        out, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "good  [points" in out
    assert "unreadable: bad.csv, row 3" in out
    assert "1 file of" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_who_ends_an_ingest_hears_that_it_can_go_on(home, tmp_path, number, code):
    voxels = np.random.default_rng(0).integers(0, 255, (500, 500, 500), dtype=np.uint8)
    nibabel.save(nibabel.Nifti1Image(voxels, np.diag([0.02, 0.02, 0.02, 1])), tmp_path / "brain.nii")
    with command(home, "ingest", tmp_path / "brain.nii", *SAID) as process:
        deadline = time.monotonic() + 60
        while not list((home / "store" / ".partial").glob("*")):
            assert time.monotonic() < deadline
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.02)
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert err.splitlines()[-1] == "pulvinar: interrupted; the same command goes on from what is finished"
    assert "Traceback" not in err
    assert list((home / "scratch").iterdir()) == list((home / "store" / ".partial").iterdir()) == []


def command(home: Path, *words):
    return subprocess.Popen(
        [sys.executable, "-c", "from pulvinar.cli import main; main()", *map(str, words)],
        env={**os.environ, "PULVINAR_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_volume_of_others_is_indexed_verified_and_named(pulvinar, tmp_path, monkeypatch):
    import zarr
    from numpy.random import default_rng

    from pulvinar.errors import Forbidden

    voxels = default_rng(0).integers(0, 999, (20, 30, 40)).astype("u2")
    zarr.create_array(tmp_path / "theirs", data=voxels, chunks=(10, 10, 10), dimension_names=("z", "y", "x"))
    words = ["index", tmp_path / "theirs", "--owner", "Another institute", "--voxel-size", "0.5mm", *SAID]
    with pytest.raises(Forbidden, match="is not among the external sources"):
        pulvinar(*words)
    monkeypatch.setenv("PULVINAR_EXTERNAL_SOURCES", tmp_path.as_uri())
    said = pulvinar(*words, "--publish")
    assert f"external, owned by Another institute: {(tmp_path / 'theirs').as_uri()}" in said
    dataset = re.search(r"dataset +(\S+)", said)[1]
    assert json.loads(pulvinar("show", dataset, "--json"))["assets"][0]["location"]["ownership"] == "external"
    pulvinar("verify", dataset)
    (tmp_path / "theirs" / "c" / "1" / "2" / "3").unlink()
    with pytest.raises(Corrupt):
        pulvinar("verify", dataset)
    assert "theirs/c/1/2/3 is gone" in pulvinar.printed.replace(": ", " ")
