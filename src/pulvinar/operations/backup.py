"""Copies of everything: the database as it is at one moment, and every object that it names.

A backup is a store of its own (a folder or a bucket). `objects/ab/abcd...` are bytes by their SHA-256: what is there is
never copied again, however many snapshots name it, and its name tells whether it is whole. `snapshots/<id>/` holds the
rows of the database (`tables.jsonl.zst`), which key of the store has which bytes (`objects.jsonl.zst`), and, once all
else is there, `manifest.json`. `erasures/` holds the certificates of all erasures up to the last backup: a snapshot of
before an erasure doesn't know of it, and must not bring back who was erased.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy.orm import Session

from pulvinar.access.audit_chain import last_seal, seal_all
from pulvinar.catalogue.stored_objects import every_object, known_asset_ids
from pulvinar.catalogue.tombstones import certificates
from pulvinar.errors import Corrupt, NotFound
from pulvinar.ingest.progress import Progress, Silent
from pulvinar.operations.backup_objects import Copier, Named, fetch, named, read_lines, write_lines
from pulvinar.storage.database import Database
from pulvinar.storage.store import Store
from pulvinar.storage.table_dump import dump_tables, revision_of

SNAPSHOTS = "snapshots"
ERASURES = "erasures"
TABLES, OBJECTS, MANIFEST = "tables.jsonl.zst", "objects.jsonl.zst", "manifest.json"
_FORMAT = 1


@dataclass(frozen=True)
class Snapshot:
    """One backup: of which moment, made by which release, what is in it.

    `files` has the SHA-256 of the snapshot's own files, `seal` is the hash of the last seal of the log of events then,
    `damaged` are objects that were missing or not what the catalogue says, `copied` counts what was not there before.
    """

    id: str
    at: datetime
    release: str
    revision: str
    objects: int
    size_bytes: int
    copied: int
    seal: str
    files: dict[str, str]
    damaged: dict[str, str] = field(default_factory=dict)


def back_up(
    database: Database, store: Store, to: Store, *, scratch: Path, progress: Progress | None = None
) -> Snapshot:
    """Make a snapshot in `to`. After an interruption, the next one finds what was copied.

    Rows are read first, in one transaction: objects never change once they are written, so what these rows name is
    what is copied afterwards. Damage of what is stored is told in the snapshot, and all else is in it.
    """
    seal_all(database)
    for certificate in certificates(database):
        to.put_bytes(f"{ERASURES}/{certificate['id']}.json", json.dumps(certificate, ensure_ascii=False).encode())
    at = datetime.now(UTC)
    made = f"{at:%Y%m%dt%H%M%Sz}-{secrets.token_hex(3)}"
    with TemporaryDirectory(dir=scratch, prefix="backup-") as folder:
        place = Path(folder)
        with _one_moment(database) as session:
            newest, revision = last_seal(session), revision_of(session.connection())
            write_lines(place / TABLES, dump_tables(session.connection()))
            objects = (Named(key, one.size_bytes, one.sha256) for key, one in every_object(session))
            write_lines(place / "named", (one.line for one in objects))
        # the transaction has ended: however long the copying takes, the database is free
        copier = Copier(store, to, place)
        total = sum(one.size_bytes for one in named(read_lines(place / "named")))
        wanted = _wanted(database, store, place / "named")
        write_lines(place / OBJECTS, (one.line for one in copier.copy(wanted, total, progress or Silent())))
        files = {name: _put(to, f"{SNAPSHOTS}/{made}/{name}", place / name) for name in (TABLES, OBJECTS)}
    done = Snapshot(
        id=made,
        at=at,
        release=version("pulvinar"),
        revision=revision,
        objects=copier.objects,
        size_bytes=copier.size_bytes,
        copied=copier.copied,
        seal=newest.hash if newest else "",
        files=files,
        damaged=copier.damaged,
    )
    to.put_bytes(f"{SNAPSHOTS}/{made}/{MANIFEST}", _manifest(done))
    return done


def snapshots(backup: Store) -> list[Snapshot]:
    """Every whole snapshot of a backup, oldest first."""
    keys = [entry.key for entry in backup.list(SNAPSHOTS) if entry.key.endswith(f"/{MANIFEST}")]
    return sorted((_read_manifest(backup, key) for key in keys), key=lambda one: one.at)


def find_snapshot(backup: Store, wanted: str = "") -> Snapshot:
    """A snapshot by its identifier, or the newest. Raises `NotFound`."""
    found = [one for one in snapshots(backup) if wanted in ("", one.id)]
    if not found:
        raise NotFound(
            f"{backup.url} has no snapshot {wanted}".rstrip(), hint="pulvinar backup --list names those that are whole"
        )
    return found[-1]


def erased_by_then(backup: Store) -> list[dict[str, Any]]:
    """The certificates of all erasures that a backup knows of, whichever snapshot is restored."""
    return [json.loads(backup.read(entry.key)) for entry in backup.list(ERASURES)]


def fetch_file(backup: Store, snapshot: Snapshot, name: str, folder: Path) -> Path:
    """A snapshot's own file, written into `folder`. Raises `Corrupt` when it is not the one that was written."""
    path = folder / name
    key = f"{SNAPSHOTS}/{snapshot.id}/{name}"
    try:
        whole = fetch(backup, key, path) == snapshot.files[name]
    except NotFound as error:
        raise Corrupt(f"{key} is missing from the backup") from error
    if not whole:
        raise Corrupt(f"{key} does not have the SHA-256 that its manifest says")
    return path


def _wanted(database: Database, store: Store, listed: Path) -> Iterator[Named]:
    """What the rows name, then what no row names yet: of ingests and jobs that go on, and what jobs hand from step to
    step."""
    yield from named(read_lines(listed))
    known = known_asset_ids(database)
    for entry in store.list(""):
        parts = entry.key.split("/")
        if parts[0] != "assets" or (len(parts) > 1 and parts[1] not in known):
            yield Named(entry.key, entry.size_bytes, "")


@contextmanager
def _one_moment(database: Database) -> Iterator[Session]:
    """A session whose every question is answered as of one moment."""
    with database.session() as session:
        if not database.is_sqlite:
            session.connection(execution_options={"isolation_level": "REPEATABLE READ", "postgresql_readonly": True})
        yield session


def _put(to: Store, key: str, path: Path) -> str:
    """Store a file under `key`; its SHA-256."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    to.put_file(key, path)
    return digest


def _manifest(snapshot: Snapshot) -> bytes:
    said: dict[str, Any] = {"format": _FORMAT, **asdict(snapshot), "at": snapshot.at.isoformat()}
    return json.dumps(said, ensure_ascii=False, indent=1).encode()


def _read_manifest(backup: Store, key: str) -> Snapshot:
    try:
        said = json.loads(backup.read(key))
        if said.pop("format") != _FORMAT:
            raise Corrupt(f"{key} is of a newer format", hint="use the release of Pulvinar that made the backup")
        return Snapshot(**{**said, "at": datetime.fromisoformat(said["at"])})
    except (ValueError, KeyError, TypeError) as error:
        raise Corrupt(f"{key} is no manifest of a snapshot: {error}") from error
