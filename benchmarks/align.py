"""A brain to its template: ours beside greedy alone, ANTs SyN, NiftyReg and elastix, on the same pairs in one run.

Pairs: known warps of real templates (SIM), so that the truth is known. All get the same voxels; the peers also get the
brain turned the right way round, which ours finds by itself. The peers: greedy as it is used by itself (affine NMI,
then NCC 2x2x2 with 100x60x20 iterations), ANTs' SyN and elastix's affine and B-spline with their defaults, and
free-form deformation by B-splines and mutual information, NiftyReg's method, with SimpleITK. Each runs in a process.
Goals: Dice of the regions at least the best peer's, processor time at most 1.15 times greedy's alone.
The peers come with `pip install antspyx itk-elastix`; one that is not installed is left out and said to be.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from benchmarks._processes import watched_run
from benchmarks._report import machine, report
from pulvinar.solutions.align import reference_brains as brains
from pulvinar.solutions.align.alignment import fitting_voxel_um
from pulvinar.solutions.align.brain_image import BrainImage, rows_of, work_level
from pulvinar.solutions.align.known_warps import known_brain
from pulvinar.solutions.align.orientation import Turn
from pulvinar.solutions.align.quality import region_dice

ENGINES = {"ours": "picsl_greedy", "greedy": "picsl_greedy", "ants": "ants", "ffd": "SimpleITK", "elastix": "itk"}
CPU = 1.15
STRAIGHT = Turn((0, 1, 2), (False, False, False))


def main() -> int:
    """Run, print, and say by the exit code whether the goals are met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=Path, default=Path(os.environ.get("PULVINAR_SAMPLES", "../shared/samples")))
    parser.add_argument("--species", nargs="+", default=["mouse", "macaque"])
    parser.add_argument("--warps", type=int, default=2)
    parser.add_argument("--timeout", type=float, default=300, help="seconds for one peer on one pair")
    parser.add_argument("--engines", nargs="+", default=list(ENGINES), choices=list(ENGINES))
    chosen = parser.parse_args()
    print(machine())
    rows: dict[str, list[tuple[float, float, float]]] = {}
    for species in chosen.species:
        for seed in range(chosen.warps):
            with tempfile.TemporaryDirectory(prefix="pulvinar-align-") as name:
                start = _write_pair(chosen.samples, species, seed, Path(name))
                print(f"{species} {seed}: Dice before {start:.3f}")
                _run_all(Path(name), chosen.engines, rows, chosen.timeout)
    means = {engine: np.mean(values, axis=0) for engine, values in rows.items()}
    for engine, (found, cpu_s, peak) in means.items():
        print(f"{engine:>8}: Dice {found:.4f}, {cpu_s:6.1f} CPU s, {peak / 2**30:.2f} GiB, {len(rows[engine])} pairs")
    best = max((engine for engine in means if engine != "ours"), key=lambda engine: means[engine][0])
    ratio = means["ours"][1] / means["greedy"][1]
    figure = f"Dice {means['ours'][0]:.4f} (best peer {best} {means[best][0]:.4f}), {ratio:.2f}x greedy's CPU"
    passed = means["ours"][0] >= means[best][0] and ratio <= CPU
    return report("align", figure, f"Dice >= the best peer's, <= {CPU:g}x greedy's CPU", passed=passed)


def _run_all(
    folder: Path, engines: list[str], rows: dict[str, list[tuple[float, float, float]]], timeout_s: float
) -> None:
    for engine in engines:
        if find_spec(ENGINES[engine]) is None:
            print(f"{engine:>8}: not installed")
            continue
        command = [sys.executable, "-m", "benchmarks._one_align", engine, folder]
        threads = {"ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "2"}
        code, cost = watched_run(command, folder / f"{engine}.log", threads, timeout_s)
        if code:
            print(f"{engine:>8}: ended with {code}: {(folder / f'{engine}.log').read_text(errors='replace')[-300:]}")
            continue
        told = np.load(folder / "pair.npz")
        overlap = float(np.mean(list(region_dice(told["truth"], np.load(folder / f"{engine}.npy")).values())))
        rows.setdefault(engine, []).append((overlap, cost.cpu_s, cost.peak_bytes))
        print(f"{engine:>8}: Dice {overlap:.4f}, {cost.cpu_s:.1f} CPU s", flush=True)


def _write_pair(samples: Path, species: str, seed: int, folder: Path) -> float:
    """The template and a brain of known place on cubes of one size, in `folder`; the Dice before. The size is what
    `align` takes when nobody says otherwise."""
    reference = brains.references(samples)[species]()
    voxel_um = fitting_voxel_um(reference.template)
    brain = known_brain(reference.template, reference.labels, voxel_um, 1000 + seed, turn=STRAIGHT)
    level = work_level(reference.template, voxel_um)
    image = BrainImage(reference.template.space, level.voxels, rows_of(level.to_space_um))
    matrix = np.linalg.inv(np.array(reference.template.voxel_to_space_um)) @ level.to_space_um
    at = np.floor(np.einsum("ij,jzyx->izyx", matrix[:3, :3], np.indices(level.voxels.shape)) + 0.5)
    at = np.clip(
        at + np.rint(matrix[:3, 3])[:, None, None, None], 0, np.array(reference.labels.shape)[:, None, None, None] - 1
    )
    labels = reference.labels[tuple(at.astype(int))]
    np.savez(
        folder / "pair.npz",
        template=image.voxels,
        labels=labels.astype(np.int32),
        brain=brain.image.voxels,
        truth=brain.labels.astype(np.int32),
    )
    space = {"species": species, "orientation": reference.template.stated_orientation, "voxel_um": voxel_um}
    (folder / "pair.json").write_text(json.dumps(space))
    before = region_dice(brain.labels, labels)
    return float(np.mean(list(before.values())))


if __name__ == "__main__":
    sys.exit(main())
