"""The pages of access: two labs, a reviewer and a visitor, and what each of them finds."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from tests.access.people import acting
from tests.web.accounts import browser, signed_in
from tests.web.conftest import Shown, stored_volume

from pulvinar.access.organisations import make_organisation, set_member
from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue.datasets import create_dataset
from pulvinar.catalogue.drafts import add_asset, open_draft, set_record
from pulvinar.catalogue.publishing import publish
from pulvinar.catalogue.versions import get_version
from pulvinar.model.access import LOCAL_OWNER, Access, OrganisationKind, Right, Tier
from pulvinar.model.record import Contributor, Record, Species
from pulvinar.model.volume import VolumeKind
from pulvinar.platform import open_platform
from pulvinar.settings import load_settings

TOMORROW = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%d")
RECORD = Record(
    "A brain of vision", Species.MOUSE, "CC0-1.0", lab="Lab of vision", contributors=(Contributor("Ada Lovelace"),)
)


@pytest.fixture
def platform(tmp_path):
    with open_platform(load_settings(environment={}, home=tmp_path / "home", public=True)) as opened:
        yield opened


def a_lab(platform, name, *members):
    """A lab, its first member an administrator, the others contributors."""
    with UnitOfWork(platform.database, LOCAL_OWNER) as work:
        made = make_organisation(work, name, OrganisationKind.LAB)
        for one, role in zip(members, (Right.ADMINISTER, *[Right.WRITE] * len(members)), strict=False):
            set_member(work, made.id, one.id, role)
    return made


@pytest.fixture
def ada(platform):
    with signed_in(platform, "ada") as client:
        yield client


@pytest.fixture
def bo(platform):
    with signed_in(platform, "bo") as client:
        yield client


@pytest.fixture
def visitor(platform):
    with browser(platform) as client:
        yield client


@pytest.fixture
def vision(platform, ada):
    return a_lab(platform, "Lab of vision", ada.person)


@pytest.fixture
def brain(platform, ada, vision) -> Shown:
    """A volume of Ada's lab, published for the lab alone."""
    voxels = np.ones((1, 1, 20, 20, 1100), np.uint8)
    asset, objects = stored_volume(platform, "brain", voxels, VolumeKind.IMAGE)
    with UnitOfWork(platform.database, acting(platform.database, ada.person.id)) as work:
        made = create_dataset(work, RECORD, access=Access(Tier.PRIVATE, home=vision.id))
        draft = open_draft(work, made.id)
        add_asset(work, draft.id, asset, objects)
        publish(work, draft.id)
    return Shown(get_version(platform.database, LOCAL_OWNER, made.id), asset, voxels)


def page_of(brain):
    return f"/datasets/{brain.version.dataset_id}"


def statuses(client, brain):
    """What one gets of a dataset: page, access page, viewer's scene, thumbnail, chunk, cut-out, file."""
    paths = (
        page_of(brain),
        f"{page_of(brain)}/access",
        f"/api/v1/scenes/{brain.version.dataset_id}",
        f"{brain.api}/thumbnail",
        f"{brain.data}/chunks/0/c/0/0/0/0/0",
        f"{brain.api}/cutout?start=0,0,0&stop=2,2,2",
        f"{brain.data}/objects/image.ome.zarr/zarr.json",
    )
    return [client.get(path, headers={"accept": "application/json"}).status_code for path in paths]


ALL, NOTHING = [200] * 7, [404, 404, 404, 404, 401, 404, 401]
ONLY_THE_RECORD = [200, 200, 403, 403, 401, 403, 401]
ONLY_TO_LOOK_AT = [200, 200, 200, 200, 401, 403, 401]


def test_each_finds_what_they_may_and_nothing_else(platform, ada, bo, visitor, brain):
    assert statuses(ada, brain) == ALL
    for other in (bo, visitor):
        assert statuses(other, brain) == NOTHING
        assert "A brain of vision" not in other.get("/").text
        assert "A brain of vision" not in other.get("/?q=vision").text


@pytest.mark.parametrize(
    ("tier", "for_bo", "for_visitor"),
    [
        ("public", ALL, ALL),
        ("registered", ALL, ONLY_THE_RECORD),
        ("controlled", ONLY_THE_RECORD, ONLY_THE_RECORD),
        ("private", NOTHING, NOTHING),
    ],
)
def test_a_tier_is_chosen_on_the_page(platform, ada, bo, visitor, brain, tier, for_bo, for_visitor):
    chosen = ada.post(f"{page_of(brain)}/access/tier", data={"tier": tier})
    assert (chosen.status_code, chosen.headers["location"]) == (303, f"{page_of(brain)}/access")
    assert statuses(ada, brain) == ALL
    assert (statuses(bo, brain), statuses(visitor, brain)) == (for_bo, for_visitor)
    listed = visitor.get("/").text
    assert ("A brain of vision" in listed) == (for_visitor != NOTHING)
    assert (f"{brain.api}/thumbnail" in listed) == (for_visitor == ALL)


def test_it_is_shared_by_name_until_a_day_and_taken_back(platform, ada, bo, brain):
    address = f"{page_of(brain)}/access"
    ada.post(f"{address}/shares", data={"login": "bo", "right": "view", "ends": TOMORROW})
    assert statuses(bo, brain) == ONLY_TO_LOOK_AT
    shown = ada.get(address).text
    assert ">bo</th>" in shown.replace("\n", "")
    assert TOMORROW in shown
    told = bo.get(page_of(brain)).text
    assert "not given out to you" in told
    assert "/cutout" not in told
    ada.post(f"{address}/shares/end", data={"audience": f"actor:{bo.person.id}"})
    assert statuses(bo, brain) == NOTHING


def test_those_who_see_a_dataset_under_embargo_read_until_when(platform, ada, visitor, brain):
    ada.post(f"{page_of(brain)}/access/tier", data={"tier": "embargoed", "opens": TOMORROW})
    assert f"Under embargo until {TOMORROW}" in ada.get(page_of(brain)).text
    assert visitor.get(page_of(brain)).status_code == 404
    ada.post(f"{page_of(brain)}/access/tier", data={"tier": "public"})
    assert "Under embargo" not in ada.get(page_of(brain)).text


def test_a_link_for_blind_review_says_which_names_are_still_read(platform, ada, brain):
    with UnitOfWork(platform.database, LOCAL_OWNER) as work:
        draft = open_draft(work, brain.version.dataset_id)
        set_record(work, draft.id, replace(draft.record, description="Recorded by Ada in spring."))
    link = {"right": "read", "ends": TOMORROW}
    told = ada.post(f"{page_of(brain)}/access/links", data=link | {"blind": "true"}).text
    assert "still reads these names" in told
    assert ": Description:" in told
    chinese = {"accept-language": "zh"}
    told = ada.post(f"{page_of(brain)}/access/links", data=link | {"blind": "true"}, headers=chinese).text
    assert ": 说明：" in told
    assert "Recorded by Ada in spring." in told
    assert "still reads these names" not in ada.post(f"{page_of(brain)}/access/links", data=link).text
    api = f"/api/v1/datasets/{brain.version.dataset_id}/access/links"
    ends = f"{TOMORROW}T00:00:00Z"
    made = ada.post(api, json={"ends": ends, "blind": True}).json()
    assert [one["name"] for one in made["names"]] == ["Ada"]


def test_who_may_not_share_finds_no_form_and_no_names(platform, ada, bo, brain):
    address = f"{page_of(brain)}/access"
    ada.post(f"{address}/shares", data={"login": "bo", "right": "read"})
    shown = bo.get(address).text
    assert "What you may do, and why" in shown
    assert "Who else has access" not in shown
    for login in ("ada", "nobody-at-all"):
        assert bo.post(f"{address}/shares", data={"login": login, "right": "read"}).status_code == 403


@pytest.mark.parametrize(
    ("part", "form", "said"),
    [
        ("shares", {"login": "nobody", "right": "read"}, "there is no account"),
        ("shares", {"login": "bo", "right": "rule"}, "is no right"),
        ("shares", {"login": "bo", "right": "read", "ends": "tomorrow"}, "is no day"),
        ("shares", {"login": "bo", "right": "read", "ends": "2020-01-01"}, "would have ended"),
        ("tier", {"tier": "embargoed"}, "needs day on which it opens"),
        ("tier", {"tier": "secret"}, "is no tier"),
        ("links", {"right": "read"}, "needs a day on which it ends"),
        ("home", {"organisation": "local-nowhere"}, "there is no organisation"),
    ],
)
def test_what_is_wrong_is_said_on_the_page_and_changes_nothing(ada, bo, brain, part, form, said):
    answer = ada.post(f"{page_of(brain)}/access/{part}", data=form)
    assert answer.status_code in (404, 409, 422)
    assert said in answer.text
    assert statuses(bo, brain) == NOTHING


def test_a_reviewer_comes_by_a_link_sees_no_name_and_leaves(platform, ada, visitor, brain):
    made = ada.post(f"{page_of(brain)}/access/links", data={"right": "read", "ends": TOMORROW, "blind": "true"})
    secret = re.search(r"/review/(link_[\w-]+)", made.text)[1]
    assert secret not in ada.get(f"{page_of(brain)}/access").text
    came = visitor.get(f"/review/{secret}")
    assert (came.status_code, came.headers["location"]) == (303, page_of(brain))
    assert "httponly" in came.headers["set-cookie"].lower()
    assert statuses(visitor, brain) == ALL
    for path in (page_of(brain), f"{page_of(brain)}/access", "/", f"/api/v1{page_of(brain)}"):
        told = visitor.get(path).text
        assert "Lovelace" not in told
        assert "Lab of vision" not in told
    assert "A brain of vision" not in visitor.get("/?q=Lovelace").text
    assert "You look by a link" in visitor.get("/").text
    visitor.post("/review/leave")
    assert statuses(visitor, brain) == NOTHING


def test_a_link_that_was_ended_leads_nowhere(platform, ada, visitor, brain):
    made = ada.post(f"{page_of(brain)}/access/links", data={"right": "view", "ends": TOMORROW, "label": "Reviewer 2"})
    secret = re.search(r"/review/(link_[\w-]+)", made.text)[1]
    visitor.get(f"/review/{secret}")
    assert statuses(visitor, brain) == ONLY_TO_LOOK_AT
    shown = ada.get(f"{page_of(brain)}/access").text
    assert "Reviewer 2" in shown
    link = re.search(r'name="link" value="([^"]+)"', shown)[1]
    ada.post(f"{page_of(brain)}/access/links/end", data={"link": link})
    assert statuses(visitor, brain) == NOTHING
    assert visitor.get(f"/review/{secret}").status_code == 404


def test_an_administrator_takes_people_in(platform, ada, bo, brain, vision):
    address = f"/organisations/{vision.id}"
    assert bo.get(address).status_code == 404
    assert "You are in no lab" in bo.get("/organisations").text
    ada.post(f"{address}/members", data={"login": "bo", "role": "read"})
    assert statuses(bo, brain) == ALL
    assert "Take in" not in bo.get(address).text
    assert bo.post(f"{address}/members", data={"login": "bo", "role": "administer"}).status_code == 403
    ada.post("/organisations", data={"name": "Tracers", "kind": "team", "parent": vision.id})
    assert "Tracers" in bo.get(address).text
    left = bo.post(f"{address}/members/remove", data={"member": bo.person.id})
    assert left.headers["location"] == "/organisations"
    assert statuses(bo, brain) == NOTHING
    ada.post(f"{address}/members/remove", data={"member": LOCAL_OWNER.id})
    last = ada.post(f"{address}/members/remove", data={"member": ada.person.id})
    assert (last.status_code, "only administrator" in last.text) == (409, True)


def test_a_visitor_makes_no_organisation(visitor, bo):
    assert visitor.post("/organisations", data={"name": "Mine", "kind": "lab"}).status_code in (401, 403)
    assert bo.post("/organisations", data={"name": "Mine", "kind": "lab"}).status_code == 403


def test_a_dataset_goes_to_somebody_else(platform, ada, bo, brain):
    ada.post(f"{page_of(brain)}/access/home", data={"organisation": ""})
    ada.post(f"{page_of(brain)}/access/hand-over", data={"login": "bo"})
    assert statuses(bo, brain) == ALL
    assert "Who else has access" in bo.get(f"{page_of(brain)}/access").text
    assert "Who else has access" not in ada.get(f"{page_of(brain)}/access").text


def test_another_site_changes_nothing(ada, bo, brain):
    address = f"{page_of(brain)}/access/tier"
    for told in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}):
        assert ada.post(address, data={"tier": "public"}, headers=told).status_code == 403
    assert statuses(bo, brain) == NOTHING


def test_who_looks_by_a_link_can_still_sign_out(platform, ada, bo, brain):
    made = ada.post(f"{page_of(brain)}/access/links", data={"right": "read", "ends": TOMORROW})
    bo.get(re.search(r"/review/link_[\w-]+", made.text)[0])
    secret = bo.cookies["pulvinar_sign_in"]
    assert bo.post("/sign-out").status_code == 303
    assert platform.known_actors.find(secret) is None
    assert "pulvinar_sign_in" not in bo.cookies


@pytest.mark.parametrize(
    "body",
    [
        {"organisation": "x" * 100, "right": "read"},
        {"organisation": "local-01nobody", "right": "read"},
        {"login": "nobody", "right": "read"},
    ],
)
def test_it_is_shared_with_nobody_who_is_not_there(ada, brain, body):
    at = f"/api/v1{page_of(brain)}/access/grants"
    before = ada.get(at).json()
    assert ada.post(at, json=body).status_code == 404
    assert ada.post(f"{page_of(brain)}/access/shares", data=body).status_code == 404
    assert ada.get(at).json() == before
