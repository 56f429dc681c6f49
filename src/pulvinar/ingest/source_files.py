"""Opening the files of a submission: regular files only, and whatever a name has become meanwhile is not followed."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from pulvinar.errors import UnreadableFile
from pulvinar.ingest.reader import SourceFile
from pulvinar.model.text import plain, short

_HEAD_BYTES = 4096
_REASONS = {
    errno.ENOENT: "it was removed meanwhile",
    errno.ELOOP: "it is a link, and links are never followed",
    errno.ENXIO: "it is no regular file",
    errno.EACCES: "you may not read it",
}


def is_text(name: str) -> bool:
    """Whether a file name that Python has read from a disk or an archive is text in UTF-8."""
    return name.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in name)


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """A regular file, open for reading. Raises `UnreadableFile` for all else, and for what fails while it is read."""
    try:
        # O_NONBLOCK: what was a file a moment ago may be a pipe now, whose opening would wait for ever
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise UnreadableFile(f"{short(path)} can't be read: it is no regular file")
            yield file
    except OSError as error:
        reason = _REASONS.get(error.errno or 0, error.strerror)
        raise UnreadableFile(f"{short(path)} can't be read: {reason}", hint="mend it, or leave it out") from error


def source_file(path: Path, name: str, head_bytes: int = _HEAD_BYTES) -> SourceFile:
    """What a reader is told of a file, with so much of its beginning.

    Raises `UnreadableFile`, also for a name that no catalogue can write.
    """
    if not is_text(name):
        raise UnreadableFile(
            f"the name of {short(plain(path))} is no UTF-8 text",
            hint="rename it, or leave it out: convmv can rename many",
        )
    with opened(path) as file:
        return SourceFile(path, name, os.fstat(file.fileno()).st_size, file.read(head_bytes))
