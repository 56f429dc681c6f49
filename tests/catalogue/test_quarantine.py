"""What is in quarantine is for who administers it: it is published, shared and shown to nobody else until reviewed."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pulvinar.access.visibility import audience_of
from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue import add_asset, create_dataset, get_version, open_draft, publish
from pulvinar.catalogue.assets import find_home, resolve
from pulvinar.catalogue.quarantine import held_among, hold, hold_again, inherit, quarantine_of, release
from pulvinar.catalogue.sharing import share, share_by_link
from pulvinar.catalogue.stored_objects import find_object, objects_of
from pulvinar.errors import Conflict, Forbidden, Invalid, NotFound
from pulvinar.model.access import ANONYMOUS, LOCAL_OWNER, Actor, Right
from pulvinar.model.dataset import Asset, AssetKind, StoredObject, VersionState, asset_digest
from pulvinar.model.identity import new_id
from pulvinar.model.quarantine import Basis, Face, Identifiers
from pulvinar.model.record import Record, Species

HEAD = Record("a head", Species.HUMAN, "CC0-1.0")
MAKER, READER, REVIEWER = (Actor(name, name) for name in ("maker", "reader", "reviewer"))


def made(name="head"):
    objects = [StoredObject("table.parquet", 4, hashlib.sha256(name.encode()).hexdigest())]
    key = new_id("local")
    return Asset(key, name, AssetKind.TABLE, f"assets/{key}", 4, 1, asset_digest(objects)), objects


def held_head(database, basis=None, *, held=True):
    with UnitOfWork(database, LOCAL_OWNER) as work:
        dataset = create_dataset(work, HEAD)
        share(work, dataset.id, audience_of(MAKER.id), Right.ADMINISTER)
        draft = open_draft(work, dataset.id)
        asset, objects = made()
        add_asset(work, draft.id, asset, objects)
        hold(work, asset.id, Identifiers.FOUND, Face.UNKNOWN, basis, held=held)
    return dataset.id, draft.id, asset


def give(database, dataset_id, actor, right):
    with UnitOfWork(database, LOCAL_OWNER) as work:
        share(work, dataset_id, audience_of(actor.id), right)


def released(database, actor, *given):
    with UnitOfWork(database, actor) as work:
        release(work, *given)


def test_it_is_not_published_nor_shared_until_it_is_reviewed(database):
    dataset_id, draft_id, head = held_head(database)
    with pytest.raises(Conflict, match="in quarantine: head") as caught, UnitOfWork(database, LOCAL_OWNER) as work:
        publish(work, draft_id)
    assert "pulvinar quarantine" in caught.value.hint
    with pytest.raises(Conflict):
        give(database, dataset_id, READER, Right.READ)
    with pytest.raises(Conflict), UnitOfWork(database, LOCAL_OWNER) as work:
        share_by_link(work, dataset_id, ends=datetime.now(UTC) + timedelta(days=1))
    released(database, MAKER, dataset_id, head.id, Face.ABSENT)
    (state,) = quarantine_of(database, MAKER, dataset_id)
    assert (state.held, state.face, state.reviewed_by) == (False, Face.ABSENT, "maker")
    with UnitOfWork(database, LOCAL_OWNER) as work:
        publish(work, draft_id)
    assert get_version(database, ANONYMOUS, dataset_id).state is VersionState.PUBLISHED


def test_nothing_of_it_is_seen_by_who_may_only_read_or_write(database):
    """Who was given a dataset before a head came into its draft."""
    dataset_id, _, head = held_head(database, held=False)
    give(database, dataset_id, READER, Right.WRITE)
    assert get_version(database, READER, dataset_id).assets
    with UnitOfWork(database, LOCAL_OWNER) as work:
        hold_again(work, dataset_id, head.id, "a nose is left")
    draft = get_version(database, MAKER, dataset_id)
    assert draft.assets
    for look in (
        lambda: get_version(database, READER, dataset_id),
        lambda: resolve(database, READER, draft.digest, head.id, Right.VIEW),
        lambda: find_home(database, READER, head.id),
    ):
        with pytest.raises(NotFound):
            look()
    assert objects_of(database, READER, head.id) == ()
    assert find_object(database, READER, head.id, "table.parquet") is None
    assert find_object(database, MAKER, head.id, "table.parquet")
    with pytest.raises(Forbidden):
        quarantine_of(database, READER, dataset_id)
    with pytest.raises(Forbidden):
        released(database, READER, dataset_id, head.id, Face.ABSENT)


def test_a_reviewer_gets_the_right_to_administer(database):
    dataset_id, _, head = held_head(database)
    give(database, dataset_id, REVIEWER, Right.ADMINISTER)
    assert get_version(database, REVIEWER, dataset_id).assets
    released(database, REVIEWER, dataset_id, head.id, Face.KEPT, "consent form 7, in the lab's safe")
    assert quarantine_of(database, LOCAL_OWNER, dataset_id)[0].note.startswith("consent form 7")


def test_a_stated_basis_is_evidence_with_who_stated_it(database):
    dataset_id, draft_id, _ = held_head(database, Basis.TEMPLATE, held=False)
    (state,) = quarantine_of(database, LOCAL_OWNER, dataset_id)
    assert (state.held, state.basis, state.basis_by) == (False, Basis.TEMPLATE, LOCAL_OWNER.id)
    with UnitOfWork(database, LOCAL_OWNER) as work:
        publish(work, draft_id)


@pytest.mark.parametrize(
    ("face", "note"), [(Face.UNKNOWN, ""), (Face.REMOVED, ""), (Face.KEPT, ""), (Face.KEPT, " x ")]
)
def test_what_can_not_be_said_of_a_face_lets_nothing_go(database, face, note):
    dataset_id, _, head = held_head(database)
    with pytest.raises(Invalid):
        released(database, MAKER, dataset_id, head.id, face, note)
    assert quarantine_of(database, MAKER, dataset_id)[0].held


def test_what_is_made_from_it_is_held_with_it_and_let_go_with_it(database):
    dataset_id, draft_id, head = held_head(database)
    with UnitOfWork(database, LOCAL_OWNER) as work:
        child, objects = made("aligned")
        grandchild, more = made("regions")
        for one, its in ((child, objects), (grandchild, more)):
            add_asset(work, draft_id, one, its)
        inherit(work.session, child.id, [head.id])
        inherit(work.session, grandchild.id, [child.id])
        assert held_among(work.session, [child.id, grandchild.id]) == {child.id, grandchild.id}
    released(database, MAKER, dataset_id, head.id, Face.ABSENT)
    assert not any(one.held for one in quarantine_of(database, MAKER, dataset_id))


def test_a_head_without_face_is_let_go_alone(database):
    dataset_id, draft_id, head = held_head(database)
    with UnitOfWork(database, LOCAL_OWNER) as work:
        defaced, objects = made("defaced")
        add_asset(work, draft_id, defaced, objects)
        inherit(work.session, defaced.id, [head.id], without_face=True)
    with pytest.raises(Invalid):
        released(database, MAKER, dataset_id, defaced.id, Face.ABSENT)
    released(database, MAKER, dataset_id, defaced.id, Face.REMOVED)
    held = {one.asset_id: one.held for one in quarantine_of(database, MAKER, dataset_id)}
    assert held == {head.id: True, defaced.id: False}


def test_what_is_published_is_not_held_again(database):
    dataset_id, draft_id, head = held_head(database, Basis.PUBLIC, held=False)
    with UnitOfWork(database, LOCAL_OWNER) as work:
        publish(work, draft_id)
    with pytest.raises(Conflict, match="published"), UnitOfWork(database, LOCAL_OWNER) as work:
        hold_again(work, dataset_id, head.id, "too late")


def test_what_was_made_from_it_is_held_again_with_it(database):
    dataset_id, draft_id, head = held_head(database)
    with UnitOfWork(database, LOCAL_OWNER) as work:
        child, objects = made("aligned")
        add_asset(work, draft_id, child, objects)
        inherit(work.session, child.id, [head.id])
    released(database, MAKER, dataset_id, head.id, Face.ABSENT)
    with UnitOfWork(database, LOCAL_OWNER) as work:
        hold_again(work, dataset_id, head.id, "an ear is left")
    assert {one.asset_id for one in quarantine_of(database, MAKER, dataset_id) if one.held} == {head.id, child.id}


def test_a_reviewer_does_not_take_back_a_head_of_which_something_is_published(database):
    dataset_id, _, head = held_head(database)
    with UnitOfWork(database, LOCAL_OWNER) as work:
        other = create_dataset(work, HEAD)
        child, objects = made("aligned")
        add_asset(work, open_draft(work, other.id).id, child, objects)
        inherit(work.session, child.id, [head.id])
    released(database, MAKER, dataset_id, head.id, Face.ABSENT)
    with UnitOfWork(database, LOCAL_OWNER) as work:
        publish(work, open_draft(work, other.id).id)
    with pytest.raises(Conflict, match=child.id), UnitOfWork(database, LOCAL_OWNER) as work:
        hold_again(work, dataset_id, head.id, "an ear is left")


@pytest.mark.parametrize("actor", [LOCAL_OWNER, MAKER])
def test_a_token_that_only_reads_shows_no_head_whosever_it_is(database, actor):
    dataset_id, _, head = held_head(database)
    reader = replace(actor, ceiling=Right.READ)
    with pytest.raises(NotFound):
        get_version(database, reader, dataset_id)
    assert find_object(database, reader, head.id, "table.parquet") is None
    with pytest.raises(NotFound):
        find_home(database, reader, head.id)
    assert get_version(database, actor, dataset_id).assets
    released(database, MAKER, dataset_id, head.id, Face.ABSENT)
    assert get_version(database, reader, dataset_id).assets
