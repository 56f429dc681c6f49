"""Programs and containers as a step: run in a folder of their own, ended with the block, their words in the log."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from pulvinar.compute.batches import say
from pulvinar.errors import JobFailed, Unavailable

_RUNTIMES = ("apptainer", "singularity", "podman", "docker")
_LAST_LINES = 20
_ENDS_WITH_PARENT = """
import ctypes, os, signal, sys
parent = int(sys.argv[1])
ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)
if os.getppid() != parent:
    sys.exit(1)
os.execvp(sys.argv[2], sys.argv[2:])
"""
"""A block that is ended takes its program along."""


def run_program(
    command: Sequence[str], folder: Path, *, image: str = "", environment: Mapping[str, str] | None = None
) -> None:
    """Run `command` in `folder`, within the container `image` where one is named, which sees that folder alone.

    What it prints goes line by line into the log of the job. It has of this process's environment only PATH, HOME and
    LANG, and `environment`. Raises `JobFailed` with its last lines when it fails, `MemoryError` when it was killed as
    for want of memory, `Unavailable` when the program or a container runtime is not installed.
    """
    words = [*_container(image, folder), *command] if image else list(command)
    if shutil.which(words[0]) is None:
        raise Unavailable(f"the program {words[0]!r} is not installed on this worker")
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    last: list[str] = []
    with subprocess.Popen(
        [sys.executable, "-I", "-c", _ENDS_WITH_PARENT, str(os.getpid()), *words],
        cwd=folder,
        env={**kept, **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            say(line.rstrip())
            last = [*last, line.rstrip()][-_LAST_LINES:]
    if process.returncode == -signal.SIGKILL:
        raise MemoryError(f"{words[0]} was killed")
    if process.returncode:
        raise JobFailed(f"{words[0]} ended with {process.returncode}: {' / '.join(last[-3:])}")


def _container(image: str, folder: Path) -> list[str]:
    runtime = next((name for name in _RUNTIMES if shutil.which(name)), None)
    if runtime is None:
        raise Unavailable(
            f"no container runtime is installed on this worker, and the step runs in {image}",
            hint=f"install one of {', '.join(_RUNTIMES)}",
        )
    if runtime in ("apptainer", "singularity"):
        return [runtime, "exec", "--containall", "--bind", f"{folder}:/work", "--pwd", "/work", image]
    return [runtime, "run", "--rm", "--network", "none", "--volume", f"{folder}:/work", "--workdir", "/work", image]
