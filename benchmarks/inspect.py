"""`pulvinar inspect` of a folder of 10,000 mixed files: seconds, and memory against that for 1,000 of them.

The files are real samples and small ones made on the spot: volumes, planes, neurons, tables, meshes, pictures, notes,
and here and there a damaged one. Each file has a content of its own, as far as it is made here.
"""

from __future__ import annotations

import argparse
import gzip
import itertools
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nibabel as nib
import nrrd
import numpy as np
import tifffile

from benchmarks._processes import watched_run
from benchmarks._report import Cost, machine, report

WORK = Path(".bench") / "inspect"
SAMPLES = Path(os.environ.get("PULVINAR_SAMPLES", Path(__file__).parents[2] / "shared" / "samples"))
SECONDS, GROWTH = 60.0, 1.5
_DAMAGED_EACH = 500
_SMALL_BYTES = 100_000
_SOME_SAMPLES = 400


def main() -> int:
    """Make both folders, look into each, and print seconds and memory; 0 when both goals are met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--files", type=int, default=10_000)
    chosen = parser.parse_args()
    shutil.rmtree(WORK, ignore_errors=True)
    print(machine(), flush=True)
    few, many = (_looked_into(count) for count in (chosen.files // 10, chosen.files))
    shutil.rmtree(WORK)
    growth = many.peak_bytes / few.peak_bytes
    figure = (
        f"{chosen.files} files in {many.wall_s:.1f} s ({many.cpu_s:.1f} s cpu), "
        f"peak {many.peak_bytes / 1e6:.0f} MB, {growth:.2f}x that of a tenth of them"
    )
    goal = f"<= {SECONDS} s cpu, <= {GROWTH}x"
    return report("inspect", figure, goal, passed=many.cpu_s <= SECONDS and growth <= GROWTH)


def _looked_into(count: int) -> Cost:
    folder, log = WORK / f"files-{count}", WORK / "words"
    expected = mixed_files(folder, count)
    command = [sys.executable, "-c", "from pulvinar.cli import main; main()", "inspect", folder, "--json"]
    code, cost = watched_run(command, log, {"PULVINAR_HOME": str((WORK / "home").absolute())})
    found = _told(log)
    kinds = ("assets", "unreadable", "unrecognised", "skipped")
    told = " ".join(f"{len(found[kind])} {kind}" for kind in kinds)
    print(
        f"  {count:6} files {cost.wall_s:5.1f} s  cpu {cost.cpu_s:5.1f} s  peak {cost.peak_bytes / 1e6:4.0f} MB: {told}"
    )
    unnamed = expected - {item["file"] for item in found["unreadable"]}
    if code not in (0, 2) or unnamed or len(found["assets"]) < count // 2:
        raise RuntimeError(f"damaged and not named: {sorted(unnamed)}; exit code {code}: {log.read_text()[-500:]}")
    return cost


def _told(log: Path) -> dict[str, Any]:
    """The document among the lines of progress and errors."""
    with log.open(errors="replace") as lines:
        inside = itertools.takewhile(lambda line: line != "}\n", itertools.dropwhile(lambda line: line != "{\n", lines))
        told: dict[str, Any] = json.loads("".join(inside) + "}")
    return told


def mixed_files(folder: Path, count: int) -> set[str]:
    """Fill `folder` with so many files in folders of a hundred; the names of those that are damaged."""
    samples = itertools.islice(_small_samples(), _SOME_SAMPLES)
    makers = itertools.cycle([_volume, _packed, _plane, _neuron, _table, _mesh, _nrrd, _note, _picture])
    damaged = set()
    for number in range(count):
        place = folder / f"lab {number // 100:03}"
        place.mkdir(parents=True, exist_ok=True)
        sample = next(samples, None) if number % 3 == 0 else None
        if number % _DAMAGED_EACH == _DAMAGED_EACH - 1:
            damaged.add(f"{place.name}/{_damaged(place, number)}")
        elif sample is not None:
            shutil.copyfile(sample, place / f"{number:05} {sample.name}")
        else:
            next(makers)(place, number)
    return damaged


def _small_samples() -> Iterator[Path]:
    """Neurons, tables and other small files as other people made them, of each folder the first few."""
    for folder in sorted(path for path in SAMPLES.rglob("*") if path.is_dir()) if SAMPLES.is_dir() else ():
        files = sorted(path for path in folder.iterdir() if path.is_file() and path.suffix in (".swc", ".csv", ".png"))
        yield from [path for path in files if path.stat().st_size <= _SMALL_BYTES][:20]


def _voxels(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 1000, (8, 8, 8)).astype(np.int16)


def _nifti(number: int) -> bytes:
    image = nib.Nifti1Image(_voxels(number), np.diag([0.5, 0.5, 0.5, 1]))
    image.header.set_xyzt_units("mm")
    made: bytes = image.to_bytes()
    return made


def _volume(place: Path, number: int) -> None:
    (place / f"{number:05}.nii").write_bytes(_nifti(number))


def _packed(place: Path, number: int) -> None:
    (place / f"{number:05}.nii.gz").write_bytes(gzip.compress(_nifti(number)))


def _plane(place: Path, number: int) -> None:
    tifffile.imwrite(place / f"sample{number:05}x.tif", _voxels(number)[0], compression="zlib")


def _neuron(place: Path, number: int) -> None:
    numbers = np.random.default_rng(number).normal(0, 30, (200, 3)).cumsum(axis=0)
    lines = [f"{n + 1} 3 {x:.3f} {y:.3f} {z:.3f} 0.5 {n or -1}" for n, (x, y, z) in enumerate(numbers)]
    (place / f"{number:05}.swc").write_text("\n".join(lines))


def _table(place: Path, number: int) -> None:
    rows = np.random.default_rng(number).normal(0, 100, (50, 3))
    lines = ["name,x,y,z", *(f"cell {n},{x:.2f},{y:.2f},{z:.2f}" for n, (x, y, z) in enumerate(rows))]
    (place / f"{number:05}.csv").write_text("\n".join(lines))


def _mesh(place: Path, number: int) -> None:
    corners = np.random.default_rng(number).normal(0, 100, (20, 3))
    lines = [f"v {x:.2f} {y:.2f} {z:.2f}" for x, y, z in corners] + [f"f {n} {n + 1} {n + 2}" for n in range(1, 19)]
    (place / f"{number:05}.obj").write_text("\n".join(lines))


def _nrrd(place: Path, number: int) -> None:
    nrrd.write(str(place / f"{number:05}.nrrd"), _voxels(number), {"spacings": [0.5, 0.5, 0.5]})


def _note(place: Path, number: int) -> None:
    (place / f"{number:05}.txt").write_text(f"Brain {number} was cut on a Tuesday.\n")


def _picture(place: Path, number: int) -> None:
    (place / f"{number:05}.pdf").write_bytes(b"%PDF-1.7\n" + np.random.default_rng(number).bytes(2000))


_DAMAGED: tuple[tuple[str, Callable[[int], bytes]], ...] = (
    ("nii", lambda number: _nifti(number)[:-100]),
    ("swc", lambda number: b"1 1 0 0 0 1 2\n2 1 0 0 0 1 1\n"),
    ("tif", lambda number: b"II*\0\x08\0\0\0\xff\xff" + bytes(50)),
    ("csv", lambda number: b"a,b\n1,2\n3\n"),
)


def _damaged(place: Path, number: int) -> str:
    ending, content = _DAMAGED[number // _DAMAGED_EACH % len(_DAMAGED)]
    path = place / f"{number:05}.{ending}"
    path.write_bytes(content(number))
    return path.name


if __name__ == "__main__":
    sys.exit(main())
