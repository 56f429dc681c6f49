"""The folders of Neuroglancer's precomputed format: their `info` documents, and the files and shards in them.

Programs keep files as they are or packed with gzip under the name with `.gz` behind it. Shards are read by their own
indexes: what is in them is listed, never looked for by a hash. Source: the format's documents "volume" and "sharded".
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pulvinar.errors import TooLarge, UnreadableFile

LARGEST_FILE_BYTES = 1 << 30
"""No mesh, skeleton or chunk is larger, packed or unpacked."""
_LARGEST_DOCUMENT_BYTES = 16 << 20
_LARGEST_INDEX_BYTES = 256 << 20
_ENTRY_BYTES = 24
INFO = "info"


@dataclass(frozen=True)
class Extent:
    """Where something lies: `size` bytes from `start` of a file, named as in the submission."""

    name: str
    start: int
    size: int


class PrecomputedFolder:
    """One folder with an `info`: `name` relative to the submission at `root`, and the `files` below it."""

    def __init__(self, root: Path, name: str, files: Iterable[str]) -> None:
        self.root = root
        self.name = name
        self.files = frozenset(files)

    @property
    def info_name(self) -> str:
        """The name of its `info`."""
        return self.path_of(INFO)

    @cached_property
    def info(self) -> dict[str, Any]:
        """What its `info` says; nothing where it has none."""
        return read_document(self.root, self.info_name) if self.info_name in self.files else {}

    def path_of(self, key: str) -> str:
        """The submission's name of the file `key` of this folder. Raises `UnreadableFile` where it leads elsewhere."""
        parts = key.split("/")
        if any(part in ("", ".", "..") for part in parts) or "\\" in key or "\0" in key:
            raise UnreadableFile(
                f"{self.info_name}: {key[:100]!r} is not the name of a file in it", hint="save it again"
            )
        return f"{self.name}/{key}".lstrip("/")

    def find(self, key: str) -> str:
        """The submission's name of `key`, packed or not; "" where there is none."""
        path = self.path_of(key)
        return next((name for name in (path, f"{path}.gz") if name in self.files), "")

    def read(self, key: str, most: int = LARGEST_FILE_BYTES) -> bytes:
        """The bytes of `key`, unpacked, at most so many. Raises `UnreadableFile` where there is no such file or it is
        damaged, `TooLarge` where it holds more."""
        name = self.find(key)
        if not name:
            raise UnreadableFile(f"{self.path_of(key)} is missing", hint="hand in the whole folder")
        data = self.read_extent(Extent(name, 0, (self.root / name).stat().st_size))
        return unpacked(data, name, most) if name.endswith(".gz") else data

    def read_extent(self, extent: Extent) -> bytes:
        """The bytes of `extent`, as they are."""
        if extent.size > LARGEST_FILE_BYTES:
            raise TooLarge(f"{extent.name}: one thing in it has {extent.size} bytes", hint="split it")
        with (self.root / extent.name).open("rb") as file:
            file.seek(extent.start)
            data = file.read(extent.size)
        if len(data) < extent.size:
            raise UnreadableFile(f"{extent.name} is truncated: it ends at byte {extent.start + len(data)}")
        return data

    def shards(self, key: str = "") -> list[str]:
        """The names of the shards right in the folder, or in its folder `key`."""
        base = f"{self.path_of(key) if key else self.name}/".lstrip("/")
        return sorted(
            name
            for name in self.files
            if name.startswith(base) and re.fullmatch(r"[0-9a-f]+\.shard", name.removeprefix(base))
        )


def read_document(root: Path, name: str) -> dict[str, Any]:
    """The JSON object in a file. Raises `UnreadableFile` for what is none."""
    path = root / name
    if path.stat().st_size > _LARGEST_DOCUMENT_BYTES:
        raise UnreadableFile(f"{name} has {path.stat().st_size} bytes: no such document is so large")
    try:
        found = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise UnreadableFile(f"{name} is damaged: {reason}", hint="copy it again") from error
    if not isinstance(found, dict):
        raise UnreadableFile(f"{name} is damaged: it holds no JSON object", hint="copy it again")
    return found


def unpacked(data: bytes, name: str, most: int = LARGEST_FILE_BYTES) -> bytes:
    """A gzip stream's content, checked by its checksum. Raises `TooLarge` for more than `most` bytes."""
    unpacker = zlib.decompressobj(31)
    try:
        found = unpacker.decompress(data, most + 1)
    except zlib.error as error:
        raise UnreadableFile(f"{name} is damaged: {error}", hint="copy it again") from error
    if len(found) > most:
        raise TooLarge(f"{name} unpacks to more than {most} bytes", hint="save it again")
    if not unpacker.eof:
        raise UnreadableFile(f"{name} is truncated: its compressed stream does not end", hint="copy it again")
    return found


@dataclass(frozen=True)
class Sharding:
    """How a folder's shards are laid out: from the `sharding` of its `info`."""

    minishard_bits: int
    index_packed: bool
    data_packed: bool

    @classmethod
    def of(cls, said: Any, name: str) -> Sharding:
        """What `said` says. Raises `UnreadableFile` for a layout that isn't known."""
        if not isinstance(said, dict) or said.get("@type") != "neuroglancer_uint64_sharded_v1":
            raise UnreadableFile(f"{name}: its sharding {str(said)[:60]} is not known", hint="save it unsharded")
        bits = said.get("minishard_bits")
        spread = [said.get(f"{part}_bits", 0) for part in ("preshift", "shard")]
        encodings = [said.get(f"{part}_encoding", "raw") for part in ("minishard_index", "data")]
        can_spread = all(type(one) is int and 0 <= one <= 64 for one in spread)
        if type(bits) is not int or not 0 <= bits <= 32 or not can_spread or not set(encodings) <= {"raw", "gzip"}:
            raise UnreadableFile(f"{name}: its sharding {str(said)[:200]} can't be", hint="save it again")
        return cls(bits, encodings[0] == "gzip", encodings[1] == "gzip")

    def entries(self, folder: PrecomputedFolder, shard: str) -> Iterator[tuple[int, Extent]]:
        """The identifiers in a shard and where the bytes of each lie. Raises `UnreadableFile` for a damaged index."""
        size = (folder.root / shard).stat().st_size
        base = 16 << self.minishard_bits
        if base > min(size, _LARGEST_INDEX_BYTES):
            raise UnreadableFile(f"{shard} is truncated: its {size} bytes can't hold its index", hint="copy it again")
        index = np.frombuffer(folder.read_extent(Extent(shard, 0, base)), "<u8").reshape(-1, 2)
        places = index[index[:, 0] < index[:, 1]].tolist()
        # indexes that overlap would be read again and again
        if sum(stop - start for start, stop in places) > size:
            raise UnreadableFile(f"{shard} is damaged: its indexes are larger than it is", hint="copy it again")
        for start, stop in places:
            yield from self._minishard(folder, Extent(shard, base + start, stop - start), base, size)

    def _minishard(
        self, folder: PrecomputedFolder, place: Extent, base: int, size: int
    ) -> Iterator[tuple[int, Extent]]:
        if place.start + place.size > size:
            raise UnreadableFile(f"{place.name} is truncated: an index lies behind its end", hint="copy it again")
        data = folder.read_extent(place)
        if self.index_packed:
            data = unpacked(data, place.name, _LARGEST_INDEX_BYTES)
        if len(data) % _ENTRY_BYTES:
            raise UnreadableFile(f"{place.name} is damaged: an index in it is not whole", hint="copy it again")
        ids, gaps, sizes = np.frombuffer(data, "<u8").reshape(3, -1)
        starts = base + np.cumsum(gaps) + np.cumsum(sizes) - sizes
        for key, start, length in zip(np.cumsum(ids).tolist(), starts.tolist(), sizes.tolist(), strict=True):
            if start + length > size:
                raise UnreadableFile(f"{place.name} is truncated: {key} lies behind its end", hint="copy it again")
            yield key, Extent(place.name, start, length)

    def read(self, folder: PrecomputedFolder, extent: Extent) -> bytes:
        """The bytes of one thing in a shard, unpacked."""
        data = folder.read_extent(extent)
        return unpacked(data, extent.name) if self.data_packed else data


def model_transform(said: Any, name: str) -> npt.NDArray[np.float64]:
    """An `info`'s map of stored (x, y, z) to nanometres, (3, 4); the identity where it has none."""
    if said is None:
        return np.eye(4)[:3]
    try:
        matrix = np.asarray(said, np.float64).reshape(3, 4)
    except (TypeError, ValueError) as error:
        raise UnreadableFile(f"{name}: its transform {str(said)[:100]} can't be", hint="repair the document") from error
    if not np.isfinite(matrix).all() or not np.abs(np.linalg.det(matrix[:, :3])) > 0:
        raise UnreadableFile(f"{name}: its transform can't be turned round", hint="repair the document")
    return matrix


def zyx_um(xyz: npt.NDArray[Any], transform: npt.NDArray[np.float64], name: str) -> npt.NDArray[np.float64]:
    """Stored places (n, 3) in micrometres (z, y, x). Raises `UnreadableFile` where one is not finite."""
    with np.errstate(over="ignore", invalid="ignore"):
        model = xyz.astype(np.float64) @ transform[:, :3].T + transform[:, 3]
    if not np.isfinite(model).all():
        raise UnreadableFile(f"{name} is damaged: a coordinate is not finite", hint="copy it again")
    return np.ascontiguousarray(model[:, ::-1] / 1000.0)
