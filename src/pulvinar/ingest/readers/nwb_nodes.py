"""The objects of an open NWB file, and what their attributes and datasets say.

An object is a group that states its `neurodata_type`. Types of extensions are not known by name, so that what an object
is follows from what it holds. Source: the NWB format specification 2.x and the HDMF common schema.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
import numpy.typing as npt

from pulvinar.errors import TooLarge, UnreadableFile
from pulvinar.ingest.readers.hdf5_chunks import Hdf5Numbers, texts
from pulvinar.ingest.readers.hdf5_files import check_dataset, dataset, member, text

_MOST_NODES = 100_000
_MOST_TEXT = 4000
_MOST_TEXTS = 1000
_PASSED_OVER = ("specifications",)
"""What of a file describes the format itself."""


@dataclass(frozen=True)
class Node:
    """A group or dataset with a type; `path` has no leading slash."""

    path: str
    place: Any
    type: str

    @property
    def title(self) -> str:
        """The last part of its path."""
        return self.path.rpartition("/")[2]

    @property
    def parent(self) -> str:
        """The path of what it lies in."""
        return self.path.rpartition("/")[0]


def nodes(file: Any, name: str) -> Iterator[Node]:
    """Every typed object once, in the file's order. Links within the file are passed over: what they lead to is found
    where it lies.

    Raises `UnreadableFile` for a link to another file, `TooLarge` for more objects than are looked at.
    """
    import h5py

    seen: set[int] = set()
    left: list[tuple[str, Any]] = [("", file)]
    while left:
        path, place = left.pop()
        address = h5py.h5o.get_info(place.id).addr
        if address in seen:
            continue
        seen.add(address)
        if len(seen) > _MOST_NODES:
            raise TooLarge(f"{name} has more than {_MOST_NODES} objects", hint="split the file")
        kind = text(place.attrs.get("neurodata_type", ""))
        if path and kind:
            yield Node(path, place, kind)
        if isinstance(place, h5py.Group):
            left += reversed(list(_members(place, path, name)))


def _members(group: Any, path: str, name: str) -> Iterator[tuple[str, Any]]:
    import h5py

    for key in group:
        below = f"{path}/{key}".lstrip("/")
        link = group.get(key, getlink=True)
        if isinstance(link, h5py.ExternalLink):
            # refused with the name of the other file
            member(group, key, name)
        if isinstance(link, h5py.HardLink) and below not in _PASSED_OVER:
            yield below, group[key]


def is_group(place: Any) -> bool:
    """Whether `place` is an HDF5 group."""
    import h5py

    return isinstance(place, h5py.Group)


def number_said(place: Any, key: str, default: float) -> float:
    """The attribute `key` as a finite number; `default` where there is none, or none that is finite."""
    try:
        value = float(np.ravel(place.attrs.get(key, default))[0])
    except (TypeError, ValueError, IndexError):
        return default
    return value if isfinite(value) else default


def text_said(place: Any, key: str) -> str:
    """The attribute `key` as text, "" where there is none."""
    return text(place.attrs.get(key, ""))[:_MOST_TEXT].strip()


def text_at(group: Any, path: str, name: str) -> str:
    """The text of the dataset at `path`, the texts of several joined by commas; "" where there is none."""
    return ", ".join(texts_at(group, path, name))


def texts_at(group: Any, path: str, name: str) -> list[str]:
    """The texts of the dataset at `path`; none where there is no such dataset, or one without text."""
    import h5py

    data = dataset(group, path, name)
    if data is None or (data.dtype.kind != "S" and h5py.check_string_dtype(data.dtype) is None):
        return []
    if data.size > _MOST_TEXTS:
        raise UnreadableFile(f"{name}: {path} has {data.size} texts, {_MOST_TEXTS} are read")
    return [said[:_MOST_TEXT].strip() for said in texts(data, name) if said.strip()]


def numbers_of(data: Any, name: str) -> npt.NDArray[Any]:
    """All values of a dataset of numbers."""
    with closing(Hdf5Numbers(data, name)) as numbers:
        return numbers.whole()


def numbers_at(group: Any, path: str, name: str) -> npt.NDArray[np.float64] | None:
    """The values of the dataset at `path` as float64, None where there is none or it holds no numbers."""
    data = dataset(group, path, name)
    if data is None or data.dtype.kind not in "iuf":
        return None
    return numbers_of(data, name).astype(np.float64)


def records_of(data: Any, name: str) -> npt.NDArray[Any] | None:
    """All values of a dataset of compound values or references; None where they are packed, for only HDF5 itself
    could unpack them, and it does so without end."""
    check_dataset(data, name)
    if data.id.get_create_plist().get_nfilters():
        return None
    return np.asarray(data[()])


def target_of(place: Any, reference: Any) -> Any:
    """The object that a reference leads to, within the file; None where it leads nowhere."""
    if not reference:
        return None
    try:
        return place.file[reference]
    except (ValueError, TypeError, KeyError):
        return None


def path_of(place: Any) -> str:
    """The path of an object, "" where it has none."""
    return "" if place is None else str(place.name or "").lstrip("/")
