"""Pictures of an asset for people: mid-sections and a thumbnail, at true proportions, the right way up."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from pulvinar.ingest.record import orientation_of
from pulvinar.model.space import Window
from pulvinar.model.volume import Volume, VolumeKind
from pulvinar.storage.volumes import ReadableVolume

Picture = npt.NDArray[np.uint8]
"""A picture (rows, columns, 3), RGB."""

AXIS_NAMES = ("z", "y", "x")
SECTION_PIXELS = 640
THUMBNAIL_PIXELS = 360
_MORE_DETAIL = 1.5
"""A section is drawn from the coarsest level that still has so many voxels a pixel."""

_ONE_SIDED = ((8, 8, 24), (40, 60, 130), (60, 150, 160), (200, 210, 110), (255, 250, 220))
_TWO_SIDED = ((120, 190, 255), (30, 80, 160), (12, 12, 20), (160, 50, 40), (255, 180, 130))
_UPRIGHT = {"SI": 0, "AP": 1, "LR": 2}


def volume_pictures(
    stored: ReadableVolume,
    volume: Volume,
    windows: Sequence[tuple[float, float]],
    colours: dict[int, str] | None = None,
) -> dict[str, bytes]:
    """Three mid-sections and a thumbnail as WebP, by object path ("quality/section-z.webp").

    A section is named after the axis it cuts. Where the orientation is known, up is superior (anterior in an axial
    section) and right is the subject's right (anterior in a sagittal section); else rows and columns are the array's.
    `windows` has the display range of each channel; `colours` the colour (RRGGBB) of label ids that have one.
    """
    sections = [_section(stored, volume, axis, windows, colours or {}) for axis in range(3)]
    pictures = {
        f"quality/section-{AXIS_NAMES[axis]}.webp": to_webp(scaled(picture, size, SECTION_PIXELS, volume.kind))
        for axis, (picture, size) in enumerate(sections)
    }
    best = max(sections, key=lambda section: section[1][0] * section[1][1] * _interest(section[0]))
    pictures["quality/thumbnail.webp"] = to_webp(framed(scaled(*best, THUMBNAIL_PIXELS, volume.kind)))
    return pictures


def projection_pictures(zyx_um: npt.NDArray[np.float64], draw: Callable[[npt.NDArray[Any], int], Picture]) -> bytes:
    """A thumbnail of places seen along the axis they spread least over; `draw` gets (row, column) in pixels."""
    low, high = zyx_um.min(axis=0), zyx_um.max(axis=0)
    flat = int(np.argmin(high - low))
    rows, columns = [axis for axis in range(3) if axis != flat]
    span = max(float(high[rows] - low[rows]), float(high[columns] - low[columns]), 1e-6)
    drawn = THUMBNAIL_PIXELS * 2
    scale = (drawn - 24) / span
    middle = (low + high) / 2
    flat_points = np.stack([zyx_um[:, rows] - middle[rows], zyx_um[:, columns] - middle[columns]], axis=1)
    picture = draw(flat_points * scale + drawn / 2, drawn)
    small = Image.fromarray(picture).resize((THUMBNAIL_PIXELS, THUMBNAIL_PIXELS), Image.Resampling.LANCZOS)
    return to_webp(np.asarray(small))


def matrix_picture(values: npt.NDArray[np.float64], *, square: bool) -> bytes:
    """A thumbnail of `values` (rows, columns) as colours: see `matrix_colours`.

    Large ones are averaged; `square`: cells keep their proportions.
    """
    small = _averaged(_averaged(values, THUMBNAIL_PIXELS).T, THUMBNAIL_PIXELS).T
    drawn = Image.fromarray(matrix_colours(small))
    rows, columns = small.shape
    width, height = (columns, rows) if square else (1, 1)
    factor = THUMBNAIL_PIXELS / max(width, height)
    size = max(1, round(width * factor)), max(1, round(height * factor))
    return to_webp(framed(np.asarray(drawn.resize(size, Image.Resampling.NEAREST))))


def matrix_colours(values: npt.NDArray[np.float64]) -> Picture:
    """`values` (rows, columns) as colours (rows, columns, 3): dark to bright, or blue to red where some are negative;
    NaN is grey."""
    known = values[np.isfinite(values)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    if low < 0:
        low, high = -max(-low, high), max(-low, high)
    shade = (np.nan_to_num(values, nan=low) - low) / ((high - low) or 1.0)
    anchors = _TWO_SIDED if low < 0 else _ONE_SIDED
    at = np.linspace(0, 1, len(anchors))
    picture = np.stack([np.interp(shade, at, [anchor[n] for anchor in anchors]) for n in range(3)], axis=-1)
    picture[~np.isfinite(values)] = 96
    return picture.astype(np.uint8)


def _averaged(values: npt.NDArray[np.float64], most: int) -> npt.NDArray[np.float64]:
    """At most `most` rows, each the mean of the known values of some."""
    if len(values) <= most:
        return values
    begins = np.linspace(0, len(values), most, endpoint=False).astype(np.int64)
    known = np.isfinite(values)
    total = np.add.reduceat(np.where(known, values, 0.0), begins, axis=0)
    count = np.add.reduceat(known, begins, axis=0, dtype=np.int64)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def label_colours(ids: npt.NDArray[Any], known: dict[int, str] | None = None) -> npt.NDArray[np.uint8]:
    """An RGB colour for each id, the same in every picture: from the id's bits, or as `known`; 0 is black."""
    unique, inverse = np.unique(ids, return_inverse=True)
    # splitmix64's last step (Steele, Lea & Flood, 2014) spreads neighbouring ids over the whole circle of hues
    mixed = unique.astype(np.int64).astype(np.uint64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    mixed ^= mixed >> np.uint64(31)
    hue = (mixed >> np.uint64(40)).astype(np.float64) / 2**24
    value = 0.65 + 0.35 * ((mixed & np.uint64(0xFF)).astype(np.float64) / 255)
    table = (_hue_to_rgb(hue) * 0.75 + 0.25) * value[:, None] * 255
    for row, label in enumerate(unique.tolist()):
        if label == 0:
            table[row] = 0
        elif known and label in known:
            table[row] = rgb(known[label])
    coloured: npt.NDArray[np.uint8] = table.astype(np.uint8)[inverse.reshape(ids.shape)]
    return coloured


def scaled(picture: Picture, size_um: tuple[float, float], longest: int, kind: VolumeKind) -> Picture:
    """`picture` at true proportions: `size_um` is (height, width), the longer side gets `longest` pixels."""
    height, width = size_um
    factor = longest / max(height, width)
    pixels = max(1, round(width * factor)), max(1, round(height * factor))
    method = Image.Resampling.NEAREST if kind is VolumeKind.LABELS else Image.Resampling.LANCZOS
    if kind is VolumeKind.LABELS and picture.shape[0] > pixels[1]:
        method = Image.Resampling.BOX
    return np.asarray(Image.fromarray(picture).resize(pixels, method))


def framed(picture: Picture) -> Picture:
    """`picture` in the middle of a black square, so that cards of a list line up."""
    side = max(picture.shape[:2])
    square = np.zeros((side, side, 3), np.uint8)
    top, left = (side - picture.shape[0]) // 2, (side - picture.shape[1]) // 2
    square[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return square


def to_webp(picture: Picture) -> bytes:
    """`picture` as WebP, the same bytes each time."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "WEBP", quality=86, method=4)
    return buffer.getvalue()


def _section(
    stored: ReadableVolume,
    volume: Volume,
    axis: int,
    windows: Sequence[tuple[float, float]],
    colours: dict[int, str],
) -> tuple[Picture, tuple[float, float]]:
    """The mid-section across spatial `axis`, turned as people expect it, and its (height, width) in micrometres."""
    index = level_for(volume, axis)
    level = volume.levels[index]
    start, stop = [level.shape[0] // 2, 0, 0, 0, 0], [level.shape[0] // 2 + 1, *level.shape[1:]]
    start[2 + axis] = level.shape[2 + axis] // 2
    stop[2 + axis] = start[2 + axis] + 1
    voxels = np.asarray(stored.read(index, Window(tuple(start), tuple(stop))))  # type: ignore[arg-type]
    planes = np.take(voxels[0], 0, axis=1 + axis)
    if volume.kind is VolumeKind.LABELS:
        picture = label_colours(planes[0], colours)
    else:
        picture = _composite(planes, volume, windows)
    rest = [other for other in range(3) if other != axis]
    height, width = (level.shape[2 + other] * level.voxel_size_um[other] for other in rest)
    return turned(picture, orientation_of(volume.affine_um), rest, (height, width))


def level_for(volume: Volume, axis: int) -> int:
    """The coarsest level whose section across `axis` still has enough voxels for the picture."""
    rest = [other for other in range(3) if other != axis]
    chosen = 0
    for index, level in enumerate(volume.levels):
        if max(level.shape[2 + other] for other in rest) >= SECTION_PIXELS * _MORE_DETAIL:
            chosen = index
    return chosen


def _composite(
    planes: npt.NDArray[Any], volume: Volume, windows: Sequence[tuple[float, float]]
) -> npt.NDArray[np.uint8]:
    """Channels (c, rows, columns) in their colours, added up."""
    total = np.zeros((*planes.shape[1:], 3), np.float32)
    for plane, channel, (low, high) in zip(planes, volume.channels, windows, strict=True):
        shade = np.clip((plane.astype(np.float32) - low) / max(high - low, 1e-12), 0, 1)
        total += np.nan_to_num(shade)[..., None] * rgb(channel.color)
    return np.clip(total, 0, 255).astype(np.uint8)


def turned(
    picture: Picture, orientation: str, rest: Sequence[int], size_um: tuple[float, float]
) -> tuple[Picture, tuple[float, float]]:
    """`picture` with superior (or anterior) up and right (or anterior) to the right, where `orientation` is known."""
    if not orientation:
        return picture, size_um
    letters = [orientation[axis] for axis in rest]
    ranks = [_rank(letter) for letter in letters]
    if ranks[0] > ranks[1]:
        picture, letters, size_um = picture.transpose(1, 0, 2), letters[::-1], size_um[::-1]
    if letters[0] in "SA":  # rows run downwards: what should be up must come first
        picture = picture[::-1]
    if letters[1] in "LP":
        picture = picture[:, ::-1]
    return np.ascontiguousarray(picture), size_um


def _rank(letter: str) -> int:
    """Which axis stands upright when two are shown: superior-inferior first, then anterior-posterior."""
    return next(rank for pair, rank in _UPRIGHT.items() if letter in pair)


def _interest(picture: Picture) -> float:
    """How much of a picture is not black: a section through nothing makes a poor thumbnail."""
    return float((picture.max(axis=2) > 24).mean()) + 1e-6


def _hue_to_rgb(hue: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Full colours of `hue` (0 to 1), shape (n, 3), 0 to 1."""
    shifted = (hue[:, None] * 6 + np.array([0.0, 4.0, 2.0])) % 6
    rgb: npt.NDArray[np.float64] = np.clip(np.abs(shifted - 3) - 1, 0, 1)
    return rgb


def rgb(color: str) -> npt.NDArray[np.float32]:
    """RRGGBB as three numbers, 0 to 255."""
    return np.array([int(color[index : index + 2], 16) for index in (0, 2, 4)], np.float32)
