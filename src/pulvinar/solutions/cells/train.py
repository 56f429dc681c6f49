"""Trains the two models that come with Pulvinar: `python -m pulvinar.solutions.cells.train volume OUT --samples
FOLDER`.

The volume's classifier learns from 2,000 made scenes (seeds 1000 to 2999, `simulated.TRAINING`); two of three have a
background cut from the second channel of the mouse sample, planes 0 to 9 and 20 to 29. Planes 10 to 19, where the
reference cells lie, are never seen. The section's network learns from the macaque tiles whose section is not in fold 0
of five; sections are drawn into folds by seed 2024, and no section is in two.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pulvinar.solutions.cells.sample_data import Tiles, mouse_crop, section_tiles
from pulvinar.solutions.cells.teaching import Examples, made_examples, together

SCENES = range(1000, 3000)
EPOCHS, BATCH = 15, 1024
STEPS = 5000


def main() -> None:
    """Train one model and write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("which", choices=("volume", "section"))
    parser.add_argument("out", type=Path)
    parser.add_argument("--samples", type=Path, required=True)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--processes", type=int, default=2)
    chosen = parser.parse_args()
    if chosen.which == "volume":
        train_volume(chosen.samples, chosen.out, chosen.device, chosen.processes)
    else:
        train_section(section_tiles(chosen.samples), 0, chosen.out, chosen.device)


def train_volume(samples: Path, out: Path, device: str, processes: int) -> None:
    """Train the classifier of volumes and write it to `out`."""
    from pulvinar.solutions.cells.volume_net import VolumeTraining, train_volume_net, write_volume_net

    background = mouse_crop(samples)[1]
    make = partial(_made, textures=(background[:10], background[20:]))
    with ProcessPoolExecutor(processes) as pool:
        taught = together(pool.map(make, SCENES, chunksize=4))
    how = VolumeTraining(epochs=EPOCHS, batch=BATCH)
    write_volume_net(train_volume_net(taught.patches, taught.cell, taught.weight, how, device=device), out)


def _made(seed: int, textures: tuple[npt.NDArray[np.generic], ...]) -> Examples:
    return made_examples([seed], textures)


def train_section(tiles: Tiles, held_out: int, out: Path, device: str) -> None:
    """Train the network of sections without the fold `held_out` and write it to `out`."""
    from pulvinar.solutions.cells.section_net import SectionTraining, train_section_net, write_section_net

    kept = np.flatnonzero(tiles.fold != held_out)
    marks = tiles.marks[np.isin(tiles.marks[:, 0], kept)].copy()
    marks[:, 0] = np.searchsorted(kept, marks[:, 0])
    images = np.stack([tiles.image(int(at)) for at in kept]).astype(np.float32)
    images /= 255
    write_section_net(train_section_net(images, marks, SectionTraining(steps=STEPS), device), out)


if __name__ == "__main__":
    main()
