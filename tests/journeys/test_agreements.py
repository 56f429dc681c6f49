"""A lab's agreement from end to end, in two browsers: set, asked for, accepted, granted, renewed, over."""

import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import update
from tests.access.people import BROWSER, a_person
from tests.web.conftest import _serving, add_dataset, stored_volume

from pulvinar.access.agreement_tables import acceptance
from pulvinar.access.organisations import make_organisation, set_member
from pulvinar.access.signing_in import sign_in_at_once
from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue.sharing import move, set_tier
from pulvinar.model.access import LOCAL_OWNER, OrganisationKind, Right, Tier
from pulvinar.model.volume import VolumeKind
from pulvinar.platform import open_platform
from pulvinar.settings import load_settings
from pulvinar.web.identification import cookie_name

pytestmark = pytest.mark.browser

PICTURES = os.environ.get("PULVINAR_TEST_PICTURES")
"""Where pictures of the pages go, to be looked at."""
TEXT = (
    "1. The data are used for research on epilepsy, and for nothing else.\n\n"
    "2. Nobody tries to find out who took part.\n\n3. They are not passed on."
)
TEXT_ZH = "一、数据仅用于癫痫研究。\n\n二、不得试图识别参与者。\n\n三、不得转交他人。"


@pytest.fixture
def lab(tmp_path):
    """A public platform with a lab, a controlled brain of its own, and two people."""
    with open_platform(load_settings(environment={"PULVINAR_PUBLIC": "yes"}, home=tmp_path / "home")) as platform:
        voxels = np.arange(1, 8001, dtype=np.uint16).reshape(1, 1, 20, 20, 20)
        stored = stored_volume(platform, "T1", voxels, VolumeKind.IMAGE)
        version = add_dataset(platform, "Human head, 3 T, before surgery", [stored])
        ada = a_person(platform.database, "ada.lovelace", password="")
        cy = a_person(platform.database, "cy.young", password="")
        with UnitOfWork(platform.database, LOCAL_OWNER) as work:
            made = make_organisation(work, "Epilepsy lab", OrganisationKind.LAB)
            set_member(work, made.id, ada.id, Right.ADMINISTER)
            move(work, version.dataset_id, made.id)
            set_tier(work, version.dataset_id, Tier.CONTROLLED)
        with _serving(platform) as address:
            yield platform, address, version, stored[0], ada, cy


def signed_in(visit, platform, address, account, **wishes):
    visitor = visit(**wishes)
    secret = sign_in_at_once(platform.database, account.id, BROWSER, days=1, how="test")
    visitor.context.add_cookies([{"name": cookie_name(platform.settings), "value": secret, "url": address}])
    return visitor


def look(page, axe, name):
    """What every page of the way is held to: axe's rules, no wider than a phone; and pictures, where wanted."""
    if axe is not None:
        assert axe(page) == [], name
    for width in (390, 1400):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (name, width)
        if PICTURES:
            page.screenshot(path=Path(PICTURES) / f"{name}-{width}.png", full_page=True)


@pytest.mark.slow
def test_an_agreement_from_the_first_word_to_the_last_day(lab, visit, axe):
    platform, address, version, asset, ada, cy = lab
    home, chunk = (
        f"{address}/datasets/{version.dataset_id}",
        f"{address}/data/{version.digest}/{asset.id}/chunks/0/c/0/0/0/0/0",
    )
    giver, asker = (signed_in(visit, platform, address, one) for one in (ada, cy))

    def status():
        return asker.context.request.get(chunk).status

    # the lab sets an agreement that it countersigns, and says what the data may be used for
    page = giver.see(f"{home}/terms")
    look(page, axe, "terms")
    page.get_by_label(re.compile("^DS ")).check()
    page.locator("#detail-DS").fill("epilepsy")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("link", name="Set an agreement").click()
    page.get_by_label("Title, English").fill("Use of head scans")
    page.get_by_label("Title, Chinese").fill("头部扫描数据使用协议")
    page.get_by_label("Text, English").fill(TEXT)
    page.get_by_label("Text, Chinese").fill(TEXT_ZH)
    page.get_by_label("Days of grace").fill("2")
    page.get_by_label("countersigned it").check()
    page.locator("#label_en-0").fill("Ethics approval, number")
    page.locator("#label_zh-0").fill("伦理批准号")
    look(page, axe, "agreement-edit")
    page.get_by_role("button", name="Set the agreement").click()
    page.wait_for_url("**/terms")

    # a visitor with an account asks, and accepts
    page = asker.see(home)
    look(page, axe, "dataset-asker")
    assert status() == 401
    page.get_by_role("link", name="Ask for access").click()
    page.get_by_label("What for").fill("Where seizures begin, from the thickness of the cortex.")
    page.get_by_label("Kind of use").select_option("disease")
    page.get_by_label("Disease, if one is studied").fill("focal epilepsy")
    look(page, axe, "request")
    page.get_by_role("button", name="Ask").click()
    page.wait_for_url("**/inbox")
    look(page, axe, "inbox-asker")
    page = asker.see(home)
    page.get_by_role("link", name="Use of head scans").click()
    page.get_by_label("Ethics approval, number").fill("2026-117")
    page.get_by_label("I have read this agreement").check()
    look(page, axe, "agreement")
    page.get_by_role("button", name="Accept").click()
    page.wait_for_url(home)
    assert status() == 401

    # the lab sees how the request stands, countersigns and grants
    page = giver.see(f"{address}/inbox")
    assert "a person must judge" in page.locator("main").inner_text()
    look(page, axe, "inbox-giver")
    page.get_by_role("button", name="Countersign").click()
    page.wait_for_load_state()
    page.get_by_label("What to tell them").fill("Welcome. Tell us what you find.")
    page.get_by_label("Access ends on").fill(str((datetime.now(UTC) + timedelta(days=300)).date()))
    page.get_by_role("button", name=re.compile("^Grant")).click()
    page.wait_for_load_state()
    page.wait_for_timeout(1500)
    assert status() == 200
    page = asker.see(f"{address}/inbox")
    assert "Welcome." in page.locator("main").inner_text()
    look(page, axe, "inbox-granted")
    look(asker.see(f"{home}?lang=zh"), axe, "dataset-granted-zh")
    asker.see(f"{home}?lang=en")

    # a new version asks again; it is read until the grace is over
    page = giver.see(home)
    page.get_by_role("link", name="Use of head scans").click()
    look(page, axe, "agreement-giver")
    page.get_by_role("link", name="Change it").click()
    page.get_by_label("Text, English").fill(f"{TEXT}\n\n4. What is found is told to the lab.")
    page.get_by_label("Text, Chinese").fill(f"{TEXT_ZH}\n\n四、研究结果须告知本实验室。")
    page.get_by_role("button", name="Set the new version").click()
    page.wait_for_load_state()
    assert status() == 200
    assert "it has changed" in asker.see(home).locator("#access").inner_text()
    with platform.database.writing() as session:
        session.execute(update(acceptance).values(ends=datetime.now(UTC) - timedelta(seconds=1)))
    page.wait_for_timeout(1500)
    assert status() == 401
    assert "once you have accepted" in asker.see(home).locator("#access").inner_text()
    # pictures that the volume has not, or that were not for the asker yet
    complaints = [one for one in giver.complaints + asker.complaints if "Failed to load resource" not in one]
    assert complaints == []
