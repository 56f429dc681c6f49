"""The process that reader processes are forked from: it has imported the readers, and never sees a file.

Importing them takes half a second, a fork some milliseconds. The libraries that readers import only once they read take
longer than that, and most are used by few: they are imported here while nobody asks for a reader, from when the first
has ended, so that who reads a single submission does not wait for them.

`main` is run by `forked_reader` in a new process, with the number of its end of a socket as the only argument. Each
message over it is the scratch folder of one reader to be, and brings three descriptors: the reader's channel, the file
for its last words, and a line to the platform. The reader's exit code is sent over the line; who hangs it up has the
reader killed.
"""

from __future__ import annotations

import gc
import importlib
import os
import selectors
import signal
import socket
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from pulvinar.ingest import reader_process
from pulvinar.ingest.channel import EXIT_CODE

_MOST_PATH_BYTES = 4096
_DESCRIPTORS = 3
_LIBRARIES = (
    "pyarrow.compute",
    "pyarrow.csv",
    "pyarrow.parquet",
    # by Arrow, as soon as it is given an array
    "pandas",
    "nibabel",
    "nibabel.nicom.csareader",
    "h5py",
    "pydicom",
    "nrrd",
    "tensorstore",
    "nd2",
    "liffile",
    "DracoPy",
)
"""What readers import once they read, the most used first."""


def main() -> None:
    """Fork readers until the platform hangs up."""
    reader_process.READERS.working()
    _keep_imported()
    gc.set_threshold(100_000, 20, 20)
    gc.enable()
    ForkServer(socket.socket(fileno=int(sys.argv[1]))).serve()
    # all readers die with this process, and nothing is left to be put in order
    os._exit(0)


def _keep_imported() -> None:
    """What is imported stays: no reader looks through it for garbage, nor copies its pages by doing so."""
    gc.freeze()


@dataclass(eq=False)
class _Reader:
    """A forked reader: its line to the platform, and a descriptor that is ready once it has ended."""

    pid: int
    line: socket.socket
    ended: int


class ForkServer:
    """Forks a reader for each message, and tells how each ended."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._readers: set[_Reader] = set()
        self._selector = selectors.DefaultSelector()
        self._watch(control, self._fork)
        self._hung_up = False
        self._libraries = list(reversed(_LIBRARIES))
        self._one_ended = False

    def serve(self) -> None:
        """Until the platform hangs up."""
        while not self._hung_up:
            may_import = self._one_ended and bool(self._libraries)
            events = self._selector.select(0 if may_import else None)
            for key, _ in events:
                key.data()
            if not events:
                self._import(self._libraries.pop())

    @staticmethod
    def _import(library: str) -> None:
        # a reader that needs it tells what is wrong with it
        with suppress(Exception), warnings.catch_warnings(action="ignore"):
            importlib.import_module(library)
        _keep_imported()

    def _watch(self, what: socket.socket | int, then: Callable[[], None]) -> None:
        self._selector.register(what, selectors.EVENT_READ, then)

    def _fork(self) -> None:
        message, descriptors, _, _ = socket.recv_fds(self._control, _MOST_PATH_BYTES, _DESCRIPTORS)
        if not message:
            self._hung_up = True
            return
        try:
            channel, words, line = descriptors
            pid = os.fork()
        except (OSError, ValueError):
            # no process, or no descriptor, to be had: whoever asked finds the line hung up
            for descriptor in descriptors:
                os.close(descriptor)
            return
        if pid == 0:
            self._be_reader(os.fsdecode(message), channel, words, line)
        os.close(channel)
        os.close(words)
        reader = _Reader(pid, socket.socket(fileno=line), os.pidfd_open(pid))
        self._readers.add(reader)
        self._watch(reader.line, partial(self._kill, reader))
        self._watch(reader.ended, partial(self._tell, reader))

    def _kill(self, reader: _Reader) -> None:
        if reader in self._readers:
            self._selector.unregister(reader.line)
            os.kill(reader.pid, signal.SIGKILL)

    def _tell(self, reader: _Reader) -> None:
        _, status = os.waitpid(reader.pid, 0)
        self._readers.remove(reader)
        if reader.line in self._selector.get_map():
            self._selector.unregister(reader.line)
        self._selector.unregister(reader.ended)
        os.close(reader.ended)
        self._one_ended = True
        with reader.line as line:
            try:
                line.send(EXIT_CODE.pack(os.waitstatus_to_exitcode(status)))
            except OSError:
                # nobody waits for it
                return

    def _be_reader(self, scratch: str, channel: int, words: int, line: int) -> None:
        """What the forked process does; it never returns."""
        code = 1
        try:
            self._let_go()
            os.close(line)
            os.setsid()
            os.dup2(words, sys.stderr.fileno())
            os.close(words)
            os.chdir(scratch)
            os.environ["TMPDIR"] = scratch
            tempfile.tempdir = None
            reader_process.serve(socket.socket(fileno=channel))
            code = 0
        except BaseException:  # noqa: BLE001 (its last words, whatever they are)
            traceback.print_exc()
        finally:
            os._exit(code)

    def _let_go(self) -> None:
        """Close what is the server's: a reader that a file has taken over must not reach others by it."""
        self._selector.close()
        self._control.close()
        for reader in self._readers:
            reader.line.close()
            os.close(reader.ended)
