"""Signing in at a real OpenID Connect provider, through the pages."""

import html
import re
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
from tests.access.people import PASSWORD, a_person
from tests.access.providers import an_open_id_provider, signed_in_there
from tests.web.accounts import browser, sign_in, signed_in

from pulvinar.access.accounts import disable
from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue.datasets import create_dataset
from pulvinar.catalogue.sharing import share_by_link
from pulvinar.model.access import LOCAL_OWNER
from pulvinar.model.record import Record, Species
from pulvinar.platform import open_platform
from pulvinar.settings import load_settings


@pytest.fixture(scope="module")
def issuer():
    with an_open_id_provider() as found:
        yield found


@pytest.fixture
def platform(tmp_path, issuer, request):
    secret = tmp_path / "secret"
    secret.write_text("hush\n")
    more = {"oidc_issuer": issuer, "oidc_client_id": "pulvinar", "oidc_client_secret_file": secret}
    more |= {"address": "http://testserver", "oidc_name": "The institute", **getattr(request, "param", {})}
    with open_platform(load_settings(environment={}, home=tmp_path / "home", public=True, **more)) as opened:
        yield opened


def departure(client, onward="/"):
    page = client.post("/sign-in/depart", data={"next": onward})
    assert page.status_code == 200, page.text
    return html.unescape(re.search(r'http-equiv="refresh" content="0; url=([^"]+)"', page.text)[1])


def elsewhere(client, subject, onward="/", **claims):
    """Go there, sign in as somebody, and come back."""
    came_to = urlsplit(signed_in_there(departure(client, onward), subject, **claims))
    return client.get(f"{came_to.path}?{came_to.query}")


def join(client, answer, login):
    path = answer.headers["location"]
    assert path.startswith("/join?link=")
    page = client.get(path).text
    said = {"link": path.partition("=")[2], "name": "Ada", "login": login, "email": f"{login}@x.org"}
    return page, client.post("/join", data=said)


def test_who_is_new_makes_an_account_and_is_known_the_next_time(platform):
    with browser(platform) as client:
        assert "Sign in at The institute" in client.get("/sign-in").text
        answer = elsewhere(client, "ada-1", name="Ada L", email="ada.l@x.org", email_verified=True)
        page, done = join(client, answer, "ada")
        assert 'value="Ada L"' in page
        assert "ada.l@x.org" in page
        assert done.headers["location"] == "/profile"
        assert "Unlink" in client.get("/profile").text
    with browser(platform) as other:
        back = elsewhere(other, "ada-1", onward="/atlases")
        assert back.headers["location"] == "/atlases"
        assert ">Ada</a>" in other.get("/").text
        assert sign_in(other, "ada", "").status_code == 401


def test_the_same_mail_address_makes_nobody_the_same(platform):
    a_person(platform.database, "grace", email="grace@x.org")
    with browser(platform) as client:
        answer = elsewhere(client, "eve", email="grace@x.org", email_verified=True)
        assert answer.headers["location"].startswith("/join?link=")
        assert client.get("/profile").status_code == 303


def test_an_account_is_linked_by_its_person_and_unlinked_again(platform):
    with signed_in(platform) as client:
        assert elsewhere(client, "ada-2", onward="/profile").headers["location"] == "/profile#elsewhere"
        issuer = platform.settings.oidc_issuer
        assert issuer in client.get("/profile").text
        with browser(platform) as other:
            assert elsewhere(other, "ada-2").headers["location"] == "/"
            assert ">Ada</a>" in other.get("/").text
        assert client.post("/profile/unlink", data={"issuer": issuer}).status_code == 303
        with browser(platform) as other:
            assert elsewhere(other, "ada-2").headers["location"].startswith("/join")


def test_who_left_signed_in_and_came_back_as_another_links_nothing(platform):
    a_person(platform.database, "eve")
    with signed_in(platform) as client:
        came_to = urlsplit(signed_in_there(departure(client), "ada-3"))
        client.post("/sign-out", data={"go": "on"})
        sign_in(client, "eve", PASSWORD)
        assert client.get(f"{came_to.path}?{came_to.query}").status_code == 403


def test_an_answer_without_the_browser_that_left_or_twice_is_not_taken(platform):
    with browser(platform) as client, browser(platform) as victim:
        came_to = urlsplit(signed_in_there(departure(client), "mallory"))
        back = f"{came_to.path}?{came_to.query}"
        assert victim.get(back).status_code == 404
        departure(victim)
        assert victim.get(back).status_code == 401
        assert client.get(back).status_code == 303
        assert client.get(back).status_code == 404


def test_what_is_kept_of_a_departure_is_for_this_browser_and_no_script(platform):
    with browser(platform) as client:
        told = client.post("/sign-in/depart", data={"next": "/"}).headers["set-cookie"]
        assert re.fullmatch(r"pulvinar_departure=[\w-]{43}; HttpOnly; Max-Age=600; Path=/sign-in; SameSite=lax", told)
        assert departure(client, "https://evil.example")


def test_a_disabled_account_does_not_come_in_by_another_door(platform):
    with browser(platform) as client:
        join(client, elsewhere(client, "ada-4"), "ada")
        with platform.database.session():
            account_id = client.get("/api/v1/me", headers={"accept": "application/json"}).json()["id"]
        with UnitOfWork(platform.database, LOCAL_OWNER) as work:
            disable(work, account_id, "left")
        platform.known_actors.forget()
        assert elsewhere(client, "ada-4").status_code == 401
        assert client.get("/profile").status_code == 303


@pytest.mark.parametrize("platform", [{"oidc_new_accounts": False}], indirect=True)
def test_where_nobody_may_make_an_account_a_stranger_is_told_so(platform):
    with browser(platform) as client:
        assert elsewhere(client, "ada-5").status_code == 422


def test_who_looks_by_a_link_signs_in_elsewhere_as_anybody_does(platform):
    a_person(platform.database, "ada")
    with UnitOfWork(platform.database, LOCAL_OWNER) as work:
        made = create_dataset(work, Record("A brain", Species.MOUSE, "CC0-1.0"))
        _, secret = share_by_link(work, made.id, ends=datetime.now(UTC) + timedelta(days=1))
    with signed_in(platform, "bo") as linking, browser(platform) as client:
        elsewhere(linking, "subject-bo")
        assert client.get(f"/review/{secret}").status_code == 303
        assert elsewhere(client, "subject-bo").headers["location"] == "/"
        assert "pulvinar_sign_in" in client.cookies
