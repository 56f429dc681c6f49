"""The objects of an open NWB file.

An object is a group that states its `neurodata_type`. Types of extensions are not known by name, so that what an object
is follows from what it holds. Source: the NWB format specification 2.x and the HDMF common schema.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pulvinar.errors import TooLarge
from pulvinar.ingest.readers.hdf5_files import member, text

_MOST_NODES = 100_000
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
