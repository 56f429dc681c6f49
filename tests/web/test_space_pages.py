"""My space, administration, feedback, feeds: who reaches them, and what they say."""

from __future__ import annotations

import csv
import io
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest
from tests.catalogue.conftest import OBJECTS, RECORD, new_asset
from tests.web.accounts import browser, signed_in

from pulvinar.access.audit import MAIL_FAILED, note_incident
from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue import add_asset, create_dataset, open_draft, publish
from pulvinar.catalogue.sharing import set_tier
from pulvinar.model.access import LOCAL_OWNER, Tier
from pulvinar.model.dataset import AssetKind
from pulvinar.operations.scrub import FOUND_DAMAGE
from pulvinar.platform import open_platform
from pulvinar.settings import load_settings
from pulvinar.web import feedback_pages

ADMINISTRATION = ("", "/storage", "/incidents", "/use", "/use.csv", "/feedback", "/feedback.csv")
ATOM = "{http://www.w3.org/2005/Atom}"


@pytest.fixture
def platform(tmp_path):
    with open_platform(load_settings(environment={}, home=tmp_path, public=True)) as opened:
        yield opened


def a_dataset(platform, title, *, tier=Tier.PUBLIC, published=True):
    with UnitOfWork(platform.database, LOCAL_OWNER) as work:
        draft = open_draft(work, create_dataset(work, replace(RECORD, title=title)).id)
        add_asset(work, draft.id, replace(new_asset(title), kind=AssetKind.TABLE), OBJECTS)
        if published:
            publish(work, draft.id)
        if tier is not Tier.PUBLIC:
            set_tier(work, draft.dataset_id, tier)
    return draft.dataset_id


def test_my_space_shows_what_is_ones_own_and_asks_a_visitor_who_it_is(platform):
    a_dataset(platform, "A draft of the owner", published=False)
    with signed_in(platform, "ada") as ada, browser(platform) as visitor:
        page = ada.get("/me").text
        for words in ("Uploads", "Drafts", "Jobs", "Collections", "Requests", "Access tokens", "of 1 TB wait"):
            assert words in page
        assert "A draft of the owner" not in page
        assert 'href="/me"' in page
        assert "/administration" not in page
        assert visitor.get("/me").headers["location"].startswith("/sign-in")
        assert 'href="/me"' not in visitor.get("/").text
    with signed_in(platform, "keeper", is_owner=True) as owner:
        assert "A draft of the owner" in owner.get("/me").text
        assert 'href="/administration"' in owner.get("/").text


def test_administration_is_for_owners_alone(platform):
    with signed_in(platform, "ada") as ada, browser(platform) as visitor:
        for path in ADMINISTRATION:
            assert ada.get(f"/administration{path}").status_code == 403
            assert visitor.get(f"/administration{path}").headers["location"].startswith("/sign-in")
            assert visitor.get(f"/administration{path}", headers={"accept": "application/json"}).status_code == 401
    with signed_in(platform, "keeper", is_owner=True) as owner:
        for path in ADMINISTRATION:
            assert owner.get(f"/administration{path}").status_code == 200, path
            assert owner.get(f"/administration{path}", params={"lang": "zh"}).status_code == 200, path


def test_incidents_name_damage_and_mail(platform):
    note_incident(platform.database, FOUND_DAMAGE, "local-x", {"damages": 2, "first": ["a/b: is missing"]})
    note_incident(platform.database, MAIL_FAILED, "mail", {"error": "Unavailable"})
    with signed_in(platform, "keeper", is_owner=True) as owner:
        page = owner.get("/administration/incidents").text
    assert "a/b: is missing" in page
    assert "Unavailable" in page


def test_looks_and_downloads_are_counted_and_crawlers_are_not(platform):
    shown = a_dataset(platform, "A looked-at brain")
    with signed_in(platform, "keeper", is_owner=True) as owner:
        with browser(platform) as visitor:
            for agent in ("Firefox", "Firefox", "Googlebot/2.1"):
                assert visitor.get(f"/datasets/{shown}", headers={"user-agent": agent}).status_code == 200
            visitor.get("/datasets/nothing")
            visitor.get("/", params={"q": "x"}, headers={"hx-request": "true"})
        page = owner.get("/administration/use").text
        assert "A looked-at brain" in page
        rows = list(csv.DictReader(io.StringIO(owner.get("/administration/use.csv").text.lstrip("\ufeff"))))
    assert [row["page"] for row in rows if row["dataset"] == shown] == ["2"]
    (whole,) = [row for row in rows if not row["dataset"]]
    assert whole["visit"] == "2"
    assert whole["person"] == "1"


def test_a_visitor_says_something_and_owners_read_it(platform):
    with browser(platform) as visitor:
        assert 'href="/feedback?page=%2Fatlases"' in visitor.get("/atlases").text
        assert 'value="cluster" selected' in visitor.get("/feedback", params={"page": "/jobs"}).text
        sent = {"page": "/atlases?q=1", "service": "portal", "score": "4", "comment": "=More <b>fish</b>"}
        assert visitor.post("/feedback", data=sent).headers["location"] == "/feedback?thanks=true"
        assert "Thank you" in visitor.get("/feedback?thanks=true").text
        nothing = visitor.post("/feedback", data={"page": "/", "service": "portal"})
        assert nothing.status_code == 422
        assert visitor.post("/feedback", data={**sent, "website": "spam"}).status_code == 303
        foreign = {"origin": "https://elsewhere.example"}
        assert visitor.post("/feedback", data=sent, headers=foreign).status_code == 403
    with signed_in(platform, "keeper", is_owner=True) as owner:
        page = owner.get("/administration/feedback").text
        assert "=More &lt;b&gt;fish&lt;/b&gt;" in page
        assert page.count("fish") == 1
        assert "=More" not in owner.get("/administration/feedback?service=cluster").text
        rows = list(csv.reader(io.StringIO(owner.get("/administration/feedback.csv").text.lstrip("\ufeff"))))
    assert rows[1][2:] == ["portal", "/atlases", "en", "4", "'=More <b>fish</b>"]


def test_who_says_too_much_is_told_to_wait(platform):
    with browser(platform) as visitor:
        answers = [
            visitor.post("/feedback", data={"score": "3", "comment": f"words {n}"}).status_code
            for n in range(feedback_pages.PER_MINUTE + 1)
        ]
        again = visitor.post("/feedback", data={"score": "3", "comment": "Kept words"})
    assert answers == [303] * feedback_pages.PER_MINUTE + [429]
    assert "Kept words" in again.text
    assert int(again.headers["retry-after"]) > 0


def test_feed_and_sitemap_hold_what_visitors_see_whoever_asks(platform):
    shown, hidden = a_dataset(platform, "A <shown> brain"), a_dataset(platform, "Hidden", tier=Tier.PRIVATE)
    draft = a_dataset(platform, "Unfinished", tier=Tier.PRIVATE, published=False)
    with signed_in(platform, "keeper", is_owner=True) as owner:
        feed, sitemap, robots = (owner.get(path) for path in ("/feed.atom", "/sitemap.xml", "/robots.txt"))
    assert feed.headers["content-type"].startswith("application/atom+xml")
    entries = ET.fromstring(feed.text).findall(f"{ATOM}entry")
    assert [one.findtext(f"{ATOM}title") for one in entries] == ["A <shown> brain"]
    assert ET.fromstring(feed.text).findtext(f"{ATOM}updated")
    assert shown in sitemap.text
    for gone in (hidden, draft):
        assert gone not in sitemap.text + feed.text
    assert "/sitemap.xml" in robots.text
    ET.fromstring(sitemap.text)


def test_a_dataset_can_be_previewed_elsewhere(platform):
    shown = a_dataset(platform, "A brain to share")
    with browser(platform) as visitor:
        page = visitor.get(f"/datasets/{shown}").text
    assert '<meta property="og:title" content="A brain to share · Pulvinar">' in page
    assert f'/datasets/{shown}">' in page
