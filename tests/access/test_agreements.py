"""Agreements: what is bound by one is read by its givers, and by who has accepted it for as long as that lasts."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update
from tests.access.people import a_person, a_service, acting, verbs
from tests.access.terms import COUNTERSIGNED, SAID, TERMS

from pulvinar.access.acceptances import accept, acceptances_by, acceptances_of, countersign, end_acceptance
from pulvinar.access.agreement_tables import acceptance, agreement_version
from pulvinar.access.agreements import (
    agreements_of,
    agreements_on,
    attach,
    detach,
    get_agreement,
    read_agreement,
    renew_agreement,
    set_agreement,
)
from pulvinar.access.inheritance import inherit
from pulvinar.access.organisations import make_organisation, set_member
from pulvinar.access.visibility import (
    EVERYONE,
    audience_of,
    grants_to,
    highest_right,
    may,
    organisation_audience,
    show,
    visible,
)
from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue.datasets import create_dataset
from pulvinar.catalogue.tables import dataset
from pulvinar.errors import Conflict, Forbidden, Invalid, NotFound
from pulvinar.model.access import ANONYMOUS, LOCAL_OWNER, Access, OrganisationKind, Right
from pulvinar.model.agreement import Bilingual
from pulvinar.model.record import Record, Species


@pytest.fixture
def people(database):
    """A lab's administrator, one who may write there, one who may read there, and two who were given to read."""
    made = {name: a_person(database, name, password="").id for name in ("ada", "bo", "cy", "dee", "eve")}
    with UnitOfWork(database, LOCAL_OWNER) as work:
        lab = make_organisation(work, "A lab", OrganisationKind.LAB)
        for name, role in (("ada", Right.ADMINISTER), ("bo", Right.WRITE), ("cy", Right.READ)):
            set_member(work, lab.id, made[name], role)
    return {name: acting(database, one) for name, one in made.items()} | {"lab": lab}


@pytest.fixture
def brain(database, people):
    """A dataset of the lab; Dee and Eve may read it, everyone sees it."""
    return a_dataset(database, people, people["ada"])


def a_dataset(database, people, maker):
    with UnitOfWork(database, LOCAL_OWNER) as work:
        made = create_dataset(work, Record("A brain", Species.HUMAN, "CC0-1.0"), access=Access(home=people["lab"].id))
        show(work.session, made.id, EVERYONE, Right.SEE)
        for name in ("dee", "eve"):
            show(work.session, made.id, audience_of(people[name].id), Right.READ)
    return made.id


def bind(database, people, dataset_id, terms=TERMS):
    with UnitOfWork(database, people["ada"]) as work:
        made = set_agreement(work, terms, organisation_id=people["lab"].id)
        attach(work, dataset_id, made.id)
    return made


def accepted(database, actor, of, said=SAID):
    with UnitOfWork(database, actor) as work:
        return accept(work, of.id, of.terms.digest, said, address="192.0.2.7")


def rights(database, people, dataset_id):
    """What each has, checked against each single right."""
    found = {}
    for name in ("ada", "bo", "cy", "dee", "eve"):
        with database.session() as session:
            found[name] = highest_right(session, people[name], dataset_id)
            has = [one for one in Right if may(session, people[name], one, dataset_id)]
            assert has == [one for one in Right if one <= (found[name] or 0)]
    return found


def test_only_givers_and_who_accepted_read(database, people, brain):
    before = rights(database, people, brain)
    assert (before["cy"], before["dee"], before["eve"]) == (Right.READ, Right.READ, Right.READ)
    of = bind(database, people, brain)
    bound = {"ada": Right.ADMINISTER, "bo": Right.WRITE, "cy": Right.SEE, "dee": Right.SEE, "eve": Right.SEE}
    assert rights(database, people, brain) == bound
    with database.session() as session:
        assert [one.awaits_agreement for one in grants_to(session, people["dee"], brain)] == [True, False]
    accepted(database, people["dee"], of)
    # a member accepts in person, too
    accepted(database, people["cy"], of)
    assert rights(database, people, brain) == bound | {"dee": Right.READ, "cy": Right.READ}


def test_what_binds_one_dataset_binds_no_other(database, people, brain):
    other = a_dataset(database, people, people["ada"])
    of = bind(database, people, brain)

    def read_by(name):
        rows = select(dataset.c.id).where(visible(people[name], dataset.c.id, Right.READ))
        deeper = select(dataset.c.id).where(dataset.c.id.in_(rows))
        with database.session() as session:
            assert set(session.scalars(rows)) == set(session.scalars(deeper))
            return set(session.scalars(rows))

    assert read_by("dee") == {other}
    assert read_by("bo") == {brain, other}
    accepted(database, people["dee"], of)
    assert read_by("dee") == {brain, other}
    assert read_by("eve") == {other}


def test_what_was_accepted_opens_nothing_that_was_not_given(database, people, brain):
    of = bind(database, people, brain)
    with database.writing() as session:
        show(session, brain, audience_of(people["dee"].id), Right.VIEW)
    accepted(database, people["dee"], of)
    assert rights(database, people, brain)["dee"] is Right.VIEW


def test_to_view_is_given_without_an_agreement(database, people, brain):
    bind(database, people, brain)
    with database.writing() as session:
        show(session, brain, EVERYONE, Right.VIEW)
    assert rights(database, people, brain)["eve"] is Right.VIEW
    with database.session() as session:
        assert highest_right(session, ANONYMOUS, brain) is Right.VIEW


def test_a_countersigned_one_counts_once_a_giver_has_signed(database, people, brain):
    of = bind(database, people, brain, COUNTERSIGNED)
    made = accepted(database, people["dee"], of)
    assert rights(database, people, brain)["dee"] is Right.SEE
    for other in ("dee", "eve", "cy", "bo"):
        with pytest.raises(NotFound), UnitOfWork(database, people[other]) as work:
            countersign(work, made.id)
    with UnitOfWork(database, people["ada"]) as work:
        signed = countersign(work, made.id)
    assert (signed.countersigned_by, signed.ends - signed.counts_from) == (people["ada"].id, timedelta(days=365))
    assert rights(database, people, brain)["dee"] is Right.READ
    with pytest.raises(Conflict), UnitOfWork(database, people["ada"]) as work:
        countersign(work, made.id)


def test_a_new_version_asks_again_and_leaves_a_grace(database, people, brain):
    of = bind(database, people, brain, COUNTERSIGNED)
    made = accepted(database, people["dee"], of)
    with UnitOfWork(database, people["ada"]) as work:
        countersign(work, made.id)
        renewed = renew_agreement(work, of.id, replace(COUNTERSIGNED, text=Bilingual("Now else.", "改了。")))
    assert renewed.number == 2
    assert rights(database, people, brain)["dee"] is Right.READ
    with database.session() as session:
        kept = acceptances_by(session, people["dee"].id, of.id)[0]
        assert timedelta(days=6) < kept.ends - datetime.now(UTC) < timedelta(days=8)
        # what was accepted stays provable
        assert read_agreement(session, of.id, 1).terms.digest == kept.digest == COUNTERSIGNED.digest
        assert kept.values["role"] == "staff"
        assert kept.address == "192.0.2.7"
    pass_days(database, 8)
    assert rights(database, people, brain)["dee"] is Right.SEE
    with pytest.raises(Conflict, match="something else"):
        accepted(database, people["dee"], of)
    again = accepted(database, people["dee"], renewed)
    with UnitOfWork(database, people["ada"]) as work:
        countersign(work, again.id)
    assert rights(database, people, brain)["dee"] is Right.READ
    pass_days(database, 366)
    assert rights(database, people, brain)["dee"] is Right.SEE


def pass_days(database, days):
    """Move what was accepted into the past."""
    with database.writing() as session:
        for row in session.execute(select(acceptance)).all():
            moved = {
                name: getattr(row, name) - timedelta(days=days)
                for name in ("accepted", "counts_from", "ends")
                if getattr(row, name)
            }
            session.execute(update(acceptance).where(acceptance.c.id == row.id).values(**moved))


def test_an_acceptance_is_ended_with_a_reason(database, people, brain):
    of = bind(database, people, brain)
    made = accepted(database, people["dee"], of)
    with pytest.raises(Invalid), UnitOfWork(database, people["ada"]) as work:
        end_acceptance(work, made.id, " ")
    with UnitOfWork(database, people["ada"]) as work:
        end_acceptance(work, made.id, "left the institute")
    assert rights(database, people, brain)["dee"] is Right.SEE
    assert verbs(database, of.id)[-2:] == ["accept-agreement", "end-acceptance"]


def test_what_was_made_of_bound_data_is_bound(database, people, brain):
    of = bind(database, people, brain)
    derived, further = a_dataset(database, people, people["ada"]), a_dataset(database, people, people["ada"])
    with UnitOfWork(database, LOCAL_OWNER) as work:
        # who made it administers it, and is bound none the less
        show(work.session, further, audience_of(people["dee"].id), Right.ADMINISTER)
        inherit(work.session, further, [derived])
        inherit(work.session, derived, [brain])
        inherit(work.session, derived, [brain])
        work.ask(Right.ADMINISTER)
        work.record_event("test", derived)
    for one in (derived, further):
        assert rights(database, people, one)["dee"] is Right.SEE
    with pytest.raises(Conflict, match="was made from"), UnitOfWork(database, people["ada"]) as work:
        detach(work, derived, of.id)
    accepted(database, people["dee"], of)
    assert rights(database, people, derived)["dee"] is Right.READ
    assert rights(database, people, further)["dee"] is Right.ADMINISTER
    with UnitOfWork(database, people["ada"]) as work:
        detach(work, brain, of.id)
    assert rights(database, people, further)["eve"] is Right.READ
    # one that comes later binds what was made before
    bind(database, people, brain)
    assert rights(database, people, further)["eve"] is Right.SEE


def test_one_of_a_dataset_alone(database, people, brain):
    with UnitOfWork(database, people["ada"]) as work:
        of = set_agreement(work, TERMS, dataset_id=brain)
    assert rights(database, people, brain)["bo"] is Right.WRITE
    assert rights(database, people, brain)["eve"] is Right.SEE
    with database.session() as session:
        assert agreements_on(session, brain) == (of,)
        assert agreements_of(session, people["lab"].id) == ()


def test_who_sets_what(database, people, brain):
    for name in ("bo", "cy", "dee"):
        with pytest.raises((Forbidden, NotFound)), UnitOfWork(database, people[name]) as work:
            set_agreement(work, TERMS, organisation_id=people["lab"].id)
        with pytest.raises(Forbidden), UnitOfWork(database, people[name]) as work:
            set_agreement(work, TERMS, dataset_id=brain)
    of = bind(database, people, brain)
    with pytest.raises(Forbidden), UnitOfWork(database, people["bo"]) as work:
        renew_agreement(work, of.id, replace(TERMS, lasts_days=3))
    with pytest.raises(Conflict), UnitOfWork(database, people["ada"]) as work:
        renew_agreement(work, of.id, TERMS)
    with pytest.raises(Invalid), UnitOfWork(database, people["ada"]) as work:
        set_agreement(work, replace(TERMS, text=Bilingual("only English", "")), dataset_id=brain)


def test_who_knows_of_it(database, people, brain):
    of = bind(database, people, brain)
    accepted(database, people["dee"], of)
    with database.session() as session:
        assert [one.name for one in acceptances_of(session, people["ada"], of)] == ["Dee"]
        for name in ("bo", "cy", "dee", "eve"):
            with pytest.raises(Forbidden):
                acceptances_of(session, people[name], of)
        assert get_agreement(session, ANONYMOUS, of.id) == of
    with UnitOfWork(database, LOCAL_OWNER) as work:
        show(work.session, brain, EVERYONE, Right.SEE)
        detach(work, brain, of.id)
    with database.session() as session:
        for actor in (ANONYMOUS, people["eve"]):
            with pytest.raises(NotFound):
                get_agreement(session, actor, of.id)
        # who has accepted it may always read what
        assert get_agreement(session, people["dee"], of.id) == of


@pytest.mark.parametrize(
    "said", [SAID | {"role": "king"}, SAID | {"until": "soon"}, SAID | {"ethics": ""}, SAID | {"institute": " "}]
)
def test_fields_are_checked(database, people, brain, said):
    of = bind(database, people, brain)
    with pytest.raises(Invalid):
        accepted(database, people["dee"], of, said)


def test_a_service_accepts_nothing(database, people, brain):
    of = bind(database, people, brain)
    with pytest.raises(Forbidden):
        accepted(database, acting(database, a_service(database).id), of)


def test_a_version_is_stored_as_it_was_said(database, people, brain):
    of = bind(database, people, brain)
    with database.session() as session:
        assert session.scalar(select(agreement_version.c.digest)) == TERMS.digest
        assert read_agreement(session, of.id).terms == TERMS
        assert organisation_audience(people["lab"].id).endswith(of.organisation_id)
