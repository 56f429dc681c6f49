"""Peak memory of an ingest at 1, 2, 4 and 8 GB: growing in z, and growing in the plane up to 30,000 x 30,000.

What counts is the whole process tree, sampled all the while: each process's own memory, and once what they share
(program code and the voxels on their way from the reader). Pages of programs count whole, whoever else has them mapped.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import tifffile

from benchmarks._processes import tree_bytes
from benchmarks._report import machine, report
from benchmarks._synthetic import SyntheticBrain

WORK = Path(".bench") / "ingest_memory"
LIMIT_BYTES, SPREAD = 1.5e9, 1.15
GROWING = {
    "z": [(120 * gigabytes, 2048, 2048) for gigabytes in (1, 2, 4, 8)],
    "plane": [(5, side, side) for side in (10_000, 14_200, 20_000, 30_000)],
}
_TILE = 2048
_SAMPLE_S = 0.05


def main() -> int:
    """Measure every size and print the peaks; 0 when they are flat and below the limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, default=4, help="how many sizes of each series, from the smallest on")
    chosen = parser.parse_args()
    print(machine(), flush=True)
    peaks = {}
    for name, shapes in GROWING.items():
        peaks[name] = [_peak_of(shape) for shape in shapes[: chosen.sizes]]
    spread = {name: max(series) / min(series) for name, series in peaks.items()}
    highest = max(max(series) for series in peaks.values())
    figure = f"z {spread['z']:.2f}x, plane {spread['plane']:.2f}x, peak {highest / 1e9:.2f} GB"
    passed = max(spread.values()) <= SPREAD and highest <= LIMIT_BYTES
    return report("ingest_memory", figure, f"<= {SPREAD}x, <= {LIMIT_BYTES / 1e9} GB", passed=passed)


def _peak_of(shape: tuple[int, int, int]) -> int:
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    stack = WORK / "stack.tif"
    try:
        _write_tiled(stack, shape)
        start = time.perf_counter()
        command = [sys.executable, "-m", "benchmarks._one_ingest", "pyramid", str(stack), str(WORK / "out")]
        process = subprocess.Popen(command)
        peak = 0
        while process.poll() is None:
            peak = max(peak, tree_bytes(process.pid))
            time.sleep(_SAMPLE_S)
        if process.returncode:
            raise RuntimeError(f"the ingest of {shape} ended with {process.returncode}")
    finally:
        shutil.rmtree(WORK)
    size, wall_s = 2 * np.prod(shape) / 1e9, time.perf_counter() - start
    print(f"  {'x'.join(map(str, shape)):16} {size:4.1f} GB  peak {peak / 1e9:.3f} GB  wall {wall_s:.0f} s", flush=True)
    return peak


def _write_tiled(path: Path, shape: tuple[int, int, int]) -> None:
    """A stack of `shape` from one tile of tissue, again and again, so that making it needs little memory."""
    depth = min(shape[0], 64)
    tile = SyntheticBrain((depth, _TILE, _TILE), "tissue")
    band = -(-shape[2] // _TILE)
    pages = tifffile.memmap(path, shape=shape, dtype=np.uint16, bigtiff=True)
    for z in range(depth):
        wide = np.tile(tile.plane(z), (1, band))[:, : shape[2]]
        for copy in range(z, shape[0], depth):
            for y in range(0, shape[1], _TILE):
                rows = min(_TILE, shape[1] - y)
                pages[copy, y : y + rows] = wide[:rows]
    pages.flush()


if __name__ == "__main__":
    sys.exit(main())
