"""How data were made goes out as an RO-Crate and as PROV, which the libraries of their makers read."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.catalogue.metadata_formats.test_formats import FULL

from pulvinar.catalogue.metadata_formats import FormatName, write_text
from pulvinar.model.dataset import Asset, AssetKind, Version, VersionState
from pulvinar.model.derivation import Derivation, derivation_to_json
from pulvinar.model.job import JobInput

NOW = datetime(2026, 3, 14, 9, 30, tzinfo=UTC)
MADE = Derivation(
    job_id="local-01job",
    output="aligned",
    solution="align",
    solution_version="1",
    inputs=(
        JobInput("image", "local-01brain", 2, "ab" * 32, "local-01image"),
        JobInput("template", "local-01atlas", 1, "cd" * 32, "local-01template"),
    ),
    parameters={"channel": 0, "carry_regions": True},
    actor_id="local-owner",
    actor_name="local owner",
    engine="slurm",
    commit="0123456789abcdef",
    libraries={"numpy": "2.4", "picsl-greedy": "1.4"},
    started=NOW,
    ended=NOW,
)


@pytest.fixture
def version() -> Version:
    def made(asset_id: str, output: str) -> Asset:
        told = json.loads(json.dumps(derivation_to_json(replace(MADE, output=output))))
        return Asset(asset_id, output, AssetKind.VOLUME, f"assets/{asset_id}", 9, 1, "ef" * 32, {"derivation": told})

    brought = Asset("local-01notes", "notes", AssetKind.TABLE, "assets/local-01notes", 9, 1, "01" * 32, {})
    assets = (made("local-01aligned", "aligned"), made("local-01regions", "regions"), brought)
    return Version("v", "d", 1, VersionState.PUBLISHED, "23" * 32, FULL, NOW, NOW, assets)


def test_a_crate_tells_what_was_made_from_what_by_what(version: Version, tmp_path: Path):
    from rocrate.rocrate import ROCrate

    (tmp_path / "ro-crate-metadata.json").write_text(write_text(version, FormatName.RO_CRATE), "utf-8")
    crate = ROCrate(tmp_path)
    assert crate.name == FULL.title
    (action,) = crate.get_by_type("CreateAction")
    assert {one.id for one in action["result"]} == {"assets/local-01aligned/", "assets/local-01regions/"}
    used = {one["name"] for one in action["object"]}
    assert used == {"image", "template", "channel", "carry_regions"}
    assert action["instrument"]["softwareVersion"] == "1+0123456789abcdef"
    assert action["agent"]["name"] == "local owner"
    notes = crate.dereference("assets/local-01notes/")
    assert notes["name"] == "notes"


def test_prov_is_read_by_the_library_of_the_standard(version: Version):
    from prov.model import ProvActivity, ProvDerivation, ProvDocument, ProvEntity, ProvGeneration, ProvUsage

    document = ProvDocument.deserialize(content=write_text(version, FormatName.PROV), format="json")
    (job,) = document.get_records(ProvActivity)
    assert job.get_startTime() == NOW
    assert len(list(document.get_records(ProvUsage))) == 2
    generated = {str(one.args[0]) for one in document.get_records(ProvGeneration)}
    assert generated == {"pulvinar:local-01aligned", "pulvinar:local-01regions"}
    assert len(list(document.get_records(ProvDerivation))) == 4
    entities = {str(one.identifier) for one in document.get_records(ProvEntity)}
    assert "pulvinar:local-01notes" in entities


def test_made_data_are_a_bids_derivative(version: Version):
    told = json.loads(write_text(version, FormatName.BIDS))["dataset_description.json"]
    assert told["DatasetType"] == "derivative"
    assert [one["Name"] for one in told["GeneratedBy"]] == ["Pulvinar align"]
    sources = [one["URL"] for one in told["SourceDatasets"]]
    assert sources == ["urn:pulvinar:local-01brain", "urn:pulvinar:local-01atlas"]
    brought = replace(version, assets=version.assets[2:])
    told = json.loads(write_text(brought, FormatName.BIDS))["dataset_description.json"]
    assert told["DatasetType"] == "raw"
    assert "GeneratedBy" not in told


def test_what_was_brought_in_alone_has_no_action(version: Version):
    brought = replace(version, assets=version.assets[2:])
    kinds = [one["@type"] for one in json.loads(write_text(brought, FormatName.RO_CRATE))["@graph"]]
    assert "CreateAction" not in kinds
    assert "activity" not in json.loads(write_text(brought, FormatName.PROV))
