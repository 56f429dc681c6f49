import sys
from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import event as sql_event
from sqlalchemy import select
from tests.catalogue.conftest import OBJECTS, RECORD, new_asset

from pulvinar.access.tables import event
from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue import (
    add_asset,
    get_dataset,
    get_version,
    list_datasets,
    list_versions,
    manifest,
    open_draft,
    publish,
)
from pulvinar.catalogue.asset_search import search_assets
from pulvinar.catalogue.assets import find_asset, resolve_asset
from pulvinar.catalogue.drafts import add_assets, remove_asset, set_record
from pulvinar.catalogue.stored_objects import find_object, known_asset_ids, objects_of
from pulvinar.catalogue.tables import dataset_subject, subject
from pulvinar.errors import Conflict, Forbidden, Invalid, NotFound
from pulvinar.model.access import ANONYMOUS, LOCAL_OWNER
from pulvinar.model.dataset import (
    Asset,
    AssetKind,
    Dataset,
    StoredObject,
    VersionState,
    asset_digest,
    fits_digest,
    version_digest,
)
from pulvinar.model.record import Species, Subject
from pulvinar.storage.database import Database

Add = Callable[..., Dataset]


def test_a_version_comes_back_with_its_assets_and_objects(database: Database, add: Add):
    dataset = add("鼠脑 mouse brain", lab="A lab")
    version = get_version(database, LOCAL_OWNER, dataset.id)
    assert (version.number, version.state) == (1, VersionState.PUBLISHED)
    assert version.record == replace(RECORD, title="鼠脑 mouse brain", lab="A lab")
    (asset,) = version.assets
    assert (asset.name, asset.size_bytes, asset.object_count) == ("brain", 15, 2)
    assert objects_of(database, LOCAL_OWNER, asset.id) == OBJECTS
    assert find_object(database, LOCAL_OWNER, asset.id, OBJECTS[0].path) == OBJECTS[0]
    assert find_object(database, LOCAL_OWNER, asset.id, "../secret") is None


def test_a_manifest_holds_what_its_digest_is_made_of(database: Database, add: Add):
    version = get_version(database, LOCAL_OWNER, add().id)
    stated = manifest(database, LOCAL_OWNER, version.id)
    assets = []
    for one in stated["assets"]:
        objects = [StoredObject(**item) for item in one["objects"]]
        assert asset_digest(objects) == one["digest"]
        assets.append(Asset(one["id"], one["name"], AssetKind(one["kind"]), "", 0, 0, one["digest"]))
    assert version_digest(stated["record"], assets) == stated["digest"] == version.digest


def test_a_published_version_never_changes(database: Database, add: Add):
    dataset = add()
    version = get_version(database, LOCAL_OWNER, dataset.id)
    for change in (
        lambda work: add_asset(work, version.id, new_asset("more"), OBJECTS),
        lambda work: set_record(work, version.id, RECORD),
        lambda work: publish(work, version.id),
    ):
        with pytest.raises(Conflict, match="published"), UnitOfWork(database, LOCAL_OWNER) as work:
            change(work)
    assert get_version(database, LOCAL_OWNER, dataset.id) == version


def test_a_new_draft_carries_the_published_assets_over(database: Database, add: Add):
    dataset = add()
    first = get_version(database, LOCAL_OWNER, dataset.id)
    with UnitOfWork(database, LOCAL_OWNER) as work:
        draft = open_draft(work, dataset.id)
        assert draft.digest == first.digest
        again = open_draft(work, dataset.id)
        assert again.id == draft.id
        changed = add_asset(work, draft.id, new_asset("second"), OBJECTS)
    assert (draft.number, {asset.name for asset in changed.assets}) == (2, {"brain", "second"})
    assert changed.digest != first.digest
    assert [one.number for one in list_versions(database, LOCAL_OWNER, dataset.id)] == [2, 1]
    assert get_version(database, LOCAL_OWNER, dataset.id, 1) == first


def test_an_asset_must_describe_its_objects_and_come_once(database: Database, add: Add):
    dataset = add(published=False)
    draft = get_version(database, LOCAL_OWNER, dataset.id)
    with pytest.raises(Invalid, match="describe"), UnitOfWork(database, LOCAL_OWNER) as work:
        add_asset(work, draft.id, new_asset(), OBJECTS[:1])
    with pytest.raises(Conflict), UnitOfWork(database, LOCAL_OWNER) as work:
        add_asset(work, draft.id, draft.assets[0], OBJECTS)


def test_assets_that_come_together_read_the_draft_once(database: Database, add: Add):
    """A loop over `add_asset` would read all that came before with each: 5,050 rows for a hundred assets."""
    dataset = add(published=False)
    draft = get_version(database, LOCAL_OWNER, dataset.id)

    def added(many: int) -> tuple[int, int]:
        """Statements that were run, and calls of Python that it took."""
        statements, calls = [0], [0]

        def count(*about: object) -> None:
            calls[0] += about[1] == "call"

        def told(*about: object) -> None:
            statements[0] += 1

        together = [(new_asset(f"neuron {number}"), OBJECTS) for number in range(many)]
        sql_event.listen(database.engine, "before_cursor_execute", told)
        with UnitOfWork(database, LOCAL_OWNER) as work:
            sys.setprofile(count)
            try:
                add_assets(work, draft.id, together)
            finally:
                sys.setprofile(None)
                sql_event.remove(database.engine, "before_cursor_execute", told)
        return statements[0], calls[0]

    added(1)
    few, many = added(20), added(100)
    # an event, a row of words and one of facets for each
    assert many[0] - few[0] <= 80 * 4
    assert many[1] <= 5 * few[1]
    version = get_version(database, LOCAL_OWNER, dataset.id)
    assert len(version.assets) == 122
    assert fits_digest(version)
    assert len(search_assets(database, LOCAL_OWNER, "neuron", limit=200).items) == 121


def test_of_assets_that_come_together_all_come_or_none(database: Database, add: Add):
    dataset = add(published=False)
    draft = get_version(database, LOCAL_OWNER, dataset.id)
    for wrong in (replace(new_asset(), object_count=7), draft.assets[0]):
        with pytest.raises((Invalid, Conflict)), UnitOfWork(database, LOCAL_OWNER) as work:
            add_assets(work, draft.id, [(new_asset("good"), OBJECTS), (wrong, OBJECTS)])
        assert get_version(database, LOCAL_OWNER, dataset.id) == draft


def test_an_empty_version_is_not_published(database: Database, add: Add):
    from pulvinar.catalogue import create_dataset

    with UnitOfWork(database, LOCAL_OWNER) as work:
        made = create_dataset(work, RECORD)
        draft = open_draft(work, made.id)
    with pytest.raises(Invalid, match="empty"), UnitOfWork(database, LOCAL_OWNER) as work:
        publish(work, draft.id)


def test_assets_are_found_by_the_digest_of_a_version_that_holds_them(database: Database, add: Add):
    dataset = add(published=False)
    before = get_version(database, LOCAL_OWNER, dataset.id)
    asset = before.assets[0]
    assert resolve_asset(database, LOCAL_OWNER, before.digest, asset.id) == asset
    with UnitOfWork(database, LOCAL_OWNER) as work:
        set_record(work, before.id, replace(before.record, title="Renamed"))
    with pytest.raises(NotFound):
        resolve_asset(database, LOCAL_OWNER, before.digest, asset.id)
    after = get_dataset(database, LOCAL_OWNER, dataset.id)
    assert after.latest is not None
    assert after.record.title == "Renamed"
    assert resolve_asset(database, LOCAL_OWNER, after.latest.digest, asset.id) == asset


def test_a_stranger_sees_published_versions_only_and_nothing_of_drafts(database: Database, add: Add):
    dataset = add()
    with UnitOfWork(database, LOCAL_OWNER) as work:
        draft = open_draft(work, dataset.id)
        draft = add_asset(work, draft.id, new_asset("secret"), OBJECTS)
    secret = next(asset for asset in draft.assets if asset.name == "secret")
    assert get_version(database, ANONYMOUS, dataset.id).number == 1
    assert get_dataset(database, ANONYMOUS, dataset.id).latest == get_version(database, LOCAL_OWNER, dataset.id, 1)
    assert [one.number for one in list_versions(database, ANONYMOUS, dataset.id)] == [1]
    assert objects_of(database, ANONYMOUS, secret.id) == ()
    assert find_object(database, ANONYMOUS, secret.id, OBJECTS[0].path) is None
    for hidden in (
        lambda: get_version(database, ANONYMOUS, dataset.id, 2),
        lambda: manifest(database, ANONYMOUS, draft.id),
        lambda: resolve_asset(database, ANONYMOUS, draft.digest, secret.id),
    ):
        with pytest.raises(NotFound):
            hidden()


def test_a_stranger_may_change_nothing(database: Database, add: Add):
    seen, hidden = add(), add(published=False)
    with pytest.raises(Forbidden), UnitOfWork(database, ANONYMOUS) as work:
        open_draft(work, seen.id)
    with pytest.raises(NotFound), UnitOfWork(database, ANONYMOUS) as work:
        open_draft(work, hidden.id)


def test_every_change_leaves_an_event(database: Database, add: Add):
    add()
    with database.session() as session:
        verbs = list(session.scalars(select(event.c.verb).order_by(event.c.seq)))
    assert verbs == ["create", "open-draft", "add-asset", "publish"]


def test_an_asset_is_taken_out_of_a_draft_and_stays_where_it_is_published(database: Database, add: Add):
    dataset = add()
    first = get_version(database, LOCAL_OWNER, dataset.id)
    (kept,) = first.assets
    with UnitOfWork(database, LOCAL_OWNER) as work:
        draft = open_draft(work, dataset.id)
        wrong = new_asset("wrongly named")
        add_asset(work, draft.id, wrong, OBJECTS)
    assert list_datasets(database, LOCAL_OWNER, query="wrongly").items
    with UnitOfWork(database, LOCAL_OWNER) as work:
        changed = remove_asset(work, draft.id, wrong.id)
    assert changed.assets == (kept,)
    assert changed.digest == first.digest
    assert get_version(database, LOCAL_OWNER, dataset.id) == changed
    assert not list_datasets(database, LOCAL_OWNER, query="wrongly").items
    assert known_asset_ids(database) == {kept.id}
    assert objects_of(database, LOCAL_OWNER, wrong.id) == ()
    with UnitOfWork(database, LOCAL_OWNER) as work:
        remove_asset(work, draft.id, kept.id)
    assert get_version(database, LOCAL_OWNER, dataset.id, 1) == first
    assert objects_of(database, LOCAL_OWNER, kept.id) == OBJECTS
    with database.session() as session:
        events = [row for row in session.execute(select(event)) if row.verb == "remove-asset"]
    assert [row.details["asset"] for row in events] == [wrong.id, kept.id]


def test_what_can_not_be_taken_out(database: Database, add: Add):
    published = get_version(database, LOCAL_OWNER, add().id)
    draft = get_version(database, LOCAL_OWNER, add(published=False).id)
    with pytest.raises(Conflict, match="published"), UnitOfWork(database, LOCAL_OWNER) as work:
        remove_asset(work, published.id, published.assets[0].id)
    with pytest.raises(NotFound), UnitOfWork(database, LOCAL_OWNER) as work:
        remove_asset(work, draft.id, published.assets[0].id)
    with pytest.raises(NotFound), UnitOfWork(database, ANONYMOUS) as work:
        remove_asset(work, draft.id, draft.assets[0].id)
    assert get_version(database, LOCAL_OWNER, draft.dataset_id) == draft


def test_an_asset_is_found_by_its_name_or_id_and_never_guessed(database: Database, add: Add):
    version = get_version(database, LOCAL_OWNER, add(published=False).id)
    (asset,) = version.assets
    assert find_asset(version, "brain") == find_asset(version, asset.id) == asset
    with pytest.raises(NotFound) as missing:
        find_asset(version, "heart")
    assert "brain" in missing.value.hint
    twin = replace(asset, id="local-twin")
    with pytest.raises(Conflict) as several:
        find_asset(replace(version, assets=(asset, twin)), "brain")
    assert asset.id in several.value.hint
    assert twin.id in several.value.hint


def test_a_subject_that_is_named_later_is_linked_once(database: Database, add: Add):
    made = add(published=False)
    named = replace(RECORD, subject=Subject("m7", Species.MOUSE, "female"))
    for record in (named, named, replace(named, lab="A lab")):
        with UnitOfWork(database, LOCAL_OWNER) as work:
            set_record(work, open_draft(work, made.id).id, record)
    with database.session() as session:
        links = session.execute(select(dataset_subject).where(dataset_subject.c.dataset_id == made.id)).all()
        (known,) = session.execute(select(subject).where(subject.c.name == "m7")).all()
    assert [(link.subject_name, link.species) for link in links] == [("m7", "mouse")]
    assert known.details == {"sex": "female", "age": "", "strain": ""}
