"""Bytes of a part, on their way into the file that an ingest will read: in place, checked, and durable."""

from __future__ import annotations

import fcntl
import hashlib
import os
import struct
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from types import TracebackType
from typing import Self

from pulvinar.errors import Conflict, Invalid, TooLarge
from pulvinar.ingest.uploads.landing import Landing, keep_folder, make_folders
from pulvinar.ingest.uploads.parts import Part, acknowledge, get_part
from pulvinar.ingest.uploads.placing import PlacedFile
from pulvinar.ingest.uploads.submissions import check_hands_in
from pulvinar.model.access import Actor
from pulvinar.storage.space import room_in

CHECKPOINT_BYTES = 32 << 20
"""Of a body without a checksum, so much is acknowledged at a time: no break loses more."""


class Locked(Conflict):
    """Another request is writing the same part."""


class ChecksumMismatch(Invalid):
    """What came isn't what was sent."""


class PartWriter:
    """Writes what one request brings, from the durable offset on; no other request writes the same range meanwhile.

    With `sha256` (hex) nothing counts before all of it has come and was found right. Without, what came counts.
    """

    def __init__(self, landing: Landing, actor: Actor, part: Part, offset: int, sha256: str = "") -> None:
        check_hands_in(actor)
        self._landing = landing
        self._expected = sha256
        self._digest = hashlib.sha256()
        self._file = PlacedFile(_opened(landing, part))
        try:
            _hold(self._file.handle, part)
            # who held it before may have gone on since the part was looked up
            self.part = get_part(landing, actor, part.id)
            if self.part.received != offset:
                raise Conflict(
                    f"upload {part.id} is at {self.part.received}, not at {offset}",
                    hint="ask for its offset, and go on there",
                )
        except BaseException:
            self._file.close()
            raise
        self._at = self._kept = offset

    def write(self, chunks: Sequence[bytes | memoryview]) -> None:
        """Write what comes next. Raises `TooLarge` beyond the end of the part, `Unavailable` on a full disk."""
        size = sum(map(len, chunks))
        if self._at + size > self.part.size_bytes:
            raise TooLarge(f"upload {self.part.id} has {self.part.size_bytes:,} bytes, and more came")
        with room_in(self._landing.folder):
            self._file.write(chunks, self.part.first + self._at)
        if self._expected:
            for chunk in chunks:
                self._digest.update(chunk)
        self._at += size
        if not self._expected and self._at - self._kept >= CHECKPOINT_BYTES:
            self.keep()

    def keep(self, *, whole: bool = True) -> int:
        """Make what was written durable, and count it; the offset. `whole` is False where the request broke off.

        Raises `ChecksumMismatch` where it isn't what was sent.
        """
        if self._expected and not whole:
            return self._kept
        if self._expected and self._digest.hexdigest() != self._expected:
            raise ChecksumMismatch(
                f"what came of upload {self.part.id} has another SHA-256 than was sent", hint="send it again"
            )
        if self._at > self._kept:
            with room_in(self._landing.folder):
                self._file.sync()
            acknowledge(self._landing, self.part, self._kept, self._at, self._expected)
            self._kept = self._at
            self.part = replace(self.part, received=self._at)
        return self._kept

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go of the range."""
        self._file.close()


def make_empty(landing: Landing, part: Part) -> None:
    """Make a file that has no bytes."""
    os.close(_opened(landing, part))
    acknowledge(landing, part, 0, 0)


def _opened(landing: Landing, part: Part) -> int:
    """The file of a part, made at its full size when it isn't there: its name outlives a power cut."""
    path = landing.files(part.submission_id) / part.path
    flags = os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
    with suppress(FileNotFoundError):
        return os.open(path, flags)
    with room_in(landing.folder):
        make_folders(path.parent, landing.folder)
        handle = os.open(path, flags | os.O_CREAT, 0o640)
        os.ftruncate(handle, part.file_size_bytes)
        os.fsync(handle)
        keep_folder(path.parent)
    return handle


def _hold(handle: int, part: Part) -> None:
    """Hold the part's range of the file until `handle` is closed, however this process ends."""
    lock = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, part.first, part.size_bytes, 0)
    try:
        fcntl.fcntl(handle, fcntl.F_OFD_SETLK, lock)
    except BlockingIOError as error:
        raise Locked(f"upload {part.id} is being written by another request", hint="try again in a moment") from error
