"""A backup back into an empty platform: the bytes first, then the rows that name them, in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pulvinar.access.audit_chain import Chain, verify_chain
from pulvinar.errors import Conflict, Corrupt, NotFound
from pulvinar.ingest.assets import asset_prefix
from pulvinar.ingest.progress import Progress, Silent
from pulvinar.operations.backup import OBJECTS, TABLES, Snapshot, erased_by_then, fetch_file, find_snapshot
from pulvinar.operations.backup_objects import Named, fetch, kept_as, named, read_lines
from pulvinar.operations.erasure import apply_erasures
from pulvinar.operations.reindex import rebuild_search
from pulvinar.storage.database import Database
from pulvinar.storage.store import Store
from pulvinar.storage.table_dump import (
    drop_all_tables,
    holds_rows,
    is_unfinished,
    load_tables,
    mark_finished,
    mark_unfinished,
)

_MARK = "restore/snapshot"
"""An object of the store that is there while a restoration goes on: it may be gone on with."""
_THREADS = 4
_AT_ONCE = 256


@dataclass(frozen=True)
class Restored:
    """What was put back: of which snapshot, how many rows and objects, how many erasures had to be done once more, and
    whether the log of events still fits."""

    snapshot: Snapshot
    rows: int
    objects: int
    erasures: int
    chain: Chain


def restore(
    backup: Store,
    database: Database,
    store: Store,
    *,
    migrate: Callable[[Database, str], None],
    scratch: Path,
    snapshot_id: str = "",
    erased: Sequence[Mapping[str, Any]] = (),
    progress: Progress | None = None,
) -> Restored:
    """Put a snapshot (the newest, when none is named) into a database and a store, both empty.

    Who was erased after the snapshot was made is erased once more, by the certificates that the backup holds and those
    of `erased`: their bytes don't come back, and nobody opens the rows before they are rid of them. `migrate` makes the
    tables as of a revision ("head" is the newest). Interrupted before its end, it goes on from the objects that are
    there. Raises `Conflict` where something is already, `Corrupt` where the backup is
    damaged.
    """
    snapshot = find_snapshot(backup, snapshot_id)
    _only_into_nothing(database, store, snapshot)
    certificates = [*erased_by_then(backup), *erased]
    gone = {asset_prefix(one["id"]) for certificate in certificates for one in certificate["assets"]}
    with TemporaryDirectory(dir=scratch, prefix="restore-") as folder:
        place = Path(folder)
        tables, objects = (fetch_file(backup, snapshot, name, place) for name in (TABLES, OBJECTS))
        store.put_bytes(_MARK, snapshot.id.encode())
        count = _put_objects(backup, store, objects, gone, place, progress or Silent())
        with database.writing() as session:
            drop_all_tables(session.connection())
        migrate(database, snapshot.revision)
        with database.writing() as session:
            rows = load_tables(session.connection(), read_lines(tables))
            mark_unfinished(session.connection())
    migrate(database, "head")
    again = apply_erasures(database, store, certificates)
    rebuild_search(database, store)
    with database.writing() as session:
        mark_finished(session.connection())
    store.delete(_MARK)
    return Restored(snapshot, sum(rows.values()), count, again, verify_chain(database, snapshot.seal))


def _only_into_nothing(database: Database, store: Store, snapshot: Snapshot) -> None:
    hint = "name an empty home, database and store (PULVINAR_HOME, PULVINAR_DATABASE_URL, PULVINAR_STORE_URL)"
    try:
        going_on = store.read(_MARK).decode() == snapshot.id
    except NotFound:
        going_on = False
    if holds_rows(database) and not (going_on and is_unfinished(database)):
        raise Conflict("the database holds data already, which a restoration would mix with others", hint=hint)
    if not going_on and next(store.list(""), None) is not None:
        raise Conflict(f"the store {store.url} holds data already", hint=hint)


def _put_objects(
    backup: Store, store: Store, listed: Path, gone: Collection[str], scratch: Path, progress: Progress
) -> int:
    """Put back every object but those of assets that were erased since; how many."""
    # a store's writes are whole or not there at all: what has its size is what was put before an interruption
    there = {entry.key: entry.size_bytes for entry in store.list("")}
    total = sum(one.size_bytes for one in named(read_lines(listed)))
    coming = (one for one in named(read_lines(listed)) if "/".join(one.key.split("/")[:2]) not in gone)
    count = done = 0

    def put(one: Named) -> None:
        if there.get(one.key) != one.size_bytes:
            _put_one(backup, store, one, scratch)

    with progress.task("restoring", total, "bytes") as task, ThreadPoolExecutor(_THREADS) as pool:
        while batch := list(islice(coming, _AT_ONCE)):
            list(pool.map(put, batch))
            count, done = count + len(batch), done + sum(one.size_bytes for one in batch)
            task.update(done)
    return count


def _put_one(backup: Store, store: Store, one: Named, scratch: Path) -> None:
    part = store.scratch_for(one.key, scratch)
    try:
        if fetch(backup, kept_as(one.sha256), part) != one.sha256:
            raise Corrupt(
                f"the backup's copy of {one.key} is damaged", hint="pulvinar backup --verify names all that is"
            )
        store.put_file(one.key, part)
    except NotFound as error:
        raise Corrupt(f"the backup has no copy of {one.key}") from error
    finally:
        part.unlink(missing_ok=True)
