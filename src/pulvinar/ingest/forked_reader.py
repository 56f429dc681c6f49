"""The platform's side of the fork server: one for each Python, started by the first reader, ended with this process."""

from __future__ import annotations

import atexit
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from typing import IO

from pulvinar.ingest.channel import EXIT_CODE
from pulvinar.model.text import plain

# what is imported stays: looking through it for garbage meanwhile took a fifth of the start
_PROGRAM = "import gc; gc.disable(); from pulvinar.ingest.fork_server import main; main()"
# arrays are made, read once and sent: getting their memory by 4 KiB a time took up to two thirds of it
_LARGE_PAGES = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}
_END_S = 2.0


class ForkedReader:
    """A reader process that was asked for; it is not waited for that it runs."""

    def __init__(self, line: socket.socket, server: _ForkServer) -> None:
        self._line = line
        self._server = server

    def wait(self, timeout_s: float) -> int | None:
        """Its exit code, the negative number of the signal that ended it; None when it still runs after that time."""
        self._line.settimeout(timeout_s)
        try:
            told = self._line.recv(EXIT_CODE.size)
        except (TimeoutError, BlockingIOError):
            return None
        except OSError:
            told = b""
        self._line.close()
        # without the server no reader lives on
        return EXIT_CODE.unpack(told)[0] if told else -signal.SIGKILL

    def kill(self) -> None:
        """End it at once; `wait` waits for that."""
        with suppress(OSError):
            self._line.shutdown(socket.SHUT_WR)

    def words_of_server(self) -> str:
        """The last line that the server printed, in brackets, when it has ended; else ""."""
        return self._server.last_words()


def fork_reader(scratch: Path, channel: socket.socket, words: IO[bytes]) -> ForkedReader:
    """A new reader process that works in `scratch`, answers over `channel` and prints to `words`."""
    with _STARTING:
        server = _SERVERS.get(sys.executable)
        if server is not None and (reader := server.fork(scratch, channel, words)):
            return reader
        if server is not None:
            server.end()
        server = _SERVERS[sys.executable] = _ForkServer()
        return server.fork(scratch, channel, words) or ForkedReader(socket.socketpair()[0], server)


class _ForkServer:
    def __init__(self) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._words = tempfile.TemporaryFile()  # noqa: SIM115 (closed in end)
        # -P and a bare environment: nothing in the working folder, and no secret of ours, reaches a reader
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "HOME") if name in os.environ}
        single = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", _PROGRAM, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                env=kept | single | _LARGE_PAGES,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._words,
                start_new_session=True,
            )

    def fork(self, scratch: Path, channel: socket.socket, words: IO[bytes]) -> ForkedReader | None:
        """Ask for a reader; None when the server is gone."""
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                socket.send_fds(
                    self._control, [os.fsencode(scratch)], [channel.fileno(), words.fileno(), theirs.fileno()]
                )
            except OSError:
                ours.close()
                return None
        return ForkedReader(ours, self)

    def last_words(self) -> str:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_S)
            return last_line(self._words)
        return ""

    def end(self) -> None:
        """End the server, and with it its readers: at once, whatever it imports just then."""
        self._control.close()
        self._process.kill()
        self._process.wait()
        self._words.close()

    def forget(self) -> None:
        """Leave the server to the process that started it."""
        self._control.close()
        self._words.close()
        # it is no child of this one
        self._process.returncode = 0


def last_line(words: IO[bytes]) -> str:
    """The last line that was printed to `words`, in brackets; "" when there is none."""
    words.seek(max(0, words.seek(0, os.SEEK_END) - 4096))
    lines = words.read(4096).decode("utf-8", "replace").strip().splitlines()
    return f" ({plain(lines[-1].strip())})" if lines else ""


_SERVERS: dict[str, _ForkServer] = {}
_STARTING = threading.Lock()


def _end_all() -> None:
    while _SERVERS:
        _SERVERS.popitem()[1].end()


def _forget_all() -> None:
    """In a fork of this process: the servers are those of its parent."""
    global _STARTING
    # one that another thread held at the fork is never let go
    _STARTING = threading.Lock()
    while _SERVERS:
        _SERVERS.popitem()[1].forget()


atexit.register(_end_all)
os.register_at_fork(after_in_child=_forget_all)
