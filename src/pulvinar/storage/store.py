"""Where bytes lie: one small protocol over a folder or an S3 bucket, chosen by URL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from ulid import ULID

from pulvinar.errors import Invalid
from pulvinar.model.identity import new_id

UNFINISHED = ".partial"
"""The folder of a store for files that are being written; of the same file system, so that a rename is enough."""


@dataclass(frozen=True)
class StoreEntry:
    """One object of a store: its key (forward slashes, no leading one) and its size."""

    key: str
    size_bytes: int


@dataclass(frozen=True)
class Unfinished:
    """A file that is no object yet: of which asset ("assets/<id>"), and when it was begun."""

    entry: StoreEntry
    prefix: str
    made_s: float


class Store(Protocol):
    """Objects by key. A key is relative, has forward slashes and no empty, `.` or `..` part, or `Invalid` is raised.

    Every write is atomic (a reader sees the old object, the new one or none) and durable when it returns. A missing key
    raises `NotFound`; a store that doesn't answer raises `Unavailable`; a full disk raises `Unavailable` and leaves
    nothing behind.
    """

    url: str

    def put_file(self, key: str, path: Path) -> None:
        """Move the bytes of local file `path` to `key`; `path` is gone afterwards."""

    def put_bytes(self, key: str, data: bytes) -> None:
        """Store `data` under `key`."""

    def read(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        """`length` bytes from `start`; all that follow when `length` is None."""

    def size(self, key: str) -> int:
        """Size in bytes."""

    def list(self, prefix: str) -> Iterator[StoreEntry]:
        """Every object under the folder `prefix`, sorted by key; nothing where there is none."""

    def delete(self, key: str) -> None:
        """Remove `key`; nothing happens when it isn't there."""

    def local_path(self, key: str) -> Path | None:
        """The file that holds `key`, for a server to `pread`; None when the store is not a folder."""

    def scratch_for(self, key: str, scratch: Path) -> Path:
        """A new file path to write `key`'s bytes into before `put_file`: on the store's own file system where that
        makes `put_file` a rename, else in `scratch`. Its folder exists."""

    def kvstore(self, prefix: str) -> dict[str, Any]:
        """The tensorstore key-value store spec of the folder `prefix`."""


def check_key(key: str) -> str:
    """`key` itself when it is a plain relative path; raises `Invalid` for anything that could lead elsewhere."""
    if "\\" in key or "\0" in key or any(part in ("", ".", "..") for part in key.split("/")):
        raise Invalid(f"{key!r} is not a key", hint="expected parts with forward slashes, none of them empty, . or ..")
    return key


def unfinished_name(key: str) -> str:
    """A new name for the file that `key` is written into: it says of whom it is, "assets+<id>", and how old."""
    return f"{'+'.join(check_key(key).split('/')[:-1][:2])}.{new_id('part')}"


def unfinished(store: Store) -> Iterator[Unfinished]:
    """What is being written now, or was when its writer was killed; `store.delete` removes it by its key."""
    for entry in store.list(UNFINISHED):
        owner, _, part = entry.key.rpartition("/")[2].rpartition(".")
        with suppress(ValueError):
            made_s = ULID.from_str(part.removeprefix("part-").upper()).timestamp
            yield Unfinished(entry, owner.replace("+", "/"), made_s)


def open_store(
    url: str, *, endpoint: str = "", access_key: str = "", secret_key: str = "", region: str = "us-east-1"
) -> Store:
    """The store at `url`: file:///folder or s3://bucket/prefix. The keyword arguments are for S3 alone.

    Raises `Invalid` for another kind of address, `Unavailable` when the store doesn't answer.
    """
    parts = urlsplit(url)
    if parts.scheme == "file":
        from pulvinar.storage.folder_store import FolderStore

        return FolderStore(Path(unquote(parts.path)))
    if parts.scheme == "s3":
        from pulvinar.storage.s3_store import S3Store

        return S3Store(
            parts.netloc,
            parts.path.strip("/"),
            endpoint=endpoint,
            access_key=access_key,
            secret_key=secret_key,
            region=region,
        )
    raise Invalid(f"{url!r} is not the address of a store", hint="use file:///folder or s3://bucket/prefix")
