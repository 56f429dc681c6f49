"""A connectivity matrix as arcs between the regions of an atlas."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from tests.catalogue.conftest import RECORD
from tests.web.accounts import browser

from pulvinar.access.work import UnitOfWork
from pulvinar.atlases.installed import find_atlas
from pulvinar.catalogue import add_asset, create_dataset, open_draft, publish
from pulvinar.catalogue.sharing import set_tier
from pulvinar.ingest.anchor_names import side_named
from pulvinar.ingest.geometry import geometry_files
from pulvinar.ingest.reader import ConnectivityData
from pulvinar.model.access import LOCAL_OWNER, Tier
from pulvinar.model.dataset import Asset, AssetKind, StoredObject, asset_digest
from pulvinar.model.identity import new_id

NAMES = np.array(["cortex layer 1", "L_thalamus", "R_thalamus", "no such region"], dtype=object)
VALUES = np.array([[9, 5, -7, 99], [5, 0, 1, 99], [-7, 1, 0, 99], [99, 99, 99, 0]], float)


@pytest.fixture(scope="module")
def platform(public_with_atlas):
    return public_with_atlas


def add_matrix(platform, tier=Tier.PUBLIC) -> str:
    made, asset_id = geometry_files(ConnectivityData(VALUES, NAMES, NAMES, "streamlines"), "matrix"), new_id()
    objects = []
    for path, content in made.files.items():
        platform.store.put_bytes(f"assets/{asset_id}/{path}", content)
        objects.append(StoredObject(path, len(content), hashlib.sha256(content).hexdigest()))
    size = sum(one.size_bytes for one in objects)
    about = (f"assets/{asset_id}", size, len(objects), asset_digest(objects), dict(made.details))
    asset = Asset(asset_id, "matrix", AssetKind.CONNECTIVITY, *about)
    with UnitOfWork(platform.database, LOCAL_OWNER) as work:
        draft = open_draft(work, create_dataset(work, RECORD).id)
        add_asset(work, draft.id, asset, tuple(objects))
        publish(work, draft.id)
        if tier is not Tier.PUBLIC:
            set_tier(work, draft.dataset_id, tier)
    return asset_id


def test_the_strongest_connections_come_first_and_each_pair_once(platform):
    asset = add_matrix(platform)
    with browser(platform, accept="application/json") as client:
        told = client.get("/api/v1/atlases/toy/arcs", params={"asset": asset}).json()
        few = client.get("/api/v1/atlases/toy/arcs", params={"asset": asset, "limit": 1}).json()
        page = client.get(f"/atlases/toy/view?arcs={asset}", headers={"accept": "text/html"}).text
    assert (told["name"], told["directed"], told["named"], told["parcels"]) == ("matrix", False, 3, 4)
    assert [one["value"] for one in told["arcs"]] == [-7.0, 5.0, 1.0]
    assert {told["arcs"][0]["source"], told["arcs"][0]["target"]} == {"cortex layer 1", "thalamus"}
    assert few["arcs"] == told["arcs"][:1]
    assert f"arcs={asset}" in page


def test_a_parcel_lies_on_the_side_that_its_name_says(platform):
    asset = add_matrix(platform)
    with browser(platform, accept="application/json") as client:
        told = client.get("/api/v1/atlases/toy/arcs", params={"asset": asset}).json()["arcs"]
    both = next(one for one in told if one["source"] == one["target"] == "thalamus")
    midline = find_atlas(platform.database, LOCAL_OWNER, "toy").atlas.midline_um
    assert both["source_um"][2] < midline < both["target_um"][2], "one on either side"
    names = ("L_thalamus", "Precentral R", "rh.V1", "left-V1", "lateral V1", "thalamus")
    assert [side_named(one) for one in names] == ["left", "right", "right", "left", "", ""]


def test_who_may_not_read_the_matrix_gets_nothing(platform):
    asset = add_matrix(platform, Tier.PRIVATE)
    with browser(platform, accept="application/json") as client:
        for wanted in (asset, "nothing"):
            assert client.get("/api/v1/atlases/toy/arcs", params={"asset": wanted}).status_code == 404
