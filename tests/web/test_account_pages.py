"""Accounts as people meet them: forms, links in mails, cookies, and what a stranger learns of none of it."""

import html
import re
import time

import pyotp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.access.people import BROWSER, PASSWORD, a_person, acting, everything_recorded, verbs
from tests.web.accounts import Mailbox, browser, sign_in, signed_in

from pulvinar.access.accounts import disable
from pulvinar.access.joining import first_owner_link, invite
from pulvinar.access.mail import Postman
from pulvinar.access.signing_in import sign_in_at_once
from pulvinar.access.tokens import list_tokens, make_token
from pulvinar.access.visibility import audience_of
from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue.datasets import create_dataset
from pulvinar.catalogue.sharing import share
from pulvinar.model.access import LOCAL_OWNER, Access, Right, Tier
from pulvinar.model.record import Record, Species
from pulvinar.platform import open_platform
from pulvinar.settings import load_settings
from pulvinar.web.forms import local_path

OTHER_PASSWORD = "mossy fibres all over"


@pytest.fixture
def platform(tmp_path, request):
    more = getattr(request, "param", {})
    with open_platform(load_settings(environment={}, home=tmp_path / "home", public=True, **more)) as opened:
        box = Mailbox()
        opened.__dict__["postman"] = Postman(box)
        opened.__dict__["mailbox"] = box
        yield opened


@pytest.fixture
def visitor(platform):
    with browser(platform) as client:
        yield client


def link_in(text):
    return html.unescape(re.search(r"https?://[^/\s]+(/\S+\?link=[\w-]+)", text)[1])


def mails(platform):
    platform.postman.close()
    platform.__dict__["postman"] = Postman(platform.__dict__["mailbox"])
    return platform.__dict__["mailbox"].mails


def test_a_visitor_is_offered_to_sign_in_and_comes_back_to_the_page(platform, visitor):
    a_person(platform.database)
    assert 'href="/sign-in?next=%2Fatlases' in visitor.get("/atlases").text
    sent = visitor.get("/profile")
    assert (sent.status_code, sent.headers["location"]) == (303, "/sign-in?next=/profile")
    page = visitor.get("/sign-in?next=/profile").text
    assert 'name="next" value="/profile"' in page
    done = sign_in(visitor, next="/profile")
    assert (done.status_code, done.headers["location"]) == (303, "/profile")
    shown = visitor.get("/profile")
    assert shown.status_code == 200
    assert ">Ada</a>" in shown.text
    assert shown.headers["cache-control"] == "no-store"
    assert visitor.get("/sign-in?next=/atlases").headers["location"] == "/atlases"
    gone = visitor.post("/sign-out")
    assert gone.headers["location"] == "/"
    assert "Ada" not in visitor.get("/").text


def test_the_cookie_is_for_no_script_and_no_other_site(platform, visitor):
    a_person(platform.database)
    told = sign_in(visitor).headers["set-cookie"]
    assert re.fullmatch(r"pulvinar_sign_in=[\w-]{43}; HttpOnly; Max-Age=1209600; Path=/; SameSite=lax", told), told


@pytest.mark.parametrize("platform", [{"address": "https://brains.example.org"}], indirect=True)
def test_behind_https_no_other_host_or_path_can_set_the_cookie(platform):
    a_person(platform.database)
    with browser(platform) as client:
        told = sign_in(client).headers["set-cookie"]
    assert told.startswith("__Host-pulvinar=")
    assert told.endswith("; HttpOnly; Max-Age=1209600; Path=/; SameSite=lax; Secure")
    secret = re.match(r"[^=]+=([^;]+)", told)[1]
    for name, status in (("__Host-pulvinar", 200), ("pulvinar_sign_in", 303)):
        with browser(platform, cookie=f"other=x; {name}={secret}") as client:
            assert client.get("/profile").status_code == status


def test_each_sign_in_has_a_secret_of_its_own_and_one_that_a_stranger_chose_is_none(platform, visitor):
    a_person(platform.database)
    visitor.cookies.set("pulvinar_sign_in", "chosen-by-a-stranger")
    first = sign_in(visitor).headers["set-cookie"]
    assert "chosen-by-a-stranger" not in first
    with browser(platform, cookie="pulvinar_sign_in=chosen-by-a-stranger") as client:
        assert client.get("/profile").status_code == 303
    with browser(platform) as client:
        assert sign_in(client).headers["set-cookie"].split(";")[0] != first.split(";")[0]


def test_a_stranger_learns_nothing_of_who_has_an_account(platform, visitor):
    a_person(platform.database)
    gone = a_person(platform.database, "gone")
    with UnitOfWork(platform.database, LOCAL_OWNER) as work:
        disable(work, gone.id, "left")
    pages = set()
    for login, password in (("ada", "wrong"), ("nobody", "wrong"), ("gone", PASSWORD)):
        answer = sign_in(visitor, login, password)
        assert answer.status_code == 401
        assert "set-cookie" not in answer.headers
        pages.add(answer.text.replace(f'value="{login}"', ""))
    assert len(pages) == 1
    told = {visitor.post("/forgotten", data={"who": who}).text for who in ("ada", "nobody", "ada@lab.example.org", "")}
    assert len(told) == 1
    assert [mail.to for mail in mails(platform)] == ["ada@lab.example.org"] * 2


def test_failures_are_held_back_and_it_is_said_for_how_long(platform, visitor):
    a_person(platform.database)
    for _ in range(6):
        sign_in(visitor, password="wrong")
    held = sign_in(visitor)
    assert held.status_code == 429
    assert int(held.headers["retry-after"]) >= 1
    assert "Wait" in held.text
    assert "请等待" in visitor.post("/sign-in?lang=zh", data={"login": "ada", "password": PASSWORD}).text


@pytest.mark.parametrize(
    "next_page",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil",
        "javascript:x",
        "/\t/evil.example",
        "",
        "x",
    ],
)
def test_signing_in_leads_to_no_other_site(platform, visitor, next_page):
    a_person(platform.database)
    assert sign_in(visitor, next=next_page).headers["location"] == "/"


@given(st.text(alphabet="/\\:@.a?#%\t\n ;é", max_size=12))
def test_whatever_next_is_it_begins_with_one_slash(text):
    path = local_path(text)
    assert path.startswith("/")
    assert path[1:2] not in ("/", "\\")


def test_other_sites_sign_nobody_in_or_out(platform, visitor):
    a_person(platform.database)
    for headers in (
        {"origin": "https://evil.example"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ):
        for path in ("/sign-in", "/sign-out", "/join", "/forgotten", "/new-password", "/profile/tokens", "/device"):
            assert visitor.post(path, data={"login": "ada"}, headers=headers).status_code == 403


def test_the_first_owner_comes_in_by_a_link_that_works_once(platform, visitor):
    with UnitOfWork(platform.database, LOCAL_OWNER) as work:
        link, spare = first_owner_link(work), first_owner_link(work)
    page = visitor.get(f"/join?link={link}")
    assert "The first owner" in page.text
    assert page.headers["referrer-policy"] == "same-origin"
    said = {"link": link, "name": "Ada L", "login": "ada", "email": "ada@lab.org", "orcid": "0000-0002-1825-0097"}
    refused = visitor.post("/join", data={**said, "password": "short", "again": "short"})
    assert refused.status_code == 422
    assert "the password is too short" in refused.text
    assert "Ada L" in refused.text
    done = visitor.post("/join", data={**said, "password": PASSWORD, "again": PASSWORD})
    assert (done.status_code, done.headers["location"]) == (303, "/profile")
    assert "owner of this platform" in visitor.get("/profile").text
    assert visitor.get("/accounts").status_code == 200
    with browser(platform) as other:
        assert other.get(f"/join?link={link}").status_code == 404
        assert other.get(f"/join?link={spare}").status_code == 409
        late = {**said, "link": spare, "login": "eve", "password": PASSWORD, "again": PASSWORD}
        assert other.post("/join", data=late).status_code == 409
    assert link not in everything_recorded(platform.database)


def test_an_invitation_is_for_one_mail_address_and_makes_no_owner_unless_it_says_so(platform):
    with signed_in(platform, "grace", is_owner=True) as owner:
        page = owner.post("/accounts/invite", data={"email": "New@lab.org"}).text
        assert 'role="status"' in page
        assert owner.post("/accounts/invite", data={"email": "nonsense"}).status_code == 422
    (mail,) = mails(platform)
    assert mail.to == "new@lab.org"
    path = link_in(mail.text)
    assert path in html.unescape(page)
    with browser(platform) as client:
        assert "new@lab.org" in client.get(path).text
        said = {"link": path.partition("=")[2], "name": "New", "login": "newton", "email": "evil@x.org"}
        assert (
            client.post("/join", data={**said, "login": "GRACE", "password": PASSWORD, "again": PASSWORD}).status_code
            == 409
        )
        client.post("/join", data={**said, "password": PASSWORD, "again": PASSWORD})
        shown = client.get("/profile").text
        assert "new@lab.org" in shown
        assert "evil@x.org" not in shown
        assert client.get("/accounts").status_code == 403
        assert client.get(path).status_code == 404


def test_a_forgotten_password_is_set_anew_once_and_signs_out_everywhere(platform):
    with signed_in(platform) as before, browser(platform) as visitor:
        visitor.post("/forgotten", data={"who": "ADA"})
        path = link_in(mails(platform)[0].text)
        before.post("/profile/tokens", data={"name": "a robot", "ceiling": "read", "days": "5"})
        page = visitor.get(path).text
        assert "ada" in page
        assert "a robot" in page
        said = {"link": path.partition("=")[2]}
        assert visitor.post("/new-password", data={**said, "password": "x", "again": "y"}).status_code == 422
        done = visitor.post("/new-password", data={**said, "password": OTHER_PASSWORD, "again": OTHER_PASSWORD})
        assert done.headers["location"] == "/sign-in"
        assert visitor.get(path).status_code == 404
        assert before.get("/profile").status_code == 303
        assert list_tokens(platform.database, LOCAL_OWNER, before.person.id) == ()
        assert sign_in(visitor).status_code == 401
        assert sign_in(visitor, password=OTHER_PASSWORD).status_code == 303
    assert mails(platform)[1].subject.startswith("Pulvinar: your account was changed")


def test_recovery_mails_are_limited_for_one_account_and_one_address(platform, visitor):
    a_person(platform.database)
    answers = [visitor.post("/forgotten", data={"who": "ada"}).status_code for _ in range(12)]
    assert answers == [200] * 11 + [429]
    assert len(mails(platform)) <= 4


def test_a_link_in_a_mail_leads_here_whatever_host_the_request_claims(platform, visitor):
    a_person(platform.database)
    visitor.post("/forgotten", data={"who": "ada"}, headers={"host": "evil.example"})
    assert "http://127.0.0.1:8765/new-password?link=" in mails(platform)[0].text


def test_two_factor_sign_in_from_the_picture_to_the_code(platform):
    with signed_in(platform) as client:
        assert client.post("/profile/second-factor", data={"current": "wrong"}).status_code == 401
        page = client.post("/profile/second-factor", data={"current": PASSWORD}).text
        assert "data:image/svg+xml" in page
        app = pyotp.TOTP(re.search(r'<code id="key">([A-Z2-7 ]+)</code>', page)[1].replace(" ", ""))
        wrong = client.post("/profile/second-factor/confirm", data={"code": "12345"})
        assert (wrong.status_code, "data:image/svg+xml" in wrong.text) == (422, True)
        shown = client.post("/profile/second-factor/confirm", data={"code": app.at(int(time.time()) - 30)}).text
        codes = re.search(r'<code id="codes">([^<]+)', shown)[1].split()
        assert len(codes) == 10
        assert "10 recovery codes are left" in client.get("/profile").text
        with browser(platform) as other:
            asked = sign_in(other, next="/atlases")
            assert (asked.status_code, "set-cookie" in asked.headers) == (200, False)
            waiting = re.search(r'name="waiting" value="([^"]+)"', asked.text)[1]
            said = {"waiting": waiting, "next": "/atlases"}
            assert other.post("/sign-in/code", data={**said, "code": "000000"}).status_code == 401
            done = other.post("/sign-in/code", data={**said, "code": app.now()})
            assert (done.status_code, done.headers["location"]) == (303, "/atlases")
            assert other.post("/sign-in/code", data={**said, "code": codes[0]}).status_code == 401
        assert client.post("/profile/second-factor/remove", data={"current": "wrong"}).status_code == 401
        assert client.post("/profile/second-factor/remove", data={"current": PASSWORD}).status_code == 303
        assert "It is off" in client.get("/profile").text
        assert app.secret not in everything_recorded(platform.database)


def test_a_profile_says_what_was_put_in_whatever_it_is(platform):
    with signed_in(platform) as client:
        said = {"name": "李 <script>alert(1)</script>", "orcid": "0000-0002-1694-233X", "lab": '"Lab"'}
        said["email"] = client.person.profile.email
        assert client.post("/profile", data=said).status_code == 303
        shown = client.get("/profile").text
        assert "<script>alert" not in shown
        assert "李 &lt;script&gt;" in shown
        for wrong in ({"orcid": "0000-0002-1694-2339"}, {"email": "x@y.org\r\nBcc: z@y.org"}, {"name": " "}):
            assert client.post("/profile", data={**said, **wrong}).status_code == 422


def test_where_mail_goes_is_changed_with_the_password_alone_and_the_old_address_is_told(platform):
    with signed_in(platform) as client:
        said = {"name": "Ada", "email": "ada@elsewhere.org"}
        assert client.post("/profile", data=said).status_code == 401
        assert client.post("/profile", data={**said, "current": PASSWORD}).status_code == 303
        assert "ada@elsewhere.org" in client.get("/profile").text
    assert [mail.to for mail in mails(platform)] == ["ada@lab.example.org"]


def test_a_changed_password_signs_every_other_browser_out(platform):
    with signed_in(platform) as client, browser(platform) as other:
        sign_in(other)
        assert "this one" in client.get("/profile").text
        said = {"current": PASSWORD, "password": OTHER_PASSWORD, "again": OTHER_PASSWORD}
        assert client.post("/profile/password", data={**said, "current": "wrong"}).status_code == 401
        assert client.post("/profile/password", data={**said, "again": "x"}).status_code == 422
        assert client.post("/profile/password", data=said).status_code == 303
        assert client.get("/profile").status_code == 200
        assert other.get("/profile").status_code == 303


def test_other_browsers_are_signed_out_from_the_profile(platform):
    with signed_in(platform) as client, browser(platform) as other, browser(platform) as third:
        sign_in(other)
        sign_in(third)
        ids = re.findall(r'name="id" value="(signin-[^"]+)"', client.get("/profile").text)
        assert len(ids) == 2
        assert client.post("/profile/sign-ins/end", data={"id": ids[0]}).status_code == 303
        assert sorted(one.get("/profile").status_code for one in (other, third)) == [200, 303]
        assert client.post("/profile/sign-ins/end", data={"go": "on"}).status_code == 303
        assert [one.get("/profile").status_code for one in (client, other, third)] == [200, 303, 303]
        made = client.post("/profile/tokens", data={"name": "x", "ceiling": "read", "days": "1"}).text
        mine = re.search(r'name="id" value="(token-[^"]+)"', made)[1]
        with signed_in(platform, "mallory") as mallory:
            assert mallory.post("/profile/sign-ins/end", data={"id": ids[1]}).status_code == 404
            assert mallory.post("/profile/tokens/revoke", data={"id": mine}).status_code == 404


def test_owners_look_after_accounts(platform):
    with signed_in(platform) as ada, signed_in(platform, "grace", is_owner=True) as owner:
        page = f"/accounts/{ada.person.id}"
        assert "ada@lab.example.org" in owner.get("/accounts?q=AD").text
        assert owner.get(page).status_code == 200
        assert ada.get(page).status_code == 403
        assert owner.post(f"{page}/disable", data={"reason": ""}).status_code == 422
        assert owner.post(f"{page}/disable", data={"reason": "left the lab"}).status_code == 303
        assert ada.get("/profile").status_code == 303
        assert "disabled" in owner.get(page).text
        owner.post(f"{page}/enable", data={"go": "on"})
        reset = owner.post(f"{page}/reset", data={"go": "on"}).text
        path = re.search(r"(/new-password\?link=[\w-]+)", reset)[1]
        with browser(platform) as visitor:
            said = {"link": path.partition("=")[2], "password": OTHER_PASSWORD, "again": OTHER_PASSWORD}
            assert visitor.post("/new-password", data=said).status_code == 303
            assert sign_in(visitor, password=OTHER_PASSWORD).status_code == 303
        assert owner.post(f"{page}/owner", data={"go": "on"}).status_code == 303
        assert owner.post(f"/accounts/{owner.person.id}/no-owner", data={"go": "on"}).status_code == 303
        assert owner.get("/accounts").status_code == 403
        assert "end-owner" in verbs(platform.database, owner.person.id)


def test_a_service_signs_in_by_tokens_that_owners_make(platform):
    with signed_in(platform, "grace", is_owner=True) as owner:
        made = owner.post("/accounts/services", data={"login": "scope", "name": "The microscope"})
        page = made.headers["location"]
        shown = owner.post(f"{page}/tokens", data={"name": "nightly", "ceiling": "write", "days": "30"}).text
        token = re.search(r"pulv_[\w-]{43}", shown)[0]
        with browser(platform, authorization=f"Bearer {token}", accept="application/json") as robot:
            told = robot.get("/api/v1/me").json()
            assert (told["login"], told["kind"], told["ceiling"]) == ("scope", "service", "write")
            token_id = re.search(r'value="(token-[^"]+)"', owner.get(page).text)[1]
            owner.post(f"{page}/revoke", data={"id": token_id})
            assert robot.get("/api/v1/me").status_code == 401
        person = a_person(platform.database, "bob")
        assert (
            owner.post(f"/accounts/{person.id}/tokens", data={"name": "x", "ceiling": "read", "days": "1"}).status_code
            == 403
        )


def test_where_nobody_signs_in_there_are_no_such_pages(tmp_path):
    with open_platform(load_settings(environment={}, home=tmp_path / "laptop")) as laptop, browser(laptop) as client:
        for path in ("/sign-in", "/profile", "/device", "/join?link=x", "/forgotten", "/new-password"):
            assert client.get(path).status_code == 404, path
        assert "sign-in" not in client.get("/").text
        assert client.get("/api/v1/me").json()["kind"] == "owner"
        assert client.get("/accounts").status_code == 200


def test_a_wish_for_a_page_needs_no_loop(platform):
    with browser(platform, authorization="Bearer pulv_nonsense") as client:
        assert client.get("/sign-in").status_code == 401
        assert client.get("/").status_code == 401


def test_an_invitation_of_an_owner_says_so(platform, visitor):
    with UnitOfWork(platform.database, LOCAL_OWNER) as work:
        link = invite(work, "boss@lab.org", is_owner=True)
    assert "will own the platform" in visitor.get(f"/join?link={link}").text


@pytest.mark.parametrize(
    ("demanded", "of_owner", "of_reader"),
    [("owners", True, False), ("everybody", True, True), ("nobody", False, False)],
)
def test_a_second_factor_can_be_demanded_and_nothing_goes_before_it_is_there(tmp_path, demanded, of_owner, of_reader):
    settings = load_settings(environment={}, home=tmp_path / "home", public=True, second_factor_of=demanded)
    with open_platform(settings) as platform:
        with UnitOfWork(platform.database, LOCAL_OWNER) as work:
            made = create_dataset(
                work, Record("A private brain", Species.MOUSE, "CC0-1.0"), access=Access(Tier.PRIVATE)
            )
        page = f"/datasets/{made.id}/access"
        with signed_in(platform, "grace", is_owner=True) as owner, signed_in(platform, "ada") as reader:
            with UnitOfWork(platform.database, LOCAL_OWNER) as work:
                share(work, made.id, audience_of(reader.person.id), Right.READ)
            with UnitOfWork(platform.database, acting(platform.database, owner.person.id)) as work:
                _, token = make_token(work, owner.person.id, "a program", Right.ADMINISTER, 30)
            for client, waits in ((owner, of_owner), (reader, of_reader)):
                assert client.get(page).status_code == (404 if waits else 200)
                assert ("two-factor sign-in of you" in client.get("/").text) is waits
                assert client.get("/profile").status_code == 200
            assert owner.get("/accounts").status_code == (403 if of_owner else 200)
            program = {"authorization": f"Bearer {token}", "accept": "application/json"}
            with browser(platform, **program) as robot:
                assert robot.get(f"/api/v1/datasets/{made.id}").status_code == (404 if of_owner else 200)
            switch_on(owner)
            assert owner.get(page).status_code == 200
            assert owner.get("/accounts").status_code == 200
            assert "two-factor sign-in of you" not in owner.get("/").text


def test_who_has_no_password_here_has_the_factors_of_the_other_service(tmp_path):
    settings = load_settings(environment={}, home=tmp_path / "home", public=True, second_factor_of="everybody")
    with open_platform(settings) as platform:
        person = a_person(platform.database, "grace", is_owner=True, password="")
        secret = sign_in_at_once(platform.database, person.id, BROWSER, days=1, how="elsewhere")
        assert platform.known_actors.find(secret).is_owner


def switch_on(client):
    page = client.post("/profile/second-factor", data={"current": PASSWORD}).text
    app = pyotp.TOTP(re.search(r'<code id="key">([A-Z2-7 ]+)</code>', page)[1].replace(" ", ""))
    assert client.post("/profile/second-factor/confirm", data={"code": app.now()}).status_code == 200
