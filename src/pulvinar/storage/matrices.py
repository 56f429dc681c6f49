"""Matrices of any size: one Zarr 3 array of two axes, in shards that are written one by one and read by window."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorstore

from pulvinar.errors import Corrupt, NotFound
from pulvinar.storage.codecs import CHECKSUM, LITTLE_ENDIAN
from pulvinar.storage.shards import INDEX_CODECS
from pulvinar.storage.store import Store
from pulvinar.storage.stored_arrays import VERIFY, reading, shared_context

Values = npt.NDArray[Any]
Part = tuple[slice, slice]

_CHUNK_VALUES = 1 << 18
_SHARD_VALUES = 1 << 22
_CACHE_BYTES = 64 << 20


@dataclass(frozen=True)
class MatrixLayout:
    """How a matrix (rows, columns) of `dtype` is cut into shards, and these into chunks; `axes` name rows and
    columns."""

    shape: tuple[int, int]
    dtype: str
    axes: tuple[str, str]
    chunk_shape: tuple[int, int]
    shard_shape: tuple[int, int]

    @classmethod
    def planned(cls, shape: tuple[int, int], dtype: str, axes: tuple[str, str], columns: int) -> MatrixLayout:
        """Chunks of `columns` columns, or more where rows are few, and shards of some 15 to 30 MB.

        A shard is read into memory that two processes share, which comes from the system slowly.
        """
        wide = min(shape[1], columns)
        tall = min(shape[0], _CHUNK_VALUES // wide)
        wide = min(shape[1], max(wide, _CHUNK_VALUES // tall))
        across = min(-(-shape[1] // wide), max(1, _SHARD_VALUES // (tall * wide)))
        down = min(-(-shape[0] // tall), max(1, _SHARD_VALUES // (tall * wide * across)))
        return cls(shape, np.dtype(dtype).name, axes, (tall, wide), (tall * down, wide * across))

    def document(self) -> bytes:
        """The array's `zarr.json`."""
        packer = {"cname": "zstd", "clevel": 1, "shuffle": "shuffle", "blocksize": 0}
        packer["typesize"] = np.dtype(self.dtype).itemsize
        sharding = {
            "chunk_shape": list(self.chunk_shape),
            "codecs": [LITTLE_ENDIAN, {"name": "blosc", "configuration": packer}, CHECKSUM],
            "index_codecs": INDEX_CODECS,
            "index_location": "end",
        }
        document = {
            "zarr_format": 3,
            "node_type": "array",
            "shape": list(self.shape),
            "data_type": self.dtype,
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": list(self.shard_shape)}},
            "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
            "fill_value": 0.0,
            "codecs": [{"name": "sharding_indexed", "configuration": sharding}],
            "attributes": {},
            "dimension_names": list(self.axes),
        }
        return json.dumps(document, separators=(",", ":")).encode()

    def strips(self) -> Iterator[tuple[slice, list[slice]]]:
        """The columns of a shard, and the rows of each shard that has them; from left to right, and downwards."""
        rows = [*_cuts(self.shape[0], self.shard_shape[0])]
        for columns in _cuts(self.shape[1], self.shard_shape[1]):
            yield columns, rows

    def shard(self, part: Part, values: Values) -> tuple[str, bytes]:
        """Where the shard that begins at `part` lies in the array's folder, and its bytes, made of its `values`."""
        place = "/".join(str(cut.start // side) for cut, side in zip(part, self.shard_shape, strict=True))
        metadata = json.loads(self.document()) | {"shape": list(self.shard_shape)}
        spec = {
            "driver": "zarr3",
            "kvstore": {"driver": "memory"},
            "metadata": metadata,
            "create": True,
            # who copies the array can't tell a missing shard from an empty one
            "store_data_equal_to_fill_value": True,
        }
        array = tensorstore.open(spec, context=tensorstore.Context()).result()
        array[: values.shape[0], : values.shape[1]].write(values).result()
        shards: Any = array.kvstore
        return f"c/{place}", bytes(shards.read("c/0/0").result().value)


def _cuts(size: int, side: int) -> Iterator[slice]:
    for start in range(0, size, side):
        yield slice(start, min(start + side, size))


class StoredMatrix:
    """A matrix in a store, read by window; opening it reads its `zarr.json`.

    Raises `NotFound` where there is none, `Corrupt` for damage, `Unavailable` for a silent store.
    """

    def __init__(self, store: Store, prefix: str) -> None:
        self._what = f"matrix at {prefix}"
        # every shard was written, also one of zeros: one that is not there is lost
        spec = {"driver": "zarr3", "kvstore": store.kvstore(prefix), "fill_missing_data_reads": False}
        with reading(self._what):
            context = shared_context(_CACHE_BYTES)
            self._array = tensorstore.open(spec, context=context, read=True, write=False).result()
        self.shape: tuple[int, ...] = self._array.shape

    def read(self, rows: slice, columns: slice) -> Values:
        """The values of some rows and columns. Raises `Corrupt` for damage, `Unavailable` for a silent store."""
        return self._values(self._array[rows, columns])

    def columns(self, numbers: npt.NDArray[np.int64]) -> Values:
        """All rows of the columns of these numbers, in their order (rows, numbers). Raises as `read`."""
        return self._values(self._array[:, numbers])

    def _values(self, chosen: Any) -> Values:
        try:
            with reading(self._what):
                return np.asarray(chosen.read().result())
        except NotFound as error:
            raise Corrupt(f"{self._what} can't be read: a part of it is lost", hint=VERIFY) from error
