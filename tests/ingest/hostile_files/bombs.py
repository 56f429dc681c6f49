"""Compressed streams that unpack to gigabytes, put together from one packed piece in no time."""

from __future__ import annotations

import gzip
import lzma
import zlib

_PIECE = 16 << 20


def gzip_bomb(first: bytes, size_bytes: int, again: bytes = bytes(1)) -> bytes:
    """A gzip file of `first`, then of `again` over and over, in members of 16 MB."""
    return gzip.compress(first) + gzip.compress(again * (_PIECE // len(again)), 6) * (size_bytes // _PIECE)


def xz_bomb(first: bytes, size_bytes: int) -> bytes:
    """An xz file of `first` and zeros, in streams of 16 MB."""
    return lzma.compress(first) + lzma.compress(bytes(_PIECE), preset=0) * (size_bytes // _PIECE)


def zlib_bomb(size_bytes: int) -> bytes:
    """One zlib stream of zeros, whole, with its checksum."""
    packer = zlib.compressobj(1, wbits=-15)
    piece = packer.compress(bytes(_PIECE)) + packer.flush(zlib.Z_FULL_FLUSH)
    count = size_bytes // _PIECE
    # Adler-32 of n zeros: its sum is 1, and the sum of its sums n
    checksum = ((count * _PIECE % 65521) << 16 | 1).to_bytes(4, "big")
    return b"\x78\x01" + piece * count + b"\x03\x00" + checksum
