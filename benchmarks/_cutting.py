"""A bad line: a TCP proxy that cuts connections, or calls for worse, when so many bytes have gone through."""

from __future__ import annotations

import random
import socket
import struct
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress

_RESET = struct.pack("ii", 1, 0)


class CuttingLine:
    """Passes bytes on to `port` of this machine. At each of `cuts` (bytes sent so far) it resets one connection; at
    each of `strikes` it calls `strike`, with all connections still open."""

    def __init__(self, port: int, cuts: Sequence[int], strikes: Sequence[int], strike: Callable[[], None]) -> None:
        self._port, self._strike = port, strike
        self._events = sorted([(at, "cut") for at in cuts] + [(at, "strike") for at in strikes])
        self._open: dict[socket.socket, socket.socket] = {}
        self._lock = threading.Lock()
        self._random = random.Random(11)
        self.sent = 0
        self.breaks = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def left(self) -> int:
        """How many cuts and strikes have not come yet."""
        return len(self._events)

    def close(self) -> None:
        """Take no more connections."""
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self._port))
            except OSError:
                _reset(near)
                continue
            with self._lock:
                self._open[near] = far
            threading.Thread(target=self._pass, args=(near, far), kwargs={"counted": True}, daemon=True).start()
            threading.Thread(target=self._pass, args=(far, near), kwargs={"counted": False}, daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, *, counted: bool) -> None:
        buffer = memoryview(bytearray(1 << 18))
        with suppress(OSError):
            while count := source.recv_into(buffer):
                target.sendall(buffer[:count])
                if counted:
                    self._went(count)
        for one in (source, target):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        if counted:
            with self._lock:
                self._open.pop(source, None)

    def _went(self, count: int) -> None:
        with self._lock:
            self.sent += count
            if not self._events or self.sent < self._events[0][0]:
                return
            kind = self._events.pop(0)[1]
            if kind == "cut":
                near = self._random.choice([*self._open])
                self.breaks += 1
                _reset(self._open[near])
                _reset(near)
                return
            self.breaks += len(self._open)
        self._strike()


def _reset(connection: socket.socket) -> None:
    """End a connection as a broken line does: what is under way is lost."""
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
