from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import delete, select, update
from tests.catalogue.datacite_server import PASSWORD, PREFIX, USER, DataCiteServer, datacite_server

from pulvinar.access.tables import event
from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue import get_version, open_draft, publish
from pulvinar.catalogue.datacite_registrar import DataCite
from pulvinar.catalogue.registration import RegistrationState, anything_due, count_earlier, do_due, note_account
from pulvinar.catalogue.sharing import set_tier
from pulvinar.catalogue.tables import registrar_account, registration
from pulvinar.catalogue.withdrawals import find_version, withdraw
from pulvinar.errors import Invalid
from pulvinar.model.access import ANONYMOUS, LOCAL_OWNER, Tier
from pulvinar.model.dataset import Dataset
from pulvinar.model.record import Contributor
from pulvinar.storage.database import Database

Add = Callable[..., Dataset]
HERE = "https://brains.example"
PEOPLE = (Contributor("Lovelace, Ada", orcid="0000-0002-1825-0097"),)


@pytest.fixture
def server() -> Iterator[DataCiteServer]:
    with datacite_server() as running:
        yield running


@pytest.fixture
def registrar(server: DataCiteServer, database: Database) -> DataCite:
    note_account(database, PREFIX)
    return DataCite(server.url, USER, PASSWORD, PREFIX)


def _all_due_now(database: Database) -> None:
    with database.writing() as session:
        session.execute(update(registration).where(registration.c.due.is_not(None)).values(due=datetime.now(UTC)))


def test_a_published_version_gets_a_doi_that_leads_to_its_page(
    database: Database, add: Add, server: DataCiteServer, registrar: DataCite
):
    dataset = add("A mouse brain", contributors=PEOPLE)
    (done,) = do_due(database, registrar, HERE)
    version = get_version(database, ANONYMOUS, dataset.id)
    assert (done.state, done.trouble) == (RegistrationState.REGISTERED, "")
    assert version.doi == done.doi == f"{PREFIX}/{version.id.rpartition('-')[2]}"
    kept = server.dois[version.doi]
    assert (kept["state"], kept["url"]) == ("findable", f"{HERE}/id/{version.id}")
    assert kept["titles"] == [{"title": "A mouse brain"}]
    assert kept["creators"][0]["name"] == "Lovelace, Ada"
    assert find_version(database, ANONYMOUS, version.id) == (dataset.id, 1)
    assert not anything_due(database, PREFIX)
    assert do_due(database, registrar, HERE) == ()
    with database.session() as session:
        wanted = select(event.c.details).where(event.c.verb == "register-doi", event.c.subject_id == version.id)
        assert session.scalar(wanted) == {"doi": version.doi}


def test_a_new_version_names_the_one_before(database: Database, add: Add, server: DataCiteServer, registrar: DataCite):
    dataset = add()
    do_due(database, registrar, HERE)
    with UnitOfWork(database, LOCAL_OWNER) as work:
        publish(work, open_draft(work, dataset.id).id)
    do_due(database, registrar, HERE)
    first, second = (get_version(database, LOCAL_OWNER, dataset.id, number) for number in (1, 2))
    link = {"relatedIdentifier": first.doi, "relatedIdentifierType": "DOI", "relationType": "IsNewVersionOf"}
    assert link in server.dois[second.doi]["relatedIdentifiers"]


def test_nothing_that_a_visitor_may_not_see_is_told(
    database: Database, add: Add, server: DataCiteServer, registrar: DataCite
):
    draft, private = add(published=False), add()
    with UnitOfWork(database, LOCAL_OWNER) as work:
        set_tier(work, private.id, Tier.PRIVATE)
    assert not anything_due(database, PREFIX)
    assert do_due(database, registrar, HERE) == ()
    assert server.requests == []
    with UnitOfWork(database, LOCAL_OWNER) as work:
        set_tier(work, private.id, Tier.CONTROLLED)
    (done,) = do_due(database, registrar, HERE)
    assert get_version(database, LOCAL_OWNER, private.id).doi == done.doi
    assert get_version(database, LOCAL_OWNER, draft.id).doi == ""


def test_what_fails_is_tried_again_and_registers_nothing_twice(
    database: Database, add: Add, server: DataCiteServer, registrar: DataCite
):
    dataset = add()
    server.failing = 1
    (failed,) = do_due(database, registrar, HERE)
    assert "try later" in failed.trouble
    assert get_version(database, LOCAL_OWNER, dataset.id).doi == ""
    # not before its time
    assert do_due(database, registrar, HERE) == ()
    # as if the answer to a try had been lost
    server.dois[failed.doi] = {"state": "draft"}
    _all_due_now(database)
    (done,) = do_due(database, registrar, HERE)
    assert done.state is RegistrationState.REGISTERED
    assert list(server.dois) == [done.doi]
    assert server.dois[done.doi]["state"] == "findable"


def test_what_was_published_before_there_was_an_account_is_registered_only_when_asked(
    database: Database, add: Add, server: DataCiteServer
):
    early = add("An early brain")
    late_account = DataCite(server.url, USER, PASSWORD, PREFIX)
    assert do_due(database, late_account, HERE) == ()
    late = add("A late brain")
    assert count_earlier(database, PREFIX) == 1
    (done,) = do_due(database, late_account, HERE)
    assert get_version(database, ANONYMOUS, late.id).doi == done.doi
    assert get_version(database, ANONYMOUS, early.id).doi == ""
    (asked,) = do_due(database, late_account, HERE, earlier=True)
    assert get_version(database, ANONYMOUS, early.id).doi == asked.doi
    assert count_earlier(database, PREFIX) == 0


def test_who_registered_before_this_was_noted_goes_on(
    database: Database, add: Add, server: DataCiteServer, registrar: DataCite
):
    add()
    do_due(database, registrar, HERE)
    with database.writing() as session:
        session.execute(delete(registrar_account))
    add()
    assert len(do_due(database, registrar, HERE)) == 1


def test_a_wrong_password_is_told(database: Database, add: Add, server: DataCiteServer, registrar: DataCite):
    add()
    (failed,) = do_due(database, DataCite(server.url, USER, "another", PREFIX), HERE)
    assert "refuses" in failed.trouble
    with pytest.raises(Invalid, match="Bad credentials"):
        DataCite(server.url, USER, "another", PREFIX).hide(f"{PREFIX}/x")


def test_a_server_that_is_away_is_told(database: Database, add: Add):
    note_account(database, PREFIX)
    add()
    (failed,) = do_due(database, DataCite("http://127.0.0.1:9", USER, PASSWORD, PREFIX), HERE)
    assert "does not answer" in failed.trouble


def test_a_record_with_a_doi_of_its_own_gets_no_second_one(
    database: Database, add: Add, server: DataCiteServer, registrar: DataCite
):
    add(doi="10.1234/elsewhere")
    assert do_due(database, registrar, HERE) == ()
    assert server.requests == []
    assert not anything_due(database, PREFIX)


def test_the_doi_of_a_withdrawn_version_is_hidden_and_leads_on(
    database: Database, add: Add, server: DataCiteServer, registrar: DataCite
):
    dataset = add()
    do_due(database, registrar, HERE)
    version = get_version(database, LOCAL_OWNER, dataset.id)
    with UnitOfWork(database, LOCAL_OWNER) as work:
        withdraw(work, dataset.id, 1, "The wrong animal.")
    (done,) = do_due(database, registrar, HERE)
    assert done.state is RegistrationState.HIDDEN
    assert server.dois[version.doi]["state"] == "registered"
    assert server.dois[version.doi]["url"] == f"{HERE}/id/{version.id}"
    assert find_version(database, ANONYMOUS, version.id) == (dataset.id, 1)
