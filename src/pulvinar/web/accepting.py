"""Takes all connections that wait at a socket, and not one a turn of the event loop.

libuv, on which the loop is built, takes one connection and then turns to those that it has. When thousands come at once
a turn lasts a second, and who comes last would wait for hours.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable

_AGAIN_S = 1.0
"""Where there are no more handles, or no memory: who waits is taken when some are free."""

_WAITING = 8192
"""When thousands come at once, who finds the queue full tries again only after seconds, then after many."""

_log = logging.getLogger("pulvinar.web")


class Accepting:
    """Listens at `listener`, which is bound, and gives each connection that comes a protocol of `make_protocol`; at
    most `at_a_turn` in one turn of the running loop: what is left is for the next, or for another process that listens
    too."""

    def __init__(
        self, listener: socket.socket, make_protocol: Callable[[], asyncio.Protocol], *, at_a_turn: int
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._listener = listener
        self._make_protocol = make_protocol
        self._at_a_turn = at_a_turn
        self._taking = set[asyncio.Task[None]]()
        self._later: asyncio.TimerHandle | None = None
        listener.setblocking(False)
        listener.listen(_WAITING)
        self._listen()

    def close(self) -> None:
        """Take no more; those that were taken go on."""
        self._loop.remove_reader(self._listener.fileno())
        if self._later is not None:
            self._later.cancel()

    async def wait_closed(self) -> None:
        """Wait until each that was taken has its protocol."""
        if self._taking:
            await asyncio.wait(self._taking)

    def _listen(self) -> None:
        self._later = None
        self._loop.add_reader(self._listener.fileno(), self._take_all)

    def _take_all(self) -> None:
        for _ in range(self._at_a_turn):
            try:
                connection, _ = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                _log.error("no connection can be taken: %s", error)
                self._loop.remove_reader(self._listener.fileno())
                self._later = self._loop.call_later(_AGAIN_S, self._listen)
                return
            task = self._loop.create_task(self._take(connection))
            self._taking.add(task)
            task.add_done_callback(self._taking.discard)

    async def _take(self, connection: socket.socket) -> None:
        try:
            connection.setblocking(False)
            # the last bytes of an answer are not to wait for what comes before them to be acknowledged
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await self._loop.connect_accepted_socket(self._make_protocol, connection)
        except OSError:
            # it has gone again
            connection.close()
