"""What a process and all that it has started take of the machine."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from benchmarks._report import Cost

_SAMPLE_S = 0.02


def watched_run(
    command: Sequence[str | Path], log: Path, environment: Mapping[str, str] | None = None, timeout_s: float = 600
) -> tuple[int, Cost]:
    """Run `command` to its end, with what it says in `log`; its exit code, and what it took with its children.

    The memory is the highest sum over the process tree that was sampled; -9 is the code of one that was ended.
    """
    start = time.perf_counter()
    with log.open("wb") as words:
        process = subprocess.Popen(
            [str(part) for part in command], env={**os.environ, **(environment or {})}, stdout=words, stderr=words
        )
    watch = _Watch(process.pid, timeout_s)
    watch.start()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    watch.ended.set()
    watch.join()
    return process.returncode, Cost(time.perf_counter() - start, usage.ru_utime + usage.ru_stime, watch.peak_bytes)


class _Watch(threading.Thread):
    """Samples the memory of a process tree until it has ended, and ends it after its time."""

    def __init__(self, pid: int, timeout_s: float) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self._until = time.monotonic() + timeout_s
        self.ended = threading.Event()
        self.peak_bytes = 0

    def run(self) -> None:
        while not self.ended.wait(_SAMPLE_S):
            self.peak_bytes = max(self.peak_bytes, tree_bytes(self._pid))
            if time.monotonic() > self._until:
                psutil.Process(self._pid).kill()
                return


def tree_bytes(pid: int) -> int:
    """Resident bytes of a process and its descendants: each one's own memory, and once what they share."""
    try:
        root = psutil.Process(pid)
        kinds = [_resident(process.pid) for process in (root, *root.children(recursive=True))]
    except (psutil.NoSuchProcess, OSError):
        return 0
    own, files, shared = zip(*kinds, strict=True)
    return sum(own) + max(files) + max(shared)


def _resident(pid: int) -> tuple[int, int, int]:
    """Resident bytes of a process: its own, of mapped files, and shared with others."""
    told = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    # one that has just ended has no memory any more
    own, files, shared = (1024 * int(told.get(f"Rss{kind}", "0").split()[0]) for kind in ("Anon", "File", "Shmem"))
    return own, files, shared


def at_work_below(folder: Path) -> list[int]:
    """The processes that work in `folder` or a folder of it."""
    found = []
    for process in psutil.process_iter(["cwd"]):
        where = process.info["cwd"]
        if where and Path(where).is_relative_to(folder.absolute()):
            found.append(process.pid)
    return found
