"""A volume in the datasets of one HDF5 file: one dataset with all axes, or one for each time point and channel."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pulvinar.errors import UnreadableFile
from pulvinar.ingest.reader import Finding, Options
from pulvinar.ingest.readers.absence import missing_pieces
from pulvinar.ingest.readers.hdf5_chunks import Hdf5Numbers
from pulvinar.ingest.readers.hdf5_files import absence_findings, absent_chunks, damage, dataset, open_hdf5
from pulvinar.ingest.readers.raw_volume import check_shape, put
from pulvinar.model.space import Window
from pulvinar.model.volume import AXES, Shape5

_OPEN_PARTS = 8
_CACHE_BYTES = 32 << 20


@dataclass(frozen=True)
class Hdf5Image:
    """`parts` has the path of the dataset at each (t, c) that is there, of `outer` ones; a dataset's axes are
    `letters`, and of each the first `sizes` values are meant (a program may pad). `stored` is a dataset's dtype,
    `dtype` what its bytes mean."""

    parts: Mapping[tuple[int, int], str]
    outer: tuple[int, int]
    letters: str
    sizes: tuple[int, ...]
    chunks: tuple[int, ...]
    stored: np.dtype[Any]
    dtype: np.dtype[Any]

    @classmethod
    def of(
        cls,
        file: Any,
        parts: Mapping[tuple[int, int], str],
        letters: str,
        name: str,
        *,
        sizes: Sequence[int] | None = None,
        unsigned: bool = False,
    ) -> Hdf5Image:
        """The image that the datasets `parts` of an open file make, which must be alike; `unsigned`: integers with a
        sign stand for those without. Raises `UnreadableFile`, naming the dataset, for what can't be read."""
        first = _numbers(file, next(iter(parts.values())), name)
        for path in parts.values():
            other = _numbers(file, path, name)
            if (other.shape, other.dtype) != (first.shape, first.dtype):
                raise UnreadableFile(
                    f"{name}: {path} is of {other.dtype} and {other.shape}, the first is of {first.dtype} and "
                    f"{first.shape}",
                    hint="save the file again",
                )
        if sizes is not None and any(n > m for n, m in zip(sizes, first.shape, strict=True)):
            raise UnreadableFile(f"{name}: it declares {tuple(sizes)} voxels, and stores {first.shape}")
        sizes = tuple(int(n) for n in (sizes or first.shape))
        check_shape(sizes, name)
        data = dataset(file, next(iter(parts.values())), name)
        chunks = data.chunks or (*[1] * (len(sizes) - 2), *sizes[-2:])
        stored = first.dtype
        meant = np.dtype(stored.str.replace("i", "u")) if unsigned and stored.kind == "i" else stored
        outer = (max(t for t, _ in parts) + 1, max(c for _, c in parts) + 1)
        return cls(parts, outer, letters, sizes, tuple(map(min, chunks, sizes)), stored, meant)

    @property
    def shape(self) -> Shape5:
        """Voxels in (t, c, z, y, x)."""
        return self._spread(self.sizes, {"t": self.outer[0], "c": self.outer[1]})

    @property
    def block_shape(self) -> Shape5:
        """A chunk."""
        return self._spread(self.chunks, {})

    def _spread(self, sizes: Sequence[int], outer: Mapping[str, int]) -> Shape5:
        known = {**outer, **dict(zip(self.letters, sizes, strict=True))}
        t, c, z, y, x = (known.get(axis, 1) for axis in AXES)
        return t, c, z, y, x

    def absence_findings(self, file: Any, name: str, options: Options) -> list[Finding]:
        """What is to be said of datasets and chunks that are not stored."""
        missing = self.outer[0] * self.outer[1] - len(self.parts)
        found = []
        if missing:
            text = f"{missing} of its {missing + len(self.parts)} images are not in the file"
            found.append(missing_pieces(text, "0", options))
        if len(self.parts) == 1:
            return found + absence_findings(dataset(file, next(iter(self.parts.values())), name), name, options)
        counts = [absent_chunks(dataset(file, path, name)) for path in self.parts.values()]
        absent, expected = (sum(count) for count in zip(*counts, strict=True))
        if absent >= expected:
            raise UnreadableFile(f"{name} declares the shape {self.shape}, and none of it is stored")
        if absent:
            found.append(missing_pieces(f"{absent} of its {expected} chunks are not stored", "fill", options))
        return found


def _numbers(file: Any, path: str, name: str) -> Hdf5Numbers:
    data = dataset(file, path, name)
    if data is None:
        raise UnreadableFile(f"{name}: {path} is not there", hint="copy the file again")
    return Hdf5Numbers(data, name, cache_bytes=_CACHE_BYTES)


class Hdf5Volume:
    """An `OpenVolume` over an `Hdf5Image`. Raises `UnreadableFile`, naming the chunk, for what is damaged."""

    def __init__(self, path: Path, image: Hdf5Image, name: str) -> None:
        self._file = open_hdf5(path, name)
        self._image, self._name = image, name
        self._open: OrderedDict[str, Hdf5Numbers] = OrderedDict()

    def read_into(self, window: Window, out: npt.NDArray[Any]) -> None:
        """Fill `out`, of `window.shape` and the described dtype."""
        letters = self._image.letters
        slices = dict(zip(AXES, window.slices, strict=True))
        wanted = [slices[letter] for letter in letters]
        # of an axis that a dataset doesn't have there is one
        drop = tuple(slice(None) if axis in letters else 0 for axis in AXES)
        order = [[axis for axis in AXES if axis in letters].index(letter) for letter in letters]
        for index, part in self._parts(slices):
            goal = out[index]
            path = self._image.parts.get(part)
            if path is None:
                goal[...] = 0
                continue
            numbers, goal = self._numbers(path), goal[drop].transpose(order)
            if numbers.dtype.kind == "f" and goal.dtype.kind != "f":
                put(numbers.read(wanted), goal, self._name)
            else:
                # integers with a sign become those without by their bits
                numbers.read(wanted, goal)

    def close(self) -> None:
        """Let go of the file."""
        for numbers in self._open.values():
            numbers.close()
        self._file.close()

    def _parts(self, slices: Mapping[str, slice]) -> Iterator[tuple[tuple[slice, slice], tuple[int, int]]]:
        """For each dataset that a window touches: where it goes along (t, c), and which it is."""
        spans = [
            [(slice(None), 0)]
            if letter in self._image.letters
            else [
                (slice(i - slices[letter].start, i - slices[letter].start + 1), i) for i in _numbers_of(slices[letter])
            ]
            for letter in "tc"
        ]
        for (at_t, t), (at_c, c) in product(*spans):
            yield (at_t, at_c), (t, c)

    def _numbers(self, path: str) -> Hdf5Numbers:
        if path not in self._open:
            with damage(self._name):
                self._open[path] = _numbers(self._file, path, self._name)
            while len(self._open) > _OPEN_PARTS:
                self._open.popitem(last=False)[1].close()
        self._open.move_to_end(path)
        return self._open[path]


def _numbers_of(part: slice) -> range:
    return range(part.start, part.stop)
