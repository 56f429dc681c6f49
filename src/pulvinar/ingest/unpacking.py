"""Unpacking archives that nobody trusts; runs in the reader process.

Only plain files and folders come out, each below the target, each name once, and never more bytes than the budget, the
disk or a sane ratio allows: what is declared is checked before, what really comes is counted on the way.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import shutil
import stat
import tarfile
import tempfile
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Protocol, Self, cast

from pulvinar.errors import TooLarge, UnreadableFile
from pulvinar.ingest.source_files import is_text, opened
from pulvinar.model.text import plain
from pulvinar.storage.space import is_full

_BLOCK = 1 << 20
_ZIP = b"PK\x03\x04"
_ENDINGS = (".gz", ".tgz", ".bz2", ".xz", ".tar")
_FREE_BYTES = 100 << 20
_RATIO = 250
_RATIO_FROM_BYTES = 1 << 30
_COST_BYTES = 4096
"""What a file takes on disk however small it is; so a million empty ones count as four gigabytes."""
_DEEPEST = 64
_LONGEST_NAME, _LONGEST_PATH = 255, 2000
_AFTER_END = 1 << 20
"""Archives are padded at their end, and rarely by more than this."""
_PEEKED = 1 << 20
"""bzip2 gives nothing before a whole block, which is 900 kB at most."""
_PEEK_MEMORY = 128 << 20
_DEEPEST_PACKED = 3
"""So many archives may lie in one another."""
_UNSTREAMED = (
    # TIFF, HDF5, NRRD, NumPy, MATLAB, Parquet, CZI, LIF, ND2, and the two of Vaa3D
    b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"\x89HDF\r\n\x1a\n", b"NRRD", b"\x93NUMPY", b"MATLAB ", b"PAR1",
    b"ZISRAWFILE", b"\x70\0\0\0", b"\xda\xce\xbe\x0a", b"raw_image_stack_by_hpeng", b"v3d_volume_pkbitdf_encod",
)  # fmt: skip
"""How a file begins that is read here and there: its reader can't take it as a compressed stream, as others do."""
_OPENERS: dict[bytes, type[gzip.GzipFile] | type[bz2.BZ2File] | type[lzma.LZMAFile]] = {
    b"\x1f\x8b": gzip.GzipFile,
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\x00": lzma.LZMAFile,
}
_BROKEN = (
    OSError, EOFError, zlib.error, lzma.LZMAError, tarfile.TarError, zipfile.BadZipFile, ValueError,
    # zipfile: a compression or a version that it doesn't know
    NotImplementedError,
    # tarfile: a long name's long name, and so on
    RecursionError,
)  # fmt: skip


def compression_of(head: bytes) -> bytes | None:
    """The magic number of the stream compression that `head` begins with (gzip, bzip2, xz), or None."""
    return next((magic for magic in _OPENERS if head.startswith(magic)), None)


def is_tar(head: bytes) -> bool:
    """Whether uncompressed bytes begin a tar archive."""
    return head[257:262] == b"ustar"


def peek(path: Path, head: bytes, count: int = 512) -> bytes:
    """The first `count` bytes inside a compressed file; nothing when it is damaged.

    It takes little time and memory whatever the file holds, so that it may run outside the reader process.
    """
    magic = compression_of(head)
    if magic is None:
        return head[:count]
    with opened(path) as file:
        packed = file.read(_PEEKED)
    try:
        if magic.startswith(b"\x1f"):
            return zlib.decompressobj(wbits=31).decompress(packed, count)
        if magic.startswith(b"BZ"):
            return bz2.BZ2Decompressor().decompress(packed, count)
        return lzma.LZMADecompressor(memlimit=_PEEK_MEMORY).decompress(packed, count)
    except _BROKEN:
        return b""


def is_packed(path: Path, head: bytes) -> bool:
    """Whether a file is a zip, a tar, or a compressed one whose reader does not read it so.

    A compressed NIfTI, or table, is left to its reader.
    """
    if head.startswith(_ZIP):
        return True
    inside = peek(path, head)
    return is_tar(inside) or (compression_of(head) is not None and _is_unstreamed(inside))


def is_packed_among_others(path: Path, head: bytes) -> bool:
    """As `is_packed`, of a file beside others: a zip only when it is called one, for formats are zips too (npz)."""
    named = path.name.lower()
    return named.endswith((".zip",) if head.startswith(_ZIP) else _ENDINGS) and is_packed(path, head)


def _is_unstreamed(head: bytes) -> bool:
    return head.startswith(_UNSTREAMED) or head[128:132] == b"DICM"


def place_of(archive: Path, head: bytes) -> Path:
    """The folder in which what is packed in a file beside others belongs: that of a single compressed file is its own
    where its name is free, any other is a new one with the archive's name."""
    if head.startswith(_ZIP) or is_tar(peek(archive, head)) or archive.with_suffix("").exists():
        return archive
    return archive.parent


def unpack(archive: Path, into: Path, budget_bytes: int) -> None:
    """Unpack a zip, a tar (plain, gz, bz2, xz) or one compressed file below `into`, which is made.

    What is packed in it once more is unpacked where it lies, and left as it is where it is damaged. Raises
    `UnreadableFile` for links, devices, names that lead elsewhere or stand twice, and damage; `TooLarge` for more than
    the budget, the free disk, or a ratio that only bombs have.
    """
    into.mkdir(parents=True, exist_ok=True)
    target = _Target(archive, into, budget_bytes)
    _unpack(archive, target)
    for _ in range(_DEEPEST_PACKED):
        written, target.written = target.written, []
        for path in written:
            with opened(path) as file:
                head = file.read(512)
            if is_packed_among_others(path, head):
                _unpack_within(path, head, target)


def _unpack_within(path: Path, head: bytes, target: _Target) -> None:
    """Unpack an archive that came out of another, in its place."""
    aside = Path(tempfile.mkdtemp(prefix=".packed-", dir=path.parent))
    packed, place = aside / path.name, place_of(path, head)
    path.rename(packed)
    inner = target.below(place)
    place.mkdir(exist_ok=True)
    try:
        _unpack(packed, inner)
    except UnreadableFile:
        for made in inner.written:
            made.unlink()
        if place == path:
            shutil.rmtree(place)
        packed.rename(path)
    else:
        packed.unlink()
        target.written += inner.written
    aside.rmdir()


def holds(archive: Path, name: str, scratch: Path, budget_bytes: int) -> bool:
    """Whether a file in the archive is called `name`, in whatever folder; nothing is written, and `scratch` is where
    it would be. Raises as `unpack` does for what comes before such a file."""
    try:
        _unpack(archive, _Search(archive, scratch, budget_bytes, name))
    except _Found:
        return True
    return False


def _unpack(archive: Path, target: _Target) -> None:
    with opened(archive) as file:
        head = file.read(512)
    with _damage_named(archive):
        if head.startswith(b"PK"):
            _unpack_zip(archive, target)
        elif is_tar(peek(archive, head)):
            with _stream(archive, head) as stream:
                _unpack_tar(archive, stream, target)
        elif compression_of(head) is not None:
            with _stream(archive, head) as stream:
                target.write(archive.name.rpartition(".")[0] or "content", stream)
        else:
            raise UnreadableFile(
                f"{archive.name} is no archive that can be unpacked", hint="zip, tar, gz, bz2 and xz can be"
            )


def _stream(archive: Path, head: bytes) -> IO[bytes]:
    """The uncompressed bytes; a compressed file's own checksum is checked when its end is reached."""
    magic = compression_of(head)
    return cast(IO[bytes], archive.open("rb") if magic is None else _OPENERS[magic](archive))


@contextmanager
def _damage_named(archive: Path) -> Iterator[None]:
    try:
        yield
    except _BROKEN as error:
        if isinstance(error, OSError) and is_full(error):
            raise
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise UnreadableFile(f"{archive.name} is damaged: {reason}", hint="copy or pack it again") from error


def _unpack_zip(archive: Path, target: _Target) -> None:
    with zipfile.ZipFile(archive) as opened_zip:
        members = opened_zip.infolist()
        if sum(member.compress_size for member in members) > archive.stat().st_size:
            raise UnreadableFile(
                f"{archive.name}: its members overlap, as only a bomb's do", hint="don't open it with other programs"
            )
        target.expect(sum(member.file_size for member in members), files=len(members))
        for member in members:
            if not member.filename:
                raise UnreadableFile(f"{archive.name} is damaged: a member has no name", hint="copy or pack it again")
            kind = stat.S_IFMT(member.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise target.no_file(member.filename)
            if member.flag_bits & 1:
                raise UnreadableFile(
                    f"{archive.name}: {member.filename!r} is encrypted",
                    hint="unpack it with its password, and hand in the folder",
                )
            if not member.is_dir():
                with opened_zip.open(member) as stream:
                    target.write(member.filename, stream)


class _Member(tarfile.TarInfo):
    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> Self:
        """The next member. Damage is an error; tarfile takes it for the end, and so would lose what follows."""
        try:
            return super().fromtarfile(archive)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(f"a member's header can't be read, or is missing ({error})") from error


def _unpack_tar(archive: Path, stream: IO[bytes], target: _Target) -> None:
    # errorlevel has no part in it: tarfile only reads, files are made here
    with tarfile.open(fileobj=stream, mode="r|", tarinfo=_Member) as opened_tar:
        for member in opened_tar:
            # tarfile remembers every member
            opened_tar.members = []  # type: ignore[attr-defined]
            if member.isdir():
                target.pass_over()
                continue
            if not member.isreg():
                raise target.no_file(member.name)
            target.expect(member.size, files=1)
            content = opened_tar.extractfile(member)
            if content is not None:
                target.write(member.name, content)
    # to the end, where a compressed file's checksum is
    after = 0
    while block := stream.read(_BLOCK):
        after += len(block)
        if b"ustar" in block or after > _AFTER_END:
            raise UnreadableFile(
                f"{archive.name}: something follows the end of the archive", hint="unpack it, and hand in the folder"
            )


class _Stream(Protocol):
    def read(self, size: int = ..., /) -> bytes: ...


@dataclass
class _Count:
    """What was written so far."""

    bytes: int = 0


class _Target:
    """The folder that an archive is unpacked into, with what may still come."""

    def __init__(self, archive: Path, into: Path, budget_bytes: int) -> None:
        self._archive = archive
        self._into = into
        self._budget_bytes = budget_bytes
        self._names: set[str] = set()
        self._count = _Count()
        self.written: list[Path] = []
        """The files, in their order."""

    def below(self, folder: Path) -> _Target:
        """A folder in this one for what an archive in the archive holds; what it takes counts for the whole."""
        inner = _Target(self._archive, folder, self._budget_bytes)
        inner._count = self._count
        return inner

    def no_file(self, name: str) -> UnreadableFile:
        """What to say of a member that is no plain file."""
        return UnreadableFile(
            f"{self._archive.name}: {name!r} is a link or a device, not a file",
            hint="unpack it yourself, and hand in the folder",
        )

    def expect(self, size_bytes: int, files: int = 0) -> None:
        """Refuse early what is declared and can't fit; `files` are counted by what an empty one takes on disk."""
        size_bytes += files * _COST_BYTES
        total = self._count.bytes + size_bytes
        free = shutil.disk_usage(self._into).free - _FREE_BYTES
        if total > self._budget_bytes:
            raise TooLarge(
                f"{self._archive.name} takes {total:,} bytes unpacked, more than the limit of {self._budget_bytes:,}",
                hint="raise reader_budget_gb if the file is known to be good",
            )
        if size_bytes > free:
            raise TooLarge(
                f"{self._archive.name} takes {total:,} bytes unpacked, and {max(0, free):,} are free on disk",
                hint="free some space, or set PULVINAR_SCRATCH to a larger disk",
            )
        if total > _RATIO_FROM_BYTES and total > _RATIO * self._archive.stat().st_size:
            raise TooLarge(
                f"{self._archive.name} grows more than {_RATIO}-fold, as a decompression bomb does",
                hint="unpack it yourself if you trust it, and ingest the folder",
            )

    def pass_over(self) -> None:
        """Count a member that isn't written, so that they don't go on for ever."""
        self.expect(0, files=1)
        self._count.bytes += _COST_BYTES

    def write(self, name: str, stream: _Stream) -> None:
        """Write one member."""
        path = self._into.joinpath(*self._parts(name))
        path.parent.mkdir(parents=True, exist_ok=True)
        self._count.bytes += _COST_BYTES
        with path.open("xb") as file:
            self.written.append(path)
            while block := stream.read(_BLOCK):
                self.expect(len(block))
                file.write(block)
                self._count.bytes += len(block)

    def _parts(self, name: str) -> tuple[str, ...]:
        pure = PurePosixPath(name)
        parts = tuple(part for part in pure.parts if part != ".")
        bad = pure.is_absolute() or ".." in parts or "\\" in name or "\0" in name or not parts
        if bad or (len(parts[0]) == 2 and parts[0][1] == ":"):
            raise UnreadableFile(
                f"{self._archive.name}: the name {name!r} leads out of the archive",
                hint="don't unpack it with other programs",
            )
        if not is_text(name):
            raise UnreadableFile(
                f"{self._archive.name}: the name {plain(name)!r} is no UTF-8 text",
                hint="unpack it yourself, rename, and hand in the folder",
            )
        if len(parts) > _DEEPEST or len(os.fsencode(name)) > _LONGEST_PATH or _longest(parts) > _LONGEST_NAME:
            raise UnreadableFile(
                f"{self._archive.name}: the name {name[:60]!r}... is too long, or too deep in folders",
                hint="unpack it yourself, and hand in the folder",
            )
        # two names that some file system takes for one would overwrite each other
        folded = unicodedata.normalize("NFC", "/".join(parts)).casefold()
        if folded in self._names:
            raise UnreadableFile(
                f"{self._archive.name}: the name {name!r} stands twice",
                hint="unpack it yourself, and hand in the folder",
            )
        self._names.add(folded)
        return parts


class _Found(Exception):
    """What was looked for is there."""


class _Search(_Target):
    """Looks for a file's name and writes nothing."""

    def __init__(self, archive: Path, into: Path, budget_bytes: int, name: str) -> None:
        super().__init__(archive, into, budget_bytes)
        self._name = name

    def expect(self, size_bytes: int, files: int = 0) -> None:
        """As for one that is unpacked; what is declared counts as if it had come."""
        super().expect(size_bytes, files)
        self._count.bytes += size_bytes + files * _COST_BYTES

    def write(self, name: str, stream: _Stream) -> None:
        """Pass over a member; raises `_Found` for the one that is looked for."""
        if self._parts(name)[-1] == self._name:
            raise _Found


def _longest(parts: tuple[str, ...]) -> int:
    return max(len(os.fsencode(part)) for part in parts)
