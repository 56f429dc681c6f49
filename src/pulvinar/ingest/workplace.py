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
    path, folder = scratch / f"{key}{_LOCK}", scratch / key
    lock = _locked(path)
    try:
        folder.mkdir(exist_ok=True)
        try:
            yield folder
        finally:
            remove_tree(folder)
            path.unlink(missing_ok=True)
    finally:
        os.close(lock)


def _locked(path: Path) -> int:
    """A descriptor of the file `path`, held by this process alone."""
    while True:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # the one who held it before may have removed the file since it was opened here: then it locks nothing
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(lock), path.stat()):
                    return lock
        except BlockingIOError as error:
            os.close(lock)
            raise Conflict(
                "another process is doing the same ingest already", hint="wait for it, or end it; what is done is kept"
            ) from error
        os.close(lock)


def clear_workplaces(scratch: Path, older_than_s: float) -> int:
    """Remove the folders of killed ingests that nobody holds and that are older than `older_than_s`; how many."""
    removed = 0
    for lock in scratch.glob(f"*{_LOCK}"):
        with suppress(Conflict, FileNotFoundError):
            if time.time() - lock.stat().st_mtime >= older_than_s:
                with held_workplace(scratch, lock.name.removesuffix(_LOCK)) as folder:
                    removed += any(folder.iterdir())
    return removed
