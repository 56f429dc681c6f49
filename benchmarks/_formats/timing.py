"""How long a plain library takes over a file in a process that has read nothing before."""

from __future__ import annotations

import multiprocessing
import time
from pathlib import Path

from benchmarks._formats import FORMATS


def plain_seconds(name: str, path: Path) -> float:
    """Seconds that the plain library of the format `name` takes over `path`, imports left out."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["__main__", __name__])
    with context.Pool(1) as pool:
        return pool.apply(_timed, (name, path))


def _timed(name: str, path: Path) -> float:
    one = next(one for one in FORMATS if one.name == name)
    start = time.perf_counter()
    one.plain(path)
    return time.perf_counter() - start
