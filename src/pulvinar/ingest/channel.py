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
from typing import Any

_LENGTH = struct.Struct("<Q")
_LONGEST = 1 << 30


class ChannelClosed(Exception):
    """The other side is gone."""


class Channel:
    """One end; a message is a dictionary of JSON values and at most one file descriptor."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end

    def send(self, message: dict[str, Any], descriptor: int | None = None) -> None:
        """Send one message. Raises `ChannelClosed`."""
        body = json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogateescape")
        try:
            if descriptor is None:
                self._end.sendall(_LENGTH.pack(len(body)))
            else:
                socket.send_fds(self._end, [_LENGTH.pack(len(body))], [descriptor])
            self._end.sendall(body)
        except (BrokenPipeError, ConnectionResetError) as error:
            raise ChannelClosed from error

    def receive(self) -> tuple[dict[str, Any], int | None]:
        """Wait for one message. Raises `ChannelClosed`, also for what is no message."""
        try:
            head, descriptors, _, _ = socket.recv_fds(self._end, _LENGTH.size, 1)
            head += self._exactly(_LENGTH.size - len(head))
            (length,) = _LENGTH.unpack(head)
            if length > _LONGEST:
                raise ChannelClosed
            message = json.loads(self._exactly(length).decode("utf-8", "surrogateescape"))
        except (ConnectionResetError, ValueError) as error:
            raise ChannelClosed from error
        if not isinstance(message, dict):
            raise ChannelClosed
        return message, descriptors[0] if descriptors else None

    def _exactly(self, count: int) -> bytes:
        buffer = bytearray(count)
        view, filled = memoryview(buffer), 0
        while filled < count:
            got = self._end.recv_into(view[filled:])
            if got == 0:
                raise ChannelClosed
            filled += got
        return bytes(buffer)

    def close(self) -> None:
        """Hang up."""
        self._end.close()


class SharedMemory:
    """Memory that two processes map: made by one with `create`, mapped by the other from its descriptor."""

    def __init__(self, descriptor: int, size_bytes: int) -> None:
        self.descriptor = descriptor
        self.size_bytes = size_bytes
        self.map = mmap.mmap(descriptor, size_bytes)

    @classmethod
    def create(cls, size_bytes: int) -> SharedMemory:
        """New memory, all zero."""
        descriptor = os.memfd_create("pulvinar-voxels", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(descriptor, size_bytes)
        # a process that could shrink it could kill the other by SIGBUS
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
        return cls(descriptor, size_bytes)

    def close(self) -> None:
        """Let go; arrays that still look at it keep it alive."""
        os.close(self.descriptor)
