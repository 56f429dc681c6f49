"""Images of an NWB file: series of frames, as of two photons, and single pictures.

The format says that the axes of a series are time, x, y (and z), those of a picture x, y (and colour). Source: the NWB
format specification 2.x, `ImageSeries` and `Image`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pulvinar.errors import Invalid
from pulvinar.ingest.reader import Finding, Options, Severity, VolumeDescription
from pulvinar.ingest.readers.frames import settle
from pulvinar.ingest.readers.hdf5_chunks import Hdf5Numbers
from pulvinar.ingest.readers.hdf5_files import absence_findings, dataset, member
from pulvinar.ingest.readers.hdf5_values import is_group, number_said, text_at, texts_at
from pulvinar.ingest.readers.nwb_nodes import Node
from pulvinar.ingest.readers.nwb_places import grid_of
from pulvinar.ingest.readers.nwb_series import Series
from pulvinar.ingest.readers.raw_volume import as_labels, check_shape, component_channels
from pulvinar.model.space import Window
from pulvinar.model.volume import AXES, Shape5, Triple, VolumeKind

_PICTURES = {"GrayscaleImage": "xy", "RGBImage": "xyc", "RGBAImage": "xyc"}
_SERIES = {3: "txy", 4: "txyz"}
_IRREGULAR = 0.01


@dataclass(frozen=True)
class Picture:
    """A dataset of pixels, and the letters of its axes, slowest first, of "tczyx"."""

    path: str
    data: Any
    letters: str
    name: str
    step_s: float | None = None
    plane: Any = None
    factor: float = 1.0
    offset: float = 0.0

    @property
    def shape(self) -> Shape5:
        """Its shape in (t, c, z, y, x)."""
        return self.spread(self.data.shape)

    def spread(self, sizes: Any) -> Shape5:
        """`sizes` of the dataset's axes as (t, c, z, y, x), 1 where it has no such axis."""
        found = dict(zip(self.letters, map(int, sizes), strict=True))
        t, c, z, y, x = (found.get(axis, 1) for axis in AXES)
        return t, c, z, y, x

    def dtype(self, kind: VolumeKind | None) -> str:
        """What reading gives: scaled values are floats, labels whole numbers."""
        stored = self.data.dtype
        scaled = (self.factor, self.offset) != (1.0, 0.0)
        if kind is VolumeKind.LABELS and (stored.kind == "f" or scaled):
            return "uint32"
        if scaled or stored == np.float16:
            return "float32" if stored.itemsize <= 2 or (stored.itemsize == 4 and stored.kind == "f") else "float64"
        return "uint8" if stored.kind == "b" else str(stored.newbyteorder("=").name)


def is_images(series: Series) -> bool:
    """Whether a series' points in time are images."""
    kept = series.node.place
    imaged = series.node.type.endswith(("ImageSeries", "PhotonSeries", "MaskSeries", "OpticalSeries"))
    return series.data.ndim in _SERIES and (imaged or "imaging_plane" in kept)


def external_files(node: Node, name: str) -> list[str]:
    """The files that a series of images is said to lie in; they are never opened."""
    return texts_at(node.place, "external_file", name) if is_group(node.place) and "external_file" in node.place else []


def series_picture(series: Series, options: Options) -> Picture:
    """The images of a series, with their axes as `--axes` says where it names as many."""
    data = series.data
    return Picture(
        series.node.path,
        data,
        _letters(options, _SERIES[data.ndim], series.node.path),
        series.name,
        options.time_step_s or _step_s(series),
        member(series.node.place, "imaging_plane", series.name),
        number_said(data, "conversion", 1.0),
        number_said(data, "offset", 0.0),
    )


def single_picture(node: Node, name: str, options: Options) -> Picture | None:
    """A single picture; None where `node` is none."""
    letters = _PICTURES.get(node.type)
    if letters is None or is_group(node.place):
        return None
    data = dataset(node.place.file, node.path, name)
    if data is None or data.ndim != len(letters) or not data.size or data.dtype.kind not in "iufb":
        return None
    return Picture(node.path, data, _letters(options, letters, node.path), name)


def described(picture: Picture, options: Options) -> tuple[VolumeDescription, list[Finding]]:
    """What is known of the images before they are read, and what is missing or doubtful."""
    check_shape(picture.data.shape, picture.name)
    size_um, findings = _size(picture, options)
    size_um, affine_um = settle(size_um, None, picture.shape[2:], options)
    chunks = picture.data.chunks or tuple(
        1 if letter in "tc" else size for letter, size in zip(picture.letters, picture.data.shape, strict=True)
    )
    fitting = [min(pair) for pair in zip(chunks, picture.data.shape, strict=True)]
    description = VolumeDescription(
        picture.shape,
        picture.dtype(options.kind),
        picture.spread(fitting),
        size_um,
        affine_um,
        options.kind,
        component_channels(picture.shape[1], picture.name),
        picture.step_s,
    )
    return description, [*findings, *_findings(picture, options)]


class NwbImages:
    """An `OpenVolume` over the images of an open file."""

    def __init__(self, file: Any, picture: Picture, dtype: str) -> None:
        self._file = file
        self._picture = picture
        self._numbers = Hdf5Numbers(picture.data, picture.name)
        self._dtype = np.dtype(dtype)

    def read_into(self, window: Window, out: npt.NDArray[Any]) -> None:
        """Fill `out`, of `window.shape` and the described dtype."""
        picture = self._picture
        slices = dict(zip(AXES, window.slices, strict=True))
        values = self._numbers.read([slices[letter] for letter in picture.letters])
        if (picture.factor, picture.offset) != (1.0, 0.0):
            values = values.astype(np.float64) * picture.factor + picture.offset
        if self._dtype.kind in "iu" and values.dtype.kind == "f":
            values = as_labels(values.astype(np.float64), self._dtype, picture.name)
        order = [picture.letters.index(axis) for axis in AXES if axis in picture.letters]
        out[...] = values.transpose(order).reshape(window.shape)

    def close(self) -> None:
        """Let go of the file."""
        self._numbers.close()
        self._file.close()


def _letters(options: Options, usual: str, path: str) -> str:
    letters = options.axes.lower()
    if len(letters) != len(usual):
        return usual
    if not {"x", "y"} <= set(letters) <= set(AXES) or len(set(letters)) != len(letters):
        raise Invalid(f"--axes {options.axes!r} does not name the axes of {path}", hint=f"as {usual}, slowest first")
    return letters


def _step_s(series: Series) -> float | None:
    """Seconds between two images; None where it isn't said, or differs."""
    if series.rate_hz is not None:
        return 1.0 / series.rate_hz
    steps = np.diff(series.times_s)
    if not len(steps) or not np.isfinite(steps).all():
        return None
    middle = float(np.median(steps))
    return middle if middle > 0 and (np.abs(steps - middle) <= _IRREGULAR * middle).all() else None


def _size(picture: Picture, options: Options) -> tuple[Triple | None, list[Finding]]:
    """The voxel size that the imaging plane says, and what is to be asked where it doesn't say all of it."""
    grid = grid_of(picture.plane, picture.name)
    if options.voxel_size_um is not None:
        return None, []
    if grid is None:
        return None, [Finding(Severity.QUESTION, "the file does not say the size of its voxels", "--voxel-size")]
    x, y, *rest = grid.step_um.tolist()
    if not rest:
        text = f"the file does not say the thickness of its plane (only y = {y:g} µm, x = {x:g} µm)"
        return None, [Finding(Severity.QUESTION, text, "--voxel-size"), *grid.findings()]
    return (rest[0], y, x), grid.findings()


def _findings(picture: Picture, options: Options) -> Iterator[Finding]:
    yield from absence_findings(picture.data, picture.name, options)
    if not options.axes:
        yield Finding(Severity.NOTE, f"its axes are taken as {picture.letters}, as NWB says", "--axes")
    if picture.shape[0] > 1 and picture.step_s is None:
        yield Finding(Severity.DOUBT, "its time points have no step that is known", "--time-step")


def plane_words(picture: Picture) -> dict[str, str]:
    """What the file says of the imaging plane."""
    if not is_group(picture.plane):
        return {}
    said = {key: text_at(picture.plane, key, picture.name) for key in ("description", "indicator", "location")}
    return {key: value for key, value in said.items() if value}
