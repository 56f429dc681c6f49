import pytest
from tests.access.people import a_person, a_service, acting, verbs

from pulvinar.access.accounts import (
    actor_for,
    checked_login,
    checked_profile,
    describe,
    disable,
    enable,
    find_login,
    get_account,
    has_owner,
    list_accounts,
    make_account,
    make_owner,
)
from pulvinar.access.visibility import REGISTERED
from pulvinar.access.work import UnitOfWork
from pulvinar.errors import Conflict, Forbidden, Invalid, NotFound
from pulvinar.model.access import ANONYMOUS, LOCAL_OWNER, Actor, Membership, Right
from pulvinar.model.account import AccountState, Profile
from pulvinar.model.identity import new_id

SAID = [("Ada", "ada"), (" ada.l ", "ada.l"), ("ＡＤＡ", "ada"), ("a-1_2", "a-1_2")]
NO_LOGIN = ["", "a", "1ada", "ada..l", "-ada", "ada-", "аda", "ada\nx", "a" * 33, "ada l", "ada@x"]
NO_EMAIL = ["ada", "a@b", "a@b.org\r\nBcc: x@y.org", "a b@c.org", "a@b.org,c@d.org", "<a@b.org>"]


@pytest.mark.parametrize(("said", "login"), SAID)
def test_a_login_name_is_one_however_it_is_written(said, login):
    assert checked_login(said) == login


@pytest.mark.parametrize("said", NO_LOGIN)
def test_what_looks_like_another_login_name_is_none(said):
    with pytest.raises(Invalid):
        checked_login(said)


def test_an_orcid_is_checked_by_its_last_digit_and_kept_without_its_address():
    given = Profile("Ada", "Ada@Lab.example.org", "https://orcid.org/0000-0002-1694-233x", "  Lab   of  cells ")
    assert checked_profile(given) == Profile("Ada", "ada@lab.example.org", "0000-0002-1694-233X", "Lab of cells")
    with pytest.raises(Invalid, match="ORCID"):
        checked_profile(Profile("Ada", orcid="0000-0002-1694-2339"))


@pytest.mark.parametrize("email", NO_EMAIL)
def test_what_could_add_a_header_is_no_mail_address(email):
    with pytest.raises(Invalid):
        checked_profile(Profile("Ada", email))


def test_a_name_keeps_its_script_and_loses_what_turns_letters_around():
    assert checked_profile(Profile("李\u202e雷")).name == "李雷"
    with pytest.raises(Invalid):
        checked_profile(Profile("\u202e "))


def test_login_names_are_unique_whatever_their_case(database):
    a_person(database, "ada")
    with pytest.raises(Conflict), UnitOfWork(database, LOCAL_OWNER) as work:
        make_account(work, new_id(), "ADA", Profile("Another"))
    with database.session() as session:
        assert find_login(session, "AdA").login == "ada"
        assert find_login(session, "nobody") is None


def test_nobody_makes_an_account_for_another_without_the_right(database):
    with pytest.raises(Forbidden), UnitOfWork(database, ANONYMOUS) as work:
        make_account(work, new_id(), "ada", Profile("Ada"))
    held = Actor("owner", "owner", is_owner=True, ceiling=Right.READ)
    with pytest.raises(Forbidden), UnitOfWork(database, held) as work:
        make_account(work, new_id(), "ada", Profile("Ada"))


def test_who_signs_in_belongs_to_those_who_are_registered(database):
    ada = a_person(database)
    with database.session() as session:
        actor = actor_for(session, ada, Right.READ)
    assert actor == Actor(ada.id, "Ada", memberships=(Membership(REGISTERED, Right.READ),), ceiling=Right.READ)


def test_one_sees_oneself_and_an_owner_sees_all(database):
    ada, grace = a_person(database, "ada"), a_person(database, "grace", is_owner=True)
    assert get_account(database, acting(database, ada.id), ada.id) == ada
    with pytest.raises(NotFound):
        get_account(database, acting(database, ada.id), grace.id)
    with pytest.raises(Forbidden):
        list_accounts(database, acting(database, ada.id))
    owner = acting(database, grace.id)
    assert [one.login for one in list_accounts(database, owner)] == ["ada", "grace"]
    assert [one.login for one in list_accounts(database, owner, words="GRA")] == ["grace"]
    assert [one.login for one in list_accounts(database, owner, after="ada")] == ["grace"]
    assert list_accounts(database, owner, words="%") == ()


def test_a_profile_is_changed_by_whose_it_is(database):
    ada, other = a_person(database, "ada"), a_person(database, "other")
    with UnitOfWork(database, acting(database, ada.id)) as work:
        changed = describe(work, ada.id, Profile("Ada L.", "ada@new.example.org", "", "Engines"))
    assert changed.profile == Profile("Ada L.", "ada@new.example.org", "", "Engines")
    with pytest.raises(Forbidden), UnitOfWork(database, acting(database, other.id)) as work:
        describe(work, ada.id, Profile("Mallory"))
    assert verbs(database, ada.id) == ["make-account", "set-password", "describe-account"]


def test_disabling_asks_for_a_reason_and_leaves_an_owner(database):
    ada, grace = a_person(database, "ada"), a_person(database, "grace", is_owner=True)
    with pytest.raises(Invalid, match="reason"), UnitOfWork(database, LOCAL_OWNER) as work:
        disable(work, ada.id, " ")
    with UnitOfWork(database, LOCAL_OWNER) as work:
        assert disable(work, ada.id, "left the lab").state is AccountState.DISABLED
        assert enable(work, ada.id).is_active
    for end in (lambda work: disable(work, grace.id, "x"), lambda work: make_owner(work, grace.id, is_owner=False)):
        with pytest.raises(Conflict, match="last owner"), UnitOfWork(database, LOCAL_OWNER) as work:
            end(work)
    with UnitOfWork(database, LOCAL_OWNER) as work:
        make_owner(work, ada.id, is_owner=True)
        disable(work, grace.id, "left the lab")
    with database.session() as session:
        assert has_owner(session)


def test_a_service_never_owns_the_node(database):
    robot = a_service(database)
    with pytest.raises(Conflict), UnitOfWork(database, LOCAL_OWNER) as work:
        make_owner(work, robot.id, is_owner=True)


def test_nobody_disables_another_without_the_right(database):
    ada, other = a_person(database, "ada"), a_person(database, "other")
    with pytest.raises(Forbidden), UnitOfWork(database, acting(database, other.id)) as work:
        disable(work, ada.id, "because")
