"""What every measurement of a volume begins with: where its voxels lie, at which level, and how much that reads.

Places are micrometres of the world, (z, y, x): where a volume states no orientation, its own axes from the centre of
its first voxel, as the viewer shows it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import product
from math import prod

import numpy as np
import numpy.typing as npt

from pulvinar.access.export_rules import check_leaving
from pulvinar.catalogue.assets import Resolved
from pulvinar.errors import Invalid, TooLarge
from pulvinar.model.access import Actor
from pulvinar.model.dataset import Asset, AssetKind
from pulvinar.model.export_rule import Way
from pulvinar.model.space import Window
from pulvinar.model.volume import Volume, volume_from_json
from pulvinar.storage.database import Database
from pulvinar.storage.external import ExternalSources
from pulvinar.storage.external_volume import open_asset_volume
from pulvinar.storage.store import Store
from pulvinar.storage.volumes import ReadableVolume

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Chunk = tuple[int, int, int]
"""The number of a chunk of a level, (z, y, x)."""


@dataclass(frozen=True)
class Measured:
    """A volume that somebody may measure: `budget_bytes` of decoded voxels may be read for one answer."""

    asset: Asset
    volume: Volume
    stored: ReadableVolume
    budget_bytes: int

    def to_world(self, level: int) -> Floats:
        """Maps a voxel's index (z, y, x, 1) of `level` to the world, 4 x 4."""
        held, whole = self.volume.levels[level], np.array(self.volume.voxel_size_um)
        index = np.diag([*(np.array(held.voxel_size_um) / whole), 1.0])
        index[:3, 3] = np.array(held.translation_um) / whole
        world = np.diag([*whole, 1.0]) if self.volume.affine_um is None else np.array(self.volume.affine_um)
        return np.asarray(world @ index)

    def chunk_bytes(self, level: int) -> int:
        """How much the voxels of one chunk of `level` are, of all channels and one time point."""
        _, _, *sides = self.volume.levels[level].chunk_shape
        return prod(sides) * self.volume.shape[1] * np.dtype(self.volume.dtype).itemsize

    def window(self, level: int, time: int, start: Iterable[int], stop: Iterable[int]) -> Window:
        """The voxels (z, y, x) from `start` up to and without `stop`, of all channels at `time`."""
        (a, b, c), (d, e, f) = start, stop
        return Window((time, 0, a, b, c), (time + 1, self.volume.shape[1], d, e, f))

    def read(self, level: int, window: Window) -> npt.NDArray[np.generic]:
        """The voxels of `window`, which is of one time point: axes (c, z, y, x)."""
        voxels: npt.NDArray[np.generic] = self.stored.read(level, window)[0]
        return voxels

    def check_time(self, time: int) -> int:
        """`time` itself. Raises `Invalid` where there is no such time point."""
        if not 0 <= time < self.volume.shape[0]:
            raise Invalid(f"there is no time point {time}", hint=f"time points 0 to {self.volume.shape[0] - 1}")
        return time

    def choose_level(self, wanted: int | None, chunks: Callable[[int], int]) -> int:
        """`wanted`, or the finest level of which the budget holds as many chunks as `chunks` says.

        Raises `Invalid` for a level that isn't there, `TooLarge` for one that would read more, naming one that fits.
        """
        levels = range(len(self.volume.levels))
        if wanted is not None and wanted not in levels:
            raise Invalid(f"{self.asset.name} has no level {wanted}", hint=f"levels 0 to {levels[-1]}")
        fits = (one for one in levels if chunks(one) * self.chunk_bytes(one) <= self.budget_bytes)
        if wanted is not None and chunks(wanted) * self.chunk_bytes(wanted) <= self.budget_bytes:
            return wanted
        found = next(fits, None)
        if found is not None and wanted is None:
            return found
        most = f"{self.budget_bytes / 1e6:.0f} MB"
        hint = "measure a smaller part" if found is None else f"level {found} fits, or measure a smaller part"
        raise TooLarge(f"this would read more of {self.asset.name} than the {most} that one answer may", hint=hint)

    def chunks_over(self, level: int, low: Ints, high: Ints) -> list[Chunk]:
        """The chunks of `level` that hold voxels from `low` up to and without `high`, (z, y, x)."""
        sides = np.array(self.volume.levels[level].chunk_shape[2:])
        z, y, x = (range(a, b + 1) for a, b in zip(low // sides, (high - 1) // sides, strict=True))
        return list(product(z, y, x))

    def chunk_box(self, level: int, chunk: Chunk) -> tuple[Ints, Ints]:
        """The first voxel of a chunk and the one after its last, (z, y, x)."""
        held = self.volume.levels[level]
        start = np.array(chunk) * held.chunk_shape[2:]
        return start, np.minimum(start + held.chunk_shape[2:], held.shape[2:])


def open_measured(
    database: Database, store: Store, sources: ExternalSources, actor: Actor, found: Resolved, budget_bytes: int
) -> Measured:
    """The volume that was found for who may read it, for measurements.

    What is measured of a few voxels is their values, so it leaves as a cut-out does. Raises `Invalid` for what is no
    volume, `Forbidden` where a rule keeps it here.
    """
    if found.asset.kind is not AssetKind.VOLUME:
        raise Invalid(f"asset {found.asset.id} is a {found.asset.kind}, not a volume", hint="only volumes are measured")
    check_leaving(database, actor, found.dataset_id, found.asset, Way.CUTOUT)
    volume = volume_from_json(found.asset.details["volume"])
    return Measured(found.asset, volume, open_asset_volume(store, sources, found.asset), budget_bytes)
