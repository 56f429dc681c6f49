"""Where an asset lies, as a program and a person are told it, in both languages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from starlette.testclient import TestClient
from tests.atlases.toy import ONTOLOGY, install_toy
from tests.catalogue.conftest import OBJECTS, RECORD, new_asset

import pulvinar
from pulvinar.access.work import UnitOfWork
from pulvinar.atlases.installed import record_atlas
from pulvinar.catalogue import add_asset, create_dataset, open_draft, publish
from pulvinar.catalogue.anchors import set_anchor
from pulvinar.catalogue.versions import get_version
from pulvinar.model.access import ANONYMOUS, LOCAL_OWNER
from pulvinar.model.anchor import Anchor, Certainty, Role
from pulvinar.model.dataset import AssetKind, Version
from pulvinar.platform import Platform, open_platform
from pulvinar.settings import load_settings
from pulvinar.web.anchors import named_anchors
from pulvinar.web.app import create_app

ANCHOR = Anchor(
    "toy",
    "1",
    "toy",
    Certainty.STATED,
    ((0.0, 1.0, 2.0), (10.0, 11.0, 12.0)),
    21.65,
    {Role.SOMA: {11: 1.0}, Role.LENGTH: {11: 10.0, 614454277: 70.0}},
    {"outside": {"length": 20.0}},
)


@pytest.fixture(scope="module")
def anatomy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A platform with the toy atlas."""
    opened = open_platform(load_settings(environment={}, home=tmp_path_factory.mktemp("anatomy")))
    install_toy(opened)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def shown(anatomy: Platform) -> Version:
    return add_neuron(anatomy)


def add_neuron(platform: Platform, *, published: bool = True, anchor: Anchor = ANCHOR, **details: object) -> Version:
    about = {"count": 3, "findings": [], **details}
    neuron = replace(new_asset("a neuron"), kind=AssetKind.SKELETON, details=about)
    positions = {region.id: at for at, region in enumerate(ONTOLOGY.regions)}
    with UnitOfWork(platform.database, LOCAL_OWNER) as work:
        draft = open_draft(work, create_dataset(work, RECORD).id)
        add_asset(work, draft.id, neuron, OBJECTS)
        for one in (anchor, replace(anchor, atlas="not installed")):
            set_anchor(work.session, neuron.id, one, positions, {})
        if published:
            publish(work, draft.id)
    return get_version(platform.database, LOCAL_OWNER, draft.dataset_id)


def test_a_program_is_told_the_regions_by_name(anatomy: Platform, shown: Version, serving):
    with serving(anatomy) as address:
        brains = pulvinar.connect(address)
        (told,) = brains.dataset(shown.dataset_id).asset("a neuron").anchors()
        brains.close()
    assert (told["atlas"], told["certainty"], told["error_um"]) == ("toy", "stated", 21.65)
    assert told["box_um"] == [[0, 1, 2], [10, 11, 12]]
    assert told["stale"] is False
    assert told["details"] == {"outside": {"length": 20}}
    regions = [(one["role"], one["id"], one["name_zh"], one["value"]) for one in told["regions"]]
    assert regions == [("length", 614454277, "丘脑", 70.0), ("length", 11, "", 10.0), ("soma", 11, "", 1.0)]


def test_of_a_draft_others_are_told_nothing(anatomy: Platform):
    draft = add_neuron(anatomy, published=False)
    (asset,) = draft.assets
    assert set(named_anchors(anatomy, LOCAL_OWNER, [asset.id])) == {asset.id}
    assert named_anchors(anatomy, ANONYMOUS, [asset.id]) == {}
    visitors = TestClient(create_app(replace(anatomy, settings=replace_public(anatomy))))
    assert visitors.get(f"/api/v1/assets/{draft.digest}/{asset.id}/anchors").status_code == 404


def replace_public(platform: Platform):
    return platform.settings.model_copy(update={"public": True})


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ["Where in the brain", "cortex layer 1", "Stated by the lab", "± 21.65 µm", "A toy brain"]),
        ("zh", ["在脑中的位置", "由实验室说明", "玩具脑"]),
    ],
)
def test_a_person_reads_where_it_lies(anatomy: Platform, shown: Version, language: str, words: list[str]):
    client = TestClient(create_app(anatomy), headers={"accept": "text/html"})
    page = client.get(f"/datasets/{shown.dataset_id}", params={"lang": language}).text
    for one in words:
        assert one in page
    assert page.count('<th scope="row">a neuron</th>') == 1
    assert f'/assets/{shown.assets[0].id}/neuron?version=1">a neuron</a>' in page


def test_shares_are_of_the_whole_with_what_lies_outside(anatomy: Platform, shown: Version):
    ((anchor,),) = named_anchors(anatomy, LOCAL_OWNER, [shown.assets[0].id]).values()
    assert {(one.role, one.region.id): one.share for one in anchor.regions} == {
        ("length", 614454277): 0.7,
        ("length", 11): 0.1,
        ("soma", 11): None,
    }
    assert [one.role for one in anchor.first] == ["soma"]


def test_an_anchor_of_an_older_version_of_its_atlas_is_told_as_such(tmp_path):
    with open_platform(load_settings(environment={}, home=tmp_path)) as platform:
        found = install_toy(platform)
        version = add_neuron(platform)
        with platform.database.writing() as session:
            record_atlas(session, replace(found.atlas, version="2"), found.dataset_id)
        (told,) = named_anchors(platform, LOCAL_OWNER, [version.assets[0].id])[version.assets[0].id]
        assert (told.anchor.atlas_version, told.anchor.stale) == ("1", True)
        with TestClient(create_app(platform)) as browser:
            address = f"/datasets/{version.dataset_id}"
            page = browser.get(address, params={"lang": "en"}, headers={"accept": "text/html"}).text
            assert "as version 1 had it: to be renewed" in page
            page = browser.get(address, params={"lang": "zh"}, headers={"accept": "text/html"}).text
            assert "有待更新" in page


def test_what_was_anchored_through_a_path_says_so_and_is_not_drawn_where_its_own_numbers_are(tmp_path):
    with open_platform(load_settings(environment={}, home=tmp_path)) as platform:
        install_toy(platform)
        through = replace(ANCHOR, details={"from_space": "scan", "path": [{"transform": "scan to toy"}]})
        version = add_neuron(platform, anchor=through, space={"name": "scan", "certainty": "stated"})
        (asset,) = version.assets
        with TestClient(create_app(platform)) as browser:
            page = browser.get(f"/datasets/{version.dataset_id}", params={"lang": "en"}).text
            assert "by transforms from scan" in page
            listed = browser.get("/atlases/toy/neurons", params={"lang": "en"}).text
            assert "a neuron" in listed
            assert f"view?asset={asset.id}" not in listed
            refused = browser.get("/api/v1/atlases/toy/scene", params={"asset": asset.id}).json()["error"]
        assert (refused["code"], refused["message"]) == ("invalid", "a neuron is in scan, the atlas is in toy")
