"""Sessions of ingest: found again by what was handed in, held by one process at a time, with a ledger of what is done.

The order that makes a restart safe: an object is whole and durable in the store, then it is recorded here, and only
the commit that makes the dataset visible removes the record.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from pulvinar.errors import Conflict, PulvinarError
from pulvinar.ingest.quality import QualityObserver
from pulvinar.ingest.tables import ingest_asset, ingest_object, ingest_observation, ingest_session
from pulvinar.model.dataset import StoredObject
from pulvinar.model.identity import new_id
from pulvinar.storage.database import Database
from pulvinar.storage.owner import is_alive, this_process

HEARTBEAT_S = 10.0
SILENT_FOR_S = 120.0
"""A holder that can't be looked up (another machine) counts as dead after so long without a heartbeat."""


@dataclass(frozen=True)
class IngestSession:
    """One ingest. `version_id` is set once its dataset has become visible."""

    id: str
    dataset_id: str | None
    version_id: str | None
    owner: str


@dataclass(frozen=True)
class KnownAsset:
    """An asset of a session; `details` is what the catalogue will hold once `whole`."""

    id: str
    whole: bool
    details: dict[str, Any]


def find_done(database: Database, fingerprint: str) -> tuple[str, str] | None:
    """The (dataset, version) that an ingest with `fingerprint` has made visible before."""
    with database.session() as session:
        row = session.execute(select(ingest_session).where(ingest_session.c.fingerprint == fingerprint)).first()
    return (row.dataset_id, row.version_id) if row is not None and row.state == "done" else None


def forget(database: Database, fingerprint: str) -> None:
    """Remove a finished session, so that the same files can be ingested once more."""
    with database.writing() as session:
        session.execute(
            delete(ingest_session).where(ingest_session.c.fingerprint == fingerprint, ingest_session.c.state == "done")
        )


@contextmanager
def held_session(database: Database, fingerprint: str, path: str, node: str) -> Iterator[IngestSession]:
    """The session of `fingerprint`, new or gone on with, held by this process while the block runs.

    Raises `Conflict` when another living process holds it.
    """
    session = _claim(database, fingerprint, path, node)
    stop = threading.Event()
    beat = threading.Thread(target=_beat, args=(database, session, stop), name="ingest-heartbeat", daemon=True)
    beat.start()
    try:
        yield session
    finally:
        stop.set()
        beat.join()
        with database.writing() as sql:
            sql.execute(
                update(ingest_session)
                .where(ingest_session.c.id == session.id, ingest_session.c.owner == session.owner)
                .values(owner="")
            )


def _claim(database: Database, fingerprint: str, path: str, node: str) -> IngestSession:
    owner, now = this_process(), time.time()
    with database.writing() as session:
        row = session.execute(select(ingest_session).where(ingest_session.c.fingerprint == fingerprint)).first()
        if row is None:
            return _open(session, fingerprint, path, owner, node)
        if row.owner and _lives(row.owner, row.heartbeat_s, now):
            raise Conflict(
                f"another process is ingesting {path} already ({_readable(row.owner)})",
                hint="wait for it, or end it; what it has finished is kept",
            )
        # only who still sees the old holder takes over: of two that come at once, one gets no row
        taken = session.execute(
            update(ingest_session)
            .where(
                ingest_session.c.id == row.id,
                ingest_session.c.owner == row.owner,
                ingest_session.c.heartbeat_s == row.heartbeat_s,
            )
            .values(owner=owner, heartbeat_s=now)
        )
        if taken.rowcount != 1:  # type: ignore[attr-defined]
            raise Conflict(f"another process has just begun to ingest {path}", hint="wait for it")
    return IngestSession(row.id, row.dataset_id, row.version_id, owner)


def _open(session: Session, fingerprint: str, path: str, owner: str, node: str) -> IngestSession:
    made = IngestSession(new_id(node), None, None, owner)
    now = time.time()
    row = {"id": made.id, "fingerprint": fingerprint, "path": path, "state": "open"}
    try:
        session.execute(insert(ingest_session).values(**row, owner=owner, heartbeat_s=now, created_s=now))
    except IntegrityError as error:
        raise Conflict(f"another process has just begun to ingest {path}", hint="wait for it") from error
    return made


def _lives(owner: str, heartbeat_s: float, now: float) -> bool:
    known = is_alive(owner)
    return now - heartbeat_s < SILENT_FOR_S if known is None else known


def _readable(owner: str) -> str:
    parts = owner.split("/")
    return f"process {parts[3]}" if len(parts) == 6 else owner


def _beat(database: Database, session: IngestSession, stop: threading.Event) -> None:
    while not stop.wait(HEARTBEAT_S):
        try:
            with database.writing() as sql:
                confirm(sql, session)
        except PulvinarError:
            # lost: the ledger's next write says so and ends the work
            return


def confirm(sql: Session, session: IngestSession) -> None:
    """Say in the running transaction that `session` is still held; raises `Conflict` when it was taken over."""
    held = sql.execute(
        update(ingest_session)
        .where(ingest_session.c.id == session.id, ingest_session.c.owner == session.owner)
        .values(heartbeat_s=time.time())
    )
    if held.rowcount != 1:  # type: ignore[attr-defined]
        raise Conflict("another process has taken over this ingest", hint="let it finish")


def known_assets(database: Database, session: IngestSession, keys: Sequence[str], node: str) -> list[KnownAsset]:
    """The session's asset for each of `keys`, in their order; those not known yet get an identifier now."""
    with database.writing() as sql:
        confirm(sql, session)
        rows = sql.execute(select(ingest_asset).where(ingest_asset.c.session_id == session.id)).all()
        known = {row.key: KnownAsset(row.id, row.state == "whole", row.details) for row in rows}
        fresh = {key: KnownAsset(new_id(node), False, {}) for key in keys if key not in known}
        for key, asset in fresh.items():
            sql.execute(
                insert(ingest_asset).values(id=asset.id, session_id=session.id, key=key, state="open", details={})
            )
    return [known.get(key) or fresh[key] for key in keys]


class AssetLedger:
    """The finished objects of one asset; durable when `record` returns. Satisfies `storage.pyramid.ShardLedger`."""

    def __init__(self, database: Database, session: IngestSession, asset_id: str) -> None:
        self._database, self._session, self._asset_id = database, session, asset_id
        self._observer: QualityObserver | None = None

    def observe_with(self, observer: QualityObserver) -> None:
        """Keep what `observer` sees beside the shards, and give it back what it had seen before a restart."""
        mine = ingest_observation.c.asset_id == self._asset_id
        with self._database.session() as sql:
            rows = sql.execute(select(ingest_observation).where(mine)).all()
        observer.restore({row.window: row.figures for row in rows})
        self._observer = observer

    def finished(self) -> Mapping[str, StoredObject]:
        """What an earlier run has recorded, by path relative to the asset."""
        with self._database.session() as sql:
            rows = sql.execute(select(ingest_object).where(ingest_object.c.asset_id == self._asset_id)).all()
        return {row.path: StoredObject(row.path, row.size_bytes, row.sha256) for row in rows}

    def record(self, objects: Sequence[StoredObject]) -> None:
        """Note `objects`, and first what was observed of the voxels in them; raises `Conflict` when taken over."""
        seen = self._observer.pending() if self._observer else {}
        with self._database.writing() as sql:
            confirm(sql, self._session)
            self._replace_observations(sql, seen)
            self._replace_objects(sql, objects)

    def whole(self, objects: Sequence[StoredObject], details: dict[str, Any]) -> None:
        """Note that the asset has all its objects, and what the catalogue is to hold of it."""
        with self._database.writing() as sql:
            confirm(sql, self._session)
            self._replace_objects(sql, objects)
            sql.execute(
                update(ingest_asset).where(ingest_asset.c.id == self._asset_id).values(state="whole", details=details)
            )
            sql.execute(delete(ingest_observation).where(ingest_observation.c.asset_id == self._asset_id))

    def _replace_objects(self, sql: Session, objects: Sequence[StoredObject]) -> None:
        if not objects:
            return
        paths = [item.path for item in objects]
        for first in range(0, len(paths), 500):
            sql.execute(
                delete(ingest_object).where(
                    ingest_object.c.asset_id == self._asset_id,
                    ingest_object.c.path.in_(paths[first : first + 500]),
                )
            )
        sql.execute(
            insert(ingest_object),
            [
                {"asset_id": self._asset_id, "path": item.path, "size_bytes": item.size_bytes, "sha256": item.sha256}
                for item in objects
            ],
        )

    def _replace_observations(self, sql: Session, seen: Mapping[str, bytes]) -> None:
        for window, figures in seen.items():
            sql.execute(
                delete(ingest_observation).where(
                    ingest_observation.c.asset_id == self._asset_id, ingest_observation.c.window == window
                )
            )
            sql.execute(insert(ingest_observation).values(asset_id=self._asset_id, window=window, figures=figures))


def finish(sql: Session, session: IngestSession, dataset_id: str, version_id: str) -> None:
    """End the session inside the transaction that makes its dataset visible: both happen or neither."""
    confirm(sql, session)
    mine = select(ingest_asset.c.id).where(ingest_asset.c.session_id == session.id)
    sql.execute(delete(ingest_object).where(ingest_object.c.asset_id.in_(mine)))
    sql.execute(delete(ingest_observation).where(ingest_observation.c.asset_id.in_(mine)))
    sql.execute(delete(ingest_asset).where(ingest_asset.c.session_id == session.id))
    sql.execute(
        update(ingest_session)
        .where(ingest_session.c.id == session.id)
        .values(state="done", dataset_id=dataset_id, version_id=version_id)
    )


def assets_in_work(database: Database) -> set[str]:
    """Identifiers of the assets that unfinished sessions own: nothing may sweep them away."""
    with database.session() as sql:
        return set(sql.execute(select(ingest_asset.c.id)).scalars())


def assets_being_written(database: Database) -> set[str]:
    """Of `assets_in_work`, those whose session a living process holds."""
    now = time.time()
    held = (
        select(ingest_asset.c.id, ingest_session.c.owner, ingest_session.c.heartbeat_s)
        .join(ingest_session, ingest_session.c.id == ingest_asset.c.session_id)
        .where(ingest_session.c.owner != "")
    )
    with database.session() as sql:
        return {row.id for row in sql.execute(held) if _lives(row.owner, row.heartbeat_s, now)}


def abandon_sessions(database: Database, idle_s: float) -> int:
    """Give up unfinished sessions that nobody has worked on for `idle_s` seconds; their objects become orphans.

    Returns how many.
    """
    now = time.time()
    with database.writing() as sql:
        rows = sql.execute(
            select(ingest_session).where(ingest_session.c.state == "open", ingest_session.c.heartbeat_s < now - idle_s)
        ).all()
        dead = [row.id for row in rows if not (row.owner and _lives(row.owner, row.heartbeat_s, now))]
        mine = select(ingest_asset.c.id).where(ingest_asset.c.session_id.in_(dead))
        sql.execute(delete(ingest_object).where(ingest_object.c.asset_id.in_(mine)))
        sql.execute(delete(ingest_observation).where(ingest_observation.c.asset_id.in_(mine)))
        sql.execute(delete(ingest_asset).where(ingest_asset.c.session_id.in_(dead)))
        sql.execute(delete(ingest_session).where(ingest_session.c.id.in_(dead)))
    return len(dead)


def finished_count(database: Database) -> int:
    """How many objects unfinished sessions have recorded."""
    with database.session() as sql:
        return int(sql.execute(select(func.count()).select_from(ingest_object)).scalar_one())


def forget_paths(session: Session, dataset_ids: Collection[str]) -> None:
    """Forget where the files of datasets were, in the running transaction: a path may tell whose they were."""
    mine = ingest_session.c.dataset_id.in_(list(dataset_ids))
    session.execute(update(ingest_session).where(mine).values(path=""))
