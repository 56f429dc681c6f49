"""Voxels that lie in a file as they are in memory, read by window.

Positioned reads, not a memory map: they bring what lies in the file to where it is wanted, and a file that shrinks
while it is read is an error with a name.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pulvinar.errors import UnreadableFile
from pulvinar.ingest.reader import Finding, Options, Severity, VolumeDescription
from pulvinar.model.space import Window
from pulvinar.model.volume import AXES, Channel, Shape5, VolumeKind

Voxels = npt.NDArray[Any]
_LABEL_WORDS = ("label", "labels", "seg", "parc", "segmentation", "annotation", "mask", "atlas")
_SLAB_BYTES = 16 << 20
_MOST_WASTE = 4
_LONG_RUN_BYTES = 64 << 10
_EXACT = 2**53
_FOOTER_BYTES = 1 << 20
_ALWAYS_BELIEVED_BYTES = 64 << 20
DEFLATE_MOST = 1032
"""Deflate makes at most 258 bytes of 2 bits (RFC 1951)."""
MOST_CHANNELS = 4096
LARGEST_AXIS = 1 << 40
"""No axis is longer: what a header may declare before it is not believed."""


@dataclass(frozen=True)
class RawLayout:
    """How the voxels lie in the file: `order` names the axes from the slowest to the fastest, of "tczyx".

    `dtype` is a numpy name with byte order. What is read is `stored * slope + intercept`.
    """

    shape: Shape5
    dtype: str
    offset: int = 0
    order: str = "tczyx"
    slope: float = 1.0
    intercept: float = 0.0

    @property
    def size_bytes(self) -> int:
        """Bytes from the first voxel to the last."""
        return prod(self.shape) * np.dtype(self.dtype).itemsize

    @property
    def is_identity(self) -> bool:
        """Whether what is stored is what is meant."""
        return self.slope == 1.0 and self.intercept == 0.0

    @property
    def block_shape(self) -> Shape5:
        """A row, which is what is read at once."""
        return 1, self.shape[1] if self.order.endswith("c") else 1, 1, 1, self.shape[4]

    def meaning_dtype(self, kind: VolumeKind | None) -> str:
        """The dtype that reading gives: scaled values are floats wide enough for what is stored, labels integers."""
        stored = np.dtype(self.dtype)
        if kind is VolumeKind.LABELS and (stored.kind == "f" or not self.is_identity):
            return "uint32"
        if self.is_identity:
            return stored.newbyteorder("=").name
        return float_type(stored).name


def float_type(stored: np.dtype[Any]) -> np.dtype[Any]:
    """The type of floats that holds numbers stored as `stored`: float32 where they have two bytes or are of it."""
    narrow = stored.itemsize <= 2 or (stored.kind == "f" and stored.itemsize == 4)
    return np.dtype(np.float32 if narrow else np.float64)


def floats_of(values: Voxels, what: str) -> Voxels:
    """`values` as floats of their `float_type`; raises `UnreadableFile` for a whole number that no float holds."""
    is_wide = values.dtype.kind in "iu" and values.dtype.itemsize == 8 and values.size > 0
    if is_wide and max(int(values.max()), -int(values.min())) > _EXACT:
        raise UnreadableFile(f"{what} has whole numbers beyond 2^53", hint="save it as float64")
    return values.astype(float_type(values.dtype), copy=False)


class RawVolume:
    """An `OpenVolume` over one file of uncompressed voxels; raises `UnreadableFile` where the file ends too early."""

    def __init__(self, path: Path, layout: RawLayout, dtype: str, name: str) -> None:
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._layout = layout
        self._stored = np.dtype(layout.dtype)
        self._axes = [AXES.index(axis) for axis in layout.order]
        self._disk_shape = [layout.shape[axis] for axis in self._axes]
        self._strides = [prod(self._disk_shape[axis + 1 :]) for axis in range(len(self._disk_shape))]
        self._dtype = np.dtype(dtype)
        self._name = name

    def read_into(self, window: Window, out: Voxels) -> None:
        """Fill `out`, of `window.shape` and the described dtype."""
        start = [window.start[axis] for axis in self._axes]
        stop = [window.stop[axis] for axis in self._axes]
        target = out.transpose(self._axes)
        split = self._split(start, stop)
        crop = tuple(slice(a, b) for a, b in zip(start[split + 1 :], stop[split + 1 :], strict=True))
        inner = self._disk_shape[split + 1 :]
        rows = stop[split] - start[split]
        outer = product(*(range(a, b) for a, b in zip(start[:split], stop[:split], strict=True)))
        firsts = (sum(i * n for i, n in zip((*index, start[split]), self._strides, strict=False)) for index in outer)
        whole = all(b - a == n for a, b, n in zip(start[split + 1 :], stop[split + 1 :], inner, strict=True))
        straight = whole and self._layout.is_identity and self._stored == out.dtype and target.flags.c_contiguous
        if straight:
            # what lies in the file as it is wanted goes there without a copy
            self._read(list(firsts), memoryview(target.reshape(-1).view(np.uint8).data))
            return
        places = product(*(range(b - a) for a, b in zip(start[:split], stop[:split], strict=True)))
        for first, place in zip(firsts, places, strict=True):
            stored = np.empty((rows, *inner), self._stored)
            self._read([first], memoryview(stored.reshape(-1).view(np.uint8).data))
            self._convert(stored[(slice(None), *crop)], target[place])

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)

    def _split(self, start: list[int], stop: list[int]) -> int:
        """The slowest axis from which on one read fetches all, small enough and with little waste."""
        sides = [b - a for a, b in zip(start, stop, strict=True)]
        inmost = next((axis for axis in reversed(range(len(sides))) if sides[axis] < self._disk_shape[axis]), 0)
        # what lies together at such length is fetched by itself
        is_long = prod(sides[inmost:]) * self._stored.itemsize >= _LONG_RUN_BYTES
        most_waste = 1 if is_long else _MOST_WASTE
        for split in range(len(start)):
            slab = (stop[split] - start[split]) * prod(self._disk_shape[split + 1 :])
            needed = prod(sides[split:])
            if slab * self._stored.itemsize <= _SLAB_BYTES and slab <= most_waste * needed:
                return split
        return len(start) - 1

    def _read(self, firsts: list[int], room: memoryview) -> None:
        """Fill `room`, in equal parts, with what is stored from each of the voxel numbers `firsts` on."""
        size = len(room) // len(firsts)
        for number, first in enumerate(firsts):
            part = room[number * size : (number + 1) * size]
            position = self._layout.offset + first * self._stored.itemsize
            while part:
                got = os.preadv(self._file, [part], position)
                if not got:
                    raise UnreadableFile(f"{self._name} is truncated: it ends at byte {position}")
                part, position = part[got:], position + got

    def _convert(self, stored: Voxels, out: Voxels) -> None:
        if self._layout.is_identity and (self._stored.kind != "f" or self._dtype.kind == "f"):
            out[...] = stored
            return
        meant = stored.astype(np.float64)
        if not self._layout.is_identity:
            meant *= self._layout.slope
            meant += self._layout.intercept
        if self._dtype.kind == "f":
            out[...] = meant
        else:
            out[...] = as_labels(meant, self._dtype, self._name)


def as_labels(values: npt.NDArray[np.float64], dtype: np.dtype[Any], name: str) -> Voxels:
    """`values` as integers of `dtype`; raises `UnreadableFile` when one isn't a whole number or doesn't fit."""
    limits = np.iinfo(dtype)
    if not ((values == np.rint(values)) & (values >= limits.min) & (values <= limits.max)).all():
        raise UnreadableFile(
            f"{name}: not every value is a whole number from {limits.min} to {limits.max}, so these aren't labels",
            hint="give --kind image",
        )
    return values.astype(dtype)


def meaning_dtype(stored: npt.DTypeLike, kind: VolumeKind | None) -> str:
    """The dtype that reading values as they are stored gives: labels are integers, halves become floats."""
    dtype = np.dtype(stored)
    if kind is VolumeKind.LABELS and dtype.kind == "f":
        return "uint32"
    if dtype.kind == "b":
        return "uint8"
    return "float32" if dtype.kind == "f" and dtype.itemsize == 2 else dtype.newbyteorder("=").name


def put(values: Voxels, goal: Voxels, label: str) -> None:
    """`values` into `goal`, whose type may be wider; floats become labels only where they are whole numbers."""
    if goal.dtype.kind in "iu" and values.dtype.kind == "f":
        goal[...] = as_labels(values.astype(np.float64), goal.dtype, label)
    else:
        goal[...] = values


def described(layout: RawLayout, kind: VolumeKind | None, **more: Any) -> VolumeDescription:
    """The description of a volume that lies as `layout` says."""
    return VolumeDescription(
        shape=layout.shape, dtype=layout.meaning_dtype(kind), block_shape=layout.block_shape, kind=kind, **more
    )


def component_channels(count: int, name: str) -> tuple[Channel, ...]:
    """Channels for the values of a voxel, none for one; raises `UnreadableFile` for more than are believed."""
    if count > MOST_CHANNELS:
        raise UnreadableFile(f"{name}: its header declares {count} values a voxel, {MOST_CHANNELS} are read")
    return tuple(Channel(f"component {index + 1}", "") for index in range(count)) if count > 1 else ()


def name_findings(stem: str, options: Options, *, certain: bool = False) -> list[Finding]:
    """A note that asks for `--kind labels` where a file's name speaks of labels, or its header does (`certain`)."""
    spoken = any(word.endswith(_LABEL_WORDS) for word in re.split(r"[^a-z]+", stem.lower()))
    if options.kind is not None or not (certain or spoken):
        return []
    return [Finding(Severity.NOTE, "these may be labels: then give --kind labels", "--kind")]


def check_shape(shape: tuple[int, ...], name: str) -> None:
    """Raise `UnreadableFile` when an axis of `shape` is empty, negative or beyond belief."""
    if not all(0 < size <= LARGEST_AXIS for size in shape):
        raise UnreadableFile(f"{name}: its header declares the dimensions {shape}", hint="repair the file's header")


def trailer_doubts(path: Path, layout: RawLayout, packed: str) -> list[Finding]:
    """A doubt when a gzip file's last four bytes, its unpacked size, don't fit what its header declares.

    It is no more than a doubt: a file may be packed in several members, and the last one tells of itself alone.
    """
    if packed != "gzip":
        return []
    with path.open("rb") as file:
        file.seek(-4, os.SEEK_END)
        said = int.from_bytes(file.read(4), "little")
    declared = layout.offset + layout.size_bytes
    # modulo 2^32 by its definition (RFC 1952); a footer may follow the voxels
    if (said - declared) % (1 << 32) <= _FOOTER_BYTES:
        return []
    text = (
        f"its compressed stream says that it holds {said} bytes, its header declares {declared}: it may be cut off, "
        "which shows when it is read"
    )
    return [Finding(Severity.DOUBT, text)]


def check_believable(declared: int, size_bytes: int, what: str) -> None:
    """Raise `UnreadableFile` when a file of `size_bytes` can't hold the `declared` bytes of `what`, even packed.

    What is not stored reads as fill, so that a little file may be honest and declare more than it holds.
    """
    holds = size_bytes * DEFLATE_MOST
    if declared > max(holds, _ALWAYS_BELIEVED_BYTES):
        raise UnreadableFile(
            f"{what} declares {declared} bytes, and the file can't hold more than {holds}",
            hint="copy the file again, or save it without the parts that are empty",
        )


def check_room(size_bytes: int, layout: RawLayout, packed: str, name: str) -> None:
    """Raise `UnreadableFile` when a file of `size_bytes` can't hold what its header declares.

    `packed` is the compression. A header that declares terabytes in a small file is so known to lie before anything is
    read.
    """
    declared = layout.offset + layout.size_bytes
    holds = size_bytes * DEFLATE_MOST if packed == "gzip" else size_bytes
    if packed != "bzip2" and holds < declared:
        raise UnreadableFile(
            f"{name} is truncated: its header declares {declared} bytes, its {size_bytes} bytes can't hold them",
            hint="copy the file again, or repair its header",
        )
