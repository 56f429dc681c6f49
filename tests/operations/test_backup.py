"""A backup holds everything as of one moment, copies bytes once, and comes back into a platform that then serves."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import select, text
from tests.conftest import new_postgres_database
from tests.operations.brains import AT, add_brain, contents

from pulvinar.access.audit_chain import verify_chain
from pulvinar.access.tables import event
from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue.search import reindex_all
from pulvinar.errors import Conflict, Corrupt, Invalid, NotFound
from pulvinar.model.access import LOCAL_OWNER, Right
from pulvinar.operations.backup import back_up, find_snapshot, snapshots
from pulvinar.operations.backup_care import prune, verify_backup
from pulvinar.operations.backup_objects import kept_as
from pulvinar.operations.restore import restore
from pulvinar.platform import migrate
from pulvinar.storage.database import Database, metadata
from pulvinar.storage.store import Store, open_store
from pulvinar.storage.table_dump import dump_tables, revision_of, stored_tables


@pytest.fixture(params=["folder", "s3"])
def backup(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "folder":
        return open_store((tmp_path / "backup").as_uri())
    return request.getfixturevalue("s3_server").store(uuid4().hex)


@pytest.fixture
def shelf(tmp_path: Path) -> Store:
    """A backup in a folder, for what does not depend on where it is."""
    return open_store((tmp_path / "shelf").as_uri())


@pytest.fixture
def folder_store(tmp_path: Path) -> Store:
    return open_store((tmp_path / "store").as_uri())


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    """A database without tables."""
    if request.param == "sqlite":
        return Database(f"sqlite:///{tmp_path / 'empty.sqlite'}")
    return Database(new_postgres_database(request.getfixturevalue("postgres_server")))


@pytest.fixture
def anew(tmp_path: Path) -> Database:
    return Database(f"sqlite:///{tmp_path / 'anew.sqlite'}")


def rows_of(database: Database) -> list[str]:
    with database.session() as session:
        return list(dump_tables(session.connection()))


def restored(backup: Store, database: Database, store: Store, scratch: Path, **options):
    return restore(backup, database, store, migrate=migrate, scratch=scratch, **options)


def test_everything_comes_back_into_either_database(
    database: Database, empty: Database, folder_store: Store, shelf: Store, tmp_path: Path
):
    add_brain(database, folder_store, "小鼠 brain", {"a": b"one", "b/c": b"two"})
    made = back_up(database, folder_store, shelf, scratch=tmp_path)
    assert (made.objects, made.copied, made.size_bytes, made.damaged) == (2, 2, 6, {})
    into = open_store((tmp_path / "into").as_uri())
    done = restored(shelf, empty, into, tmp_path)
    assert rows_of(empty) == rows_of(database)
    assert contents(into) == contents(folder_store)
    assert (done.objects, done.rows, done.chain.fault) == (2, len(rows_of(empty)) - len(_tables(empty)), None)
    # what was put in is counted on from, and the log goes on
    add_brain(empty, into, "another", {"a": b"three"})
    with empty.session() as session:
        numbers = list(session.scalars(select(event.c.seq).order_by(event.c.seq)))
    assert len(numbers) == len(set(numbers)) == 8
    back_up(empty, into, shelf, scratch=tmp_path)
    assert verify_chain(empty, made.seal).fault is None
    empty.close()


def _tables(database: Database) -> list[str]:
    with database.session() as session:
        return [one.name for one in stored_tables(session.connection())]


def test_every_table_is_in_it(database: Database):
    assert set(_tables(database)) == set(metadata.tables)


def test_between_kinds_of_stores(
    store: Store, backup: Store, tmp_path: Path, migrated: Callable[..., str], request: pytest.FixtureRequest
):
    database = Database(migrated(request, "sqlite"))
    add_brain(database, store, "brain", {"a": b"x" * 100_000, "empty": b""})
    back_up(database, store, backup, scratch=tmp_path)
    assert verify_backup(backup, scratch=tmp_path).damages == ()
    into, anew = open_store((tmp_path / "into").as_uri()), Database(f"sqlite:///{tmp_path / 'anew.sqlite'}")
    restored(backup, anew, into, tmp_path)
    assert contents(into) == contents(store)


def test_bytes_are_copied_once(database: Database, folder_store: Store, shelf: Store, tmp_path: Path):
    add_brain(database, folder_store, "first", {"a": b"one", "b": b"two", "same": b"one"})
    assert back_up(database, folder_store, shelf, scratch=tmp_path).copied in (2, 3)
    add_brain(database, folder_store, "second", {"a": b"one", "b": b"three"})
    second = back_up(database, folder_store, shelf, scratch=tmp_path)
    assert (second.objects, second.copied) == (5, 1)
    assert back_up(database, folder_store, shelf, scratch=tmp_path).copied == 0
    assert len(contents(shelf, "objects")) == 3
    assert [one.id for one in snapshots(shelf)][-1] == find_snapshot(shelf).id


def test_what_is_not_in_the_catalogue_yet_comes_along(
    database: Database, folder_store: Store, shelf: Store, tmp_path: Path, anew: Database
):
    folder_store.put_bytes("assets/local-01hzzzzzzzzzzzzzzzzzzzzzzz/image/0", b"of an ingest that goes on")
    folder_store.put_bytes("jobs/local-01hzzzzzzzzzzzzzzzzzzzzzzz/0.jsonl", b"{}")
    back_up(database, folder_store, shelf, scratch=tmp_path)
    into = open_store((tmp_path / "into").as_uri())
    restored(shelf, anew, into, tmp_path)
    assert contents(into) == contents(folder_store)


def test_a_backup_is_of_one_moment(
    database: Database, folder_store: Store, shelf: Store, tmp_path: Path, anew: Database, monkeypatch
):
    """What is written while rows are being read is not in it, not even in the tables that are read last."""
    add_brain(database, folder_store, "before", {"a": b"one"})
    import pulvinar.operations.backup as module

    def meanwhile(connection):
        lines = iter(dump_tables(connection))
        yield next(lines)
        if database.is_sqlite:
            # on the same file, by another connection, as another process would
            other = Database(database.url)
            add_brain(other, folder_store, "after", {"a": b"two"})
            other.close()
        else:
            add_brain(database, folder_store, "after", {"a": b"two"})
        yield from lines

    monkeypatch.setattr(module, "dump_tables", meanwhile)
    back_up(database, folder_store, shelf, scratch=tmp_path)
    into = open_store((tmp_path / "into").as_uri())
    assert restored(shelf, anew, into, tmp_path).chain.fault is None
    with anew.session() as session:
        assert session.scalar(text("SELECT count(*) FROM dataset")) == 1
        assert session.scalar(text("SELECT count(*) FROM event WHERE verb = 'publish'")) == 1


def test_damage_is_named_and_all_else_is_kept(
    database: Database, folder_store: Store, shelf: Store, tmp_path: Path, anew: Database
):
    keys = add_brain(database, folder_store, "brain", {"a": b"one", "b": b"two", "c": b"three"})
    folder_store.delete(keys["a"])
    folder_store.put_bytes(keys["b"], b"tw0")
    made = back_up(database, folder_store, shelf, scratch=tmp_path)
    assert set(made.damaged) == {keys["a"], keys["b"]}
    assert find_snapshot(shelf).damaged == made.damaged
    into = open_store((tmp_path / "into").as_uri())
    restored(shelf, anew, into, tmp_path)
    assert contents(into) == {keys["c"]: b"three"}


def test_what_has_rotted_in_a_backup_is_found(database: Database, folder_store: Store, shelf: Store, tmp_path: Path):
    add_brain(database, folder_store, "brain", {"a": b"one", "b": b"two"})
    made = back_up(database, folder_store, shelf, scratch=tmp_path)
    one, two = (kept_as(hashlib.sha256(data).hexdigest()) for data in (b"one", b"two"))
    shelf.put_bytes(one, b"0ne")
    shelf.delete(two)
    assert {damage.key for damage in verify_backup(shelf, scratch=tmp_path).damages} == {one, two}
    shelf.put_bytes(f"snapshots/{made.id}/tables.jsonl.zst", b"nothing")
    damages = verify_backup(shelf, scratch=tmp_path).damages
    assert {damage.key for damage in damages} == {one, two, f"snapshots/{made.id}/tables.jsonl.zst"}


@pytest.mark.parametrize("name", ["tables.jsonl.zst", "objects.jsonl.zst"])
def test_nothing_is_restored_from_a_damaged_snapshot(
    name, database: Database, folder_store: Store, shelf: Store, tmp_path: Path, anew: Database
):
    add_brain(database, folder_store, "brain", {"a": b"one"})
    made = back_up(database, folder_store, shelf, scratch=tmp_path)
    shelf.put_bytes(f"snapshots/{made.id}/{name}", b"nothing")
    into = open_store((tmp_path / "into").as_uri())
    with pytest.raises(Corrupt, match="SHA-256"):
        restored(shelf, anew, into, tmp_path)
    assert contents(into) == {}


def test_a_rotten_object_stops_a_restoration_which_goes_on_once_it_is_mended(
    database: Database, folder_store: Store, shelf: Store, tmp_path: Path, anew: Database
):
    add_brain(database, folder_store, "brain", {"a": b"one", "b": b"two"})
    back_up(database, folder_store, shelf, scratch=tmp_path)
    two = kept_as(hashlib.sha256(b"two").hexdigest())
    shelf.put_bytes(two, b"tw0")
    into = open_store((tmp_path / "into").as_uri())
    with pytest.raises(Corrupt, match="damaged"):
        restored(shelf, anew, into, tmp_path)
    shelf.put_bytes(two, b"two")
    restored(shelf, anew, into, tmp_path)
    assert contents(into) == contents(folder_store)
    assert rows_of(anew) == rows_of(database)


def test_nothing_is_mixed(database: Database, folder_store: Store, shelf: Store, tmp_path: Path, anew: Database):
    add_brain(database, folder_store, "brain", {"a": b"one"})
    back_up(database, folder_store, shelf, scratch=tmp_path)
    into = open_store((tmp_path / "into").as_uri())
    with pytest.raises(Conflict, match="database"):
        restored(shelf, database, into, tmp_path)
    with pytest.raises(Conflict, match="store"):
        restored(shelf, anew, folder_store, tmp_path)
    # another restoration that was left halfway is no empty store either
    into.put_bytes("restore/snapshot", b"another")
    with pytest.raises(Conflict, match="store"):
        restored(shelf, anew, into, tmp_path)
    assert contents(into) == {"restore/snapshot": b"another"}


def test_tables_without_rows_are_nothing(
    database: Database, empty: Database, folder_store: Store, shelf: Store, tmp_path: Path
):
    """As they are after a server was started once."""
    migrate(empty)
    with empty.writing() as session:
        reindex_all(session)
    add_brain(database, folder_store, "brain", {"a": b"one"})
    back_up(database, folder_store, shelf, scratch=tmp_path)
    restored(shelf, empty, open_store((tmp_path / "into").as_uri()), tmp_path)
    assert rows_of(empty) == rows_of(database)
    empty.close()


def test_an_older_backup_is_brought_to_the_tables_of_today(
    empty: Database, folder_store: Store, shelf: Store, tmp_path: Path, anew: Database
):
    migrate(empty, "0007")
    with empty.writing() as session:
        session.execute(
            text("INSERT INTO event (actor_id, verb, subject_id, at, details) VALUES ('a', 'v', 's', :at, '{}')"),
            {"at": AT if not empty.is_sqlite else "2026-01-01 00:00:00.000000"},
        )
    # the code of that time did the same without a seal
    import pulvinar.operations.backup as module

    with pytest.MonkeyPatch.context() as old:
        old.setattr(module, "seal_all", lambda _: 0)
        old.setattr(module, "last_seal", lambda _: None)
        old.setattr(module, "certificates", lambda _: ())
        made = back_up(empty, folder_store, shelf, scratch=tmp_path)
    assert made.revision == "0007"
    done = restored(shelf, anew, open_store((tmp_path / "into").as_uri()), tmp_path)
    assert (done.rows, done.chain.unsealed) == (1, 1)
    with anew.session() as session:
        assert revision_of(session.connection()) > "0007"
    empty.close()


def test_a_backup_of_a_newer_release_is_refused(
    database: Database, folder_store: Store, shelf: Store, tmp_path: Path, anew: Database
):
    made = back_up(database, folder_store, shelf, scratch=tmp_path)
    key = f"snapshots/{made.id}/manifest.json"
    said = json.loads(shelf.read(key))
    shelf.put_bytes(key, json.dumps({**said, "revision": "9999"}).encode())
    with pytest.raises(Invalid, match="9999"):
        restored(shelf, anew, open_store((tmp_path / "into").as_uri()), tmp_path)
    shelf.put_bytes(key, json.dumps({**said, "format": 2}).encode())
    with pytest.raises(Corrupt, match="newer format"):
        snapshots(shelf)


def test_what_a_backup_keeps_outlives_what_is_lost(
    database: Database, folder_store: Store, shelf: Store, tmp_path: Path, anew: Database
):
    keys = add_brain(database, folder_store, "brain", {"a": b"one"})
    back_up(database, folder_store, shelf, scratch=tmp_path)
    folder_store.put_bytes(keys["a"], b"0ne")
    assert back_up(database, folder_store, shelf, scratch=tmp_path).damaged == {}
    into = open_store((tmp_path / "into").as_uri())
    restored(shelf, anew, into, tmp_path)
    assert contents(into) == {keys["a"]: b"one"}


def test_old_snapshots_go_with_what_only_they_name(
    database: Database, folder_store: Store, shelf: Store, tmp_path: Path
):
    add_brain(database, folder_store, "first", {"a": b"one", "b": b"two"})
    first = back_up(database, folder_store, shelf, scratch=tmp_path)
    with database.writing() as session:
        session.execute(text("DELETE FROM asset_object WHERE path = 'b'"))
    second = back_up(database, folder_store, shelf, scratch=tmp_path)
    with pytest.raises(Invalid):
        prune(shelf, 0, scratch=tmp_path)
    assert prune(shelf, 2, scratch=tmp_path) == (0, 0)
    assert prune(shelf, 1, scratch=tmp_path) == (1, 1)
    assert [one.id for one in snapshots(shelf)] == [second.id]
    assert list(contents(shelf, "objects").values()) == [b"one"]
    with pytest.raises(NotFound):
        find_snapshot(shelf, first.id)


def test_an_interrupted_backup_is_no_snapshot_and_its_bytes_are_used(
    database: Database, folder_store: Store, shelf: Store, tmp_path: Path, monkeypatch
):
    add_brain(database, folder_store, "brain", {"a": b"one", "b": b"two"})
    put = type(shelf).put_file
    calls = []

    def twice(self, key, path):
        calls.append(key)
        if len(calls) == 2:
            raise KeyboardInterrupt
        put(self, key, path)

    with monkeypatch.context() as broken, pytest.raises(KeyboardInterrupt):
        broken.setattr(type(shelf), "put_file", twice)
        back_up(database, folder_store, shelf, scratch=tmp_path)
    assert snapshots(shelf) == []
    with pytest.raises(NotFound, match="snapshot"):
        find_snapshot(shelf)
    assert back_up(database, folder_store, shelf, scratch=tmp_path).copied == 1
    assert verify_backup(shelf, scratch=tmp_path).damages == ()
    assert not list(tmp_path.glob("backup-*"))


def test_json_moments_and_bytes_are_the_same_afterwards(
    database: Database, empty: Database, folder_store: Store, shelf: Store, tmp_path: Path
):
    said = {"z": 1, "a": [None, True, 1e-300, "脑\u2028"], "nested": {"b": 0.1}}
    with UnitOfWork(database, LOCAL_OWNER) as work:
        work.ask(Right.ADMINISTER)
        work.record_event("say", "x", said)
        work.session.execute(
            text(
                "INSERT INTO ingest_session (id, fingerprint, path, state, owner, heartbeat_s, created_s) "
                "VALUES ('s', 'f', '/é', 'open', '', 0.1, 1e9)"
            )
        )
        work.session.execute(text("INSERT INTO ingest_asset VALUES ('a', 's', 'k', 'open', 'null')"))
        work.session.execute(
            text("INSERT INTO ingest_observation VALUES ('a', 'w', :data)"), {"data": bytes(range(256))}
        )
    back_up(database, folder_store, shelf, scratch=tmp_path)
    restored(shelf, empty, open_store((tmp_path / "into").as_uri()), tmp_path)
    for one in (database, empty):
        with one.session() as session:
            assert bytes(session.scalar(text("SELECT figures FROM ingest_observation"))) == bytes(range(256))
            details, at = session.execute(select(event.c.details, event.c.at)).one()
        assert details == said
        assert list(details) == ["z", "a", "nested"]
    with database.session() as session:
        assert session.scalar(select(event.c.at)) == at
    assert rows_of(database) == rows_of(empty)
    shutil.rmtree(tmp_path / "into")
    empty.close()


def test_what_refers_to_a_later_row_of_its_table_comes_back(
    database: Database, empty: Database, folder_store: Store, shelf: Store, tmp_path: Path
):
    """As an organisation that was put below a younger one."""
    added = "INSERT INTO organisation (id, name, kind, parent, made) VALUES (:id, 'x', 'lab', :parent, :made)"
    made = AT if not database.is_sqlite else "2026-01-01 00:00:00.000000"
    with database.writing() as session:
        for name, parent in (("c", None), ("b", "c"), ("a", "b"), ("d", "a")):
            session.execute(text(added), {"id": name, "parent": parent, "made": made})
    back_up(database, folder_store, shelf, scratch=tmp_path)
    restored(shelf, empty, open_store((tmp_path / "into").as_uri()), tmp_path)
    assert rows_of(empty) == rows_of(database)
    empty.close()
