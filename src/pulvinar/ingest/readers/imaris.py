"""Imaris 5.5 files (.ims): an HDF5 file with one dataset for each resolution, time point and channel.

The finest resolution is read, without the voxels that Imaris pads it by. Source: the Imaris 5.5 file format
description, published by Bitplane.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from math import isfinite
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from pulvinar.errors import Invalid, UnreadableFile
from pulvinar.ingest.reader import (
    FoundAsset,
    GeometryData,
    OpenVolume,
    Options,
    SourceFile,
    VolumeDescription,
)
from pulvinar.ingest.readers.frames import (
    micrometres,
    regular_step,
    settle,
    size_of_sides,
    unknown_orientation,
    unknown_step,
)
from pulvinar.ingest.readers.hdf5_files import damage, is_hdf5, member, open_hdf5, text
from pulvinar.ingest.readers.hdf5_volume import Hdf5Image, Hdf5Volume
from pulvinar.ingest.readers.raw_volume import MOST_CHANNELS, meaning_dtype, name_findings
from pulvinar.ingest.readers.streams import stem_of
from pulvinar.model.dataset import AssetKind
from pulvinar.model.volume import Channel

_FINEST = "ResolutionLevel 0"
_MOST_TEXT = 200


class ImarisReader:
    """Reads the images of Imaris files, by the chunks that a window touches."""

    name: ClassVar[str] = "imaris"
    priority: ClassVar[int] = 220

    def find(self, files: Sequence[SourceFile], options: Options) -> Iterator[FoundAsset]:
        """One asset a data set of a file, of which most have one; other HDF5 files are passed over in silence."""
        for file in files:
            if is_hdf5(file) and _is_imaris(file):
                with open_hdf5(file.path, file.name) as opened, damage(file.name):
                    for number in _data_sets(opened, file.name):
                        yield _asset(opened, file, number, options)

    def open_volume(self, asset: FoundAsset, root: Path, options: Options, scratch: Path) -> OpenVolume:
        """Open lazily; chunks are unpacked as they are asked for."""
        name = asset.files[0]
        with open_hdf5(root / name, name) as file, damage(name):
            image = _image(file, asset.key.rpartition("#")[2], name)
        return Hdf5Volume(root / name, image, name)

    def read_geometry(self, asset: FoundAsset, root: Path, options: Options) -> GeometryData:
        """Never: every asset of this reader is a volume."""
        raise Invalid(f"{asset.name} is a volume")


def _is_imaris(file: SourceFile) -> bool:
    """Whether an HDF5 file is Imaris's; a damaged one is where its name says so."""
    try:
        with open_hdf5(file.path, file.name) as opened, damage(file.name):
            return "ImarisDataSet" in opened.attrs or {"DataSet", "DataSetInfo"} <= set(opened)
    except UnreadableFile:
        if file.name.lower().endswith(".ims"):
            raise
        return False


def _data_sets(file: Any, name: str) -> list[str]:
    """The numbers of its data sets as Imaris writes them: "" for the first, then "1", "2" ..."""
    found = [match.group(1) for key in file if (match := re.fullmatch(r"DataSet(\d*)", key))]
    if not found:
        raise UnreadableFile(f"{name} is an Imaris file without a DataSet", hint="save it again")
    return sorted(found, key=lambda number: int(number or 0))


def _numbered(group: Any, word: str) -> dict[int, str]:
    """The members of a group that are called `word` and a number, by that number."""
    matches = [re.fullmatch(rf"{word} (\d{{1,9}})", key) for key in group]
    return {int(match.group(1)): match.group(0) for match in matches if match}


def _image(file: Any, number: str, name: str) -> Hdf5Image:
    finest = f"DataSet{number}/{_FINEST}"
    level = member(file, finest, name)
    times = _numbered(level, "TimePoint") if level is not None else {}
    parts: dict[tuple[int, int], str] = {}
    sizes: tuple[int, ...] | None = None
    for t, time in times.items():
        group = member(file, f"{finest}/{time}", name)
        for c, channel in _numbered(group, "Channel").items():
            place = member(file, f"{finest}/{time}/{channel}", name)
            if "Data" in place:
                parts[t, c] = f"{finest}/{time}/{channel}/Data"
                sizes = sizes or _sizes(place, name)
    if not parts:
        raise UnreadableFile(f"{name} is an Imaris file without an image at {finest}", hint="save it again")
    if max(t for t, _ in parts) >= 1 << 20 or max(c for _, c in parts) >= MOST_CHANNELS:
        raise UnreadableFile(f"{name}: its images are numbered up to {max(parts)}", hint="save it again")
    return Hdf5Image.of(file, dict(sorted(parts.items())), "zyx", name, sizes=sizes)


def _sizes(channel: Any, name: str) -> tuple[int, ...] | None:
    """The voxels along (z, y, x) that a channel means, None where it doesn't say."""
    said = [text(channel.attrs.get(f"ImageSize{axis}", "")).strip() for axis in "ZYX"]
    if not any(said):
        return None
    if not all(re.fullmatch(r"[0-9]{1,12}", word) and int(word) for word in said):
        raise UnreadableFile(f"{name}: its image has the size {said} (z, y, x)", hint="save it again")
    return tuple(int(word) for word in said)


def _asset(opened: Any, file: SourceFile, number: str, options: Options) -> FoundAsset:
    image = _image(opened, number, file.name)
    about = _Said(opened, f"DataSetInfo{number}", file.name)
    size_um, findings = size_of_sides(about.sides_um(image.sizes), image.sizes[0], options)
    size_um, affine_um = settle(size_um, None, image.sizes, options)
    step_s = options.time_step_s or about.time_step_s(image.shape[0])
    findings += unknown_step(image.shape[0], step_s)
    stem = stem_of(file.name)
    title = about.word("Image", "Name")
    header = {"stored_dtype": image.stored.name, "acquired": about.word("Image", "RecordingDate")}
    return FoundAsset(
        ImarisReader.name,
        key=f"{file.name}#{number}",
        name=f"{stem} {int(number) + 1}" if number else stem,
        kind=AssetKind.VOLUME,
        files=(file.name,),
        volume=VolumeDescription(
            image.shape,
            meaning_dtype(image.dtype, options.kind),
            image.block_shape,
            size_um,
            affine_um,
            options.kind,
            about.channels(image.shape[1]),
            step_s if image.shape[0] > 1 else None,
        ),
        findings=(
            *findings,
            *image.absence_findings(opened, file.name, options),
            *unknown_orientation(options),
            *name_findings(stem, options),
        ),
        metadata={"header": {key: value for key, value in header.items() if value}}
        | ({"title": title} if title and title != "(name not specified)" else {}),
    )


class _Said:
    """What the group `DataSetInfo` says, in attributes that are texts."""

    def __init__(self, file: Any, path: str, name: str) -> None:
        self._file, self._path, self._name = file, path, name

    def word(self, group: str, attribute: str) -> str:
        """One attribute, "" where it isn't there."""
        place = member(self._file, f"{self._path}/{group}", self._name)
        return "" if place is None else text(place.attrs.get(attribute, "")).strip()[:_MOST_TEXT]

    def sides_um(self, sizes: Sequence[int]) -> dict[str, float | None]:
        """The voxel's sides by letter: the extent of the image over its voxels."""
        worth = micrometres(self.word("Image", "Unit") or "um")
        sides: dict[str, float | None] = {}
        for axis, letter, count in zip((2, 1, 0), "zyx", sizes, strict=True):
            low, high = (self._number("Image", f"Ext{end}{axis}") for end in ("Min", "Max"))
            if worth is not None and low is not None and high is not None and high > low:
                sides[letter] = float(f"{(high - low) / count * worth:.7g}")
        return sides

    def channels(self, count: int) -> tuple[Channel, ...]:
        """Names and colours; a name that Imaris made up is replaced by the emission wavelength where that is known."""
        found = []
        for index in range(count):
            group = f"Channel {index}"
            name, wave = self.word(group, "Name"), self._number(group, "LSMEmissionWavelength")
            if name in ("", "(name not specified)"):
                name = f"{wave:g} nm" if wave else f"channel {index}"
            found.append(Channel(name, self._color(group)))
        return tuple(found)

    def time_step_s(self, count: int) -> float | None:
        """The step between time points, where they are about equally far apart."""
        words = [self.word("TimeInfo", f"TimePoint{index + 1}") for index in range(min(count, 1 << 20))]
        try:
            times = [datetime.fromisoformat(word) for word in words]
        except ValueError:
            return None
        return regular_step(np.asarray([(time - times[0]).total_seconds() for time in times]))

    def _color(self, group: str) -> str:
        """RRGGBB of three numbers from 0 to 1."""
        try:
            parts = [float(word) for word in self.word(group, "Color").split()]
        except ValueError:
            return ""
        if len(parts) != 3 or not all(0 <= part <= 1 for part in parts):
            return ""
        return "".join(f"{round(part * 255):02X}" for part in parts)

    def _number(self, group: str, attribute: str) -> float | None:
        try:
            number = float(self.word(group, attribute))
        except ValueError:
            return None
        return number if isfinite(number) else None
