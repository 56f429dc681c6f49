"""The command line: parse, call one verb, print. Heavy imports wait until a command needs them."""

from __future__ import annotations

import atexit
import gc
import os


def main() -> None:
    """The entry point of the command `pulvinar`."""
    settle_process()
    from pulvinar.cli.app import run

    run()


def settle_process() -> None:
    """Spare this process what no command needs; called before anything heavy is imported.

    Nothing here solves equations, and BLAS's threads wait for some by spinning. What imports make stays: looking
    through it for garbage again and again, and once more at the end, took a tenth of a short ingest.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    gc.set_threshold(100_000, 20, 20)
    atexit.register(gc.freeze)
