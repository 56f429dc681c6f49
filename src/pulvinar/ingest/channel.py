"""How the platform talks with its reader process: JSON after its length, over a socket, and memory by descriptor.

Neither side ever evaluates what the other sent.
"""

from __future__ import annotations

import fcntl
import json
import mmap
import os
import socket
import struct
import time
from contextlib import suppress
from typing import Any

_LENGTH = struct.Struct("<Q")
EXIT_CODE = struct.Struct("<i")
"""How a reader process ended, as the process that it was forked from tells the platform."""
_POPULATE_WRITE = 23
"""MADV_POPULATE_WRITE of Linux, which Python has no name for."""
MOST_TOLD_BYTES = 64 << 20
"""Of what the reader process says at once; a JSON value takes up to some twenty times its text in memory."""


class ChannelClosed(Exception):
    """The other side is gone."""


class Garbled(ChannelClosed):
    """The other side sent what is no message, or one that is too long."""


class TooLate(ChannelClosed):
    """The other side did not answer, or did not listen, in time."""


class Channel:
    """One end; a message is a dictionary of JSON values and at most one file descriptor.

    `longest` bounds what is received, `within_s` how long sending or receiving one message may take; None: no bound.
    After an error nothing more can be said over it.
    """

    def __init__(self, end: socket.socket, *, longest: int | None = None, within_s: float | None = None) -> None:
        self._end = end
        self._longest = longest
        self._within_s = within_s
        self.heard_bytes = 0
        """All that was received so far."""

    @classmethod
    def to_reader(cls, end: socket.socket, within_s: float) -> Channel:
        """The platform's end, which trusts nothing that it hears."""
        return cls(end, longest=MOST_TOLD_BYTES, within_s=within_s)

    def send(self, message: dict[str, Any], descriptor: int | None = None) -> None:
        """Send one message. Raises `ChannelClosed`, and what isn't JSON as `TypeError` or `ValueError`."""
        body = json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")
        self._end.settimeout(self._within_s)
        try:
            if descriptor is None:
                self._end.sendall(_LENGTH.pack(len(body)))
            else:
                socket.send_fds(self._end, [_LENGTH.pack(len(body))], [descriptor])
            self._end.sendall(body)
        except TimeoutError as error:
            raise TooLate from error
        except OSError as error:
            raise ChannelClosed from error

    def receive(self) -> tuple[dict[str, Any], int | None]:
        """Wait for one message. Raises `ChannelClosed`, for what is no message `Garbled`."""
        deadline = None if self._within_s is None else time.monotonic() + self._within_s
        descriptors: list[int] = []
        try:
            self._wait(deadline)
            head, descriptors, _, _ = socket.recv_fds(self._end, _LENGTH.size, 1)
            (length,) = _LENGTH.unpack(head + self._exactly(_LENGTH.size - len(head), deadline))
            if self._longest is not None and length > self._longest:
                raise Garbled
            self.heard_bytes += length
            message = json.loads(self._exactly(length, deadline).decode("utf-8"))
            if not isinstance(message, dict):
                raise Garbled
        except BaseException as error:
            for descriptor in descriptors:
                os.close(descriptor)
            if isinstance(error, TimeoutError):
                raise TooLate from error
            if isinstance(error, OSError):
                raise ChannelClosed from error
            # RecursionError: brackets in brackets without end
            if isinstance(error, (ValueError, RecursionError, MemoryError)):
                raise Garbled from error
            raise
        return message, descriptors[0] if descriptors else None

    def _exactly(self, count: int, deadline: float | None) -> bytes:
        # as it comes, and not as much as was announced
        parts, missing = [], count
        while missing:
            self._wait(deadline)
            part = self._end.recv(min(missing, 1 << 20))
            if not part:
                raise ChannelClosed
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)

    def send_bytes(self, content: memoryview) -> None:
        """Send what the other side knows the length of. Raises `ChannelClosed`."""
        self._end.settimeout(self._within_s)
        try:
            self._end.sendall(content)
        except TimeoutError as error:
            raise TooLate from error
        except OSError as error:
            raise ChannelClosed from error

    def receive_bytes(self, room: memoryview) -> None:
        """Wait until `room` is full of what the other side sends. Raises `ChannelClosed`."""
        deadline = None if self._within_s is None else time.monotonic() + self._within_s
        try:
            while room:
                self._wait(deadline)
                if not (got := self._end.recv_into(room)):
                    raise ChannelClosed
                room = room[got:]
        except TimeoutError as error:
            raise TooLate from error
        except OSError as error:
            raise ChannelClosed from error

    def _wait(self, deadline: float | None) -> None:
        """Let the next call wait no longer than until `deadline`, however little each one before it brought."""
        self._end.settimeout(None if deadline is None else max(0.001, deadline - time.monotonic()))

    def close(self) -> None:
        """Hang up."""
        self._end.close()


class SharedMemory:
    """Memory that two processes map: made by one with `create`, mapped by the other from its descriptor.

    Who is about to write all of it maps it `whole`: meeting its pages one by one takes longer than filling them.
    """

    def __init__(self, descriptor: int, size_bytes: int, *, whole: bool = False) -> None:
        self.descriptor = descriptor
        self.size_bytes = size_bytes
        self.map = mmap.mmap(descriptor, size_bytes, mmap.MAP_SHARED)
        # a kernel that does not know how leaves them to be met one by one
        if whole:
            with suppress(OSError):
                self.map.madvise(_POPULATE_WRITE)

    @classmethod
    def create(cls, size_bytes: int) -> SharedMemory:
        """New memory, all zero. Raises `OSError` where there is not enough, or a limit of file sizes is smaller."""
        descriptor = os.memfd_create("pulvinar-voxels", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            # what isn't there is told here, and not by a signal to who writes it
            os.posix_fallocate(descriptor, 0, size_bytes)
        except OSError:
            os.close(descriptor)
            raise
        # a process that could shrink it could kill the other by SIGBUS
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
        return cls(descriptor, size_bytes)

    def close(self) -> None:
        """Let go; arrays that still look at it keep it alive."""
        os.close(self.descriptor)
