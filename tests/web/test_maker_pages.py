"""Pages of people, labs and organisations: their data, for each visitor only what they may see."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.access.people import a_person, acting
from tests.catalogue.conftest import OBJECTS, RECORD, new_asset
from tests.web.accounts import browser, sign_in

from pulvinar.access.organisations import make_organisation, set_member
from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue import add_asset, create_dataset, open_draft, publish
from pulvinar.catalogue.sharing import set_tier
from pulvinar.model.access import LOCAL_OWNER, Access, OrganisationKind, Right, Tier
from pulvinar.model.dataset import AssetKind
from pulvinar.model.record import Contributor
from pulvinar.platform import open_platform
from pulvinar.settings import load_settings

ADA, BOB = "0000-0002-1825-0097", "0000-0001-5109-3700"
SLASHED = "Institute A; Lab/B & Co"


def add(platform, title, *, tier=Tier.PUBLIC, home=None, who=LOCAL_OWNER, **said):
    with UnitOfWork(platform.database, who) as work:
        made = create_dataset(work, replace(RECORD, title=title, **said), access=Access(Tier.PUBLIC, home=home))
        draft = open_draft(work, made.id)
        add_asset(work, draft.id, replace(new_asset(title), kind=AssetKind.TABLE), OBJECTS)
        publish(work, draft.id)
        if tier is not Tier.PUBLIC:
            set_tier(work, made.id, tier)
    return made.id


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    home = tmp_path_factory.mktemp("makers")
    with open_platform(load_settings(environment={}, home=home, public=True)) as opened:
        ada = Contributor("Ada Lovelace", orcid=ADA, affiliation="Analytical Institute")
        both = (ada, Contributor("Bob", orcid=BOB))
        add(opened, "Of both", contributors=both, lab=SLASHED)
        add(opened, "Of Ada alone", contributors=(ada,), lab="Another")
        add(opened, "Hidden of Bob", contributors=both[1:], lab=SLASHED, tier=Tier.PRIVATE)
        yield opened


@pytest.fixture
def visitor(platform):
    with browser(platform) as client:
        yield client


def test_a_person_has_the_data_that_name_the_orcid(visitor):
    page = visitor.get(f"/people/{ADA}").text
    for text in ("Ada Lovelace", "Analytical Institute", "Of both", "Of Ada alone", f"https://orcid.org/{ADA}"):
        assert text in page
    assert f'href="/people/{BOB}"' in page
    assert f'href="/people/{ADA}"' not in page


def test_hidden_data_and_unknown_people_are_not_there(platform, visitor):
    page = visitor.get(f"/people/{BOB}").text
    assert "Of both" in page
    assert "Hidden of Bob" not in page
    assert visitor.get("/people/0000-0000-0000-0001").status_code == 404
    assert visitor.get("/people/Bob").status_code == 404
    person = a_person(platform.database, "keeper", is_owner=True)
    with browser(platform) as client:
        sign_in(client, person.login)
        assert "Hidden of Bob" in client.get(f"/people/{BOB}").text


def test_an_orcid_is_found_by_the_search(visitor):
    page = visitor.get("/", params={"q": BOB}).text
    assert "Of both" in page
    assert "Of Ada alone" not in page


def test_a_lab_is_found_by_its_very_name(visitor):
    page = visitor.get("/labs", params={"name": SLASHED}).text
    assert "Of both" in page
    assert "Hidden of Bob" not in page
    assert visitor.get("/labs", params={"name": "Institute A"}).status_code == 404
    listed = visitor.get("/labs").text
    assert "Lab/B &amp; Co" in listed
    assert "name=Institute+A%3B+Lab%2FB+%26+Co" in listed


def test_an_organisation_shows_its_data_to_others_and_no_members(platform, visitor):
    ada = a_person(platform.database, "ada")
    with UnitOfWork(platform.database, LOCAL_OWNER) as work:
        lab = make_organisation(work, "The open lab", OrganisationKind.LAB)
        team = make_organisation(work, "A team", OrganisationKind.TEAM, parent=lab.id)
        for one in (lab, team):
            set_member(work, one.id, ada.id, Right.ADMINISTER)
    keeper = acting(platform.database, ada.id)
    assert visitor.get(f"/labs/{lab.id}").status_code == 404
    add(platform, "Unshown", tier=Tier.PRIVATE, home=lab.id, who=keeper)
    assert visitor.get(f"/labs/{lab.id}").status_code == 404
    add(platform, "Of the team", home=team.id, who=keeper)
    page = visitor.get(f"/labs/{lab.id}").text
    assert "The open lab" in page
    assert "Of the team" in page
    assert "Unshown" not in page
    assert "ada" not in page.lower().replace("data", "").replace("metadata", "")
    with browser(platform) as client:
        sign_in(client, "ada")
        assert "Unshown" in client.get(f"/labs/{lab.id}").text
