"""How much an encoded chunk unpacks to, told before it is unpacked: a bomb is a few bytes that say otherwise."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

import imagecodecs

from pulvinar.errors import Corrupt

_ZSTD = b"\x28\xb5\x2f\xfd"
_CRC_BYTES = 4
_unpack: Any = imagecodecs


def check_encoded_size(data: bytes, codecs: Sequence[dict[str, Any]], size_bytes: int, name: str) -> None:
    """Raise `Corrupt` unless `data`, encoded by the Zarr v3 `codecs`, unpacks to `size_bytes` or is damaged anyhow."""
    for codec in reversed(codecs):
        kind = codec.get("name")
        if kind == "crc32c":
            data = data[:-_CRC_BYTES]
        elif kind in ("blosc", "zstd", "gzip"):
            found = {"blosc": _blosc, "zstd": _zstd, "gzip": _gzip}[kind](data, size_bytes)
            if found != size_bytes:
                raise Corrupt(f"{name} is damaged: it unpacks to {found} bytes where {size_bytes} are expected")
            return
    if len(data) != size_bytes:
        raise Corrupt(f"{name} is damaged: it has {len(data)} bytes where {size_bytes} are expected")


def _blosc(data: bytes, size_bytes: int) -> int:
    return int.from_bytes(data[4:8], "little")


def _zstd(data: bytes, size_bytes: int) -> int:
    """The size in a frame's header (RFC 8878, 3.1.1); without one, what comes out up to what is expected."""
    if data[:4] != _ZSTD or len(data) < 6:
        return -1
    flags = data[4]
    width, single = (0, 2, 4, 8)[flags >> 6], bool(flags & 0x20)
    width = width or int(single)
    if width:
        at = 5 + (not single) + (0, 1, 2, 4)[flags & 3]
        return int.from_bytes(data[at : at + width], "little") + (256 if width == 2 else 0)
    try:
        return len(_unpack.zstd_decode(data, out=size_bytes))
    except _unpack.ZstdError:
        return -1


def _gzip(data: bytes, size_bytes: int) -> int:
    try:
        return len(zlib.decompressobj(31).decompress(data, size_bytes + 1))
    except zlib.error:
        return -1
