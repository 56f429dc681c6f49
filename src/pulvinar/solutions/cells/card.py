"""Measuring the accuracy card of the solution again."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pulvinar.solutions import cards
from pulvinar.solutions.cells.blocks import whole_block
from pulvinar.solutions.cells.cell_table import Cells
from pulvinar.solutions.cells.matching import Agreement, Figure, agreement, share, with_interval
from pulvinar.solutions.cells.sample_data import MOUSE_VOXEL_UM, mouse_crop, mouse_reference, section_tiles
from pulvinar.solutions.cells.sections import SectionSearch
from pulvinar.solutions.cells.simulated import TESTING, make_scene
from pulvinar.solutions.cells.volumes import VolumeSearch

SIM_SEEDS = range(100_000, 100_048)
MOUSE_SEARCH = VolumeSearch((40.0, 16.0, 16.0))
_MOUSE_CUT = (10, 20)
_CUT_UM, _ASIDE_UM, _SLANT = 45.0, 10.0, 0.36
_TILE_PX = 6.0
_SIM_WITHIN = 0.5


def measure(samples: Path) -> Iterator[cards.Figure]:
    """Every figure of the card that can be had without training, measured again; minutes on a laptop. Raises `NotFound`
    when a sample isn't there."""
    for name, (truth, ask) in _MEASURES.items():
        found = ask(samples)
        yield cards.Figure(name, truth, found.value, found.low, found.high)


def _made(samples: Path, snr: float) -> Figure:
    """F1 on made volumes, one to one within half a diameter."""
    texture = mouse_crop(samples)[1, slice(*_MOUSE_CUT)]
    parts = []
    for seed in SIM_SEEDS:
        scene = make_scene(seed, TESTING, texture=texture, snr=snr)
        search = VolumeSearch(scene.diameter_um)
        cells = search.cells_of(scene.signal[None], whole_block(scene.signal.shape), scene.voxel_size_um)
        parts.append(agreement(cells.zyx_um / scene.diameter_um, scene.cells_um / scene.diameter_um, _SIM_WITHIN))
    return with_interval(parts, lambda part: part.f1)


def mouse_cells(samples: Path) -> Cells:
    """What is found in the cut of the mouse crop that holds the reference cells."""
    voxels = mouse_crop(samples)
    cells = MOUSE_SEARCH.cells_of(voxels, whole_block(voxels.shape[1:]), MOUSE_VOXEL_UM)
    first, last = (MOUSE_VOXEL_UM[0] * (plane - 0.5) for plane in _MOUSE_CUT)
    return cells[(cells.zyx_um[:, 0] >= first) & (cells.zyx_um[:, 0] < last)]


def along_streak_um(found: npt.NDArray[np.float64], true: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """How far each found place lies beside the streak through each true one, (found, true): in this sample a cell's
    picture runs slanted through a whole cut of 50 um, and where along it the cell is nobody can say."""
    apart = found[:, None] - true[None]
    aside = np.hypot(apart[..., 1], apart[..., 2] - _SLANT * apart[..., 0])
    return np.where(np.abs(apart[..., 0]) <= _CUT_UM, aside, np.inf)


def _mouse_recall(samples: Path) -> Figure:
    near = along_streak_um(mouse_cells(samples).zyx_um, mouse_reference(samples)).min(axis=0) <= _ASIDE_UM
    return share(int(near.sum()), len(near))


def _mouse_false(samples: Path) -> Figure:
    """The share of judged detections that were not accepted, of those that are found again."""
    with (files("pulvinar.solutions.cells") / "card_data" / "judged_mouse.tsv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    places = np.array([[float(row[f"{axis}_um"]) for axis in "zyx"] for row in rows])
    again = along_streak_um(mouse_cells(samples).zyx_um, places).min(axis=0) <= _ASIDE_UM
    verdicts = [row["verdict"] for row, found in zip(rows, again, strict=True) if found]
    return share(sum(one != "accept" for one in verdicts), len(verdicts))


def _sections(samples: Path) -> Figure:
    """F1 on the macaque sections that the shipped model has not seen, one to one within 6 pixels."""
    return with_interval(list(held_out_sections(samples)), lambda part: part.f1)


def held_out_sections(samples: Path) -> Iterator[Agreement]:
    """The agreement of each macaque section that the shipped model has not seen."""
    tiles, search = section_tiles(samples), SectionSearch((1.0, 11.3, 11.3))
    held = tiles.fold == 0
    for section in np.unique(tiles.section[held]):
        total = Agreement(0, 0, 0)
        for tile in np.flatnonzero(tiles.section == section):
            image = tiles.image(int(tile))[:, None]
            cells = search.cells_of(image, whole_block(image.shape[1:]), (1.0, 1.0, 1.0))
            for channel in range(2):
                found = cells.zyx_um[cells.channels == 1 << channel, 1:]
                true = tiles.marks[(tiles.marks[:, 0] == tile) & (tiles.marks[:, 1] == channel), 2:]
                total += agreement(found, true, _TILE_PX)
        yield total


_MEASURES: dict[str, tuple[str, Callable[[Path], Figure]]] = {
    "sections_f1_held_out": ("GOLD", _sections),
    "mouse_recall": ("SILVER", _mouse_recall),
    "mouse_not_accepted": ("SILVER", _mouse_false),
    "made_f1_snr_3": ("SIM", lambda samples: _made(samples, 3.0)),
    "made_f1_snr_2": ("SIM", lambda samples: _made(samples, 2.0)),
}
