"""Labs, projects and teams: a role holds below, nobody is locked out, and who is in none sees none."""

from collections.abc import Callable

import pytest

from pulvinar.access.memberships import memberships_of, renewed, roles_of
from pulvinar.access.organisations import (
    get_organisation,
    list_organisations,
    make_organisation,
    members_of,
    remove_member,
    rename_organisation,
    set_member,
)
from pulvinar.access.visibility import REGISTERED, organisation_audience
from pulvinar.access.work import UnitOfWork
from pulvinar.errors import Conflict, Forbidden, Invalid, NotFound
from pulvinar.model.access import ANONYMOUS, LOCAL_OWNER, Actor, Membership, Organisation, OrganisationKind, Right
from pulvinar.storage.database import Database

ADA, BO = Actor("ada", "Ada"), Actor("bo", "Bo")


@pytest.fixture
def acting(database: Database) -> Callable[[Actor], UnitOfWork]:
    """A unit of work of an actor with what the actor belongs to at this moment."""

    def start(actor: Actor) -> UnitOfWork:
        with database.session() as session:
            return UnitOfWork(database, renewed(session, actor))

    return start


@pytest.fixture
def lab(acting) -> Organisation:
    """A lab whose administrator is Ada."""
    with acting(LOCAL_OWNER) as work:
        made = make_organisation(work, "  Lab  of  vision ", OrganisationKind.LAB)
        set_member(work, made.id, ADA.id, Right.ADMINISTER)
    return made


def test_names_are_tidied_and_what_is_none_is_refused(acting, lab):
    assert lab.name == "Lab of vision"
    for name in ("", "   ", "x" * 201, "a\x00b"):
        with pytest.raises(Invalid, match="can't be named"), acting(ADA) as work:
            rename_organisation(work, lab.id, name)


def test_a_role_holds_in_all_that_lies_below(database, acting, lab):
    with acting(ADA) as work:
        project = make_organisation(work, "Pulvinar", OrganisationKind.PROJECT, parent=lab.id)
    with acting(ADA) as work:
        team = make_organisation(work, "Tracers", OrganisationKind.TEAM, parent=project.id)
        set_member(work, lab.id, BO.id, Right.READ)
        set_member(work, project.id, BO.id, Right.WRITE)
    with database.session() as session:
        assert roles_of(session, BO.id) == {lab.id: Right.READ, project.id: Right.WRITE, team.id: Right.WRITE}
        memberships = memberships_of(session, BO.id)
    assert Membership(REGISTERED, Right.READ) in memberships
    assert Membership(organisation_audience(team.id), Right.WRITE) in memberships


def test_only_administrators_change_it_and_for_others_it_is_not_there(acting, lab):
    with acting(ADA) as work:
        set_member(work, lab.id, BO.id, Right.WRITE)
    with pytest.raises(Forbidden, match="may not administer in organisation"), acting(BO) as work:
        set_member(work, lab.id, BO.id, Right.ADMINISTER)
    for stranger in (Actor("cy", "Cy"), ANONYMOUS):
        with pytest.raises(NotFound), acting(stranger) as work:
            rename_organisation(work, lab.id, "Mine")
    with pytest.raises(Forbidden), acting(BO) as work:
        make_organisation(work, "A lab of my own", OrganisationKind.LAB)


def test_the_last_administrator_stays(database, acting, lab):
    with acting(LOCAL_OWNER) as work:
        remove_member(work, lab.id, LOCAL_OWNER.id)
    for change in (
        lambda work: remove_member(work, lab.id, ADA.id),
        lambda work: set_member(work, lab.id, ADA.id, Right.WRITE),
    ):
        with pytest.raises(Conflict, match="only administrator"), acting(ADA) as work:
            change(work)
    with database.session() as session:
        assert members_of(session, lab.id) == {ADA.id: Right.ADMINISTER}


def test_whoever_wants_to_leave_may(database, acting, lab):
    with acting(ADA) as work:
        set_member(work, lab.id, BO.id, Right.READ)
    with acting(BO) as work:
        remove_member(work, lab.id, BO.id)
    with database.session() as session:
        assert BO.id not in members_of(session, lab.id)
        with pytest.raises(NotFound):
            get_organisation(session, renewed(session, BO), lab.id)


def test_each_sees_the_own_ones_and_owners_all(database, acting, lab):
    with acting(LOCAL_OWNER) as work:
        other = make_organisation(work, "Another lab", OrganisationKind.LAB)
    with database.session() as session:
        assert [(one.id, role) for one, role in list_organisations(session, renewed(session, ADA))] == [
            (lab.id, Right.ADMINISTER)
        ]
        assert [one.id for one, _ in list_organisations(session, LOCAL_OWNER)] == [other.id, lab.id]
        assert list_organisations(session, ANONYMOUS) == ()
        assert get_organisation(session, renewed(session, ADA), lab.id) == lab
