from collections.abc import Callable

import pytest
from sqlalchemy import select

from pulvinar.access.tables import event
from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue import get_dataset, get_version, list_datasets, open_draft, publish
from pulvinar.catalogue.asset_search import search_assets
from pulvinar.catalogue.assets import find_home, resolve_asset
from pulvinar.catalogue.sharing import set_tier
from pulvinar.catalogue.versions import list_versions
from pulvinar.catalogue.withdrawals import find_version, withdraw, withdrawals
from pulvinar.errors import Conflict, Forbidden, Invalid, NotFound
from pulvinar.model.access import ANONYMOUS, LOCAL_OWNER, Actor, Tier
from pulvinar.model.dataset import Dataset, VersionState, fits_digest
from pulvinar.storage.database import Database

Add = Callable[..., Dataset]
STRANGER = Actor("stranger", "A stranger")


def _withdraw(database: Database, dataset: Dataset, number: int = 1, reason: str = "Wrong animal.", **more: str):
    with UnitOfWork(database, LOCAL_OWNER) as work:
        withdraw(work, dataset.id, number, reason, **more)


def _publish_again(database: Database, dataset: Dataset) -> None:
    with UnitOfWork(database, LOCAL_OWNER) as work:
        publish(work, open_draft(work, dataset.id).id)


def test_its_bytes_are_given_out_no_more_and_its_tombstone_says_why(database: Database, add: Add):
    dataset = add("Quetzal brain")
    version = get_version(database, ANONYMOUS, dataset.id)
    (asset,) = version.assets
    _withdraw(database, dataset)
    for actor in (ANONYMOUS, STRANGER):
        with pytest.raises(NotFound):
            get_version(database, actor, dataset.id, 1)
        with pytest.raises(NotFound):
            resolve_asset(database, actor, version.digest, asset.id)
        with pytest.raises(NotFound):
            find_home(database, actor, asset.id)
        assert search_assets(database, actor, "quetzal").items == ()
        (told,) = withdrawals(database, actor, dataset.id)
        assert (told.number, told.reason, told.digest) == (1, "Wrong animal.", version.digest)
        assert (told.title, told.replaced_by) == ("Quetzal brain", "")
        assert find_version(database, actor, version.id) == (dataset.id, 1)
    kept = get_version(database, LOCAL_OWNER, dataset.id, 1)
    assert kept.state is VersionState.WITHDRAWN
    assert fits_digest(kept)
    with database.session() as session:
        details = session.scalar(select(event.c.details).where(event.c.verb == "withdraw"))
    assert details == {"number": 1, "why": "Wrong animal.", "replaced_by": ""}


def test_its_dataset_is_still_found_and_says_that_it_was_withdrawn(database: Database, add: Add):
    dataset = add("Quetzal brain")
    _withdraw(database, dataset)
    (shown,) = list_datasets(database, ANONYMOUS, query="quetzal").items
    assert (shown.latest, shown.is_withdrawn) == (None, True)
    assert get_dataset(database, ANONYMOUS, dataset.id).record.title == "Quetzal brain"


def test_the_newest_version_is_one_that_stands(database: Database, add: Add):
    dataset = add()
    _publish_again(database, dataset)
    _withdraw(database, dataset, 2, replaced_by="1")
    for actor in (ANONYMOUS, LOCAL_OWNER):
        assert get_version(database, actor, dataset.id).number == 1
        latest = get_dataset(database, actor, dataset.id)
        assert (latest.latest.number, latest.is_withdrawn) == (1, False)
    assert [one.number for one in list_versions(database, ANONYMOUS, dataset.id)] == [1]
    assert withdrawals(database, ANONYMOUS, dataset.id)[0].replaced_by == "1"


def test_what_is_shared_by_both_versions_stays_under_the_one_that_stands(database: Database, add: Add):
    dataset = add()
    _publish_again(database, dataset)
    first, second = (get_version(database, ANONYMOUS, dataset.id, number) for number in (1, 2))
    _withdraw(database, dataset, 1, replaced_by="2")
    asset = second.assets[0]
    assert resolve_asset(database, ANONYMOUS, second.digest, asset.id).id == asset.id
    if first.digest != second.digest:
        with pytest.raises(NotFound):
            resolve_asset(database, ANONYMOUS, first.digest, asset.id)


def test_a_draft_goes_on_from_it_and_it_changes_no_more(database: Database, add: Add):
    dataset = add()
    _withdraw(database, dataset)
    with UnitOfWork(database, LOCAL_OWNER) as work:
        draft = open_draft(work, dataset.id)
        work.ask_own_or_node(LOCAL_OWNER.id)
    assert (draft.number, draft.state, len(draft.assets)) == (2, VersionState.DRAFT, 0)
    first = get_version(database, LOCAL_OWNER, dataset.id, 1)
    with pytest.raises(Conflict, match="withdrawn and never changes"), UnitOfWork(database, LOCAL_OWNER) as work:
        publish(work, first.id)


@pytest.mark.parametrize(
    ("instead", "kept"),
    [("2", "2"), ("https://x.example/y", "https://x.example/y"), ("doi:10.1234/ABC", "10.1234/ABC")],
)
def test_what_replaces_it_may_be_of_several_kinds(database: Database, add: Add, instead: str, kept: str):
    dataset = add()
    _publish_again(database, dataset)
    _withdraw(database, dataset, 1, replaced_by=instead)
    assert withdrawals(database, ANONYMOUS, dataset.id)[0].replaced_by == kept


def test_another_dataset_may_replace_it(database: Database, add: Add):
    dataset, other = add(), add()
    _withdraw(database, dataset, replaced_by=other.id)
    assert withdrawals(database, ANONYMOUS, dataset.id)[0].replaced_by == other.id


@pytest.mark.parametrize("instead", ["1", "7", "javascript:alert(1)", "local-01arz3ndektsv4rrffq69g5fav", "http://x.y"])
def test_what_cant_replace_it_is_refused(database: Database, add: Add, instead: str):
    with pytest.raises(Invalid, match="can't replace"):
        _withdraw(database, add(), replaced_by=instead)


def test_it_needs_a_reason_and_the_right(database: Database, add: Add):
    dataset, draft = add(), add(published=False)
    with pytest.raises(Invalid, match="reason"):
        _withdraw(database, dataset, reason="  x ")
    with pytest.raises(Conflict, match="draft"):
        _withdraw(database, draft)
    with pytest.raises(NotFound, match="no version 9"):
        _withdraw(database, dataset, 9)
    with pytest.raises(Forbidden), UnitOfWork(database, STRANGER) as work:
        withdraw(work, dataset.id, 1, "I don't like it.")
    _withdraw(database, dataset)
    with pytest.raises(Conflict, match="withdrawn"):
        _withdraw(database, dataset)


def test_who_may_not_see_the_dataset_sees_no_tombstone(database: Database, add: Add):
    dataset = add()
    version = get_version(database, LOCAL_OWNER, dataset.id)
    _withdraw(database, dataset)
    with UnitOfWork(database, LOCAL_OWNER) as work:
        set_tier(work, dataset.id, Tier.PRIVATE)
    assert withdrawals(database, STRANGER, dataset.id) == ()
    with pytest.raises(NotFound):
        find_version(database, STRANGER, version.id)


def test_a_new_draft_does_not_bring_its_files_back(database: Database, add: Add):
    dataset = add("Quetzal brain")
    (first,) = get_version(database, ANONYMOUS, dataset.id).assets
    _withdraw(database, dataset)
    with UnitOfWork(database, LOCAL_OWNER) as work:
        draft = open_draft(work, dataset.id)
    assert (draft.number, draft.assets, draft.record.title) == (2, (), "Quetzal brain")
    assert first.id in [one.id for one in get_version(database, LOCAL_OWNER, dataset.id, 1).assets]


def test_a_new_draft_carries_over_what_stands(database: Database, add: Add):
    dataset = add("Quetzal brain")
    (kept,) = get_version(database, ANONYMOUS, dataset.id).assets
    _publish_again(database, dataset)
    _withdraw(database, dataset, 2)
    with UnitOfWork(database, LOCAL_OWNER) as work:
        draft = open_draft(work, dataset.id)
    assert (draft.number, [one.id for one in draft.assets]) == (3, [kept.id])
