"""What people say about found cells, and what is made of it: better counts, and a better model."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy.spatial import cKDTree

from pulvinar.errors import Invalid, Unavailable
from pulvinar.solutions.cells.blocks import Block, Voxel, whole_block
from pulvinar.solutions.cells.candidates import Candidates, Triple, find_candidates, reduced
from pulvinar.solutions.cells.cell_table import Cells, joined
from pulvinar.solutions.cells.classifier import model_at
from pulvinar.solutions.cells.matching import Agreement, agreement
from pulvinar.solutions.cells.patches import cut_patches
from pulvinar.solutions.cells.teaching import Examples, together
from pulvinar.solutions.cells.volumes import VolumeSearch

_COLUMNS = ("z_um", "y_um", "x_um", "verdict")
_SAME = 0.5
"""A correction is about the cell whose middle is at most so many diameters away."""
_FEWEST = 8
_BATCH, _STEPS = 32, 40
"""Examples are shown so many at a time, more where a round would take more steps than that."""
_GENTLE = 1e-3
"""The rate at which a model goes on learning: it is to be corrected, not taught anew."""


class Verdict(StrEnum):
    """What somebody says about a place: a cell was found there rightly, wrongly, or one was missed."""

    ACCEPT = "accept"
    REJECT = "reject"
    ADD = "add"


@dataclass(frozen=True, eq=False)
class Corrections:
    """Verdicts about one volume: `zyx_um` float64 (n, 3), micrometres from the centre of its first voxel; `verdict`
    one a place."""

    zyx_um: npt.NDArray[np.float64]
    verdict: tuple[Verdict, ...]

    def are(self, *kinds: Verdict) -> npt.NDArray[np.bool_]:
        """Which are of `kinds`, bool (n,)."""
        return np.array([one in kinds for one in self.verdict], np.bool_)

    def __getitem__(self, rows: npt.NDArray[np.intp]) -> Corrections:
        return Corrections(self.zyx_um[rows], tuple(self.verdict[i] for i in rows))


@dataclass(frozen=True, eq=False)
class CorrectedVolume:
    """A volume, or the `block` of one, with its corrections: `voxels` (c, z, y, x), what the block asks for."""

    voxels: npt.NDArray[np.generic]
    voxel_size_um: Triple
    corrections: Corrections
    block: Block | None = None

    @property
    def piece(self) -> Block:
        """The block that the voxels are."""
        shape: Voxel = self.voxels.shape[1:]
        return self.block or whole_block(shape)


def corrections_from_table(table: pa.Table) -> Corrections:
    """Corrections from a table with columns z_um, y_um, x_um, verdict (accept, reject, add; other rows, as unsure
    ones, are left out). Raises `Invalid` when a column is not there."""
    lacking = [name for name in _COLUMNS if name not in table.column_names]
    if lacking:
        raise Invalid(f"the table of corrections has no column {lacking[0]!r}", hint=f"expected: {', '.join(_COLUMNS)}")
    known = set(Verdict)
    rows = [row for row in table.select(list(_COLUMNS)).to_pylist() if row["verdict"] in known]
    places = np.array([[row["z_um"], row["y_um"], row["x_um"]] for row in rows], np.float64).reshape(-1, 3)
    return Corrections(places, tuple(Verdict(row["verdict"]) for row in rows))


def corrected(cells: Cells, corrections: Corrections, diameter_um: Triple) -> Cells:
    """`cells` without the rejected ones, with the added ones, whose score is 1; accepted ones get the score 1 too.

    A verdict is about the nearest cell, at most half a diameter away; one that finds none changes nothing.
    """
    rejected, accepted = np.zeros((2, len(cells)), np.bool_)
    if len(cells):
        far, nearest = cKDTree(cells.zyx_um / diameter_um).query(corrections.zyx_um / diameter_um)
        near = far <= _SAME
        rejected[nearest[near & corrections.are(Verdict.REJECT)]] = True
        accepted[nearest[near & corrections.are(Verdict.ACCEPT)]] = True
    places = corrections.zyx_um[corrections.are(Verdict.ADD)]
    count = len(places)
    added = Cells(
        places,
        np.full(count, np.cbrt(np.prod(diameter_um)), np.float32),
        np.ones(count, np.float32),
        np.zeros(count, np.float32),
        np.ones(count, np.uint8),
    )
    score = np.where(accepted, np.float32(1), cells.score).astype(np.float32)
    kept = Cells(cells.zyx_um, cells.diameter_um, score, cells.snr, cells.channels)[~rejected]
    return joined([kept, added])


def measure_model(volume: CorrectedVolume, search: VolumeSearch) -> Agreement:
    """How a search agrees with corrections that it has not been taught: accepted and added places are to be found,
    rejected ones not; what else it finds is left out, since nobody has judged it."""
    cells = search.cells_of(volume.voxels, volume.piece, volume.voxel_size_um)
    scaled = cells.zyx_um / search.diameter_um
    true = volume.corrections.are(Verdict.ACCEPT, Verdict.ADD)
    places = volume.corrections.zyx_um / search.diameter_um
    right = agreement(scaled, places[true], _SAME)
    wrong = agreement(scaled, places[~true], _SAME)
    return Agreement(right.hit, wrong.hit, right.missed)


def retrain_volume_model(
    volumes: Iterable[CorrectedVolume],
    search: VolumeSearch,
    path: Path,
    made: Examples | None = None,
    epochs: int = 10,
    seed: int = 0,
) -> Path:
    """Go on training the model of `search` with corrections, and write the new one to `path`.

    `made` are examples of other volumes to be mixed in, so that nothing is forgotten; the corrections count as much
    together as they do. Raises `Invalid` for fewer than eight corrections, `Unavailable` where the extra `train` isn't
    installed.
    """
    taught = together(_examples(volume, search) for volume in volumes)
    if len(taught) < _FEWEST:
        raise Invalid(f"{len(taught)} corrections teach nothing", hint="give eight at least, accepted and rejected")
    try:
        from pulvinar.solutions.cells.volume_net import (
            VolumeTraining,
            read_volume_net,
            train_volume_net,
            write_volume_net,
        )
    except ImportError as error:
        raise Unavailable(f"a model can't be trained here: {error}", hint="pip install 'pulvinar[train]'") from error
    if made is not None:
        share = np.float32(max(1.0, len(made) / len(taught)))
        taught = together([Examples(taught.patches, taught.cell, taught.weight * share), made])
    batch = max(_BATCH, len(taught) // _STEPS)
    how = VolumeTraining(epochs=epochs, batch=batch, rate=_GENTLE, seed=seed, threads=1)
    start = read_volume_net(model_at(search.model, "volume").path)
    net = train_volume_net(taught.patches, taught.cell, taught.weight, how, start)
    write_volume_net(net, path)
    return path


def _examples(volume: CorrectedVolume, search: VolumeSearch) -> Examples:
    """The patches at the corrected places: at the candidate that a correction is about, else at the place itself."""
    grid = search.grid(volume.voxel_size_um)
    image = reduced(volume.voxels[search.signal[0]], grid)
    background = None if search.background is None else reduced(volume.voxels[search.background], grid)
    found = find_candidates(image, grid, 0.0)
    first = np.array(volume.piece.read_start) // grid.factors
    places = (volume.corrections.zyx_um / volume.voxel_size_um + 0.5) / grid.factors - 0.5 - first
    if not len(found.snr) or not len(places):
        return together(())
    far, nearest = cKDTree((found.peak + found.offset) * grid.steps).query(places * grid.steps)
    at = found[nearest]
    moved = np.where((far <= _SAME)[:, None], at.offset, places - at.peak)
    patches, _ = cut_patches(image, background, Candidates(at.peak, moved, at.snr, at.noise), grid)
    cell = volume.corrections.are(Verdict.ACCEPT, Verdict.ADD).astype(np.float32)
    return Examples(patches.astype(np.float16), cell, np.ones(len(cell), np.float32))
