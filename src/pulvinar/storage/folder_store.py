"""A store in a folder: every write is a temporary file, fsync, rename, fsync of the folders above."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from stat import S_ISREG
from typing import Any

from pulvinar.errors import NotFound, Unavailable
from pulvinar.storage.space import room_in
from pulvinar.storage.store import UNFINISHED, StoreEntry, check_key, unfinished_name


class FolderStore:
    """Objects as files below `root`, which is made when it isn't there."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.url = self.root.as_uri()
        with self._refusals(self.url):
            (self.root / UNFINISHED).mkdir(parents=True, exist_ok=True)

    def put_file(self, key: str, path: Path) -> None:
        """Move `path` to `key`; durable when it returns. A rename when both lie on one file system."""
        target = self._file(key)
        with self._refusals(key):
            try:
                _sync(path)
                self._rename(path, target)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                with path.open("rb") as source:
                    self._write(key, iter(lambda: source.read(1 << 22), b""))
                path.unlink()

    def put_bytes(self, key: str, data: bytes) -> None:
        """Store `data` under `key`; durable when it returns."""
        with self._refusals(key):
            self._write(key, iter((data,)))

    def read(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        """`length` bytes from `start`, or all that follow."""
        # never through a link: what lies outside the folder is no object
        with self._refusals(key), open(self._file(key), "rb", opener=_open_no_link) as file:
            file.seek(start)
            return file.read(-1 if length is None else length)

    def size(self, key: str) -> int:
        """Size in bytes."""
        with self._refusals(key):
            found = self._file(key).lstat()
        if not S_ISREG(found.st_mode):
            raise NotFound(f"the store has no object {key!r}")
        return found.st_size

    def list(self, prefix: str) -> Iterator[StoreEntry]:
        """Every object under the folder `prefix`, sorted by key."""
        base = self.root / check_key(prefix) if prefix else self.root
        found = []
        for folder, folders, files in os.walk(base):
            if Path(folder) == self.root:
                folders.remove(UNFINISHED)
            found += [path for name in files if not (path := Path(folder) / name).is_symlink()]
        for path in sorted(found, key=lambda path: path.relative_to(self.root).as_posix()):
            # what is being written may have got its own name meanwhile
            try:
                size = path.stat().st_size
            except FileNotFoundError:
                continue
            yield StoreEntry(path.relative_to(self.root).as_posix(), size)

    def delete(self, key: str) -> None:
        """Remove `key` and the folders that it leaves empty."""
        path = self._file(key)
        with self._refusals(key):
            path.unlink(missing_ok=True)
        for folder in path.parents:
            if folder in (self.root, self.root / UNFINISHED) or not _remove_if_empty(folder):
                return

    def local_path(self, key: str) -> Path | None:
        """The file of `key`, whether or not it is there."""
        return self._file(key)

    def scratch_for(self, key: str, scratch: Path) -> Path:
        """A new path beside the store, so that `put_file` only renames."""
        return self.root / UNFINISHED / unfinished_name(key)

    def kvstore(self, prefix: str) -> dict[str, Any]:
        """tensorstore's file driver on the folder `prefix`."""
        return {"driver": "file", "path": f"{self.root / check_key(prefix)}/"}

    def _file(self, key: str) -> Path:
        return self.root / check_key(key)

    def _write(self, key: str, parts: Iterator[bytes]) -> None:
        partial = self.scratch_for(key, self.root)
        try:
            with partial.open("xb") as file:
                for part in parts:
                    file.write(part)
                file.flush()
                os.fsync(file.fileno())
            self._rename(partial, self._file(key))
        finally:
            partial.unlink(missing_ok=True)

    def _rename(self, path: Path, target: Path) -> None:
        made = [folder for folder in target.parents if not folder.exists()]
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)
        for folder in [target.parent, *(new.parent for new in made)]:
            _sync(folder)

    @contextmanager
    def _refusals(self, name: str) -> Iterator[None]:
        try:
            with room_in(self.root):
                yield
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
            raise NotFound(f"the store has no object {name!r}") from error
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise NotFound(f"the store has no object {name!r}") from error
            raise Unavailable(f"the store can't serve {name!r}: {error.strerror}") from error


def _open_no_link(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_if_empty(folder: Path) -> bool:
    try:
        folder.rmdir()
    except OSError:
        return False
    return True
