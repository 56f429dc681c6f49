"""Metadata on the command line: a template is filled in, checked, brought in, described anew and written for others."""

import json

import nibabel
import numpy as np
import pytest
from typer.testing import CliRunner

from pulvinar.catalogue.metadata_formats import FORMATS, FormatName, read_document
from pulvinar.cli.app import app
from pulvinar.cli.errors import exit_code
from pulvinar.cli.metadata_app import VocabularyChoice
from pulvinar.cli.options import FormatChoice
from pulvinar.errors import Conflict, Invalid, NotFound
from pulvinar.model.terms import Vocabulary


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def brain(samples, tmp_path_factory):
    """A corner of a real macaque's labels."""
    source = nibabel.load(samples / "macaque" / "inia19" / "inia19-NeuroMaps.nii.gz")
    path = tmp_path_factory.mktemp("brain") / "regions.nii.gz"
    nibabel.save(source.slicer[60:100, 80:130, 40:80], path)
    return path


@pytest.fixture
def pulvinar(home, monkeypatch):
    """Runs a command; gives what it printed, and raises what ends it."""
    monkeypatch.setenv("PULVINAR_HOME", str(home))

    def run(*words):
        done = CliRunner().invoke(app, [str(word) for word in words])
        run.printed, run.noted = done.stdout, done.stderr
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == 0, done.output
        return done.stdout

    return run


def test_the_choices_are_those_of_the_rooms_below():
    assert [one.value for one in FormatChoice] == [one.value for one in FormatName]
    assert [one.value for one in VocabularyChoice] == [one.value for one in Vocabulary]


def test_the_way_of_a_record(pulvinar, brain, tmp_path):
    file = tmp_path / "record.yaml"
    assert str(file) in pulvinar("template", "T1加权", "--to", file)
    with pytest.raises(Conflict):
        pulvinar("template", "T1w", "--to", file)

    with pytest.raises(Invalid, match="D1, D2, D3") as refused:
        pulvinar("check", brain, "--record", file)
    assert exit_code(refused.value) == 2
    assert "remedy: Give --licence" in pulvinar.printed
    assert "does not conform" in pulvinar.printed
    assert "flags are those of pulvinar ingest" in pulvinar.printed

    text = file.read_text("utf-8")
    for name, value in {"title": "Macaque 猕猴", "species": "猕猴", "licence": "CC BY 4.0", "lab": "A lab"}.items():
        text = text.replace(f"\n{name}:", f"\n{name}: {value}")
    file.write_text(text.replace("  - name:", "  - name: Ada Lovelace"), "utf-8")
    assert "it conforms" in pulvinar("check", brain, "--record", file)
    with pytest.raises(Invalid, match="D5"):
        pulvinar("check", brain, "--record", file, "--strict")

    made = json.loads(pulvinar("ingest", brain, "--record", file, "--kind", "labels", "--lab", "Another", "--json"))
    dataset, record = made["dataset_id"], made["record"]
    assert (record["title"], record["species"], record["licence"]) == ("Macaque 猕猴", "macaque", "CC-BY-4.0")
    assert (record["lab"], record["acquisition"]["modality"]) == ("Another", "T1w")
    assert record["acquisition"]["voxel_size_um"] == pytest.approx([500.0] * 3)
    assert dataset in pulvinar("list", "T1加权")
    assert dataset in pulvinar("list", "T1-weighted")

    assert f"pulvinar describe {dataset} --record FILE" in pulvinar("check", dataset)
    found = json.loads(pulvinar("check", dataset, "--json"))
    assert found["conforms"]
    assert {"D5", "D9"} <= {rule["id"] for rule in found["rules"] if not rule["met"]}

    for name in FormatName:
        printed = pulvinar("show", dataset, "--as", name.value)
        document = printed if name is FormatName.OME else json.loads(printed)
        if FORMATS[name].keeps:
            read, said = read_document(document)
            assert read is name
            assert said["species"] == "macaque"

    more = tmp_path / "more.toml"
    more.write_text('description = "Regions of a macaque"\n[acquisition]\nmodality = "magic lantern"\n', "utf-8")
    after = json.loads(pulvinar("describe", dataset, "--record", more, "--json"))
    assert "magic lantern" in pulvinar.noted
    assert (after["record"]["title"], after["record"]["description"]) == ("Macaque 猕猴", "Regions of a macaque")
    assert after["digest"] != made["digest"]
    more.write_text("species: human", "utf-8")
    with pytest.raises(Conflict, match="macaque"):
        pulvinar("describe", dataset, "--record", more)
    with pytest.raises(Conflict, match="has a record"):
        pulvinar("ingest", brain, "--dataset", dataset, "--record", file, "--name", "b")

    pulvinar("publish", dataset)
    anew = tmp_path / "anew.yaml"
    anew.write_text("ethics: Committee 7", "utf-8")
    second = json.loads(pulvinar("describe", dataset, "--record", anew, "--json"))
    assert (second["number"], second["state"], second["record"]["ethics"]) == (2, "draft", "Committee 7")
    first = json.loads(pulvinar("show", dataset, "--version", "1", "--json"))
    assert (first["record"]["ethics"], first["digest"]) == ("", after["digest"])
    assert "0 damages" in pulvinar("verify", dataset)


def test_an_unknown_term_is_noted_at_ingest(pulvinar, tmp_path):
    path = tmp_path / "a.nii"
    nibabel.save(nibabel.Nifti1Image(np.arange(64, dtype=np.int16).reshape(4, 4, 4), np.eye(4)), path)
    pulvinar(
        "ingest", path, "--title", "t", "--species", "mouse", "--licence", "CC-BY-4", "--modality", "ligth sheet",
        "--stain", "GFP, DAPI",
    )  # fmt: skip
    assert "the nearest is light-sheet (Light-sheet microscopy, 光片显微成像)" in pulvinar.noted
    assert "the nearest is CC-BY-4.0" in pulvinar.noted


def test_what_is_neither_a_file_nor_a_dataset_is_said_to_be_neither(pulvinar):
    with pytest.raises(NotFound, match="neither"):
        pulvinar("check", "no/such/path.tif")
    with pytest.raises(NotFound):
        pulvinar("check", "local-01arz3ndektsv4rrffq69g5fav")


def test_terms_are_listed_and_searched(pulvinar):
    assert "光片显微成像" in pulvinar("terms", "lightsheet")
    assert "CC-BY-4.0" in pulvinar("terms", "--vocabulary", "licence")
    assert "no term" in pulvinar("terms", "phlogiston")
    (term,) = json.loads(pulvinar("terms", "光片", "--json"))
    assert term["key"] == "light-sheet"
    with pytest.raises(Invalid, match="nearest"):
        pulvinar("template", "ligthsheet")
