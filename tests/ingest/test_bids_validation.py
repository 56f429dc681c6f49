"""The official validator, where it is installed, on trees that are sound, wrong and hostile."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from tests.ingest.readers.bids_tree import small_tree, write_json

from pulvinar.ingest import bids_validation
from pulvinar.ingest.bids_validation import validate, with_validation
from pulvinar.ingest.reader import Options
from pulvinar.ingest.reader_contract import source_files
from pulvinar.ingest.readers.bids import BidsReader


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """On a disk: the program that runs the validator reads nothing below `/dev/shm`, where other tests' files lie."""
    with TemporaryDirectory() as folder:
        yield Path(folder)


def told(tree, scratch):
    scratch.mkdir(exist_ok=True)
    return {finding.message: finding.severity.value for finding in validate(tree, scratch)}


def test_a_sound_tree_has_no_errors(tmp_path):
    small_tree(tmp_path / "tree")
    write_json(tmp_path / "tree" / "sub-01" / "sub-01_task-objects_bold.json", {"EchoTime": 0.04})
    said = told(tmp_path / "tree", tmp_path / "scratch")
    assert said.get("the BIDS validator finds no error") == "note", said
    assert list((tmp_path / "scratch").iterdir()) == []


def test_an_error_is_named_with_its_files(tmp_path):
    small_tree(tmp_path / "tree")
    write_json(tmp_path / "tree" / "task-objects_bold.json", {"RepetitionTime": 2.0, "TaskName": "objects"})
    (tmp_path / "tree" / "sub-01" / "anat" / "brain.txt").write_text("a stranger")
    said = told(tmp_path / "tree", tmp_path / "scratch")
    assert any("REPETITION_TIME_MISMATCH" in message and "_bold.nii.gz" in message for message in said)
    assert any("sub-01/anat/brain.txt" in message for message, severity in said.items() if severity == "doubt")


def test_it_reads_nothing_outside_the_tree(tmp_path):
    small_tree(tmp_path / "tree")
    (tmp_path / "outside.json").write_text('{"TaskName": "secret"}')
    (tmp_path / "tree" / "task-objects_bold.json").unlink()
    (tmp_path / "tree" / "task-objects_bold.json").symlink_to(tmp_path / "outside.json")
    said = told(tmp_path / "tree", tmp_path / "scratch")
    assert "secret" not in str(said)
    assert "the BIDS validator finds no error" not in said


def test_the_first_asset_of_a_dataset_has_what_is_said(tmp_path):
    small_tree(tmp_path / "tree")
    found = list(BidsReader().find(source_files(tmp_path / "tree"), Options()))
    checked = with_validation(found, tmp_path / "tree", tmp_path)
    has = ["BIDS validator" in str(asset.findings) for asset in checked]
    assert has == [True] + [False] * (len(found) - 1)
    assert [asset.key for asset in checked] == [asset.key for asset in found]


def test_without_the_validator_that_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(bids_validation, "_validator", lambda: None)
    (finding,) = validate(tmp_path, tmp_path)
    assert "is not installed" in finding.message


def test_a_validator_that_fails_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(bids_validation, "_validator", lambda: (tmp_path, tmp_path))
    monkeypatch.setattr(bids_validation.sys, "executable", "/bin/false")
    (finding,) = validate(tmp_path, tmp_path)
    assert finding.message == "the BIDS validator gave no answer: it ended with code 1"
