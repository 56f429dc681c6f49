"""Ranges of stored objects: straight from the page cache where the bytes are there, else through a few threads."""

from __future__ import annotations

import asyncio
import errno
import os
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Any

import numpy as np

from pulvinar.errors import Corrupt, NotFound
from pulvinar.storage.store import Store

Bytes = bytes | memoryview


class OpenFile:
    """A file that is open for reading. It closes when nobody holds it any more, so never under a running read."""

    __slots__ = ("descriptor",)

    def __init__(self, path: os.PathLike[str]) -> None:
        self.descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)

    def __del__(self) -> None:
        if hasattr(self, "descriptor"):
            os.close(self.descriptor)


class ByteSource:
    """Reads ranges of the objects of one store, for an event loop.

    `at_once` never waits: it gives what the page cache holds. `read` may wait in one of `threads` threads; a store
    that is not a folder is always asked there. At most `open_files` files stay open.
    """

    def __init__(self, store: Store, *, threads: int = 16, open_files: int = 512) -> None:
        self._store = store
        self._open_files = open_files
        self._files: OrderedDict[str, OpenFile] = OrderedDict()
        self._lock = Lock()
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="bytes")
        self._nowait = hasattr(os, "RWF_NOWAIT")

    def at_once(self, key: str, start: int, length: int) -> Bytes | None:
        """`length` bytes of `key` from `start` when they can be had without waiting, else None."""
        file = self._held(key)
        if file is None or not self._nowait:
            return None
        # Not a bytearray: that would be filled with zeros first.
        buffer = np.empty(length, np.uint8).data
        try:
            found = os.preadv(file.descriptor, [buffer], start, os.RWF_NOWAIT)
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EINTR):
                # This file system can't promise not to wait (overlays, some network mounts): its reads go to threads.
                self._nowait = error.errno not in (errno.EOPNOTSUPP, errno.EINVAL)
            return None
        return buffer if found == length else None

    async def read(self, key: str, start: int, length: int) -> Bytes:
        """`length` bytes of `key` from `start`. Raises `Corrupt` when the store holds less than that or nothing."""
        found = self.at_once(key, start, length)
        return found if found is not None else await self.run(self._read, key, start, length)

    async def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """What `function` returns, called in one of the reading threads."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)

    def _read(self, key: str, start: int, length: int) -> Bytes:
        try:
            file = self._open(key)
            data = _read_file(file, start, length) if file else self._store.read(key, start, length)
        except (NotFound, FileNotFoundError) as error:
            raise Corrupt(f"the object {key} is gone from the store", hint="run pulvinar verify") from error
        if len(data) != length:
            raise Corrupt(f"the object {key} ends before byte {start + length}", hint="run pulvinar verify")
        return data

    def _open(self, key: str) -> OpenFile | None:
        file = self._held(key)
        if file is not None:
            return file
        path = self._store.local_path(key)
        if path is None:
            return None
        file = OpenFile(path)
        with self._lock:
            self._files[key] = file
            while len(self._files) > self._open_files:
                self._files.popitem(last=False)
        return file

    def _held(self, key: str) -> OpenFile | None:
        with self._lock:
            file = self._files.get(key)
            if file is not None:
                self._files.move_to_end(key)
        return file

    def close(self) -> None:
        """End the threads and let go of files."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        self._files.clear()


def _read_file(file: OpenFile, start: int, length: int) -> bytes:
    pieces = []
    while length > 0:
        piece = os.pread(file.descriptor, length, start)
        if not piece:
            break
        pieces.append(piece)
        start, length = start + len(piece), length - len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)
