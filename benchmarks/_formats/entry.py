"""What a row of the table is, and the voxels that its large files hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pulvinar.ingest.reader import Options

Voxels = np.ndarray
SIZED = Options(voxel_size_um=(2.0, 1.0, 1.0))
"""For formats that don't say how large their voxels are."""


@dataclass(frozen=True)
class Format:
    """One row of the table.

    `make` writes a large file or folder into a folder; `plain` reads it whole by the library `by` alone, into voxels
    (t, c, z, y, x) of a volume, or anything of what is none. Where a library does no more than map the file, `by` names
    numpy too: what it gave is turned into places in micrometres along (z, y, x), as ours are. `same` asserts that what
    our reader gave of a geometry (a list where the file holds several) is what the file holds. `samples` is the reader
    whose real samples belong to the row, "" for a row without.
    """

    name: str
    make: Callable[[Path], Path]
    by: str
    plain: Callable[[Path], Any]
    same: Callable[[Any, Path], None] | None = None
    samples: str = ""
    options: Options = field(default_factory=Options)


def brain(planes: int = 256, side: int = 512) -> Voxels:
    """Smooth structure and a little noise (z, y, x), uint16: it packs as recorded images do."""
    numbers = np.random.default_rng(5)
    z, y, x = (np.linspace(0, 12, size, dtype=np.float32) for size in (planes, side, side))
    smooth = np.sin(z)[:, None, None] + np.sin(y * 1.3)[None, :, None] * np.cos(x)[None, None, :]
    noise = numbers.integers(0, 8, (side, side), dtype=np.uint16)
    return (smooth * 400 + 1000).astype(np.uint16) + noise
