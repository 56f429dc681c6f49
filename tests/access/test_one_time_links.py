import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update
from tests.access.people import BROWSER, PASSWORD, a_person, a_service, acting, everything_recorded

from pulvinar.access.joining import Newcomer, first_owner_link, invite, join, make_service, opened_by
from pulvinar.access.one_time_links import LinkKind, look_at, make_link, use_link
from pulvinar.access.recovery import forgotten, recover, recovered_by, reset_link, tokens_left
from pulvinar.access.signing_in import sign_in_by_password
from pulvinar.access.tables import event, one_time_link
from pulvinar.access.tokens import list_tokens, make_token
from pulvinar.access.work import UnitOfWork
from pulvinar.errors import Conflict, Forbidden, Invalid, NotAuthenticated, NotFound
from pulvinar.model.access import ANONYMOUS, LOCAL_OWNER, Right
from pulvinar.model.account import Profile

OTHER = "mossy fibres all over"
ADA = Newcomer("ada", Profile("Ada", "ada@x.org"), PASSWORD)


def a_first_link(database):
    with UnitOfWork(database, LOCAL_OWNER) as work:
        return first_owner_link(work)


def an_invitation(database, email="new@x.org", *, is_owner=False):
    with UnitOfWork(database, LOCAL_OWNER) as work:
        return invite(work, email, is_owner=is_owner)


def test_a_link_opens_its_kind_once_and_for_a_while(database):
    with database.writing() as session:
        secret, late = make_link(session, LinkKind.INVITATION), make_link(session, LinkKind.RECOVERY)
    with database.session() as session:
        assert look_at(session, secret, LinkKind.INVITATION).kind is LinkKind.INVITATION
        with pytest.raises(NotFound):
            look_at(session, secret, LinkKind.RECOVERY)
        assert secret not in repr(session.execute(select(one_time_link)).all())
    with database.writing() as session:
        use_link(session, secret, LinkKind.INVITATION)
        session.execute(update(one_time_link).values(ends=datetime.now(UTC) - timedelta(seconds=1)))
    with database.session() as session:
        for gone, kind in ((secret, LinkKind.INVITATION), (late, LinkKind.RECOVERY), ("", LinkKind.RECOVERY)):
            with pytest.raises(NotFound):
                look_at(session, gone, kind)


def test_a_link_that_was_not_used_to_the_end_can_be_used_again(database):
    link = an_invitation(database)
    for wrong in (Newcomer("ada", Profile("Ada"), "short"), Newcomer("a", Profile("Ada"), PASSWORD)):
        with pytest.raises(Invalid):
            join(database, link, wrong, node="local")
    assert join(database, link, ADA, node="local").profile.email == "new@x.org"


def test_of_many_who_use_one_link_at_once_one_gets_in(database):
    link, got = a_first_link(database), []

    def try_it(number):
        try:
            join(database, link, Newcomer(f"user{number}", Profile("X"), PASSWORD), node="local")
            got.append("in")
        except (NotFound, Conflict) as error:
            got.append(type(error).__name__)

    threads = [threading.Thread(target=try_it, args=(number,)) for number in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(got)[-1] == "in"
    assert got.count("in") == 1


def test_the_first_owner_comes_in_and_no_second_by_that_way(database):
    link, spare = a_first_link(database), a_first_link(database)
    made = join(database, link, ADA, node="brain")
    assert made.is_owner
    assert made.id.startswith("brain-")
    with pytest.raises(Conflict):
        opened_by(database, spare)
    with pytest.raises(Conflict):
        a_first_link(database)
    assert PASSWORD not in everything_recorded(database)
    assert link not in everything_recorded(database)


def test_an_invitation_makes_an_owner_where_it_says_so_and_only_owners_invite(database):
    assert not join(database, an_invitation(database), ADA, node="local").is_owner
    boss = Newcomer("boss", Profile("Boss"), PASSWORD)
    assert join(database, an_invitation(database, is_owner=True), boss, node="local").is_owner
    stranger = acting(database, a_person(database, "eve").id)
    for actor in (ANONYMOUS, stranger):
        with pytest.raises(Forbidden), UnitOfWork(database, actor) as work:
            invite(work, "a@x.org")
        with pytest.raises(Forbidden), UnitOfWork(database, actor) as work:
            make_service(work, "scope", "Scope", node="local")


def test_who_forgot_a_password_gets_a_link_by_login_name_or_mail_address(database):
    ada = a_person(database, "ada", email="shared@x.org")
    grace = a_person(database, "grace", email="shared@x.org")
    a_service(database)
    assert [of for of, _ in forgotten(database, " ADA ")] == [ada]
    assert {of.id for of, _ in forgotten(database, "Shared@X.org")} == {ada.id, grace.id}
    for who in ("nobody", "robot", "", "@", "%@x.org", "nobody@x.org"):
        assert forgotten(database, who) == ()


def test_a_link_to_a_new_password_sets_it_once_and_ends_the_others(database):
    a_person(database)
    (_, link), (_, other) = (forgotten(database, "ada")[0] for _ in range(2))
    with pytest.raises(Invalid):
        recover(database, link, "short")
    assert recovered_by(database, link).login == "ada"
    recover(database, link, OTHER)
    for used in (link, other):
        with pytest.raises(NotFound):
            recover(database, used, PASSWORD)
    with pytest.raises(NotAuthenticated):
        sign_in_by_password(database, "ada", PASSWORD, BROWSER, days=1)
    sign_in_by_password(database, "ada", OTHER, BROWSER, days=1)


def test_a_new_password_ends_the_tokens_unless_they_are_to_stay(database):
    ada = a_person(database)
    for name in ("notebook", "robot"):
        with UnitOfWork(database, acting(database, ada.id)) as work:
            make_token(work, ada.id, name, Right.READ, 1)
    recover(database, forgotten(database, "ada")[0][1], OTHER, end_tokens=False)
    assert {one.name for one in tokens_left(database, ada)} == {"notebook", "robot"}
    recover(database, forgotten(database, "ada")[0][1], PASSWORD)
    assert tokens_left(database, ada) == ()
    with database.session() as session:
        (told,) = session.execute(select(event).where(event.c.verb == "revoke-all-tokens")).all()
    assert (told.subject_id, told.details["tokens"]) == (ada.id, 2)


def test_one_account_is_sent_no_heap_of_mail(database):
    a_person(database)
    assert [len(forgotten(database, "ada")) for _ in range(6)] == [1, 1, 1, 1, 0, 0]


def test_a_reset_takes_everything_that_was_given_out(database):
    ada = a_person(database)
    with UnitOfWork(database, acting(database, ada.id)) as work:
        make_token(work, ada.id, "x", Right.READ, 1)
    (_, old) = forgotten(database, "ada")[0]
    with UnitOfWork(database, LOCAL_OWNER) as work:
        link = reset_link(work, ada.id)
    assert list_tokens(database, LOCAL_OWNER, ada.id) == ()
    with pytest.raises(NotFound):
        recover(database, old, OTHER)
    recover(database, link, OTHER)
    scope = a_service(database, "scope")
    with pytest.raises(Conflict), UnitOfWork(database, LOCAL_OWNER) as work:
        reset_link(work, scope.id)
