"""Blocks that compute on every core of their slot, and say by the kernel's own account whether they slept."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from pulvinar.compute.engine import BlockResult

_PROGRAM = Path(__file__).with_name("_computing_process.py").absolute()
_VARIATION = 0.3


@dataclass(frozen=True)
class Computing:
    """Checksums data on all cores of its slot for about `wall_s` seconds, 30 % more or less from block to block.

    A process a core, as many as the engine tells libraries to use. `asleep` has them sleep instead: to see that the
    account can tell.
    """

    wall_s: float
    seed: str = ""
    asleep: bool = False

    def __call__(self, index: int) -> BlockResult:
        """Do it; the values say when it ran, on how many cores, and what the kernel says of these."""
        began_s = time.time()
        cores = int(os.environ.get("OMP_NUM_THREADS", "1"))
        seconds = self.wall_s * random.Random(f"{self.seed} {index}").uniform(1 - _VARIATION, 1 + _VARIATION)
        words = [sys.executable, "-I", "-S", _PROGRAM, str(cores), str(seconds), "sleep" if self.asleep else "work"]
        ended = subprocess.run(
            words, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        on_processor_s, waiting_s = map(float, ended.stdout.split())
        values = {"began_s": began_s, "ended_s": time.time(), "cores": cores}
        return BlockResult({**values, "on_processor_s": on_processor_s, "waiting_s": waiting_s})
