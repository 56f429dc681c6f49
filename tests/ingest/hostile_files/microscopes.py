"""CZI, LIF and ND2: containers whose directories lie, and tiles and frames that are bombs."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from pylibCZIrw import czi as zeiss
from tests.ingest.hostile_files.case import Good, Refused, hostile
from tests.ingest.readers.lif_writer import write_lif
from tests.ingest.readers.nd2_writer import write_nd2

# --- CZI ---

_TILE = np.random.default_rng(4).integers(0, 60_000, (40, 50)).astype("u2")
_ENTRIES, _FIRST_ENTRY = 84, 160
"""Where the file says where its directory is, and where in that its first entry begins."""


def czi(folder: Path) -> Path:
    """One tile, by Zeiss's own library."""
    with zeiss.create_czi(str(folder / "brain.czi"), compression_options="uncompressed:") as file:
        file.write(_TILE, location=(0, 0), plane={"T": 0, "C": 0, "Z": 0}, scene=0)
        file.write_metadata(scale_x=5e-7, scale_y=5e-7, scale_z=2e-6)
    return folder / "brain.czi"


CZI = Good("czi", czi, {"brain": _TILE})


def _entry(content: bytes) -> int:
    return int(struct.unpack_from("<q", content, _ENTRIES)[0]) + _FIRST_ENTRY


def _dimension(content: bytes, name: bytes) -> int:
    """Where the first tile says its start along a dimension; its size and stored size follow at 4 and 12."""
    return content.index(name.ljust(4, b"\0"), _entry(content) + 32) + 4


def _czi(name: str, because: str, form: str, place: Callable[[bytes], int], *numbers: int) -> None:
    def make(folder: Path) -> Path:
        path = czi(folder)
        content = bytearray(path.read_bytes())
        struct.pack_into(form, content, place(bytes(content)), *numbers)
        path.write_bytes(content)
        return path

    hostile(f"czi: {name}", Refused(because), CZI)(make)


_czi("two thousand million tiles", "lists 2147483647 tiles", "<i", lambda data: _entry(data) - 128, 2**31 - 1)
_czi("a million dimensions", "with 1000000 dimensions", "<i", lambda data: _entry(data) + 28, 1_000_000)
_czi("a tile of no pixel", "40 x 0 pixels", "<i", lambda data: _dimension(data, b"X") + 4, 0)
_czi("a tile of a negative size", "40 x -5 pixels", "<i", lambda data: _dimension(data, b"X") + 4, -5)
_czi("a tile behind its end", "is truncated", "<q", lambda data: _entry(data) + 6, 1 << 40)
_czi("a tile in another file", "tiles in part 3", "<i", lambda data: _entry(data) + 14, 3)
_czi("a recording that was not ended", "its recording was not ended", "<q", lambda data: _ENTRIES, 0)


@hostile("czi: truncated", Refused("brain.czi"), CZI)
def cut_czi(folder: Path) -> Path:
    """The end is not there."""
    path = czi(folder)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 3 // 5])
    return path


@hostile("czi: a tile that is a bomb", Refused("its tile"), CZI)
def bomb_czi(folder: Path) -> Path:
    """A quarter of a gigabyte by zstd, in the place of four kilobytes."""
    path = czi(folder)
    content = bytearray(path.read_bytes())
    packed = imagecodecs.zstd_encode(bytes(64 << 20), 19)
    at = _entry(bytes(content))
    block = struct.unpack_from("<q", content, at + 6)[0]
    metadata = struct.unpack_from("<i", content, block + 32)[0]
    count = struct.unpack_from("<i", content, block + 48 + 28)[0]
    start = block + 32 + max(256, 48 + 20 * count) + metadata
    content[start : start + len(packed)] = packed
    struct.pack_into("<q", content, block + 40, len(packed))
    for place in (at, block + 48):
        struct.pack_into("<i", content, place + 18, 5)
    path.write_bytes(content)
    return path


# --- LIF ---

_STACK = np.random.default_rng(5).integers(0, 60_000, (2, 3, 4, 5)).astype("u2")
"""Axes c, z, y, x."""


def lif(folder: Path, change: Callable[[str], str] = str) -> Path:
    """One image of two channels."""
    write_lif(folder / "brain.lif", {"one": (_STACK, "czyx")}, change=change)
    return folder / "brain.lif"


LIF = Good("lif", lif, {"brain one": _STACK})


def _lif(name: str, because: str, old: str, new: str) -> None:
    hostile(f"lif: {name}", Refused(because), LIF)(lambda folder: lif(folder, lambda xml: xml.replace(old, new, 1)))


_lif("absurd dimensions", "is truncated", 'NumberOfElements="5"', 'NumberOfElements="3000000"')
_lif("no voxel along an axis", "declares the dimensions", 'NumberOfElements="5"', 'NumberOfElements="0"')
_lif("negative dimensions", "no whole number", 'NumberOfElements="5"', 'NumberOfElements="-5"')
_lif("steps beyond its end", "is truncated", 'BytesInc="10"', f'BytesInc="{2**40}"')
_lif("voxels in another file", "'../secret.lof'", 'MemoryBlockID="MemBlock_0"', 'MemoryBlockID="../secret.lof"')
_lif("entities", "defines entities", "<LMSDataContainerHeader",
     '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><LMSDataContainerHeader')  # fmt: skip


@hostile("lif: truncated", Refused("is truncated"), LIF)
def cut_lif(folder: Path) -> Path:
    """The last voxels are not there."""
    path = lif(folder)
    path.write_bytes(path.read_bytes()[:-20])
    return path


@hostile("lif: eight gigabytes of metadata", Refused("its metadata has 8589934590 bytes"), LIF)
def metadata_lif(folder: Path) -> Path:
    """As its header declares."""
    path = lif(folder)
    content = bytearray(path.read_bytes())
    struct.pack_into("<I", content, 9, 2**32 - 1)
    path.write_bytes(content)
    return path


# --- ND2 ---

_FRAMES = np.random.default_rng(6).integers(0, 60_000, (2, 3, 20, 30, 1)).astype("u2")
"""Axes t, z, y, x, c."""


def nd2(folder: Path, **about: Any) -> Path:
    """Two time points of three planes."""
    write_nd2(folder / "brain.nd2", _FRAMES, **about)
    return folder / "brain.nd2"


def packed_nd2(folder: Path) -> Path:
    """The same, its frames compressed."""
    return nd2(folder, packed=True)


ND2 = Good("nd2", nd2, {"brain": _FRAMES[..., 0]})
ND2_PACKED = Good("nd2, packed", packed_nd2, {"brain": _FRAMES[..., 0]})


def _nd2(name: str, because: str, **change: int) -> None:
    hostile(f"nd2: {name}", Refused(because), ND2)(lambda folder: nd2(folder, change=change))


_nd2("two thousand million rows", "2147483648 x 30 pixels", uiHeight=2**31)
_nd2("no row", "declares the dimensions", uiHeight=0)
_nd2("more rows than it has", "its size needs", uiHeight=2000)
_nd2("64 bits", "of 64 bits", uiBpcInMemory=64)


@hostile("nd2: truncated", Refused("is truncated"), ND2)
def cut_nd2(folder: Path) -> Path:
    """Its map of chunks is at its end, which is not there."""
    path = nd2(folder)
    path.write_bytes(path.read_bytes()[:-100])
    return path


@hostile("nd2: a frame that is missing", Refused("are empty and not lost", names="--sparse"), ND2)
def lost_frame(folder: Path) -> Path:
    """It is in no chunk of the file."""
    return nd2(folder, skip=(4,))


@hostile("nd2: a frame that is a bomb", Refused("it unpacks to"), ND2_PACKED)
def bomb_nd2(folder: Path) -> Path:
    """A megabyte in the place of 1,200 bytes."""
    path = packed_nd2(folder)
    good, bomb = zlib.compress(_FRAMES[0, 0].tobytes()), zlib.compress(bytes(1 << 20), 9)
    path.write_bytes(path.read_bytes().replace(good, bomb.ljust(len(good), b"\0"), 1))
    return path


@hostile("nd2: metadata that is a bomb", Refused("more than 67108864 bytes"), ND2)
def metadata_nd2(folder: Path) -> Path:
    """Attributes that unpack without end."""
    bomb = bytes([76, 0]) + bytes(10) + zlib.compress(bytes(256 << 20), 9)
    return nd2(folder, packing=lambda attributes: bomb)
