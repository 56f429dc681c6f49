"""OME-TIFF sets whose metadata lies in a file of its own (.companion.ome): planes of many TIFF files, placed by it.

Only files of the submission are opened: a member is looked up by its name among those beside the companion, never on
the disk. Source: the OME-TIFF specification (companion files, `TiffData` and its defaults), OME schema 2016-06.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import ClassVar
from xml.etree import ElementTree

from pulvinar.errors import Invalid, TooLarge, UnreadableFile
from pulvinar.ingest.reader import (
    FoundAsset,
    GeometryData,
    OpenVolume,
    Options,
    SourceFile,
    VolumeDescription,
)
from pulvinar.ingest.readers.absence import missing_pieces
from pulvinar.ingest.readers.frames import settle, size_of_sides, unknown_orientation, unknown_step
from pulvinar.ingest.readers.raw_volume import check_shape, component_channels, meaning_dtype, name_findings
from pulvinar.ingest.readers.streams import stem_of
from pulvinar.ingest.readers.text import decoded
from pulvinar.ingest.readers.tiff_metadata import MOST_PLANES, Said, said_by_ome
from pulvinar.ingest.readers.tiff_planes import TIFF_MAGIC, PageLayout, PlaneVolume, open_tiff
from pulvinar.ingest.readers.xml_text import parse_xml, tag
from pulvinar.model.dataset import AssetKind
from pulvinar.model.volume import Shape5

_LARGEST_XML = 256 << 20
_ORDERS = frozenset({"XYZCT", "XYZTC", "XYCTZ", "XYCZT", "XYTCZ", "XYTZC"})


@dataclass(frozen=True)
class _ListedOrder:
    """A `PlaneOrder` in which each plane's file and page are listed: `places` by (t, c, z)."""

    places: Mapping[tuple[int, int, int], tuple[int, int]]
    shape: tuple[int, ...]
    plane_letters: str = "yx"

    def find(self, place: dict[str, int]) -> tuple[int, int] | None:
        """The file and the page in it at a place, None where no file has it."""
        return self.places.get((place["t"], place["c"], place["z"]))


@dataclass(frozen=True)
class _Image:
    """One image of a companion: its planes along (t, c, z), and where each lies by (file name, page)."""

    number: int
    outer: tuple[int, int, int]
    places: Mapping[tuple[int, int, int], tuple[str, int]]
    said: Said

    @property
    def names(self) -> tuple[str, ...]:
        """Its files, in the order of their first planes."""
        return tuple(dict.fromkeys(name for _, (name, _) in sorted(self.places.items())))


class OmeCompanionReader:
    """Reads what a companion describes, a plane's strips or tiles at a time."""

    name: ClassVar[str] = "ome_companion"
    priority: ClassVar[int] = 190

    def find(self, files: Sequence[SourceFile], options: Options) -> Iterator[FoundAsset]:
        """One asset an image of a companion; TIFF files without one, and other XML, are passed over in silence."""
        tiffs = {file.name: file for file in files if file.head[:4] in TIFF_MAGIC}
        for file in files:
            if b"<OME" in file.head and file.name not in tiffs and b"TiffData" in _content(file):
                for image in _images(file):
                    _check_members(image, file, tiffs)
                    yield _asset(file, image, tiffs, options)

    def open_volume(self, asset: FoundAsset, root: Path, options: Options, scratch: Path) -> OpenVolume:
        """Open lazily: pages are looked up as windows touch them."""
        assert asset.volume is not None
        companion, number = asset.files[0], int(asset.key.rpartition("#")[2])
        path = root / companion
        source = SourceFile(path, companion, path.stat().st_size, path.read_bytes()[:4096])
        image = next(image for image in _images(source) if image.number == number)
        members = [(root / name, name) for name in image.names]
        index = {name: number for number, (_, name) in enumerate(members)}
        places = {at: (index[name], page) for at, (name, page) in image.places.items()}
        order = _ListedOrder(places, image.outer)
        layout = _layout(*members[0])
        return PlaneVolume(members, order, layout, asset.volume.dtype, lambda tif: tif.pages, sparse=options.sparse)

    def read_geometry(self, asset: FoundAsset, root: Path, options: Options) -> GeometryData:
        """Never: every asset of this reader is a volume."""
        raise Invalid(f"{asset.name} is a volume")


def _content(file: SourceFile) -> bytes:
    if file.size_bytes > _LARGEST_XML:
        raise UnreadableFile(f"{file.name} has {file.size_bytes} bytes of XML, {_LARGEST_XML} are read")
    return file.path.read_bytes()


def _images(file: SourceFile) -> list[_Image]:
    xml = decoded(_content(file))
    root = parse_xml(xml, file.name, "OME-XML")
    found = []
    for number, node in enumerate(child for child in root if tag(child) == "Image"):
        pixels = next((child for child in node if tag(child) == "Pixels"), None)
        if pixels is not None and any(tag(child) == "TiffData" for child in pixels):
            found.append(_image(pixels, number, said_by_ome(xml, number, file.name), file.name))
    return found


def _image(pixels: ElementTree.Element, number: int, said: Said, name: str) -> _Image:
    samples = next((_whole(node, "SamplesPerPixel", 1, name) for node in pixels if tag(node) == "Channel"), 1)
    sizes = {letter: _whole(pixels, f"Size{letter.upper()}", 1, name) for letter in "tcz"}
    sizes["c"] = max(1, sizes["c"] // max(1, samples))
    order = pixels.get("DimensionOrder", "XYZCT")
    if order not in _ORDERS or min(sizes.values()) < 1:
        raise UnreadableFile(f"{name}: its image has the order {order} and the sizes {sizes}", hint="repair the file")
    total = prod(sizes.values())
    if total > MOST_PLANES:
        raise TooLarge(f"{name}: its image declares {total} planes, {MOST_PLANES} are read", hint="repair the file")
    letters = order[2:].lower()
    places: dict[tuple[int, int, int], tuple[str, int]] = {}
    folder = name.rpartition("/")[0]
    for node in pixels:
        if tag(node) == "TiffData":
            member = next((child.get("FileName") or "" for child in node if tag(child) == "UUID"), "")
            if not member:
                raise UnreadableFile(f"{name}: a TiffData of it names no file", hint="save the set again")
            for at, page in _planes(node, letters, sizes, name):
                places[at] = (f"{folder}/{member}".lstrip("/"), page)
    return _Image(number, (sizes["t"], sizes["c"], sizes["z"]), places, said)


def _planes(
    node: ElementTree.Element, letters: str, sizes: Mapping[str, int], name: str
) -> Iterator[tuple[tuple[int, int, int], int]]:
    """Each plane of one `TiffData` with its page; what it doesn't say is as the schema has it."""
    first = {letter: _whole(node, f"First{letter.upper()}", 0, name) for letter in letters}
    page = _whole(node, "IFD", 0, name)
    start, step = 0, 1
    for letter in letters:
        start, step = start + first[letter] * step, step * sizes[letter]
    default = 1 if "IFD" in node.attrib else step - start
    count = _whole(node, "PlaneCount", default, name)
    if any(first[letter] >= sizes[letter] for letter in letters) or start + count > step:
        raise UnreadableFile(f"{name}: a TiffData of it lies beyond the image: {dict(node.attrib)}")
    for plane in range(count):
        at, left = {}, start + plane
        for letter in letters:
            left, at[letter] = divmod(left, sizes[letter])
        yield (at["t"], at["c"], at["z"]), page + plane


def _whole(node: ElementTree.Element, attribute: str, default: int, name: str) -> int:
    text = node.get(attribute)
    if text is None:
        return default
    if not re.fullmatch("[0-9]{1,12}", text):
        raise UnreadableFile(f"{name}: its {attribute} is {text[:40]!r}, no whole number", hint="repair the file")
    return int(text)


def _check_members(image: _Image, file: SourceFile, tiffs: Mapping[str, SourceFile]) -> None:
    absent = [name for name in image.names if name not in tiffs]
    if absent:
        raise UnreadableFile(
            f"{file.name} describes {len(image.names)} files, of which {len(absent)} are not here: "
            f"{', '.join(repr(name) for name in absent[:5])}",
            hint="hand in all files of the set together",
        )


def _layout(path: Path, name: str) -> PageLayout:
    tif = open_tiff(path, name)
    try:
        return PageLayout.of(tif.pages[0])
    except Exception as error:
        raise UnreadableFile(f"{name} is damaged: {error}", hint="copy the file again") from error
    finally:
        tif.close()


def _asset(file: SourceFile, image: _Image, tiffs: Mapping[str, SourceFile], options: Options) -> FoundAsset:
    first = tiffs[image.names[0]]
    layout = _layout(first.path, first.name)
    if layout.dtype.kind not in "iuf" or layout.dtype.itemsize not in (1, 2, 4, 8):
        raise UnreadableFile(f"{first.name} holds {layout.dtype}, not numbers", hint="save it as integers or floats")
    t, c, z = image.outer
    shape: Shape5 = (t, c * layout.samples, z, layout.rows, layout.columns)
    check_shape(shape, file.name)
    size_um, findings = size_of_sides(image.said.sides_um, z, options)
    size_um, affine_um = settle(size_um, None, shape[2:], options)
    step_s = options.time_step_s or image.said.time_step_s
    findings += unknown_step(t, step_s)
    lacking = t * c * z - len(image.places)
    if lacking:
        findings.append(missing_pieces(f"{lacking} of its {t * c * z} planes are in no file", "0", options))
    stem = stem_of(file.name).removesuffix(".companion")
    channels = image.said.channels if len(image.said.channels) == shape[1] else component_channels(shape[1], file.name)
    return FoundAsset(
        OmeCompanionReader.name,
        key=f"{file.name}#{image.number}",
        name=image.said.title or stem,
        kind=AssetKind.VOLUME,
        files=(file.name, *image.names),
        volume=VolumeDescription(
            shape,
            meaning_dtype(layout.dtype, options.kind),
            (1, 1 if layout.is_planar else layout.samples, 1, *layout.segment),
            size_um,
            affine_um,
            options.kind,
            channels,
            step_s if t > 1 else None,
        ),
        findings=(
            *image.said.findings,
            *findings,
            *unknown_orientation(options),
            *name_findings(stem, options),
        ),
        metadata={"header": {"dialect": "OME companion", "stored_dtype": layout.dtype.str}}
        | ({"title": image.said.title} if image.said.title else {}),
    )
