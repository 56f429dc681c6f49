"""How every figure ends: one line with its name, what was found, the goal, and pass or short."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen


@dataclass(frozen=True)
class Cost:
    """What a command took: wall and processor seconds (user and system, its children's included), peak memory."""

    wall_s: float
    cpu_s: float
    peak_bytes: int


def report(name: str, figure: str, goal: str, *, passed: bool) -> int:
    """Print the closing line; the exit status, 0 only when the goal is met."""
    print(f"{name} {figure} {goal} {'pass' if passed else 'short'}", flush=True)
    return 0 if passed else 1


def machine() -> str:
    """What the figures were taken on, and how busy it was."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.processor(),
    )
    return f"{len(os.sched_getaffinity(0))} cores of {model}, load {os.getloadavg()[0]:.1f}"


def timed(command: Sequence[str | Path], environment: dict[str, str] | None = None) -> Cost:
    """Run `command` to its end; raises `RuntimeError` when it fails."""
    start = time.perf_counter()
    process = Popen([str(part) for part in command], env={**os.environ, **(environment or {})})
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{command[0]} ended with {process.returncode}")
    wall = time.perf_counter() - start
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)
