"""From a TIFF stack to a sharded pyramid: our processor and wall time against four peers and against the codec alone.

Each takes turns on the same uncompressed stack, in processes of their own, start-up included; the best of the rounds
counts for everyone. Stated for tissue that fills the volume and for a whole brain with 63% background. A small stack
mostly measures how programs start: `--side 1024` shows by how much.

The share of the codec's limit is taken in processor seconds: encoding the same chunks with nothing around it, divided
by our whole process, reading, checksums and start-up included. The codec counts as zarr-python and the peers call it;
our own call of it is faster, so the share of that is lower, and stated beside it.
"""

from __future__ import annotations

import argparse
import compileall
import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pulvinar
from benchmarks._peers import NAMES, command
from benchmarks._report import Cost, machine, report, timed
from benchmarks._synthetic import KINDS, write_stack

WORK = Path(".bench") / "ingest"
CPU_OF_BEST, CPU_OF_OME_ZARR, WALL_OF_BEST, OF_CODEC = 0.5, 0.25, 0.55, 0.8


@dataclass(frozen=True)
class Standing:
    """Our cost as a share of others'."""

    cpu_of_best: float
    cpu_of_ome_zarr: float
    wall_of_best: float
    of_codec: float
    of_own_codec: float

    @property
    def passed(self) -> bool:
        """Whether every goal is met."""
        return (
            self.cpu_of_best <= CPU_OF_BEST
            and self.cpu_of_ome_zarr <= CPU_OF_OME_ZARR
            and self.wall_of_best <= WALL_OF_BEST
            and self.of_codec >= OF_CODEC
        )

    def __str__(self) -> str:
        return (
            f"cpu {self.cpu_of_best:.2f}x best {self.cpu_of_ome_zarr:.2f}x ome-zarr-py, "
            f"wall {self.wall_of_best:.2f}x best, {self.of_codec:.0%} of codec "
            f"({self.of_own_codec:.0%} of our faster call of it)"
        )


def main() -> int:
    """Run everything and print the standing; 0 when every goal is met in every case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=1600, help="voxels an axis; 1024 are 2.1 GB, 1600 are 8.2 GB")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=KINDS)
    chosen = parser.parse_args()
    print(machine(), flush=True)
    standings = {kind: _compare(kind, chosen.side, chosen.rounds) for kind in chosen.kinds}
    figure = "; ".join(f"{kind}: {standing}" for kind, standing in standings.items())
    goal = f"<= {CPU_OF_BEST}x {CPU_OF_OME_ZARR}x, <= {WALL_OF_BEST}x, >= {OF_CODEC:.0%}"
    return report("ingest", figure, goal, passed=all(standing.passed for standing in standings.values()))


def _compare(kind: str, side: int, rounds: int) -> Standing:
    stack = WORK / f"{kind}-{side}.tif"
    print(f"{kind}: a stack of {2 * side**3 / 1e9:.1f} GB", flush=True)
    write_stack(stack, (side, side, side), kind)
    _warm_up(stack)
    taken: dict[str, list[Cost]] = {}
    limits: list[Mapping[str, list[float]]] = []
    try:
        for _ in range(rounds):
            taken.setdefault("pulvinar", []).append(_run(_ours("pyramid", stack, WORK / "out"), keep=True))
            limits.append(json.loads(subprocess.check_output(_ours("codec", stack, WORK / "out"))))
            taken.setdefault("pulvinar ingest", []).append(_run(_ours("whole", stack, WORK / "out")))
            for peer in NAMES:
                taken.setdefault(peer, []).append(_run(command(peer, stack, WORK / "out")))
    finally:
        shutil.rmtree(WORK / "out", ignore_errors=True)
        stack.unlink()
    wall = {name: min(cost.wall_s for cost in costs) for name, costs in taken.items()}
    cpu = {name: min(cost.cpu_s for cost in costs) for name, costs in taken.items()}
    for name in taken:
        peak = max(cost.peak_bytes for cost in taken[name])
        print(f"  {name:14} cpu {cpu[name]:7.1f} s  wall {wall[name]:7.1f} s  peak {peak / 1e9:5.2f} GB", flush=True)
    alone = {name: min(limit[name][1] for limit in limits) for name in ("stock", "own")}
    for name, cpu_s in alone.items():
        wall_s = min(limit[name][0] for limit in limits)
        print(f"  codec, {name:7} cpu {cpu_s:7.1f} s  wall {wall_s:7.1f} s", flush=True)
    return Standing(
        cpu["pulvinar"] / min(cpu[name] for name in NAMES),
        cpu["pulvinar"] / cpu["ome-zarr-py"],
        wall["pulvinar"] / min(wall[name] for name in NAMES),
        alone["stock"] / cpu["pulvinar"],
        alone["own"] / cpu["pulvinar"],
    )


def _warm_up(stack: Path) -> None:
    """The stack into the page cache, compiled modules and kernels into theirs: an installation has them after its first
    day, or its first minute."""
    compileall.compile_dir(Path(pulvinar.__file__).parent, quiet=1)
    small = WORK / "warm.tif"
    write_stack(small, (128, 128, 128), "tissue")
    _run(_ours("pyramid", small, WORK / "out"))
    small.unlink()
    with stack.open("rb") as file:
        while file.read(1 << 24):
            pass


def _ours(what: str, stack: Path, out: Path) -> list[str | Path]:
    return [sys.executable, "-m", "benchmarks._one_ingest", what, stack, out]


def _run(parts: list[str | Path], *, keep: bool = False) -> Cost:
    shutil.rmtree(WORK / "out", ignore_errors=True)
    cost = timed(parts)
    if not keep:
        shutil.rmtree(WORK / "out", ignore_errors=True)
    return cost


if __name__ == "__main__":
    sys.exit(main())
