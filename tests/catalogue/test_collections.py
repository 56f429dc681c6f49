"""Collections: their order, who sees and changes them, and that they show nothing that is hidden."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.access.people import a_person, acting, verbs
from tests.catalogue.conftest import OBJECTS, RECORD, new_asset

from pulvinar.access.visibility import EVERYONE, audience_of
from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue import add_asset, create_dataset, open_draft, publish
from pulvinar.catalogue.collections import (
    add_dataset,
    delete_collection,
    describe_collection,
    get_collection,
    list_collections,
    make_collection,
    move_dataset,
    remove_dataset,
    share_collection,
    unshare_collection,
)
from pulvinar.catalogue.sharing import set_tier
from pulvinar.errors import Forbidden, Invalid, NotFound
from pulvinar.model.access import ANONYMOUS, LOCAL_OWNER, Right, Tier


def a_dataset(database, title, *, tier=Tier.PUBLIC):
    with UnitOfWork(database, LOCAL_OWNER) as work:
        made = create_dataset(work, replace(RECORD, title=title))
        draft = open_draft(work, made.id)
        add_asset(work, draft.id, new_asset(title), OBJECTS)
        publish(work, draft.id)
        if tier is not Tier.PUBLIC:
            set_tier(work, made.id, tier)
    return made.id


@pytest.fixture
def ada(database):
    return acting(database, a_person(database, "ada").id)


@pytest.fixture
def bob(database):
    return acting(database, a_person(database, "bob").id)


@pytest.fixture
def three(database):
    return [a_dataset(database, title) for title in ("first", "second", "third")]


@pytest.fixture
def made(database, ada, three):
    with UnitOfWork(database, ada) as work:
        made = make_collection(work, "  Brains  of a course ", "For students.")
        for one in three:
            add_dataset(work, made, one)
    return made


def titles(database, actor, collection_id):
    return [one.record.title for one in get_collection(database, actor, collection_id)[1]]


def test_it_keeps_its_order_and_moves_one_place_at_a_time(database, ada, three, made):
    assert titles(database, ada, made) == ["first", "second", "third"]
    with UnitOfWork(database, ada) as work:
        move_dataset(work, made, three[2], up=True)
        add_dataset(work, made, three[0])
    assert titles(database, ada, made) == ["first", "third", "second"]
    with UnitOfWork(database, ada) as work:
        move_dataset(work, made, three[0], up=True)
        move_dataset(work, made, three[0], up=False)
        remove_dataset(work, made, three[1])
    assert titles(database, ada, made) == ["third", "first"]
    shown, _ = get_collection(database, ada, made)
    assert (shown.title, shown.description, shown.right, shown.is_public, shown.count) == (
        "Brains of a course",
        "For students.",
        Right.ADMINISTER,
        False,
        2,
    )


def test_nobody_knows_of_it_until_it_is_shown(database, ada, bob, made):
    for actor in (bob, ANONYMOUS):
        assert list_collections(database, actor) == ()
        with pytest.raises(NotFound):
            get_collection(database, actor, made)
    with UnitOfWork(database, ada) as work:
        share_collection(work, made, EVERYONE, Right.READ)
    for actor in (bob, ANONYMOUS):
        (found,) = list_collections(database, actor)
        assert (found.is_public, found.right, found.count) == (True, Right.READ, 3)
    assert list_collections(database, bob, right=Right.WRITE) == ()
    with UnitOfWork(database, ada) as work:
        unshare_collection(work, made, EVERYONE)
    assert list_collections(database, ANONYMOUS) == ()
    assert {"make-collection", "share-collection", "unshare-collection"} <= set(verbs(database, made))


def test_a_hidden_dataset_in_it_stays_hidden(database, ada, made):
    hidden = a_dataset(database, "hidden", tier=Tier.PRIVATE)
    with UnitOfWork(database, LOCAL_OWNER) as work:
        add_dataset(work, made, hidden)
    with UnitOfWork(database, ada) as work:
        share_collection(work, made, EVERYONE, Right.READ)
    assert "hidden" not in titles(database, ANONYMOUS, made)
    assert get_collection(database, ANONYMOUS, made)[0].count == 3
    assert titles(database, LOCAL_OWNER, made)[-1] == "hidden"
    with pytest.raises(NotFound), UnitOfWork(database, ada) as work:
        move_dataset(work, made, hidden, up=True)


def test_what_one_does_not_see_is_not_added(database, ada, made):
    hidden = a_dataset(database, "hidden", tier=Tier.PRIVATE)
    with pytest.raises(NotFound), UnitOfWork(database, ada) as work:
        add_dataset(work, made, hidden)


def test_who_may_change_it_was_named(database, ada, bob, three, made):
    with UnitOfWork(database, ada) as work:
        share_collection(work, made, EVERYONE, Right.READ)
    for act in (
        lambda work: describe_collection(work, made, "Mine", ""),
        lambda work: remove_dataset(work, made, three[0]),
        lambda work: share_collection(work, made, audience_of(bob.id), Right.WRITE),
        lambda work: delete_collection(work, made),
    ):
        with pytest.raises(Forbidden), UnitOfWork(database, bob) as work:
            act(work)
    with UnitOfWork(database, ada) as work:
        share_collection(work, made, audience_of(bob.id), Right.WRITE)
    with UnitOfWork(database, bob) as work:
        describe_collection(work, made, "Ours", "")
    assert get_collection(database, ANONYMOUS, made)[0].title == "Ours"
    with pytest.raises(Forbidden), UnitOfWork(database, bob) as work:
        delete_collection(work, made)


def test_what_can_not_be(database, ada, made):
    with pytest.raises(Invalid), UnitOfWork(database, ada) as work:
        share_collection(work, made, EVERYONE, Right.WRITE)
    with pytest.raises(Invalid), UnitOfWork(database, ada) as work:
        unshare_collection(work, made, audience_of(ada.id))
    for title in ("", " ", "x" * 201):
        with pytest.raises(Invalid), UnitOfWork(database, ada) as work:
            make_collection(work, title)
    with pytest.raises(Forbidden), UnitOfWork(database, ANONYMOUS) as work:
        make_collection(work, "A visitor's")


def test_it_goes_and_its_datasets_stay(database, ada, three, made):
    with UnitOfWork(database, ada) as work:
        delete_collection(work, made)
    with pytest.raises(NotFound):
        get_collection(database, ada, made)
    assert list_collections(database, ada, dataset_id=three[0]) == ()
    assert a_dataset(database, "after")
