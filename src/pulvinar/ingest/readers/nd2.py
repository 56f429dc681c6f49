"""ND2: images of Nikon microscopes (NIS-Elements), versions 2 and 3.

The package nd2 tells what a file says of itself; frames are found by the map at the file's end and read where they lie,
by rows where they are not packed. Each stage position is an asset. Source: the layout of chunks as the package nd2 has
it; Nikon publishes none.
"""

from __future__ import annotations

import os
import re
import struct
import warnings
import zlib
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from pulvinar.errors import Invalid, PulvinarError, UnreadableFile
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
from pulvinar.ingest.readers.raw_volume import MOST_CHANNELS, check_shape, meaning_dtype, name_findings, put
from pulvinar.ingest.readers.streams import BoundedFile, stem_of
from pulvinar.model.dataset import AssetKind
from pulvinar.model.space import Window
from pulvinar.model.volume import Channel, Shape5

_MAGIC, _OLD_MAGIC = b"\xda\xce\xbe\x0a", b"\0\0\0\x0cjP  "
_CHUNK, _PLACE = struct.Struct("<4sIQ"), struct.Struct("<QQ")
_MAP_AT_END = struct.Struct("<32sQ")
_END_OF_MAP = b"ND2 CHUNK MAP SIGNATURE 0000001!"
_FRAME = re.compile(rb"ImageDataSeq\|(\d{1,9})!(.{16})", re.DOTALL)
_METADATA = re.compile(rb"(Image(?:Attributes|Metadata|TextInfo)[A-Za-z]*(?:\|0)?!)(.{16})", re.DOTALL)
_PACKED_METADATA, _PACKED_HEAD_BYTES, _LARGEST_METADATA_BYTES = 76, 12, 64 << 20
_STAMP_BYTES = 8
"""A frame's time stands before its pixels."""
_LOOPS = {"TimeLoop": "t", "NETimeLoop": "t", "ZStackLoop": "z", "XYPosLoop": "p"}
_LARGEST_FRAME_BYTES = 1 << 30
_LARGEST_MAP_BYTES = 256 << 20
_KEPT_FRAMES = 4
_COLOURS = (("red", "FF0000"), ("green", "00FF00"), ("blue", "0000FF"), ("alpha", "FFFFFF"))
_MOST_TEXT = 200


@dataclass(frozen=True)
class _Frames:
    """How a frame lies: `components` values a pixel, `row_bytes` a row; `chunks` has where each one's chunk begins."""

    rows: int
    columns: int
    components: int
    row_bytes: int
    dtype: str
    is_packed: bool
    chunks: Mapping[int, int]

    @property
    def size_bytes(self) -> int:
        """A frame's pixels, unpacked."""
        return self.rows * self.row_bytes


@dataclass(frozen=True)
class _File:
    """What an ND2 file holds: `loops` are letters of "tzp" with their counts, slowest first."""

    frames: _Frames
    loops: tuple[tuple[str, int], ...]
    sides_um: Mapping[str, float | None]
    step_s: float | None
    channels: tuple[Channel, ...]
    positions: tuple[str, ...]
    header: Mapping[str, Any]

    def count(self, letter: str) -> int:
        """How many frames there are along a loop."""
        return dict(self.loops).get(letter, 1)

    @property
    def shape(self) -> Shape5:
        """Voxels of one position."""
        return self.count("t"), self.frames.components, self.count("z"), self.frames.rows, self.frames.columns

    def number(self, t: int, z: int, position: int) -> int:
        """Which frame is at a place."""
        place, found = {"t": t, "z": z, "p": position}, 0
        for letter, count in self.loops:
            found = found * count + place[letter]
        return found


class Nd2Reader:
    """Reads the positions of ND2 files, a few rows at a time."""

    name: ClassVar[str] = "nd2"
    priority: ClassVar[int] = 235

    def find(self, files: Sequence[SourceFile], options: Options) -> Iterator[FoundAsset]:
        """One asset a stage position."""
        for file in files:
            if file.head.startswith(_OLD_MAGIC) and file.name.lower().endswith(".nd2"):
                raise UnreadableFile(
                    f"{file.name} is an ND2 of version 1, which is not read", hint="save it again with NIS-Elements"
                )
            if file.head.startswith(_MAGIC) and file.head[16:32] == b"ND2 FILE SIGNATU":
                found = _read(file.path, file.size_bytes, file.name)
                for position in range(found.count("p")):
                    yield _asset(file, found, position, options)

    def open_volume(self, asset: FoundAsset, root: Path, options: Options, scratch: Path) -> OpenVolume:
        """Open lazily: frames are read as windows touch them."""
        assert asset.volume is not None
        name = asset.files[0]
        path = root / name
        found = _read(path, path.stat().st_size, name)
        return _Nd2Volume(path, found, int(asset.key.rpartition("#")[2]), asset.volume.dtype, name)

    def read_geometry(self, asset: FoundAsset, root: Path, options: Options) -> GeometryData:
        """Never: every asset of this reader is a volume."""
        raise Invalid(f"{asset.name} is a volume")


class _Nd2Volume:
    """An `OpenVolume` over one position. Raises `UnreadableFile`, naming the frame, for what is damaged."""

    def __init__(self, path: Path, found: _File, position: int, dtype: str, name: str) -> None:
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._found, self._position, self._name = found, position, name
        self._dtype = np.dtype(dtype)
        self._kept: OrderedDict[int, bytes] = OrderedDict()

    def read_into(self, window: Window, out: npt.NDArray[Any]) -> None:
        """Fill `out`, of `window.shape` and the described dtype; 0 where a frame is not in the file."""
        rows, columns = (slice(window.start[axis], window.stop[axis]) for axis in (3, 4))
        components = slice(window.start[1], window.stop[1])
        for t in range(window.start[0], window.stop[0]):
            for z in range(window.start[2], window.stop[2]):
                goal = out[t - window.start[0], :, z - window.start[2]]
                number = self._found.number(t, z, self._position)
                if number not in self._found.frames.chunks:
                    goal[...] = 0
                    continue
                values = self._rows(number, rows)[:, columns, components]
                put(values.transpose(2, 0, 1), goal, self._name)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)

    def _rows(self, number: int, rows: slice) -> npt.NDArray[Any]:
        """Rows of a frame, as (row, column, component)."""
        frames = self._found.frames
        start, size = self._pixels_of(number)
        if frames.is_packed:
            data = self._unpacked(number, start, size)[rows.start * frames.row_bytes : rows.stop * frames.row_bytes]
        elif size < frames.size_bytes:
            raise self._damage(number, f"it holds {size} bytes, its size needs {frames.size_bytes}")
        else:
            data = self._read(start + rows.start * frames.row_bytes, (rows.stop - rows.start) * frames.row_bytes)
        width = frames.columns * frames.components * np.dtype(frames.dtype).itemsize
        packed = np.frombuffer(data, np.uint8).reshape(-1, frames.row_bytes)[:, :width]
        return np.ascontiguousarray(packed).view(frames.dtype).reshape(-1, frames.columns, frames.components)

    def _pixels_of(self, number: int) -> tuple[int, int]:
        at = self._found.frames.chunks[number]
        magic, name_bytes, size = _CHUNK.unpack(self._read(at, _CHUNK.size))
        if magic != _MAGIC:
            raise self._damage(number, f"no chunk begins at byte {at}")
        return at + _CHUNK.size + name_bytes + _STAMP_BYTES, size - _STAMP_BYTES

    def _unpacked(self, number: int, start: int, size: int) -> bytes:
        if number not in self._kept:
            expected = self._found.frames.size_bytes
            try:
                data = zlib.decompressobj().decompress(self._read(start, size), expected + 1)
            except zlib.error as error:
                raise self._damage(number, str(error)) from error
            if len(data) != expected:
                raise self._damage(number, f"it unpacks to {len(data)} bytes or more, its size needs {expected}")
            self._kept[number] = data
            while len(self._kept) > _KEPT_FRAMES:
                self._kept.popitem(last=False)
        return self._kept[number]

    def _read(self, position: int, count: int) -> bytes:
        if count < 0 or position + count > os.fstat(self._file).st_size:
            raise UnreadableFile(f"{self._name} is truncated: it has no bytes {position} to {position + count}")
        return os.pread(self._file, count, position)

    def _damage(self, number: int, why: str) -> UnreadableFile:
        return UnreadableFile(f"{self._name} is damaged: its frame {number + 1}: {why}", hint="copy it again")


def _chunks(file: BoundedFile, size_bytes: int, name: str) -> dict[int, int]:
    """Where the chunk of each frame begins, by the map at the file's end."""
    file.seek(max(0, size_bytes - _MAP_AT_END.size))
    end = file.read(_MAP_AT_END.size)
    mark, at = _MAP_AT_END.unpack(end) if len(end) == _MAP_AT_END.size else (b"", 0)
    if mark != _END_OF_MAP or at >= size_bytes:
        raise UnreadableFile(f"{name} is truncated: it has no map at its end", hint="copy it again")
    file.seek(at)
    listed = file.read(min(size_bytes - at, _LARGEST_MAP_BYTES))
    for match in _METADATA.finditer(listed):
        _check_metadata(file, _PLACE.unpack(match.group(2))[0], match.group(1).decode(), name)
    found = {int(match.group(1)): _PLACE.unpack(match.group(2))[0] for match in _FRAME.finditer(listed)}
    behind = [number for number, position in found.items() if position + _CHUNK.size > size_bytes]
    if behind or not found:
        what = f"its frame {behind[0] + 1} lies behind its end" if behind else "its map lists no frame"
        raise UnreadableFile(f"{name} is truncated: {what}", hint="copy it again")
    return found


def _check_metadata(file: BoundedFile, position: int, what: str, name: str) -> None:
    """Raise `UnreadableFile` for packed metadata that unpacks to more than any microscope writes."""
    file.seek(position)
    head = file.read(_CHUNK.size)
    if len(head) < _CHUNK.size:
        raise UnreadableFile(f"{name} is truncated: its {what} lies behind its end", hint="copy it again")
    _, name_bytes, size = _CHUNK.unpack(head)
    file.seek(name_bytes, os.SEEK_CUR)
    data = file.read(min(size, _LARGEST_METADATA_BYTES + 1))
    if data[:1] == bytes([_PACKED_METADATA]):
        data = zlib.decompressobj().decompress(data[_PACKED_HEAD_BYTES:], _LARGEST_METADATA_BYTES + 1)
    if len(data) > _LARGEST_METADATA_BYTES:
        raise UnreadableFile(f"{name}: its {what} has more than {_LARGEST_METADATA_BYTES} bytes", hint="copy it again")


def _read(path: Path, size_bytes: int, name: str) -> _File:
    import nd2

    try:
        with BoundedFile(path, size_bytes) as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            chunks = _chunks(file, size_bytes, name)
            with nd2.ND2File(file) as opened:
                frames = _frames(opened.attributes, chunks, name)
                loops = _loops(opened.experiment, len(chunks), name)
                return _said(opened, frames, loops)
    except PulvinarError:
        raise
    except Exception as error:
        raise UnreadableFile(f"{name} is damaged: {type(error).__name__}: {error}", hint="copy it again") from error


def _frames(said: Any, chunks: Mapping[int, int], name: str) -> _Frames:
    bits = said.bitsPerComponentInMemory
    dtype = {8: "u1", 16: "<u2", 32: "<f4"}.get(bits)
    if dtype is None or said.compressionType == "lossy" or said.tileWidthPx or said.tileHeightPx:
        packed = f"packed as {said.compressionType}" if dtype else f"of {bits} bits"
        raise UnreadableFile(f"{name} has frames {packed}, which are not read", hint="save it as lossless ND2")
    rows, columns, components = said.heightPx, said.widthPx, said.componentCount
    check_shape((rows, columns, components), name)
    needed = columns * components * bits // 8
    row_bytes = max(said.widthBytes or 0, needed)
    if components > MOST_CHANNELS or rows * row_bytes > _LARGEST_FRAME_BYTES or row_bytes > 2 * needed + 4096:
        raise UnreadableFile(
            f"{name}: its header declares frames of {rows} x {columns} pixels of {components} values",
            hint="copy it again",
        )
    return _Frames(rows, columns, components, row_bytes, dtype, said.compressionType == "lossless", chunks)


def _loops(experiment: Sequence[Any], frames: int, name: str) -> tuple[tuple[str, int], ...]:
    """The loops of the recording; without any, several frames are time points."""
    found = [(_LOOPS.get(loop.type, ""), int(loop.count)) for loop in experiment]
    letters = [letter for letter, _ in found]
    if not all(letters) or len(set(letters)) < len(letters):
        kinds = ", ".join(str(loop.type) for loop in experiment)
        raise UnreadableFile(f"{name} has the loops {kinds}; one of each of time, position and depth is read")
    total = prod(count for _, count in found)
    if total < 1 or total > 1000 * frames + 1000:
        raise UnreadableFile(f"{name}: its loops declare {total} frames, it holds {frames}", hint="copy it again")
    return tuple(found) if found or frames == 1 else (("t", frames),)


def _said(opened: Any, frames: _Frames, loops: tuple[tuple[str, int], ...]) -> _File:
    channels = opened.metadata.channels or []
    sides: dict[str, float | None] = {}
    if channels:
        volume = channels[0].volume
        known = zip("xyz", volume.axesCalibration, volume.axesCalibrated, strict=True)
        sides = {letter: float(f"{side:.7g}") for letter, side, is_known in known if is_known and side > 0}
        sides = {letter: sides[letter] for letter in "zyx" if letter in sides}
    step_ms, positions = 0.0, []
    for loop in opened.experiment:
        if loop.type == "TimeLoop":
            step_ms = loop.parameters.periodMs or loop.parameters.periodDiff.avg or 0.0
        elif loop.type == "XYPosLoop":
            positions = [str(point.name or "")[:_MOST_TEXT] for point in loop.parameters.points]
    text = opened.text_info or {}
    header = {"stored_dtype": frames.dtype, "acquired": str(text.get("date", ""))[:_MOST_TEXT]}
    return _File(
        frames,
        loops,
        sides,
        float(f"{step_ms / 1000:.7g}") if step_ms > 0 else None,
        _channels(channels, frames.components),
        tuple(positions),
        {key: value for key, value in header.items() if value},
    )


def _channels(said: Sequence[Any], components: int) -> tuple[Channel, ...]:
    """One a component: a channel has one of them, or three or four where it is in colour."""
    if not said or components % len(said):
        return ()
    each, found = components // len(said), []
    for number, one in enumerate(said):
        about = one.channel
        name = str(about.name or "")[:_MOST_TEXT] or (
            f"{about.emissionLambdaNm:g} nm" if about.emissionLambdaNm else f"channel {number}"
        )
        if each == 1:
            found.append(Channel(name, f"{about.color.r:02X}{about.color.g:02X}{about.color.b:02X}"))
            continue
        for word, color in _COLOURS[:each]:
            found.append(Channel(word if len(said) == 1 else f"{name} {word}", color))
    return tuple(found) if len(found) == components else ()


def _asset(file: SourceFile, found: _File, position: int, options: Options) -> FoundAsset:
    shape, count = found.shape, found.count("p")
    size_um, findings = size_of_sides(found.sides_um, shape[2], options)
    size_um, affine_um = settle(size_um, None, shape[2:], options)
    step_s = options.time_step_s or found.step_s
    findings += unknown_step(shape[0], step_s)
    missing = sum(
        found.number(t, z, position) not in found.frames.chunks for t in range(shape[0]) for z in range(shape[2])
    )
    if missing:
        text = f"{missing} of its {shape[0] * shape[2]} images are not in the file"
        findings.append(missing_pieces(text, "0", options))
    stem = stem_of(file.name)
    named = found.positions[position] if position < len(found.positions) else ""
    return FoundAsset(
        Nd2Reader.name,
        key=f"{file.name}#{position}",
        name=f"{stem} {named or f'position {position + 1}'}" if count > 1 else stem,
        kind=AssetKind.VOLUME,
        files=(file.name,),
        volume=VolumeDescription(
            shape,
            meaning_dtype(found.frames.dtype, options.kind),
            (1, shape[1], 1, shape[3] if found.frames.is_packed else 1, shape[4]),
            size_um,
            affine_um,
            options.kind,
            found.channels,
            step_s if shape[0] > 1 else None,
        ),
        findings=(*findings, *unknown_orientation(options), *name_findings(stem, options)),
        metadata={"header": dict(found.header)},
    )
