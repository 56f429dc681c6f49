"""The pages of quarantine: what the one who administers a dataset sees, and what a form does."""

import pytest
from starlette.testclient import TestClient
from tests.ingest.people import planted

from pulvinar.cli.verbs import means_of
from pulvinar.ingest.intake import ingest
from pulvinar.ingest.record import RecordAnswers
from pulvinar.ingest.request import Request
from pulvinar.model.access import LOCAL_OWNER
from pulvinar.operations.erasure import Erasure, erase
from pulvinar.platform import open_platform
from pulvinar.settings import load_settings
from pulvinar.web.app import create_app

ANSWERS = RecordAnswers(title="a head", species="human", licence="CC0-1.0", subject="sub-01")


@pytest.fixture
def platform(tmp_path):
    with open_platform(load_settings(environment={}, home=tmp_path / "home")) as opened:
        yield opened


@pytest.fixture
def head(platform, tmp_path):
    path = planted.nifti(tmp_path / "in" / "T1w.nii.gz")
    return ingest(means_of(platform), Request(path, answers=ANSWERS)).version


@pytest.fixture
def browser(platform):
    return TestClient(create_app(platform), base_url="http://127.0.0.1:8765")


def test_the_page_says_what_is_held_and_leads_to_its_review(browser, head):
    page = browser.get(f"/datasets/{head.dataset_id}").text
    assert "In quarantine" in page
    assert f"/datasets/{head.dataset_id}/quarantine" in page
    review = browser.get(f"/datasets/{head.dataset_id}/quarantine?lang=zh").text
    assert "隔离区" in review
    assert "/solutions/deface" in review


def test_it_leaves_once_somebody_has_looked(browser, head):
    address = f"/datasets/{head.dataset_id}/quarantine"
    sent = {"asset": head.assets[0].id, "face": "absent", "action": "release"}
    assert browser.post(address, data=sent).status_code == 409
    looked = {**sent, "looked": "yes", "names": "yes"}
    assert browser.post(address, data={**looked, "face": "kept"}).status_code == 409
    done = browser.post(address, data=looked, follow_redirects=False)
    assert done.status_code == 303
    assert "May leave" in browser.get(address).text
    browser.post(address, data={"asset": head.assets[0].id, "action": "hold"})
    assert "In quarantine" in browser.get(address).text


def test_a_form_of_another_site_lets_nothing_go(browser, head):
    sent = {"asset": head.assets[0].id, "face": "absent", "looked": "yes", "names": "yes"}
    headers = {"origin": "https://elsewhere.example", "sec-fetch-site": "cross-site"}
    assert browser.post(f"/datasets/{head.dataset_id}/quarantine", data=sent, headers=headers).status_code == 403


def test_what_was_erased_is_not_there_and_the_version_says_so(browser, platform, head):
    asset = f"/api/v1/assets/{head.digest}/{head.assets[0].id}"
    assert browser.get(asset).status_code == 200
    erase(platform.database, platform.store, "sub-01", Erasure(LOCAL_OWNER, "asked for", 30))
    assert browser.get(asset).status_code == 404
    assert browser.get(f"{asset}/thumbnail").status_code == 404
    assert "sub-01" not in browser.get(f"/datasets/{head.dataset_id}").text
