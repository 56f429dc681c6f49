"""The hierarchy of a Zarr folder: its groups and arrays, from their metadata documents, none of which is believed."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from pulvinar.errors import TooLarge, UnreadableFile
from pulvinar.ingest.reader import SourceFile
from pulvinar.ingest.readers.raw_volume import LARGEST_AXIS

_LARGEST_DOCUMENT_BYTES = 16 << 20
_LARGEST_CHUNK_BYTES = 256 << 20
_CACHE_BYTES = 64 << 20
_DOCUMENTS = ("zarr.json", ".zarray", ".zgroup", ".zattrs")
_MOST_AXES = 5
_SEPARATORS = (".", "/")


@dataclass(frozen=True)
class ArrayNode:
    """One array as its document declares it: `chunks` are what is decoded at once, `grid` what a file holds."""

    folder: str
    file: str
    format: int
    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    grid: tuple[int, ...]
    dtype: str
    chunk_prefix: str
    separator: str
    names: tuple[str, ...] = ()

    @property
    def counts(self) -> tuple[int, ...]:
        """Files of chunks along each axis."""
        return tuple(-(-n // m) for n, m in zip(self.shape, self.grid, strict=True))

    def chunk_file(self, place: Sequence[int]) -> str:
        """The file that holds a chunk, below the submission's folder."""
        return f"{self.folder}/{self.chunk_name(place)}".lstrip("/")

    def chunk_name(self, place: Sequence[int]) -> str:
        """The file that holds a chunk, below the array's own folder."""
        return self.chunk_prefix + self.separator.join(map(str, place))


class ZarrNodes:
    """Every node below a submission's folder; documents are read when they are asked for."""

    def __init__(self, paths: dict[str, Path], files: Iterable[str] = ()) -> None:
        self._paths = {name: path for name, path in paths.items() if name.rpartition("/")[2] in _DOCUMENTS}
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
        return any(f"{folder}/{document}".lstrip("/") in self._paths for document in _DOCUMENTS[:3])

    def path_of(self, array: ArrayNode) -> Path:
        """The folder of an array."""
        return self._paths[array.file].parent

    def has_chunk(self, array: ArrayNode, place: Sequence[int]) -> bool:
        """Whether the file of a chunk is one of the submission's."""
        return array.chunk_file(place) in self._names

    def lies(self, array: ArrayNode, place: Sequence[int]) -> bool:
        """Whether something lies where the file of a chunk belongs."""
        return os.path.lexists(self.path_of(array) / array.chunk_name(place))

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
        if len({len(array.shape), len(array.chunks), len(array.grid)}) > 1 or not 2 <= len(array.shape) <= _MOST_AXES:
            raise UnreadableFile(f"{name} has {len(array.shape)} axes in chunks of {array.chunks}; 2 to 5 are read")
        size = prod(array.chunks) * np.dtype(array.dtype).itemsize
        if size > _LARGEST_CHUNK_BYTES:
            raise TooLarge(f"{name}: one chunk of it holds {size} bytes", hint="save it with smaller chunks")
        return array

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
        """The outermost folder around `folder` that is a node."""
        candidates = (*_around(folder), folder)
        return next(one for one in candidates if any(f"{one}/{d}".lstrip("/") in self._paths for d in _DOCUMENTS))

    def chunk_files(self, folder: str) -> int:
        """How many files hold chunks of the array in `folder`."""
        return self._chunk_files[folder]

    @cached_property
    def _chunk_files(self) -> Counter[str]:
        arrays = set(self.arrays())
        found: Counter[str] = Counter()
        for name in self._files:
            folder, _, last = name.rpartition("/")
            if last in _DOCUMENTS:
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


def open_array(path: Path, array: ArrayNode) -> Any:
    """The array that lies in the folder `path`, by tensorstore, which raises `ValueError` for what it doesn't know."""
    import tensorstore as ts

    context = {
        "cache_pool": {"total_bytes_limit": _CACHE_BYTES},
        "data_copy_concurrency": {"limit": 2},
        "file_io_concurrency": {"limit": 4},
    }
    spec = {
        "driver": "zarr3" if array.format == 3 else "zarr",
        "kvstore": {"driver": "file", "path": f"{path}/"},
        "recheck_cached_data": False,
        "recheck_cached_metadata": False,
    }
    return ts.open(spec, open=True, read=True, context=ts.Context(context)).result()


def _around(name: str) -> list[str]:
    """The folders around a file or folder, the outermost, "", first."""
    parts = name.split("/")
    return ["/".join(parts[:count]) for count in range(len(parts))]


def _array_v2(folder: str, name: str, document: dict[str, Any]) -> ArrayNode:
    chunks = _sizes(document.get("chunks"), name)
    dtype = document.get("dtype")
    if not isinstance(dtype, str):
        raise UnreadableFile(f"{name} holds structures, not numbers", hint="save each field as an array of its own")
    shape, separator = _sizes(document.get("shape"), name), document.get("dimension_separator", ".")
    if separator not in _SEPARATORS:
        raise UnreadableFile(f"{name} names its chunks with {str(separator)[:20]!r}", hint="repair the document")
    return ArrayNode(folder, name, 2, shape, chunks, chunks, _number_type(dtype, name), "", separator)


def _array_v3(folder: str, name: str, document: dict[str, Any]) -> ArrayNode:
    grid = document.get("chunk_grid")
    if not isinstance(grid, dict) or grid.get("name") != "regular" or not isinstance(grid.get("configuration"), dict):
        raise UnreadableFile(f"{name} has a chunk grid that isn't regular", hint="save it with equal chunks")
    outer = _sizes(grid["configuration"].get("chunk_shape"), name)
    chunks, codecs = outer, document.get("codecs")
    for codec in codecs if isinstance(codecs, list) else []:
        if isinstance(codec, dict) and codec.get("name") == "sharding_indexed":
            configuration = codec.get("configuration")
            chunks = _sizes(configuration.get("chunk_shape") if isinstance(configuration, dict) else None, name)
    named = document.get("dimension_names")
    names = tuple(one if isinstance(one, str) else "" for one in named) if isinstance(named, list) else ()
    dtype = _number_type(document.get("data_type"), name)
    prefix, separator = _chunk_names_v3(document.get("chunk_key_encoding"), name)
    shape = _sizes(document.get("shape"), name)
    return ArrayNode(folder, name, 3, shape, chunks, outer, dtype, prefix, separator, names)


def _chunk_names_v3(encoding: Any, name: str) -> tuple[str, str]:
    """What the file names of chunks begin with, and what stands between their numbers."""
    said = encoding if isinstance(encoding, dict) else {"name": encoding}
    kind, configuration = said.get("name"), said.get("configuration")
    usual = {"default": "/", "v2": "."}
    separator = configuration.get("separator") if isinstance(configuration, dict) else None
    separator = usual.get(str(kind)) if separator is None else separator
    if kind not in usual or separator not in _SEPARATORS:
        raise UnreadableFile(f"{name} names its chunks in a way that isn't known", hint="save it again")
    return (f"c{separator}" if kind == "default" else ""), separator


def _sizes(value: Any, name: str) -> tuple[int, ...]:
    whole = isinstance(value, list) and all(type(size) is int and 0 < size <= LARGEST_AXIS for size in value)
    if not whole:
        raise UnreadableFile(f"{name} declares the sizes {str(value)[:100]}", hint="repair the document")
    return tuple(value)


def _number_type(value: Any, name: str) -> str:
    try:
        dtype = np.dtype(value) if isinstance(value, str) else None
    except TypeError:
        dtype = None
    if dtype is None or dtype.kind not in "iufb":
        raise UnreadableFile(f"{name} holds {str(value)[:60]!r}, not numbers", hint="save it as integers or floats")
    return dtype.str
