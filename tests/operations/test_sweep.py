"""A sweep takes what nobody owns, and leaves everything else where it is."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue import add_asset, create_dataset, open_draft, publish
from pulvinar.ingest.sessions import AssetLedger, finish, held_session, known_assets
from pulvinar.model.access import LOCAL_OWNER
from pulvinar.model.dataset import Asset, AssetKind, StoredObject, asset_digest
from pulvinar.model.identity import new_id
from pulvinar.model.record import Record, Species
from pulvinar.operations.sweep import Swept, sweep
from pulvinar.storage.database import Database
from pulvinar.storage.store import Store, open_store

OLD = "local-01hzzzzzzzzzzzzzzzzzzzzzzz"
"""An identifier of 2024."""
AT_ONCE = -1.0
"""A grace that makes the newest old."""
PRINT = "f" * 64


@pytest.fixture
def put(store: Store) -> Callable[[str], str]:
    """Stores one object of an asset."""

    def one(asset_id: str, path: str = "image.ome.zarr/0/c/0/0/0/0/0") -> str:
        store.put_bytes(f"assets/{asset_id}/{path}", b"0123456789")
        return f"assets/{asset_id}/{path}"

    return one


def left(store: Store) -> set[str]:
    return {entry.key for entry in store.list("")}


def owned(database: Database, asset_id: str, *, published: bool) -> None:
    """A version that has the asset."""
    objects = (StoredObject("image.ome.zarr/0/c/0/0/0/0/0", 10, "a" * 64),)
    brain = Asset(asset_id, "brain", AssetKind.VOLUME, f"assets/{asset_id}", 10, 1, asset_digest(objects), {})
    with UnitOfWork(database, LOCAL_OWNER) as work:
        dataset = create_dataset(work, Record("A brain", Species.MOUSE, "CC0-1.0"))
        draft = open_draft(work, dataset.id)
        add_asset(work, draft.id, brain, objects)
        if published:
            publish(work, draft.id)


def test_every_object_of_an_orphan_goes_and_is_counted(database: Database, store: Store, put):
    keys = {put(OLD), put(OLD, "image.ome.zarr/zarr.json"), put(OLD, "quality/a b é.webp")}
    promised = sweep(database, store, dry=True)
    assert left(store) == keys
    done = sweep(database, store)
    assert done == promised == Swept(tuple(sorted(keys)), 30, 0)
    assert left(store) == set()
    assert sweep(database, store) == Swept((), 0, 0)


def test_what_a_draft_or_a_published_version_owns_stays(database: Database, store: Store, put):
    draft, published = new_id(), new_id()
    keys = {put(draft), put(published)}
    owned(database, draft, published=False)
    owned(database, published, published=True)
    assert sweep(database, store, grace_s=AT_ONCE).keys == ()
    assert left(store) == keys


def test_what_is_young_stays_until_it_is_old(database: Database, store: Store, put):
    young = put(new_id())
    assert sweep(database, store).keys == ()
    assert sweep(database, store, grace_s=3600).keys == ()
    assert left(store) == {young}
    assert sweep(database, store, grace_s=AT_ONCE).keys == (young,)


def test_what_an_unfinished_ingest_owns_stays_until_nobody_works_on_it(database: Database, store: Store, put):
    with held_session(database, PRINT, "/data/brain", "local") as session:
        (asset,) = known_assets(database, session, ["a"], "local")
        AssetLedger(database, session, asset.id).record([StoredObject("image.ome.zarr/0/c/0/0/0/0/0", 10, "a" * 64)])
        key = put(asset.id)
        # held by a process that lives: not given up, however long ago
        assert sweep(database, store, grace_s=AT_ONCE, abandon_after_s=AT_ONCE) == Swept((), 0, 0)
    assert sweep(database, store, grace_s=AT_ONCE) == Swept((), 0, 0)
    assert sweep(database, store, grace_s=AT_ONCE, abandon_after_s=AT_ONCE, dry=True) == Swept((), 0, 0)
    assert left(store) == {key}
    assert sweep(database, store, grace_s=AT_ONCE, abandon_after_s=AT_ONCE) == Swept((key,), 10, 1)
    assert left(store) == set()
    with held_session(database, PRINT, "/data/brain", "local") as again:
        # what was given up is begun anew, under another identifier
        (fresh,) = known_assets(database, again, ["a"], "local")
        assert fresh.id != asset.id
        assert AssetLedger(database, again, fresh.id).finished() == {}


def test_an_ingest_that_has_finished_is_not_given_up(database: Database, store: Store, put):
    with held_session(database, PRINT, "/data/brain", "local") as session:
        (asset,) = known_assets(database, session, ["a"], "local")
        key = put(asset.id)
        owned(database, asset.id, published=False)
        with database.writing() as sql:
            finish(sql, session, "d", "v")
    assert sweep(database, store, grace_s=AT_ONCE, abandon_after_s=AT_ONCE) == Swept((), 0, 0)
    assert left(store) == {key}


STRANGERS = {
    "assets/readme.txt",
    "assets/not-an-asset/file",
    f"assets/{OLD.upper()}/file",
    f"assets/{OLD}x/file",
    f"assets/{OLD[:-1]}/file",
    # the letters of an identifier, and no time: more than 128 bits
    f"assets/local-{'z' * 26}/file",
    f"assets-of-mine/{OLD}/file",
    f"backup/assets/{OLD}/file",
    f"{OLD}/file",
}


def test_files_that_are_not_an_assets_stay(database: Database, store: Store, put):
    for key in STRANGERS:
        store.put_bytes(key, b"somebody's")
    orphan = put(OLD)
    assert sweep(database, store, grace_s=AT_ONCE).keys == (orphan,)
    assert left(store) == STRANGERS


def test_a_link_is_not_followed_out_of_the_folder(database: Database, tmp_path: Path):
    store = open_store((tmp_path / "store").as_uri())
    outside = tmp_path / "mine" / OLD
    outside.mkdir(parents=True)
    (outside / "precious").write_bytes(b"mine")
    (tmp_path / "store/assets").mkdir()
    (tmp_path / "store/assets" / OLD).symlink_to(outside)
    (tmp_path / "store/assets" / "local-01hzzzzzzzzzzzzzzzzzzzzzzy").symlink_to(outside / "precious")
    assert sweep(database, store, grace_s=AT_ONCE).keys == ()
    assert (outside / "precious").read_bytes() == b"mine"
