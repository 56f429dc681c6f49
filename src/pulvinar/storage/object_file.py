"""A stored object as a file that is read where somebody looks: Parquet reads its columns, and no more."""

from __future__ import annotations

import io

import pyarrow as pa
import pyarrow.parquet as pq

from pulvinar.errors import Invalid
from pulvinar.storage.store import Store


class ObjectFile(io.RawIOBase):
    """The object `key` of `store`, for reading. Raises `NotFound` when it isn't there."""

    def __init__(self, store: Store, key: str) -> None:
        super().__init__()
        self._store = store
        self._key = key
        self._size = store.size(key)
        self._at = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """Where the next byte is read."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to `offset` from the start, from here or from the end."""
        at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if at < 0:
            raise Invalid(f"{self._key} has nothing before its first byte")
        self._at = at
        return at

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Fill `buffer` with what follows; how many bytes that were."""
        length = min(len(buffer), max(0, self._size - self._at))
        if length:
            buffer[:length] = self._store.read(self._key, self._at, length)
            self._at += length
        return length


def open_table(store: Store, key: str) -> pq.ParquetFile:
    """The Parquet object `key`: columns and row groups are read when they are asked for. Raises `NotFound`."""
    local = store.local_path(key)
    if local is not None and local.is_file():
        return pq.ParquetFile(local)
    return pq.ParquetFile(pa.PythonFile(ObjectFile(store, key), "r"))
