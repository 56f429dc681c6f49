"""Connections that came while the event loop was busy are all taken in its next turn."""

import asyncio
import errno
import socket
import time
from contextlib import ExitStack, closing

import pytest
import uvloop

from pulvinar.web.accepting import Accepting


class Greeting(asyncio.Protocol):
    """Greets whoever comes."""

    def connection_made(self, transport) -> None:
        transport.write(b"welcome")
        self.transport = transport


@pytest.fixture
def listener():
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound


def run(work):
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


@pytest.mark.parametrize(("at_a_turn", "turns"), [(1000, 1), (50, 4)])
def test_all_who_came_in_one_turn_are_taken_in_the_next(listener, at_a_turn, turns):
    made = []

    def protocol() -> Greeting:
        made.append(Greeting())
        return made[-1]

    async def work() -> list[int]:
        accepting = Accepting(listener, protocol, at_a_turn=at_a_turn)
        counts = []
        with ExitStack() as ending:
            # as a turn in which there is much to answer: nothing is taken meanwhile
            asking = [ending.enter_context(socket.create_connection(listener.getsockname(), 30)) for _ in range(200)]
            while len(made) < 200:
                before = len(made)
                await asyncio.sleep(0)
                if len(made) > before:
                    counts.append(len(made) - before)
            accepting.close()
            await accepting.wait_closed()
            for one in asking:
                one.settimeout(0.01)
            while any(not one.recv(1, socket.MSG_PEEK) for one in asking):
                await asyncio.sleep(0)
        return counts

    counts = run(work())
    assert sum(counts) == 200
    assert max(counts) <= at_a_turn
    assert len(counts) <= turns + 2


def test_where_no_handle_is_left_it_goes_on_once_there_are_some(listener, monkeypatch, caplog):
    monkeypatch.setattr("pulvinar.web.accepting._AGAIN_S", 0.1)

    class Poor:
        """A socket whose process has no handles for the first three who come."""

        def __init__(self) -> None:
            self.refusals = 3

        def __getattr__(self, name):
            return getattr(listener, name)

        def accept(self):
            if self.refusals:
                self.refusals -= 1
                raise OSError(errno.EMFILE, "too many open files")
            return listener.accept()

    async def work() -> bytes:
        accepting = Accepting(Poor(), Greeting, at_a_turn=10)
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        with closing(writer):
            greeted = await asyncio.wait_for(reader.readexactly(7), 10)
        accepting.close()
        return greeted

    began = time.monotonic()
    assert run(work()) == b"welcome"
    # it is not tried again and again meanwhile
    assert time.monotonic() - began >= 0.3
    assert len(caplog.records) == 3
    assert "too many open files" in caplog.text


def test_who_comes_after_the_end_is_not_taken(listener):
    async def work() -> None:
        accepting = Accepting(listener, Greeting, at_a_turn=10)
        accepting.close()
        await accepting.wait_closed()
        with socket.create_connection(listener.getsockname(), 5) as late:
            await asyncio.sleep(0.1)
            late.settimeout(0.1)
            with pytest.raises(TimeoutError):
                late.recv(1)

    run(work())
