"""The page of one neuron: what it says, whom it compares with, its file, and who reads what."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pytest
from starlette.testclient import TestClient
from tests.atlases.toy import ONTOLOGY
from tests.catalogue.conftest import RECORD
from tests.web.accounts import browser
from tests.web.test_anchors import ANCHOR

from pulvinar.access.work import UnitOfWork
from pulvinar.atlases.installed import find_atlas
from pulvinar.catalogue import add_asset, create_dataset, open_draft, publish
from pulvinar.catalogue.anchors import set_anchor
from pulvinar.catalogue.neurons import similar_neurons
from pulvinar.catalogue.sharing import set_tier
from pulvinar.catalogue.versions import get_version
from pulvinar.ingest.geometry import geometry_files
from pulvinar.ingest.reader import SkeletonData
from pulvinar.model.access import ANONYMOUS, LOCAL_OWNER, Tier
from pulvinar.model.anchor import Role
from pulvinar.model.dataset import Asset, AssetKind, StoredObject, asset_digest
from pulvinar.model.identity import new_id
from pulvinar.web.app import create_app

ENGLISH = {"accept": "text/html", "accept-language": "en"}
CORTEX_1, THALAMUS = 11, 614454277
POSITIONS = {region.id: at for at, region in enumerate(ONTOLOGY.regions)}


def add_neuron(platform, name, lengths, *, soma=CORTEX_1, tier=Tier.PUBLIC):
    places = np.array([[0.0, 0, 0], [10, 0, 0], [10, 20, 0], [10, 0, 30.5]])
    radii = np.array([4, 1, 1, np.nan], np.float32)
    data = SkeletonData(
        places, radii, np.array([-1, 0, 1, 1]), np.array([1, 2, 2, 2], np.int16), np.array([7, 8, 9, 12])
    )
    made, asset_id = geometry_files(data, name), new_id()
    objects = []
    for path, content in made.files.items():
        platform.store.put_bytes(f"assets/{asset_id}/{path}", content)
        objects.append(StoredObject(path, len(content), hashlib.sha256(content).hexdigest()))
    size = sum(one.size_bytes for one in objects)
    about = (f"assets/{asset_id}", size, len(objects), asset_digest(objects), dict(made.details))
    asset = Asset(asset_id, name, AssetKind.SKELETON, *about)
    anchor = replace(ANCHOR, shares={Role.SOMA: {soma: 1.0}, Role.LENGTH: lengths, Role.END: {CORTEX_1: 2.0}})
    with UnitOfWork(platform.database, LOCAL_OWNER) as work:
        draft = open_draft(work, create_dataset(work, replace(RECORD, title=f"Dataset of {name}")).id)
        add_asset(work, draft.id, asset, tuple(objects))
        set_anchor(work.session, asset_id, anchor, POSITIONS, {})
        publish(work, draft.id)
        if tier is not Tier.PUBLIC:
            set_tier(work, draft.dataset_id, tier)
    return get_version(platform.database, LOCAL_OWNER, draft.dataset_id)


def page_of(version):
    return f"/datasets/{version.dataset_id}/assets/{version.assets[0].id}/neuron"


@pytest.fixture(scope="module")
def platform(public_with_atlas):
    return public_with_atlas


@pytest.fixture(scope="module")
def neurons(platform):
    return {
        "one": add_neuron(platform, "one", {CORTEX_1: 30.0, THALAMUS: 70.0}),
        "alike": add_neuron(platform, "alike", {CORTEX_1: 31.0, THALAMUS: 69.0}),
        "other": add_neuron(platform, "other", {CORTEX_1: 99.0, THALAMUS: 1.0}, soma=THALAMUS),
        "controlled": add_neuron(platform, "controlled", {THALAMUS: 1.0}, tier=Tier.CONTROLLED),
        "private": add_neuron(platform, "private", {CORTEX_1: 30.0, THALAMUS: 70.0}, tier=Tier.PRIVATE),
    }


@pytest.fixture(scope="module")
def visitor(platform, neurons):
    return TestClient(create_app(platform), headers=ENGLISH)


def test_it_says_its_size_its_soma_and_where_it_runs_and_ends(visitor, neurons):
    page = visitor.get(page_of(neurons["one"])).text
    for text in ("0.0605 mm", "cortex layer 1", "58.33 %", "25 %", "Neurons that run alike", "See it in 3D"):
        assert text in page, text
    assert page.index("thalamus") < page.index('regions/11">cortex layer 1</a></th>')
    assert "丘脑" in visitor.get(page_of(neurons["one"]), params={"lang": "zh"}).text


def test_neurons_that_run_alike_come_first_and_hidden_ones_never(platform, visitor, neurons):
    one = neurons["one"].assets[0].id
    found = similar_neurons(platform.database, ANONYMOUS, "toy", one, {CORTEX_1: 30.0, THALAMUS: 70.0})
    assert [neuron.name for neuron, _ in found] == ["alike", "controlled", "other"]
    assert found[0][1] > 0.999 > found[1][1]
    page = visitor.get(page_of(neurons["one"])).text
    assert page_of(neurons["alike"]) in page
    assert neurons["private"].assets[0].id not in page
    owner = similar_neurons(platform.database, LOCAL_OWNER, "toy", one, {CORTEX_1: 30.0, THALAMUS: 70.0})
    assert owner[0][0].name == "private"
    assert similar_neurons(platform.database, ANONYMOUS, "toy", one, {}) == ()


def test_its_swc_has_its_nodes_in_micrometres(visitor, neurons):
    answer = visitor.get(page_of(neurons["one"]) + ".swc")
    assert 'filename="one.swc"' in answer.headers["content-disposition"]
    lines = [line.split() for line in answer.text.splitlines() if not line.startswith("#")]
    assert lines == [
        ["7", "1", "0", "0", "0", "4", "-1"],
        ["8", "2", "0", "0", "10", "1", "7"],
        ["9", "2", "0", "20", "10", "1", "8"],
        ["12", "2", "30.5", "0", "10", "0", "8"],
    ]
    assert neurons["one"].digest in answer.text


def test_who_sees_the_record_alone_gets_neither_picture_nor_file(platform, visitor, neurons):
    page = visitor.get(page_of(neurons["controlled"])).text
    assert "Dataset of controlled" in page
    assert "thumbnail" not in page
    assert "neuron.swc" not in page
    assert visitor.get(page_of(neurons["controlled"]) + ".swc").status_code in (401, 403)
    with browser(platform) as client:
        for path in ("", ".swc"):
            assert client.get(page_of(neurons["private"]) + path).status_code == 404


def test_what_is_no_neuron_has_no_such_page(platform, visitor):
    atlas = find_atlas(platform.database, ANONYMOUS, "toy")
    for asset in get_version(platform.database, ANONYMOUS, atlas.dataset_id).assets:
        assert visitor.get(f"/datasets/{atlas.dataset_id}/assets/{asset.id}/neuron").status_code == 404


def test_search_and_the_dataset_lead_to_it(visitor, neurons):
    assert page_of(neurons["one"]) in visitor.get("/", params={"q": "kind:skeleton"}).text
    assert page_of(neurons["one"]) in visitor.get(f"/datasets/{neurons['one'].dataset_id}").text
    assert page_of(neurons["one"]) in visitor.get("/atlases/toy/neurons").text
