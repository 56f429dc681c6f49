"""LIF: images of Leica microscopes, many in a file.

liffile tells which images a file holds and where; voxels are read where they lie, by the steps that the metadata gives
for each axis and channel. Tiles of a mosaic are assets of their own, for putting them together is a processing;
wavelengths, rotations and loops become channels. Source: the LIF file format description of Leica (LAS X), by liffile.
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from math import prod
from pathlib import Path
from typing import Any, ClassVar

from pulvinar.errors import Invalid, PulvinarError, UnreadableFile
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
from pulvinar.ingest.readers.raw_volume import MOST_CHANNELS, check_shape, meaning_dtype, name_findings
from pulvinar.ingest.readers.streams import BoundedFile, stem_of
from pulvinar.ingest.readers.strided_volume import StridedLayout, StridedVolume
from pulvinar.model.dataset import AssetKind
from pulvinar.model.volume import Channel

_LARGEST_XML = 256 << 20
_MOST_TILES = 10_000
_MOST_TEXT = 200
_AXES = {1: "x", 2: "y", 3: "z", 4: "t"}
_MOSAIC = 10
_FURTHER = {5: "wavelength", 6: "rotation", 7: "slice", 8: "slice", 9: "excitation", 11: "loop"}
_COLOURS = {
    "red": "FF0000", "green": "00FF00", "blue": "0000FF", "cyan": "00FFFF", "magenta": "FF00FF", "yellow": "FFFF00",
    "gray": "FFFFFF", "grey": "FFFFFF",
}  # fmt: skip
_TAGS = {"1": "red", "2": "green", "3": "blue"}


@dataclass(frozen=True)
class _Axis:
    """One dimension of an image: `size` elements, `step` bytes apart, `length` from the first to the last in `unit`."""

    number: int
    size: int
    step: int
    length: float
    unit: str

    def spacing(self, worth: float | None) -> float:
        """The distance between two elements, 0 where it isn't known."""
        return abs(self.length) / (self.size - 1) * (worth or 0.0) if self.size > 1 else 0.0


@dataclass(frozen=True)
class _Image:
    """One image, or one tile of a mosaic: its voxels, and what is said of them."""

    key: str
    name: str
    layout: StridedLayout
    axes: Mapping[str, _Axis]
    channels: tuple[Channel, ...]
    further: tuple[tuple[str, int], ...]


class LifReader:
    """Reads the images of LIF files where they lie."""

    name: ClassVar[str] = "lif"
    priority: ClassVar[int] = 230

    def find(self, files: Sequence[SourceFile], options: Options) -> Iterator[FoundAsset]:
        """One asset an image, one a tile of a mosaic."""
        for file in files:
            if _is_lif(file.head):
                for image in _images(file.path, file.size_bytes, file.name):
                    yield _asset(file, image, options)

    def open_volume(self, asset: FoundAsset, root: Path, options: Options, scratch: Path) -> OpenVolume:
        """Open lazily: nothing is read yet."""
        assert asset.volume is not None
        name = asset.files[0]
        path = root / name
        image = next((one for one in _images(path, path.stat().st_size, name) if one.key == asset.key), None)
        if image is None:
            raise UnreadableFile(f"{name} has no image {asset.name} any more", hint="copy it again")
        return StridedVolume(path, image.layout, asset.volume.dtype, name)

    def read_geometry(self, asset: FoundAsset, root: Path, options: Options) -> GeometryData:
        """Never: every asset of this reader is a volume."""
        raise Invalid(f"{asset.name} is a volume")


def _is_lif(head: bytes) -> bool:
    return head[:4] == b"\x70\0\0\0" and head[8:9] == b"\x2a" and head[13:15] == b"<\0"


@contextmanager
def _opened(path: Path, size_bytes: int, name: str) -> Iterator[Any]:
    import liffile

    # it tells of oddities on a log that nobody reads here
    logging.getLogger("liffile").setLevel(logging.CRITICAL + 1)
    with BoundedFile(path, size_bytes) as file:
        (letters,) = struct.unpack("<I", file.read(13)[9:])
        xml = file.read(min(2 * letters, _LARGEST_XML))
        if len(xml) < 2 * letters:
            raise UnreadableFile(f"{name} is truncated: its metadata has {2 * letters} bytes", hint="copy it again")
        if "<!DOCTYPE".encode("utf-16-le") in xml or "<!ENTITY".encode("utf-16-le") in xml:
            raise UnreadableFile(f"{name}: its metadata defines entities, which no microscope writes")
        file.seek(0)
        try:
            with liffile.LifFile(file) as opened:
                yield opened
        except PulvinarError:
            raise
        except Exception as error:
            raise UnreadableFile(f"{name} is damaged: {type(error).__name__}: {error}", hint="copy it again") from error


def _images(path: Path, size_bytes: int, name: str) -> list[_Image]:
    found: list[_Image] = []
    with _opened(path, size_bytes, name) as opened:
        images = [image for image in opened.images if not image.is_flim]
        if not images:
            raise UnreadableFile(f"{name} is a LIF without an image (photons of FLIM are not read)")
        for number, image in enumerate(images):
            block = _block(opened, image, name)
            for part in _parts(image.xml_element, block.offset, f"{name}: {image.path}"):
                end = part.layout.end
                if end > block.offset + block.size or end > size_bytes:
                    raise UnreadableFile(
                        f"{name} is truncated: its image {image.path} would end at byte {end}, it has "
                        f"{min(block.offset + block.size, size_bytes)}",
                        hint="copy it again",
                    )
                title = f"{image.path} {part.name}".strip()
                found.append(
                    _Image(f"{name}#{number}{part.key}", title, part.layout, part.axes, part.channels, part.further)
                )
    return found


def _block(opened: Any, image: Any, name: str) -> Any:
    memory = image.xml_element.find("./Memory")
    number = "" if memory is None else memory.get("MemoryBlockID", "")
    block = opened.memory_blocks.get(number)
    if block is None or block.frames or block.offset < 0:
        raise UnreadableFile(
            f"{name} is truncated: the voxels {number!r} of its image {image.path} are not in it", hint="copy it again"
        )
    return block


def _parts(element: Any, offset: int, name: str) -> Iterator[_Image]:
    """The image that an element describes, or the tiles of its mosaic; their keys and names tell tiles alone."""
    base = "./Data/Image/ImageDescription"
    axes = [_axis(node.attrib, name) for node in element.findall(f"{base}/Dimensions/DimensionDescription")]
    channels = [dict(node.attrib) for node in element.findall(f"{base}/Channels/ChannelDescription")]
    known = {_AXES[axis.number]: axis for axis in axes if axis.number in _AXES}
    others = [axis for axis in axes if axis.number not in _AXES and axis.number != _MOSAIC and axis.size > 1]
    mosaic = next((axis for axis in axes if axis.number == _MOSAIC), _Axis(_MOSAIC, 1, 0, 0, ""))
    count = len(channels) * prod(axis.size for axis in others)
    if not channels or count > MOST_CHANNELS or mosaic.size > _MOST_TILES:
        raise UnreadableFile(f"{name} has {count} channels and {mosaic.size} tiles", hint="save it again")
    dtypes = {_dtype(channel, name) for channel in channels}
    if len(dtypes) > 1:
        raise UnreadableFile(f"{name} has channels of {' and '.join(sorted(dtypes))}", hint="save them apart")
    places, named = [], []
    for at in product(*(range(axis.size) for axis in others)):
        start = offset + sum(index * axis.step for index, axis in zip(at, others, strict=True))
        words = [f"{_FURTHER.get(axis.number, 'index')} {index}" for index, axis in zip(at, others, strict=True)]
        for number, channel in enumerate(channels):
            places.append(start + _whole(channel, "BytesInc", name))
            named.append(_channel(channel, number, words))
    t, z, y, x = (known[letter].size if letter in known else 1 for letter in "tzyx")
    shape = (t, count, z, y, x)
    check_shape(shape, name)
    steps = {letter: known[letter].step if letter in known else 0 for letter in "tzyx"}
    for tile in range(mosaic.size):
        layout = StridedLayout(shape, dtypes.copy().pop(), tuple(at + tile * mosaic.step for at in places), steps)
        key, title = (f"#{tile}", f"tile {tile + 1}") if mosaic.size > 1 else ("", "")
        further = tuple((_FURTHER.get(axis.number, "index"), axis.size) for axis in others)
        yield _Image(key, title, layout, known, tuple(named), further)


def _axis(said: Mapping[str, str], name: str) -> _Axis:
    number, size, step = (_whole(said, word, name) for word in ("DimID", "NumberOfElements", "BytesInc"))
    length = said.get("Length", "0")
    return _Axis(number, size, step, positive(length.lstrip("-")), said.get("Unit", ""))


def _whole(said: Mapping[str, str], word: str, name: str) -> int:
    text = said.get(word, "")
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise UnreadableFile(f"{name}: its {word} is {text[:40]!r}, no whole number", hint="copy it again")
    return int(text)


def _dtype(channel: Mapping[str, str], name: str) -> str:
    kind, bits = channel.get("DataType", "0"), _whole(channel, "Resolution", name)
    width = next((width for width in (1, 2, 4, 8) if bits <= 8 * width), 0)
    if kind not in ("0", "1") or not bits or not width or (kind == "1" and width == 1):
        raise UnreadableFile(f"{name} has values of type {kind} with {bits} bits", hint="save it again")
    return f"<{'f' if kind == '1' else 'u'}{width}"


def _channel(said: Mapping[str, str], number: int, words: Sequence[str]) -> Channel:
    table = (said.get("LUTName") or _TAGS.get(said.get("ChannelTag", ""), ""))[:_MOST_TEXT]
    return Channel(", ".join([table or f"channel {number}", *words]), _COLOURS.get(table.lower(), ""))


def _asset(file: SourceFile, image: _Image, options: Options) -> FoundAsset:
    shape = image.layout.shape
    sides = {
        letter: float(f"{image.axes[letter].spacing(micrometres(image.axes[letter].unit or 'm')):.7g}")
        for letter in "zyx"
        if letter in image.axes
    }
    size_um, findings = size_of_sides(sides, shape[2], options)
    size_um, affine_um = settle(size_um, None, shape[2:], options)
    step_s = options.time_step_s or (image.axes["t"].spacing(1.0) if "t" in image.axes else 0.0) or None
    findings += unknown_step(shape[0], step_s)
    for what, count in image.further:
        findings.append(Finding(Severity.NOTE, f"its {count} values of the dimension {what} become channels"))
    stored = image.layout.dtype
    name = f"{stem_of(file.name)} {image.name}"
    return FoundAsset(
        LifReader.name,
        key=image.key,
        name=name,
        kind=AssetKind.VOLUME,
        files=(file.name,),
        volume=VolumeDescription(
            shape,
            meaning_dtype(stored, options.kind),
            (1, 1, 1, shape[3], shape[4]),
            size_um,
            affine_um,
            options.kind,
            _unlike(image.channels),
            step_s if shape[0] > 1 else None,
        ),
        findings=(*findings, *unknown_orientation(options), *name_findings(image.name, options)),
        metadata={"header": {"stored_dtype": stored}, "title": image.name},
    )


def _unlike(channels: Sequence[Channel]) -> tuple[Channel, ...]:
    """The channels, numbered where two have one name."""
    names = [channel.name for channel in channels]
    if len(set(names)) == len(names):
        return tuple(channels)
    return tuple(Channel(f"{one.name} {index + 1}", one.color) for index, one in enumerate(channels))
