"""Each rule of the profile fails where it should, and only there."""

from dataclasses import replace

import pytest

from pulvinar.errors import UnreadableFile
from pulvinar.ingest.answers import Unreadable
from pulvinar.ingest.conformance import (
    TESTS,
    Checked,
    CheckedAsset,
    Level,
    check,
    checked_path,
    conformance_to_json,
    is_orcid,
    lines_of,
    rules,
    rules_text,
)
from pulvinar.ingest.inspection import Inspection
from pulvinar.ingest.reader import Finding, FoundAsset, Options, Severity, VolumeDescription
from pulvinar.ingest.record import RecordAnswers
from pulvinar.model.dataset import AssetKind

GOOD = {
    "title": "A brain",
    "species": "mouse",
    "licence": "CC-BY-4.0",
    "description": "What was done.",
    "lab": "A lab",
    "subject": {"name": "m1", "sex": "female", "age": "P56D"},
    "specimen": {"preparation": "cleared"},
    "acquisition": {"modality": "light-sheet", "instrument": "a scope", "stains": ["c-Fos"], "date": "2025-03-14"},
    "contributors": [{"name": "Ada", "role": "author", "orcid": "0000-0002-1825-0097"}],
    "keywords": ["brain"],
    "doi": "10.1234/abcd",
    "related": [{"identifier": "PMID:1", "relation": "References"}],
    "ethics": "Committee 7",
}
ASSET = CheckedAsset("brain")
FINE = Checked(GOOD, (ASSET,))


def changed(**fields) -> Checked:
    return replace(FINE, record={**GOOD, **fields})


def within(group: str, **fields) -> Checked:
    return changed(**{group: {**GOOD[group], **fields}})


def asset(**fields) -> Checked:
    return replace(FINE, assets=(replace(ASSET, **fields),))


BROKEN = {
    "D1": changed(title=""),
    "D2": changed(species=""),
    "D3": changed(licence=""),
    "D4": changed(licence="ask us"),
    "D5": changed(description=""),
    "D6": changed(contributors=[{"name": "Ada", "role": "data curator"}]),
    "D7": changed(contributors=[{"name": "Ada", "orcid": "0000-0002-1825-0098"}]),
    "D8": changed(lab=""),
    "D9": changed(keywords=[]),
    "D10": within("subject", name=""),
    "D11": within("subject", age="eight weeks"),
    "D12": changed(ethics=""),
    "D13": within("acquisition", date="14.3.2025"),
    "D14": changed(species="human"),
    "A1": within("acquisition", modality=""),
    "A2": within("acquisition", modality="magic lantern"),
    "A3": within("acquisition", instrument=""),
    "A4": within("acquisition", stains=[]),
    "A5": within("acquisition", stains=["my own dye"]),
    "F1": replace(FINE, assets=()),
    "F2": replace(FINE, unreadable=("a.tif: is cut off",)),
    "F3": asset(findings=(Finding(Severity.QUESTION, "the voxel size is not said", "--voxel-size"),)),
    "F4": asset(findings=(Finding(Severity.DOUBT, "odd", "--kind"),)),
    "F5": asset(has_size=False),
    "F6": asset(has_sides=False),
    "F7": asset(has_time_step=False),
    "F8": replace(FINE, assets=(ASSET, ASSET)),
    "F9": replace(FINE, unrecognised=("notes.docx",)),
}


def test_every_rule_has_a_text_a_test_and_a_case_here():
    assert [rule.id for rule in rules()] == list(TESTS) == list(BROKEN)
    for rule in rules():
        for text in (rule.what_zh, rule.why_zh, rule.remedy_zh):
            assert any("\u4e00" <= letter <= "\u9fff" for letter in text), rule.id
        assert f"| {rule.id} |" in rules_text()


def test_what_is_as_it_should_be_meets_every_rule():
    found = check(FINE)
    assert found.conforms
    assert [one.rule.id for one in found.outcomes if not one.met] == []


@pytest.mark.parametrize("name", list(BROKEN))
def test_each_rule_fails_alone(name):
    found = check(BROKEN[name])
    assert [one.rule.id for one in found.outcomes if not one.met] == [name]
    (failed,) = (one for one in found.outcomes if not one.met)
    assert found.conforms == (failed.rule.level is Level.SHOULD)
    lines = [*lines_of(failed)]
    assert all(lines)
    assert {f"remedy: {failed.rule.remedy}", f"办法：{failed.rule.remedy_zh}"} <= set(lines)
    (row,) = (row for row in conformance_to_json(found)["rules"] if not row["met"])
    said = [one.en for one in failed.failures], [one.zh for one in failed.failures]
    assert (row["failures"], row["failures_zh"]) == said
    assert (row["id"], row["remedy"], row["remedy_zh"]) == (name, failed.rule.remedy, failed.rule.remedy_zh)


@pytest.mark.parametrize("name", list(BROKEN))
def test_what_fails_is_said_in_chinese_too(name):
    # what a reader said is handed to whoever knows it in Chinese; here everything is known
    translated = replace(BROKEN[name], in_chinese=lambda said: "读取器的话")
    (failed,) = (one for one in check(translated).outcomes if not one.met)
    for failure in failed.failures:
        assert not any("\u4e00" <= letter <= "\u9fff" for letter in failure.en.partition("; the nearest")[0])
        assert any("\u4e00" <= letter <= "\u9fff" for letter in failure.zh)


def test_what_a_reader_said_is_in_chinese_where_somebody_knows_how():
    doubt = asset(findings=(Finding(Severity.DOUBT, "odd", "--kind"),))
    (failed,) = check(replace(doubt, in_chinese={"odd": "奇怪"}.get)).failed(Level.SHOULD)
    assert [(one.en, one.zh) for one in failed.failures] == [("brain: odd (--kind)", "brain：奇怪（--kind）")]


@pytest.mark.parametrize(
    ("record", "left_out"),
    [
        ({**GOOD, "contributors": [{"name": "Ada"}]}, {"D7"}),
        ({**GOOD, "subject": None}, {"D11"}),
        (
            {**GOOD, "acquisition": {"modality": "T1w", "instrument": "x"}, "doi": "", "related": []},
            {"D13", "D14", "A4", "A5"},
        ),
    ],
)
def test_a_rule_that_has_nothing_to_ask_does_not_apply(record, left_out):
    outcomes = check(replace(FINE, record=record)).outcomes
    assert left_out <= {one.rule.id for one in outcomes if not one.applies}
    assert all(one.met for one in outcomes if not one.applies)


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("0000-0002-1825-0097", True),
        ("0000-0001-5109-3700", True),
        ("0000-0002-1694-233X", True),
        ("0000-0002-1694-2330", False),
        ("0000-0002-1825-0079", False),
        ("https://orcid.org/0000-0002-1825-0097", False),
        ("", False),
        ("٠٠٠٠-0002-1825-0097", False),
    ],
)
def test_an_orcid_has_a_check_digit(text, valid):
    assert is_orcid(text) is valid


def test_a_relation_is_one_of_datacites():
    (failed,) = check(changed(related=[{"identifier": "PMID:1", "relation": "Likes"}])).failed(Level.MUST)
    assert [one.en for one in failed.failures] == ["'Likes' is no relation of DataCite's"]


def test_many_failures_are_named_as_some_and_a_number():
    found = check(replace(FINE, unreadable=tuple(f"{n}.tif: broken" for n in range(30))))
    (failed,) = found.failed(Level.MUST)
    lines = [*lines_of(failed)]
    assert (lines[5], lines[7]) == ("and 25 more", "另有 25 处")


def test_files_are_checked_before_they_are_brought_in():
    bare = VolumeDescription((5, 1, 2, 3, 4), "uint8", (1, 1, 1, 3, 4))
    found = FoundAsset(
        "tiff", "a", "a.tif", AssetKind.VOLUME, ("a.tif",), bare,
        (Finding(Severity.QUESTION, "the voxel size is not said", "--voxel-size"),), {"title": "by the file"},
    )  # fmt: skip
    error = UnreadableFile("b.tif is cut off")
    inspection = Inspection((found,), (Unreadable("b.tif", error),), ("notes.docx",), (), ())
    record = {key: value for key, value in GOOD.items() if key != "title"}
    failed = {
        one.rule.id
        for one in check(checked_path(inspection, RecordAnswers(record=record), Options())).outcomes
        if not one.met
    }
    assert failed == {"F2", "F3", "F5", "F6", "F7", "F9"}
    options = Options(voxel_size_um=(1.0, 1.0, 1.0), orientation="SAR", time_step_s=0.5)
    failed = {
        one.rule.id
        for one in check(checked_path(inspection, RecordAnswers(record=record), options)).outcomes
        if not one.met
    }
    assert failed == {"F2", "F3", "F9"}
