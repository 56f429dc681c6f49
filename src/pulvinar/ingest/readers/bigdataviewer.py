"""BigDataViewer and BigStitcher: an HDF5 file with one dataset for each time point and setup, and an XML beside it.

A setup is one channel, tile, angle and illumination. Setups that differ in their channel alone are one volume; tiles
and angles are volumes of their own, for putting them together is a processing. Source: the description of
BigDataViewer's XML and HDF5 format.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar
from xml.etree import ElementTree

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
from pulvinar.ingest.readers.frames import (
    micrometres,
    positive,
    settle,
    size_of_sides,
    unknown_orientation,
    unknown_step,
)
from pulvinar.ingest.readers.hdf5_files import damage, is_hdf5, member, open_hdf5
from pulvinar.ingest.readers.hdf5_volume import Hdf5Image, Hdf5Volume
from pulvinar.ingest.readers.raw_volume import MOST_CHANNELS, meaning_dtype, name_findings
from pulvinar.ingest.readers.streams import stem_of
from pulvinar.ingest.readers.text import decoded
from pulvinar.ingest.readers.xml_text import parse_xml
from pulvinar.model.dataset import AssetKind
from pulvinar.model.volume import Channel

_LARGEST_XML = 64 << 20
_MOST_TEXT = 200
_TIME, _SETUP = r"t(\d{5,9})", r"s(\d{2,9})"


@dataclass(frozen=True)
class _Setup:
    """What the XML says of one setup: `group` are its attributes but the channel, by which setups are joined."""

    name: str = ""
    sides_um: Mapping[str, float | None] = field(default_factory=dict)
    channel: str = ""
    group: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class _Pair:
    """An HDF5 file, the XML beside it where there is one, and the setups that this describes."""

    data: SourceFile
    xml: SourceFile | None = None
    setups: Mapping[int, _Setup] = field(default_factory=dict)

    def volumes(self, numbers: Sequence[int]) -> list[tuple[int, ...]]:
        """The setups of each volume, in the order of their channels."""
        joined: dict[tuple[Any, ...], list[int]] = {}
        for number in numbers:
            setup = self.setups.get(number)
            key = (setup.group, tuple(sorted(setup.sides_um.items()))) if setup and setup.channel else (number,)
            joined.setdefault(key, []).append(number)
        return [tuple(found) for found in joined.values()]

    def place(self, setup: _Setup) -> str:
        """Which tile, angle and so on a setup is, of those attributes that not all setups share."""
        shared = set.intersection(*(set(one.group) for one in self.setups.values())) if self.setups else set()
        return ", ".join(f"{key} {value}" for key, value in setup.group if (key, value) not in shared)


class BigDataViewerReader:
    """Reads the finest resolution of BigDataViewer's HDF5 files."""

    name: ClassVar[str] = "bigdataviewer"
    priority: ClassVar[int] = 225

    def find(self, files: Sequence[SourceFile], options: Options) -> Iterator[FoundAsset]:
        """One asset for the channels of a tile and angle; other HDF5 and XML files are passed over in silence."""
        data = {file.name: file for file in files if is_hdf5(file) and _is_mine(file)}
        described = {pair.data.name: pair for pair in _described(files, data)}
        for name, file in data.items():
            pair = described.get(name, _Pair(file))
            with open_hdf5(file.path, name) as opened, damage(name):
                parts = _parts(opened, name)
                volumes = pair.volumes(sorted({setup for _, setup in parts}))
                for setups in volumes:
                    yield _asset(opened, pair, setups, parts, options, is_alone=len(volumes) == 1)

    def open_volume(self, asset: FoundAsset, root: Path, options: Options, scratch: Path) -> OpenVolume:
        """Open lazily; chunks are unpacked as they are asked for."""
        name = asset.files[0]
        setups = [int(number) for number in asset.key.rpartition("#")[2].split(",")]
        with open_hdf5(root / name, name) as file, damage(name):
            image = _image(file, setups, _parts(file, name), name)
        return Hdf5Volume(root / name, image, name)

    def read_geometry(self, asset: FoundAsset, root: Path, options: Options) -> GeometryData:
        """Never: every asset of this reader is a volume."""
        raise Invalid(f"{asset.name} is a volume")


def _is_mine(file: SourceFile) -> bool:
    try:
        with open_hdf5(file.path, file.name) as opened, damage(file.name):
            return any(re.fullmatch(_TIME, key) for key in opened) and any(re.fullmatch(_SETUP, key) for key in opened)
    except UnreadableFile:
        return False


def _parts(file: Any, name: str) -> dict[tuple[int, int], str]:
    """The dataset of the finest resolution of each (time point, setup)."""
    found = {}
    for time in file:
        at = re.fullmatch(_TIME, time)
        group = member(file, time, name) if at else None
        for key in group if group is not None else ():
            setup = re.fullmatch(_SETUP, key)
            path = f"{time}/{key}/0/cells"
            if at and setup and member(file, path, name) is not None:
                found[int(at.group(1)), int(setup.group(1))] = path
    if not found:
        raise UnreadableFile(f"{name} is a BigDataViewer file without an image", hint="copy it again")
    return dict(sorted(found.items()))


def _image(file: Any, setups: Sequence[int], parts: Mapping[tuple[int, int], str], name: str) -> Hdf5Image:
    """The image of some setups, which become its channels; time is counted from the first point that has one."""
    times = [t for t, setup in parts if setup in setups]
    if max(times) - min(times) >= 1 << 20 or len(setups) > MOST_CHANNELS:
        raise UnreadableFile(f"{name}: its time points are numbered from {min(times)} to {max(times)}")
    mine = {(t - min(times), setups.index(setup)): path for (t, setup), path in parts.items() if setup in setups}
    # BigDataViewer writes numbers without a sign as if they had one
    return Hdf5Image.of(file, mine, "zyx", name, unsigned=True)


def _asset(
    opened: Any,
    pair: _Pair,
    setups: tuple[int, ...],
    parts: Mapping[tuple[int, int], str],
    options: Options,
    *,
    is_alone: bool,
) -> FoundAsset:
    name = pair.data.name
    image = _image(opened, setups, parts, name)
    about = [pair.setups.get(number, _Setup()) for number in setups]
    size_um, findings = size_of_sides(about[0].sides_um, image.sizes[0], options)
    size_um, affine_um = settle(size_um, None, image.sizes, options)
    findings += unknown_step(image.shape[0], options.time_step_s)
    if pair.xml is None:
        text = "no XML of BigDataViewer names this file: what its setups are is not known"
        findings.append(Finding(Severity.NOTE, text))
    stem = stem_of(name)
    where = pair.place(about[0]) or f"setup {setups[0]}"
    channels = tuple(Channel(one.channel or one.name or f"setup {n}", "") for one, n in zip(about, setups, strict=True))
    return FoundAsset(
        BigDataViewerReader.name,
        key=f"{name}#{','.join(map(str, setups))}",
        name=stem if is_alone else f"{stem} {where}",
        kind=AssetKind.VOLUME,
        files=(name, *([pair.xml.name] if pair.xml else [])),
        volume=VolumeDescription(
            image.shape,
            meaning_dtype(image.dtype, options.kind),
            image.block_shape,
            size_um,
            affine_um,
            options.kind,
            channels,
            options.time_step_s,
        ),
        findings=(
            *findings,
            *image.absence_findings(opened, name, options),
            *unknown_orientation(options),
            *name_findings(stem, options),
        ),
        metadata={"header": {"stored_dtype": image.stored.name, "setups": [one.name for one in about]}},
    )


def _described(files: Sequence[SourceFile], data: Mapping[str, SourceFile]) -> Iterator[_Pair]:
    """Each HDF5 file of `data` with the XML that names it; other files are never looked for."""
    for file in files:
        if b"<SpimData" not in file.head:
            continue
        if file.size_bytes > _LARGEST_XML:
            raise UnreadableFile(f"{file.name} has {file.size_bytes} bytes of XML, {_LARGEST_XML} are read")
        root = parse_xml(decoded(file.path.read_bytes()), file.name, "XML")
        named = (root.findtext("SequenceDescription/ImageLoader/hdf5") or "").strip()
        if not named:
            continue
        folder = file.name.rpartition("/")[0]
        target = f"{folder}/{named.removeprefix('./')}".lstrip("/")
        if target not in data:
            raise UnreadableFile(
                f"{file.name} describes {named!r}, which is not among the files beside it",
                hint="hand in the HDF5 file together with its XML",
            )
        yield _Pair(data[target], file, dict(_setups(root, file.name)))


def _setups(root: ElementTree.Element, name: str) -> Iterator[tuple[int, _Setup]]:
    base = "SequenceDescription/ViewSetups"
    named = {
        (kind.get("name") or "", (one.findtext("id") or "").strip()): (one.findtext("name") or "").strip()
        for kind in root.findall(f"{base}/Attributes")
        for one in kind
    }
    for node in root.findall(f"{base}/ViewSetup"):
        number = (node.findtext("id") or "").strip()
        if not re.fullmatch("[0-9]{1,9}", number):
            raise UnreadableFile(f"{name}: a setup has the number {number[:40]!r}", hint="save it again")
        attributes = {one.tag: (one.text or "").strip()[:_MOST_TEXT] for one in node.findall("attributes/*")}
        channel = attributes.pop("channel", "")
        label = named.get(("channel", channel), "")
        words = f"channel {channel}" if label in ("", channel) else label
        yield (
            int(number),
            _Setup(
                (node.findtext("name") or "").strip()[:_MOST_TEXT],
                _sides(node),
                words[:_MOST_TEXT] if channel else "",
                tuple(sorted(attributes.items())),
            ),
        )


def _sides(node: ElementTree.Element) -> dict[str, float | None]:
    """The voxel's sides in micrometres by letter; XML lists x first."""
    worth = micrometres(node.findtext("voxelSize/unit") or "")
    words = (node.findtext("voxelSize/size") or "").split()
    lengths = {letter: positive(word) * (worth or 0) for letter, word in zip("xyz", words, strict=False)}
    return {letter: float(f"{lengths[letter]:.7g}") for letter in "zyx" if lengths.get(letter)}
