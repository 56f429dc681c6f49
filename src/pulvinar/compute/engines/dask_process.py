"""Runs Dask's own commands, `scheduler` or `worker` and their options, as processes that end with their parent."""

from __future__ import annotations

import ctypes
import os
import runpy
import signal
import sys

_PR_SET_PDEATHSIG = 1


def end_with_parent() -> None:
    """Have the kernel end this process when its parent dies, however that dies.

    At once: a scheduler that took its leave would have workers go on with what somebody else begins anew.
    """
    parent = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent or parent == 1:
        sys.exit(1)


if __name__ == "__main__":
    end_with_parent()
    command = sys.argv.pop(1)
    runpy.run_module(f"distributed.cli.dask_{command}", run_name="__main__", alter_sys=True)
