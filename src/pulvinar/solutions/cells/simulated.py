"""Volumes whose cells are known, because they were drawn: for training, and for figures called SIM.

Cells of many shapes lie among what a detector takes for cells: fibres, dendrites, specks, glows out of focus, steps in
brightness where one cut of the tissue ends. The background can be a real channel without cells. What a real microscope
does beyond that is not here: a figure on these volumes says nothing about a brain that looks different.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from pulvinar.errors import Invalid

Triple = tuple[float, float, float]
Span = tuple[float, float]
Image = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Variety:
    """Between what the scenes vary, each drawn evenly; lengths in micrometres, densities a cubic millimetre.

    `snr` is that of a scene's faintest cells: their peak over the deviation of the background around them.
    """

    voxel_size_um: tuple[Triple, ...] = ((5.0, 2.0, 2.0), (4.0, 2.0, 2.0), (3.0, 3.0, 3.0), (6.0, 1.6, 1.6))
    soma_um: Span = (9.0, 20.0)
    axial_blur_um: Span = (1.0, 16.0)
    lateral_blur_um: Span = (0.5, 2.0)
    tilt: Span = (-0.35, 0.35)
    cells: Span = (300.0, 12000.0)
    fibres: Span = (0.0, 600.0)
    specks: Span = (0.0, 6000.0)
    glows: Span = (0.0, 100.0)
    texture: Span = (0.2, 2.5)
    snr: Span = (2.0, 10.0)
    cut_planes: tuple[int, ...] = (0, 8, 10, 14)


TRAINING = Variety()
"""What the classifier is taught by."""
TESTING = Variety(
    voxel_size_um=((5.0, 2.0, 2.0), (4.0, 1.8, 1.8), (2.5, 2.5, 2.5)),
    soma_um=(10.0, 18.0),
    axial_blur_um=(2.0, 13.0),
    lateral_blur_um=(0.8, 1.6),
    tilt=(-0.3, 0.3),
    cells=(500.0, 8000.0),
    fibres=(50.0, 500.0),
    specks=(500.0, 5000.0),
    glows=(10.0, 80.0),
    texture=(0.4, 2.0),
    cut_planes=(0, 10, 12),
)
"""What it is measured on: voxel sizes and cuts that it has not been taught, and other seeds."""


@dataclass(frozen=True, eq=False)
class Scene:
    """A made volume: `signal` and `background` uint16 (z, y, x); `cells_um` float64 (n, 3) the middles, micrometres
    from the centre of the first voxel; `diameter_um` (z, y, x) that of a middling cell's picture."""

    signal: npt.NDArray[np.uint16]
    background: npt.NDArray[np.uint16]
    cells_um: npt.NDArray[np.float64]
    voxel_size_um: Triple
    diameter_um: Triple
    snr: float


def make_scene(
    seed: int,
    variety: Variety,
    shape: tuple[int, int, int] = (40, 200, 200),
    texture: npt.NDArray[np.generic] | None = None,
    snr: float | None = None,
) -> Scene:
    """The scene of `seed`, the same each time. `texture` (z, y, x) is a real background to cut from, else one is made;
    `snr` is drawn too when it is not said. Raises `Invalid` for a shape smaller than a cell."""
    if min(shape) < 4:
        raise Invalid(f"a scene of {shape} voxels holds no cell", hint="at least 4 an axis")
    rng = np.random.default_rng([2027, seed])
    drawn = {name: rng.uniform(*getattr(variety, name)) for name in _SPANS}
    voxel = variety.voxel_size_um[rng.integers(len(variety.voxel_size_um))]
    snr = drawn["snr"] if snr is None else snr
    cut = variety.cut_planes[rng.integers(len(variety.cut_planes))]
    blur = np.array((drawn["axial_blur_um"], drawn["lateral_blur_um"], drawn["lateral_blur_um"]))
    soma = drawn["soma_um"]
    z, y, x = np.sqrt(soma**2 + (2.0 * blur) ** 2)
    brush = _Brush(rng, np.array(voxel), blur, drawn["tilt"], np.zeros(shape, np.float32))

    tissue = _tissue(rng, shape, texture)
    grain = rng.normal(size=shape).astype(np.float32)
    ground = drawn["texture"] * tissue + grain
    spread = float((ground - ndimage.gaussian_filter(ground, 1.5 * soma / np.array(voxel))).std())
    volume_mm3 = float(np.prod(np.multiply(shape, voxel))) / 1e9
    cells = _places(rng, shape, voxel, (z, y, x), max(1, round(drawn["cells"] * volume_mm3)))
    for middle in cells:
        brush.cell(middle, soma * rng.uniform(0.8, 1.2), snr * spread * (1 + rng.exponential(0.6)))
    brush.clutter(drawn, volume_mm3, snr * spread, soma)
    signal = _steps(rng, brush.canvas + ground, cut)
    other = _steps(rng, 0.8 * drawn["texture"] * tissue + rng.normal(size=shape).astype(np.float32), cut)
    level, gain = rng.uniform(20, 60), rng.uniform(5, 40)
    return Scene(
        _digital(signal + level, gain),
        _digital(other + level, gain),
        cells,
        voxel,
        (float(z), float(y), float(x)),
        float(snr),
    )


_SPANS = (
    "soma_um",
    "axial_blur_um",
    "lateral_blur_um",
    "tilt",
    "cells",
    "fibres",
    "specks",
    "glows",
    "texture",
    "snr",
)


class _Brush:
    """Draws onto `canvas`, blurred as the optics blur and shifted along x with depth as a tilted sheet does."""

    def __init__(
        self,
        rng: np.random.Generator,
        voxel_um: npt.NDArray[np.float64],
        blur_um: npt.NDArray[np.float64],
        tilt: float,
        canvas: Image,
    ) -> None:
        self.rng, self.voxel_um, self.blur_um, self.tilt, self.canvas = rng, voxel_um, blur_um, tilt, canvas

    def cell(self, middle_um: npt.NDArray[np.float64], diameter_um: float, height: float) -> None:
        """One cell whose peak is `height`."""
        half = np.ceil((0.8 * diameter_um + 2.5 * self.blur_um) / self.voxel_um).astype(int)
        half[2] += int(abs(self.tilt) * half[0] * self.voxel_um[0] / self.voxel_um[2])
        nearest = np.round(middle_um / self.voxel_um).astype(int)
        axes = [np.arange(-n, n + 1) * v for n, v in zip(half, self.voxel_um, strict=True)]
        grid = np.stack(np.meshgrid(*axes, indexing="ij"), -1) - (middle_um - nearest * self.voxel_um)
        body = ndimage.gaussian_filter(self._body(grid, diameter_um), self.blur_um / self.voxel_um)
        if self.tilt:
            body = _sheared(body, self.tilt * self.voxel_um[0] / self.voxel_um[2])
        self._add(nearest - half, body * (height / body.max()))

    def _body(self, grid: npt.NDArray[np.float64], diameter_um: float) -> Image:
        """A lumpy ellipsoid, at times with a dark middle, as where the nucleus is not stained."""
        turn = np.linalg.qr(self.rng.normal(size=(3, 3)))[0]
        stretch = np.exp(self.rng.normal(0, 0.18, 3))
        at = grid @ turn / (stretch / np.cbrt(stretch.prod()) * diameter_um / 2)
        far = np.sqrt((at**2).sum(-1)) + 1e-6
        lumps = self.rng.normal(0, 0.12, (3, 3))
        far *= 1 + np.einsum("...i,ij,...j->...", at, lumps, at) / far**2
        body = 1 / (1 + np.exp((far - 1) * 8))
        if self.rng.random() < 0.25:
            body *= 1 - 0.6 * np.exp(-((far / 0.5) ** 2))
        return np.asarray(body, np.float32)

    def clutter(self, drawn: dict[str, float], volume_mm3: float, height: float, soma_um: float) -> None:
        """Fibres, specks and glows, up to half again as bright as cells."""
        thin = np.zeros_like(self.canvas)
        extent = np.multiply(self.canvas.shape, self.voxel_um)
        for _ in range(self.rng.poisson(drawn["fibres"] * volume_mm3)):
            self._fibre(thin, self.rng.uniform(0, extent), height * self.rng.uniform(0.3, 1.5))
        for _ in range(self.rng.poisson(drawn["specks"] * volume_mm3)):
            at = tuple(self.rng.integers(self.canvas.shape))
            thin[at] += height * self.rng.uniform(0.5, 2.0) * self._peak_loss()
        self.canvas += ndimage.gaussian_filter(thin, np.maximum(self.blur_um / self.voxel_um, 0.35))
        for _ in range(self.rng.poisson(drawn["glows"] * volume_mm3)):
            width = soma_um * self.rng.uniform(1.2, 2.5) / self.voxel_um
            half = np.ceil(2 * width).astype(int)
            far = sum(
                (np.arange(-n, n + 1).reshape([-1 if i == axis else 1 for i in range(3)]) / w) ** 2
                for axis, (n, w) in enumerate(zip(half, width, strict=True))
            )
            glow = (height * self.rng.uniform(0.3, 1.0) * np.exp(-np.asarray(far) / 2)).astype(np.float32)
            self._add(self.rng.integers(self.canvas.shape) - half, glow)

    def _peak_loss(self) -> float:
        """By how much more a point must be drawn for its peak to be what was said after the blur."""
        return float(np.prod(np.maximum(np.sqrt(2 * np.pi) * self.blur_um / self.voxel_um, 1.0)))

    def _fibre(self, thin: Image, start_um: npt.NDArray[np.float64], height: float) -> None:
        steps = int(self.rng.uniform(40, 200))
        ways = self.rng.normal(size=3) + np.cumsum(self.rng.normal(0, 0.15, (steps, 3)), axis=0)
        ways /= np.linalg.norm(ways, axis=1, keepdims=True)
        at = np.round((start_um + np.cumsum(ways * self.voxel_um.min(), axis=0)) / self.voxel_um).astype(int)
        inside = ((at >= 0) & (at < thin.shape)).all(axis=1)
        # along its own way a fibre loses nothing to the blur
        loss = self._peak_loss() ** (2 / 3)
        thin[tuple(at[inside].T)] = height * loss

    def _add(self, start: npt.NDArray[np.int_], piece: Image) -> None:
        low = np.maximum(start, 0)
        high = np.minimum(start + piece.shape, self.canvas.shape)
        if (high > low).all():
            there = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
            here = tuple(slice(a - s, b - s) for a, b, s in zip(low, high, start, strict=True))
            self.canvas[there] += piece[here]


def _places(
    rng: np.random.Generator, shape: tuple[int, ...], voxel: Triple, apart: Triple, count: int
) -> npt.NDArray[np.float64]:
    """Up to `count` middles, none within 0.9 of another's picture; some lie in groups."""
    extent = np.multiply(np.subtract(shape, 1), voxel)
    free = rng.uniform(0, extent, (2 * count, 3))
    grouped = free[rng.integers(max(1, count // 8), size=2 * count)] + rng.normal(0, 1.5, (2 * count, 3)) * apart
    tried = np.where(rng.random((2 * count, 1)) < 0.3, grouped, free)
    kept: list[npt.NDArray[np.float64]] = []
    for place in tried[((tried >= 0) & (tried <= extent)).all(axis=1)]:
        if not kept or (((np.array(kept) - place) / apart) ** 2).sum(axis=1).min() > 0.9**2:
            kept.append(place)
        if len(kept) == count:
            break
    return np.array(kept).reshape(-1, 3)


def _tissue(rng: np.random.Generator, shape: tuple[int, ...], texture: npt.NDArray[np.generic] | None) -> Image:
    """A background of mean 0 and deviation 1: a piece of `texture`, mirrored at random, or one of noise."""
    if texture is None:
        made = sum(
            weight * _unit(ndimage.gaussian_filter(rng.normal(size=shape), width))
            for weight, width in ((0.6, 1.0), (0.6, 3.0), (1.0, 15.0))
        )
        return _unit(np.asarray(made))
    take = [min(n, m) for n, m in zip(shape, texture.shape, strict=True)]
    start = [int(rng.integers(m - n + 1)) for n, m in zip(take, texture.shape, strict=True)]
    piece = texture[tuple(slice(a, a + n) for a, n in zip(start, take, strict=True))].astype(np.float32)
    piece = np.minimum(piece, np.percentile(piece, 99.8))
    piece = piece[tuple(slice(None, None, int(rng.choice((-1, 1)))) for _ in range(3))]
    return _unit(np.pad(piece, [(0, n - m) for n, m in zip(shape, piece.shape, strict=True)], mode="symmetric"))


def _unit(image: npt.NDArray[np.floating]) -> Image:
    return np.asarray((image - image.mean()) / (image.std() + 1e-9), np.float32)


def _sheared(body: Image, voxels_a_plane: float) -> Image:
    middle = (len(body) - 1) / 2
    return np.stack([ndimage.shift(plane, (0, (i - middle) * voxels_a_plane), order=1) for i, plane in enumerate(body)])


def _steps(rng: np.random.Generator, image: Image, cut_planes: int) -> Image:
    """Each cut of the tissue is a little brighter or darker."""
    if not cut_planes:
        return image
    out = image.copy()
    for first in range(int(rng.integers(cut_planes)), len(image), cut_planes):
        out[first : first + cut_planes] = image[first : first + cut_planes] * rng.uniform(0.8, 1.2) + rng.normal(0, 2)
    return out


def _digital(image: Image, gain: float) -> npt.NDArray[np.uint16]:
    return np.asarray(np.clip(image * gain, 0, 65535), np.uint16)
