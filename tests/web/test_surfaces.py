"""Surfaces over HTTP and as a page: what there is, the values of a map, and who may read them."""

from __future__ import annotations

import base64
import hashlib

import numpy as np
import pytest
from tests.catalogue.conftest import RECORD
from tests.web.accounts import browser

from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue import add_asset, create_dataset, open_draft, publish
from pulvinar.catalogue.sharing import set_tier
from pulvinar.ingest.geometry import geometry_files
from pulvinar.ingest.reader import MeshData, TableData
from pulvinar.model.access import LOCAL_OWNER, Tier
from pulvinar.model.dataset import Asset, AssetKind, StoredObject, asset_digest
from pulvinar.model.identity import new_id

PLACES = np.array([[0.0, 0, 0], [1000, 0, 0], [0, 2000, 0], [0, 0, 3000]])
FACES = np.array([[0, 1, 2], [0, 2, 3]])


@pytest.fixture(scope="module")
def platform(public_with_atlas):
    return public_with_atlas


def add(platform, named, tier=Tier.PUBLIC) -> tuple[str, list[str]]:
    """A published dataset of these things; its identifier, and those of its assets."""
    with UnitOfWork(platform.database, LOCAL_OWNER) as work:
        draft = open_draft(work, create_dataset(work, RECORD).id)
        ids = []
        for name, data in named.items():
            made, asset_id = geometry_files(data, name), new_id()
            objects = []
            for path, content in made.files.items():
                platform.store.put_bytes(f"assets/{asset_id}/{path}", content)
                objects.append(StoredObject(path, len(content), hashlib.sha256(content).hexdigest()))
            size = sum(one.size_bytes for one in objects)
            about = (f"assets/{asset_id}", size, len(objects), asset_digest(objects), dict(made.details))
            kind = AssetKind.MESH if isinstance(data, MeshData) else AssetKind.TABLE
            add_asset(work, draft.id, Asset(asset_id, name, kind, *about), tuple(objects))
            ids.append(asset_id)
        publish(work, draft.id)
        if tier is not Tier.PUBLIC:
            set_tier(work, draft.dataset_id, tier)
    return draft.dataset_id, ids


CORTEX = {
    "lh.pial": MeshData(PLACES, FACES, {}),
    "lh.inflated": MeshData(PLACES * 2, FACES, {}),
    "z_left": TableData({"vertex": np.arange(4), "zscore": np.array([-3.0, 0.5, np.nan, 4])}),
}


def test_what_there_is_and_the_values_of_a_map(platform):
    dataset, (pial, inflated, z) = add(platform, CORTEX)
    with browser(platform, accept="application/json") as client:
        told = client.get(f"/api/v1/surfaces/{dataset}").json()
        assert [(one["asset"], one["form"], one["side"], one["vertices"]) for one in told["surfaces"]] == [
            (pial, "pial", "left", 4),
            (inflated, "inflated", "left", 4),
        ]
        assert told["maps"] == [{"name": "z", "parts": [{"side": "left", "asset": z, "column": "zscore"}]}]
        mesh = client.get(told["surfaces"][0]["source"]).content
        assert int.from_bytes(mesh[:4], "little") == 4
        assert np.frombuffer(mesh, "<f4", 12, 4).reshape(4, 3)[3].tolist() == [3e6, 0, 0]
        asked = {"column": "zscore", "surface": inflated}
        values = client.get(f"/api/v1/surfaces/{dataset}/assets/{z}", params=asked).json()
        found = np.frombuffer(base64.b64decode(values["values"]), "<f4")
        assert np.array_equal(found, [-3, 0.5, np.nan, 4], equal_nan=True)
        assert values["words"] is None
        for wrong in ({**asked, "column": "t"}, {**asked, "surface": z}):
            assert client.get(f"/api/v1/surfaces/{dataset}/assets/{z}", params=wrong).status_code == 404


def test_its_page_is_linked_where_there_is_something_to_see(platform):
    dataset, _ = add(platform, CORTEX)
    outline, _ = add(platform, {"ZfKunst2019": MeshData(PLACES, FACES, {})})
    empty, _ = add(platform, {"z_left": CORTEX["z_left"]})
    with browser(platform) as client:
        assert f"/datasets/{dataset}/surface?version=1" in client.get(f"/datasets/{dataset}").text
        assert "/surface?" not in client.get(f"/datasets/{outline}").text
        page = client.get(f"/datasets/{dataset}/surface")
        assert f'data="/api/v1/surfaces/{dataset}?version=1"' in page.text
        assert "'unsafe-eval'" in page.headers["content-security-policy"]
        assert client.get(f"/datasets/{empty}/surface").status_code == 404
        assert client.get(f"/datasets/{empty}/surface", headers={"accept-language": "zh"}).status_code == 404


def test_values_are_for_who_may_read(platform):
    dataset, (pial, _, z) = add(platform, CORTEX, Tier.PRIVATE)
    with browser(platform, accept="application/json") as client:
        for address in (f"/{dataset}", f"/{dataset}/assets/{z}?column=zscore&surface={pial}"):
            assert client.get(f"/api/v1/surfaces{address}").status_code == 404
