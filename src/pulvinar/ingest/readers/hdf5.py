"""Other HDF5 files: any dataset of numbers with three to five axes is a volume, as ilastik, Fiji and others write it.

What a dataset says of its axes and lengths is believed (ilastik's `axistags`, HDF5's labels of dimensions,
`element_size_um` of Fiji's plug-in, `resolution` with `units`); the rest is asked. Files of formats that have their own
meaning (NWB, AnnData, morphologies, MATLAB) are passed over.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from pulvinar.errors import Invalid, UnreadableFile
from pulvinar.ingest.reader import (
    Finding,
    FoundAsset,
    GeometryData,
    OpenVolume,
    Options,
    Severity,
    SourceFile,
    VolumeDescription,
)
from pulvinar.ingest.readers.frames import micrometres, settle, size_of_sides, unknown_orientation, unknown_step
from pulvinar.ingest.readers.hdf5_files import (
    absence_findings,
    damage,
    dataset,
    datasets,
    external_links,
    is_hdf5,
    open_hdf5,
    text,
)
from pulvinar.ingest.readers.hdf5_volume import Hdf5Image, Hdf5Volume
from pulvinar.ingest.readers.raw_volume import MOST_CHANNELS, meaning_dtype, name_findings
from pulvinar.ingest.readers.streams import stem_of
from pulvinar.model.dataset import AssetKind

_FEWEST_AXES, _MOST_AXES = 3, 5
_LETTERS = {"time": "t", "channel": "c", "channels": "c", "t": "t", "c": "c", "z": "z", "y": "y", "x": "x"}
_LONGEST_TAGS = 100_000


class Hdf5Reader:
    """Reads datasets of numbers, by the chunks that a window touches. Asked after all readers of HDF5's dialects."""

    name: ClassVar[str] = "hdf5"
    priority: ClassVar[int] = 900

    def find(self, files: Sequence[SourceFile], options: Options) -> Iterator[FoundAsset]:
        """One asset a dataset of three to five axes; files without one are passed over in silence."""
        for file in files:
            if is_hdf5(file):
                with open_hdf5(file.path, file.name) as opened, damage(file.name):
                    if not _has_an_owner(opened, file):
                        yield from _found(opened, file, options)

    def open_volume(self, asset: FoundAsset, root: Path, options: Options, scratch: Path) -> OpenVolume:
        """Open lazily; chunks are unpacked as they are asked for."""
        name = asset.files[0]
        path = asset.key.removeprefix(f"{name}#")
        with open_hdf5(root / name, name) as file, damage(name):
            data = dataset(file, path, name)
            if data is None:
                raise UnreadableFile(f"{name} has no {path} any more", hint="copy it again")
            image = Hdf5Image.of(file, {(0, 0): path}, _letters(data, path, options)[0], name)
        return Hdf5Volume(root / name, image, name)

    def read_geometry(self, asset: FoundAsset, root: Path, options: Options) -> GeometryData:
        """Never: every asset of this reader is a volume."""
        raise Invalid(f"{asset.name} is a volume")


def _has_an_owner(file: Any, source: SourceFile) -> bool:
    """Whether the file is of a format with a meaning of its own, which other readers know."""
    names, attributes = set(file), set(file.attrs)
    return (
        bool({"nwb_version", "neurodata_type", "keras_version"} & attributes)
        or text(file.attrs.get("encoding-type", "")) in ("anndata", "MuData")
        or {"obs", "var", "X"} <= names
        or {"points", "structure"} <= names
        or source.head.startswith(b"MATLAB 7.3")
    )


def _found(file: Any, source: SourceFile, options: Options) -> Iterator[FoundAsset]:
    for path, other in external_links(file, source.name):
        raise UnreadableFile(
            f"{source.name}: {path} is a link to elsewhere (the file {other!r})", hint="save the file whole"
        )
    paths = [
        path
        for path, data in datasets(file, source.name)
        if data.shape is not None and _FEWEST_AXES <= data.ndim <= _MOST_AXES and data.dtype.kind in "iufb"
    ]
    for path in paths:
        yield _asset(file, source, path, options, is_alone=len(paths) == 1)


def _asset(file: Any, source: SourceFile, path: str, options: Options, *, is_alone: bool) -> FoundAsset:
    data = dataset(file, path, source.name)
    letters, findings = _letters(data, f"{source.name}: {path}", options)
    image = Hdf5Image.of(file, {(0, 0): path}, letters, source.name)
    shape = image.shape
    if shape[1] > MOST_CHANNELS:
        raise UnreadableFile(
            f"{source.name}: {path} has {shape[1]} channels, {MOST_CHANNELS} are read", hint="say --axes"
        )
    size_um, asked = size_of_sides(_sides_um(data, letters), shape[2], options)
    size_um, affine_um = settle(size_um, None, shape[2:], options)
    asked += unknown_step(shape[0], options.time_step_s)
    stem = stem_of(source.name)
    name = stem if is_alone else f"{stem} {path}"
    return FoundAsset(
        Hdf5Reader.name,
        key=f"{source.name}#{path}",
        name=name,
        kind=AssetKind.VOLUME,
        files=(source.name,),
        volume=VolumeDescription(
            shape,
            meaning_dtype(image.dtype, options.kind),
            image.block_shape,
            size_um,
            affine_um,
            options.kind,
            time_step_s=options.time_step_s if shape[0] > 1 else None,
        ),
        findings=(
            *findings,
            *asked,
            *absence_findings(data, source.name, options),
            *unknown_orientation(options),
            *name_findings(path.rpartition("/")[2], options),
        ),
        metadata={"header": {"path": path, "stored_dtype": image.stored.name, "axes": letters}},
    )


def _letters(data: Any, name: str, options: Options) -> tuple[str, list[Finding]]:
    """One letter of "tczyx" an axis of the dataset, and what was assumed."""
    count = data.ndim
    if options.axes and len(options.axes) == count:
        if len(set(options.axes)) < count or not set(options.axes) <= set("tczyx"):
            raise Invalid(
                f"--axes {options.axes} can't be for {name}", hint="each of t, c, z, y, x at most once, slowest first"
            )
        return options.axes, []
    if options.axes:
        raise Invalid(
            f"--axes {options.axes} names {len(options.axes)} axes, {name} has {count}: {data.shape}",
            hint="name them all, slowest first",
        )
    said = _said_axes(data)
    letters = "".join(_LETTERS.get(word.strip().lower(), "?") for word in said)
    if len(letters) == count and "?" not in letters and len(set(letters)) == count:
        return letters, []
    assumed = "tczyx"[-count:]
    message = f"it does not name its axes: {data.shape} are taken as {', '.join(assumed)}"
    return assumed, [Finding(Severity.DOUBT, message, "--axes")]


def _said_axes(data: Any) -> Sequence[str]:
    """A word for each axis, from whichever of the usual places has them; none where none has."""
    tags = text(data.attrs.get("axistags", ""))
    if tags and len(tags) <= _LONGEST_TAGS:
        try:
            return [str(axis["key"]) for axis in json.loads(tags)["axes"]]
        except (ValueError, KeyError, TypeError, RecursionError):
            return []
    for attribute in ("axes", "dimension_order"):
        words = text(data.attrs.get(attribute, ""))
        if words:
            return re.split(r"[\s,]+", words) if re.search(r"[\s,]", words) else list(words)
    return [dimension.label for dimension in data.dims]


def _sides_um(data: Any, letters: str) -> Mapping[str, float | None]:
    """The voxel's sides by letter, in the order of the dataset's axes of space."""
    spatial = [letter for letter in letters if letter in "zyx"]
    given, worth = data.attrs.get("element_size_um"), 1.0
    if given is None:
        given = data.attrs.get("resolution")
        unit = text(data.attrs.get("units", data.attrs.get("unit", "")))
        worth = micrometres(unit) or 0.0
    try:
        numbers = np.asarray(given, np.float64).ravel().tolist()
    except (TypeError, ValueError):
        return {}
    # three numbers are of space alone, more are of all axes
    if len(numbers) == len(letters):
        numbers = [number for number, letter in zip(numbers, letters, strict=True) if letter in "zyx"]
    if len(numbers) != len(spatial) or not all(0 < number * worth < math.inf for number in numbers):
        return {}
    sides = dict(zip(spatial, numbers, strict=True))
    return {letter: float(f"{sides[letter] * worth:.7g}") for letter in "zyx" if letter in sides}
