"""What somebody hands in: a file, a folder or an archive, as a plain list of regular files."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path

from pulvinar.errors import NotFound, UnreadableFile
from pulvinar.ingest.progress import Progress, Silent, bytes_below, watched
from pulvinar.ingest.reader import FoundAsset, SourceFile
from pulvinar.ingest.removal import remove_tree
from pulvinar.ingest.sandbox import Limits, ReaderHost
from pulvinar.ingest.source_files import opened, source_file
from pulvinar.ingest.unpacking import compression_of, is_packed, is_packed_among_others, peek, place_of
from pulvinar.model.text import short

_SYSTEM_FILES = (".DS_Store", "Thumbs.db", "desktop.ini")
_STAYED_PACKED = "packed, and damaged, too deep in others or too large for the disk; unpack it yourself"
_HEAD_BYTES = 512
"""Enough to tell an archive; the readers look at more of it, in their own process."""
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

    def only(self, patterns: Sequence[str]) -> Submission:
        """Its files whose name matches one of `patterns`; all when there is none. Raises `NotFound` for no file."""
        if not patterns:
            return self
        kept = tuple(item for item in self.files if any(fnmatch(item.name, pattern) for pattern in patterns))
        if not kept:
            raise NotFound(
                f"no file of the submission matches {', '.join(patterns)}", hint="--only takes names or patterns"
            )
        return replace(self, files=kept)

    def left_over(
        self, found: Sequence[FoundAsset], unreadable: Sequence[str] = ()
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The files of which no asset is made and that aren't named as unreadable.

        First those with a reason ("a.tif: empty"), then the names of those that nobody recognised.
        """
        claimed = {name for asset in found for name in asset.files} | set(unreadable)
        reasons, unknown = [], []
        for file in sorted((file for file in self.files if file.name not in claimed), key=lambda file: file.name):
            if not file.size_bytes:
                reasons.append(f"{file.name}: empty")
            elif is_packed(file.path, file.head):
                reasons.append(f"{file.name}: {_STAYED_PACKED}")
            elif compression_of(file.head) is not None and not peek(file.path, file.head):
                reasons.append(f"{file.name}: its compressed stream is damaged")
            else:
                unknown.append(file.name)
        return tuple(reasons), tuple(unknown)


@contextmanager
def open_submission(
    path: Path,
    scratch: Path,
    limits: Limits,
    *,
    progress: Progress | None = None,
    before_unpacking: Callable[[Callable[[str], bool]], None] = lambda holds: None,
) -> Iterator[Submission]:
    """Open `path`; an archive is unpacked below `scratch`, in the reader process, and removed at the end.

    An unpacked archive that a killed process left behind is used again. `before_unpacking` is called before that long
    work; it may ask whether a file in the archive has some name, and may raise. Raises `NotFound`, `UnreadableFile`,
    `TooLarge`.
    """
    progress = progress or Silent()
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
        whole = _folder(path, path.name, progress)
        packed = [file for file in whole.files if is_packed_among_others(file.path, file.head)]
        if not packed or not _has_room(whole, scratch):
            yield whole
            return
        before_unpacking(lambda name: _folder_holds(whole, packed, name, scratch, limits, progress))
        with _unpacked_folder(whole, packed, scratch, limits, progress) as root:
            yield _folder(root, path.name, progress, whole.fingerprint)
        return
    if not stat.S_ISREG(mode):
        raise UnreadableFile(f"{path} is neither a file nor a folder", hint="copy what it gives into a file")
    single = source_file(path, path.name)
    fingerprint = _fingerprint((single,), progress)
    if not is_packed(single.path, single.head):
        yield Submission(path.parent, (single,), fingerprint, (path,))
        return
    before_unpacking(lambda name: _holds(path, name, scratch, limits, progress))
    with _unpacked(path, fingerprint, scratch, limits, progress) as root:
        yield _folder(root, path.name, progress, fingerprint)


@contextmanager
def _unpacked(archive: Path, fingerprint: str, scratch: Path, limits: Limits, progress: Progress) -> Iterator[Path]:
    def fill(content: Path) -> None:
        _unpack_into(archive, content, content.parent, limits, progress)

    with _filled(fingerprint, scratch, fill) as content:
        yield content


@contextmanager
def _unpacked_folder(
    folder: Submission, packed: Sequence[SourceFile], scratch: Path, limits: Limits, progress: Progress
) -> Iterator[Path]:
    """A copy of a folder, of links to its files where it lies on the same disk, with what is packed in it unpacked.

    The process that unpacks may write in a folder beside it: a link that it could write would be the file itself.
    """

    def fill(content: Path) -> None:
        work = content.with_name("work")
        work.mkdir()
        content.mkdir()
        with progress.task(f"copying {short(folder.root.name)}", len(folder.files), "files") as task:
            for count, path in enumerate(_walk(folder.root), 1):
                _link_or_copy(path, content / path.relative_to(folder.root))
                task.update(count)
        for file in packed:
            copied, aside = content / file.name, work / "inner"
            try:
                _unpack_into(file.path, aside, work, limits, progress)
            except UnreadableFile:
                # it stays, and is told of
                remove_tree(aside)
            else:
                place = place_of(copied, file.head)
                copied.unlink()
                place.mkdir(exist_ok=True)
                for made in aside.iterdir():
                    made.rename(place / made.name)
                aside.rmdir()

    with _filled(folder.fingerprint, scratch, fill) as content:
        yield content


def _link_or_copy(path: Path, to: Path) -> None:
    """The same file, or link, once more; nothing for a device."""
    to.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(path, to, follow_symlinks=False)
    except OSError:
        with suppress(shutil.SpecialFileError):
            shutil.copyfile(path, to, follow_symlinks=False)


def _has_room(folder: Submission, scratch: Path) -> bool:
    """Whether a folder's files may stand beside it once more: as links, or as copies that leave half of the disk."""
    scratch.mkdir(parents=True, exist_ok=True)
    if scratch.stat().st_dev == folder.root.stat().st_dev:
        return True
    return sum(file.size_bytes for file in folder.files) < shutil.disk_usage(scratch).free / 2


def _unpack_into(archive: Path, into: Path, scratch: Path, limits: Limits, progress: Progress) -> None:
    with (
        ReaderHost(archive.parent, scratch=scratch, limits=limits, readable=(archive,)) as host,
        watched(progress, f"unpacking {short(archive.name)}", lambda: bytes_below(into), unit="bytes"),
    ):
        host.unpack(archive, into)


@contextmanager
def _filled(fingerprint: str, scratch: Path, fill: Callable[[Path], None]) -> Iterator[Path]:
    """The folder that `fill` makes: whole, or it isn't there; and no longer than the block."""
    scratch.mkdir(parents=True, exist_ok=True)
    whole = scratch / f"unpacked-{fingerprint[:16]}"
    partial = scratch / f"unpacking-{fingerprint[:16]}-{os.getpid()}"
    try:
        if not whole.exists():
            # of a killed process that had the same number
            remove_tree(partial)
            partial.mkdir()
            content = partial / "content"
            fill(content)
            content.rename(whole)
        yield whole
    finally:
        remove_tree(partial)
        remove_tree(whole)


def _folder_holds(
    folder: Submission, packed: Sequence[SourceFile], name: str, scratch: Path, limits: Limits, progress: Progress
) -> bool:
    if any(file.name.rpartition("/")[2] == name for file in folder.files):
        return True
    return any(_holds(file.path, name, scratch, limits, progress) for file in packed)


def _holds(archive: Path, name: str, scratch: Path, limits: Limits, progress: Progress) -> bool:
    scratch.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(dir=scratch) as own,
        ReaderHost(archive.parent, scratch=Path(own), limits=limits, readable=(archive,)) as host,
        watched(progress, f"looking for {name} in {short(archive.name)}"),
    ):
        return host.holds(archive, name)


def _folder(root: Path, title: str, progress: Progress, fingerprint: str = "") -> Submission:
    files, skipped = [], []
    with progress.task(f"looking at what is in {short(title)}", 0, "files") as task:
        for path in _walk(root):
            name = path.relative_to(root).as_posix()
            if path.name.startswith("._") or path.name in _SYSTEM_FILES:
                skipped.append(f"{name}: left by an operating system")
            elif not _is_regular(path):
                skipped.append(f"{name}: a link or a device, which is never followed")
            else:
                files.append(source_file(path, name, _HEAD_BYTES))
                task.update(len(files))
    found = tuple(files)
    return Submission(root, found, fingerprint or _fingerprint(found, progress), (root,), tuple(skipped))


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


def _fingerprint(files: tuple[SourceFile, ...], progress: Progress) -> str:
    digest = hashlib.sha256()
    with progress.task("telling the files from others", len(files), "files") as task:
        for count, file in enumerate(files, 1):
            with opened(file.path) as content:
                if file.size_bytes <= _CONTENT_BYTES and len(files) <= 1000:
                    told = hashlib.sha256(content.read(_CONTENT_BYTES + 1)).hexdigest()
                else:
                    told = str(os.fstat(content.fileno()).st_mtime_ns)
            digest.update(f"{file.name}\0{file.size_bytes}\0{told}\n".encode("utf-8", "surrogateescape"))
            task.update(count)
    return digest.hexdigest()
