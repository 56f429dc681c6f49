"""Ten million points through a field of displacements: ours, stored in chunks and in memory, beside the peers.

Peers: scipy's `map_coordinates` on the same array, one call a component, and SimpleITK's `TransformPoint`, which takes
one point at a time from Python. Goals: twice as fast as scipy, from chunks that are read from a folder, 20 times as
fast as SimpleITK, and at most 1.6 times the points' memory besides them (their answer is one of it). Every answer is
compared. The field covers the Allen CCFv3 at 50 um; points lie all over it and a little beyond.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
import SimpleITK as sitk  # noqa: N813 (its own name)
from scipy.ndimage import gaussian_filter, map_coordinates

from benchmarks._report import machine, report
from pulvinar.atlases.displacement import ArrayField, store_field
from pulvinar.atlases.spaces import CCFV3
from pulvinar.atlases.transforms import apply
from pulvinar.model.space import Points, Space
from pulvinar.model.transform import DisplacementTransform, corner_grid
from pulvinar.storage.store import open_store

SHAPE, VOXEL_UM = (264, 160, 228), 50.0
BRAIN = Space("brain", "mouse", "PIR")
SCIPY_POINTS, ITK_POINTS = 1_000_000, 50_000
SCIPY, ITK, MEMORY = 2.0, 20.0, 1.6
TOLERANCE_UM = 0.01


def main() -> int:
    """Run, print, and say by the exit code whether the goals are met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    print(machine())
    vectors = _vectors()
    grid = corner_grid(SHAPE, (VOXEL_UM,) * 3)
    places = _places(chosen.points)
    with tempfile.TemporaryDirectory(prefix="pulvinar-transform-") as folder:
        store = open_store(f"file://{folder}/store")
        stored, _ = store_field(ArrayField(grid, vectors), BRAIN, store, "assets/field", Path(folder))
        speeds, answers, memory = {}, {}, {}
        for name, field in (("chunks", stored), ("memory", ArrayField(grid, vectors))):
            transform = DisplacementTransform(BRAIN, CCFV3, field)
            ask = lambda part, transform=transform: apply(transform, Points(BRAIN, part)).zyx_um  # noqa: E731
            ask(places[:1000])
            with _peak() as memory[name]:
                speeds[name], answers[name] = _timed(ask, places, chosen.rounds)
    speeds["scipy"], answers["scipy"] = _timed(_scipy(vectors), places[:SCIPY_POINTS], chosen.rounds)
    speeds["SimpleITK"], answers["SimpleITK"] = _timed(_itk(vectors), places[:ITK_POINTS], 1)
    for name, speed in speeds.items():
        told = f", {memory[name][0] / places.nbytes:.2f}x the points' memory" if name in memory else ""
        print(f"{name:>10}: {speed / 1e6:8.3f} million points/s{told}")
    wrong = sum(
        int((np.abs(answer - answers["chunks"][: len(answer)]) > TOLERANCE_UM).any(axis=1).sum())
        for answer in answers.values()
    )
    scipy, itk = speeds["chunks"] / speeds["scipy"], speeds["chunks"] / speeds["SimpleITK"]
    besides = memory["chunks"][0] / places.nbytes
    figure = f"{scipy:.2f}x scipy, {itk:.0f}x SimpleITK, {besides:.2f}x the points' memory, {wrong} wrong"
    passed = scipy >= SCIPY and itk >= ITK and besides <= MEMORY and not wrong
    return report("transform_points", figure, f">= {SCIPY:g}x, >= {ITK:g}x, <= {MEMORY:g}x, 0 wrong", passed=passed)


def _vectors() -> np.ndarray:
    """A smooth field, some 100 um long."""
    rng = np.random.default_rng(0)
    coarse = gaussian_filter(rng.normal(0, 1, (3, *(n // 8 + 1 for n in SHAPE))), (0, 2, 2, 2))
    at = np.meshgrid(*(np.arange(n) / 8 for n in SHAPE), indexing="ij")
    fine = np.stack([map_coordinates(part, at, order=1) for part in coarse])
    return (fine / fine.std() * 60).astype(np.float32)


def _places(count: int) -> np.ndarray:
    extent = np.array(SHAPE) * VOXEL_UM
    places = np.random.default_rng(7).random((count, 3))
    places *= extent * 1.02
    places -= extent * 0.01
    return places


def _timed(ask: Callable[[np.ndarray], np.ndarray], places: np.ndarray, rounds: int) -> tuple[float, np.ndarray]:
    """Points a second in the best round, and the answer."""
    best, answer = float("inf"), places
    for _ in range(rounds):
        del answer
        start = time.perf_counter()
        answer = ask(places)
        best = min(best, time.perf_counter() - start)
    return len(places) / best, answer


def _scipy(vectors: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    def ask(places: np.ndarray) -> np.ndarray:
        voxels = places / VOXEL_UM - 0.5
        out = places.copy()
        outside = ((voxels < -0.5) | (voxels >= np.array(SHAPE) - 0.5)).any(axis=1)
        for axis in range(3):
            moved = map_coordinates(vectors[axis], voxels.T, order=1, mode="nearest")
            moved[outside] = 0
            out[:, axis] += moved
        return out

    return ask


def _itk(vectors: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """The same field with (x, y, z) of ITK for our (x, y, z), in micrometres."""
    image = sitk.GetImageFromArray(np.moveaxis(vectors[::-1], 0, 3).astype(np.float64), isVector=True)
    image.SetSpacing((VOXEL_UM,) * 3)
    image.SetOrigin((VOXEL_UM / 2,) * 3)
    transform = sitk.DisplacementFieldTransform(image)

    def ask(places: np.ndarray) -> np.ndarray:
        return np.array([transform.TransformPoint(point) for point in places[:, ::-1].tolist()])[:, ::-1]

    return ask


@contextmanager
def _peak() -> Iterator[list[int]]:
    """The most memory that this process takes meanwhile, beyond what it had, in bytes."""
    process, end, most = psutil.Process(), threading.Event(), [0]
    before = process.memory_info().rss

    def watch() -> None:
        while not end.wait(0.002):
            most[0] = max(most[0], process.memory_info().rss - before)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield most
    finally:
        end.set()
        watcher.join()


if __name__ == "__main__":
    sys.exit(main())
