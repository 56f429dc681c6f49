"""Asking for a dataset: who may, who decides, and that nobody else learns of it."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update
from tests.access.people import a_person, a_service, acting, verbs
from tests.access.terms import TERMS

from pulvinar.access.agreements import set_agreement
from pulvinar.access.deciders import who_may_on
from pulvinar.access.organisations import make_organisation, set_member
from pulvinar.access.tables import granted
from pulvinar.access.visibility import audience_of
from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue.requests import (
    MOST_OPEN,
    ask_for,
    count_to_decide,
    get_request,
    grant,
    newest_request,
    own_requests,
    refuse,
    requests_to_decide,
    withdraw,
)
from pulvinar.catalogue.sharing import do_what_is_due, move, set_tier, share, share_by_link, who_may
from pulvinar.catalogue.uses import DatasetUse, grant_by_itself, set_use
from pulvinar.catalogue.versions import get_version
from pulvinar.errors import Conflict, Forbidden, Invalid, NotAuthenticated, NotFound, TooOften
from pulvinar.model.access import ANONYMOUS, LOCAL_OWNER, Actor, OrganisationKind, Right, Tier
from pulvinar.model.access_request import RequestState
from pulvinar.model.identity import new_id

WEEK = timedelta(days=7)


@pytest.fixture
def people(database):
    """A lab's administrator, a member who may write, an applicant and somebody else, as they are now."""
    accounts = {name: a_person(database, name, password="") for name in ("ada", "bo", "cy", "dee")}
    with UnitOfWork(database, LOCAL_OWNER) as work:
        lab = make_organisation(work, "A lab", OrganisationKind.LAB)
        set_member(work, lab.id, accounts["ada"].id, Right.ADMINISTER)
        set_member(work, lab.id, accounts["bo"].id, Right.WRITE)
    return {name: acting(database, one.id) for name, one in accounts.items()} | {"lab": lab}


@pytest.fixture
def controlled(database, people, add):
    """A dataset of the lab that is read on request."""
    made = add()
    with UnitOfWork(database, LOCAL_OWNER) as work:
        move(work, made.id, people["lab"].id)
        set_tier(work, made.id, Tier.CONTROLLED)
    return made.id


def asked(database, actor, dataset_id, purpose="To count granule cells."):
    with UnitOfWork(database, actor) as work:
        return ask_for(work, dataset_id, purpose)


def reads(database, actor, dataset_id):
    try:
        get_version(database, actor, dataset_id, right=Right.READ)
    except (Forbidden, NotFound):
        return False
    return True


def test_what_is_granted_is_a_share_that_ends(database, people, controlled):
    ada, cy = people["ada"], people["cy"]
    made = asked(database, cy, controlled)
    assert made.is_open
    assert not reads(database, cy, controlled)
    assert [one.request for one in requests_to_decide(database, ada)] == [made]
    ends = datetime.now(UTC) + WEEK
    with UnitOfWork(database, ada) as work:
        grant(work, made.id, ends=ends, message="Cite us.")
    assert reads(database, cy, controlled)
    found = own_requests(database, cy)[0]
    assert (found.title, found.request.state, found.request.message) == ("A brain", RequestState.GRANTED, "Cite us.")
    assert found.request.ends == ends
    _, grants = who_may(database, ada, controlled)
    assert [(one.ends, one.given_by) for one in grants if one.audience == f"actor:{cy.id}"] == [(ends, ada.id)]
    assert verbs(database, made.id) == ["ask-for-access", "grant-request"]
    assert count_to_decide(database, ada) == 0
    assert do_what_is_due(database) == 0


@pytest.mark.parametrize("end", ["refused", "withdrawn"])
def test_a_request_ends_once(database, people, controlled, end):
    ada, cy = people["ada"], people["cy"]
    made = asked(database, cy, controlled)
    with UnitOfWork(database, ada if end == "refused" else cy) as work:
        ended = refuse(work, made.id, message="Not now.") if end == "refused" else withdraw(work, made.id)
    assert ended.state == end
    assert not reads(database, cy, controlled)
    for verb in (grant, refuse):
        with pytest.raises(Conflict, match=end), UnitOfWork(database, ada) as work:
            verb(work, made.id)
    with pytest.raises(Conflict), UnitOfWork(database, cy) as work:
        withdraw(work, made.id)
    # and may be asked anew
    assert asked(database, cy, controlled).is_open
    assert newest_request(database, cy, controlled).is_open


def test_only_who_asked_and_who_may_share_know_of_it(database, people, controlled):
    made = asked(database, people["cy"], controlled)
    for other in (people["bo"], people["dee"], ANONYMOUS):
        with pytest.raises(NotFound):
            get_request(database, other, made.id)
        assert not requests_to_decide(database, other)
        assert count_to_decide(database, other) == 0
        for verb in (grant, refuse):
            with pytest.raises(NotFound), UnitOfWork(database, other) as work:
                verb(work, made.id)
    with pytest.raises(NotFound), UnitOfWork(database, people["dee"]) as work:
        withdraw(work, made.id)
    assert [one.login for one in in_session(database, who_may_on, controlled, Right.SHARE)] == ["ada"]


def in_session(database, ask, *asked_for):
    with database.session() as session:
        return ask(session, *asked_for)


def test_what_is_not_seen_is_asked_for_as_what_is_not_there(database, people, controlled):
    cy = people["cy"]
    with UnitOfWork(database, LOCAL_OWNER) as work:
        set_tier(work, controlled, Tier.PRIVATE)
    there, nowhere = asked(database, cy, controlled), asked(database, cy, new_id())
    told = own_requests(database, cy)
    assert {one.request.id for one in told} == {there.id, nowhere.id}
    assert {(one.title, one.request.state) for one in told} == {("", RequestState.OPEN)}
    assert [one.request.id for one in requests_to_decide(database, people["ada"])] == [there.id]
    assert [one.request.id for one in requests_to_decide(database, LOCAL_OWNER)] == [there.id]


def test_who_may_not_ask(database, people, controlled):
    for nobody in (ANONYMOUS, Actor("link-1", "a guest")):
        with pytest.raises(NotAuthenticated), UnitOfWork(database, nobody) as work:
            ask_for(work, controlled, "To look.")
    with pytest.raises(Conflict, match="may read"):
        asked(database, people["bo"], controlled)
    with pytest.raises(Invalid):
        asked(database, people["cy"], controlled, "  ")
    robot = acting(database, a_service(database).id)
    assert asked(database, robot, controlled).is_open
    asked(database, people["cy"], controlled)
    with pytest.raises(Conflict, match="asked already"):
        asked(database, people["cy"], controlled)
    for _ in range(MOST_OPEN - 1):
        asked(database, people["cy"], new_id())
    with pytest.raises(TooOften):
        asked(database, people["cy"], new_id())


def test_what_an_agreement_binds_is_no_request_and_no_link_to_read(database, people, controlled):
    ada, cy = people["ada"], people["cy"]
    with UnitOfWork(database, ada) as work:
        set_agreement(work, TERMS, dataset_id=controlled)
        share(work, controlled, f"actor:{cy.id}", Right.READ)
    assert not reads(database, cy, controlled)
    with pytest.raises(Conflict, match="accepted its agreement"):
        asked(database, cy, controlled)
    ends = datetime.now(UTC) + WEEK
    with pytest.raises(Invalid, match="accepts no agreement"), UnitOfWork(database, ada) as work:
        share_by_link(work, controlled, ends=ends, right=Right.READ)
    with UnitOfWork(database, ada) as work:
        share_by_link(work, controlled, ends=ends, right=Right.VIEW)


def test_nothing_is_granted_by_itself_to_who_does_not_see_it(database, people, controlled):
    """An embargo, or a private dataset: its codes of use are for later."""
    cy = people["cy"]
    with UnitOfWork(database, LOCAL_OWNER) as work:
        set_use(work, controlled, DatasetUse({"NRES": ""}, by_itself=True))
        set_tier(work, controlled, Tier.EMBARGOED, opens=datetime.now(UTC) + WEEK)
    request = asked(database, cy, controlled)
    assert grant_by_itself(database, request).is_open
    assert not reads(database, cy, controlled)
    with UnitOfWork(database, LOCAL_OWNER) as work:
        set_tier(work, controlled, Tier.CONTROLLED)
    assert not grant_by_itself(database, request).is_open
    assert reads(database, cy, controlled)


def test_whose_right_has_ended_is_told_of_no_request(database, people, controlled):
    dee = people["dee"]
    with UnitOfWork(database, LOCAL_OWNER) as work:
        share(work, controlled, audience_of(dee.id), Right.SHARE, ends=datetime.now(UTC) + WEEK)
    with database.writing() as session:
        assert dee.id in [one.id for one in who_may_on(session, controlled, Right.SHARE)]
        over = granted.c.audience == audience_of(dee.id)
        session.execute(update(granted).where(over).values(ends=datetime.now(UTC) - WEEK))
        assert dee.id not in [one.id for one in who_may_on(session, controlled, Right.SHARE)]
