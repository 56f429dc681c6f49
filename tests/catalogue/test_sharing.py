"""Whom a dataset is for: each tier before and after it is published, by name, for a time, through an organisation."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from pulvinar.access.dataset_access import access_of
from pulvinar.access.links import follow, links_to
from pulvinar.access.memberships import renewed
from pulvinar.access.organisations import make_organisation, set_member
from pulvinar.access.tables import dataset_access, event, granted, share_link
from pulvinar.access.visibility import EVERYONE, audience_of, highest_right, organisation_audience
from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue.asset_search import search_assets
from pulvinar.catalogue.assets import resolve
from pulvinar.catalogue.datasets import create_dataset, get_dataset, list_datasets
from pulvinar.catalogue.derivations import record_derivation
from pulvinar.catalogue.drafts import add_asset, open_draft
from pulvinar.catalogue.publishing import publish
from pulvinar.catalogue.sharing import (
    do_what_is_due,
    end_link,
    hand_over,
    move,
    set_tier,
    share,
    share_by_link,
    unshare,
    who_may,
    why,
)
from pulvinar.catalogue.versions import get_version, list_versions
from pulvinar.errors import Forbidden, Invalid, NotFound
from pulvinar.model.access import ANONYMOUS, LOCAL_OWNER, Access, Actor, Organisation, OrganisationKind, Right, Tier
from pulvinar.model.dataset import Asset, AssetKind, StoredObject, asset_digest
from pulvinar.model.derivation import Derivation
from pulvinar.model.identity import new_id
from pulvinar.model.job import JobInput
from pulvinar.model.record import Contributor, Record, Species
from pulvinar.storage.database import Database

ADA, BO, CY = Actor("ada", "Ada"), Actor("bo", "Bo"), Actor("cy", "Cy")
"""An administrator of a lab, a member who may write, and somebody with an account and nothing else."""
TOMORROW = timedelta(days=1)
RECORD = Record("A brain of the lab", Species.MOUSE, "CC0-1.0")


@pytest.fixture
def now(database: Database) -> Callable[[Actor], Actor]:
    """An actor with what the actor belongs to at this moment."""

    def look(actor: Actor) -> Actor:
        with database.session() as session:
            return renewed(session, actor)

    return look


@pytest.fixture
def lab(database: Database, now) -> Organisation:
    with UnitOfWork(database, LOCAL_OWNER) as work:
        made = make_organisation(work, "A lab", OrganisationKind.LAB)
        set_member(work, made.id, ADA.id, Right.ADMINISTER)
        set_member(work, made.id, BO.id, Right.WRITE)
    return made


def bring(database: Database, actor: Actor, access: Access | None = None, *, published: bool = False) -> str:
    """A dataset with one file, made by `actor`."""
    objects = [StoredObject("table.parquet", 3, "0" * 64)]
    asset_id = new_id()
    asset = Asset(asset_id, "a table", AssetKind.TABLE, f"assets/{asset_id}", 3, 1, asset_digest(objects), {})
    with UnitOfWork(database, actor) as work:
        made = create_dataset(work, RECORD, access=access)
        draft = open_draft(work, made.id)
        add_asset(work, draft.id, asset, objects)
        if published:
            publish(work, draft.id)
    return made.id


def right_of(database: Database, actor: Actor, dataset_id: str) -> Right | None:
    """The right of an actor, checked against what lists, look-ups and searches show."""
    with database.session() as session:
        acting = renewed(session, actor)
        right = highest_right(session, acting, dataset_id)
    listed = dataset_id in [one.id for one in list_datasets(database, acting).items]
    found = dataset_id in [one.id for one in list_datasets(database, acting, query="brain").items]
    hit = dataset_id in [one.dataset_id for one in search_assets(database, acting, "brain").items]
    assert listed == found == (right is not None)
    assert not hit or right is not None
    if right is None:
        with pytest.raises(NotFound):
            get_dataset(database, acting, dataset_id)
    return right


@pytest.mark.parametrize(
    ("tier", "anonymous", "registered"),
    [
        (Tier.PUBLIC, Right.READ, Right.READ),
        (Tier.REGISTERED, Right.SEE, Right.READ),
        (Tier.CONTROLLED, Right.SEE, Right.SEE),
        (Tier.EMBARGOED, None, None),
        (Tier.PRIVATE, None, None),
    ],
)
def test_a_tier_counts_once_a_version_is_published(database, now, lab, tier, anonymous, registered):
    made = bring(database, now(ADA), Access(home=lab.id))
    opens = datetime.now(UTC) + TOMORROW if tier is Tier.EMBARGOED else None
    with UnitOfWork(database, now(ADA)) as work:
        set_tier(work, made, tier, opens=opens)
    assert [right_of(database, one, made) for one in (ANONYMOUS, CY, BO, ADA)] == [None, None, *(4, 6)]
    with UnitOfWork(database, now(ADA)) as work:
        publish(work, get_version(database, now(ADA), made).id)
    assert [right_of(database, one, made) for one in (ANONYMOUS, CY)] == [anonymous, registered]
    assert [right_of(database, one, made) for one in (BO, ADA)] == [Right.WRITE, Right.ADMINISTER]
    with UnitOfWork(database, now(ADA)) as work:
        set_tier(work, made, Tier.PRIVATE)
    assert [right_of(database, one, made) for one in (ANONYMOUS, CY)] == [None, None]


def test_seeing_shows_the_record_and_no_byte(database, now, lab):
    made = bring(database, now(ADA), Access(Tier.CONTROLLED, home=lab.id), published=True)
    version = get_version(database, ANONYMOUS, made)
    asset = version.assets[0]
    with pytest.raises(Forbidden, match="may not read asset"):
        resolve(database, ANONYMOUS, version.digest, asset.id)
    with pytest.raises(Forbidden):
        get_version(database, ANONYMOUS, made, right=Right.READ)
    assert resolve(database, now(BO), version.digest, asset.id).tier is Tier.CONTROLLED


def test_a_draft_is_for_those_who_were_named_and_may_read(database, now, lab):
    made = bring(database, now(ADA), Access(home=lab.id), published=True)
    with UnitOfWork(database, now(ADA)) as work:
        open_draft(work, made)
        share(work, made, audience_of(CY.id), Right.VIEW)
    assert [one.number for one in list_versions(database, now(BO), made)] == [2, 1]
    for actor in (ANONYMOUS, now(CY)):
        assert [one.number for one in list_versions(database, actor, made)] == [1]
    with UnitOfWork(database, now(ADA)) as work:
        share(work, made, audience_of(CY.id), Right.READ)
    assert [one.number for one in list_versions(database, now(CY), made)] == [2, 1]


def test_nobody_gives_more_than_they_have(database, now, lab):
    made = bring(database, now(ADA), Access(home=lab.id))
    with UnitOfWork(database, now(ADA)) as work:
        share(work, made, audience_of(CY.id), Right.SHARE)
    with UnitOfWork(database, now(CY)) as work:
        share(work, made, audience_of("dee"), Right.SHARE)
    with pytest.raises(Forbidden, match="may not administer"), UnitOfWork(database, now(CY)) as work:
        share(work, made, audience_of("dee"), Right.ADMINISTER)
    with pytest.raises(Forbidden, match="may not share"), UnitOfWork(database, now(BO)) as work:
        share(work, made, audience_of("dee"))
    with pytest.raises(Forbidden, match="may not share"), UnitOfWork(database, now(BO)) as work:
        publish(work, get_version(database, now(BO), made).id)


def test_everyone_is_a_tier_and_no_name(database, now, lab):
    made = bring(database, now(ADA), Access(home=lab.id), published=True)
    for change in (lambda work: share(work, made, EVERYONE), lambda work: unshare(work, made, EVERYONE)):
        with pytest.raises(Invalid, match=r"by name|from the tier"), UnitOfWork(database, now(ADA)) as work:
            change(work)


def test_an_embargo_ends_by_itself_and_copies_nothing(database, now, lab):
    made = bring(database, now(ADA), Access(home=lab.id))
    with UnitOfWork(database, now(ADA)) as work:
        set_tier(work, made, Tier.EMBARGOED, opens=datetime.now(UTC) + TOMORROW)
        published = publish(work, get_version(database, now(ADA), made).id)
    assert do_what_is_due(database) == 0
    assert right_of(database, ANONYMOUS, made) is None
    with database.writing() as session:
        session.execute(update(dataset_access).values(opens=datetime.now(UTC) - TOMORROW))
    assert do_what_is_due(database) == 1
    assert right_of(database, ANONYMOUS, made) is Right.READ
    assert get_version(database, ANONYMOUS, made).digest == published.digest
    assert do_what_is_due(database) == 0
    with database.session() as session:
        assert session.scalars(select(event.c.actor_id).where(event.c.verb == "do-what-is-due")).all() == ["platform"]


@pytest.mark.parametrize("opens", [None, datetime.now(UTC) - TOMORROW])
def test_an_embargo_needs_a_day_to_come(database, now, lab, opens):
    made = bring(database, now(ADA), Access(home=lab.id))
    with (
        pytest.raises(Invalid, match=r"day on which it opens|would have ended"),
        UnitOfWork(database, now(ADA)) as work,
    ):
        set_tier(work, made, Tier.EMBARGOED, opens=opens)


def test_a_share_for_a_time_is_over_at_once_and_swept_later(database, now, lab):
    made = bring(database, now(ADA), Access(home=lab.id))
    with UnitOfWork(database, now(ADA)) as work:
        share(work, made, audience_of(CY.id), ends=datetime.now(UTC) + TOMORROW)
    assert right_of(database, CY, made) is Right.READ
    with database.writing() as session:
        mine = granted.c.audience == audience_of(CY.id)
        session.execute(update(granted).where(mine).values(ends=datetime.now(UTC) - TOMORROW))
    with database.session() as session:
        assert highest_right(session, now(CY), made) is None
    assert do_what_is_due(database) == 1
    assert right_of(database, CY, made) is None


def test_a_dataset_moves_with_its_readers(database, now, lab):
    made = bring(database, now(ADA), Access(home=lab.id))
    with UnitOfWork(database, LOCAL_OWNER) as work:
        other = make_organisation(work, "Another lab", OrganisationKind.LAB)
        set_member(work, other.id, CY.id, Right.WRITE)
    with pytest.raises(NotFound, match="no organisation"), UnitOfWork(database, now(ADA)) as work:
        move(work, made, other.id)
    with UnitOfWork(database, LOCAL_OWNER) as work:
        move(work, made, other.id)
    assert [right_of(database, one, made) for one in (BO, CY)] == [None, Right.WRITE]
    assert right_of(database, ADA, made) is Right.ADMINISTER  # who brought it in


def test_what_is_handed_over_is_the_others_and_still_to_be_read(database, now, lab):
    made = bring(database, now(BO), Access(home=lab.id))
    with UnitOfWork(database, now(BO)) as work:
        hand_over(work, made, CY.id)
    assert right_of(database, CY, made) is Right.ADMINISTER
    assert why(database, now(BO), made)[0].right is Right.WRITE  # a member still
    with pytest.raises(Forbidden), UnitOfWork(database, now(BO)) as work:
        hand_over(work, made, BO.id)


def test_each_yes_has_its_reason_and_who_may_share_sees_all(database, now, lab):
    made = bring(database, now(ADA), Access(home=lab.id), published=True)
    assert [(one.audience, one.right) for one in why(database, now(BO), made)] == [
        (organisation_audience(lab.id), Right.WRITE),
        (EVERYONE, Right.READ),
    ]
    assert why(database, replace(now(BO), ceiling=Right.SEE), made)[0].right is Right.SEE
    access, grants = who_may(database, now(ADA), made)
    assert (access.home, access.made_by) == (lab.id, ADA.id)
    assert {one.audience for one in grants} == {organisation_audience(lab.id), audience_of(ADA.id), EVERYONE}
    with pytest.raises(Forbidden):
        who_may(database, now(BO), made)
    hidden = bring(database, now(ADA), Access(home=lab.id))
    with pytest.raises(NotFound):
        why(database, now(CY), hidden)


def test_who_has_only_an_account_brings_nothing_in(database, now, lab):
    for actor in (now(CY), ANONYMOUS):
        with pytest.raises(Forbidden, match="may not write on this node"):
            bring(database, actor)
    with pytest.raises(NotFound):
        bring(database, now(CY), Access(home=lab.id))
    made = bring(database, now(BO))
    with database.session() as session:
        assert access_of(session, made) == Access(made_by=BO.id)
    assert right_of(database, ADA, made) is None


def test_a_link_shows_the_draft_to_whoever_has_it_and_ends(database, now, lab):
    made = bring(database, now(ADA), Access(home=lab.id))
    with UnitOfWork(database, now(ADA)) as work:
        link, secret = share_by_link(work, made, ends=datetime.now(UTC) + TOMORROW, label="Reviewer 2")
    with database.session() as session:
        followed = follow(session, secret)
        assert followed is not None
        found, guest = followed
        assert (found, links_to(session, made)) == (link, (link,))
        assert follow(session, secret[:-1]) is None
        assert secret not in str(session.execute(select(share_link)).all())
    assert get_version(database, guest, made, right=Right.READ).number == 1
    with pytest.raises(Forbidden), UnitOfWork(database, guest) as work:
        share(work, made, audience_of(CY.id))
    with UnitOfWork(database, now(ADA)) as work:
        end_link(work, made, link.id)
    with pytest.raises(NotFound):
        get_version(database, guest, made)
    with database.session() as session:
        assert follow(session, secret) is None


def test_a_blind_link_tells_no_name_and_is_not_searched(database, now, lab):
    person = Contributor("Ada Lovelace", "author")
    record = replace(RECORD, contributors=(person,), lab="Lab of vision", citation="Lovelace (1843)")
    with UnitOfWork(database, now(ADA)) as work:
        made = create_dataset(work, record, access=Access(home=lab.id)).id
        open_draft(work, made)
        _, secret = share_by_link(work, made, ends=datetime.now(UTC) + TOMORROW, blind=True)
    with database.session() as session:
        followed = follow(session, secret)
    assert followed is not None
    guest = followed[1]
    seen = get_version(database, guest, made)
    for told in (seen.record, seen.document, get_dataset(database, guest, made), list_datasets(database, guest).items):
        assert RECORD.title in str(told)
        assert "Lovelace" not in str(told)
        assert "vision" not in str(told)
    for query in ("Lovelace", "vision", "brain"):
        assert not list_datasets(database, guest, query=query).items


@pytest.mark.parametrize("wrong", [{"right": Right.WRITE}, {"ends": datetime(2020, 1, 1, tzinfo=UTC)}])
def test_a_link_gives_no_right_to_change_and_ends_some_day(database, now, lab, wrong):
    made = bring(database, now(ADA), Access(home=lab.id))
    asked = {"ends": datetime.now(UTC) + TOMORROW} | wrong
    with pytest.raises(Invalid), UnitOfWork(database, now(ADA)) as work:
        share_by_link(work, made, **asked)


def test_who_may_share_takes_nothing_from_who_may_more(database, now, lab):
    dataset_id = bring(database, now(ADA), Access(Tier.PRIVATE, home=lab.id))
    with UnitOfWork(database, LOCAL_OWNER) as work:
        share(work, dataset_id, audience_of(CY.id), Right.SHARE)
    home = organisation_audience(lab.id)
    for take in (
        lambda work: unshare(work, dataset_id, home),
        lambda work: share(work, dataset_id, home, Right.SEE),
        lambda work: unshare(work, dataset_id, audience_of(ADA.id)),
        lambda work: share(work, dataset_id, audience_of(ADA.id), Right.SEE),
    ):
        with pytest.raises(Forbidden, match="may not administer"), UnitOfWork(database, CY) as work:
            take(work)
    assert right_of(database, now(ADA), dataset_id) is Right.ADMINISTER
    # what they may give they may take back, also from themselves
    with UnitOfWork(database, CY) as work:
        share(work, dataset_id, audience_of("dee"), Right.WRITE)
        unshare(work, dataset_id, audience_of("dee"))
        unshare(work, dataset_id, audience_of(CY.id))
    with UnitOfWork(database, now(ADA)) as work:
        unshare(work, dataset_id, audience_of(ADA.id))


def test_an_embargo_does_not_end_before_that_of_what_it_was_made_from(database, now, lab):
    """The source was put under a longer embargo, or made private, after the day was set."""
    soon = datetime.now(UTC) + TOMORROW
    source = bring(database, now(ADA), published=True)
    made = bring(database, now(ADA), published=True)
    with UnitOfWork(database, LOCAL_OWNER) as work:
        asset = get_version(database, LOCAL_OWNER, made).assets[0]
        input_of = JobInput("image", source, 1, "0" * 64, get_version(database, LOCAL_OWNER, source).assets[0].id)
        by = (LOCAL_OWNER.id, LOCAL_OWNER.name, "local", "", {}, soon, soon)
        record_derivation(work.session, asset.id, Derivation("job", "out", "align", "1", (input_of,), {}, *by))
        set_tier(work, source, Tier.EMBARGOED, opens=soon)
        set_tier(work, made, Tier.EMBARGOED, opens=soon)
    later = soon + timedelta(days=30)
    with UnitOfWork(database, LOCAL_OWNER) as work:
        set_tier(work, source, Tier.EMBARGOED, opens=later)
    _let_pass(database, made)
    do_what_is_due(database)
    with database.session() as session:
        access = access_of(session, made)
    assert (access.tier, access.opens) == (Tier.EMBARGOED, later)
    assert right_of(database, ANONYMOUS, made) is None
    with UnitOfWork(database, LOCAL_OWNER) as work:
        set_tier(work, source, Tier.PRIVATE)
    _let_pass(database, made)
    do_what_is_due(database)
    with database.session() as session:
        assert access_of(session, made).tier is Tier.PRIVATE
    assert right_of(database, ANONYMOUS, made) is None
    assert do_what_is_due(database) == 0


def _let_pass(database, dataset_id):
    past = datetime.now(UTC) - timedelta(seconds=1)
    with database.writing() as session:
        session.execute(update(dataset_access).where(dataset_access.c.dataset_id == dataset_id).values(opens=past))
