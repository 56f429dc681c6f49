"""A folder for the temporary files of one ingest, which one process on this machine holds at a time."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pulvinar.errors import Conflict
from pulvinar.ingest.removal import remove_tree

_LOCK = ".lock"


@contextmanager
def held_workplace(scratch: Path, key: str) -> Iterator[Path]:
    """The folder `key` below `scratch`, removed at the end; what a killed process left in it is still there.

    The lock is the kernel's, so it ends with the process however that ends. Raises `Conflict` when another process
    holds it.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    lock = os.open(scratch / f"{key}{_LOCK}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Conflict(
                "another process is doing the same ingest already", hint="wait for it, or end it; what is done is kept"
            ) from error
        folder = scratch / key
        folder.mkdir(exist_ok=True)
        try:
            yield folder
        finally:
            remove_tree(folder)
    finally:
        os.close(lock)


def clear_workplaces(scratch: Path, older_than_s: float) -> int:
    """Remove the folders of killed ingests that nobody holds and that are older than `older_than_s`; how many."""
    removed = 0
    for lock in scratch.glob(f"*{_LOCK}"):
        if time.time() - lock.stat().st_mtime < older_than_s:
            continue
        with suppress(Conflict), held_workplace(scratch, lock.name.removesuffix(_LOCK)) as folder:
            removed += any(folder.iterdir())
            lock.unlink()
    return removed
