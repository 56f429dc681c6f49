"""The log, a backup and its return from the command line."""

import json
import shutil
import sqlite3
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from tests.operations.brains import add_brain
from typer.testing import CliRunner

from pulvinar.cli.app import app
from pulvinar.errors import Conflict, Corrupt, Invalid
from pulvinar.platform import open_platform
from pulvinar.settings import load_settings
from pulvinar.web.app import create_app


def run(*words: object) -> str:
    done = CliRunner().invoke(app, [str(word) for word in words])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PULVINAR_HOME", str(tmp_path / "home"))
    with open_platform() as platform:
        add_brain(platform.database, platform.store, "brain", {"a": b"one", "b": b"two"})
    return tmp_path / "home"


def test_the_log_is_sealed_verified_searched_and_written_out(home: Path, tmp_path: Path):
    assert json.loads(run("audit", "verify", "--json"))["unsealed"] == 4
    assert "1 new seals" in run("audit", "seal")
    shown = run("audit", "verify")
    assert "4 events in 1 seals fit, 0 are not sealed yet" in shown
    kept = shown.split()[-1]
    assert "4 events" in run("audit", "verify", "--expect", kept.upper())
    with pytest.raises(Corrupt, match="no seal has the hash"):
        run("audit", "verify", "--expect", "0" * 64)
    assert "publish" in run("audit", "search", "--verb", "publish")
    assert run("audit", "search", "--actor", "nobody") == ""
    assert run("audit", "search", "--until", "2020-01-01") == ""
    assert len(json.loads(run("audit", "search", "--since", "2020-01-01T10:00", "--json"))) == 4
    assert "and more" in run("audit", "search", "--limit", "1")
    lines = [json.loads(line) for line in run("audit", "export").splitlines()]
    assert [one["verb"] for one in lines] == ["create", "open-draft", "add-asset", "publish"]
    run("audit", "export", "--verb", "publish", "--to", tmp_path / "log.jsonl")
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 1
    with pytest.raises(Conflict):
        run("audit", "export", "--to", tmp_path / "log.jsonl")
    assert run("audit", "reads") == ""


def test_what_was_changed_by_hand_is_named(home: Path):
    run("audit", "seal")
    with sqlite3.connect(home / "catalogue.sqlite") as connection:
        connection.execute("UPDATE event SET actor_id = 'somebody-else' WHERE seq = 3")
    with pytest.raises(Corrupt, match="event 3 was changed"):
        run("audit", "verify")


def test_a_backup_is_made_listed_verified_and_comes_back(home: Path, tmp_path: Path, monkeypatch):
    backup = tmp_path / "backup"
    made = run("backup", backup)
    assert "2 objects (6 B), of which 2 were new" in made
    again = json.loads(run("backup", backup, "--keep", 1, "--json"))
    assert (again["copied"], again["removed_snapshots"], again["removed_objects"]) == (0, 1, 0)
    assert [one["id"] for one in json.loads(run("backup", backup, "--list", "--json"))] == [again["id"]]
    assert again["id"] in run("backup", backup, "--list")
    assert "2 objects (6 B), 0 damages" in run("backup", backup, "--verify")
    with pytest.raises(Conflict):
        run("restore", backup)
    with pytest.raises(Invalid, match="in the store itself"):
        run("backup", home / "store" / "backup")
    monkeypatch.setenv("PULVINAR_HOME", str(tmp_path / "anew"))
    said = run("restore", backup)
    assert "2 objects" in said
    assert "the log fits its seals" in said
    assert "brain" in run("list", "brain")
    assert "4 events" in run("audit", "verify", "--expect", again["seal"])
    kept = next((backup / "objects").glob("*/*"))
    kept.write_bytes(b"0" * len(kept.read_bytes()))
    with pytest.raises(Corrupt, match="1 damages"):
        run("backup", backup, "--verify")


def test_a_damaged_store_is_backed_up_as_far_as_it_goes_and_said(home: Path, tmp_path: Path):
    next(one for one in (home / "store" / "assets").glob("*/*")).write_bytes(b"xxx")
    with pytest.raises(Corrupt, match="1 stored objects could not be copied"):
        run("backup", tmp_path / "backup")
    assert json.loads(run("backup", tmp_path / "backup", "--list", "--json"))[0]["objects"] == 1


def test_a_drill_with_a_real_brain(sample, tmp_path: Path, monkeypatch):
    """Bring in, back up, destroy, restore, serve: the same bytes at the same addresses."""
    home = tmp_path / "home"
    monkeypatch.setenv("PULVINAR_HOME", str(home))
    what = (
        "--title",
        "Macaque",
        "--species",
        "macaque",
        "--licence",
        "CC0-1.0",
        "--kind",
        "labels",
        "--form",
        "sform",
        "--publish",
    )
    made = json.loads(run("ingest", sample("macaque/inia19/inia19-NeuroMaps.nii.gz"), *what, "--json"))
    asset = made["assets"][0]["id"]
    addresses = [
        f"/api/v1/datasets/{made['dataset_id']}",
        f"/data/{made['digest']}/{asset}/chunks/zarr.json",
        *(f"/data/{made['digest']}/{asset}/chunks/{level}/c/0/0/0/0/0" for level in range(2)),
        f"/api/v1/assets/{made['digest']}/{asset}/thumbnail",
    ]
    before = _served(addresses)
    assert all(status in (200, 404) for status, _ in before)
    assert before[0][0] == before[1][0] == 200
    run("backup", tmp_path / "backup")
    assert "0 damages" in run("backup", tmp_path / "backup", "--verify")
    shutil.rmtree(home)
    run("restore", tmp_path / "backup")
    assert _served(addresses) == before
    assert "0 damages" in run("verify", made["dataset_id"])
    assert "0 are not sealed yet" in run("audit", "verify")


def _served(addresses: list[str]) -> list[tuple[int, bytes]]:
    with open_platform(load_settings()) as platform, TestClient(create_app(platform)) as client:
        answers = [client.get(one) for one in addresses]
    return [(one.status_code, one.content) for one in answers]
