"""The real samples that the solution is taught by and measured on, read from the folder of samples."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import numpy.typing as npt

from pulvinar.errors import Invalid, NotFound

MOUSE = Path("mouse") / "cells_lightsheet"
MACAQUE = Path("macaque") / "retrograde_cells"
MOUSE_VOXEL_UM = (5.0, 2.0, 2.0)
FOLDS = 5
_FOLD_SEED = 2024
_KINDS = ("red", "green")


@dataclass(frozen=True, eq=False)
class Tiles:
    """Pieces of sections with the cells that experts boxed: `marks` float32 (m, 4), tile, channel (red, green), y and x
    of the box's middle in pixels; `section` and `fold` of each tile."""

    folder: Path
    marks: npt.NDArray[np.float32]
    section: npt.NDArray[np.str_]
    fold: npt.NDArray[np.int64]

    def image(self, tile: int) -> npt.NDArray[np.uint8]:
        """A tile's red and green channels, uint8 (2, y, x)."""
        from PIL import Image

        with Image.open(self.folder / "images" / f"{tile + 1:04d}.png") as opened:
            return np.moveaxis(np.asarray(opened)[..., :2], 2, 0)


def mouse_crop(samples: Path) -> npt.NDArray[np.uint16]:
    """The two channels of the light-sheet crop, uint16 (c, z, y, x). Raises `NotFound` when it isn't there."""
    import tifffile

    folder = _there(samples / MOUSE) / "crop_planes"
    return np.stack(
        [np.stack([tifffile.imread(path) for path in sorted((folder / f"ch{c}").glob("*.tif"))]) for c in (0, 1)]
    )


def mouse_reference(samples: Path) -> npt.NDArray[np.float64]:
    """The reference cells of the crop, float64 (n, 3), micrometres (z, y, x). Raises `NotFound`."""
    # the sample's own bytes are pinned by the manifest; it declares no entities
    tree = ElementTree.parse(_there(samples / MOUSE) / "cell_classification.xml")
    voxels = [[int(mark.findtext(f"Marker{axis}", "")) for axis in "ZYX"] for mark in tree.iter("Marker")]
    return np.array(voxels, np.float64) * MOUSE_VOXEL_UM


def section_tiles(samples: Path) -> Tiles:
    """The macaque tiles with their boxes. Raises `NotFound` when they aren't there."""
    folder = _there(samples / MACAQUE)
    with (folder / "cells.tsv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    marks = [
        (
            int(row["image"][:4]) - 1,
            _KINDS.index(row["kind"]),
            (float(row["y_min"]) + float(row["y_max"])) / 2 - 0.5,
            (float(row["x_min"]) + float(row["x_max"])) / 2 - 0.5,
        )
        for row in rows
    ]
    sections = {int(row["image"][:4]) - 1: _section(row["section_tile"]) for row in rows}
    section = np.array([sections[tile] for tile in range(len(sections))])
    return Tiles(folder, np.array(marks, np.float32), section, _folds(section))


def _section(name: str) -> str:
    found = re.search(r"R02_(A\d+_N?\d+)", name)
    if not found:
        raise Invalid(f"{name!r} names no section", hint="expected R02_A<plate>_<section>")
    return found[1]


def _folds(section: npt.NDArray[np.str_]) -> npt.NDArray[np.int64]:
    """The fold of each tile: a section is in one alone, since its tiles overlap."""
    names = np.unique(section)
    folds = np.empty(len(names), np.int64)
    folds[np.random.default_rng(_FOLD_SEED).permutation(len(names))] = np.arange(len(names)) % FOLDS
    return folds[np.searchsorted(names, section)]


def _there(folder: Path) -> Path:
    if not folder.is_dir():
        raise NotFound(f"the sample {folder.name} is not at {folder}", hint="set PULVINAR_SAMPLES")
    return folder
