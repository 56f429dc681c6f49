"""The search from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.catalogue.archive import Archive, record
from typer.testing import CliRunner

from pulvinar.catalogue.result_manifest import ManifestFormat
from pulvinar.cli.app import app
from pulvinar.cli.options import ManifestChoice
from pulvinar.errors import Invalid
from pulvinar.model.dataset import AssetKind
from pulvinar.platform import open_platform


def run(*words: str) -> str:
    done = CliRunner().invoke(app, list(words))
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULVINAR_HOME", str(tmp_path))
    with open_platform() as platform:
        archive = Archive(platform.database)
        archive.add("neuron 17", record("海马神经元"), kind=AssetKind.SKELETON)
        archive.add("a whole brain", record("Mouse"))


def test_a_search_prints_what_it_finds_and_why(home: None) -> None:
    said = run("search", "海马 kind:skeleton")
    assert "neuron 17" in said
    assert "title: 海马神经元" in said
    assert "a whole brain" not in said
    told = json.loads(run("search", "brain -neuron", "--json"))
    assert [one["name"] for one in told] == ["a whole brain"]
    assert "and more" in run("search", "", "--limit", "1")
    assert run("search", "nothing-like-it") == ""


def test_a_question_that_is_not_understood_is_shown_with_a_caret(home: None) -> None:
    with pytest.raises(Invalid) as told:
        run("search", "海马 specis:mouse")
    assert told.value.message.splitlines()[1:] == ["海马 specis:mouse", "     ^"]
    assert "species:" in told.value.hint


def test_files_are_listed_for_other_programs(home: None) -> None:
    lines = run("search", "neuron", "--manifest", "urls").splitlines()
    assert len(lines) == 2
    assert all(line.startswith("http://127.0.0.1:") for line in lines)
    assert json.loads(run("search", "neuron", "--manifest", "jsonl").splitlines()[0])["asset_name"] == "neuron 17"
    assert [one.value for one in ManifestChoice] == [one.value for one in ManifestFormat]


def test_the_search_is_made_anew(home: None) -> None:
    assert "2 datasets" in run("reindex")
    assert json.loads(run("reindex", "--json")) == {"datasets": 2}
    assert "neuron 17" in run("search", "neuron")
