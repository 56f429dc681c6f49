"""Folders from a hospital's archive and from a lab's BIDS tree, brought in whole: what is stored, and what never is."""

import json
import shutil
import sqlite3
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from tests.ingest.readers.bids_tree import small_tree
from tests.ingest.readers.dicom_files import image, save, series, volumes

from pulvinar.catalogue.datasets import get_dataset
from pulvinar.errors import Invalid, MetadataMissing, UnreadableFile
from pulvinar.ingest.inspection import inspect
from pulvinar.ingest.intake import ingest
from pulvinar.ingest.reader import Options
from pulvinar.ingest.record import RecordAnswers
from pulvinar.ingest.request import Originals, Request
from pulvinar.ingest.sandbox import Limits
from pulvinar.model.dataset import AssetKind
from pulvinar.model.space import Window
from pulvinar.model.volume import volume_from_json
from pulvinar.storage.volumes import open_volume

ANSWERS = RecordAnswers(title="a head", species="human", licence="CC0-1.0")
PERSON = {"PatientName": "Doe^Jane", "PatientBirthDate": "19501224", "ReferringPhysicianName": "Roe^Richard"}


def voxels(means, asset):
    volume = volume_from_json(asset.details["volume"])
    return np.asarray(open_volume(means.store, asset.prefix, volume).read(0, Window.whole(volume.shape)))


def test_a_folder_of_dicom_is_stored_as_it_is_and_its_person_is_not(means, tmp_path):
    folder = tmp_path / "study"
    first = series(folder / "t1", **PERSON)
    second = volumes(folder / "bold", SeriesInstanceUID="1.2.3", SeriesDescription="bold rest", **PERSON)
    done = ingest(means, Request(folder, answers=ANSWERS))
    assets = {asset.name: asset for asset in done.version.assets}
    assert np.array_equal(voxels(means, assets["t1 mprage"])[0, 0], first)
    assert np.array_equal(voxels(means, assets["bold rest"])[:, 0], second)
    stored = json.dumps([asdict(asset) for asset in assets.values()], default=str).lower()
    stored += "".join(str(entry) for entry in everything(means)).lower()
    assert not any(word in stored for word in ("jane", "doe^", "19501224", "roe^"))


def everything(means):
    """All that the catalogue holds, and all small objects of the store."""
    with sqlite3.connect(means.database.url.removeprefix("sqlite:///")) as connection:
        tables = [row[0] for row in connection.execute("select name from sqlite_master where type = 'table'")]
        for table in tables:
            yield from connection.execute(f'select * from "{table}"')


def test_dicom_that_names_a_person_is_not_kept_and_pseudonyms_are(means, tmp_path):
    series(tmp_path / "named", **PERSON)
    with pytest.raises(Invalid, match="PatientName, PatientBirthDate, ReferringPhysicianName") as caught:
        ingest(means, Request(tmp_path / "named", answers=ANSWERS, originals=Originals.KEEP))
    assert "IM0001" in caught.value.message
    assert "leave out --originals keep" in caught.value.hint
    series(tmp_path / "clean", PatientName="sub-01", PatientID="sub-01", PatientIdentityRemoved="YES")
    done = ingest(means, Request(tmp_path / "clean", answers=ANSWERS, originals=Originals.KEEP))
    assert done.version.assets[0].details["source"]["policy"] == "keep"


def test_missing_slices_are_refused_until_they_are_there(means, tmp_path):
    folder = tmp_path / "study"
    expected = series(folder, 8)
    kept = (folder / "IM0004").read_bytes()
    (folder / "IM0004").unlink()
    with pytest.raises(MetadataMissing, match="slices are missing: number 4"):
        ingest(means, Request(folder, answers=ANSWERS))
    (folder / "IM0004").write_bytes(kept)
    (asset,) = ingest(means, Request(folder, answers=ANSWERS)).version.assets
    assert np.array_equal(voxels(means, asset)[0, 0], expected)


def test_one_bad_file_among_good_ones_is_refused_by_its_name(means, tmp_path):
    folder = tmp_path / "study"
    series(folder)
    save(folder / "bad.dcm", image(9, 40.0, Rows=60000, SOPInstanceUID="1.2.9"))
    with pytest.raises(UnreadableFile, match=r"bad\.dcm is truncated"):
        ingest(means, Request(folder, answers=ANSWERS))
    done = ingest(means, Request(folder, answers=ANSWERS, only=("IM*",)))
    assert len(done.version.assets) == 1


def test_an_archive_of_dicom_is_one_series(sample, tmp_path):
    path = sample("human/dicom_func_1block_dicoms.tar.gz")
    looked = inspect(path, Options(), scratch=tmp_path, limits=Limits(memory_bytes=2 << 30))
    (asset,) = looked.assets
    assert asset.volume.shape == (18, 1, 35, 80, 80)
    assert not looked.unreadable
    assert not looked.unrecognised


def test_a_bids_tree_becomes_a_dataset_without_a_question(means, tmp_path):
    expected = small_tree(tmp_path / "tree")
    done = ingest(means, Request(tmp_path / "tree"))
    record = get_dataset(means.database, means.actor, done.version.dataset_id).record
    assert (record.title, record.licence, record.species.value) == ("Faces and objects", "CC0-1.0", "human")
    assert [one.name for one in record.contributors] == ["Haxby, J. V.", "Gobbini, M. I."]
    assert record.subject.name == "sub-01"
    assets = {asset.name: asset for asset in done.version.assets}
    assert len(assets) == 6
    for name, values in expected.items():
        assert np.array_equal(voxels(means, assets[name])[:, 0], values)
    assert assets["participants"].kind is AssetKind.TABLE
    assert any("BIDS validator" in finding.message for finding in done.findings)


@pytest.mark.parametrize("packing", ["zip", "gztar"])
def test_an_archive_of_a_tree_is_the_tree_and_says_what_the_tree_does(means, tmp_path, packing):
    expected = small_tree(tmp_path / "tree")
    archive = Path(shutil.make_archive(str(tmp_path / "packed"), packing, tmp_path, "tree"))
    done = ingest(means, Request(archive, originals=Originals.KEEP))
    record = get_dataset(means.database, means.actor, done.version.dataset_id).record
    assert (record.title, record.licence, record.species.value) == ("Faces and objects", "CC0-1.0", "human")
    assets = {asset.name: asset for asset in done.version.assets}
    assert len(assets) == 6
    for name, values in expected.items():
        assert np.array_equal(voxels(means, assets[name])[:, 0], values)
