"""Finding cells in sections: a network draws a map with a hill at each cell, plane by plane."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from pulvinar.errors import Invalid
from pulvinar.solutions.cells import kernels
from pulvinar.solutions.cells.blocks import Block, Voxel, check_block
from pulvinar.solutions.cells.candidates import Triple
from pulvinar.solutions.cells.cell_table import Cells, joined
from pulvinar.solutions.cells.classifier import model_at

_CELL_PX = 11.3
"""The network knows cells of about this size."""
_STEP_PX = 8
"""Sides must be multiples of it: the network halves them three times."""
_REACH_PX = 56
"""From so many working pixels away a pixel has a part in the map."""
_PEAK_PX = 3
"""A hill's top is the highest for so many pixels around."""
_LOOK_PX = 8
_CHANNELS = 2
_COPIES = 640
"""Bytes that the network takes for a pixel, at most."""


@dataclass(frozen=True)
class SectionSearch:
    """What is sought: cells about `diameter_um` large in each of the `signal` channels (two, or one twice) of sections.

    `white` is the value of a channel that is shown as brightest, as in an 8-bit picture 255. `least_score` is how high
    a hill must be. `model` is a network's ONNX file, the shipped one when it is None.
    """

    diameter_um: Triple = (16.0, 16.0, 16.0)
    signal: tuple[int, ...] = (0, 1)
    white: tuple[float, ...] = (255.0, 255.0)
    least_score: float = 0.38
    model: Path | None = None

    def __post_init__(self) -> None:
        if len(self.signal) != _CHANNELS or len(self.white) != _CHANNELS or min(self.white) <= 0:
            raise Invalid(
                f"sections are looked at in two channels, not in {self.signal}",
                hint="name one twice if need be",
            )

    def factor(self, voxel_size_um: Triple) -> int:
        """So many pixels a side make one working pixel. Raises `Invalid` where cells have too few pixels."""
        cell_px = self.diameter_um[1] / voxel_size_um[1]
        factor = max(1, round(cell_px / _CELL_PX))
        if not 0.6 <= cell_px / factor / _CELL_PX <= 1.5:
            raise Invalid(f"a cell has {cell_px:.1f} pixels", hint=f"give sections whose cells have {_CELL_PX} or more")
        return factor

    def grain(self, voxel_size_um: Triple) -> Voxel:
        """Blocks are read from multiples of so many voxels on (z, y, x)."""
        side = _STEP_PX * self.factor(voxel_size_um)
        return 1, side, side

    def halo(self, voxel_size_um: Triple) -> Voxel:
        """So many voxels around a block have a part in its cells (z, y, x)."""
        side = (_REACH_PX + _LOOK_PX) * self.factor(voxel_size_um)
        return 0, side, side

    def block_bytes(self, read_shape: Voxel, voxel_size_um: Triple, itemsize: int) -> int:
        """What looking at a block of which `read_shape` voxels are read takes at most."""
        depth, height, width = read_shape
        voxels = depth * height * width
        return _CHANNELS * voxels * itemsize + _COPIES * height * width // self.factor(voxel_size_um) ** 2

    def cells_of(self, voxels: npt.NDArray[np.generic], block: Block, voxel_size_um: Triple) -> Cells:
        """The cells inside of `block`; see `search.cells_of_block`."""
        check_block(voxels, block, self.grain(voxel_size_um), self.signal)
        factor, model = self.factor(voxel_size_um), model_at(self.model, "section")
        parts = []
        for plane in range(voxels.shape[1]):
            image = np.stack(
                [
                    _reduced(voxels[c, plane], factor) / np.float32(w)
                    for c, w in zip(self.signal, self.white, strict=True)
                ]
            )
            shape = [-(-n // _STEP_PX) * _STEP_PX for n in image.shape[1:]]
            padded = np.zeros((1, _CHANNELS, *shape), np.float32)
            padded[0, :, : image.shape[1], : image.shape[2]] = image
            hills = model(padded)[0, :, : image.shape[1], : image.shape[2]]
            for channel in dict.fromkeys(self.signal):
                at = self.signal.index(channel)
                parts.append(self._cells(image[at], hills[at], plane, channel, block, voxel_size_um))
        return joined(parts)

    def _cells(
        self,
        image: npt.NDArray[np.float32],
        hills: npt.NDArray[np.float32],
        plane: int,
        channel: int,
        block: Block,
        voxel_size_um: Triple,
    ) -> Cells:
        factor = self.factor(voxel_size_um)
        top = hill_tops(hills, self.least_score)
        y, x = ((top[:, i] + block.read_start[i + 1] // factor + 0.5) * factor - 0.5 for i in range(2))
        inside = np.ones(len(top), np.bool_)
        for axis, at in ((1, y), (2, x)):
            end = np.inf if block.stop[axis] == block.shape[axis] else block.stop[axis]
            inside &= (at >= block.start[axis]) & (at < end)
        top, y, x = top[inside], y[inside], x[inside]
        size, snr = _looks(image, top)
        z = np.full(len(top), plane + block.read_start[0], np.float64)
        return Cells(
            np.stack([z, y, x], axis=1) * voxel_size_um,
            (size * factor * voxel_size_um[1]).astype(np.float32),
            hills[tuple(top.T)].astype(np.float32),
            snr,
            np.full(len(top), 1 << channel, np.uint8),
        )


def hill_tops(hills: npt.NDArray[np.float32], least: float) -> npt.NDArray[np.int64]:
    """The pixels (n, 2) of a map (y, x) that are at least `least` high and the highest for 3 pixels around."""
    highest = ndimage.maximum_filter(hills, 2 * _PEAK_PX + 1, mode="constant", cval=-1)
    return np.argwhere((hills == highest) & (hills >= least))


def _reduced(plane: npt.NDArray[np.generic], factor: int) -> npt.NDArray[np.float32]:
    out = np.empty((1, *(ceil(n / factor) for n in plane.shape)), np.float32)
    kernels.reduce(plane[None], (1, factor, factor), out)
    plane_out: npt.NDArray[np.float32] = out[0]
    return plane_out


def _looks(
    image: npt.NDArray[np.float32], top: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Of what lies around each top: the diameter, in pixels, of a disc as large as what is above half height, float32
    (n,); and how far the top stands out, in robust deviations, float32 (n,)."""
    side = 2 * _LOOK_PX + 1
    framed = np.pad(image, _LOOK_PX, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(framed, (side, side))[tuple(top.T)].reshape(len(top), side, side)
    flat = windows.reshape(len(top), side * side)
    low = np.median(flat, axis=1)
    spread = 1.4826 * np.median(np.abs(flat - low[:, None]), axis=1)
    inner = slice(_LOOK_PX - 1, _LOOK_PX + 2)
    high = windows[:, inner, inner].mean(axis=(1, 2))
    above = (flat > ((high + low) / 2)[:, None]).sum(axis=1)
    snr = (high - low) / np.maximum(spread, 1e-6)
    return np.sqrt(above * 4 / np.pi).astype(np.float32), snr.astype(np.float32)
