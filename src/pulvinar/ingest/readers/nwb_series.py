"""Series over time of an NWB file: what they hold, which belong together, and their values in their unit.

`value = stored * conversion * channel_conversion + offset`. Source: the NWB format specification 2.x, `TimeSeries`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from pulvinar.errors import UnreadableFile
from pulvinar.ingest.matrices import LARGEST_TABLE_VALUES, whole
from pulvinar.ingest.reader import Finding, Options, Severity, TableData, TimeSeriesData
from pulvinar.ingest.readers.hdf5_chunks import Hdf5Matrix, texts
from pulvinar.ingest.readers.hdf5_files import absence_findings, dataset, member
from pulvinar.ingest.readers.hdf5_values import (
    is_group,
    number_said,
    numbers_at,
    numbers_of,
    path_of,
    target_of,
    text_at,
    text_said,
)
from pulvinar.ingest.readers.nwb_nodes import Node
from pulvinar.ingest.readers.nwb_places import centres, electrode_places, roi_places
from pulvinar.ingest.readers.nwb_tables import is_table, read_table
from pulvinar.ingest.readers.parquet import MOST_COLUMNS
from pulvinar.ingest.readers.table_columns import Column, plain_numbers

MOST_VALUES = 1 << 26
"""Of recordings that are read whole: several that become one asset, and those whose times don't rise."""
MOST_FRAMES = 1 << 27
NO_STEP = "its time points have no step that is known"
MOST_SERIES = 1 << 20
_FEWEST_ALIKE = 10
"""So many series of one kind in one group are one asset; of patch recordings, two."""
_NO_UNIT = ("unknown", "n/a", "na", "none", "no unit", "unitless")
_NOTHING_SAID = ("", "no description", "no comments", "N/A")
"""What pynwb writes where a person says nothing."""
_AXES_NAMES = {"SpatialSeries": "xyz"}


@dataclass(frozen=True)
class Series:
    """A series over time: a group with `data`, and times or a rate."""

    node: Node
    data: Any
    name: str

    @property
    def frames(self) -> int:
        """How many points in time it has."""
        return int(self.data.shape[0])

    @property
    def width(self) -> int:
        """How many values it has at each point in time."""
        return prod(self.data.shape[1:])

    @property
    def is_text(self) -> bool:
        """Whether its values are words, as of an `AnnotationSeries`."""
        return bool(self.data.dtype.kind not in "iufb")

    @cached_property
    def unit(self) -> str:
        """The unit of its values once they are converted, "" where none is said."""
        said = text_said(self.data, "unit")
        return "" if said.lower() in _NO_UNIT else said

    @cached_property
    def rate_hz(self) -> float | None:
        """Points a second; None where it has times of its own, or says no rate that can be."""
        start = dataset(self.node.place, "starting_time", self.name)
        rate = 0.0 if start is None else number_said(start, "rate", 0.0)
        return rate if rate > 0 and not self.has_times else None

    @cached_property
    def start_s(self) -> float:
        """When it begins, in seconds of the session's clock."""
        start = numbers_at(self.node.place, "starting_time", self.name)
        return float(start) if start is not None and start.shape == () and np.isfinite(start) else 0.0

    @cached_property
    def has_times(self) -> bool:
        """Whether each point has a time of its own."""
        return member(self.node.place, "timestamps", self.name) is not None

    @cached_property
    def electrode(self) -> str:
        """The path of the one electrode of a patch recording, "" of others."""
        return path_of(member(self.node.place, "electrode", self.name))

    @cached_property
    def rises(self) -> bool:
        """Whether its times rise all along, as signals over time need."""
        times = self.times_s
        return self.rate_hz is not None or bool(np.isfinite(times).all() and (np.diff(times) > 0).all())

    @cached_property
    def times_s(self) -> npt.NDArray[np.float64]:
        """The time of each point in seconds, of no length where the file doesn't say; raises `UnreadableFile` for
        times that are more or fewer than the points."""
        if self.rate_hz is not None:
            return self.start_s + np.arange(self.frames) / self.rate_hz
        times = numbers_at(self.node.place, "timestamps", self.name) if self.has_times else None
        if times is None:
            return np.empty(0)
        if times.shape != (self.frames,):
            raise UnreadableFile(
                f"{self.name}: {self.node.path} has {self.frames} points and times of shape {times.shape}",
                hint="repair the file",
            )
        return times

    def values(self) -> npt.NDArray[Any]:
        """The values in their unit, (frames, width): float32 where what is stored is of two bytes or float32, else
        float64."""
        with closing(self.matrix()) as matrix:
            return whole(matrix)

    def matrix(self, file: Any = None) -> Hdf5Matrix:
        """As `values`, read by window; `file` is closed with it."""
        scale, offset = self._scaling()
        return Hdf5Matrix(self.data, self.name, scale=scale, offset=offset, file=file)

    def words(self) -> Column:
        """The values of a series of words."""
        return np.array(texts(self.data, self.name), dtype=object)

    def _scaling(self) -> tuple[npt.NDArray[np.float64], float]:
        scale = np.full(self.width, number_said(self.data, "conversion", 1.0))
        channels = numbers_at(self.node.place, "channel_conversion", self.name)
        if channels is not None:
            if channels.size != self.width:
                raise UnreadableFile(f"{self.name}: {self.node.path} has {self.width} channels, factors of others")
            scale *= channels.ravel()
        return scale, number_said(self.data, "offset", 0.0)


def series_of(node: Node, name: str) -> Series | None:
    """`node` as a series over time; None where it is none, or one without a value."""
    if not is_group(node.place) or "data" not in node.place:
        return None
    if not {"timestamps", "starting_time"} & set(node.place):
        return None
    data = dataset(node.place, "data", name)
    if data is None or data.ndim == 0 or not data.size:
        return None
    return Series(node, data, name)


def gathered(found: Sequence[Series]) -> list[list[Series]]:
    """Series in the groups that are assets, in their order: sweeps of one kind, length and electrode are together."""
    groups: dict[tuple[Any, ...], list[Series]] = {}
    for series in found:
        groups.setdefault(_likeness(series), []).append(series)
    made: list[list[Series]] = []
    for group in groups.values():
        if len(group) >= (2 if group[0].electrode else _FEWEST_ALIKE):
            made += [group[at : at + MOST_COLUMNS] for at in range(0, len(group), MOST_COLUMNS)]
        else:
            made += [[series] for series in group]
    return made


def _likeness(series: Series) -> tuple[Any, ...]:
    """What series of one asset have in common; those with times of their own, or many values a point, stay alone."""
    if series.data.ndim > 1 or series.rate_hz is None or series.is_text:
        return (series.node.path,)
    node = series.node
    return node.parent, node.type, series.frames, series.rate_hz, series.unit, series.electrode, series.data.dtype


def _by_window(group: Sequence[Series]) -> bool:
    """Whether the values of a group may stay in the file until they are stored."""
    return len(group) == 1 and not group[0].is_text and group[0].rises


def refusal(group: Sequence[Series]) -> str:
    """Why a group of series can't be an asset, "" where it can."""
    first = group[0]
    if first.frames > MOST_FRAMES:
        return f"it has {first.frames} points in time, {MOST_FRAMES} are read"
    count = len(group) * first.frames * first.width
    if (count > MOST_VALUES or first.width > MOST_COLUMNS) and not _by_window(group):
        if count > MOST_VALUES:
            return f"it has {count} values, {MOST_VALUES} are read"
        return f"it has {first.width} values at each point in time, {MOST_COLUMNS} are read"
    if first.width > MOST_SERIES:
        return f"it has {first.width} values at each point in time, {MOST_SERIES} are read"
    if first.is_text and first.data.ndim > 1:
        return f"it holds {first.data.dtype} of shape {first.data.shape}"
    return ""


def series_findings(group: Sequence[Series], options: Options) -> Iterator[Finding]:
    """What is to be said of a group of series before it is read."""
    first = group[0]
    for series in group:
        yield from absence_findings(series.data, series.name, options)
    if len(group) > 1:
        text = f"{len(group)} recordings of one kind and length are one asset, with a series each"
        yield Finding(Severity.NOTE, text)
    if first.rate_hz is None and not first.has_times and options.time_step_s is None:
        yield Finding(Severity.DOUBT, NO_STEP, "--time-step")
    elif not first.rises:
        text = "its times fall back or stand still: it is kept as a table with a row for each point"
        yield Finding(Severity.DOUBT, text)
    if not first.unit and not first.is_text:
        yield Finding(Severity.NOTE, "its values have no unit")


def read_series(group: Sequence[Series], options: Options) -> TimeSeriesData | TableData:
    """A group's values; one with words, or whose times don't rise, is a table."""
    first = group[0]
    if len(group) > 1:
        return _sweeps(group)
    times = first.times_s
    if first.is_text:
        return TableData({**({"time_s": times} if len(times) else {}), "value": first.words()})
    if not first.rises:
        values = first.values()
        named = {f"value {index}" if first.width > 1 else "value": values[:, index] for index in range(first.width)}
        return TableData({"time_s": times, **{key: column.astype(np.float64) for key, column in named.items()}})
    if not len(times) and options.time_step_s is not None:
        times = np.arange(first.frames, dtype=np.float64) * options.time_step_s
    columns, places, _ = series_columns(first, options)
    large = first.frames * first.width > LARGEST_TABLE_VALUES
    kept = first.matrix(first.data.file) if large else first.values()
    return TimeSeriesData(kept, times, places, columns, first.unit)


def _sweeps(group: Sequence[Series]) -> TimeSeriesData:
    """One series a recording; where they begin at different times, time counts from each one's beginning."""
    first = group[0]
    starts = np.array([series.start_s for series in group])
    together = bool((starts == starts[0]).all())
    times = (starts[0] if together else 0.0) + np.arange(first.frames) / (first.rate_hz or 1.0)
    values = np.concatenate([series.values() for series in group], axis=1)
    columns: dict[str, Column] = {
        "name": np.array([series.node.title for series in group], dtype=object),
        "start_s": starts,
    }
    places = [series.node.place for series in group]
    if all("sweep_number" in place.attrs for place in places):
        columns["sweep"] = np.array([int(number_said(place, "sweep_number", -1)) for place in places], np.int64)
    for key in ("description", "stimulus_description"):
        said = [text_said(place, key) for place in places]
        if not set(said) <= set(_NOTHING_SAID):
            columns[key] = np.array(said, dtype=object)
    columns["electrode"] = np.array([series.electrode.rpartition("/")[2] for series in group], dtype=object)
    gains = [numbers_at(place, "gain", first.name) for place in places]
    if all(gain is not None and gain.shape == () for gain in gains):
        columns["gain"] = np.array([float(gain) for gain in gains if gain is not None])
    return TimeSeriesData(values, times, np.empty((0, 3)), columns, first.unit)


def series_columns(
    series: Series, options: Options
) -> tuple[dict[str, Column], npt.NDArray[np.float64], list[Finding]]:
    """What is known of each value at a point in time: a name, and of electrodes and regions of interest their row of
    the table with their places."""
    findings = []
    for key in ("rois", "electrodes"):
        region = dataset(series.node.place, key, series.name)
        table = None if region is None else target_of(region, region.attrs.get("table"))
        if region is None or not is_table(table) or region.dtype.kind not in "iu":
            continue
        if region.shape == (series.width,):
            return _of_table(series, table, numbers_of(region, series.name).astype(np.int64), key == "rois", options)
        text = f"it names {region.size} {key} and has {series.width} values at each point in time: they are not named"
        findings.append(Finding(Severity.DOUBT, text))
    if series.width == 1:
        names = [series.node.title]
    elif series.width <= len(_AXES_NAMES.get(series.node.type, "")):
        names = list(_AXES_NAMES[series.node.type][: series.width])
    else:
        names = [",".join(map(str, index)) for index in np.ndindex(*series.data.shape[1:])]
    return {"name": np.array(names, dtype=object)}, np.empty((0, 3)), findings


def _of_table(
    series: Series, table: Any, rows: npt.NDArray[np.int64], regions: bool, options: Options
) -> tuple[dict[str, Column], npt.NDArray[np.float64], list[Finding]]:
    name = series.name
    columns, _ = read_table(table, name)
    count = len(columns["id"])
    if not ((rows >= 0) & (rows < count)).all():
        raise UnreadableFile(
            f"{name}: {series.node.path} names rows of {path_of(table)} that are not there", hint="repair the file"
        )
    if regions:
        pixels = centres(table, name)
        places, findings = roi_places(table, pixels, name, options)
        columns |= pixel_columns(pixels)
    else:
        places, findings = electrode_places(columns, options)
    taken = {key: column[rows] for key, column in columns.items()}
    label = next((taken[key] for key in ("channel_name", "label", "name") if key in taken), taken["id"])
    taken.pop("name", None)
    names = np.array([str(item) for item in label.tolist()], dtype=object)
    return {"name": names, **taken}, places[rows] if len(places) else places, findings


def pixel_columns(pixels: npt.NDArray[np.float64] | None) -> dict[str, Column]:
    """The centres of regions of interest as columns in pixels."""
    if pixels is None:
        return {}
    return {f"{letter}_pixel": plain_numbers(pixels[:, axis], "pixels") for axis, letter in enumerate("xyz")}


def comments_of(series: Series) -> dict[str, str]:
    """What the file says of a series in words."""
    place = series.node.place
    said = {key: text_said(place, key) for key in ("description", "comments", "stimulus_description")}
    electrode = member(place, "electrode", series.name)
    if is_group(electrode):
        said["electrode"] = text_at(electrode, "description", series.name)
        said["location"] = text_at(electrode, "location", series.name)
    return {key: value for key, value in said.items() if value not in _NOTHING_SAID}
