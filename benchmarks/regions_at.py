"""In which region are ten million points? Us beside plain numpy on an array in memory, and BrainGlobe's own call.

Goals: at least half as fast as vectorised numpy indexing on an array in memory; peak memory at most twice the points'.
Every answer of ours is compared with numpy's. Each program runs in a process of its own on the same real annotation
(Allen CCFv3, 25 um) and the same points. Memory is what a process takes beyond what it had before the points were made:
its own and, apart, what it shows of files (the grid of labels, which every process of the machine shares).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from benchmarks._atlas import ccf_annotation, ccf_labels
from benchmarks._report import machine, report

POINTS = 10_000_000
BRAINGLOBE_POINTS = 200_000
SPEED, MEMORY = 0.5, 2.0
VOXEL_UM = 25.0


def main() -> int:
    """Run, print, and say by the exit code whether the goals are met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=POINTS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--child", nargs=2, metavar=("WHO", "FOLDER"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child:
        who, folder = chosen.child
        print(json.dumps(CHILDREN[who](Path(folder), chosen.points, chosen.rounds)))
        return 0
    print(machine())
    with tempfile.TemporaryDirectory(prefix="pulvinar-regions-") as folder:
        ccf_annotation(Path(folder))
        np.save(Path(folder) / "labels.npy", ccf_labels())
        found = {who: _run(who, folder, chosen) for who in CHILDREN}
        answers = [np.load(Path(folder) / f"{who}.npy", mmap_mode="r") for who in ("ours", "numpy")]
        wrong = int((answers[0] != answers[1]).sum())
    for who, told in found.items():
        print(
            f"{who:>12}: {told['points'] / told['seconds'] / 1e6:8.2f} million points/s, {told['seconds']:.3f} s for "
            f"{told['points']:,}; own memory {told['own'] / told['size']:.2f}x the points', "
            f"with files {told['all'] / told['size']:.2f}x"
        )
    speed = found["numpy"]["seconds"] / found["ours"]["seconds"]
    memory = found["ours"]["all"] / found["ours"]["size"]
    figure = f"{speed:.2f}x numpy, {memory:.2f}x the points' memory, {wrong} of {chosen.points:,} wrong"
    passed = speed >= SPEED and memory <= MEMORY and not wrong
    return report("regions_at", figure, f">= {SPEED}x, <= {MEMORY:g}x, 0 wrong", passed=passed)


def _run(who: str, folder: str, chosen: argparse.Namespace) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.regions_at", "--points", str(chosen.points)]
    command += ["--rounds", str(chosen.rounds), "--child", who, folder]
    told: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return told


def _points(count: int) -> np.ndarray:
    """Places all over the volume and a little beyond it, (n, 3), micrometres."""
    extent = np.array((13_200.0, 8_000.0, 11_400.0))
    points = np.random.default_rng(7).random((count, 3))
    points *= extent * 1.02
    points -= extent * 0.01
    return points


def _ours(folder: Path, count: int, rounds: int) -> dict[str, float]:
    from pulvinar.model.space import Points

    annotation = ccf_annotation(folder)
    annotation.regions_at(Points(annotation.space, _points(1000)))
    return _measured(
        folder / "ours.npy", count, rounds, lambda points: annotation.regions_at(Points(annotation.space, points))
    )


def _numpy(folder: Path, count: int, rounds: int) -> dict[str, float]:
    labels = np.load(folder / "labels.npy")

    def look_up(points: np.ndarray) -> np.ndarray:
        index = np.floor(points / VOXEL_UM).astype(np.int64)
        inside = ((index >= 0) & (index < labels.shape)).all(axis=1)
        out = np.zeros(len(points), np.int64)
        out[inside] = labels[tuple(index[inside].T)]
        return out

    return _measured(folder / "numpy.npy", count, rounds, look_up)


def _brainglobe(folder: Path, count: int, rounds: int) -> dict[str, float]:
    """`BrainGlobeAtlas.structure_from_coords`, which takes one place at a time."""
    from brainglobe_atlasapi.core import Atlas  # noqa: F401 (its presence is what is asked)

    from benchmarks._atlas import brainglobe_atlas

    atlas = brainglobe_atlas(folder)
    look = atlas.structure_from_coords

    def one_by_one(points: np.ndarray) -> np.ndarray:
        out = np.zeros(len(points), np.int64)
        for i, place in enumerate(points):
            try:
                out[i] = look(place, microns=True)
            except IndexError:
                out[i] = 0
        return out

    return _measured(folder / "brainglobe.npy", min(count, BRAINGLOBE_POINTS), 1, one_by_one)


CHILDREN = {"ours": _ours, "numpy": _numpy, "brainglobe": _brainglobe}


def _measured(answers: Path, count: int, rounds: int, ask: Callable[[np.ndarray], np.ndarray]) -> dict[str, float]:
    ask(_points(1000))
    with _peak() as peak:
        points = _points(count)
        times = []
        for _ in range(rounds):
            start = time.perf_counter()
            out = ask(points)
            times.append(time.perf_counter() - start)
    np.save(answers, out)
    return {"points": count, "seconds": min(times), "size": points.nbytes, **peak}


@contextmanager
def _peak() -> Iterator[dict[str, float]]:
    """The most that this process takes meanwhile, beyond what it took before: its own memory, and with files."""
    before, told, end = _memory(), {"own": 0.0, "all": 0.0}, threading.Event()

    def watch() -> None:
        while not end.wait(0.002):
            own, files = _memory()
            told["own"] = max(told["own"], own - before[0])
            told["all"] = max(told["all"], own + files - sum(before))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield told
    finally:
        end.set()
        watcher.join()


def _memory() -> tuple[int, int]:
    lines = Path("/proc/self/status").read_text().splitlines()
    said = {
        name: int(value.split()[0]) << 10 for name, _, value in (line.partition(":") for line in lines) if "kB" in value
    }
    return said["RssAnon"], said["RssFile"] + said["RssShmem"]


if __name__ == "__main__":
    sys.exit(main())
