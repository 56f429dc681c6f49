"""Arrays in chunks, one file each or many in a shard, read by the chunks that a window touches, through tensorstore."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pulvinar.errors import UnreadableFile
from pulvinar.ingest.reader import SourceFile
from pulvinar.ingest.readers.raw_volume import as_labels
from pulvinar.ingest.readers.zarr_nodes import ArrayNode
from pulvinar.model.space import Window
from pulvinar.model.volume import AXES, Shape5

_CACHE_BYTES = 64 << 20


@dataclass(frozen=True)
class ChunkedSource:
    """What a volume is read from: `spec` is tensorstore's, `letters` names the array's axes, slowest first, of "tczyx".

    `reverse` says that tensorstore gives the axes the other way round, fastest first. `document` is the file that
    describes the array, `name` the asset's, for errors; `root` is the submission's folder.
    """

    spec: dict[str, Any]
    letters: str
    root: Path
    document: str
    name: str
    reverse: bool = False


class ChunkedVolume:
    """An `OpenVolume` over one array; raises `UnreadableFile` for codecs that nobody knows, and for damaged chunks."""

    def __init__(self, source: ChunkedSource, dtype: str) -> None:
        self._source = source
        self._dtype = np.dtype(dtype)
        store = open_store(source.spec, source.document)
        self.files: Any = store.kvstore
        self._store = store.T if source.reverse else store

    def read_into(self, window: Window, out: npt.NDArray[Any]) -> None:
        """Fill `out`, of `window.shape` and the described dtype."""
        letters = self._source.letters
        slices = dict(zip(AXES, window.slices, strict=True))
        wanted = tuple(slices[letter] for letter in letters)
        try:
            stored = np.asarray(self._store[wanted].read().result())
        except Exception as error:
            raise self._damage(first_line(error)) from error
        order = [letters.index(axis) for axis in AXES if axis in letters]
        values = stored.transpose(order).reshape(window.shape)
        if self._dtype.kind in "iu" and values.dtype.kind == "f":
            values = as_labels(values.astype(np.float64), self._dtype, self._source.name)
        out[...] = values

    def _damage(self, said: str) -> UnreadableFile:
        """What tensorstore says of a chunk, in plain words and without this machine's folders."""
        name, root = self._source.name, self._source.root
        places = re.findall('local file "([^"]*)"', said)
        reason = re.split('local file "[^"]*":? ?', said)[-1].split("; at byte")[0]
        if "checksum" in reason or "Digest" in reason:
            reason = "its checksum is wrong"
        elif "runcated" in reason or "byte range" in reason:
            reason = "it is cut off"
        if not places:
            return UnreadableFile(f"{name} can't be read: {reason}", hint="copy it again")
        chunk = Path(places[-1])
        shown = chunk.relative_to(root) if chunk.is_relative_to(root) else chunk.name
        return UnreadableFile(f"{name}: its chunk {shown} is damaged: {reason}", hint="copy that file again")

    def close(self) -> None:
        """Let go of the array."""
        del self._store


def open_store(spec: dict[str, Any], document: str) -> Any:
    """What tensorstore opens by `spec`, from place 0 on in every axis; raises `UnreadableFile`, naming `document`, for
    codecs that it doesn't know."""
    import tensorstore as ts

    context = {
        "cache_pool": {"total_bytes_limit": _CACHE_BYTES},
        "data_copy_concurrency": {"limit": 2},
        "file_io_concurrency": {"limit": 4},
    }
    spec = {**spec, "recheck_cached_data": False, "recheck_cached_metadata": False}
    believed = not {"metadata", "scale_metadata"}.isdisjoint(spec)
    try:
        store = ts.open(spec, open=True, read=True, assume_metadata=believed, context=ts.Context(context)).result()
        # precomputed volumes may begin anywhere in their space
        return store[ts.d[:].translate_to[0]]
    except Exception as error:
        raise UnreadableFile(f"{document}: {first_line(error)}", hint="save it with other codecs") from error


def spec_of(array: ArrayNode, folder: Path) -> dict[str, Any]:
    """How tensorstore is told of the array whose chunks lie below `folder`."""
    spec: dict[str, Any] = {"driver": array.driver, "kvstore": {"driver": "file", "path": f"{folder}/"}}
    return spec | ({"metadata": array.metadata} if array.metadata is not None else {})


def first_line(error: Exception) -> str:
    """What tensorstore says, without its list of source lines and this machine's folders."""
    text = str(error).split(" [source locations=")[0].split(" [tensorstore_spec=")[0]
    return re.sub("^[A-Z_]+: ", "", text.splitlines()[0])[:1000] if text else type(error).__name__


def spread(letters: str, sizes: Sequence[int]) -> Shape5:
    """`sizes` of axes named `letters` as (t, c, z, y, x), 1 where there is no such axis."""
    t, c, z, y, x = (dict(zip(letters, sizes, strict=True)).get(axis, 1) for axis in AXES)
    return t, c, z, y, x


def refuse_links(files: Sequence[SourceFile], folder: str, document: str) -> None:
    """Raise `UnreadableFile` where something below `folder` is a link: as a chunk it could bring in anything.

    `files` are the submission's, without its links: without this, such a chunk would be read all the same.
    """
    mine = next((file for file in files if file.name == document), None)
    if mine is None:
        return
    root = mine.path.parents[document.count("/")]
    waiting = [root / folder]
    while waiting:
        with os.scandir(waiting.pop()) as listed:
            for entry in listed:
                if entry.is_symlink():
                    link = Path(entry.path).relative_to(root)
                    hint = "put the file itself in its place"
                    raise UnreadableFile(f"{document}: {link} is a link, which is never followed", hint=hint)
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(Path(entry.path))
