"""Long bodies of uploads, read from the connection by the thread that writes them.

By way of the event loop every 64 KiB of a body cost a turn of the loop and are copied three times: for gigabytes that
is more work than to check and to write them. So the body of a long upload stays in the kernel when its headers have
been read, and whoever is to write it takes it over; the connection goes back for its answer and the next request.
"""

from __future__ import annotations

import asyncio
import mmap
import socket
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, cast

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from pulvinar.web.requests import CAME_S, Scope, header
from pulvinar.web.security import is_upload

_LEAST_BYTES = 1 << 20
"""Shorter bodies are through before it pays."""
_BUFFER_BYTES = 4 << 20
_BUFFERS_A_TURN = 2
"""After so much a thread serves another upload: there are fewer of them than uploads."""
_SPARE_BUFFERS = 8
_NAME = "pulvinar.direct_body"

# Fresh memory costs as much as to read into it; of whole pages, it can be written past the page cache.
_spare: deque[mmap.mmap] = deque(maxlen=_SPARE_BUFFERS)

Write = Callable[[Sequence[memoryview]], None]


class UploadProtocol(HttpToolsProtocol):
    """HTTP as uvicorn speaks it, but that long bodies of uploads wait until they are taken over or asked for, and that
    a request says when it was read."""

    _came = 0
    _began_s = 0.0

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._came = 0
        self._began_s = time.monotonic()

    def on_headers_complete(self) -> None:
        """Its headers are there: offer its body where it is long."""
        super().on_headers_complete()
        if not self.pipeline:
            cast(Scope, self.scope)[CAME_S] = self._began_s
        length = _length_of_upload(self.scope)
        # a request that waits for the answer to the one before it shares the connection with that
        if length >= _LEAST_BYTES and self.scheme == "http" and not self.pipeline:
            self.flow.pause_reading()
            cast(Scope, self.scope)["extensions"] = {_NAME: DirectBody(self, self.cycle, length)}

    def on_body(self, body: bytes) -> None:
        """Some of its body came along with its headers, or was asked for."""
        self._came += len(body)
        super().on_body(body)

    def hand_over(self, length: int) -> tuple[socket.socket, int] | None:
        """The connection and how many bytes of a body of `length` are still to be read from it; None without any.

        What comes behind those bytes is another request: it will be read anew.
        """
        left = length - self._came
        if left <= 0 or self.transport.is_closing():
            return None
        self.flow.pause_reading()
        self.parser = httptools.HttpRequestParser(self)
        handle = self.transport.get_extra_info("socket").fileno()
        # a handle of our own: the loop may close its one while a thread still reads
        connection = socket.fromfd(handle, socket.AF_INET, socket.SOCK_STREAM)
        connection.setblocking(False)
        return connection, left


class DirectBody:
    """The body of one request, to be taken over once. Bytes that came with the headers are its start."""

    def __init__(self, protocol: UploadProtocol, cycle: RequestResponseCycle, length: int) -> None:
        self._protocol, self._cycle, self._length = protocol, cycle, length
        self._connection: socket.socket | None = None
        self._memory: mmap.mmap | None = None
        self._buffer = memoryview(b"")
        self._filled = 0
        self.left = 0
        self.broken = False

    def take_over(self) -> bool:
        """Take the connection; False where there is nothing more to read from it."""
        if len(self._cycle.body) > _BUFFER_BYTES:
            return False
        taken = self._protocol.hand_over(self._length)
        if taken is None:
            return False
        self._connection, self.left = taken
        early = bytes(self._cycle.body)
        self._cycle.body = type(self._cycle.body)()
        self._memory = _spare.pop() if _spare else mmap.mmap(-1, _BUFFER_BYTES)
        self._buffer = memoryview(self._memory)
        self._buffer[: len(early)] = early
        self._filled = len(early)
        if self._cycle.waiting_for_100_continue:
            self._protocol.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self._cycle.waiting_for_100_continue = False
        return True

    async def ready(self) -> None:
        """Wait until there is something to read."""
        loop, handle = asyncio.get_running_loop(), self._taken.fileno()
        came = asyncio.Event()
        loop.add_reader(handle, came.set)
        try:
            await came.wait()
        finally:
            loop.remove_reader(handle)

    def pour(self, write: Write) -> None:
        """Give `write` what has come by now, a buffer at a time; `left` and `broken` say how it stands then."""
        for _ in range(_BUFFERS_A_TURN):
            while self.left and self._filled < len(self._buffer):
                room = self._buffer[self._filled : self._filled + self.left]
                try:
                    count = self._taken.recv_into(room)
                except BlockingIOError:
                    return
                except OSError:
                    count = 0
                if not count:
                    self.broken = True
                    break
                self._filled += count
                self.left -= count
            self.flush(write)
            if self.broken or not self.left:
                return

    def flush(self, write: Write) -> None:
        """Give `write` what is left in the buffer."""
        filled, self._filled = self._filled, 0
        if filled:
            write([self._buffer[:filled]])

    def give_back(self) -> None:
        """Let go of the connection; it ends with the answer where the body was not read to its end."""
        self._taken.close()
        self._cycle.more_body = False
        if self.broken:
            self._cycle.disconnected = True
            self._protocol.transport.close()
        elif self.left:
            self._cycle.keep_alive = False

    def let_go(self) -> None:
        """Leave the buffer to another body: nothing is written from it any more."""
        if self._memory is not None:
            _spare.append(self._memory)
        self._memory, self._buffer = None, memoryview(b"")

    @property
    def _taken(self) -> socket.socket:
        if self._connection is None:
            raise RuntimeError("the body was not taken over")
        return self._connection


def direct_body_of(scope: Scope) -> DirectBody | None:
    """The body of a request that can be taken over, where the server offers it."""
    found: Any = (scope.get("extensions") or {}).get(_NAME)
    return found if isinstance(found, DirectBody) else None


def _length_of_upload(scope: Any) -> int:
    """What its headers say of the body of an upload; 0 for other requests, and for a body in chunks."""
    length = header(scope, b"content-length")
    if not is_upload(scope) or header(scope, b"transfer-encoding") or not length.isdigit() or len(length) > 18:
        return 0
    return int(length)
