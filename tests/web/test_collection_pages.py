"""Pages of collections, as people use them: make one, fill it, order it, show it."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from tests.catalogue.conftest import OBJECTS, RECORD, new_asset
from tests.web.accounts import browser, signed_in

from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue import add_asset, create_dataset, open_draft, publish
from pulvinar.model.access import LOCAL_OWNER
from pulvinar.model.dataset import AssetKind
from pulvinar.platform import open_platform
from pulvinar.settings import load_settings


@pytest.fixture
def platform(tmp_path):
    with open_platform(load_settings(environment={}, home=tmp_path, public=True)) as opened:
        yield opened


def a_dataset(platform, title):
    with UnitOfWork(platform.database, LOCAL_OWNER) as work:
        draft = open_draft(work, create_dataset(work, replace(RECORD, title=title)).id)
        add_asset(work, draft.id, replace(new_asset(title), kind=AssetKind.TABLE), OBJECTS)
        publish(work, draft.id)
    return draft.dataset_id


def order(page):
    return re.findall(r'card-title">([^<]+)<', page)


def test_a_person_makes_fills_orders_and_shows_one(platform):
    first, second = a_dataset(platform, "The first"), a_dataset(platform, "The second")
    with signed_in(platform) as ada, browser(platform) as visitor:
        assert f"/collections?add={first}" in ada.get(f"/datasets/{first}").text
        made = ada.post("/collections", data={"title": "Of a paper", "description": "Why", "dataset": first})
        address = made.headers["location"]
        added = ada.post(
            f"{address}/datasets", data={"do": "add", "dataset": f"https://here/datasets/{second}?version=1"}
        )
        assert added.status_code == 303
        assert order(ada.get(address).text) == ["The first", "The second"]
        ada.post(f"{address}/datasets", data={"do": "up", "dataset": second})
        assert order(ada.get(address).text) == ["The second", "The first"]
        assert visitor.get(address).status_code == 404
        assert "Of a paper" not in visitor.get("/").text
        ada.post(f"{address}/audience", data={"audience": "everyone"})
        page = visitor.get(address).text
        assert order(page) == ["The second", "The first"]
        assert "Order and contents" not in page
        for path in ("/", "/collections", f"/datasets/{first}"):
            assert address in visitor.get(path).text
        assert visitor.post(address, data={"title": "Mine"}).status_code == 403
        ada.post(f"{address}/datasets", data={"do": "remove", "dataset": first})
        assert order(visitor.get(address).text) == ["The second"]
        assert ada.post(f"{address}/delete").status_code == 303
        assert visitor.get(address).status_code == 404


def test_what_is_wrong_is_said_and_what_was_written_stays(platform):
    with signed_in(platform) as ada:
        answer = ada.post("/collections", data={"title": " ", "description": "Kept words"})
        assert answer.status_code == 422
        assert "Kept words" in answer.text


def test_a_visitor_is_told_what_collections_are(platform):
    with browser(platform) as visitor:
        page = visitor.get("/collections").text
        assert "No collection yet" in page
        assert "Make a collection" not in page
        assert visitor.post("/collections", data={"title": "A visitor's"}).status_code == 403
