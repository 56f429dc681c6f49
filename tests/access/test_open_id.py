import httpx2
import pytest
from joserfc.errors import JoseError
from tests.access.people import a_person, acting
from tests.access.providers import an_open_id_provider, query_of, signed_in_there

from pulvinar.access.external_identities import ExternalIdentity, account_of, issuers_of, link_identity, unlink_identity
from pulvinar.access.open_id import OpenIdProvider
from pulvinar.access.work import UnitOfWork
from pulvinar.errors import Conflict, NotAuthenticated, NotFound, Unavailable

BACK = "http://127.0.0.1:1/sign-in/arrive"


@pytest.fixture(scope="module")
def issuer():
    with an_open_id_provider() as found:
        yield found


@pytest.fixture
def provider(issuer):
    return OpenIdProvider(f"{issuer}/", "pulvinar", "hush", "The institute")


def test_somebody_signs_in_elsewhere_and_is_known_by_issuer_and_subject(provider, issuer):
    departure = provider.depart(BACK)
    asked = query_of(departure.address)
    assert (asked["response_type"], asked["code_challenge_method"]) == ("code", "S256")
    assert len(asked["code_challenge"]) == 43
    assert {"state", "nonce"} <= set(asked)
    assert departure.kept["verifier"] not in departure.address
    came_to = signed_in_there(departure.address, "ada-1", name="Ada L", email="ada@x.org", email_verified=True)
    assert provider.arrive(came_to, departure.kept, BACK) == ExternalIdentity(issuer, "ada-1", "Ada L", "ada@x.org")


def test_a_mail_address_that_nobody_verified_is_not_taken_over(provider):
    departure = provider.depart(BACK)
    came_to = signed_in_there(departure.address, "eve", email="ada@x.org", email_verified=False)
    assert provider.arrive(came_to, departure.kept, BACK).email == ""


@pytest.mark.parametrize("wrong", ["state", "nonce"])
def test_an_answer_to_another_departure_is_not_believed(provider, wrong):
    departure, other = provider.depart(BACK), provider.depart(BACK)
    came_to = signed_in_there(departure.address, "ada-1")
    with pytest.raises(NotAuthenticated):
        provider.arrive(came_to, {**departure.kept, wrong: other.kept[wrong]}, BACK)


def test_a_code_works_once_and_not_for_another_server(provider, issuer):
    departure = provider.depart(BACK)
    came_to = signed_in_there(departure.address, "ada-1")
    with pytest.raises(NotAuthenticated):
        OpenIdProvider(issuer, "another", "hush").arrive(came_to, departure.kept, BACK)
    provider.arrive(came_to, departure.kept, BACK)
    with pytest.raises(NotAuthenticated):
        provider.arrive(came_to, departure.kept, BACK)


def test_a_token_of_another_issuer_or_for_another_client_is_not_believed(provider, monkeypatch):
    departure = provider.depart(BACK)
    came_to = signed_in_there(departure.address, "ada-1")
    decoded = provider._claims
    monkeypatch.setattr(provider, "_claims", lambda token, nonce: changed(provider, decoded, token, nonce))
    with pytest.raises(NotAuthenticated):
        provider.arrive(came_to, departure.kept, BACK)


def changed(provider, decoded, token, nonce):
    provider.client_id = "somebody else"
    return decoded(token, nonce)


def test_a_token_that_was_touched_is_not_believed(provider):
    departure = provider.depart(BACK)
    head, body, signature = "eyJhbGciOiJub25lIn0", "eyJzdWIiOiJhZGEifQ", ""
    for token in (f"{head}.{body}.{signature}", "x.y.z", ""):
        with pytest.raises((JoseError, ValueError)):
            provider._claims(token, departure.kept["nonce"])


def test_who_refuses_there_is_signed_in_nowhere(provider):
    departure = provider.depart(BACK)
    refused = httpx2.post(departure.address, data={"action": "deny"}).headers["location"]
    with pytest.raises(NotAuthenticated):
        provider.arrive(refused, departure.kept, BACK)
    with pytest.raises(NotAuthenticated):
        provider.arrive(f"{BACK}?code=x&iss=https://evil.example", departure.kept, BACK)


def test_a_provider_that_is_silent_or_another_is_told_apart(issuer):
    with pytest.raises(Unavailable, match="does not answer"):
        OpenIdProvider("http://127.0.0.1:9", "pulvinar", "").depart(BACK)
    other = OpenIdProvider(issuer.replace("127.0.0.1", "localhost"), "pulvinar", "")
    other._told["document"] = (float("inf"), {"issuer": issuer})
    with pytest.raises(Unavailable, match="says that it is"):
        other.depart(BACK)


def test_one_identity_is_of_one_account_and_the_last_way_in_stays(database):
    ada, eve = a_person(database, "ada", password=""), a_person(database, "eve")
    identity = ExternalIdentity("https://x.org", "1")
    with UnitOfWork(database, acting(database, ada.id)) as work:
        link_identity(work, ada.id, identity)
    with pytest.raises(Conflict), UnitOfWork(database, acting(database, eve.id)) as work:
        link_identity(work, eve.id, identity)
    with database.session() as session:
        assert account_of(session, identity) == ada.id
        assert account_of(session, ExternalIdentity("https://y.org", "1")) is None
        assert issuers_of(session, ada.id) == ("https://x.org",)
    with pytest.raises(Conflict, match="no other way"), UnitOfWork(database, acting(database, ada.id)) as work:
        unlink_identity(work, ada.id, "https://x.org")
    with pytest.raises(NotFound), UnitOfWork(database, acting(database, eve.id)) as work:
        unlink_identity(work, eve.id, "https://x.org")
