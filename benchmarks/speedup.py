"""How many times faster one brain is aligned and its cells are counted by machine than by hand, with the arithmetic.

By hand: published rates, each with its source and its words; what a source leaves open is assumed, and marked so. By
machine: the alignment of a real whole mouse brain with its regions, and the cells of a real light-sheet crop, both
measured in this run; the crop is but a part of a brain, and its time is scaled by voxels to the box of the whole one.
Then a person looks at the result: those minutes are assumed too. The cautious estimate takes the quickest hand, the
slowest look and the machine's time on one core; the favourable one the opposite. The goal is ten times even for the
cautious estimate. Imaging, and bringing the data in, are the same for both and left out.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from benchmarks._report import Cost, machine, report
from pulvinar.solutions.align import BrainImage, align
from pulvinar.solutions.align import reference_brains as brains
from pulvinar.solutions.align.brain_image import work_level
from pulvinar.solutions.align.measure import labels_on
from pulvinar.solutions.cells.blocks import Block
from pulvinar.solutions.cells.card import MOUSE_SEARCH
from pulvinar.solutions.cells.sample_data import MOUSE_VOXEL_UM, mouse_crop
from pulvinar.solutions.cells.search import find_cells

GOAL = 10.0
T = TypeVar("T")


@dataclass(frozen=True)
class Range:
    """A figure twice: for the cautious estimate of the factor, and for the favourable one."""

    cautious: float
    favourable: float


# By hand.
SECTION_MIN = Range(3, 5)
EVERY_PLANE = Range(5, 2)
MONTH_H = Range(21 * 8, 21 * 8)
ANIMALS = 20
COUNTED_REGIONS = Range(1, 10)

# Looking at what the machine made.
LOOK_SECTION_S = Range(20, 10)
LOOK_CELLS = 200
LOOK_CELL_S = Range(6, 3)
HANDLING_MIN = Range(10, 5)

SOURCES = f"""by hand, published:
  alignment: "several minutes to align each section (i.e. several hours per mouse brain)", after months of training:
    H. Carey, DeepSlice, thesis, Macquarie University (figshare.mq.edu.au, item 21376152); the article of the same tool,
    doi:10.1038/s41467-023-41645-4, says that existing tools "can take hours to register multi-image datasets"
  counting: "Even for a simple study with 10 controls and 10 treated animals, cell counts typically require over a month
    of tedious labor", hundreds of cells in each region of interest: Alahmari et al. 2019,
    doi:10.1016/j.jchemneu.2018.12.010 (stereology: a sample of the cells of a region, not every cell of a brain)
assumed:
  "several minutes" are {SECTION_MIN.cautious:g} to {SECTION_MIN.favourable:g}; of the sample's planes every \
{EVERY_PLANE.cautious:g}th to every {EVERY_PLANE.favourable:g}nd is a section to align
  a month of labour is 21 days of 8 hours; it was spent on one region a brain, and a study of the whole brain wants
    {COUNTED_REGIONS.cautious:g} to {COUNTED_REGIONS.favourable:g} regions
  looking at the result: {LOOK_SECTION_S.favourable:g} to {LOOK_SECTION_S.cautious:g} s a section,
    {LOOK_CELLS} cells of {LOOK_CELL_S.favourable:g} to {LOOK_CELL_S.cautious:g} s;
    {HANDLING_MIN.favourable:g} to {HANDLING_MIN.cautious:g} min to ask for both
  nothing has to be mended by hand: a brain with doubts takes longer"""


@dataclass(frozen=True)
class Machine:
    """What the machine took for the sample brain, for the crop, and what the crop is of the brain."""

    align: Cost
    cells: Cost
    once: Cost
    planes: int
    scale: float

    def hours(self, estimate: str) -> tuple[float, float]:
        """Hours of the alignment and of the whole brain's cells: on one core for the cautious estimate."""
        align_s, cells_s = (cost.cpu_s if estimate == "cautious" else cost.wall_s for cost in (self.align, self.cells))
        return align_s / 3600, cells_s * self.scale / 3600


def main() -> int:
    """Measure, print the arithmetic of both estimates; 0 when the cautious one meets the goal."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--samples", type=Path, default=Path(os.environ.get("PULVINAR_SAMPLES", "../shared/samples")))
    chosen = parser.parse_args()
    print(machine(), flush=True)
    took = _measured(chosen.samples)
    print(SOURCES)
    factors = {estimate: _factor(estimate, took) for estimate in ("cautious", "favourable")}
    figure = f"{factors['cautious']:.0f}x to {factors['favourable']:.0f}x faster than by hand"
    return report("speedup", figure, f">= {GOAL:g}x", passed=factors["cautious"] >= GOAL)


def _measured(samples: Path) -> Machine:
    cores = len(os.sched_getaffinity(0))
    reference = brains.references(samples)["mouse"]()
    brain, to_align = _timed(lambda: _aligned(samples, reference))
    _, first = _timed(lambda: _counted(samples, cores))
    # what is loaded and compiled once is not scaled by voxels
    found, to_count = _timed(lambda: _counted(samples, cores))
    once = Cost(max(0.0, first.wall_s - to_count.wall_s), max(0.0, first.cpu_s - to_count.cpu_s), 0)
    counted, shape = found
    box_um = np.array(brain.voxels.shape) * brain.voxel_size_um
    crop_um = np.array(shape) * MOUSE_VOXEL_UM
    scale = float(np.prod(box_um) / np.prod(crop_um))
    million = np.prod(shape) / 1e6
    print(
        f"by machine, measured in this run on {cores} cores:\n"
        f"  alignment of a whole brain of {'x'.join(map(str, brain.voxels.shape))} voxels, with its regions: "
        f"{to_align.wall_s:.0f} s, {to_align.cpu_s:.0f} s of processor time\n"
        f"  cells of a crop of {million:.1f} million voxels: {to_count.wall_s:.2f} s, {to_count.cpu_s:.2f} s of "
        f"processor time, {counted} cells; once {once.wall_s:.1f} s to load and compile\n"
        f"  the box of the whole brain has {scale:,.0f} times the crop's volume: at the crop's voxel size "
        f"{million * scale / 1e3:,.0f} thousand million voxels"
    )
    level = work_level(brain, 200.0)
    tissue = float(level.tissue.sum()) * 200.0**3 / float(np.prod(crop_um)) * counted
    print(f"  (were the whole brain's tissue as full of cells as the crop, there would be {tissue:,.0f}: not used)")
    return Machine(to_align, to_count, once, brain.voxels.shape[0], scale)


def _aligned(samples: Path, reference: brains.Reference) -> BrainImage:
    """Read, align, and put the atlas's regions onto every voxel of the brain."""
    brain = brains.mouse_brain(samples)
    labels_on(brain, reference.labels, reference.template, align(reference.template, brain))
    return brain


def _counted(samples: Path, threads: int) -> tuple[int, tuple[int, int, int]]:
    """Read the crop's channel of cells, and find them block by block, as in a whole brain."""
    crop = mouse_crop(samples)[:1]

    def read(block: Block) -> np.ndarray:
        return crop[(slice(None), *map(slice, block.read_start, block.read_stop))]

    z, y, x = crop.shape[1:]
    return len(find_cells(read, (z, y, x), MOUSE_VOXEL_UM, MOUSE_SEARCH, (32, 256, 256), threads)), (z, y, x)


def _timed(do: Callable[[], T]) -> tuple[T, Cost]:
    start, before = time.perf_counter(), os.times()
    out = do()
    after = os.times()
    return out, Cost(time.perf_counter() - start, sum(after[:4]) - sum(before[:4]), 0)


def _factor(estimate: str, took: Machine) -> float:
    """Print one estimate's arithmetic; its factor."""

    def of(one: Range) -> float:
        return float(getattr(one, estimate))

    sections = took.planes / of(EVERY_PLANE)
    align_h = sections * of(SECTION_MIN) / 60
    count_h = of(MONTH_H) / ANIMALS * of(COUNTED_REGIONS)
    machine_align_h, machine_cells_h = took.hours(estimate)
    look_h = (sections * of(LOOK_SECTION_S) + LOOK_CELLS * of(LOOK_CELL_S)) / 3600 + of(HANDLING_MIN) / 60
    hand_h, here_h = align_h + count_h, machine_align_h + machine_cells_h + look_h
    print(
        f"{estimate}:\n"
        f"  by hand {hand_h:.1f} h = {sections:.0f} sections x {of(SECTION_MIN):g} min ({align_h:.1f} h) "
        f"+ {of(MONTH_H):g} h / {ANIMALS} animals x {of(COUNTED_REGIONS):g} regions ({count_h:.1f} h)\n"
        f"  by machine {here_h:.2f} h = alignment {machine_align_h:.3f} h + cells {machine_cells_h:.3f} h "
        f"+ a person's look {look_h:.2f} h ({sections:.0f} sections x {of(LOOK_SECTION_S):g} s "
        f"+ {LOOK_CELLS} cells x {of(LOOK_CELL_S):g} s + {of(HANDLING_MIN):g} min)\n"
        f"  {hand_h:.1f} h / {here_h:.2f} h = {hand_h / here_h:.1f}x; of the person's time alone {hand_h / look_h:.1f}x"
    )
    return hand_h / here_h


if __name__ == "__main__":
    sys.exit(main())
