"""Looking after a backup: is every byte still what was copied, and what is old enough to go."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from pulvinar.errors import Corrupt, Invalid, NotFound
from pulvinar.ingest.progress import Progress, Silent
from pulvinar.operations.backup import MANIFEST, OBJECTS, SNAPSHOTS, TABLES, Snapshot, fetch_file, snapshots
from pulvinar.operations.backup_objects import kept_as, kept_in, named, read_lines, sha256_of
from pulvinar.operations.scrub import Damage, Verification
from pulvinar.storage.store import Store

_THREADS = 2


def verify_backup(backup: Store, *, scratch: Path, progress: Progress | None = None) -> Verification:
    """Read every byte of a backup once: the files of each snapshot, and each object, against its name.

    Damage is the answer and no error: what is rotten, and what a snapshot names that is missing.
    """
    kept = kept_in(backup)
    damages = []
    for one in snapshots(backup):
        damages += list(_missing(backup, one, kept, scratch))
    total, done = sum(kept.values()), 0
    with (progress or Silent()).task("verifying", total, "bytes") as task, ThreadPoolExecutor(_THREADS) as pool:
        names = [name.hex() for name in kept]
        for name, found in zip(names, pool.map(lambda one: _look(backup, one), names), strict=True):
            damages += found
            done += kept[bytes.fromhex(name)]
            task.update(done)
    return Verification(len(kept), total, tuple(damages))


def prune(backup: Store, keep: int, *, scratch: Path) -> tuple[int, int]:
    """Remove all but the newest `keep` snapshots, and the bytes that none of these names.

    How many snapshots and how many objects have gone. Not to be called while a backup is being made into it. Raises
    `Corrupt`, and removes nothing, where what stays can't be read.
    """
    if keep < 1:
        raise Invalid("at least one snapshot is kept")
    found = snapshots(backup)
    old, staying = found[:-keep], found[-keep:]
    needed = set[str]()
    for one in staying:
        with TemporaryDirectory(dir=scratch, prefix="backup-") as folder:
            path = fetch_file(backup, one, OBJECTS, Path(folder))
            needed.update(each.sha256 for each in named(read_lines(path)))
    for one in old:
        # without its manifest it is no snapshot any more, whatever happens next
        for name in (MANIFEST, TABLES, OBJECTS):
            backup.delete(f"{SNAPSHOTS}/{one.id}/{name}")
    unneeded = [name.hex() for name in kept_in(backup) if name.hex() not in needed]
    for name in unneeded:
        backup.delete(kept_as(name))
    return len(old), len(unneeded)


def _missing(backup: Store, snapshot: Snapshot, kept: dict[bytes, int], scratch: Path) -> Iterator[Damage]:
    """What is wrong with a snapshot's own files, and what it names that the backup does not keep."""
    with TemporaryDirectory(dir=scratch, prefix="backup-") as folder:
        for name in (TABLES, OBJECTS):
            try:
                path = fetch_file(backup, snapshot, name, Path(folder))
            except Corrupt as error:
                yield Damage(f"{SNAPSHOTS}/{snapshot.id}/{name}", error.message)
                continue
            if name == OBJECTS:
                for one in named(read_lines(path)):
                    if kept.get(bytes.fromhex(one.sha256)) != one.size_bytes:
                        yield Damage(
                            kept_as(one.sha256), f"is missing or cut short; snapshot {snapshot.id} has it as {one.key}"
                        )


def _look(backup: Store, name: str) -> list[Damage]:
    try:
        whole = sha256_of(backup, kept_as(name)) == name
    except NotFound:
        return [Damage(kept_as(name), "is missing")]
    return [] if whole else [Damage(kept_as(name), "does not have the SHA-256 that it is called by")]
