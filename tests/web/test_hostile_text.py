"""Text that no database keeps (a NUL, or far too long), wherever a request brings it: refused, on both databases."""

import logging
import re
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from tests.access.people import a_person
from tests.web.accounts import sign_in
from tests.web.leaks import Route, Thing, routes_of

from pulvinar.access.organisations import make_organisation
from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue.datasets import create_dataset
from pulvinar.model.access import LOCAL_OWNER, OrganisationKind
from pulvinar.model.record import Record, Species
from pulvinar.platform import Platform, open_platform
from pulvinar.settings import load_settings
from pulvinar.web.app import create_app

FIELDS = re.findall(
    r"\w+",
    "login password next waiting code email name again link who orcid lab current id ceiling days issuer organisation "
    "right ends tier opens audience blind label member role kind parent purpose message reason note asset face action "
    "number replaced_by agreement jurisdiction persons title_en title_zh text_en text_zh do is_owner digest accepted",
)
ASKED = "?q=a%00&cursor=a%00&after=a%00&actor=a%00&dataset=a%00&who=a%00&fingerprint=a%00&atlas=a%00&version=1"


@pytest.fixture(params=["sqlite", "postgresql"])
def platform(request, tmp_path, migrated) -> Iterator[Platform]:
    url = migrated(request, request.param)
    settings = load_settings(environment={}, home=tmp_path / "home", public=True, database_url=url)
    with open_platform(settings) as opened:
        yield opened


def test_nothing_that_is_sent_fails_the_server(platform, caplog):
    owner = a_person(platform.database, "grace", is_owner=True)
    with UnitOfWork(platform.database, LOCAL_OWNER) as work:
        brain = create_dataset(work, Record("A brain", Species.MOUSE, "CC0-1.0"))
        lab = make_organisation(work, "A lab", OrganisationKind.LAB)
    thing = Thing(brain.id, "0" * 64, "x", lab.id, owner.id)
    application = create_app(platform)
    found = []
    with TestClient(application, follow_redirects=False, raise_server_exceptions=False) as client:
        client.headers["accept"] = "application/json"
        assert sign_in(client, "grace").status_code == 303
        for route in routes_of(application):
            if route.method in ("HEAD", "OPTIONS") or route.path in ("/sign-out", "/accounts/{account_id}/{action}"):
                continue
            found += [(route, one.status_code) for one in answers(client, route, thing) if one.status_code >= 500]
    assert found == []
    assert "secret of somebody" not in caplog.text


def answers(client: TestClient, route: Route, thing: Thing):
    try:
        path = route.address(thing).partition("?")[0]
    except KeyError:
        path = re.sub(r"\{(\w+)(?::\w+)?\}", "x", route.path)
    if route.path.endswith("/events"):
        return
    if route.method == "GET":
        yield client.get(path + ASKED)
        if route.parameters:
            yield client.get(re.sub(r"\{(\w+)(?::\w+)?\}", "a%00", route.path))
        return
    for value in ("secret of somebody\0", "x" * 5000):
        yield client.request(route.method, path, data=dict.fromkeys(FIELDS, value))


def test_what_goes_wrong_in_the_database_is_logged_without_its_values(platform, caplog):
    caplog.set_level(logging.ERROR)
    with TestClient(create_app(platform), raise_server_exceptions=False) as client:
        answer = client.post("/sign-in", data={"login": "typed by mistake\0" * 40, "password": "secret of somebody"})
    assert answer.status_code < 500
    assert "typed by mistake" not in caplog.text
