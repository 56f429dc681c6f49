"""What a reader process gives up before it touches a hostile file, and what of it this machine can't take.

Run as `python -m pulvinar.ingest.protection` it gives up everything and prints what could not be taken.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from pulvinar.ingest import landlock, seccomp

_TRUNCATE_FROM, _SCOPES_FROM = 3, 6


def give_up_rights(
    readable: Iterable[Path], writable: Iterable[Path], *, memory_bytes: int, cpu_s: int, file_bytes: int
) -> list[str]:
    """Leave this process nothing but to read below `readable` and to write below `writable`, for good.

    What the kernel can't take is left, and said in one sentence each.
    """
    missing = []
    network = landlock.cut_network()
    files = landlock.restrict_files(readable, writable)
    landlock.drop_capabilities()
    landlock.limit_resources(memory_bytes, cpu_s, file_bytes)
    calls = seccomp.forbid_calls()
    version = landlock.landlock_version()
    if not files:
        missing.append("this kernel has no Landlock: readers can read and change every file that you can")
    elif version < _TRUNCATE_FROM:
        missing.append(f"this kernel's Landlock is old (version {version}): readers can empty files that you can write")
    if not network and not calls:
        missing.append("this kernel lets no process leave the network: readers can open network connections")
    if not calls:
        missing.append("this kernel has no filter of system calls: readers can start programs and change modes")
        if version < _SCOPES_FROM:
            missing.append("this kernel can't keep signals in: readers can end your other processes")
    return missing


@cache
def missing_protection() -> tuple[str, ...]:
    """What this machine lacks for reading hostile files safely, found by trying in a process of its own."""
    command = [sys.executable, "-P", "-m", "pulvinar.ingest.protection"]
    tried = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=60, check=False)
    try:
        return tuple(map(str, json.loads(tried.stdout)))
    except ValueError:
        return (
            "whether readers can be held back can't be tried here: " + tried.stderr.decode(errors="replace")[-200:],
        )


if __name__ == "__main__":
    lacking = give_up_rights([], [Path("/dev/null")], memory_bytes=1 << 30, cpu_s=60, file_bytes=1 << 20)
    os.write(sys.stdout.fileno(), json.dumps(lacking).encode())
