"""Morphologies in HDF5, as the Blue Brain Project keeps them: points, and sections that say where they begin.

`points` has x, y, z and diameter in micrometres, `structure` a row a section: its first point, its type as in SWC, and
its parent. A section begins with its parent's last point. Source: MorphIO's specification of morphologies in HDF5.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from pulvinar.errors import Invalid, TooLarge, UnreadableFile
from pulvinar.ingest.reader import Finding, FoundAsset, GeometryData, OpenVolume, Options, SkeletonData, SourceFile
from pulvinar.ingest.readers.forests import (
    SOMA,
    Floats,
    Ints,
    depths,
    neuron_asset,
    skeleton_data,
    skeleton_findings,
    soma_of_outlines,
)
from pulvinar.ingest.readers.hdf5_chunks import Hdf5Numbers
from pulvinar.ingest.readers.hdf5_files import check_stored, damage, dataset, is_hdf5, member, open_hdf5

_MOST_POINTS = 20_000_000
_LARGEST_TYPE = 2**15


class MorphologyH5Reader:
    """Reads neurons; asked before readers of HDF5 that hold anything."""

    name: ClassVar[str] = "morphology_h5"
    priority: ClassVar[int] = 200

    def find(self, files: Sequence[SourceFile], options: Options) -> Iterator[FoundAsset]:
        """One asset a file that has `points` of four columns and a `structure` of three."""
        for file in files:
            if is_hdf5(file) and _is_morphology(file):
                skeleton, findings = _read(file.path, file.name, options)
                yield neuron_asset(self.name, file, skeleton, findings)

    def open_volume(self, asset: FoundAsset, root: Path, options: Options, scratch: Path) -> OpenVolume:
        """Never: every asset of this reader is a skeleton."""
        raise Invalid(f"{asset.name} is a neuron, not a volume")

    def read_geometry(self, asset: FoundAsset, root: Path, options: Options) -> GeometryData:
        """The neuron; its cell body is one node where the trees begin."""
        name = asset.files[0]
        return _read(root / name, name, options)[0]


def _is_morphology(file: SourceFile) -> bool:
    with damage(file.name), open_hdf5(file.path, file.name) as opened:
        shapes = [getattr(member(opened, key, file.name), "shape", None) or () for key in ("points", "structure")]
    return [shape[1:] for shape in shapes] == [(4,), (3,)]


def _read(path: Path, name: str, options: Options) -> tuple[SkeletonData, list[Finding]]:
    with damage(name), open_hdf5(path, name) as opened:
        points = _array(dataset(opened, "points", name), np.float64, name)
        structure = _array(dataset(opened, "structure", name), np.int64, name)
    _check(points, structure, name)
    ends = np.append(structure[1:, 0], len(points))
    outlines = [points[start:end] for (start, kind, _), end in zip(structure, ends, strict=True) if kind == SOMA]
    soma, findings = np.empty((0, 4)), list[Finding]()
    if outlines:
        node, findings = soma_of_outlines(outlines)
        soma = node[None]
    skeleton = skeleton_data(*_nodes(points, structure, ends, soma), options)
    return skeleton, [*findings, *skeleton_findings(skeleton, options)]


def _nodes(points: Floats, structure: Ints, ends: Ints, soma: Floats) -> tuple[Floats, Ints, npt.NDArray[np.int16]]:
    """Nodes, parents and types: the cell body, if there is one, and behind it the sections in their order."""
    starts, kinds, above = structure.T
    is_tree = kinds != SOMA
    is_fork = is_tree & (above >= 0) & is_tree[above]
    # the point of the fork is not taken twice
    repeats = is_fork & (points[starts, :3] == points[ends[above] - 1, :3]).all(axis=1)
    kept = np.repeat(is_tree, ends - starts)
    kept[starts[repeats]] = False
    row = np.cumsum(kept) + len(soma) - 1
    first = starts + repeats
    last = np.where(is_tree, row[ends - 1], -1)
    # a section of nothing but the point of the fork goes on where the one above it ends, which comes before it
    for place in np.flatnonzero(is_tree & (first == ends)):
        last[place] = last[above[place]]
    parents = row - 1
    begins = is_tree & (first < ends)
    parents[first[begins]] = np.where(is_fork, last[above], len(soma) - 1)[begins]
    nodes = points[kept]
    nodes[:, 3] /= 2
    types = np.repeat(kinds.astype(np.int16), ends - starts)[kept]
    if not len(soma):
        return nodes, parents[kept], types
    root = np.array([-1]), np.array([SOMA], np.int16)
    return np.concatenate([soma, nodes]), np.concatenate([root[0], parents[kept]]), np.concatenate([root[1], types])


def _array(data: Any, dtype: type, name: str) -> npt.NDArray[Any]:
    """A dataset whole, as floats or whole numbers."""
    if data is None or data.dtype.kind not in ("fiu" if dtype is np.float64 else "iu"):
        raise UnreadableFile(f"{name}: its points or its structure are no numbers", hint="export it again")
    if data.shape[0] > _MOST_POINTS:
        raise TooLarge(f"{name} has {data.shape[0]} points; at most {_MOST_POINTS} are read", hint="split the file")
    check_stored(data, name)
    numbers = Hdf5Numbers(data, name)
    try:
        return numbers.whole().astype(dtype)
    finally:
        numbers.close()


def _check(points: Floats, structure: Ints, name: str) -> None:
    """Raise `UnreadableFile` unless sections share all points among them and each has its parent before it."""
    if not len(points) or not len(structure):
        raise UnreadableFile(f"{name} has {len(points)} points and {len(structure)} sections", hint="leave it out")
    finite = np.isfinite(points)
    if not finite.all():
        first = int(np.argmin(finite.all(axis=1)))
        raise UnreadableFile(f"{name}: point {first} is not finite", hint="export it again")
    starts, kinds, parents = structure.T
    lengths = np.diff(np.append(starts, len(points)))
    _refuse_first(lengths < 1, name, "has no points, or begins behind the end")
    if starts[0] != 0:
        raise UnreadableFile(f"{name}: its first section begins with point {starts[0]}", hint="export it again")
    _refuse_first((kinds < 0) | (kinds >= _LARGEST_TYPE), name, "has a type that is none of SWC")
    _refuse_first((parents < -1) | (parents >= len(structure)), name, "has a parent that is not in the file")
    _refuse_first(depths(parents)[1], name, "is its own ancestor")
    _refuse_first(parents >= np.arange(len(parents)), name, "comes before its parent")


def _refuse_first(wrong: npt.NDArray[np.bool_], name: str, what: str) -> None:
    if wrong.any():
        raise UnreadableFile(f"{name}: section {int(np.argmax(wrong))} {what}", hint="export the file again")
