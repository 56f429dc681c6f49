"""Who a request is: by cookie or token, on the API and at the chunks, and how soon it is nobody any longer."""

import base64
import json
import time
from pathlib import Path

import httpx2
import numpy as np
import pytest
from tests.access.people import PASSWORD, a_person, acting
from tests.web.accounts import browser, sign_in, signed_in
from tests.web.conftest import Shown, add_dataset, stored_volume

from pulvinar.access.accounts import disable
from pulvinar.access.audit_chain import seal_all
from pulvinar.access.organisations import make_organisation, remove_member, set_member
from pulvinar.access.sign_ins import end_all_sign_ins
from pulvinar.access.tokens import make_token, revoke_token
from pulvinar.access.visibility import EVERYONE, audience_of, hide, organisation_audience, show
from pulvinar.access.work import UnitOfWork
from pulvinar.documents.documents import create_document
from pulvinar.documents.rights import share_document
from pulvinar.ingest.uploads.parts import get_part, open_part
from pulvinar.ingest.uploads.submissions import add_files, create_submission
from pulvinar.model.access import ANONYMOUS, LOCAL_OWNER, OrganisationKind, Right
from pulvinar.model.volume import VolumeKind
from pulvinar.platform import landing_of, open_platform
from pulvinar.settings import load_settings
from pulvinar.storage.database import Database
from pulvinar.web.context import actor_at_once, actor_of


@pytest.fixture
def platform(tmp_path):
    settings = load_settings(environment={}, home=tmp_path / "home", public=True, cors_origins="https://other.example")
    with open_platform(settings) as opened:
        yield opened


@pytest.fixture
def private(platform):
    """A volume that is shown to nobody yet."""
    voxels = np.ones((1, 1, 20, 20, 20), np.uint8)
    asset, objects = stored_volume(platform, "private", voxels, VolumeKind.IMAGE)
    version = add_dataset(platform, "Private", [(asset, objects)])
    with platform.database.writing() as session:
        hide(session, version.dataset_id, EVERYONE)
    return Shown(version, asset, voxels)


def shown_to(platform, private, person, right=Right.READ):
    with platform.database.writing() as session:
        show(session, private.version.dataset_id, audience_of(person.id), right)


def a_token(platform, person, ceiling=Right.READ, days=30):
    with UnitOfWork(platform.database, acting(platform.database, person.id)) as work:
        return make_token(work, person.id, "a program", ceiling, days)


def program(platform, secret):
    return browser(platform, authorization=f"Bearer {secret}", accept="application/json")


def test_one_asks_who_one_is(platform):
    with browser(platform, accept="application/json") as stranger:
        assert stranger.get("/api/v1/me").status_code == 401
    with signed_in(platform) as client:
        told = client.get("/api/v1/me", headers={"accept": "application/json"}).json()
        assert (told["login"], told["email"], told["ceiling"]) == ("ada", "ada@lab.example.org", "administer")
        changed = client.put("/api/v1/me", json={"name": "Ada L", "orcid": "0000-0002-1694-233X"}).json()
        assert (changed["name"], changed["orcid"], changed["email"]) == ("Ada L", "0000-0002-1694-233X", told["email"])


def test_a_token_is_made_by_a_browser_listed_without_its_secret_and_revoked(platform):
    with signed_in(platform) as client:
        made = client.post("/api/v1/me/tokens", json={"name": "script", "ceiling": "write", "days": 7})
        assert made.status_code == 201
        token = made.json()["token"]
        assert token.startswith("pulv_")
        listed = client.get("/api/v1/me/tokens")
        assert token not in listed.text
        assert listed.json()[0]["name"] == "script"
        with program(platform, token) as robot:
            assert robot.get("/api/v1/me").json()["ceiling"] == "write"
            assert robot.post("/api/v1/me/tokens", json={"name": "another"}).status_code == 403
            assert robot.put("/api/v1/me", json={"name": "Mallory"}).status_code == 403
            assert robot.delete(f"/api/v1/me/tokens/{made.json()['id']}").status_code == 403
            assert client.delete(f"/api/v1/me/tokens/{made.json()['id']}").status_code == 204
            assert robot.get("/api/v1/me").status_code == 401
            assert robot.get("/api/v1/datasets").status_code == 401
        for days in (0, 367):
            assert client.post("/api/v1/me/tokens", json={"name": "x", "days": days}).status_code == 422


def test_a_token_gives_itself_back_however_little_it_may(platform):
    _, secret = a_token(platform, a_person(platform.database), Right.SEE)
    with program(platform, secret) as robot:
        assert robot.delete("/api/v1/me/tokens/current").status_code == 204
        assert robot.get("/api/v1/me").status_code == 401


def test_sign_ins_are_listed_and_ended(platform):
    with signed_in(platform) as client, browser(platform) as other:
        sign_in(other)
        listed = client.get("/api/v1/me/sign-ins").json()
        assert sorted(one["is_this"] for one in listed) == [False, True]
        (its,) = (one["id"] for one in listed if not one["is_this"])
        assert client.delete(f"/api/v1/me/sign-ins/{its}").status_code == 204
        assert client.delete(f"/api/v1/me/sign-ins/{its}").status_code == 404
        assert other.get("/profile").status_code == 303


def test_a_token_may_no_more_than_it_was_made_for(platform, private):
    ada = a_person(platform.database, is_owner=True)
    chunk = f"{private.data}/chunks/0/c/0/0/0/0/0"
    _, see = a_token(platform, ada, Right.SEE)
    _, read = a_token(platform, ada, Right.READ)
    with program(platform, see) as seeing, program(platform, read) as reading:
        assert reading.get(chunk).status_code == 200
        assert seeing.get(chunk).status_code == 401
        assert reading.get("/accounts").status_code == 403
        asked = {"name": "x", "ceiling": "read", "days": "1"}
        assert reading.post("/profile/tokens", data=asked).status_code == 403


@pytest.mark.parametrize("value", ["Bearer nonsense", "Bearer pulv_nonsense", "bearer  ", "Bearer " + "x" * 5000])
def test_a_token_that_is_none_is_401_everywhere(platform, private, value):
    for path in ("/api/v1/datasets", f"{private.data}/chunks/0/c/0/0/0/0/0", "/healthz-not", "/"):
        with browser(platform, authorization=value, accept="application/json") as client:
            answer = client.get(path)
            assert answer.status_code == (404 if path == "/healthz-not" else 401), path


def test_what_another_service_asks_for_by_the_same_header_is_not_ours(platform):
    with browser(platform, authorization="Basic cHJveHk6cHJveHk=", accept="application/json") as client:
        assert client.get("/api/v1/datasets").status_code == 200


def test_neither_secret_does_for_the_other(platform):
    with signed_in(platform) as client:
        cookie = client.cookies["pulvinar_sign_in"]
        _, token = a_token(platform, client.person)
    with program(platform, cookie) as robot:
        assert robot.get("/api/v1/me").status_code == 401
    with browser(platform, cookie=f"pulvinar_sign_in={token}") as other:
        assert other.get("/profile").status_code == 303


def test_a_page_of_another_site_may_ask_with_a_token_and_never_with_the_cookie(platform):
    asked = {"origin": "https://other.example", "access-control-request-method": "GET"}
    with browser(platform) as client:
        told = client.options("/api/v1/datasets", headers=asked).headers
        assert "authorization" in told["access-control-allow-headers"]
        assert "access-control-allow-credentials" not in told


def test_who_asks_costs_no_question_while_it_is_fresh(platform, monkeypatch):
    _, secret = a_token(platform, a_person(platform.database))
    scope = {"headers": [(b"authorization", f"Bearer {secret}".encode())]}
    assert actor_at_once(platform, scope) is None
    actor = actor_of(platform, scope)
    monkeypatch.setattr(Database, "session", lambda _: pytest.fail("the database was asked"))
    assert actor_at_once(platform, scope) == actor_of(platform, scope) == actor
    assert actor_at_once(platform, {"headers": []}) == ANONYMOUS


def changes(platform, person, token_id):
    owner = lambda: UnitOfWork(platform.database, LOCAL_OWNER)  # noqa: E731
    own = lambda: UnitOfWork(platform.database, acting(platform.database, person.id))  # noqa: E731
    return {
        "signed out": (own, lambda work: end_all_sign_ins(work, person.id)),
        "revoked": (own, lambda work: revoke_token(work, person.id, token_id)),
        "disabled": (owner, lambda work: disable(work, person.id, "left")),
    }


@pytest.mark.parametrize(("change", "by"), [("signed out", "cookie"), ("revoked", "token"), ("disabled", "cookie")])
def test_the_last_chunk_is_served_within_five_seconds_of_another_process_taking_the_right(
    platform, private, serving, change, by, tmp_path: Path
):
    person = a_person(platform.database)
    shown_to(platform, private, person)
    made, secret = a_token(platform, person)
    with serving(platform) as address, httpx2.Client(base_url=address) as client:
        if by == "token":
            client.headers["authorization"] = f"Bearer {secret}"
        else:
            client.post("/sign-in", data={"login": "ada", "password": PASSWORD})
        chunk = f"{private.data}/chunks/0/c/0/0/0/0/0"
        assert client.get(chunk).status_code == 200
        # another platform of the same database: its changes go through none of the server's memory
        with open_platform(load_settings(environment={}, home=tmp_path / "home", public=True)) as elsewhere:
            working, end = changes(elsewhere, person, made.id)[change]
            with working() as work:
                end(work)
        began = time.monotonic()
        while client.get(chunk).status_code == 200:
            assert time.monotonic() - began < 5
            time.sleep(0.02)
        assert client.get(chunk).status_code == 401


def test_in_the_same_process_it_is_at_once(platform, private):
    with signed_in(platform) as client, browser(platform) as other:
        shown_to(platform, private, client.person)
        sign_in(other)
        chunk = f"{private.data}/chunks/0/c/0/0/0/0/0"
        assert other.get(chunk).status_code == 200
        client.post("/profile/sign-ins/end", data={"go": "on"})
        assert other.get(chunk).status_code == 401


def test_a_program_is_signed_in_by_its_person(platform):
    with signed_in(platform) as client, browser(platform, accept="application/json") as robot:
        asked = robot.post("/api/v1/device-logins", json={"name": "pulvinar on lab7", "ceiling": "write"}).json()
        wish = {"device_code": asked["device_code"]}
        assert robot.post("/api/v1/device-logins/state", json=wish).json() == {"state": "pending", "token": ""}
        page = client.get(f"/device?code={asked['user_code']}").text
        assert "pulvinar on lab7" in page
        assert "bring in and change data" in page
        assert client.get("/device?code=ZZZZ-ZZZZ").status_code == 404
        done = client.post("/device", data={"code": asked["user_code"].lower().replace("-", " "), "do": "allow"})
        assert "The program is signed in" in done.text
        told = robot.post("/api/v1/device-logins/state", json=wish).json()
        assert told["state"] == "allowed"
        assert robot.post("/api/v1/device-logins/state", json=wish).status_code == 404
        with program(platform, told["token"]) as signed:
            me = signed.get("/api/v1/me").json()
            assert (me["login"], me["ceiling"]) == ("ada", "write")


def test_a_program_is_refused_and_a_visitor_decides_nothing(platform):
    with signed_in(platform) as client, browser(platform) as visitor:
        asked = visitor.post("/api/v1/device-logins", json={"name": "evil"}).json()
        wanted = visitor.get(f"/device?code={asked['user_code']}")
        assert wanted.headers["location"] == f"/sign-in?next=/device%3Fcode%3D{asked['user_code']}"
        assert visitor.post("/device", data={"code": asked["user_code"], "do": "allow"}).status_code == 401
        client.post("/device", data={"code": asked["user_code"], "do": "refuse"})
        told = visitor.post("/api/v1/device-logins/state", json={"device_code": asked["device_code"]}).json()
        assert told == {"state": "refused", "token": ""}


def test_codes_of_programs_are_not_tried_through(platform):
    with signed_in(platform) as client:
        statuses = [client.get("/device?code=AAAA-BBBB").status_code for _ in range(13)]
        assert statuses[:11] == [404] * 11
        assert statuses[-1] == 429


def test_where_nobody_signs_in_no_program_does(tmp_path):
    with open_platform(load_settings(environment={}, home=tmp_path / "laptop")) as laptop, browser(laptop) as client:
        assert client.post("/api/v1/device-logins", json={"name": "x"}).status_code == 404
        assert client.get("/api/v1/me/tokens").status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/audit/events",
        "/api/v1/audit/export",
        "/api/v1/audit/reads",
        "/api/v1/audit/seal",
        "/audit",
        "/audit/reads",
    ],
)
def test_the_log_is_not_for_a_token_that_only_reads(platform, path):
    owner = a_person(platform.database, "grace", is_owner=True)
    seal_all(platform.database)
    for ceiling, status in ((Right.WRITE, 403), (Right.ADMINISTER, 200)):
        with program(platform, a_token(platform, owner, ceiling)[1]) as client:
            assert client.get(path).status_code == status


def test_a_token_that_only_reads_leaves_no_organisation(platform):
    person, other = a_person(platform.database), a_person(platform.database, "bo")
    with UnitOfWork(platform.database, LOCAL_OWNER) as work:
        lab = make_organisation(work, "A lab", OrganisationKind.LAB)
        for one in (person, other):
            set_member(work, lab.id, one.id, Right.ADMINISTER)
    at = f"/api/v1/organisations/{lab.id}/members/{person.id}"
    with program(platform, a_token(platform, person, Right.READ)[1]) as client:
        assert client.delete(at).status_code == 403
    with program(platform, a_token(platform, person, Right.ADMINISTER)[1]) as client:
        assert client.delete(at).status_code == 204


def test_a_token_that_only_reads_hands_nothing_in(platform):
    """Not even into what its person has begun."""
    person = a_person(platform.database, is_owner=True)
    actor, landing = acting(platform.database, person.id), landing_of(platform)
    made = create_submission(landing, actor, "mine")
    add_files(landing, actor, made.id, [("a.swc", 4), ("b.swc", 4)])
    part = open_part(landing, actor, made.id, "a.swc", 4, first=0)
    spoken = {"tus-resumable": "1.0.0"}
    body = {**spoken, "content-type": "application/offset+octet-stream", "upload-offset": "0"}
    name = base64.b64encode(b"b.swc").decode()
    owner = base64.b64encode(made.id.encode()).decode()
    new = {**spoken, "upload-length": "4", "upload-metadata": f"submission {owner},path {name}"}
    final = {**spoken, "upload-concat": f"final;/api/v1/uploads/{part.id}"}
    with program(platform, a_token(platform, person, Right.READ)[1]) as client:
        assert client.get(f"/api/v1/submissions/{made.id}").status_code == 200
        for answer in (
            client.patch(f"/api/v1/uploads/{part.id}", content=b"abcd", headers=body),
            client.post("/api/v1/uploads", headers=new),
            client.post("/api/v1/uploads", headers=final),
            client.delete(f"/api/v1/uploads/{part.id}", headers=spoken),
        ):
            assert answer.status_code == 403, answer.text
    assert get_part(landing, actor, part.id).received == 0
    with program(platform, a_token(platform, person, Right.WRITE)[1]) as client:
        assert client.patch(f"/api/v1/uploads/{part.id}", content=b"abcd", headers=body).status_code == 204
        assert client.post("/api/v1/uploads", headers=final).status_code == 201


@pytest.mark.parametrize("ended", ["token", "membership"])
def test_what_goes_on_ends_with_what_let_it_in(platform, private, serving, ended):
    """An answer that never ends is asked for once: whether it may go on is asked anew."""
    owner, person = a_person(platform.database, "grace", is_owner=True), a_person(platform.database)
    keeper = acting(platform.database, owner.id)
    with UnitOfWork(platform.database, LOCAL_OWNER) as work:
        lab = make_organisation(work, "A lab", OrganisationKind.LAB)
        set_member(work, lab.id, person.id, Right.READ)
    shown_to(platform, private, person)
    document = create_document(platform.database, keeper, "Cells", dataset_id=private.version.dataset_id)
    with UnitOfWork(platform.database, keeper) as work:
        share_document(work, document.id, organisation_audience(lab.id), Right.READ)
    made, secret = a_token(platform, person)
    with serving(platform) as address:
        asked = {"url": f"{address}/api/v1/documents/{document.id}/events", "timeout": 8}
        with httpx2.stream("GET", headers={"authorization": f"Bearer {secret}"}, **asked) as events:
            with UnitOfWork(platform.database, LOCAL_OWNER) as work:
                if ended == "token":
                    revoke_token(work, person.id, made.id)
                else:
                    remove_member(work, lab.id, person.id)
            began = time.monotonic()
            assert [line for line in events.iter_lines() if line.startswith("data:")] == []
            assert time.monotonic() - began < 8


def test_one_takes_along_what_is_kept_of_oneself_and_nothing_of_others(platform, private):
    with signed_in(platform) as client, browser(platform) as visitor:
        person, other = client.person, a_person(platform.database, "bo")
        shown_to(platform, private, person)
        made, secret = a_token(platform, person)
        with UnitOfWork(platform.database, LOCAL_OWNER) as work:
            lab = make_organisation(work, "A lab", OrganisationKind.LAB)
            for one in (person, other):
                set_member(work, lab.id, one.id, Right.READ)
        document = create_document(
            platform.database, acting(platform.database, person.id), "Cells", dataset_id=private.version.dataset_id
        )
        assert "/api/v1/me/data" in client.get("/profile").text
        answer = client.get("/api/v1/me/data")
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
        lines = [json.loads(line) for line in answer.text.splitlines()]
        kinds = {one["kind"]: [each["data"] for each in lines if each["kind"] == one["kind"]] for one in lines}
        assert kinds["account"][0]["login"] == "ada"
        assert kinds["account"][0]["has_password"] is True
        assert [one["id"] for one in kinds["organisation"]] == [lab.id]
        assert [(one["dataset"], one["right"]) for one in kinds["grant"]] == [(private.version.dataset_id, "read")]
        assert [one["id"] for one in kinds["token"]] == [made.id]
        assert [one["id"] for one in kinds["document"]] == [document.id]
        assert kinds["sign-in"][0]["agent"]
        assert {"make-account", "sign-in", "make-token", "export-own-data"} <= {one["verb"] for one in kinds["event"]}
        for hidden in (secret, client.cookies["pulvinar_sign_in"], "argon2", other.id, "bo@lab"):
            assert hidden not in answer.text
        assert visitor.get("/api/v1/me/data", headers={"accept": "application/json"}).status_code == 401
    with program(platform, a_token(platform, person, Right.ADMINISTER)[1]) as robot:
        assert robot.get("/api/v1/me/data").status_code == 403
