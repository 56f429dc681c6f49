"""Record files in every form, and the slips that people make in them."""

import json
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulvinar.catalogue.metadata_formats import FormatName
from pulvinar.catalogue.record_schema import record_fields
from pulvinar.errors import Invalid, TooLarge, UnreadableFile
from pulvinar.ingest.reader import FoundAsset, Options, VolumeDescription
from pulvinar.ingest.record import (
    RecordAnswers,
    described,
    funding,
    make_record,
    questions,
    record_of,
    related,
    term_notes,
)
from pulvinar.ingest.record_file import MOST_BYTES, read_record_file
from pulvinar.ingest.record_template import modality_of, record_template
from pulvinar.model.dataset import AssetKind
from pulvinar.model.record import Funding, Record, Related, Species
from pulvinar.model.terms import Vocabulary, terms

YAML = """
title: Eine Maus 鼠
species: 小鼠
licence: cc by 4.0
subject: {name: m7, sex: ♀, age: P56D}
acquisition:
  modality: light sheet
  stains: [cfos, 尼氏]
  date: 2025-03-14
  voxel_size_um: [9, 9, 9]
contributors:
  - Ada Lovelace <author> 0000-0002-1825-0097
  - {name: Hopper, role: data curator}
keywords: brain, 脑
funding:
  - {funder: A Trust, award: 007}
"""
TOML = """
title = "Eine Maus 鼠"
species = "小鼠"
licence = "cc by 4.0"
contributors = ["Ada Lovelace <author> 0000-0002-1825-0097", {name = "Hopper", role = "data curator"}]
keywords = ["brain", "脑"]
funding = [{funder = "A Trust", award = "007"}]
[subject]
name = "m7"
sex = "♀"
age = "P56D"
[acquisition]
modality = "light sheet"
stains = ["cfos", "尼氏"]
date = 2025-03-14
voxel_size_um = [9, 9, 9]
"""


def written(folder: Path, text: str, name: str = "record.txt") -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def volume(size=(5.0, 2.0, 2.0)) -> FoundAsset:
    found = VolumeDescription((1, 1, 2, 3, 4), "uint8", (1, 1, 1, 3, 4), voxel_size_um=size)
    return FoundAsset("tiff", "a", "a.tif", AssetKind.VOLUME, ("a.tif",), found)


@pytest.mark.parametrize("text", [YAML, TOML], ids=["yaml", "toml"])
def test_a_record_is_read_whatever_it_is_written_in(tmp_path, text):
    name, said = read_record_file(written(tmp_path, text))
    assert name is FormatName.PULVINAR
    record = make_record([volume()], RecordAnswers(record=said), Options())
    assert (record.title, record.species, record.licence) == ("Eine Maus 鼠", Species.MOUSE, "CC-BY-4.0")
    assert (record.subject.name, record.subject.sex, record.subject.species) == ("m7", "female", Species.MOUSE)
    assert (record.acquisition.modality, record.acquisition.stains) == ("light-sheet", ("c-Fos", "Nissl"))
    assert record.acquisition.date == "2025-03-14"
    assert [(one.name, one.role, one.orcid) for one in record.contributors] == [
        ("Ada Lovelace", "author", "0000-0002-1825-0097"),
        ("Hopper", "data curator", ""),
    ]
    assert record.keywords == ("brain", "脑")
    assert record.funding == (Funding("A Trust", "007"),)
    # the header knows better
    assert record.acquisition.voxel_size_um == (5.0, 2.0, 2.0)
    assert make_record([], RecordAnswers(record=said), Options()).acquisition.voxel_size_um == (9.0, 9.0, 9.0)
    same = json.dumps(said)
    assert read_record_file(written(tmp_path, same))[1] == said


def test_flags_count_more_than_the_file_and_that_more_than_the_data(tmp_path):
    _, said = read_record_file(written(tmp_path, YAML))
    answers = RecordAnswers(title="by flag", stain="GFP, DAPI", sex="male", related=("10.1038/x <Cites>",), record=said)
    found = FoundAsset("x", "a", "a", AssetKind.TABLE, ("a",), metadata={"title": "by data", "lab": "by data"})
    record = make_record([found], answers, Options())
    assert (record.title, record.lab, record.subject.name, record.subject.sex) == ("by flag", "by data", "m7", "male")
    assert record.acquisition.stains == ("GFP", "DAPI")
    assert record.related == (Related("10.1038/x", "Cites"),)


def test_a_record_file_answers_questions_as_flags_do(tmp_path):
    _, said = read_record_file(written(tmp_path, "title: a\nspecies: mouse\n"))
    missing = questions([], RecordAnswers(record=said), into_existing=False)
    assert [finding.flag for finding in missing] == ["--licence"]
    assert questions([], RecordAnswers(licence="CC0", record=said), into_existing=False) == []


def test_the_subject_tells_the_species_of_the_dataset(tmp_path):
    _, said = read_record_file(written(tmp_path, "title: a\nlicence: CC0\nsubject: {name: s, species: 人}\n"))
    assert make_record([], RecordAnswers(record=said), Options()).species is Species.HUMAN
    with pytest.raises(Invalid, match="subject is of the species 人"):
        make_record([], RecordAnswers(species="mouse", record=said), Options())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("title: a\ntittle: b", "'tittle'.*'title' is meant"),
        ("title: a\nacquisition: {modalty: MRI}", "acquisition.modalty.*'acquisition.modality' is meant"),
        ("title: a\nacquisition: MRI", "acquisition is a group"),
        ("title: a\nspecies: axolotl", "axolotl"),
        ("title: a\nacquisition: {voxel_size_um: [1, 2]}", "acquisition.voxel_size_um"),
        ("title: a\nacquisition: {voxel_size_um: [1, 2, big]}", "acquisition.voxel_size_um"),
        ("title: a\ncontributors: [{orcid: x, role: author}]", "contributors.0.name"),
        ('{"title": 3}', "title"),
        ('{"acquisition": {"time_step_s": NaN}}', "time_step_s"),
        ("acquisition: {voxel_size_um: [1, 2, .inf]}", "voxel_size_um"),
        ("acquisition: {voxel_size_um: [1, 2, -3]}", "voxel_size_um"),
        ("acquisition: {orientation: ABC}", "ABC"),
        ('{"title": "a", "keywords": [1]}', "keywords"),
        ("title: a\nschema_version: 99", "schema 99"),
        ("title: [a", "neither YAML nor TOML"),
        ('{"title": "a"', "no JSON"),
        ("title: &a [x]\nkeywords: *a", "aliases"),
        ("just words", "no metadata"),
        ("<html></html>", "no metadata"),
        ("title: a\nsubject: {name: s, species: human}\nspecies: mouse", "subject is of the species human"),
    ],
)
def test_a_slip_is_named_with_the_file(tmp_path, text, says):
    path = written(tmp_path, text)
    with pytest.raises(Invalid, match=says) as caught:
        read_record_file(path)
    assert str(path) in caught.value.message
    assert caught.value.hint


def test_what_is_no_text_or_too_large_or_not_there_is_refused(tmp_path):
    path = tmp_path / "record"
    path.write_bytes(b"\x89PNG\r\n\x00\x00\x00")
    with pytest.raises(UnreadableFile, match="no text"):
        read_record_file(path)
    path.write_bytes(b"#" * (MOST_BYTES + 1))
    with pytest.raises(TooLarge):
        read_record_file(path)
    with pytest.raises(UnreadableFile, match="can't be read"):
        read_record_file(tmp_path / "none")
    path.write_text("[" * 100_000)
    with pytest.raises(UnreadableFile):
        read_record_file(path)
    path.write_text("a: " + "[" * 50_000)
    with pytest.raises(UnreadableFile):
        read_record_file(path)


def test_a_record_of_the_first_release_is_read(tmp_path):
    first = {"title": "t", "species": "mouse", "licence": "x", "acquisition": {"stain": "GFP; DAPI"}}
    assert read_record_file(written(tmp_path, json.dumps(first)))[1]["acquisition"] == {"stains": ["GFP", "DAPI"]}


def test_another_format_is_read_as_a_record(tmp_path):
    said = {"Name": "Study", "BIDSVersion": "1.8.0", "Authors": ["Jane Doe"], "License": "CC0"}
    name, document = read_record_file(written(tmp_path, json.dumps(said)))
    assert name is FormatName.BIDS
    record = make_record([], RecordAnswers(species="human", record=document), Options())
    assert (record.title, record.licence, record.contributors[0].name) == ("Study", "CC0-1.0", "Jane Doe")


def test_a_bids_folder_is_read_as_a_whole(tmp_path):
    with pytest.raises(UnreadableFile, match="dataset_description"):
        read_record_file(tmp_path)
    written(tmp_path, json.dumps({"Name": "Study", "BIDSVersion": "1.8.0"}), "dataset_description.json")
    written(tmp_path, "participant_id\tspecies\tage\tsex\nsub-07\tmus musculus\t8\tF\n", "participants.tsv")
    written(tmp_path, json.dumps({"age": {"Units": "week"}}), "participants.json")
    name, said = read_record_file(tmp_path)
    assert name is FormatName.BIDS
    record = make_record([], RecordAnswers(licence="CC0", record=said), Options())
    assert (record.title, record.species) == ("Study", Species.MOUSE)
    assert (record.subject.name, record.subject.sex, record.subject.age) == ("07", "female", "P8W")


@pytest.mark.parametrize("modality", terms(Vocabulary.MODALITY), ids=lambda term: term.key)
def test_every_template_is_a_record_file_that_says_nothing_but_its_modality(tmp_path, modality):
    text = record_template(modality)
    assert ("stains" in text) == ("acquisition.stains" in modality.wants)
    assert ("preparation:" in text) == ("specimen.preparation" in modality.wants)
    name, said = read_record_file(written(tmp_path, text))
    assert name is FormatName.PULVINAR
    assert said == {"acquisition": {"modality": modality.key}, "specimen": {"part": "brain"}}
    filled = (
        text.replace("title:", "title: T").replace("species:", "species: mouse").replace("licence:", "licence: CC0")
    )
    _, said = read_record_file(written(tmp_path, filled))
    assert questions([], RecordAnswers(record=said), into_existing=False) == []
    assert make_record([], RecordAnswers(record=said), Options()).acquisition.modality == modality.key


def test_a_template_explains_every_field_in_both_languages():
    text = record_template(modality_of("光片"))
    for path, said in record_fields().items():
        left_out = path.startswith(
            ("acquisition.voxel", "acquisition.orient", "acquisition.time", "schema", "subject.sp")
        )
        assert left_out or said["meaning_zh"] in text or said["zh"] in text, path


def test_an_unknown_modality_has_no_template_and_the_nearest_is_named():
    with pytest.raises(Invalid, match="'light-sheet' is the nearest"):
        modality_of("ligth-sheet")


def test_unknown_terms_are_kept_and_noted_with_the_nearest():
    record = record_of(
        {
            "title": "t",
            "species": "mouse",
            "licence": "CC-BY-4",
            "acquisition": {"modality": "ligthsheet", "stains": ["GFP"]},
        }
    )
    assert (record.licence, record.acquisition.modality) == ("CC-BY-4", "ligthsheet")
    notes = term_notes(record)
    assert [note.flag for note in notes] == ["--modality", "--licence"]
    assert "light-sheet (Light-sheet microscopy, 光片显微成像)" in notes[0].message
    assert "CC-BY-4.0" in notes[1].message


def test_a_dataset_is_described_anew_without_losing_what_was_measured():
    before = record_of(
        {"title": "t", "species": "mouse", "licence": "CC0", "acquisition": {"voxel_size_um": [1.0, 1.0, 1.0]}}
    )
    said = {"lab": "A lab", "title": "", "acquisition": {"modality": "CT", "voxel_size_um": [7.0, 7.0, 7.0]}}
    after = described(before, said)
    assert isinstance(after, Record)
    assert (after.title, after.lab, after.acquisition.modality) == ("t", "A lab", "CT")
    assert after.acquisition.voxel_size_um == (1.0, 1.0, 1.0)


def test_related_works_and_funding_are_written_as_people_are():
    assert related("10.1/x <IsPartOf>") == Related("10.1/x", "IsPartOf")
    assert related("10.1/x") == Related("10.1/x")
    assert funding("A Trust <7>") == Funding("A Trust", "7")


def test_letters_that_no_database_takes_are_left_out(tmp_path):
    _, said = read_record_file(written(tmp_path, '{"title": "a\\u0000b\\ud800c", "species": "mouse", "licence": "x"}'))
    assert make_record([], RecordAnswers(record=said), Options()).title == "ab?c"


@given(st.text(max_size=60) | st.text("{}[]:,-&*!|>'\"#\n ab1", max_size=60))
def test_no_text_makes_reading_fail_in_another_way(text):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "record"
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        with suppress(Invalid):
            read_record_file(path)
