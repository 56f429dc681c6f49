from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update
from tests.access.people import a_person, acting, verbs

from pulvinar.access.accounts import disable
from pulvinar.access.device_login import DeviceState, collect, decide, start, waiting
from pulvinar.access.known_actors import KnownActors
from pulvinar.access.tables import device_login
from pulvinar.access.work import UnitOfWork
from pulvinar.errors import Forbidden, Invalid, NotFound
from pulvinar.model.access import ANONYMOUS, LOCAL_OWNER, Actor, Right


def decided(database, person, code, *, allow):
    with UnitOfWork(database, acting(database, person.id)) as work:
        decide(work, code, allow=allow)


def test_a_program_gets_a_token_once_its_person_allows_it(database):
    ada = a_person(database)
    request, secret = start(database, "pulvinar on lab7\x1b", Right.WRITE)
    assert request.name == "pulvinar on lab7\\x1b"
    assert collect(database, secret) == (DeviceState.PENDING, "")
    assert waiting(database, request.user_code.lower().replace("-", "")) == request
    decided(database, ada, request.user_code, allow=True)
    with pytest.raises(NotFound):
        waiting(database, request.user_code)
    state, token = collect(database, secret)
    actor = KnownActors(database).find(token)
    assert (state, actor.id, actor.ceiling) == (DeviceState.ALLOWED, ada.id, Right.WRITE)
    with pytest.raises(NotFound):
        collect(database, secret)
    assert verbs(database, ada.id)[-2:] == ["allow-device", "make-token"]


def test_what_was_refused_or_has_ended_gets_none(database):
    ada = a_person(database)
    request, secret = start(database, "x", Right.READ)
    decided(database, ada, request.user_code, allow=False)
    assert collect(database, secret) == (DeviceState.REFUSED, "")
    with pytest.raises(NotFound):
        decided(database, ada, request.user_code, allow=True)
    late, its = start(database, "y", Right.READ)
    with database.writing() as session:
        session.execute(update(device_login).values(ends=datetime.now(UTC) - timedelta(seconds=1)))
    for verb in (lambda: waiting(database, late.user_code), lambda: collect(database, its)):
        with pytest.raises(NotFound):
            verb()
    with pytest.raises(NotFound):
        decided(database, ada, late.user_code, allow=True)
    start(database, "z", Right.READ)
    with database.session() as session:
        assert len(session.execute(select(device_login)).all()) == 1


def test_a_visitor_or_a_token_that_only_reads_allows_nothing(database):
    ada = a_person(database)
    request, secret = start(database, "x", Right.ADMINISTER)
    with pytest.raises(Forbidden), UnitOfWork(database, Actor(ada.id, "Ada", ceiling=Right.WRITE)) as work:
        decide(work, request.user_code, allow=True)
    with pytest.raises(Forbidden), UnitOfWork(database, ANONYMOUS) as work:
        decide(work, request.user_code, allow=True)
    assert collect(database, secret) == (DeviceState.PENDING, "")


def test_an_account_that_is_disabled_meanwhile_collects_nothing(database):
    ada = a_person(database)
    request, secret = start(database, "x", Right.READ)
    decided(database, ada, request.user_code, allow=True)
    with UnitOfWork(database, LOCAL_OWNER) as work:
        disable(work, ada.id, "left")
    with pytest.raises(NotFound):
        collect(database, secret)


def test_a_program_says_what_it_is(database):
    with pytest.raises(Invalid):
        start(database, " ", Right.READ)
