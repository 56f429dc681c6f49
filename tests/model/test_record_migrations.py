"""Records of every schema that was ever stored are read, and nothing stored is changed by it."""

import copy
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from pulvinar.errors import Invalid
from pulvinar.model.dataset import (
    Asset,
    AssetKind,
    Version,
    VersionState,
    asset_leaf,
    fits_digest,
    record_leaf,
    version_digest,
)
from pulvinar.model.record import record_from_json, record_to_json
from pulvinar.model.record_migrations import MIGRATIONS, SCHEMA_VERSION, up_to_date

# as release 0.1.0 stored it, with the digest that it computed
FIRST = {
    "title": "全脑 whole brain",
    "species": "mouse",
    "licence": "CC-BY-4.0",
    "description": "",
    "lab": "",
    "subject": {"name": "m1", "species": "mouse", "sex": "female", "age": "P56", "strain": ""},
    "specimen": {"name": "", "part": "brain", "preparation": ""},
    "acquisition": {
        "modality": "light sheet",
        "instrument": "UltraMicroscope",
        "stain": "GFP; c-Fos",
        "voxel_size_um": [5.0, 2.0, 2.0],
        "orientation": "SAR",
        "time_step_s": None,
    },
    "contributors": [{"name": "A. Person", "role": "author", "orcid": "0000-0001"}],
    "keywords": ["小鼠", "light sheet"],
    "citation": "",
    "source": "",
}
FIRST_DIGEST = "4a25de8519bd028fe8f055389375ea87d608d95a7f281ce46d19df18db052e17"
ASSET = Asset("local-1", "brain", AssetKind.VOLUME, "assets/1", 10, 5, "d" * 64)


def test_there_is_a_step_from_each_schema_to_the_next():
    assert len(MIGRATIONS) == SCHEMA_VERSION - 1


def test_a_record_of_the_first_schema_is_read_and_stays_as_it_was():
    before = copy.deepcopy(FIRST)
    record = record_from_json(FIRST)
    assert before == FIRST
    assert record.acquisition.stains == ("GFP", "c-Fos")
    assert record.acquisition.voxel_size_um == (5.0, 2.0, 2.0)
    assert (record.subject.age, record.contributors[0].orcid) == ("P56", "0000-0001")
    assert (record.doi, record.funding, record.schema_version) == ("", (), SCHEMA_VERSION)
    assert record_from_json(record_to_json(record)) == record


def test_the_digest_of_a_version_of_the_first_release_is_still_what_it_was():
    """It was worked out over one layer; manifests are trees since, and both are known."""
    stored = Version("v", "d", 1, VersionState.PUBLISHED, FIRST_DIGEST, record_from_json(FIRST), datetime.now(UTC))
    stored = replace(stored, assets=(ASSET,), document=FIRST)
    assert fits_digest(stored)
    assert fits_digest(replace(stored, digest=version_digest(FIRST, [ASSET])))
    assert not fits_digest(replace(stored, document=record_to_json(record_from_json(FIRST))))
    assert not fits_digest(replace(stored, assets=()))


def test_a_lost_part_of_a_manifest_is_proved_by_its_leaf():
    digest = version_digest(FIRST, [ASSET])
    kept = Version("v", "d", 1, VersionState.PUBLISHED, digest, record_from_json(FIRST), datetime.now(UTC))
    assert fits_digest(kept, {"record": record_leaf(FIRST), ASSET.id: asset_leaf(ASSET)})
    assert not fits_digest(kept, {"record": record_leaf(FIRST), ASSET.id: record_leaf(FIRST)})
    assert not fits_digest(kept, {"record": record_leaf(FIRST)})


@pytest.mark.parametrize(
    ("stain", "apart"), [("", []), ("DAPI", ["DAPI"]), ("DAPI, GFP；c-Fos、NeuN", ["DAPI", "GFP", "c-Fos", "NeuN"])]
)
def test_stains_that_were_one_text_come_apart(stain, apart):
    assert up_to_date({"acquisition": {"stain": stain}})["acquisition"] == {"stains": apart}


@pytest.mark.parametrize("version", [0, SCHEMA_VERSION + 1, "2", None, -1])
def test_a_schema_that_there_is_not_is_named(version):
    with pytest.raises(Invalid, match="schema"):
        up_to_date({**FIRST, "schema_version": version})


def test_a_record_of_today_is_taken_as_it_is():
    today = record_to_json(record_from_json(FIRST))
    assert today["schema_version"] == SCHEMA_VERSION
    assert up_to_date(today) == today
