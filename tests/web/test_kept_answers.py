"""Pages are kept for visitors alone, and never longer than they are true, whichever process makes a change."""

import asyncio
import gzip
import multiprocessing
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from tests.access.people import acting
from tests.web.accounts import browser, signed_in
from tests.web.conftest import add_dataset, stored_volume

from pulvinar.access.audit_chain import seal_all
from pulvinar.access.tokens import make_token
from pulvinar.access.visibility import EVERYONE, show
from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue.drafts import open_draft, set_record
from pulvinar.catalogue.publishing import publish
from pulvinar.catalogue.sharing import do_what_is_due, set_tier
from pulvinar.catalogue.withdrawals import withdraw
from pulvinar.model.access import LOCAL_OWNER, Right, Tier
from pulvinar.model.record import Subject
from pulvinar.model.volume import VolumeKind
from pulvinar.operations.erasure import Erasure, erase
from pulvinar.platform import open_platform
from pulvinar.settings import load_settings
from pulvinar.web import kept_answers, portal, rendering
from pulvinar.web.kept_answers import KeptAnswers
from pulvinar.web.static_files import packed

FIRST = "A brain that was first"
NAME = "Oleander"


def opened(home):
    return open_platform(load_settings(environment={}, home=home, public=True))


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


@pytest.fixture
def platform(home):
    with opened(home) as found:
        yield found


@pytest.fixture
def version(platform):
    voxels = np.zeros((1, 1, 8, 8, 8), np.uint16)
    return add_dataset(platform, FIRST, [stored_volume(platform, "image", voxels, VolumeKind.IMAGE)])


@pytest.fixture
def visitor(platform):
    with browser(platform) as client:
        yield client


@pytest.fixture(scope="module")
def elsewhere():
    """Another process, in which things are changed."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        yield lambda change, *about: pool.apply(change, about)


def retitle(home, dataset_id):
    with opened(home) as platform, UnitOfWork(platform.database, LOCAL_OWNER) as work:
        draft = open_draft(work, dataset_id)
        set_record(work, draft.id, replace(draft.record, title="Another title"))
        publish(work, draft.id)


def close_off(home, dataset_id):
    with opened(home) as platform, UnitOfWork(platform.database, LOCAL_OWNER) as work:
        set_tier(work, dataset_id, Tier.PRIVATE)


def take_back(home, dataset_id):
    with opened(home) as platform, UnitOfWork(platform.database, LOCAL_OWNER) as work:
        withdraw(work, dataset_id, 1, "It was the wrong animal")


def publish_another(home, dataset_id):
    with opened(home) as platform:
        voxels = np.ones((1, 1, 8, 8, 8), np.uint16)
        add_dataset(platform, "A brain that came later", [stored_volume(platform, "more", voxels, VolumeKind.IMAGE)])


def say_whose(home, dataset_id):
    with opened(home) as platform, UnitOfWork(platform.database, LOCAL_OWNER) as work:
        draft = open_draft(work, dataset_id)
        set_record(work, draft.id, replace(draft.record, description=f"Of {NAME}."))
        publish(work, draft.id)


def texts(client, paths):
    answers = [client.get(path) for path in paths]
    return [(answer.status_code, answer.text, answer.headers.get("etag", "")) for answer in answers]


def made(monkeypatch):
    """How many pages were made, as a list that grows."""
    pages = []
    render = rendering.render

    def counted(request, template, *about, **more):
        pages.append(template)
        return render(request, template, *about, **more)

    monkeypatch.setattr(portal, "render", counted)
    return pages


def test_a_page_is_made_once_while_nothing_changes(platform, visitor, version, monkeypatch):
    # to seal the log counts as a change of it
    seal_all(platform.database)
    pages = made(monkeypatch)
    path = f"/datasets/{version.dataset_id}"
    first, second = visitor.get(path), visitor.get(path)
    assert first.text == second.text
    assert pages == ["dataset.html"]
    again = visitor.get(path, headers={"if-none-match": second.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert first.headers["x-request-id"] != second.headers["x-request-id"]
    assert second.headers["cache-control"] == "private, no-cache"
    assert pages == ["dataset.html"]


@pytest.mark.parametrize("change", [retitle, close_off, take_back, publish_another, say_whose])
def test_what_another_process_changes_is_in_the_next_answer(visitor, version, home, elsewhere, change):
    paths = ["/", "/?q=brain", f"/datasets/{version.dataset_id}"]
    before = texts(visitor, paths)
    assert texts(visitor, paths) == before
    assert all(etag for *_, etag in before)
    elsewhere(change, home, version.dataset_id)
    answer = visitor.get(paths[2])
    status, text = answer.status_code, answer.text
    front = visitor.get("/").text
    if change is retitle:
        assert "Another title" in text
        assert "Another title" in front
    elif change is close_off:
        assert status == 404
        assert FIRST not in text + front + visitor.get("/?q=brain").text
    elif change is take_back:
        assert "It was the wrong animal" in text
    elif change is publish_another:
        assert "A brain that came later" in front
        assert "A brain that came later" in visitor.get("/?q=brain").text
    else:
        assert NAME in text


def test_what_was_erased_is_on_no_page_and_no_longer_in_memory(platform, visitor, version):
    with UnitOfWork(platform.database, LOCAL_OWNER) as work:
        draft = open_draft(work, version.dataset_id)
        set_record(work, draft.id, replace(draft.record, subject=Subject(NAME, draft.record.species)))
        publish(work, draft.id)
    path = f"/datasets/{version.dataset_id}"
    assert NAME in visitor.get(path).text
    assert NAME in visitor.get(path).text
    how = Erasure(LOCAL_OWNER, "asked for by letter", 30)
    erase(platform.database, platform.store, NAME, how, version.record.species)
    assert NAME not in visitor.get(path).text


def test_what_ends_by_time_is_gone_without_any_event(platform, visitor, version):
    path = f"/datasets/{version.dataset_id}"
    ends = datetime.now(UTC) + timedelta(seconds=2)
    with UnitOfWork(platform.database, LOCAL_OWNER) as work:
        work.ask(Right.ADMINISTER)
        show(work.session, version.dataset_id, EVERYONE, Right.READ, ends=ends)
        work.record_event("share", version.dataset_id)
    assert FIRST in visitor.get(path).text
    assert FIRST in visitor.get(path).text
    time.sleep(max(0.0, (ends - datetime.now(UTC)).total_seconds()) + 0.05)
    assert visitor.get(path).status_code == 404
    assert FIRST not in visitor.get("/").text


def test_an_embargo_that_ends_shows(platform, visitor, version):
    path = f"/datasets/{version.dataset_id}"
    opens = datetime.now(UTC) + timedelta(seconds=2)
    with UnitOfWork(platform.database, LOCAL_OWNER) as work:
        set_tier(work, version.dataset_id, Tier.EMBARGOED, opens=opens)
    shown = f"/api/v1/assets/{version.digest}/{version.assets[0].id}/thumbnail"
    assert "etag" not in visitor.get(path).headers
    assert visitor.get(shown).status_code == 404
    before = visitor.get("/").text
    time.sleep(max(0.0, (opens - datetime.now(UTC)).total_seconds()) + 0.05)
    do_what_is_due(platform.database)
    assert visitor.get(path).headers["etag"]
    assert visitor.get(shown).status_code == 200
    assert visitor.get("/").text != before


def test_who_has_rights_neither_leaves_an_answer_nor_is_given_one(platform, version, monkeypatch):
    with UnitOfWork(platform.database, LOCAL_OWNER) as work:
        set_tier(work, version.dataset_id, Tier.PRIVATE)
    path = f"/datasets/{version.dataset_id}"
    with signed_in(platform, "owner", is_owner=True) as client:
        with UnitOfWork(platform.database, acting(platform.database, client.person.id)) as work:
            token = make_token(work, client.person.id, "all", Right.ADMINISTER, 1)[1]
        assert FIRST in client.get(path).text
        assert FIRST in client.get("/").text
        session = dict(client.cookies)
        client.cookies.clear()
        # the same application, and so the same memory
        assert client.get(path).status_code == 404
        seen = client.get("/")
        assert FIRST not in seen.text
        assert seen.headers["etag"]
        bearer = client.get("/", headers={"authorization": f"Bearer {token}"})
        assert FIRST in bearer.text
        assert "etag" not in bearer.headers
        cookie = "; ".join(f"{name}={value}" for name, value in session.items())
        again = client.get("/", headers={"cookie": cookie, "if-none-match": seen.headers["etag"]})
        assert again.status_code == 200
        assert FIRST in again.text
        assert FIRST not in client.get("/").text


@pytest.mark.parametrize("cookie", ["pulvinar_sign_in=ended", "pulvinar_link=plv-link-ended"])
def test_a_sign_in_or_link_that_has_ended_is_no_visit(visitor, version, cookie):
    path = f"/datasets/{version.dataset_id}"
    assert visitor.get(path).headers["etag"]
    assert "etag" not in visitor.get(path, headers={"cookie": cookie}).headers


def test_of_what_visitors_may_not_read_nothing_is_kept(platform, visitor, version):
    with UnitOfWork(platform.database, LOCAL_OWNER) as work:
        set_tier(work, version.dataset_id, Tier.CONTROLLED)
    answer = visitor.get(f"/datasets/{version.dataset_id}")
    assert answer.status_code == 200
    assert "etag" not in answer.headers


def test_forms_and_answers_with_cookies_are_made_anew(visitor, version):
    for path in ("/sign-in", "/feedback", "/?lang=zh", "/nothing"):
        assert "etag" not in visitor.get(path).headers, path
    visitor.cookies.clear()
    assert "Brains" in visitor.get("/").text


def test_languages_and_parts_are_apart(visitor, version):
    path = "/?q=brain"
    english, chinese = visitor.get(path), visitor.get(path, headers={"accept-language": "zh-CN"})
    part = visitor.get(path, headers={"hx-request": "true"})
    assert 'lang="en"' in english.text
    assert 'lang="zh-Hans"' in chinese.text
    assert "<html" not in part.text
    cookie = visitor.get(path, headers={"cookie": "pulvinar_language=zh"})
    assert cookie.text == chinese.text
    other = visitor.get(path, headers={"host": "other.example"})
    assert "other.example" in visitor.get(f"/datasets/{version.dataset_id}", headers={"host": "other.example"}).text
    assert other.headers["etag"]
    assert "other.example" not in visitor.get(f"/datasets/{version.dataset_id}").text


def test_gzip_says_the_same(visitor, version):
    plain = visitor.get("/", headers={"accept-encoding": "identity"})
    small = visitor.get("/", headers={"accept-encoding": "gzip"})
    refused = visitor.get("/", headers={"accept-encoding": "gzip;q=0"})
    assert small.headers["content-encoding"] == "gzip"
    assert plain.text == small.text == refused.text
    assert "content-encoding" not in plain.headers
    assert "content-encoding" not in refused.headers
    assert int(small.headers["content-length"]) < int(plain.headers["content-length"]) / 2
    assert "accept-encoding" in small.headers["vary"]
    assert gzip.decompress(packed(plain.content, "text/html")) == plain.content
    head = visitor.head("/")
    assert head.content == b""
    assert head.headers["etag"] == plain.headers["etag"]


def page_of(path, **headers):
    said = [(name.encode(), value.encode()) for name, value in headers.items()]
    about = {"type": "http", "method": "GET", "scheme": "http", "path": path, "query_string": b""}
    return {**about, "headers": [(b"host", b"h"), *said], "state": {}}


class Pages:
    """An application with long pages, which takes a while for each."""

    def __init__(self):
        self.count = 0

    async def __call__(self, scope, receive, send):
        self.count += 1
        await asyncio.sleep(0.05)
        scope["state"]["kept"] = True
        body = scope["path"].encode() * 1000
        headers = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


async def asked(application, scope):
    sent = []

    async def send(message):
        sent.append(message)

    await application(scope, None, send)
    return sent


def test_many_who_come_at_once_have_a_page_made_once(platform):
    pages = Pages()
    kept = KeptAnswers(pages, platform, 1_000_000)

    async def all_of_them():
        return await asyncio.gather(*(asked(kept, page_of("/a")) for _ in range(20)))

    found = asyncio.run(all_of_them())
    assert pages.count == 1
    assert all(one[1]["body"] == b"/a" * 1000 for one in found)


def test_who_asks_for_an_old_page_is_given_it_while_it_is_made_anew_once(platform, monkeypatch):
    monkeypatch.setattr(kept_answers, "_RENEWED_S", 0.1)
    pages = Pages()
    kept = KeptAnswers(pages, platform, 1_000_000)

    async def in_turn():
        first = await asked(kept, page_of("/a"))
        fresh = await asked(kept, page_of("/a"))
        assert pages.count == 1
        await asyncio.sleep(0.15)
        old = await asyncio.gather(*(asked(kept, page_of("/a")) for _ in range(20)))
        # nobody of them waited for the new one, which takes 50 ms
        assert pages.count == 2
        assert kept._renewal is not None
        await kept._renewal
        new = await asked(kept, page_of("/a"))
        assert pages.count == 2
        return first, fresh, old, new

    first, fresh, old, new = asyncio.run(in_turn())
    ages = [dict(one[0]["headers"]).get(b"age") for one in (first, fresh, *old, new)]
    assert ages == [None, *[b"0"] * 22]
    assert {one[1]["body"] for one in (first, fresh, *old, new)} == {first[1]["body"]}


def test_an_old_page_is_not_given_once_something_has_changed(platform, version, monkeypatch):
    monkeypatch.setattr(kept_answers, "_RENEWED_S", 0.0)
    pages = Pages()
    kept = KeptAnswers(pages, platform, 1_000_000)

    async def around_a_change():
        await asked(kept, page_of("/a"))
        await asked(kept, page_of("/a"))
        renewal = kept._renewal
        await asyncio.sleep(0.01)
        # it is being made anew by now, of what was there before
        assert pages.count == 2
        with UnitOfWork(platform.database, LOCAL_OWNER) as work:
            set_tier(work, version.dataset_id, Tier.PRIVATE)
        after = await asked(kept, page_of("/a"))
        await renewal
        return after, await asked(kept, page_of("/a"))

    after, later = asyncio.run(around_a_change())
    assert pages.count >= 3
    assert b"age" not in dict(after[0]["headers"])
    assert dict(later[0]["headers"])[b"age"] == b"0"


def test_a_page_that_can_not_be_renewed_is_told_and_asked_for_again(platform, monkeypatch, caplog):
    monkeypatch.setattr(kept_answers, "_RENEWED_S", 0.0)
    pages = Pages()

    async def failing(scope, receive, send):
        if pages.count:
            raise OSError("no more pages")
        await pages(scope, receive, send)

    kept = KeptAnswers(failing, platform, 1_000_000)

    async def twice():
        for _ in range(2):
            await asked(kept, page_of("/a"))
        await kept._renewal
        assert kept._renewal is None
        return await asked(kept, page_of("/a"))

    assert asyncio.run(twice())[1]["body"] == b"/a" * 1000
    assert "no more pages" in caplog.text


def test_memory_has_an_end(platform):
    pages = Pages()
    kept = KeptAnswers(pages, platform, 30_000)

    async def many():
        for number in range(40):
            await asked(kept, page_of(f"/page{number}", **{"accept-encoding": "identity"}))

    asyncio.run(many())
    assert kept._answers._held <= 30_000
    assert pages.count == 40


def test_where_whoever_comes_is_the_owner_nothing_is_kept(tmp_path):
    with open_platform(load_settings(environment={}, home=tmp_path)) as platform, browser(platform) as client:
        assert "etag" not in client.get("/").headers
