"""Files of a search, as programs read them, on both databases."""

from __future__ import annotations

import csv
import io
import json
from unittest.mock import patch
from xml.etree import ElementTree

import pytest
from tests.catalogue.archive import OBJECTS, Archive

from pulvinar.access.visibility import EVERYONE, audience_of, hide
from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue.query_nodes import (
    QueryError,
)
from pulvinar.catalogue.result_manifest import ManifestFile, ManifestFormat, result_manifest, write_manifest
from pulvinar.catalogue.sharing import set_tier, share
from pulvinar.catalogue.suggest import suggest
from pulvinar.model.access import ANONYMOUS, LOCAL_OWNER, Actor, Right, Tier
from pulvinar.model.dataset import AssetKind
from pulvinar.model.ontology import Ontology


def test_every_file_of_what_is_found_is_listed_and_nothing_that_is_hidden(archive: Archive) -> None:
    for number in range(5):
        archive.add(f"cell {number}", kind=AssetKind.SKELETON)
    archive.add("hidden cell", published=False)
    with (
        patch("pulvinar.catalogue.asset_search._CHAPTER", 2),
        patch("pulvinar.catalogue.result_manifest._AT_ONCE", 1),
    ):
        files = list(result_manifest(archive.database, ANONYMOUS, "cell"))
    assert [one.asset_name for one in files] == [f"cell {number}" for number in (4, 4, 3, 3, 2, 2, 1, 1, 0, 0)]
    assert {(one.path, one.size_bytes, one.sha256) for one in files} == {
        (one.path, one.size_bytes, one.sha256) for one in OBJECTS
    }
    assert len(list(result_manifest(archive.database, LOCAL_OWNER, "cell"))) == 12


def test_files_are_listed_for_who_may_read_them_and_not_for_who_may_look_or_see(archive: Archive) -> None:
    archive.add("open cell")
    dataset, asset_id = archive.add("kept cell")
    with UnitOfWork(archive.database, LOCAL_OWNER) as work:
        set_tier(work, dataset, Tier.CONTROLLED)

    def listed(actor: Actor) -> str:
        files = list(result_manifest(archive.database, actor, "cell"))
        return "".join("".join(write_manifest(files, form, "http://host")) for form in ManifestFormat)

    guest = Actor("guest", "guest")
    for right in (None, Right.SEE, Right.VIEW):
        if right:
            with UnitOfWork(archive.database, LOCAL_OWNER) as work:
                share(work, dataset, audience_of(guest.id), right)
        assert sorted(archive.names("cell", guest)) == ["kept cell", "open cell"], "that it is there may be known"
        told = listed(guest)
        assert "open cell" in told
        assert "kept" not in told
        assert asset_id not in told
    with UnitOfWork(archive.database, LOCAL_OWNER) as work:
        share(work, dataset, audience_of(guest.id), Right.READ)
    assert "kept cell" in listed(guest)
    reader = Actor("guest", "guest", ceiling=Right.SEE)
    assert listed(reader).count("http://") == 0, "a token that may only see lists nothing"


def test_what_is_taken_back_while_a_list_is_written_is_not_listed(archive: Archive) -> None:
    dataset, _ = archive.add("kept cell")
    archive.add("newest cell")
    files = result_manifest(archive.database, ANONYMOUS, "cell")
    assert next(files).asset_name == "newest cell"
    with UnitOfWork(archive.database, LOCAL_OWNER) as work:
        set_tier(work, dataset, Tier.CONTROLLED)
    assert {one.asset_name for one in files} == {"newest cell"}


def test_a_question_that_cannot_be_understood_is_refused_before_the_answer_begins(archive: Archive) -> None:
    with pytest.raises(QueryError):
        result_manifest(archive.database, ANONYMOUS, "specis:mouse")


def test_each_format_says_address_size_and_checksum(archive: Archive) -> None:
    archive.add('a "strange", <name>')
    files = list(result_manifest(archive.database, ANONYMOUS, "strange"))
    written = {form: "".join(write_manifest(files, form, "http://host")) for form in ManifestFormat}
    addresses = [f"http://host{one.address}" for one in files]
    assert addresses[0].endswith("/objects/a%20b/0")
    told = [json.loads(line) for line in written[ManifestFormat.JSONL].splitlines()]
    rows = list(csv.DictReader(io.StringIO(written[ManifestFormat.CSV])))
    for said in (told, rows):
        assert [one["url"] for one in said] == addresses
        assert [int(one["size_bytes"]) for one in said] == [10, 5]
        assert [one["sha256"] for one in said] == ["a" * 64, "b" * 64]
        assert {one["asset_name"] for one in said} == {'a "strange", <name>'}
    assert written[ManifestFormat.URLS].splitlines() == addresses
    tree = ElementTree.fromstring(written[ManifestFormat.METALINK])
    space = {"m": "urn:ietf:params:xml:ns:metalink"}
    assert [one.text for one in tree.findall("m:file/m:url", space)] == addresses
    assert [one.text for one in tree.findall("m:file/m:hash", space)] == ["a" * 64, "b" * 64]
    place = f"  dir={files[1].dataset_id}/{files[1].asset_id}\n  out=data.json\n"
    assert f"{addresses[1]}\n{place}" in written[ManifestFormat.ARIA2]
    assert f"{'b' * 64}  {files[1].name}\n" in written[ManifestFormat.SHA256]


def test_suggestions_complete_the_end_in_both_languages(archive: Archive, atlas: Ontology) -> None:
    def suggested(written: str) -> list[str]:
        return [one.query for one in suggest(archive.database, ANONYMOUS, written)]

    assert suggested("spec")[0] == "species:"
    assert suggested("物")[0] == "物种:"
    assert "species:mouse" in suggested("species:mo")
    assert suggested("brain -物种：小鼠")[0] == "brain -物种:mouse"
    assert suggested('cell region:"hippocampal f') == ['cell region:"Hippocampal formation"']
    assert 'region:"Field CA1"' in suggested("CA1")
    assert suggested("脑区：海马CA3") == ['脑区:"Field CA3"']
    assert suggested("kind:神经") == ["kind:skeleton"]
    assert suggested("atlas:to") == ["atlas:toy_2026"]
    assert suggested("resolution:")[0] == "resolution:<2um"
    assert suggested("nofield:x") == suggested("") == []


def test_regions_of_an_atlas_that_is_hidden_are_not_suggested(archive: Archive, atlas: Ontology) -> None:
    with archive.database.writing() as session:
        held = archive.page("template").items[0].dataset_id
        hide(session, held, EVERYONE)
    assert suggest(archive.database, ANONYMOUS, "region:CA1") == ()
    assert suggest(archive.database, LOCAL_OWNER, "region:CA1") != ()
    with pytest.raises(QueryError, match="no atlas has"):
        archive.page("region:CA1", ANONYMOUS)


def test_a_name_is_neither_computed_nor_an_instruction() -> None:
    """Tables are opened by spreadsheets, lists are read line by line by programs that obey what a line says."""
    named = ManifestFile(
        "d", "a", '=HYPERLINK("http://evil")', "original/x\n  dir=/home\n  out=.bashrc", "/o", 1, "0" * 64, "@x"
    )
    written = {form: "".join(write_manifest([named], form, "http://host")) for form in ManifestFormat}
    (row,) = csv.DictReader(io.StringIO(written[ManifestFormat.CSV]))
    assert (row["asset_name"], row["licence"]) == ('\'=HYPERLINK("http://evil")', "'@x")
    told = written[ManifestFormat.ARIA2].splitlines()[1:3]
    assert told == ["  dir=d/a/original/x_  dir=/home_  out=.bashrc".rpartition("/")[0], "  out=home_  out=.bashrc"]
    assert written[ManifestFormat.ARIA2].count("\n") == 4
    assert len(written[ManifestFormat.SHA256].splitlines()) == 1
    (file,) = ElementTree.fromstring(written[ManifestFormat.METALINK])
    assert "\n" not in file.attrib["name"]
