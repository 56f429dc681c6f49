"""`within:` of a region: by API, in the list of files and at the command line, with an atlas in a real store."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import pytest
from starlette.testclient import TestClient
from tests.atlases.toy import ONTOLOGY, SPACE, install_toy
from tests.catalogue.archive import Archive, record
from typer.testing import CliRunner

from pulvinar.atlases.trees import keep_tree
from pulvinar.catalogue.places import place_blocks, set_places
from pulvinar.cli.app import app
from pulvinar.errors import Invalid
from pulvinar.model.anchor import PlaceRole
from pulvinar.model.dataset import AssetKind
from pulvinar.model.space import Points
from pulvinar.platform import open_platform
from pulvinar.web.app import create_app

# the thalamus reaches along z from 280 um to 700 um, see the toy
PLACES = {"inside": 500.0, "above": 250.0, "far above": 0.0, "below": 760.0, "far below": 900.0}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PULVINAR_HOME", str(tmp_path_factory.mktemp("home")))
        with open_platform() as platform:
            toy = install_toy(platform)
            archive = Archive(platform.database)
            with platform.database.writing() as session:
                keep_tree(session, "toy", "1", toy.dataset_id, ONTOLOGY)
            for name, z_um in PLACES.items():
                _, asset_id = archive.add(name, record("A neuron"), kind=AssetKind.SKELETON)
                points = Points(SPACE, np.array([[z_um, 1000.0, 2500.0]]))
                with platform.database.writing() as session:
                    set_places(session, asset_id, SPACE.name, {PlaceRole.NODE: place_blocks(points)})
            yield TestClient(create_app(platform))


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("within:0um of:thalamus", {"inside"}),
        ("within:60um of:thalamus", {"inside", "above", "below"}),
        ("neuron 距离:60um of:丘脑 -below", {"inside", "above"}),
        ('within:1mm of:"fiber tracts"', set(PLACES)),
        ("within:270um of:thalamus within:300um of:(2500,1000,0)@toy", {"above", "far above"}),
    ],
)
def test_what_is_near_a_region_is_found(client: TestClient, asked: str, found: set[str]) -> None:
    answer = client.get("/api/v1/search", params={"q": asked}).json()
    assert {one["asset"]["name"] for one in answer["items"]} == found


def test_the_files_and_the_command_line_know_it_too(client: TestClient) -> None:
    lines = client.get("/api/v1/search/manifest", params={"q": "within:60um of:thalamus"}).text.splitlines()
    assert {json.loads(line)["asset_name"] for line in lines} == {"inside", "above", "below"}
    said = CliRunner().invoke(app, ["search", "within:60um of:thalamus", "--json"])
    assert {one["name"] for one in json.loads(said.stdout)} == {"inside", "above", "below"}


def test_what_can_not_be_told_is_pointed_at(client: TestClient) -> None:
    answer = client.get("/api/v1/search", params={"q": "neuron within:60um of:thalamos"}).json()["error"]
    assert (answer["code"], answer["at"]) == ("query_error", 7)
    assert "thalamus" in answer["hint"]
    answer = client.get("/api/v1/search", params={"q": "neuron within:60um of:(1,2,3)@elsewhere"}).json()["error"]
    assert (answer["code"], answer["at"]) == ("query_error", 7)
    assert "there are toy" in answer["hint"]
    said = CliRunner().invoke(app, ["search", "within:60um of:(1,2,3)@elsewhere"])
    assert isinstance(said.exception, Invalid)
