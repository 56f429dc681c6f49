"""Ranges of stored objects: straight from the page cache where the bytes are there, else through a few threads.

Files are mapped, and what the kernel already holds of them is handed on without a copy: an encoded chunk then costs
the server about as much as it costs a file server that uses sendfile, where reading it first costs half as much again.
A page that is not in memory is never touched by the event loop: `mincore` is asked before, and a thread reads it.
"""

from __future__ import annotations

import asyncio
import ctypes
import mmap
import os
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Any, TypeVar

import numpy as np

from pulvinar.errors import Corrupt, NotFound
from pulvinar.storage.store import Store

T = TypeVar("T")
Bytes = bytes | memoryview

PIECE_BYTES = 1 << 20
"""The most that is asked for at once."""

_PAGE = mmap.PAGESIZE


class Residency:
    """Asks the kernel which pages are in memory. For one thread."""

    def __init__(self) -> None:
        self._pages = bytearray(PIECE_BYTES // _PAGE + 1)
        self._vector = ctypes.addressof(ctypes.c_char.from_buffer(self._pages))
        self._mincore = getattr(ctypes.CDLL(None), "mincore", None)
        if self._mincore is not None:
            self._mincore.argtypes = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p

    def holds(self, address: int, length: int) -> bool:
        """Whether `length` bytes from `address`, at most `PIECE_BYTES`, are in memory."""
        first = address - address % _PAGE
        whole = address + length - first
        if self._mincore is None or self._mincore(first, whole, self._vector):
            return False
        return self._pages.find(0, 0, -(-whole // _PAGE)) < 0


class MappedFile:
    """A file mapped for reading. It goes when nobody holds it or a part of it any more, so never under an answer."""

    __slots__ = ("_mapping", "address", "view")

    def __init__(self, path: os.PathLike[str]) -> None:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            self._mapping = mmap.mmap(descriptor, 0, prot=mmap.PROT_READ)
        finally:
            os.close(descriptor)
        self.view = memoryview(self._mapping)
        self.address: int = np.frombuffer(self._mapping, np.uint8).__array_interface__["data"][0]


class ByteSource:
    """Reads ranges of the objects of one store, for an event loop.

    `at_once` never waits: it gives what is in memory. `read` may wait in one of `threads` threads; a store that is not
    a folder is always asked there. At most `open_files` files stay mapped.
    """

    def __init__(self, store: Store, *, threads: int = 16, open_files: int = 512) -> None:
        self._store = store
        self._open_files = open_files
        self._files: OrderedDict[str, MappedFile] = OrderedDict()
        self._lock = Lock()
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="bytes")
        self._residency = Residency()

    def at_once(self, key: str, start: int, length: int) -> Bytes | None:
        """`length` bytes of `key` from `start`, at most `PIECE_BYTES`, when they are in memory, else None."""
        file = self._held(key)
        if file is None:
            return None
        found = file.view[start : start + length]
        return found if len(found) == length and self._residency.holds(file.address + start, length) else None

    async def read(self, key: str, start: int, length: int) -> Bytes:
        """`length` bytes of `key` from `start`, at most `PIECE_BYTES`. Raises `Corrupt` when the store holds less."""
        found = self.at_once(key, start, length)
        return found if found is not None else await self.run(self._read, key, start, length)

    async def run(self, function: Callable[..., T], *arguments: Any) -> T:
        """What `function` returns, called in one of the reading threads."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)

    def _read(self, key: str, start: int, length: int) -> bytes:
        try:
            data = self._store.read(key, start, length)
            self._map(key)
        except (NotFound, FileNotFoundError) as error:
            raise Corrupt(f"the object {key} is gone from the store", hint="run pulvinar verify") from error
        if len(data) != length:
            raise Corrupt(f"the object {key} ends before byte {start + length}", hint="run pulvinar verify")
        return data

    def _map(self, key: str) -> None:
        """Have `key` mapped for the next time, where it is a file that isn't empty."""
        path = self._store.local_path(key)
        if path is None or self._held(key) is not None or path.stat().st_size == 0:
            return
        file = MappedFile(path)
        with self._lock:
            self._files[key] = file
            while len(self._files) > self._open_files:
                self._files.popitem(last=False)

    def _held(self, key: str) -> MappedFile | None:
        with self._lock:
            file = self._files.get(key)
            if file is not None:
                self._files.move_to_end(key)
        return file

    def close(self) -> None:
        """End the threads and let go of files."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        self._files.clear()
