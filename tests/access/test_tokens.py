from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update
from tests.access.people import a_person, a_service, acting, everything_recorded

from pulvinar.access.accounts import disable
from pulvinar.access.known_actors import KnownActors
from pulvinar.access.tables import access_token
from pulvinar.access.tokens import MOST_DAYS, give_back, list_tokens, make_token, revoke_token
from pulvinar.access.visibility import REGISTERED
from pulvinar.access.work import UnitOfWork
from pulvinar.errors import Conflict, Forbidden, Invalid, NotFound
from pulvinar.model.access import LOCAL_OWNER, Actor, Membership, Right


def a_token(database, person, ceiling=Right.READ, days=30, actor=None):
    with UnitOfWork(database, actor or acting(database, person.id)) as work:
        return make_token(work, person.id, "a program", ceiling, days)


def test_a_token_signs_in_as_its_person_held_below_what_it_was_made_for(database):
    ada = a_person(database, is_owner=True)
    made, secret = a_token(database, ada)
    assert secret.startswith("pulv_")
    actor = KnownActors(database).find(secret)
    assert actor == Actor(ada.id, "Ada", True, (Membership(REGISTERED, Right.READ),), Right.READ)
    with pytest.raises(Forbidden), UnitOfWork(database, actor) as work:
        work.ask(Right.WRITE)
    with pytest.raises(Forbidden), UnitOfWork(database, actor) as work:
        work.ask_own(ada.id)
    with database.session() as session:
        assert secret not in repr(session.execute(select(access_token)).all())
    assert secret not in everything_recorded(database)
    (listed,) = list_tokens(database, acting(database, ada.id), ada.id)
    assert replace(listed, used=None) == made


@pytest.mark.parametrize("days", [0, -1, MOST_DAYS + 1])
def test_every_token_ends(database, days):
    with pytest.raises(Invalid):
        a_token(database, a_person(database), days=days)


def test_a_token_that_has_ended_or_was_revoked_signs_nobody_in(database):
    ada = a_person(database)
    (made, secret), (_, other) = a_token(database, ada), a_token(database, ada)
    with UnitOfWork(database, acting(database, ada.id)) as work:
        revoke_token(work, ada.id, made.id)
    assert KnownActors(database).find(secret) is None
    with database.writing() as session:
        session.execute(update(access_token).values(ends=datetime.now(UTC) - timedelta(seconds=1)))
    assert KnownActors(database).find(other) is None
    with pytest.raises(NotFound), UnitOfWork(database, acting(database, ada.id)) as work:
        revoke_token(work, ada.id, made.id)


def test_nobody_makes_lists_or_revokes_tokens_of_another_person(database):
    ada, eve, boss = a_person(database, "ada"), a_person(database, "eve"), a_person(database, "boss", is_owner=True)
    made, _ = a_token(database, ada)
    for actor in (acting(database, eve.id), acting(database, boss.id), LOCAL_OWNER):
        with pytest.raises(Forbidden):
            a_token(database, ada, actor=actor)
    with pytest.raises(NotFound):
        list_tokens(database, acting(database, eve.id), ada.id)
    with pytest.raises(Forbidden), UnitOfWork(database, acting(database, eve.id)) as work:
        revoke_token(work, ada.id, made.id)
    with UnitOfWork(database, acting(database, boss.id)) as work:
        revoke_token(work, ada.id, made.id)


def test_a_service_has_tokens_that_owners_make(database):
    robot = a_service(database)
    _, secret = a_token(database, robot, Right.WRITE, actor=LOCAL_OWNER)
    assert KnownActors(database).find(secret).id == robot.id
    with UnitOfWork(database, LOCAL_OWNER) as work:
        disable(work, robot.id, "scrapped")
    assert KnownActors(database).find(secret) is None
    with pytest.raises(Conflict):
        a_token(database, robot, actor=LOCAL_OWNER)


def test_a_token_gives_itself_back_and_its_use_is_noted(database):
    ada = a_person(database)
    _, secret = a_token(database, ada, Right.SEE)
    known = KnownActors(database)
    actor = known.find(secret)
    known.close()
    (listed,) = list_tokens(database, acting(database, ada.id), ada.id)
    assert listed.used is not None
    give_back(database, actor, secret)
    assert KnownActors(database).find(secret) is None


@pytest.mark.parametrize("name", ["", "  ", "x" * 101])
def test_a_token_has_a_name(database, name):
    ada = a_person(database)
    with pytest.raises(Invalid), UnitOfWork(database, acting(database, ada.id)) as work:
        make_token(work, ada.id, name, Right.READ, 1)
