"""What costs much can be asked for only so often by one person or one address; owners are not held up."""

from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace

import pytest
from fastapi.testclient import TestClient

from pulvinar.model.access import Actor
from pulvinar.platform import Platform, open_platform
from pulvinar.settings import load_settings
from pulvinar.web import context
from pulvinar.web.app import create_app
from pulvinar.web.limits import Buckets, address_of
from pulvinar.web.shared import CONTEXT, Slots


@pytest.fixture
def platform(tmp_path) -> Iterator[Platform]:
    with open_platform(load_settings(environment={}, home=tmp_path / "home", costly_per_minute=3)) as opened:
        yield opened


def visitor_of(platform: Platform, client: str) -> TestClient:
    public = replace(platform, settings=platform.settings.model_copy(update={"public": True}))
    return TestClient(create_app(public), base_url="http://testserver", client=(client, 50000))


def test_tokens_come_back():
    buckets = Buckets(60)
    assert [buckets.take("ann", 0.0) for _ in range(61)] == [*[0] * 60, 1]
    assert buckets.take("bob", 0.0) == 0
    assert buckets.take("ann", 1.0) == 0
    assert buckets.take("ann", 1.1) == 1
    # nobody saves up more than a minute's
    assert [buckets.take("ann", 10_000.0) for _ in range(61)][-1] == 1
    assert all(Buckets(0).take("ann", 0.0) == 0 for _ in range(1000))


def test_what_is_remembered_is_bounded():
    buckets = Buckets(1, Slots(sets=2))
    for number in range(1000):
        buckets.take(str(number), float(number))
    assert buckets.take("999", 999.0) == 60
    assert buckets.take("0", 999.0) == 0


def take_all(buckets, found):
    found.put(sum(buckets.take("ann", 0.0) == 0 for _ in range(50)))


def test_processes_count_together():
    buckets, found = Buckets(60, Slots(between_processes=True)), CONTEXT.Queue()
    both = [CONTEXT.Process(target=take_all, args=(buckets, found)) for _ in range(2)]
    for one in both:
        one.start()
    assert sum(found.get(timeout=60) for _ in both) == 60
    for one in both:
        one.join()


def test_a_visitor_is_held_up_with_a_time_to_come_again(platform):
    visitor = visitor_of(platform, "192.0.2.1")
    assert [visitor.get("/api/v1/search?q=x").status_code for _ in range(4)] == [200, 200, 200, 429]
    refused = visitor.get("/", headers={"accept": "text/html"})
    assert refused.status_code == 429
    # three a minute: one comes back every twenty seconds, of which a slow machine has used some
    assert 10 <= int(refused.headers["retry-after"]) <= 20
    told = visitor.get("/api/v1/search?q=x")
    assert told.json()["error"]["code"] == "too_often"
    assert int(told.headers["retry-after"]) <= 20
    # what costs little goes on
    assert visitor.get("/api/v1/datasets").status_code == 200


def test_addresses_are_told_apart_and_a_header_is_not_believed_from_elsewhere(platform):
    one, other = (visitor_of(platform, address) for address in ("192.0.2.1", "192.0.2.2"))
    assert [other.get("/api/v1/search").status_code for _ in range(3)] == [200] * 3
    forged = [one.get("/api/v1/search", headers={"x-forwarded-for": f"198.51.100.{n}"}).status_code for n in range(4)]
    assert forged[-1] == 429


def test_people_are_told_apart_wherever_they_come_from(platform, monkeypatch):
    who = SimpleNamespace(actor=Actor("ann", "Ann"))
    monkeypatch.setattr(context, "actor_of", lambda platform, scope: who.actor)
    client = visitor_of(platform, "192.0.2.1")
    assert [client.get("/api/v1/search").status_code for _ in range(4)][-1] == 429
    who.actor = Actor("bob", "Bob")
    assert client.get("/api/v1/search").status_code == 200


def test_an_owner_is_not_held_up(platform):
    owner = TestClient(create_app(platform), base_url="http://testserver")
    assert {owner.get("/api/v1/search").status_code for _ in range(10)} == {200}


@pytest.mark.parametrize(
    ("client", "known"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("testclient", "testclient"),
        (None, ""),
    ],
)
def test_which_addresses_count_as_one(client, known):
    assert address_of(SimpleNamespace(client=client and SimpleNamespace(host=client))) == known
