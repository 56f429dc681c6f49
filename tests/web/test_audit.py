"""The log over HTTP: for owners alone, page by page; and every read of controlled data is counted."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select
from tests.web.accounts import signed_in
from tests.web.conftest import add_dataset, stored_volume

from pulvinar.access.audit_chain import verify_chain
from pulvinar.access.reads import ReadCounter, reads_of
from pulvinar.access.refusals import Refusal, RefusalCounter
from pulvinar.access.tables import event
from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue.sharing import set_tier
from pulvinar.model.access import LOCAL_OWNER, Right, Tier
from pulvinar.model.volume import VolumeKind
from pulvinar.platform import Platform, open_platform
from pulvinar.settings import load_settings
from pulvinar.web.app import create_app
from pulvinar.web.reads import CountedReads, Reading

ENGLISH = {"accept": "text/html", "accept-language": "en"}


@pytest.fixture
def platform(tmp_path) -> Iterator[Platform]:
    with open_platform(load_settings(environment={}, home=tmp_path / "home")) as opened:
        yield opened


@pytest.fixture
def brain(platform):
    """A published volume of controlled data: its version and asset."""
    voxels = np.random.default_rng(1).integers(0, 4000, (1, 1, 40, 50, 60)).astype(np.uint16)
    asset, objects = stored_volume(platform, "secret", voxels, VolumeKind.IMAGE)
    version = add_dataset(platform, "A controlled brain", [(asset, objects)])
    with UnitOfWork(platform.database, platform.actor) as work:
        set_tier(work, version.dataset_id, Tier.CONTROLLED)
    return version, asset


@pytest.fixture
def owner(platform) -> Iterator[TestClient]:
    with TestClient(create_app(platform), base_url="http://testserver") as client:
        yield client


@pytest.fixture
def visitor(platform) -> Iterator[TestClient]:
    public = replace(platform, settings=platform.settings.model_copy(update={"public": True}))
    with TestClient(create_app(public), base_url="http://testserver") as client:
        yield client


def test_an_owner_pages_through_what_happened(owner, brain):
    version, _ = brain
    seen, cursor = [], ""
    while cursor is not None:
        page = owner.get("/api/v1/audit/events", params={"limit": 2, **({"cursor": cursor} if cursor else {})}).json()
        seen += page["items"]
        cursor = page["next_cursor"]
    assert [one["verb"] for one in seen] == ["set-tier", "publish", "add-asset", "open-draft", "create"]
    found = owner.get("/api/v1/audit/events", params={"verb": "publish", "subject": version.id}).json()["items"]
    assert [one["actor"] for one in found] == ["local-owner"]
    lines = owner.get("/api/v1/audit/export").text.splitlines()
    assert [json.loads(line)["seq"] for line in lines] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("query", ["cursor=x", "limit=0", "since=yesterday", "since=2026-01-01T00:00:00", "actor=%00"])
def test_what_makes_no_sense_is_refused(owner, query):
    assert owner.get(f"/api/v1/audit/events?{query}").status_code == 422


@pytest.mark.parametrize("path", ["/api/v1/audit/events", "/api/v1/audit/export", "/api/v1/audit/reads", "/audit"])
def test_a_visitor_learns_nothing(visitor, brain, path):
    answer = visitor.get(path)
    assert answer.status_code == 403
    assert "publish" not in answer.text


def test_the_page_shows_and_narrows(owner, brain):
    version, _ = brain
    page = owner.get("/audit", headers=ENGLISH).text
    assert version.id in page
    assert f'href="/audit?subject={version.id}"' in page
    assert "add-asset" not in owner.get("/audit?verb=publish", headers=ENGLISH).text
    assert "Nothing of the kind happened" in owner.get("/audit?until=2000-01-01", headers=ENGLISH).text
    assert "publish" in owner.get("/audit?since=2000-01-01", headers=ENGLISH).text
    assert owner.get("/audit?since=soon", headers=ENGLISH).status_code == 422
    assert "何人" in owner.get("/audit", headers={**ENGLISH, "accept-language": "zh"}).text


def test_text_of_others_is_no_markup(owner, platform, brain):
    with UnitOfWork(platform.database, LOCAL_OWNER, reason="<script>alert(1)</script>") as work:
        work.ask(Right.ADMINISTER)
        work.record_event("<b>", "<i>\r\nx")
    page = owner.get("/audit", headers=ENGLISH).text
    assert "<script>alert" not in page
    assert "<b>" not in page


def test_reads_of_controlled_data_are_counted_and_sealed(platform, brain):
    version, asset = brain
    data, api = f"/data/{version.digest}/{asset.id}", f"/api/v1/assets/{version.digest}/{asset.id}"
    sizes = []
    with TestClient(create_app(platform), base_url="http://testserver") as client:
        sizes += [len(client.get(f"{data}/chunks/0/c/0/0/0/0/0").content) for _ in range(3)]
        sizes.append(len(client.get(f"{data}/objects/quality/thumbnail.webp").content))
        sizes.append(len(client.get(f"{api}/cutout?start=0,0,0&stop=10,10,10").content))
        sizes.append(len(client.get(f"{api}/thumbnail").content))
        # what is refused or not there is no read
        assert client.get(f"{data}/chunks/0/c/0/0/9/9/9").status_code == 404
        assert client.get(f"{data}/objects/none").status_code == 404
        assert client.head(f"{data}/objects/quality/section-z.webp").status_code == 200
    rows = reads_of(platform.database, LOCAL_OWNER)
    assert {row.dataset_id for row in rows} == {version.dataset_id}
    assert {row.asset_id for row in rows} == {asset.id}
    assert sum(row.size_bytes for row in rows) == sum(sizes)
    assert sum(row.chunks for row in rows) == len(sizes) + 1
    found = verify_chain(platform.database)
    assert (found.fault, found.unsealed, found.events) == (None, 0, 5)
    with TestClient(create_app(platform), base_url="http://testserver") as client:
        assert client.get("/api/v1/audit/reads").json()[0]["asset_id"] == asset.id
        assert asset.id in client.get("/audit/reads", headers=ENGLISH).text
        assert client.get("/api/v1/audit/seal").json()["hash"] == found.last


def test_reads_of_what_is_open_are_not(platform):
    asset, objects = stored_volume(platform, "open", np.ones((1, 1, 20, 20, 20), np.uint8), VolumeKind.IMAGE)
    version = add_dataset(platform, "An open brain", [(asset, objects)])
    with TestClient(create_app(platform), base_url="http://testserver") as client:
        assert client.get(f"/data/{version.digest}/{asset.id}/chunks/0/c/0/0/0/0/0").status_code == 200
    assert reads_of(platform.database, LOCAL_OWNER) == ()


def test_refusals_are_added_up_in_the_log(tmp_path):
    with open_platform(load_settings(environment={}, home=tmp_path / "home", public=True)) as platform:
        with signed_in(platform, "ada") as ada:
            for _ in range(3):
                assert ada.post("/accounts/invite", data={"email": "bo@lab.example.org"}).status_code == 403
            assert (
                ada.post("/profile", data={"name": "x"}, headers={"origin": "https://evil.example"}).status_code == 403
            )
            assert ada.get("/api/v1/me", headers={"authorization": "Bearer pulv_none"}).status_code == 401
            person = ada.person
        with platform.database.session() as session:
            rows = session.execute(select(event).where(event.c.verb == "refused")).all()
    told = {(row.actor_id, row.details["what"], row.details["kind"]): row.details["times"] for row in rows}
    assert told == {
        (person.id, "POST /accounts/invite", "forbidden"): 3,
        (person.id, "POST /profile", "forbidden"): 1,
        ("anonymous", "GET /me", "not_authenticated"): 1,
    }
    assert {row.details["address"] for row in rows} == {"testclient"}


def test_refused_bytes_are_told_where_they_are_of_controlled_data_alone(platform, brain, visitor):
    version, asset = brain
    open_asset, objects = stored_volume(platform, "draft", np.ones((1, 1, 20, 20, 20), np.uint8), VolumeKind.IMAGE)
    draft = add_dataset(platform, "A draft of a brain", [(open_asset, objects)], published=False)
    answers = [visitor.get(f"/data/{version.digest}/{asset.id}/chunks/0/c/0/0/0/0/{x}") for x in range(3)]
    answers.append(visitor.get(f"/data/{draft.digest}/{open_asset.id}/chunks/0/c/0/0/0/0/0"))
    answers.append(visitor.get(f"/data/{'0' * 64}/asset/chunks/0/c/0/0/0/0/0"))
    assert {answer.status_code for answer in answers} == {401}
    visitor.__exit__(None, None, None)
    with platform.database.session() as session:
        rows = session.execute(select(event).where(event.c.verb == "refused")).all()
    assert [(row.actor_id, row.subject_id, row.details["times"]) for row in rows] == [
        ("anonymous", version.dataset_id, 3)
    ]
    assert rows[0].details["address"] == "testclient"


def test_who_is_refused_very_much_fills_no_log(database):
    counter = RefusalCounter(database)
    for number in range(1000):
        counter.add(Refusal("anonymous", f"GET /{number}", "forbidden", "192.0.2.7"))
    assert counter.flush() == 101
    assert counter.flush() == 0
    with database.session() as session:
        rows = session.execute(select(event).where(event.c.verb == "refused")).all()
    assert sum(row.details["times"] for row in rows) == 1000


def test_nobody_keeps_what_is_answered_of_controlled_data(database):
    async def matrix(scope, receive, send):
        scope["state"]["readings"] = [Reading("ada", "asset", "dataset")]
        await send({"type": "http.response.start", "status": 200, "headers": [(b"Cache-Control", b"max-age=60")]})
        await send({"type": "http.response.body", "body": b"[[1.0]]"})

    sent = []

    async def send(message):
        sent.append(message)

    counter = ReadCounter(database)
    asyncio.run(CountedReads(matrix, counter)({"type": "http", "state": {}}, None, send))
    assert sent[0]["headers"] == [(b"cache-control", b"no-store")]
    assert counter.flush() == 1
