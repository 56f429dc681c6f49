"""What to say when nothing more can be written: where, how much is free, and that nothing is lost."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pulvinar.errors import Unavailable

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def is_full(error: OSError) -> bool:
    """Whether a disk, a quota or the largest size of a file stands behind `error`."""
    return error.errno in _FULL


def no_room(folder: Path, reason: object) -> Unavailable:
    """The error that says that `folder` takes no more, and why."""
    try:
        free = f"{shutil.disk_usage(folder).free:,} bytes are free"
    except OSError:
        free = "it is not there"
    return Unavailable(
        f"nothing more can be written in {folder}: {reason}, {free}",
        hint="free some space there (or raise a quota, or ulimit -f): the same command goes on from what is finished",
    )


@contextmanager
def room_in(folder: Path) -> Iterator[None]:
    """Turn a full disk, where the block writes in `folder`, into the `Unavailable` that says so."""
    try:
        yield
    except OSError as error:
        if is_full(error):
            raise no_room(folder, error.strerror) from error
        raise
