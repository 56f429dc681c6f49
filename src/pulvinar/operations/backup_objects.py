"""The bytes of a backup: each object once, under its SHA-256, copied only where it isn't there already."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from pulvinar.errors import Corrupt, NotFound
from pulvinar.ingest.progress import Progress
from pulvinar.model.identity import new_id
from pulvinar.storage.store import Store

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

OBJECTS = "objects"
_PIECE_BYTES = 16 << 20
_THREADS = 4
_AT_ONCE = 256


class Named(NamedTuple):
    """An object: its key in the store, its size, and its SHA-256 in hex, which is "" while nobody knows it."""

    key: str
    size_bytes: int
    sha256: str

    @property
    def line(self) -> str:
        """It as a line of JSON."""
        return json.dumps(self, ensure_ascii=False) + "\n"


def named(lines: Iterable[str]) -> Iterator[Named]:
    """The objects that lines of JSON name."""
    return (Named(*json.loads(line)) for line in lines)


def kept_as(sha256: str) -> str:
    """The key under which a backup keeps bytes."""
    return f"{OBJECTS}/{sha256[:2]}/{sha256}"


def kept_in(backup: Store) -> dict[bytes, int]:
    """The SHA-256 and the size of all bytes that a backup keeps."""
    found = ((entry.key.rpartition("/")[2], entry.size_bytes) for entry in backup.list(OBJECTS))
    return {bytes.fromhex(name): size for name, size in found if len(name) == 64}


class Copier:
    """Copies objects of `source` into a backup, and counts what it did. What is not as it should be is in `damaged`."""

    def __init__(self, source: Store, backup: Store, scratch: Path) -> None:
        self._source = source
        self._backup = backup
        self._scratch = scratch
        self._kept = kept_in(backup)
        self.objects = self.size_bytes = self.copied = 0
        self.damaged: dict[str, str] = {}

    def copy(self, wanted: Iterable[Named], total_bytes: int, progress: Progress) -> Iterator[Named]:
        """Copy what is not kept yet; each object that the backup then has, in the order in which they came."""
        coming = iter(wanted)
        with progress.task("backing up", total_bytes, "bytes") as task, ThreadPoolExecutor(_THREADS) as pool:
            while batch := list(islice(coming, _AT_ONCE)):
                for one in pool.map(self._keep, batch):
                    if one is not None:
                        self.objects += 1
                        self.size_bytes += one.size_bytes
                        task.update(self.size_bytes)
                        yield one

    def _keep(self, one: Named) -> Named | None:
        if one.sha256 and self._kept.get(bytes.fromhex(one.sha256)) == one.size_bytes:
            return one
        try:
            return self._copied(one)
        except (NotFound, Corrupt) as error:
            self.damaged[one.key] = error.message
            return None

    def _copied(self, one: Named) -> Named:
        part = self._backup.scratch_for(f"{OBJECTS}/new/{new_id('part')}", self._scratch)
        try:
            sha256 = fetch(self._source, one.key, part)
            if one.sha256 and sha256 != one.sha256:
                raise Corrupt(f"{one.key} does not have the SHA-256 that was stored")
            size = part.stat().st_size
            # of what nobody knew before, the bytes may be there under another name
            if self._kept.get(bytes.fromhex(sha256)) != size:
                self._backup.put_file(kept_as(sha256), part)
                self._kept[bytes.fromhex(sha256)] = size
                self.copied += 1
        finally:
            part.unlink(missing_ok=True)
        return Named(one.key, size, sha256)


def fetch(store: Store, key: str, to: Path) -> str:
    """Write an object into a new file; its SHA-256. Raises `NotFound`."""
    digest = hashlib.sha256()
    with to.open("xb") as file:
        for piece in pieces(store, key):
            digest.update(piece)
            file.write(piece)
    return digest.hexdigest()


def sha256_of(store: Store, key: str) -> str:
    """The SHA-256 of an object, read through once. Raises `NotFound`."""
    digest = hashlib.sha256()
    for piece in pieces(store, key):
        digest.update(piece)
    return digest.hexdigest()


def pieces(store: Store, key: str) -> Iterator[bytes]:
    """An object, some MB at a time."""
    size = store.size(key)
    for start in range(0, size, _PIECE_BYTES):
        yield store.read(key, start, min(_PIECE_BYTES, size - start))


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write lines into a new compressed file."""
    with zstd.open(path, "xt", encoding="utf-8", newline="\n") as file:
        file.writelines(lines)


def read_lines(path: Path) -> Iterator[str]:
    """The lines of a compressed file. Raises `Corrupt` for one that is not whole."""
    try:
        with zstd.open(path, "rt", encoding="utf-8", newline="\n") as file:
            yield from file
    except (zstd.ZstdError, EOFError, UnicodeDecodeError) as error:
        raise Corrupt(f"{path.name} can't be read: {error}") from error
