"""The search by API, by Python and on the page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from starlette.testclient import TestClient

import pulvinar
from pulvinar.errors import Invalid
from pulvinar.web.app import create_app

Shown = Any


@pytest.fixture(scope="module")
def client(platform):
    return TestClient(create_app(platform))


@pytest.fixture
def brains(address: str):
    client = pulvinar.connect(address)
    yield client
    client.close()


def test_a_question_finds_assets_with_reasons_and_counts(client, image, labels):
    answer = client.get("/api/v1/search", params={"q": "labels kind:volume", "facets": "true"}).json()
    assert [one["asset"]["id"] for one in answer["items"]] == [labels.asset.id]
    assert ("kind", "volume") in {(why["where"], why["found"]) for why in answer["items"][0]["why"]}
    assert answer["count"] == 1
    assert answer["facets"]["kind"][0]["count"] == 1
    assert client.get("/api/v1/search", params={"q": "物种：小鼠", "limit": 1}).json()["next_cursor"]


def test_a_question_that_is_not_understood_says_where(client):
    answer = client.get("/api/v1/search", params={"q": "brain specis:mouse"})
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert (error["code"], error["at"]) == ("query_error", 6)
    assert "species" in error["hint"]
    assert client.get("/api/v1/search/manifest", params={"q": "(("}).status_code == 422


def test_suggestions_are_whole_questions(client):
    told = client.get("/api/v1/search/suggest", params={"q": "brain species:zeb"}).json()
    labels = {"label_en": "Zebrafish", "label_zh": "斑马鱼"}
    assert told[0] == {"query": "brain species:zebrafish", "kind": "species", **labels}


def test_a_manifest_is_what_a_program_needs_to_fetch_the_files(address: str, image, tmp_path: Path):
    import hashlib

    lines = httpx2.get(f"{address}/api/v1/search/manifest", params={"q": "image"}).text.splitlines()
    files = [json.loads(line) for line in lines]
    assert {one["path"] for one in files if one["asset"] == image.asset.id}
    for one in files[:5]:
        data = httpx2.get(one["url"]).content
        assert len(data) == one["size_bytes"]
        assert hashlib.sha256(data).hexdigest() == one["sha256"]
    answer = httpx2.get(f"{address}/api/v1/search/manifest", params={"q": "image", "format": "metalink"})
    assert answer.headers["content-type"] == "application/metalink4+xml"
    assert "pulvinar-files.meta4" in answer.headers["content-disposition"]


def test_python_finds_and_opens_what_is_found(brains, image):
    found = brains.find("image kind:volume")
    ids = [asset.id for asset in found]
    assert image.asset.id in ids
    opened = {asset.id: array for asset, array in found.open_all()}
    assert np.array_equal(opened[image.asset.id].values, image.voxels)
    assert found.facets()["kind"] == {"volume": len(ids)}
    assert {one["asset"] for one in found.manifest()} == set(ids)
    with pytest.raises(Invalid, match="not a field"):
        list(brains.find("specis:mouse"))
    with pytest.raises(Invalid, match="not a field"):
        list(brains.find("specis:mouse").manifest())


def test_the_page_shows_assets_reasons_and_facets_in_both_languages(client, labels):
    english = client.get("/", params={"q": "labels kind:volume", "lang": "en"}).text
    assert f"/datasets/{labels.version.dataset_id}#{labels.asset.id}" in english
    assert "1 asset found" in english
    assert "Kind: volume" in english
    assert "labels+kind%3Avolume+species%3A%22mouse%22" in english
    assert "Name: labels" in client.get("/", params={"q": "labels"}).text
    chinese = client.get("/", params={"q": "labels 类型：体数据", "lang": "zh"}).text
    assert "找到 1 个数据项" in chinese
    assert "类型: 体数据" in chinese
    client.get("/?lang=en")


def test_the_page_points_at_what_it_does_not_understand(client):
    page = client.get("/", params={"q": "brain specis:mouse"})
    assert page.status_code == 200
    assert "brain specis:mouse\n      ^" in page.text
    assert "did you mean species:" in page.text


def test_a_question_is_asked_by_a_form_without_knowing_the_language(client, labels):
    answer = client.get("/find", params={"words": "labels", "kind": "volume"}, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/?q=labels+kind%3Avolume")
    page = client.get("/find", params={"words": "labels", "kind": "volume", "lang": "en"}).text
    assert "1 asset found" in page
    assert '<option value="volume" selected>Volume</option>' in page
    assert '<input id="ask-words" name="words" value="labels"' in page
    assert "Ask by region and place" in page
    asked = {"soma": "Field CA1", "end": "丘脑", "box_from": "1 2 3", "box_to": "4, 5, 6", "space": "allen_ccfv3"}
    to = httpx2.URL(client.get("/find", params=asked, follow_redirects=False).headers["location"])
    assert to.params["q"] == 'soma:"Field CA1" end:"丘脑" box:(1,2,3)..(4,5,6)@allen_ccfv3'


def test_parts_of_a_question_are_taken_away_one_by_one(client):
    page = client.get("/", params={"q": "labels kind:volume -virus", "lang": "en"}).text
    assert '<a href="/?q=labels+-virus" aria-label="Ask without kind:volume">' in page
    chinese = client.get("/", params={"q": "labels kind:volume", "lang": "zh"}).text
    assert 'aria-label="去掉条件 kind:volume"' in chinese
    assert "按脑区和位置查找" in chinese
    assert "去掉条件" not in client.get("/", params={"q": "labels"}).text
    assert "Ask without" not in client.get("/", params={"q": "specis:mouse ((", "lang": "en"}).text


def test_nobody_is_offered_what_is_no_region(client):
    assert client.get("/find/regions", params={"region": 'zzz"'}).text.strip() == ""
    assert client.get("/find/regions").text.strip() == ""
