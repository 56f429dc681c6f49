import pytest

from pulvinar.errors import Invalid, MetadataMissing
from pulvinar.ingest.reader import Finding, FoundAsset, Options, Severity, VolumeDescription
from pulvinar.ingest.record import (
    RecordAnswers,
    contributor,
    make_record,
    orientation_of,
    questions,
    refuse_unanswered,
    species_of,
)
from pulvinar.model.dataset import AssetKind
from pulvinar.model.record import Species


def found(metadata=None, findings=()):
    volume = VolumeDescription((1, 1, 2, 3, 4), "uint8", (1, 1, 1, 3, 4), voxel_size_um=(5.0, 2.0, 2.0))
    return FoundAsset(
        reader="tiff",
        key="a",
        name="a.tif",
        kind=AssetKind.VOLUME,
        files=("a.tif",),
        volume=volume,
        findings=tuple(findings),
        metadata=metadata or {},
    )


def test_everything_missing_is_named_at_once():
    asset = found(findings=[Finding(Severity.QUESTION, "the voxel size is not said", "--voxel-size")])
    with pytest.raises(MetadataMissing) as caught:
        refuse_unanswered(questions([asset], RecordAnswers(), into_existing=False))
    for flag in ("--title", "--species", "--licence", "--voxel-size"):
        assert flag in caught.value.hint


def test_doubts_and_notes_do_not_refuse():
    asset = found(findings=[Finding(Severity.DOUBT, "odd"), Finding(Severity.NOTE, "fine")])
    answers = RecordAnswers(title="t", species="mouse", licence="CC0-1.0")
    refuse_unanswered(questions([asset], answers, into_existing=False))


def test_what_the_file_says_counts_and_flags_overrule_it():
    asset = found({"title": "from the file", "modality": "confocal", "species": "Mouse", "keywords": ["a", "b"]})
    answers = RecordAnswers(title="from the flag", licence="CC-BY-4.0")
    assert questions([asset], answers, into_existing=False) == []
    record = make_record([asset], answers, Options())
    assert record.title == "from the flag"
    assert record.species is Species.MOUSE
    assert record.acquisition.modality == "confocal"
    assert record.acquisition.voxel_size_um == (5.0, 2.0, 2.0)
    assert record.keywords == ("a", "b")


def test_a_file_that_names_an_unknown_species_does_not_answer():
    asset = found({"species": "Homo sapiens; drop table", "title": ["a list"]})
    missing = questions([asset], RecordAnswers(licence="x"), into_existing=False)
    assert {item.flag for item in missing} == {"--species", "--title"}


def test_an_unknown_species_is_refused_with_the_known_ones():
    with pytest.raises(Invalid, match="axolotl") as caught:
        make_record([found()], RecordAnswers(title="t", species="axolotl", licence="x"), Options())
    assert "zebrafish" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "species"),
    [
        ("Mus musculus", Species.MOUSE), ("小鼠", Species.MOUSE), (" Mus_musculus ", Species.MOUSE),
        ("monkey", Species.MACAQUE), ("rhesus", Species.MACAQUE), ("Macaca  mulatta", Species.MACAQUE),
        ("猕猴", Species.MACAQUE), ("Danio rerio", Species.ZEBRAFISH), ("斑马鱼", Species.ZEBRAFISH),
        ("Homo sapiens", Species.HUMAN), ("人", Species.HUMAN), ("HUMAN", Species.HUMAN),
    ],
)  # fmt: skip
def test_a_species_is_known_by_its_usual_names(text, species):
    assert species_of(text) is species
    record = make_record([found({"species": text})], RecordAnswers(title="t", licence="x"), Options())
    assert record.species is species


@pytest.mark.parametrize("text", ["rat", "mouse brain", "鼠", "", "marmoset"])
def test_another_species_is_told_every_name_that_is_known(text):
    with pytest.raises(Invalid) as caught:
        species_of(text)
    assert all(name in caught.value.hint for name in ("mus musculus", "小鼠", "rhesus", "danio rerio", "人类"))


def test_contributors_may_have_roles_and_orcids():
    one = contributor("Ada Lovelace <data curator> 0000-0002-1825-0097")
    assert (one.name, one.role, one.orcid) == ("Ada Lovelace", "data curator", "0000-0002-1825-0097")
    assert contributor("Ada").role == "author"


def test_orientation_is_read_from_the_affine():
    identity = ((1.0, 0, 0, 0), (0, 1.0, 0, 0), (0, 0, 1.0, 0), (0, 0, 0, 1.0))
    assert orientation_of(identity) == "SAR"
    flipped = ((0, -1.0, 0, 0), (-1.0, 0, 0, 0), (0, 0, -1.0, 0), (0, 0, 0, 1.0))
    assert orientation_of(flipped) == "PIL"
    assert orientation_of(None) == ""
