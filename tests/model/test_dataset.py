from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from pulvinar.model.dataset import Asset, AssetKind, StoredObject, asset_digest, version_digest
from pulvinar.model.record import Contributor, Record, Species, Subject, record_from_json, record_to_json

RECORD = Record(
    title="全脑 whole brain",
    species=Species.MOUSE,
    licence="CC-BY-4.0",
    subject=Subject("m1", Species.MOUSE),
    contributors=(Contributor("A. Person", orcid="0000-0001"),),
    keywords=("小鼠", "light sheet"),
)
OBJECTS = [StoredObject(f"c/{i}", i, f"{i:064x}") for i in range(5)]
ASSET = Asset("local-1", "brain", AssetKind.VOLUME, "assets/1", 10, 5, asset_digest(OBJECTS))


@given(st.permutations(OBJECTS))
def test_a_digest_does_not_depend_on_the_order(objects: list[StoredObject]):
    assert asset_digest(objects) == asset_digest(OBJECTS)


@given(st.integers(0, 4), st.sampled_from(["path", "size_bytes", "sha256"]))
def test_any_change_of_any_object_changes_the_digest(index: int, part: str):
    changed = list(OBJECTS)
    value = 99 if part == "size_bytes" else "other"
    changed[index] = replace(changed[index], **{part: value})
    assert asset_digest(changed) != asset_digest(OBJECTS)


def test_a_version_digest_covers_record_and_assets():
    said = record_to_json(RECORD)
    base = version_digest(said, [ASSET])
    assert version_digest(record_to_json(replace(RECORD, title="other")), [ASSET]) != base
    assert version_digest(said, [replace(ASSET, digest="0")]) != base
    assert version_digest(said, []) != base
    assert version_digest(said, [replace(ASSET, id="local-2", prefix="elsewhere")]) == base


def test_a_record_survives_json():
    assert record_from_json(record_to_json(RECORD)) == RECORD
    assert RECORD.species.ncbi_taxon == "NCBITaxon:10090"
