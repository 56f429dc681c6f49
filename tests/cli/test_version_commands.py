"""The commands about versions, and about keys in backups, as a person types them."""

import json

import pytest
from tests.catalogue.datacite_server import PASSWORD, PREFIX, USER, datacite_server
from typer.testing import CliRunner

from pulvinar.access.sealing import open_sealer
from pulvinar.cli.app import app
from pulvinar.errors import Conflict, Invalid, Unavailable

ANSWERS = ("--species", "mouse", "--licence", "CC0-1.0")


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


@pytest.fixture
def dataset(run, tmp_path):
    """A published dataset of one table."""
    (tmp_path / "cells.csv").write_text("region,count\nVISp,12\nMOp,7\n")
    made = json.loads(run("ingest", tmp_path / "cells.csv", *ANSWERS, "--title", "Cells", "--publish", "--json"))
    return made["dataset"] if "dataset" in made else made["dataset_id"]


def test_versions_are_compared_and_withdrawn(run, dataset, tmp_path):
    (tmp_path / "more.csv").write_text("region,count\nAUDp,3\n")
    run("ingest", tmp_path / "more.csv", "--dataset", dataset, "--publish")
    told = json.loads(run("compare", dataset, 1, 2, "--json"))
    assert ("more", "added") in [(one["name"].removesuffix(".csv"), one["change"]) for one in told["assets"]]
    assert told["unchanged_assets"] == 1
    assert told["file_counts"]["added"] == len(told["files"]) > 0
    assert "1 assets are the same" in run("compare", dataset, 1, 2)
    run("withdraw", dataset, 1, "--reason", " ", fails=Invalid)
    said = run("withdraw", dataset, 1, "--reason", "counted twice", "--replaced-by", "2")
    assert f"version 1 of {dataset} is withdrawn" in said
    run("withdraw", dataset, 1, "--reason", "again and again", fails=Conflict)


def test_dois_are_registered_by_the_account_of_the_settings(run, dataset, tmp_path, monkeypatch):
    run("register", fails=Invalid)
    (tmp_path / "password").write_text(PASSWORD + "\n")
    with datacite_server() as server:
        for name, value in {"USER": USER, "PREFIX": PREFIX, "URL": server.url}.items():
            monkeypatch.setenv(f"PULVINAR_DATACITE_{name}", value)
        assert "needs a password" in run("register", fails=Invalid).message
        monkeypatch.setenv("PULVINAR_DATACITE_PASSWORD_FILE", str(tmp_path / "password"))
        # what was published before there was an account is registered when that is asked for
        assert "--earlier registers them" in run("register")
        (done,) = json.loads(run("register", "--earlier", "--json"))
        assert server.dois[done["doi"]]["state"] == "findable"
        assert json.loads(run("register", "--json")) == []
        (tmp_path / "b.csv").write_text("region,count\nAUDp,3\n")
        run("ingest", tmp_path / "b.csv", *ANSWERS, "--title", "Another", "--publish")
        server.failing = 1
        assert "1 DOIs" in run("register", fails=Unavailable).message


def test_the_key_goes_along_and_comes_back(run, dataset, tmp_path, monkeypatch):
    phrase, shelf = tmp_path / "phrase", tmp_path / "shelf"
    phrase.write_text("twelve brains on a shelf\n")
    sealed = open_sealer(tmp_path / "home" / "secret.key").seal("a factor")
    run("backup", shelf, "--passphrase-file", phrase)
    monkeypatch.setenv("PULVINAR_HOME", str(tmp_path / "without"))
    assert "restore with --passphrase-file" in run("restore", shelf)
    monkeypatch.setenv("PULVINAR_HOME", str(tmp_path / "with"))
    assert "there is no key" not in run("restore", shelf, "--passphrase-file", phrase)
    assert open_sealer(tmp_path / "with" / "secret.key").open(sealed) == "a factor"
