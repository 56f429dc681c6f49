"""What the reader process says, checked before it is believed: a hostile file may have taken that process over."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any

import numpy as np
from pydantic import TypeAdapter, ValidationError

from pulvinar import errors
from pulvinar.errors import PulvinarError, UnreadableFile
from pulvinar.ingest.reader import (
    ConnectivityData,
    FoundAsset,
    GeometryData,
    MeshData,
    PointsData,
    SkeletonData,
    TimeSeriesData,
    TractsData,
    VolumeDescription,
)
from pulvinar.model.dataset import AssetKind
from pulvinar.model.text import plain, storable

_ASSETS = TypeAdapter(list[Any])
_FOUND = TypeAdapter(FoundAsset)
HOSTILE = "the file is damaged or hostile, or the reader has a fault: save it again with the program that made it"
_COLOUR = re.compile(r"([0-9A-Fa-f]{6})?")
_SKELETON = {"zyx_um": "f8", "radius_um": "f4", "parent": "i8", "type_code": "i2", "node_id": "i8"}


def checked_assets(answer: dict[str, Any], about: str) -> list[FoundAsset]:
    """The assets of one answer, each for itself. Raises `UnreadableFile`, which says it of `about`."""
    with _named_impossible(about):
        told = _ASSETS.validate_python(answer.get("assets"))
        # one after the other: all of them need not be there three times
        found = [_FOUND.validate_python(storable(item)) for item in told]
        return [replace(asset, metadata=_finite(asset.metadata)) for asset in found]


def check_together(found: Sequence[FoundAsset], names: Collection[str], about: str) -> None:
    """Raise `UnreadableFile` where assets among the files `names` can't all be."""
    with _named_impossible(about):
        _refuse_doubtful(found, names)


@contextmanager
def _named_impossible(about: str) -> Iterator[None]:
    try:
        yield
    except RecursionError:
        raise _impossible(about, "lists in lists without end") from None
    except ValidationError as error:
        raise _impossible(about, plain(error.errors()[0]["msg"])) from None
    except ValueError as error:
        raise _impossible(about, str(error)) from None


@dataclass(frozen=True)
class Unreadable:
    """A file that a reader knows and can't read; the message of `error` names it."""

    name: str
    error: PulvinarError


def checked_unreadable(answer: dict[str, Any], names: Collection[str], about: str) -> list[Unreadable]:
    """The files of `names` that can't be read, with the errors. Raises `UnreadableFile`, which says it of `about`."""
    told = answer.get("unreadable", [])
    if not isinstance(told, list) or not all(isinstance(item, dict) and item.get("name") in names for item in told):
        raise _impossible(about, "files that can't be read and were not given")
    return [Unreadable(item["name"], told_error(item.get("error"), item["name"])) for item in told]


def _refuse_doubtful(found: Iterable[FoundAsset], names: Collection[str]) -> None:
    given, owners, keys = set(names), dict[str, str](), set()
    for asset in found:
        claimed = set(asset.files)
        if not claimed or len(claimed) < len(asset.files) or not claimed <= given:
            raise ValueError(f"{plain(asset.name)} has no files, or some that were not given")
        # one file may hold several images, but only one reader has a say in it
        if any(owners.setdefault(name, asset.reader) != asset.reader for name in claimed):
            raise ValueError(f"{plain(asset.name)} has files of another reader's assets")
        if (asset.reader, asset.key) in keys:
            raise ValueError(f"{plain(asset.name)} has the key of another asset")
        for doubt in _doubts(asset):
            raise ValueError(f"{plain(asset.name)} has {doubt}")
        keys.add((asset.reader, asset.key))


def _finite(value: Any) -> Any:
    """JSON values without the numbers that JSON doesn't know."""
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, list):
        return [_finite(item) for item in value]
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    return value


def _doubts(asset: FoundAsset) -> Iterator[str]:
    if (asset.volume is not None) != (asset.kind is AssetKind.VOLUME):
        yield f"the kind {asset.kind.value} and {'a' if asset.volume else 'no'} volume"
    elif asset.volume is not None:
        yield from _doubts_of_volume(asset.volume)


def _doubts_of_volume(volume: VolumeDescription) -> Iterator[str]:
    if not all(0 < block <= size for block, size in zip(volume.block_shape, volume.shape, strict=True)):
        yield f"the shape {volume.shape} in blocks of {volume.block_shape}"
    if not _is_number_type(volume.dtype):
        yield f"voxels of the type {plain(volume.dtype)!r}"
    if volume.voxel_size_um and not all(isfinite(size) and size > 0 for size in volume.voxel_size_um):
        yield f"the voxel size {volume.voxel_size_um}"
    if volume.affine_um is not None and not _is_affine(volume.affine_um):
        yield "a map to the world that can't be turned round"
    if len(volume.channels) not in (0, volume.shape[1]):
        yield f"{len(volume.channels)} names for {volume.shape[1]} channels"
    if not all(_COLOUR.fullmatch(channel.color) for channel in volume.channels):
        yield "a channel with no colour"
    if not all(isfinite(end) for channel in volume.channels for end in channel.window or ()):
        yield "a channel that is shown in an endless range"
    if volume.time_step_s is not None and not 0 < volume.time_step_s < float("inf"):
        yield f"the time step {volume.time_step_s}"


def _is_number_type(name: str) -> bool:
    try:
        dtype = np.dtype(name)
    except (TypeError, ValueError, SyntaxError):
        return False
    return dtype.name == name and dtype.kind in "iuf"


def _is_affine(rows: Any) -> bool:
    matrix = np.asarray(rows)
    return matrix.shape == (4, 4) and bool(np.isfinite(matrix).all()) and abs(np.linalg.det(matrix[:3, :3])) > 0


def check_geometry(data: GeometryData) -> None:
    """Refuse what would end in an error, or never end, where it is used. Raises `UnreadableFile`."""
    if isinstance(data, SkeletonData):
        arrays = {name: getattr(data, name) for name in _SKELETON}
        count = len(data.zyx_um)
        fits = all(array.dtype == _SKELETON[name] and len(array) == count for name, array in arrays.items())
        # a parent that comes before its child can't be in a ring
        fits = fits and bool((data.parent >= -1).all() and (data.parent < np.arange(count)).all())
    elif isinstance(data, MeshData):
        fits = data.zyx_um.dtype == "f8" and data.faces.dtype == "u4" and data.faces.shape[1:] == (3,)
        fits = fits and (data.faces.size == 0 or int(data.faces.max()) < len(data.zyx_um))
        fits = fits and _equally_long(data.columns, len(data.zyx_um))
    elif isinstance(data, TimeSeriesData):
        fits = _is_time_series(data)
    elif isinstance(data, ConnectivityData):
        names = (data.sources, data.targets)
        # only what is in memory is sure to have been made float64
        fits = data.values.dtype == "f8" or not isinstance(data.values, np.ndarray)
        fits = fits and data.values.shape == tuple(map(len, names))
        fits = fits and all(array.dtype == object and array.ndim == 1 for array in names)
    elif isinstance(data, TractsData):
        fits = data.first.dtype == "i8" and data.first.ndim == 1 and len(data.first) > 0 and data.first[0] == 0
        fits = fits and int(data.first[-1]) == len(data.zyx_um) and bool((np.diff(data.first) >= 0).all())
        fits = fits and _equally_long(data.columns, len(data.first) - 1)
    elif isinstance(data, PointsData):
        fits = _equally_long(data.columns, len(data.zyx_um))
    else:
        fits = _equally_long(data.columns, len(next(iter(data.columns.values()), ())))
    if isinstance(data, SkeletonData | MeshData | PointsData | TractsData | TimeSeriesData):
        fits = fits and data.zyx_um.dtype == "f8" and data.zyx_um.shape[1:] == (3,)
    if not fits:
        raise UnreadableFile("the reader sent data that can't be: its arrays don't fit together")


def _is_time_series(data: TimeSeriesData) -> bool:
    if data.values.dtype not in ("f4", "f8") or len(data.values.shape) != 2 or data.times_s.dtype != "f8":
        return False
    frames, series = data.values.shape
    names = data.columns.get("name")
    return (
        data.times_s.shape in ((0,), (frames,))
        and data.zyx_um.shape in ((0, 3), (series, 3))
        and names is not None
        and (not isinstance(names, np.ndarray) or names.dtype == object)
        and _equally_long(data.columns, series)
    )


def _equally_long(columns: Mapping[str, Any], count: int) -> bool:
    return all(len(column) == count and getattr(column, "ndim", 1) == 1 for column in columns.values())


def told_error(told: Any, about: str) -> PulvinarError:
    """The error that the process answers with; one that no reader raised on purpose is said of `about`."""
    if not isinstance(told, dict):
        told = {"message": "it can't be read"}
    kind = getattr(errors, str(told.get("kind")), None)
    if not (isinstance(kind, type) and issubclass(kind, PulvinarError)):
        kind = UnreadableFile
    message = plain(told.get("message", "it can't be read"))
    if told.get("named") is not True:
        message = f"{about}: {message}"
    return kind(message, hint=plain(told.get("hint", "")))


def _impossible(about: str, reason: str) -> UnreadableFile:
    return UnreadableFile(f"{about}: the reader described something that can't be: {reason}", hint=HOSTILE)
