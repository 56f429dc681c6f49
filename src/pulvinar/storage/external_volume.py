"""Volumes whose chunks others own: each array's layout in its source, its chunks as they are, and blocks of voxels.

Every level is presented with the axes (t, c, z, y, x) as a Zarr v3 array without shards. An axis that the source does
not have has length 1, so the bytes of a chunk are the same.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import product
from math import prod
from typing import Any

import numpy as np
import tensorstore

from pulvinar.errors import Corrupt, Forbidden, Invalid, NotFound, PulvinarError, TooLarge, Unavailable, UnreadableFile
from pulvinar.model.dataset import Asset
from pulvinar.model.space import Window
from pulvinar.model.volume import AXES, Level, Shape5, Volume, volume_from_json
from pulvinar.storage.encoded_size import check_encoded_size
from pulvinar.storage.external import ExternalSource, ExternalSources, Piece
from pulvinar.storage.external_state import DOCUMENT_BYTES
from pulvinar.storage.shards import ShardIndex, chunks_per_shard, index_size, parse_index
from pulvinar.storage.sources import Voxels
from pulvinar.storage.store import Store
from pulvinar.storage.volumes import ReadableVolume, open_volume
from pulvinar.storage.zarr_metadata import group_document

_CHECKED_FOR_S = 30.0
"""So long it is believed that a source's metadata is what it was."""
_INDEXES = 512
_AT_ONCE = 8
_MOST_READ_BYTES = 2 << 30
_MOST_INDEX_CHUNKS = 1 << 22


@dataclass(frozen=True)
class ExternalArray:
    """How one level lies in its source: `path` of its folder, `axes` of "tczyx" in order, how chunks are named
    (`prefix` and `separator`), `codecs` of one chunk as Zarr v3 states them, and where a shard has its index: "start",
    "end", or "" for chunks that are files of their own."""

    path: str
    axes: str
    prefix: str
    separator: str
    codecs: tuple[dict[str, Any], ...]
    fill_value: Any
    index_at: str = ""

    def name(self, place: Shape5) -> str:
        """The object of the chunk, or shard, at `place` (t, c, z, y, x) of the grid."""
        numbers = [str(at) for axis, at in zip(AXES, place, strict=True) if axis in self.axes]
        key = self.separator.join([*([self.prefix] if self.prefix else []), *numbers])
        return f"{self.path}/{key}".lstrip("/")


@dataclass(frozen=True)
class ExternalLayout:
    """All that is needed to read a volume in place; `documents` has the SHA-256 of its metadata, by path."""

    arrays: tuple[ExternalArray, ...]
    documents: Mapping[str, str]

    def to_json(self) -> dict[str, Any]:
        """As JSON values, for an asset's details."""
        return {"arrays": [asdict(array) for array in self.arrays], "documents": dict(self.documents)}


def layout_from_json(data: Mapping[str, Any]) -> ExternalLayout:
    """What `to_json` wrote; raises `Invalid` for anything else."""
    try:
        arrays = tuple(ExternalArray(**{**item, "codecs": tuple(item["codecs"])}) for item in data["arrays"])
        return ExternalLayout(arrays, dict(data["documents"]))
    except (KeyError, TypeError, ValueError) as error:
        raise Invalid(f"this does not describe a volume in another place: {error!r}") from error


def external_documents(volume: Volume, layout: ExternalLayout) -> dict[str, bytes]:
    """Every `zarr.json` of the volume as it is presented, by path relative to its root."""
    documents: dict[str, Any] = {"zarr.json": group_document(volume)}
    for number, (level, array) in enumerate(zip(volume.levels, layout.arrays, strict=True)):
        documents[f"{number}/zarr.json"] = _array_document(volume, level, array)
    return {path: json.dumps(document, separators=(",", ":")).encode() for path, document in documents.items()}


def _array_document(volume: Volume, level: Level, array: ExternalArray) -> dict[str, Any]:
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": list(level.shape),
        "data_type": volume.dtype,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": list(level.chunk_shape)}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": array.fill_value,
        "codecs": list(array.codecs),
        "attributes": {},
        "dimension_names": list(AXES),
    }


class ExternalVolume:
    """A volume in a source. May be used by many threads at once.

    Before chunks are given, the metadata is looked at, every half minute: a source that has gone or was written anew is
    an error, and never an empty volume.
    """

    def __init__(self, source: ExternalSource, volume: Volume, layout: ExternalLayout) -> None:
        self.volume = volume
        self._source = source
        self._shown = "its source" if source.url.startswith("file:") else source.url
        self._layout = layout
        self._indexes: OrderedDict[str, tuple[ShardIndex | None, float]] = OrderedDict()
        self._lock = threading.Lock()
        self._checked_s = float("-inf")

    def chunk(self, level: int, place: Shape5) -> Piece | None:
        """The encoded bytes of the chunk at `place` (t, c, z, y, x) of `level`'s grid; None where it holds only the
        fill value. Raises `NotFound` outside of the volume, `Corrupt` when the source is not what it was, and
        `Unavailable` when it does not answer."""
        about, array = self._level(level)
        grid = [-(-size // chunk) for size, chunk in zip(about.shape, about.chunk_shape, strict=True)]
        if any(at >= size for at, size in zip(place, grid, strict=True)):
            raise NotFound(f"level {level} has no chunk {place}")
        most = 2 * prod(about.chunk_shape) * np.dtype(self.volume.dtype).itemsize + (1 << 16)
        with self._told():
            self._check()
            try:
                if not array.index_at:
                    return self._source.read(array.name(place), most=most)
                return self._from_shard(about, array, place, most)
            except NotFound:
                return None

    def read(self, level: int, window: Window) -> Voxels:
        """The voxels of `window` of `level`, an array of `window.shape` (t, c, z, y, x) in native byte order.

        Raises as `chunk` does, and `TooLarge` for more than 2 GiB of chunks.
        """
        about, array = self._level(level)
        if any(stop > size for stop, size in zip(window.stop, about.shape, strict=True)):
            raise NotFound(f"the window up to {window.stop} leaves level {level}, whose shape is {about.shape}")
        touched = [
            range(start // chunk, -(-stop // chunk))
            for start, stop, chunk in zip(window.start, window.stop, about.chunk_shape, strict=True)
        ]
        size_bytes = prod(about.chunk_shape) * np.dtype(self.volume.dtype).itemsize
        if prod(map(len, touched)) * size_bytes > _MOST_READ_BYTES:
            raise TooLarge(f"the window {window} touches {prod(map(len, touched))} chunks", hint="read a smaller one")
        store = _in_memory(_array_document(self.volume, about, array))

        def fetch(place: Shape5) -> None:
            piece = self.chunk(level, place)
            if piece is not None:
                name = "c/" + "/".join(map(str, place))
                check_encoded_size(piece.data, array.codecs, size_bytes, f"{self._shown}/{array.name(place)}")
                store.kvstore[name] = piece.data

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(fetch, product(*touched)))
        try:
            return np.asarray(store[window.slices].read().result())
        except ValueError as error:
            what = f"level {level} of {self._shown} can't be read: a chunk of it is damaged"
            raise Corrupt(what, hint="tell who owns it") from error

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Errors that don't tell whoever asks where in this machine a folder lies."""
        try:
            yield
        except PulvinarError as error:
            message = error.message.replace(self._source.url, self._shown)
            raise type(error)(message, hint=error.hint) from error

    def _level(self, number: int) -> tuple[Level, ExternalArray]:
        if not 0 <= number < len(self.volume.levels):
            raise NotFound(f"there is no level {number}", hint=f"levels are 0 to {len(self.volume.levels) - 1}")
        return self.volume.levels[number], self._layout.arrays[number]

    def _check(self) -> None:
        if time.monotonic() < self._checked_s + _CHECKED_FOR_S:
            return
        for path, digest in self._layout.documents.items():
            try:
                found = hashlib.sha256(self._source.read(path, most=DOCUMENT_BYTES).data).hexdigest()
            except (NotFound, TooLarge):
                found = ""
            if found != digest:
                raise Corrupt(
                    f"{self._source.url}/{path} {'has changed since it was indexed' if found else 'is gone'}",
                    hint="pulvinar verify says what else has changed; index it anew if its owner meant it",
                )
        self._checked_s = time.monotonic()

    def _from_shard(self, level: Level, array: ExternalArray, place: Shape5, most: int) -> Piece | None:
        per_shard = chunks_per_shard(level)
        outer = tuple(at // size for at, size in zip(place, per_shard, strict=True))
        inner = tuple(at % size for at, size in zip(place, per_shard, strict=True))
        name = array.name(outer)  # type: ignore[arg-type]
        index = self._index(name, array, per_shard)
        found = index.locate(inner) if index is not None else None  # type: ignore[arg-type]
        if found is None:
            return None
        if found[1] > most:
            raise Corrupt(f"{self._source.url}/{name} is damaged: its index gives a chunk {found[1]} bytes")
        piece = self._source.read(name, start=found[0], length=found[1], most=most)
        if len(piece.data) != found[1]:
            raise Corrupt(f"{self._source.url}/{name} ends before a chunk that its index speaks of")
        return Piece(piece.data, f"{piece.tag} {found[0]}")

    def _index(self, name: str, array: ExternalArray, per_shard: Shape5) -> ShardIndex | None:
        """The index of a shard, remembered for half a minute; None for a shard that is not there."""
        with self._lock:
            known = self._indexes.get(name)
            if known is not None and known[1] > time.monotonic():
                self._indexes.move_to_end(name)
                return known[0]
        size = index_size(per_shard)
        try:
            at_end = array.index_at == "end"
            piece = self._source.read_end(name, size) if at_end else self._source.read(name, start=0, length=size)
            index = parse_index(piece.data, per_shard)
        except NotFound:
            index = None
        with self._lock:
            self._indexes[name] = (index, time.monotonic() + _CHECKED_FOR_S)
            while len(self._indexes) > _INDEXES:
                self._indexes.popitem(last=False)
        return index


def open_external(sources: ExternalSources, asset: Asset) -> ExternalVolume:
    """The volume of an asset that lies in another place; nothing of it is read yet.

    Raises `Unavailable` where this platform's operator doesn't allow its source, or no more.
    """
    if asset.location is None:
        raise Invalid(f"asset {asset.id} lies in no other place")
    try:
        source = sources.open(asset.location.url)
    except (Forbidden, Invalid, NotFound) as error:
        url, shown = asset.location.url, asset.location.shown_url or "it"
        raise Unavailable(
            f"the source of asset {asset.id} can't be read: {error.message.replace(url, shown)}", hint=error.hint
        ) from error
    volume = volume_from_json(asset.details["volume"])
    return ExternalVolume(source, volume, layout_from_json(asset.details["external"]))


def open_asset_volume(store: Store, sources: ExternalSources, asset: Asset) -> ReadableVolume:
    """The volume of an asset, wherever its bytes are. Nothing of it is read yet."""
    if asset.location is not None:
        return open_external(sources, asset)
    return open_volume(store, asset.prefix, volume_from_json(asset.details["volume"]))


def check_layout(volume: Volume, layout: ExternalLayout) -> None:
    """Raise `UnreadableFile` for an array that nobody could read: codecs, types or values that don't fit."""
    for level, array in zip(volume.levels, layout.arrays, strict=True):
        try:
            _in_memory(_array_document(volume, level, array))
        except ValueError as error:
            reason = str(error).split(" [")[0][:300]
            raise UnreadableFile(f"{array.path or 'the array'} can't be read as it is: {reason}") from error


def check_shards(level: Level) -> None:
    """Raise `TooLarge` for shards of more chunks than an index is read for."""
    if prod(chunks_per_shard(level)) > _MOST_INDEX_CHUNKS:
        raise TooLarge(f"its shards have {prod(chunks_per_shard(level))} chunks each", hint="write it in larger chunks")


def _in_memory(metadata: dict[str, Any]) -> Any:
    """An array of these metadata whose chunks are put into its `kvstore` before it is read."""
    spec = {"driver": "zarr3", "kvstore": {"driver": "memory"}, "metadata": metadata}
    context = tensorstore.Context({"cache_pool": {"total_bytes_limit": 0}})
    return tensorstore.open(spec, context=context, open=True, read=True, assume_metadata=True).result()
