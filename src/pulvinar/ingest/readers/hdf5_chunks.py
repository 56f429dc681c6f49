"""The numbers of an HDF5 dataset by window, each chunk unpacked into no more memory than it declares.

HDF5's own filters go on for as long as their input does, so that a chunk of a megabyte may become gigabytes. Here
chunks are fetched as they are stored, and unpacked side by side. Source: the HDF5 file format specification 3.0 and
the register of HDF5 filters.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from pulvinar.errors import UnreadableFile
from pulvinar.ingest.readers.hdf5_files import FILTERS, check_dataset, check_stored, damage, filters_of, text
from pulvinar.ingest.readers.raw_volume import float_type, floats_of

Values = npt.NDArray[Any]
_CACHE_BYTES = 256 << 20
_AT_ONCE = 16
_CHECKSUM_BYTES = 4
_LINK_BYTES = 16
"""What a chunk stores of a text of any length: the length, and where the text lies in the file."""


@dataclass(frozen=True)
class _Packing:
    """How a chunk is stored: `filters` as applied, `size_bytes` once unpacked, `item_bytes` of a value."""

    filters: tuple[str, ...]
    size_bytes: int
    item_bytes: int

    def unpack(self, packed: bytes, mask: int) -> bytes:
        """The chunk's bytes; bit i of `mask` says that filter i was left out. Raises `ValueError` for damage."""
        applied = [step for index, step in enumerate(self.filters) if not mask >> index & 1]
        # a checksum that was packed with the values makes them longer
        room = self.size_bytes + _CHECKSUM_BYTES * applied.count("fletcher32")
        for step in reversed(applied):
            packed = self._undo(step, packed, room)
        if len(packed) != self.size_bytes:
            raise ValueError(f"it holds {len(packed)} bytes, {self.size_bytes} are declared")
        return packed

    def _undo(self, step: str, packed: bytes, room: int) -> bytes:
        import imagecodecs

        if step == "shuffle":
            return self._unshuffled(packed)
        if step == "fletcher32":
            return _checked(packed)
        decoders = {
            "deflate": imagecodecs.deflate_decode,
            "lzf": imagecodecs.lzf_decode,
            "lz4": imagecodecs.lz4h5_decode,
            "zstd": imagecodecs.zstd_decode,
        }
        return bytes(decoders[step](packed, out=room))

    def _unshuffled(self, packed: bytes) -> bytes:
        """Shuffling puts all first bytes of values before all second ones, and leaves what is over at the end."""
        count = len(packed) // self.item_bytes
        whole = np.frombuffer(packed, np.uint8, count * self.item_bytes).reshape(self.item_bytes, count)
        return whole.T.tobytes() + packed[count * self.item_bytes :]


def _checked(packed: bytes) -> bytes:
    """What comes before a Fletcher checksum that is right; HDF5 before 1.6.3 wrote it with its bytes swapped."""
    import imagecodecs

    values, said = packed[:-_CHECKSUM_BYTES], packed[-_CHECKSUM_BYTES:]
    right = int(imagecodecs.h5checksum_fletcher32(values)).to_bytes(_CHECKSUM_BYTES, "little")
    if said not in (right, bytes(right[index] for index in (1, 0, 3, 2))):
        raise ValueError("its checksum is wrong")
    return values


class Hdf5Numbers:
    """The values of a dataset of numbers, by window. Raises `UnreadableFile` for one of another type."""

    def __init__(self, data: Any, name: str, *, cache_bytes: int = _CACHE_BYTES) -> None:
        """`data` is an `h5py.Dataset`, which stays open as long; it is checked by `check_dataset`. Unpacked chunks of
        `cache_bytes` in all are kept."""
        check_dataset(data, name)
        if data.dtype.kind not in "iufb":
            raise UnreadableFile(f"{name}: {data.name.lstrip('/')} holds {data.dtype}, not numbers")
        self._data, self._name = data, name
        self.shape: tuple[int, ...] = data.shape
        self.dtype: np.dtype[Any] = np.dtype(np.uint8) if data.dtype.kind == "b" else data.dtype
        size = prod(data.chunks or ()) * self.dtype.itemsize
        self._packing = _Packing(tuple(FILTERS[code] for code in filters_of(data)), size, self.dtype.itemsize)
        with damage(name):
            self._fill = np.asarray(data.fillvalue, self.dtype)
        self._file_bytes: int = data.file.id.get_filesize()
        self._cache_bytes = cache_bytes
        self._cache: OrderedDict[tuple[int, ...], Values] = OrderedDict()
        self._threads = ThreadPoolExecutor(len(os.sched_getaffinity(0)), "unpack")

    def read(self, wanted: Sequence[slice], out: Values | None = None) -> Values:
        """The values at `wanted`, one slice (start and stop, no step) an axis, of `dtype`; put into `out` if given."""
        if out is None:
            out = np.empty([part.stop - part.start for part in wanted], self.dtype)
        if not self._data.chunks:
            with damage(self._name):
                if out.flags.c_contiguous and out.dtype == self._data.dtype:
                    self._data.read_direct(out, tuple(wanted))
                else:
                    out[...] = self._data[tuple(wanted)]
            return out
        corners = list(self._corners(wanted))
        for first in range(0, len(corners), _AT_ONCE):
            tasks = [(corner, self._chunk(corner)) for corner in corners[first : first + _AT_ONCE]]
            for corner, task in tasks:
                self._put(corner, self._fill if task is None else self._kept(corner, task), wanted, out)
        return out

    def whole(self) -> Values:
        """All values."""
        return self.read([slice(0, size) for size in self.shape])

    def close(self) -> None:
        """Let go of the threads; the file is whose who opened it."""
        self._threads.shutdown()

    def _corners(self, wanted: Sequence[slice]) -> Iterator[tuple[int, ...]]:
        """The first value of each chunk that a window touches."""
        spans = [
            range(part.start // side * side, part.stop, side)
            for part, side in zip(wanted, self._data.chunks, strict=True)
        ]
        return product(*spans)

    def _chunk(self, corner: tuple[int, ...]) -> Future[Values] | Values | None:
        """A chunk that is known, or being unpacked; None for one that is not stored."""
        if corner in self._cache:
            self._cache.move_to_end(corner)
            return self._cache[corner]
        with damage(self._name):
            info = self._data.id.get_chunk_info_by_coord(corner)
            if info.byte_offset is None:
                return None
            if info.byte_offset + info.size > self._file_bytes:
                raise UnreadableFile(f"{self._label(corner)} lies behind the file's end", hint="copy the file again")
            mask, packed = self._data.id.read_direct_chunk(corner)
        return self._threads.submit(self._unpacked, corner, packed, mask)

    def _unpacked(self, corner: tuple[int, ...], packed: bytes, mask: int) -> Values:
        try:
            values = np.frombuffer(self._packing.unpack(packed, mask), self.dtype)
        except Exception as error:
            raise UnreadableFile(f"{self._label(corner)} is damaged: {error}", hint="copy the file again") from error
        return values.reshape(self._data.chunks)

    def _kept(self, corner: tuple[int, ...], task: Future[Values] | Values) -> Values:
        if isinstance(task, np.ndarray):
            return task
        values = task.result()
        self._cache[corner] = values
        while len(self._cache) * self._packing.size_bytes > self._cache_bytes:
            self._cache.popitem(last=False)
        return values

    def _put(self, corner: tuple[int, ...], values: Values, wanted: Sequence[slice], out: Values) -> None:
        """Where chunk and window overlap, `values` (or the one value of an empty chunk) into `out`."""
        spans = [
            (max(at, part.start), min(at + side, part.stop), at, part.start)
            for at, side, part in zip(corner, self._data.chunks, wanted, strict=True)
        ]
        target = tuple(slice(a - start, b - start) for a, b, _, start in spans)
        source = tuple(slice(a - at, b - at) for a, b, at, _ in spans)
        out[target] = values[source] if values.ndim else values

    def _label(self, corner: tuple[int, ...]) -> str:
        return f"{self._name}: the chunk at {corner} of {self._data.name.lstrip('/')}"


class Hdf5Matrix:
    """A dataset of numbers as a `Matrix` of floats: its first axis is down, all others are across.

    A value is `stored * scale + offset`, `scale` one or one a column. `file` is closed with it.
    """

    def __init__(
        self, data: Any, name: str, *, scale: Values | float = 1.0, offset: float = 0.0, file: Any = None
    ) -> None:
        self._file, self._numbers = file, Hdf5Numbers(data, name, cache_bytes=_CACHE_BYTES // 4)
        self._scale, self._offset = np.broadcast_to(scale, prod(data.shape[1:])), offset
        self._what = f"{name}: {data.name.lstrip('/')}"
        self.shape = (int(data.shape[0]), prod(data.shape[1:]))
        self.dtype = float_type(self._numbers.dtype)

    def read_into(self, rows: slice, columns: slice, out: Values) -> None:
        """Fill `out` with the values of a window."""
        scale = self._scale[columns]
        is_meant = bool((scale == 1).all()) and self._offset == 0
        if is_meant and self._numbers.dtype == self.dtype and len(self._numbers.shape) == 2:
            self._numbers.read([rows, columns], out)
            return
        stored = floats_of(self._stored(rows, columns), self._what)
        out[...] = stored if is_meant else stored.astype(np.float64) * scale + self._offset

    def _stored(self, rows: slice, columns: slice) -> Values:
        sides = self._numbers.shape[1:]
        if not sides:
            return self._numbers.read([rows])[:, None]
        # of more axes than two, the columns are whole slices of the second
        inner = prod(sides[1:])
        first, last = columns.start // inner, -(-columns.stop // inner)
        found = self._numbers.read([rows, slice(first, last), *(slice(0, side) for side in sides[1:])])
        across = found.reshape(rows.stop - rows.start, -1)
        return across[:, columns.start - first * inner : columns.stop - first * inner]

    def close(self) -> None:
        """Let go of the file."""
        self._numbers.close()
        if self._file is not None:
            self._file.close()


def texts(data: Any, name: str) -> list[str]:
    """The texts of a dataset, in the order of its values; raises `UnreadableFile` for one that holds no text."""
    import h5py

    check_dataset(data, name)
    if data.dtype.kind != "S" and h5py.check_string_dtype(data.dtype) is None:
        raise UnreadableFile(f"{name}: {data.name.lstrip('/')} holds {data.dtype}, not text")
    values = checked_values(data, name).tolist()
    return [value.decode("utf-8", "replace") if type(value) is bytes else text(value) for value in values]


def checked_values(data: Any, name: str) -> Values:
    """All values of a dataset of texts or references, in one row: what only HDF5 itself can make of what is stored."""
    check_dataset(data, name)
    check_stored(data, name)
    with damage(name):
        _check_chunks(data, name)
        return np.ravel(data[()])


def _check_chunks(data: Any, name: str) -> None:
    """Unpack each chunk once, within bounds, of a dataset whose values only HDF5 itself can make of them."""
    import h5py

    is_text = data.dtype.kind == "O" and h5py.check_ref_dtype(data.dtype) is None
    size = _LINK_BYTES if is_text else data.id.get_type().get_size()
    packing = _Packing(tuple(FILTERS[code] for code in filters_of(data)), prod(data.chunks or ()) * size, size)
    for index in range(data.id.get_num_chunks() if data.chunks else 0):
        info = data.id.get_chunk_info(index)
        mask, packed = data.id.read_direct_chunk(info.chunk_offset)
        try:
            packing.unpack(packed, mask)
        except Exception as error:
            raise UnreadableFile(
                f"{name}: chunk {index + 1} of {data.name.lstrip('/')} is damaged: {error}", hint="copy the file again"
            ) from error
