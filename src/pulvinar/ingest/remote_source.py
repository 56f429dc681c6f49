"""A volume in the reader process, as a source of blocks: voxels come through shared memory, uncopied on this side."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from math import prod
from types import TracebackType
from typing import Any, Self

import numpy as np

from pulvinar.errors import Invalid, PulvinarError
from pulvinar.ingest.channel import SharedMemory
from pulvinar.ingest.reader import VolumeDescription
from pulvinar.model.space import Window
from pulvinar.model.volume import Shape5
from pulvinar.storage.sources import Voxels

Ask = Callable[..., dict[str, Any]]


class RemoteSource:
    """A `VoxelSource`, and a context manager that lets go of the file and the shared memory at the end.

    Each array that `read` returns occupies one slot of shared memory until it is released; slots are used again, so
    there are as many as arrays were held at once.
    """

    def __init__(self, ask: Ask, number: int, description: VolumeDescription, about: str) -> None:
        self._ask = ask
        self._number = number
        self._about = about
        self._dtype = np.dtype(description.dtype)
        self._description = description
        self._lock = threading.Lock()
        self._free: list[tuple[int, SharedMemory]] = []
        self._held: dict[int, tuple[int, SharedMemory]] = {}
        self._slots = 0

    @property
    def shape(self) -> Shape5:
        """Voxels an axis (t, c, z, y, x)."""
        return self._description.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the voxels, in native byte order."""
        return self._dtype

    @property
    def block_shape(self) -> Shape5:
        """What the reader decodes at once."""
        return self._description.block_shape

    def read(self, window: Window) -> Voxels:
        """The voxels of `window`, valid until they are released. Raises what the reader raises."""
        if any(stop > size for stop, size in zip(window.stop, self.shape, strict=True)):
            raise Invalid(f"window to {window.stop} leaves the volume of shape {self.shape}")
        number, memory = self._take(prod(window.shape) * self._dtype.itemsize)
        try:
            question = {"verb": "read", "volume": self._number, "slot": number}
            self._ask({**question, "start": window.start, "stop": window.stop}, about=self._about)
        except BaseException:
            with self._lock:
                self._free.append((number, memory))
            raise
        voxels = np.frombuffer(memory.map, self._dtype, prod(window.shape)).reshape(window.shape)
        with self._lock:
            self._held[_address(voxels)] = (number, memory)
        return voxels

    def release(self, voxels: Voxels) -> None:
        """Give back what `read` returned, itself or a view that begins where it begins."""
        with self._lock:
            self._free.append(self._held.pop(_address(voxels)))

    def _take(self, size_bytes: int) -> tuple[int, SharedMemory]:
        with self._lock:
            # among equals the one that was let go last: it may still lie in the processor's cache
            fitting = [slot for slot in reversed(self._free) if slot[1].size_bytes >= size_bytes]
            if fitting:
                best = min(fitting, key=lambda slot: slot[1].size_bytes)
                self._free.remove(best)
                return best
            # a free slot that is too small makes room for one that isn't
            if self._free:
                self._drop(self._free.pop())
            self._slots += 1
            number, memory = self._slots, SharedMemory.create(size_bytes)
        question = {"verb": "slot", "volume": self._number, "slot": number, "size": size_bytes}
        self._ask(question, about=self._about, descriptor=memory.descriptor)
        return number, memory

    def _drop(self, slot: tuple[int, SharedMemory]) -> None:
        self._ask({"verb": "drop", "volume": self._number, "slot": slot[0]}, about=self._about)
        slot[1].close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # after an error the process may be another one, which knows nothing of it
        with suppress(*(() if error is None else (PulvinarError,))):
            self._ask({"verb": "close", "volume": self._number}, about=self._about)
        for _, memory in (*self._free, *self._held.values()):
            memory.close()
        self._free.clear()
        self._held.clear()


class RemoteMatrix:
    """A `Matrix` in the reader process: the rows of an open volume along t, its columns along x."""

    def __init__(self, ask: Ask, number: int, shape: tuple[int, int], dtype: str, about: str) -> None:
        rows, columns = shape
        voxels = (rows, 1, 1, 1, columns)
        self._source = RemoteSource(ask, number, VolumeDescription(voxels, dtype, voxels), about)
        self._failure: BaseException | None = None
        self.shape = shape
        self.dtype = np.dtype(dtype)

    @contextmanager
    def lend(self, rows: slice, columns: slice) -> Iterator[Voxels]:
        """The values of a window, uncopied, until the context ends. Raises what the reader raises."""
        window = Window((rows.start, 0, 0, 0, columns.start), (rows.stop, 1, 1, 1, columns.stop))
        try:
            voxels = self._source.read(window)
        except BaseException as error:
            self._failure = error
            raise
        try:
            yield voxels[:, 0, 0, 0, :]
        finally:
            self._source.release(voxels)

    def read_into(self, rows: slice, columns: slice, out: Voxels) -> None:
        """Fill `out` with the values of a window. Raises what the reader raises."""
        with self.lend(rows, columns) as values:
            out[...] = values

    def close(self) -> None:
        """Let go of the file and of shared memory."""
        failure = self._failure
        self._source.__exit__(None if failure is None else type(failure), failure, None)


def _address(voxels: Voxels) -> int:
    address: int = voxels.__array_interface__["data"][0]
    return address
