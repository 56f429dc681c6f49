"""The images in a DICOM file, each with its place: one, the frames of an enhanced file, or the tiles of a mosaic.

Sources: DICOM PS3.3, C.7.6.2 (image plane) and C.7.6.16 (functional groups); for the mosaic of Siemens, whose header
gives the corner of the whole picture, the notes on it in nibabel's documentation.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from pulvinar.errors import UnreadableFile
from pulvinar.ingest.readers.dicom_file import (
    SIEMENS_CREATOR,
    SIEMENS_IMAGE,
    PixelPlace,
    number_in,
    numbers,
    texts,
)

Vector = npt.NDArray[np.float64]
_MOST_TILES = 4096


@dataclass(frozen=True)
class Tile:
    """A part of a picture: `rows` x `columns` from `top` and `left` on."""

    top: int
    left: int
    rows: int
    columns: int


@dataclass(frozen=True)
class Frame:
    """One image: where it is stored, where it lies (millimetres, DICOM's LPS), and which of several it is.

    `axes` are the directions of a row and of a column; `spacing_mm` lies between rows and between columns; `step_mm`
    is what the header says of the distance to the next slice, `normal` its direction where the header names it. `looks`
    tells images of one series apart that don't make one volume (echoes, kinds).
    """

    file: str
    number: int
    pixels: PixelPlace
    series: str
    image: str
    instance: int
    position_mm: tuple[float, ...] = ()
    axes: tuple[float, ...] = ()
    spacing_mm: tuple[float, ...] = ()
    step_mm: float | None = None
    normal: tuple[float, ...] = ()
    slope: float = 1.0
    intercept: float = 0.0
    temporal: int | None = None
    acquisition: int | None = None
    time_s: float | None = None
    looks: tuple[str, ...] = ()
    tile: Tile | None = None

    @property
    def rows(self) -> int:
        """Rows of the image."""
        return self.tile.rows if self.tile else self.pixels.rows

    @property
    def columns(self) -> int:
        """Columns of the image."""
        return self.tile.columns if self.tile else self.pixels.columns


def frames_of(dataset: Any, pixels: PixelPlace, name: str) -> list[Frame]:
    """Every image of a file; raises `UnreadableFile` for a header that contradicts itself."""
    first = _frame(dataset, pixels, name)
    if dataset.get("PerFrameFunctionalGroupsSequence"):
        return list(_enhanced(dataset, first))
    if "MOSAIC" in texts(dataset, "ImageType"):
        return _mosaic(dataset, first)
    if pixels.frames == 1:
        return [first]
    return [replace(first, number=number, instance=number + 1, position_mm=()) for number in range(pixels.frames)]


def _frame(dataset: Any, pixels: PixelPlace, name: str) -> Frame:
    """What the top of the header says of its image."""
    number = number_in(dataset, name)
    echo = texts(dataset, "EchoNumbers")
    return Frame(
        name,
        0,
        pixels,
        series=" ".join(texts(dataset, "SeriesInstanceUID")),
        image=" ".join(texts(dataset, "SOPInstanceUID")),
        instance=number("InstanceNumber", 0),
        position_mm=numbers(dataset, "ImagePositionPatient", name, 3),
        axes=_axes(dataset, name),
        spacing_mm=_spacing(dataset, name),
        step_mm=_step(dataset, name),
        slope=_first(dataset, "RescaleSlope", name, 1.0),
        intercept=_first(dataset, "RescaleIntercept", name, 0.0),
        temporal=number("TemporalPositionIdentifier", 0) or None,
        acquisition=number("AcquisitionNumber", 0) or None,
        time_s=_time_s(dataset, name),
        looks=("/".join(texts(dataset, "ImageType")[2:]), " ".join(echo)),
    )


def _axes(dataset: Any, name: str) -> tuple[float, ...]:
    axes = numbers(dataset, "ImageOrientationPatient", name, 6)
    if not axes:
        return ()
    row, column = np.array(axes[:3]), np.array(axes[3:])
    lengths = np.linalg.norm(row), np.linalg.norm(column)
    if abs(lengths[0] - 1) > 0.01 or abs(lengths[1] - 1) > 0.01 or abs(row @ column) > 0.01:
        raise UnreadableFile(f"{name}: ImageOrientationPatient is {axes}: no two directions at right angles")
    return axes


def _spacing(dataset: Any, name: str) -> tuple[float, ...]:
    for word in ("PixelSpacing", "ImagerPixelSpacing"):
        spacing = numbers(dataset, word, name, 2)
        if spacing:
            if min(spacing) <= 0:
                raise UnreadableFile(f"{name}: {word} is {spacing}", hint="repair the file's header")
            return spacing
    return ()


def _step(dataset: Any, name: str) -> float | None:
    """The distance of slices' middles as the header says it; their thickness, which may leave gaps, comes second."""
    for word in ("SpacingBetweenSlices", "SliceThickness"):
        said = numbers(dataset, word, name)
        if said and said[0] != 0:
            return abs(said[0])
    return None


def _first(dataset: Any, word: str, name: str, default: float) -> float:
    said = numbers(dataset, word, name)
    return said[0] if said else default


def _time_s(dataset: Any, name: str) -> float | None:
    """When the image was taken, in seconds of its day, or of its trigger; None when the header doesn't say."""
    text = " ".join(texts(dataset, "AcquisitionTime")) or " ".join(texts(dataset, "AcquisitionDateTime"))[8:]
    text = text.split("+")[0].split("-")[0].replace(":", "").strip()
    if len(text) >= 6 and text[:6].isdigit():
        fraction = text[6:] if text[6:7] == "." and text[7:].isdigit() else ".0"
        return int(text[:2]) * 3600 + int(text[2:4]) * 60 + int(text[4:6]) + float(f"0{fraction}")
    trigger = numbers(dataset, "TriggerTime", name)
    return trigger[0] / 1000 if trigger else None


def _enhanced(dataset: Any, first: Frame) -> Iterator[Frame]:
    """The frames of an enhanced file: what is shared, overruled by what each says of itself."""
    name, frames = first.file, first.pixels.frames
    groups = dataset.PerFrameFunctionalGroupsSequence
    if len(groups) != frames:
        raise UnreadableFile(f"{name}: it declares {frames} images and describes {len(groups)}", hint="save it again")
    shared = dataset.get("SharedFunctionalGroupsSequence")
    common = _grouped(shared[0], first) if shared else first
    for number, group in enumerate(groups):
        yield _grouped(group, replace(common, number=number, instance=number + 1))


def _grouped(group: Any, frame: Frame) -> Frame:
    """`frame` with what a set of functional groups says."""
    name = frame.file

    def item(word: str) -> Any:
        found = group.get(word)
        return found[0] if found else {}

    position, orientation = item("PlanePositionSequence"), item("PlaneOrientationSequence")
    measures, values = item("PixelMeasuresSequence"), item("PixelValueTransformationSequence")
    content, echo = item("FrameContentSequence"), item("MREchoSequence")
    kinds = texts(item("MRImageFrameTypeSequence"), "FrameType")[2:]
    kinds += texts(item("MRImageFrameTypeSequence"), "ComplexImageComponent")
    echoes = texts(echo, "EffectiveEchoTime")
    return replace(
        frame,
        position_mm=numbers(position, "ImagePositionPatient", name, 3) or frame.position_mm,
        axes=_axes(orientation, name) or frame.axes,
        spacing_mm=_spacing(measures, name) or frame.spacing_mm,
        step_mm=_step(measures, name) or frame.step_mm,
        slope=_first(values, "RescaleSlope", name, frame.slope),
        intercept=_first(values, "RescaleIntercept", name, frame.intercept),
        temporal=int(_first(content, "TemporalPositionIndex", name, 0)) or frame.temporal,
        acquisition=int(_first(content, "FrameAcquisitionNumber", name, 0)) or frame.acquisition,
        looks=("/".join(kinds) or frame.looks[0], " ".join(echoes) or frame.looks[1]),
    )


def _mosaic(dataset: Any, first: Frame) -> list[Frame]:
    """The slices that Siemens lays out in one picture, row by row."""
    count, normal = _siemens(dataset, first.file)
    across = math.ceil(math.sqrt(count))
    pixels = first.pixels
    if not 0 < count <= _MOST_TILES or pixels.rows % across or pixels.columns % across:
        raise UnreadableFile(f"{first.file}: {count} slices don't fit its picture of {pixels.rows} x {pixels.columns}")
    rows, columns = pixels.rows // across, pixels.columns // across
    corner: tuple[float, ...] = ()
    step: Vector = np.zeros(3)
    if first.position_mm and first.axes and first.spacing_mm:
        # the header's corner is that of a picture of this size around the same middle
        row, column = np.array(first.axes[:3]), np.array(first.axes[3:])
        down, right = first.spacing_mm
        start = np.array(first.position_mm)
        start = start + row * right * (pixels.columns - columns) / 2 + column * down * (pixels.rows - rows) / 2
        direction = np.array(normal) if normal else np.cross(row, column)
        step = direction * (first.step_mm or 0.0)
        corner = tuple(start.tolist())
    return [
        replace(
            first,
            tile=Tile(index // across * rows, index % across * columns, rows, columns),
            position_mm=tuple((np.array(corner) + index * step).tolist()) if corner and first.step_mm else (),
            temporal=first.temporal or first.instance or None,
            normal=normal,
        )
        for index in range(count)
    ]


def _siemens(dataset: Any, name: str) -> tuple[int, tuple[float, ...]]:
    """How many slices a mosaic has, and the direction that they follow each other in, from Siemens' own header."""
    from nibabel.nicom import csareader

    creator = dataset.get(SIEMENS_CREATOR)
    element = dataset.get(SIEMENS_IMAGE)
    if element is None or creator is None or "SIEMENS CSA HEADER" not in str(creator.value):
        raise UnreadableFile(
            f"{name}: a mosaic without the header that says how many slices it has",
            hint="export it from the scanner with its private elements",
        )
    header = csareader.read(bytes(element.value))
    count = csareader.get_scalar(header, "NumberOfImagesInMosaic")
    normal = csareader.get_slice_normal(header)
    if count is None:
        raise UnreadableFile(f"{name}: its header does not say how many slices the mosaic has", hint="export it again")
    return int(count), () if normal is None else tuple(float(part) for part in normal)
