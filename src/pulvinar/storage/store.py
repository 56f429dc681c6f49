"""Where bytes lie: one small protocol over a folder or an S3 bucket, chosen by URL."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True)
class StoreEntry:
    """One object of a store: its key (forward slashes, no leading one) and its size."""

    key: str
    size_bytes: int


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
