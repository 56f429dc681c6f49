"""Brains made on the spot: correlated structure, neurites, and the noise of a camera, plane by plane."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tifffile

Plane = npt.NDArray[np.uint16]
Floats = npt.NDArray[np.float32]

OFFSET = 100.0
READ_NOISE = 2.5
PERIODS = (96, 24, 7)
STRENGTHS = (1.0, 0.5, 0.25)
KINDS = ("tissue", "brain")
_NOISE_BANK = 1 << 24


class SyntheticBrain:
    """A stack of uint16 planes of `shape` (z, y, x), the same for the same seed.

    "tissue" fills the whole volume; "brain" is an ellipsoid that leaves 63% to background, which is camera noise, as in
    a light-sheet scan: never a constant. Only a few planes are in memory.
    """

    def __init__(self, shape: tuple[int, int, int], kind: str, seed: int = 7) -> None:
        if kind not in KINDS:
            raise ValueError(f"{kind!r} is none of {KINDS}")
        self.shape = shape
        self._kind = kind
        self._seed = seed
        generator = np.random.default_rng(seed)
        bank = generator.standard_normal(min(_NOISE_BANK, 2 * shape[1] * shape[2]), np.float32)
        self._noise = np.concatenate([bank, bank])
        self._bank = len(bank)
        self._spread = {p: (_interpolation(shape[1], p), _interpolation(shape[2], p)) for p in PERIODS}
        count = max(4, shape[1] * shape[2] // 4000)
        self._roots = generator.random((count, 2)) * shape[1:]
        self._waves = generator.random((count, 4))

    def planes(self) -> Iterator[Plane]:
        """Every plane, from the first on."""
        for z in range(self.shape[0]):
            yield self.plane(z)

    def plane(self, z: int) -> Plane:
        """Plane `z`, shape (y, x)."""
        signal = self._structure(z)
        np.exp(signal, out=signal)
        signal *= 250
        self._add_neurites(signal, z)
        if self._kind == "brain":
            signal *= self._inside(z)
        # photons: the noise grows with the square root of the signal
        noise = self._noise_at(z)
        noise *= np.sqrt(signal * 0.5 + READ_NOISE**2)
        signal += noise
        signal += OFFSET
        return np.clip(signal, 0, 65535, out=signal).astype(np.uint16)

    def _structure(self, z: int) -> Floats:
        total = np.zeros(self.shape[1:], np.float32)
        for period, strength in zip(PERIODS, STRENGTHS, strict=True):
            down, along = self._spread[period]
            below, weight = divmod(z, period)
            share = weight / period
            grid = (1 - share) * self._grid(period, below, down, along) + share * self._grid(
                period, below + 1, down, along
            )
            total += (strength * 0.6) * (down @ grid @ along.T)
        return total

    def _grid(self, period: int, layer: int, down: Floats, along: Floats) -> Floats:
        generator = np.random.default_rng((self._seed, period, layer))
        return generator.standard_normal((down.shape[1], along.shape[1]), np.float32)

    def _add_neurites(self, signal: Floats, z: int) -> None:
        # each winds around its root while it climbs, and is three voxels thick
        turn = z * (0.01 + 0.03 * self._waves[:, :2]) + 6.3 * self._waves[:, 2:]
        at = (self._roots + 60 * np.stack([np.sin(turn[:, 0]), np.cos(turn[:, 1])], axis=1)).astype(int)
        at %= self.shape[1:]
        for dy in (-1, 0, 1):
            for dx in (-1, 0, 1):
                y = (at[:, 0] + dy) % self.shape[1]
                x = (at[:, 1] + dx) % self.shape[2]
                signal[y, x] += 1500.0 / (1 + dy * dy + dx * dx)
        # and some lie in the plane, for a few planes
        generator = np.random.default_rng((self._seed, 1, z // 4))
        for _ in range(max(1, len(at) // 40)):
            start, angle = generator.random(2) * self.shape[1:], generator.random() * 6.3
            steps = np.arange(300)[:, None] * (np.sin(angle), np.cos(angle))
            y, x = (start + steps + 6 * np.sin(steps / 40)).astype(int).T
            y, x = y % self.shape[1], x % self.shape[2]
            signal[y, x] += 900.0

    def _inside(self, z: int) -> Floats:
        # half axes of 0.445 of the side: an ellipsoid of 37% of the box
        dz, dy, dx = (
            (np.arange(n, dtype=np.float32) - n / 2) / (0.445 * n)
            for n in (self.shape[0], self.shape[1], self.shape[2])
        )
        radius = dz[z] ** 2 + dy[:, None] ** 2 + dx[None, :] ** 2
        return (radius < 1).astype(np.float32)

    def _noise_at(self, z: int) -> Floats:
        size = self.shape[1] * self.shape[2]
        generator = np.random.default_rng((self._seed, 2, z))
        start = int(generator.integers(self._bank))
        pieces, left = [], size
        while left:
            piece = self._noise[start : start + min(left, self._bank)]
            pieces.append(piece)
            left -= len(piece)
            start = int(generator.integers(self._bank))
        return np.concatenate(pieces).reshape(self.shape[1:])


def write_stack(path: Path, shape: tuple[int, int, int], kind: str) -> None:
    """A BigTIFF of one uncompressed page a plane; nothing is done when the file is there."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    with tifffile.TiffWriter(partial, bigtiff=True) as writer:
        for plane in SyntheticBrain(shape, kind).planes():
            writer.write(plane, photometric="minisblack", contiguous=True)
    partial.rename(path)


def _interpolation(size: int, period: int) -> Floats:
    """The matrix (size, nodes) that interpolates linearly between nodes that are `period` voxels apart."""
    position = np.arange(size) / period
    node = position.astype(int)
    matrix = np.zeros((size, node[-1] + 2), np.float32)
    matrix[np.arange(size), node] = 1 - (position - node)
    matrix[np.arange(size), node + 1] = position - node
    return matrix
