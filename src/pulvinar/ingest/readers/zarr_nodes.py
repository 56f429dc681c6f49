"""The hierarchy of a Zarr folder: its groups and arrays, from their metadata documents, none of which is believed."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from pulvinar.errors import TooLarge, UnreadableFile
from pulvinar.ingest.reader import SourceFile
from pulvinar.ingest.readers.raw_volume import LARGEST_AXIS

_LARGEST_DOCUMENT_BYTES = 16 << 20
_SHARDING = "sharding_indexed"
LARGEST_CHUNK_BYTES = 256 << 20
_MOST_AXES = 5


@dataclass(frozen=True)
class ShardIndex:
    """Where a shard has the list of its chunks, and whether a checksum (CRC-32C) follows it; one that is not `is_plain`
    is written in a way that only tensorstore undoes."""

    is_at_end: bool
    is_checked: bool
    is_plain: bool = True


@dataclass(frozen=True)
class ArrayNode:
    """One array as its document declares it: `chunks` are what is decoded at once, `grid` what a file holds.

    Axes are the slowest first. `driver` is tensorstore's name of the format; `key` makes a chunk's file name, below the
    array's folder, from its place in the grid. `metadata` is what tensorstore is to believe in place of the document.
    `blosc_at` is where in a chunk its blosc stream begins, -1 where it holds none; `shard_index` is None where a chunk
    is a file.
    """

    folder: str
    file: str
    driver: str
    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    grid: tuple[int, ...]
    dtype: str
    names: tuple[str, ...] = ()
    key: Callable[[Sequence[int]], str] = lambda place: "/".join(map(str, place))
    metadata: dict[str, Any] | None = None
    blosc_at: int = -1
    shard_index: ShardIndex | None = None

    @property
    def counts(self) -> tuple[int, ...]:
        """Files of chunks along each axis."""
        return tuple(-(-n // m) for n, m in zip(self.shape, self.grid, strict=True))

    def chunk_name(self, place: Sequence[int]) -> str:
        """The file of the chunk at `place` of the grid, below the submission's folder."""
        return f"{self.folder}/{self.key(place)}".lstrip("/")


class ZarrNodes:
    """Every node below a submission's folder; documents are read when they are asked for."""

    documents: ClassVar[tuple[str, ...]] = ("zarr.json", ".zarray", ".zgroup", ".zattrs")

    def __init__(self, paths: dict[str, Path], files: Iterable[str] = ()) -> None:
        self._paths = {name: path for name, path in paths.items() if name.rpartition("/")[2] in self.documents}
        self._files = list(files)
        self._names = frozenset(self._files)
        self._documents: dict[str, dict[str, Any]] = {}

    @classmethod
    def among(cls, files: Sequence[SourceFile]) -> ZarrNodes:
        """The nodes whose documents are among `files`."""
        return cls({file.name: file.path for file in files}, [file.name for file in files])

    def groups(self) -> list[str]:
        """Folders of groups, in order."""
        found = []
        for name in self._paths:
            folder, _, document = name.rpartition("/")
            if document == ".zgroup" or (document == "zarr.json" and self._document(name).get("node_type") == "group"):
                found.append(folder)
        return sorted(found)

    def arrays(self) -> list[str]:
        """Folders of arrays, in order."""
        found = []
        for name in self._paths:
            folder, _, document = name.rpartition("/")
            if document == ".zarray" or (document == "zarr.json" and self._document(name).get("node_type") == "array"):
                found.append(folder)
        return sorted(found)

    def file_of(self, folder: str) -> str:
        """The document that makes `folder` a node."""
        for document in ("zarr.json", ".zarray", ".zgroup"):
            if (name := f"{folder}/{document}".lstrip("/")) in self._paths:
                return name
        around = next((self.file_of(one) for one in reversed(_around(folder)) if self._is_node(one)), folder or ".")
        raise UnreadableFile(
            f"{around}: there is no Zarr array or group in {folder or '.'}", hint="hand in the whole folder"
        )

    def _is_node(self, folder: str) -> bool:
        return any(
            f"{folder}/{document}".lstrip("/") in self._paths for document in ("zarr.json", ".zarray", ".zgroup")
        )

    def path_of(self, array: ArrayNode) -> Path:
        """The folder of an array."""
        return self._paths[array.file].parent

    def has_chunk(self, array: ArrayNode, place: Sequence[int]) -> bool:
        """Whether the file of a chunk is one of the submission's."""
        return array.chunk_name(place) in self._names

    def lies(self, array: ArrayNode, place: Sequence[int]) -> bool:
        """Whether something lies where the file of a chunk belongs."""
        return os.path.lexists(self.path_of(array) / array.key(place))

    def attributes(self, folder: str) -> dict[str, Any]:
        """The attributes of a node."""
        name = self.file_of(folder)
        if name.endswith("zarr.json"):
            found = self._document(name).get("attributes", {})
        else:
            other = f"{folder}/.zattrs".lstrip("/")
            found = self._document(other) if other in self._paths else {}
        return found if isinstance(found, dict) else {}

    def child(self, folder: str, path: Any) -> str:
        """The node that `path` in a group's attributes names; raises `UnreadableFile` where it leads elsewhere."""
        parts = str(path).split("/")
        if not isinstance(path, str) or not path or any(part in ("", ".", "..") for part in parts) or "\\" in path:
            raise UnreadableFile(f"{self.file_of(folder)}: its dataset has the path {path!r}", hint="save it again")
        return f"{folder}/{path}".lstrip("/")

    def array(self, folder: str) -> ArrayNode:
        """The array in `folder`; raises `UnreadableFile` and `TooLarge` for one that can't be read."""
        name = self.file_of(folder)
        if name.endswith(".zgroup"):
            raise UnreadableFile(f"{name} is a group where an array is needed", hint="save it again")
        document = self._document(name)
        array = _array_v3(folder, name, document) if name.endswith("zarr.json") else _array_v2(folder, name, document)
        return checked_array(array)

    def document(self, folder: str) -> dict[str, Any]:
        """The document that makes `folder` a node, as it is."""
        return self._document(self.file_of(folder))

    def axis_count(self, folder: str) -> int:
        """How many axes the array in `folder` declares, whether or not it can be read."""
        shape = self.document(folder).get("shape")
        return len(shape) if isinstance(shape, list) else 0

    def shared_out(self, folders: Sequence[str]) -> dict[str, list[str]]:
        """The files of each of the `folders`: below it and not below another in it.

        What lies beside them in the same hierarchy, as the document of the group around them, goes to the first.
        """
        tops = {self._top_of(folder): folder for folder in reversed(folders)}
        mine: dict[str, list[str]] = {folder: [] for folder in folders}
        for name in self._files:
            around = [folder for folder in _around(name) if folder in mine or folder in tops]
            if around:
                mine[around[-1] if around[-1] in mine else tops[around[-1]]].append(name)
        return mine

    def _top_of(self, folder: str) -> str:
        """The outermost folder around `folder` that is a node; itself where only what is in it is one."""
        candidates = (*_around(folder), folder)
        nodes = (one for one in candidates if any(f"{one}/{d}".lstrip("/") in self._paths for d in self.documents))
        return next(nodes, folder)

    def chunk_files(self, folder: str) -> int:
        """How many files hold chunks of the array in `folder`."""
        return self._chunk_files[folder]

    @cached_property
    def _chunk_files(self) -> Counter[str]:
        arrays = set(self.arrays())
        found: Counter[str] = Counter()
        for name in self._files:
            folder, _, last = name.rpartition("/")
            if last in self.documents:
                continue
            while folder not in arrays and folder:
                folder = folder.rpartition("/")[0]
            found[folder] += 1
        return found

    def _document(self, name: str) -> dict[str, Any]:
        if name not in self._documents:
            path = self._paths[name]
            size = path.stat().st_size
            if size > _LARGEST_DOCUMENT_BYTES:
                raise UnreadableFile(f"{name} has {size} bytes: no metadata document is so large")
            try:
                found = json.loads(path.read_bytes())
            except (ValueError, RecursionError) as error:
                reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
                raise UnreadableFile(f"{name} is damaged: {reason}", hint="copy it again") from error
            if not isinstance(found, dict):
                raise UnreadableFile(f"{name} is damaged: it holds no JSON object", hint="copy it again")
            self._documents[name] = found
        return self._documents[name]


def checked_array(array: ArrayNode) -> ArrayNode:
    """`array` itself; raises `UnreadableFile` for axes that don't fit each other, `TooLarge` for a chunk that does not
    fit into memory."""
    if len({len(array.shape), len(array.chunks), len(array.grid)}) > 1 or not 2 <= len(array.shape) <= _MOST_AXES:
        raise UnreadableFile(f"{array.file} has {len(array.shape)} axes in chunks of {array.chunks}; 2 to 5 are read")
    size = prod(array.chunks) * np.dtype(array.dtype).itemsize
    if size > LARGEST_CHUNK_BYTES:
        raise TooLarge(f"{array.file}: one chunk of it holds {size} bytes", hint="save it with smaller chunks")
    return array


def _around(name: str) -> list[str]:
    """The folders around a file or folder, the outermost, "", first."""
    parts = name.split("/")
    return ["/".join(parts[:count]) for count in range(len(parts))]


def _array_v2(folder: str, name: str, document: dict[str, Any]) -> ArrayNode:
    chunks = declared_sizes(document.get("chunks"), name)
    dtype = document.get("dtype")
    if not isinstance(dtype, str):
        raise UnreadableFile(f"{name} holds structures, not numbers", hint="save each field as an array of its own")
    shape, number = declared_sizes(document.get("shape"), name), number_type(dtype, name)
    separator = "/" if document.get("dimension_separator") == "/" else "."
    key = lambda place: separator.join(map(str, place))  # noqa: E731
    compressor = document.get("compressor")
    blosc_at = 0 if isinstance(compressor, dict) and compressor.get("id") == "blosc" else -1
    return ArrayNode(folder, name, "zarr", shape, chunks, chunks, number, key=key, blosc_at=blosc_at)


def _array_v3(folder: str, name: str, document: dict[str, Any]) -> ArrayNode:
    grid = document.get("chunk_grid")
    if not isinstance(grid, dict) or grid.get("name") != "regular" or not isinstance(grid.get("configuration"), dict):
        raise UnreadableFile(f"{name} has a chunk grid that isn't regular", hint="save it with equal chunks")
    outer = declared_sizes(grid["configuration"].get("chunk_shape"), name)
    chunks, codecs, shard_index = outer, _codecs(document), None
    sharding = next((_said_of(codec) for codec in codecs if codec.get("name") == _SHARDING), None)
    if sharding is not None:
        chunks, index = declared_sizes(sharding.get("chunk_shape"), name), _codecs(sharding, "index_codecs")
        if len(chunks) != len(outer) or any(n % m for n, m in zip(outer, chunks, strict=True)):
            raise UnreadableFile(f"{name} cuts shards of {outer} into chunks of {chunks}", hint="save it again")
        inner = _codecs(sharding)
        is_plain = len(codecs) == 1 and _SHARDING not in _names_of(inner) and _is_plain_index(index)
        if not is_plain and "blosc" in _names_of(codecs):
            # what its chunks unpack to could not be looked up before
            raise UnreadableFile(f"{name} packs by blosc in shards that are not plain ones", hint="save it with zstd")
        codecs = inner
        checked = any(one.get("name") == "crc32c" for one in index)
        shard_index = ShardIndex(sharding.get("index_location") != "start", checked, is_plain)
    named = document.get("dimension_names")
    names = tuple(one if isinstance(one, str) else "" for one in named) if isinstance(named, list) else ()
    dtype = number_type(document.get("data_type"), name)
    shape = declared_sizes(document.get("shape"), name)
    packers = [codec.get("name") for codec in codecs if codec.get("name") != "crc32c"]
    if "blosc" in packers[:-1]:
        raise UnreadableFile(f"{name} packs its chunks twice, by blosc first", hint="save it with one compression")
    return ArrayNode(
        folder,
        name,
        "zarr3",
        shape,
        chunks,
        outer,
        dtype,
        names,
        key=_key_v3(document),
        blosc_at=0 if packers[-1:] == ["blosc"] else -1,
        shard_index=shard_index,
    )


def _codecs(said: dict[str, Any], key: str = "codecs") -> list[dict[str, Any]]:
    """The codecs that a document, or the configuration of a codec, lists; one may be written as its name alone."""
    listed = said.get(key)
    named = [{"name": one} if isinstance(one, str) else one for one in listed] if isinstance(listed, list) else []
    return [one for one in named if isinstance(one, dict)]


def _said_of(codec: dict[str, Any]) -> dict[str, Any]:
    configuration = codec.get("configuration")
    return configuration if isinstance(configuration, dict) else {}


def _names_of(codecs: Sequence[dict[str, Any]]) -> set[Any]:
    """The names of codecs, and of those within them."""
    inner = (_names_of(_codecs(_said_of(codec))) for codec in codecs)
    return {str(codec.get("name")) for codec in codecs}.union(*inner)


def _is_plain_index(codecs: Sequence[dict[str, Any]]) -> bool:
    """Whether an index of shards is little-endian numbers, with or without a checksum."""
    names = [codec.get("name") for codec in codecs]
    return names in (["bytes"], ["bytes", "crc32c"]) and _said_of(codecs[0]).get("endian") == "little"


def _key_v3(document: dict[str, Any]) -> Callable[[Sequence[int]], str]:
    """How the document says that chunks are named."""
    encoding = document.get("chunk_key_encoding")
    encoding = encoding if isinstance(encoding, dict) else {}
    plain, configuration = encoding.get("name") == "v2", encoding.get("configuration")
    said = configuration.get("separator") if isinstance(configuration, dict) else None
    separator = said if said in ("/", ".") else "." if plain else "/"
    return lambda place: separator.join([*([] if plain else ["c"]), *map(str, place)])


def declared_sizes(value: Any, name: str) -> tuple[int, ...]:
    """`value` as sizes of axes; raises `UnreadableFile` for what can't be: empty, negative or beyond belief."""
    whole = isinstance(value, list) and all(type(size) is int and 0 < size <= LARGEST_AXIS for size in value)
    if not whole:
        raise UnreadableFile(f"{name} declares the sizes {str(value)[:100]}", hint="repair the document")
    return tuple(value)


def number_type(value: Any, name: str) -> str:
    """`value` as numpy's name of a type of numbers; raises `UnreadableFile` for any other."""
    try:
        dtype = np.dtype(value) if isinstance(value, str) else None
    except TypeError:
        dtype = None
    if dtype is None or dtype.kind not in "iufb":
        raise UnreadableFile(f"{name} holds {str(value)[:60]!r}, not numbers", hint="save it as integers or floats")
    return dtype.str
