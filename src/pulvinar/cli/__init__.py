"""The command line: parse, call one verb, print. Heavy imports wait until a command needs them."""

from __future__ import annotations

import atexit
import ctypes
import gc
import os
from contextlib import suppress

# the parameter of glibc's mallopt that says how many heaps there are at most; other libraries have no mallopt
_M_ARENA_MAX = -8
_HEAPS = 2


def main() -> None:
    """The entry point of the command `pulvinar`."""
    settle_process()
    from pulvinar.cli.app import run

    run()


def settle_process() -> None:
    """Spare this process what no command needs; called before anything heavy is imported.

    Nothing here solves equations, and BLAS's threads wait for some by spinning. What imports make stays: looking
    through it for garbage again and again, and once more at the end, took a tenth of a short ingest. With a heap for
    every thread, as glibc gives them out, each keeps what none uses: of wide planes that was a fifth of all memory.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    gc.set_threshold(100_000, 20, 20)
    atexit.register(gc.freeze)
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, _HEAPS)
