"""Compressed files, read as a stream with a limit: no more is unpacked than was declared."""

from __future__ import annotations

import bz2
import gzip
import io
import mmap
import shutil
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from pulvinar.errors import TooLarge, UnreadableFile

_BLOCK = 1 << 20
_GROWTH, _GROWTH_FROM_BYTES = 250, 128 << 20
_SUFFIXES = (".gz", ".bz2")


def compression(head: bytes) -> str:
    """The compression that the first bytes show: "gzip", "bzip2" or ""."""
    if head[:3] == b"\x1f\x8b\x08":
        return "gzip"
    return "bzip2" if head[:3] == b"BZh" and head[4:10] == b"1AY&SY" else ""


def start_of(head: bytes, size: int = 4096) -> bytes:
    """Up to `size` of the first unpacked bytes; what can't be unpacked ends there."""
    kind = compression(head)
    if not kind:
        return head[:size]
    try:
        return bytes(_unpacker(kind).decompress(head, size))
    except (zlib.error, OSError):
        return _before_damage(_unpacker(kind), head, size)


def _unpacker(kind: str) -> Any:
    return zlib.decompressobj(31) if kind == "gzip" else bz2.BZ2Decompressor()


def _before_damage(unpacker: Any, head: bytes, size: int) -> bytes:
    """What comes before the damage, byte by byte: a call that meets it loses all that it has unpacked."""
    found = b""
    with suppress(zlib.error, OSError, EOFError):
        for position in range(len(head)):
            found += unpacker.decompress(head[position : position + 1], size)
            if len(found) >= size:
                break
    return found[:size]


def plain_name(name: str) -> str:
    """`name` in lower case and without the ending of a compression."""
    lowered = name.lower()
    return next((lowered.removesuffix(end) for end in _SUFFIXES if lowered.endswith(end)), lowered)


def stem_of(name: str) -> str:
    """The file's own name without folder, compression and ending, in its own letters."""
    last = name.rsplit("/", 1)[-1]
    return last[: len(plain_name(last).rsplit(".", 1)[0])] or last


def plain_file(path: Path, scratch: Path, size_bytes: int, name: str) -> Path:
    """The file itself, or where it is compressed the `size_bytes` that are unpacked of it into `scratch`, its checksum
    checked."""
    with path.open("rb") as file:
        packed = compression(file.read(16))
    if not packed:
        return path
    unpack(path, scratch / "voxels", size_bytes, name)
    return scratch / "voxels"


def check_growth(size_bytes: int, packed_bytes: int, name: str) -> None:
    """Raise `TooLarge` where so much has come of so little as only a bomb makes of it."""
    if size_bytes > _GROWTH_FROM_BYTES and size_bytes > _GROWTH * packed_bytes:
        raise TooLarge(
            f"{name} grows more than {_GROWTH}-fold, as a decompression bomb does",
            hint="unpack it yourself if you trust it, and hand in what comes out",
        )


class _Bounded(io.RawIOBase):
    """What is unpacked from `file`; raises `TooLarge` once it has grown as only a bomb does."""

    def __init__(self, stream: Any, file: IO[bytes], name: str) -> None:
        self._stream, self._file, self._name = stream, file, name
        self._total = 0

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, room: Any) -> int:
        """The next unpacked bytes, no more than a block: who asks for a gigabyte would get one before it is checked."""
        count: int = self._stream.readinto(memoryview(room)[:_BLOCK])
        self._total += count
        check_growth(self._total, self._file.tell(), self._name)
        return count


@contextmanager
def unpacked(
    path: Path, name: str, kind: str | None = None, skip: int = 0, *, bounded: bool = False
) -> Iterator[IO[bytes]]:
    """The bytes of `path` behind `skip` as a stream, unpacked if `kind` (found by content when None) says so.

    A zlib stream has no beginning that tells it: `kind` must say "zlib".

    Damage found while reading (a wrong checksum, a missing end) raises `UnreadableFile`; `bounded` raises `TooLarge`
    for a bomb, where no header says how much there is to come.
    """
    try:
        with path.open("rb") as file:
            if kind is None:
                kind = compression(file.read(16))
            file.seek(skip)
            if kind == "gzip":
                with gzip.GzipFile(fileobj=file, mode="rb") as stream:
                    yield io.BufferedReader(_Bounded(stream, file, name) if bounded else stream, _BLOCK)
            elif kind == "bzip2":
                with bz2.BZ2File(file) as stream:
                    yield io.BufferedReader(_Bounded(stream, file, name), _BLOCK) if bounded else stream
            elif kind == "zlib":
                yield io.BufferedReader(_ZlibStream(file), _BLOCK)
            else:
                yield file
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UnreadableFile(
            f"{name}: its compressed stream is damaged: {error}", hint="copy the file again"
        ) from error
    except OSError as error:
        if error.errno is None:  # bz2 reports damage as an OSError without a number
            raise UnreadableFile(f"{name}: its compressed stream is damaged: {error}") from error
        raise


def unpack(source: Path, target: Path, declared: int, name: str, kind: str | None = None, skip: int = 0) -> None:
    """Write the `declared` bytes that `source` unpacks to into `target`, and read on to the checksum.

    Raises `TooLarge` when there isn't room for them or the stream holds more, `UnreadableFile` when it holds less or
    its checksum is wrong.
    """
    free = shutil.disk_usage(target.parent).free
    if declared > free:
        raise TooLarge(f"{name} unpacks to {declared} bytes, {free} are free", hint="give a larger scratch folder")
    with unpacked(source, name, kind, skip) as stream, target.open("wb") as file:
        left = declared
        while left and (piece := stream.read(min(left, _BLOCK))):
            file.write(piece)
            left -= len(piece)
        if left:
            raise UnreadableFile(
                f"{name} is truncated: {declared - left} bytes of the {declared} that its header declares",
                hint="copy the file again",
            )
        # a footer may follow; reading to the end is what checks the checksum
        if len(stream.read(_BLOCK + 1)) > _BLOCK:
            raise TooLarge(f"{name} holds more than the {declared} bytes that its header declares")


class _ZlibStream(io.RawIOBase):
    """What a zlib stream unpacks to, as much at a time as is asked for; raises `EOFError` where its end is missing."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._unpacker = file, zlib.decompressobj(zlib.MAX_WBITS | 32)

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, room: Any) -> int:
        """Fill `room`, or a part of it; 0 at the end, when the checksum has been checked."""
        while not self._unpacker.eof:
            packed = self._unpacker.unconsumed_tail or self._file.read(_BLOCK)
            if not packed:
                raise EOFError("it has no end")
            piece = self._unpacker.decompress(packed, len(room))
            if piece:
                room[: len(piece)] = piece
                return len(piece)
        return 0


class BoundedFile(io.FileIO):
    """A file that is never asked for more than it holds, whatever a header declares."""

    def __init__(self, path: Path, size_bytes: int) -> None:
        super().__init__(path)
        self._size_bytes = size_bytes

    def read(self, size: int | None = -1, /) -> bytes:
        """As a file's own, at most what is left."""
        left = max(0, self._size_bytes - self.tell())
        return super().read(left if size is None or size < 0 else min(size, left)) or b""


def mapped(path: Path) -> memoryview:
    """All bytes of `path`, which lie in memory only where they are looked at.

    A file that shrinks meanwhile ends the reader process, of which the platform says so.
    """
    with path.open("rb") as file:
        # nothing can be mapped of an empty file
        if not file.read(1):
            return memoryview(b"")
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def content_of(path: Path, name: str, most: int) -> memoryview:
    """As `whole`, and mapped where it isn't packed."""
    with path.open("rb") as file:
        packed = compression(file.read(16))
    if packed:
        return memoryview(whole(path, name, most))
    if path.stat().st_size > most:
        raise _more_than(most, name)
    return mapped(path)


def whole(path: Path, name: str, most: int) -> bytearray:
    """All bytes of `path`, unpacked; raises `TooLarge` for more than `most`, and for a bomb."""
    content = bytearray()
    with unpacked(path, name, bounded=True) as stream:
        # one read would set aside memory for the limit
        while piece := stream.read(_BLOCK):
            content += piece
            if len(content) > most:
                raise _more_than(most, name)
    return content


def _more_than(most: int, name: str) -> TooLarge:
    return TooLarge(f"{name} holds more than {most} bytes", hint="hand it in as several files")
