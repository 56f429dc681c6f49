"""Unpacking archives that nobody trusts; runs in the reader process.

Only plain files and folders come out, each below the target, each name once, and never more bytes than the budget, the
disk or a sane ratio allows: what is declared is checked before, what really comes is counted on the way.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import shutil
import stat
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Protocol

from pulvinar.errors import TooLarge, UnreadableFile

_BLOCK = 1 << 20
_FREE_BYTES = 100 << 20
_RATIO = 250
_RATIO_FROM_BYTES = 1 << 30
_OPENERS: dict[bytes, type[gzip.GzipFile] | type[bz2.BZ2File] | type[lzma.LZMAFile]] = {
    b"\x1f\x8b": gzip.GzipFile,
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\x00": lzma.LZMAFile,
}
_BROKEN = (OSError, EOFError, zlib.error, lzma.LZMAError, tarfile.TarError, zipfile.BadZipFile, ValueError)


def compression_of(head: bytes) -> bytes | None:
    """The magic number of the stream compression that `head` begins with (gzip, bzip2, xz), or None."""
    return next((magic for magic in _OPENERS if head.startswith(magic)), None)


def is_tar(head: bytes) -> bool:
    """Whether uncompressed bytes begin a tar archive."""
    return head[257:262] == b"ustar"


def peek(path: Path, head: bytes, count: int = 512) -> bytes:
    """The first `count` bytes inside a compressed file; nothing when it is damaged."""
    magic = compression_of(head)
    if magic is None:
        return head[:count]
    try:
        with _OPENERS[magic](path) as stream:
            return stream.read(count)
    except _BROKEN:
        return b""


def unpack(archive: Path, into: Path, budget_bytes: int) -> None:
    """Unpack a zip, a tar (plain, gz, bz2, xz) or one compressed file below `into`, which is made.

    Raises `UnreadableFile` for links, devices, names that lead elsewhere or stand twice, and damage; `TooLarge` for
    more than the budget, the free disk, or a ratio that only bombs have.
    """
    into.mkdir(parents=True, exist_ok=True)
    target = _Target(archive, into, budget_bytes)
    with archive.open("rb") as file:
        head = file.read(512)
    with _damage_named(archive):
        if zipfile.is_zipfile(archive) and head.startswith(b"PK"):
            _unpack_zip(archive, target)
        elif is_tar(peek(archive, head)):
            _unpack_tar(archive, target)
        else:
            magic = compression_of(head)
            if magic is None:
                raise UnreadableFile(f"{archive.name} is no archive")
            with _OPENERS[magic](archive) as stream:
                target.write(archive.name.rpartition(".")[0] or "content", stream)


@contextmanager
def _damage_named(archive: Path) -> Iterator[None]:
    try:
        yield
    except _BROKEN as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise TooLarge(f"{archive.name} can't be unpacked: {error.strerror}", hint="free some space") from error
        raise UnreadableFile(f"{archive.name} is damaged: {error}", hint="copy or pack it again") from error


def _unpack_zip(archive: Path, target: _Target) -> None:
    with zipfile.ZipFile(archive) as opened:
        members = opened.infolist()
        if sum(member.compress_size for member in members) > archive.stat().st_size:
            raise UnreadableFile(f"{archive.name}: its members overlap, as only a bomb's do")
        target.expect(sum(member.file_size for member in members))
        for member in members:
            kind = stat.S_IFMT(member.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise UnreadableFile(f"{archive.name}: {member.filename!r} is a link or a device, not a file")
            if member.flag_bits & 1:
                raise UnreadableFile(f"{archive.name}: {member.filename!r} is encrypted", hint="unpack it yourself")
            if not member.is_dir():
                with opened.open(member) as stream:
                    target.write(member.filename, stream)


def _unpack_tar(archive: Path, target: _Target) -> None:
    with tarfile.open(archive, "r|*") as opened:
        for member in opened:
            if member.isdir():
                continue
            if not member.isreg():
                raise UnreadableFile(f"{archive.name}: {member.name!r} is a link or a device, not a file")
            target.expect(member.size)
            stream = opened.extractfile(member)
            if stream is not None:
                target.write(member.name, stream)


class _Stream(Protocol):
    def read(self, size: int = ..., /) -> bytes: ...


class _Target:
    """The folder that an archive is unpacked into, with what may still come."""

    def __init__(self, archive: Path, into: Path, budget_bytes: int) -> None:
        self._archive = archive
        self._into = into
        self._budget_bytes = budget_bytes
        self._names: set[str] = set()
        self._written = 0

    def expect(self, size_bytes: int) -> None:
        """Refuse early what is declared and can't fit."""
        total = self._written + size_bytes
        free = shutil.disk_usage(self._into).free - _FREE_BYTES
        if total > self._budget_bytes:
            raise TooLarge(f"{self._archive.name} holds {total:,} bytes, more than the limit of {self._budget_bytes:,}")
        if size_bytes > free:
            raise TooLarge(
                f"{self._archive.name} holds {total:,} bytes, and {max(0, free):,} are free on disk",
                hint="free some space, or set PULVINAR_SCRATCH to a larger disk",
            )
        if total > _RATIO_FROM_BYTES and total > _RATIO * self._archive.stat().st_size:
            raise TooLarge(
                f"{self._archive.name} grows more than {_RATIO}-fold, as a decompression bomb does",
                hint="unpack it yourself if you trust it, and ingest the folder",
            )

    def write(self, name: str, stream: _Stream) -> None:
        """Write one member."""
        path = self._into.joinpath(*self._parts(name))
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            while block := stream.read(_BLOCK):
                self.expect(len(block))
                file.write(block)
                self._written += len(block)

    def _parts(self, name: str) -> tuple[str, ...]:
        pure = PurePosixPath(name)
        parts = tuple(part for part in pure.parts if part != ".")
        bad = pure.is_absolute() or ".." in parts or "\\" in name or "\0" in name or not parts
        if bad or (len(parts[0]) == 2 and parts[0][1] == ":"):
            raise UnreadableFile(f"{self._archive.name}: the name {name!r} leads out of the archive")
        # two names that some file system takes for one would overwrite each other
        folded = unicodedata.normalize("NFC", "/".join(parts)).casefold()
        if folded in self._names:
            raise UnreadableFile(f"{self._archive.name}: the name {name!r} stands twice")
        self._names.add(folded)
        return parts
