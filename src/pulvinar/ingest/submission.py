"""What somebody hands in: a file, a folder or an archive, as a plain list of regular files."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pulvinar.errors import NotFound, UnreadableFile
from pulvinar.ingest.reader import FoundAsset, SourceFile
from pulvinar.ingest.removal import remove_tree
from pulvinar.ingest.sandbox import Limits, ReaderHost
from pulvinar.ingest.source_files import opened, source_file
from pulvinar.ingest.unpacking import compression_of, is_tar, peek
from pulvinar.model.text import short

_SYSTEM_FILES = (".DS_Store", "Thumbs.db", "desktop.ini")
_TIFF = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
_CONTENT_BYTES = 1 << 20
"""Up to this size a file is told from another by its content, above by its size and time."""


@dataclass(frozen=True)
class Submission:
    """An opened submission. `skipped` names what was passed over (links, devices, system files), with the reason."""

    root: Path
    files: tuple[SourceFile, ...]
    fingerprint: str
    readable: tuple[Path, ...]
    skipped: tuple[str, ...] = ()


@contextmanager
def open_submission(path: Path, scratch: Path, limits: Limits) -> Iterator[Submission]:
    """Open `path`; an archive is unpacked below `scratch`, in the reader process, and removed at the end.

    An unpacked archive that a killed process left behind is used again. Raises `NotFound`, `UnreadableFile`,
    `TooLarge`.
    """
    try:
        path = path.resolve(strict=True)
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotFound(f"there is nothing at {short(path)}") from error
    except (OSError, RuntimeError, ValueError) as error:
        # RuntimeError: links in a ring; ValueError: a zero byte in the name
        reason = f"{short(path)} can't be read: {_reason(error)}"
        raise UnreadableFile(reason, hint="mend it, or name another") from error
    if stat.S_ISDIR(mode):
        yield _folder(path, _fingerprint)
        return
    if not stat.S_ISREG(mode):
        raise UnreadableFile(f"{path} is neither a file nor a folder", hint="copy what it gives into a file")
    single = source_file(path, path.name)
    fingerprint = _fingerprint((single,))
    if not is_packed(single):
        yield Submission(path.parent, (single,), fingerprint, (path,))
        return
    with _unpacked(path, fingerprint, scratch, limits) as root:
        yield _folder(root, lambda files: fingerprint)


@contextmanager
def _unpacked(archive: Path, fingerprint: str, scratch: Path, limits: Limits) -> Iterator[Path]:
    scratch.mkdir(parents=True, exist_ok=True)
    whole = scratch / f"unpacked-{fingerprint[:16]}"
    partial = scratch / f"unpacking-{fingerprint[:16]}-{os.getpid()}"
    try:
        if not whole.exists():
            # of a killed process that had the same number
            remove_tree(partial)
            partial.mkdir()
            with ReaderHost(archive.parent, scratch=partial, limits=limits, readable=(archive,)) as host:
                host.unpack(archive, partial / "content")
            (partial / "content").rename(whole)
        yield whole
    finally:
        remove_tree(partial)
        remove_tree(whole)


def is_packed(file: SourceFile) -> bool:
    """Whether it is an archive, or a compressed file of a format that has no compression of its own.

    A compressed NIfTI or MGH is left to its reader.
    """
    if file.head.startswith(b"PK\x03\x04"):
        return True
    inside = peek(file.path, file.head)
    return is_tar(inside) or (compression_of(file.head) is not None and inside.startswith(_TIFF))


def left_over(files: Sequence[SourceFile], found: Sequence[FoundAsset]) -> tuple[list[str], list[str]]:
    """What of `files` no asset is made of: those with a reason ("a.tif: empty"), and the names of the others."""
    claimed = {name for asset in found for name in asset.files}
    reasons, unknown = [], []
    for file in sorted((file for file in files if file.name not in claimed), key=lambda file: file.name):
        if not file.size_bytes:
            reasons.append(f"{file.name}: empty")
        elif is_packed(file):
            reasons.append(f"{file.name}: packed; hand it in by itself")
        else:
            unknown.append(file.name)
    return reasons, unknown


def _folder(root: Path, fingerprint: Callable[[tuple[SourceFile, ...]], str]) -> Submission:
    files, skipped = [], []
    for path in _walk(root):
        name = path.relative_to(root).as_posix()
        if path.name.startswith("._") or path.name in _SYSTEM_FILES:
            skipped.append(f"{name}: left by an operating system")
        elif not _is_regular(path):
            skipped.append(f"{name}: a link or a device, which is never followed")
        else:
            files.append(source_file(path, name))
    found = tuple(files)
    return Submission(root, found, fingerprint(found), (root,), tuple(skipped))


def _is_regular(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except FileNotFoundError:
        # opening it says that it is gone
        return True


def _walk(root: Path) -> Iterator[Path]:
    """Everything below `root` but real folders, in a stable order; links are named, never followed."""
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(folder) as listed:
                entries = sorted(listed, key=lambda entry: entry.name)
        except OSError as error:
            raise UnreadableFile(
                f"the folder {short(folder)} can't be read: {_reason(error)}", hint="mend it, or leave it out"
            ) from error
        folders = [entry for entry in entries if entry.is_dir(follow_symlinks=False)]
        yield from (Path(entry.path) for entry in entries if not entry.is_dir(follow_symlinks=False))
        waiting.extend(Path(entry.path) for entry in reversed(folders))


def _reason(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error)


def _fingerprint(files: tuple[SourceFile, ...]) -> str:
    digest = hashlib.sha256()
    for file in files:
        with opened(file.path) as content:
            if file.size_bytes <= _CONTENT_BYTES and len(files) <= 1000:
                told = hashlib.sha256(content.read(_CONTENT_BYTES + 1)).hexdigest()
            else:
                told = str(os.fstat(content.fileno()).st_mtime_ns)
        digest.update(f"{file.name}\0{file.size_bytes}\0{told}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()
