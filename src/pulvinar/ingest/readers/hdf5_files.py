"""HDF5 from outside: nothing but the file itself is read, and no filter's plugin is loaded.

A link or a dataset that points into another file is refused, and the refusal names that file. Source: the HDF5 file
format specification 3.0. How values are unpacked without end being possible: see `hdf5_chunks`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from pulvinar.errors import PulvinarError, TooLarge, UnreadableFile
from pulvinar.ingest.reader import Finding, Options, SourceFile
from pulvinar.ingest.readers.absence import missing_pieces
from pulvinar.ingest.readers.hdf5_heaps import check_heaps
from pulvinar.ingest.readers.raw_volume import check_believable

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_USER_BLOCKS = (0, 512, 1024, 2048)
_MOST_HOPS = 16
_MOST_MEMBERS = 30_000
_LARGEST_CHUNK_BYTES = 256 << 20
FILTERS = {1: "deflate", 2: "shuffle", 3: "fletcher32", 32000: "lzf", 32004: "lz4", 32015: "zstd"}
"""Filters that are undone, by their registered numbers; HDF5 would load a plugin's code for most others."""


def is_hdf5(file: SourceFile) -> bool:
    """Whether the file begins as HDF5 does, at its start or behind a user block (MATLAB 7.3 writes one)."""
    return any(file.head[start : start + 8] == _SIGNATURE for start in _USER_BLOCKS)


@contextmanager
def damage(name: str) -> Iterator[None]:
    """Turns whatever h5py raises on a damaged file into `UnreadableFile`."""
    try:
        yield
    except (PulvinarError, MemoryError):
        raise
    except Exception as error:
        raise UnreadableFile(f"{name} is damaged: {error}", hint="copy the file again") from error


def open_hdf5(path: Path, name: str) -> Any:
    """The open `h5py.File`, a context manager. Members are to be had from `member`, `dataset` and `datasets` alone,
    which follow no link out of it. Raises `UnreadableFile` for one over which HDF5 would never end."""
    import h5py

    check_heaps(path, name)
    with damage(name):
        return h5py.File(path, "r", locking=False)


def member(group: Any, path: str, name: str) -> Any:
    """The object at `path` below `group`, None where there is none; links within the file are followed.

    Raises `UnreadableFile` for a link to another file, and for links that go in a circle.
    """
    import h5py

    place, hops = group, 0
    left = path.split("/")[::-1]
    while left:
        part = left.pop()
        if part in ("", "."):
            continue
        link = place.get(part, getlink=True) if isinstance(place, h5py.Group) else None
        if link is None:
            return None
        if isinstance(link, h5py.ExternalLink):
            raise UnreadableFile(
                f"{name}: {path} is a link to elsewhere (the file {link.filename!r})", hint="save the file whole"
            )
        if isinstance(link, h5py.SoftLink):
            hops += 1
            if hops > _MOST_HOPS:
                raise UnreadableFile(f"{name}: {path} is a link that leads to no end", hint="save the file again")
            place = place.file if link.path.startswith("/") else place
            left += link.path.split("/")[::-1]
            continue
        place = place[part]
    return place


def dataset(group: Any, path: str, name: str) -> Any:
    """The dataset at `path` below `group`, None where there is none; checked as by `check_dataset`."""
    import h5py

    data = member(group, path, name)
    if data is None:
        return None
    if not isinstance(data, h5py.Dataset):
        raise UnreadableFile(f"{name}: {path} is not a dataset")
    check_dataset(data, name)
    return data


def datasets(file: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Every dataset of the file with its path, each once and not yet checked; links are passed over."""
    import h5py

    for path, place in _members(file, name):
        if isinstance(place, h5py.Dataset):
            yield path, place


def external_links(file: Any, name: str) -> list[tuple[str, str]]:
    """The links that lead into other files: the path of each, and the file that it names."""
    import h5py

    return [(path, str(link.filename)) for path, link in _members(file, name) if isinstance(link, h5py.ExternalLink)]


def _members(file: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Every object of the file once, and every link of another kind as itself, with its path."""
    import h5py

    seen: set[int] = set()
    left: list[tuple[str, Any]] = [("", file)]
    while left:
        path, place = left.pop()
        if isinstance(place, h5py.ExternalLink | h5py.SoftLink):
            yield path, place
            continue
        address = h5py.h5o.get_info(place.id).addr
        if address in seen:
            continue
        seen.add(address)
        if len(seen) > _MOST_MEMBERS:
            raise TooLarge(f"{name} has more than {_MOST_MEMBERS} groups and datasets", hint="split the file")
        yield path, place
        if isinstance(place, h5py.Group):
            with damage(name):
                links = [(key, place.get(key, getlink=True)) for key in place]
                found = [(key, place[key] if isinstance(link, h5py.HardLink) else link) for key, link in links]
            left += [(f"{path}/{key}".lstrip("/"), item) for key, item in reversed(found)]


def check_dataset(data: Any, name: str) -> None:
    """Raise `UnreadableFile` or `TooLarge` for a dataset that would read other files, run other code, or declares more
    than the file can hold."""
    path = data.name.lstrip("/")
    if data.external:
        other = text(data.external[0][0])
        raise UnreadableFile(f"{name}: {path} lies in other files ({other!r})", hint="save the file whole")
    if data.is_virtual:
        others = [source.file_name for source in data.virtual_sources()]
        raise UnreadableFile(
            f"{name}: {path} lies in other files ({others[0] if others else ''!r})", hint="save the file whole"
        )
    if data.shape is None:
        raise UnreadableFile(f"{name} is damaged: {path} has no values", hint="copy the file again")
    filters = filters_of(data)
    if set(filters) - set(FILTERS) or len(set(filters)) < len(filters):
        raise UnreadableFile(f"{name}: {path} is packed by the filters {sorted(filters)}", hint="save it with gzip")
    size = data.id.get_type().get_size()
    if data.chunks and prod(data.chunks) * size > _LARGEST_CHUNK_BYTES:
        raise TooLarge(f"{name}: one chunk of {path} has {data.chunks} values", hint="save it with smaller chunks")
    check_believable(prod(data.shape) * size, data.file.id.get_filesize(), f"{name}: {path}, of shape {data.shape},")


def filters_of(data: Any) -> list[int]:
    """The numbers of the filters of a dataset, in the order in which they were applied."""
    plist = data.id.get_create_plist()
    return [plist.get_filter(index)[0] for index in range(plist.get_nfilters())]


def absent_chunks(data: Any) -> tuple[int, int]:
    """How many chunks of a dataset are not stored, and how many it has; one that lies whole counts as one chunk."""
    if not data.chunks:
        return int(data.size > 0 and data.id.get_storage_size() == 0), 1
    expected = prod(-(-n // m) for n, m in zip(data.shape, data.chunks, strict=True))
    return expected - data.id.get_num_chunks(), expected


def check_stored(data: Any, name: str) -> None:
    """Raise `UnreadableFile` for values that are declared and never written: HDF5 would give its fill for them."""
    absent, expected = absent_chunks(data)
    if absent > 0:
        raise UnreadableFile(
            f"{name}: {absent} of the {expected} parts of its {data.name.lstrip('/')} are not stored",
            hint="copy the file again, or export it again",
        )


def absence_findings(data: Any, name: str, options: Options) -> list[Finding]:
    """What is to be said of chunks that are not stored; raises `UnreadableFile` where none is."""
    absent, expected = absent_chunks(data)
    if absent >= expected:
        raise UnreadableFile(
            f"{name}: {data.name.lstrip('/')} declares the shape {data.shape}, and none of it is stored",
            hint="copy the file again; perhaps its recording was broken off",
        )
    what = f"{absent} of its {expected} chunks are not stored"
    return [missing_pieces(what, "fill", options)] if absent > 0 else []


def text(value: Any) -> str:
    """An attribute's text, which may come as bytes, as an array of one text, or as one of single letters (Imaris)."""
    if isinstance(value, np.ndarray):
        parts = [text(part) for part in value.ravel()[:_MOST_MEMBERS].tolist()]
        return "".join(parts)
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
