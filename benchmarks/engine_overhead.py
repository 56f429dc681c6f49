"""What the engine costs: many short blocks through queue, runner, local Dask and ledger, against what they take alone.

First blocks that sleep for 50 ms on two workers: the ideal is their number times their time by the workers, and the
figure is how much longer it took. Then empty blocks, with as many empty tasks of raw Dask beside them: blocks a second,
and the memory of Dask's scheduler, which sees batches here and every task there.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from benchmarks._engine_runs import raw_dask, through_the_platform
from benchmarks._report import machine, report

WORK = Path(".bench") / "engine_overhead"
LIMIT = 0.05


def main() -> int:
    """Measure both; 0 when the overhead is within its limit and no empty block cost more than raw Dask's."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--blocks", type=int, default=10_000)
    parser.add_argument("--block-ms", type=float, default=50)
    parser.add_argument("--empty", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=2)
    chosen = parser.parse_args()
    shutil.rmtree(WORK, ignore_errors=True)
    print(machine(), flush=True)
    ideal_s = chosen.blocks * chosen.block_ms / 1000 / chosen.workers
    timed = through_the_platform(WORK / "timed", chosen.blocks, chosen.block_ms / 1000, chosen.workers)
    overhead = timed.wall_s / ideal_s - 1
    print(
        f"{chosen.blocks:,} blocks of {chosen.block_ms:g} ms: {timed.wall_s:.1f} s, ideal {ideal_s:.1f} s", flush=True
    )
    empty = through_the_platform(WORK / "empty", chosen.empty, 0.0, chosen.workers)
    ours = chosen.empty / empty.wall_s
    print(
        f"{chosen.empty:,} empty blocks: {ours:,.0f} a second, scheduler {empty.scheduler_bytes / 1e6:.0f} MB",
        flush=True,
    )
    raw = raw_dask(WORK / "raw", chosen.empty, chosen.workers)
    theirs = chosen.empty / raw.wall_s
    print(f"raw Dask: {theirs:,.0f} a second, scheduler {raw.scheduler_bytes / 1e6:.0f} MB", flush=True)
    shutil.rmtree(WORK, ignore_errors=True)
    share = empty.scheduler_bytes / raw.scheduler_bytes
    figure = f"{overhead:+.1%}, empty {ours / theirs:.1f}x raw Dask, {share:.2f}x memory"
    passed = overhead <= LIMIT and ours >= theirs and empty.scheduler_bytes <= raw.scheduler_bytes
    return report("engine_overhead", figure, f"<= {LIMIT:.0%}, >= 1x, <= 1x", passed=passed)


if __name__ == "__main__":
    sys.exit(main())
