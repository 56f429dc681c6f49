"""What a matrix of numbers without a header is: signals over time, connectivity, places, or a table without names.

The numbers alone don't say it. A square one is taken as connectivity, others by the words of their names; where none
tells, a person is asked.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pulvinar.errors import TooLarge
from pulvinar.ingest.matrices import whole
from pulvinar.ingest.reader import (
    ConnectivityData,
    Finding,
    GeometryData,
    Matrix,
    Options,
    PointsData,
    Severity,
    SourceFile,
    TableData,
    TableKind,
    TimeSeriesData,
)
from pulvinar.ingest.readers.open_matrices import turned
from pulvinar.ingest.readers.parquet import MOST_COLUMNS
from pulvinar.ingest.readers.places import places_zyx_um, step_um
from pulvinar.ingest.readers.raw_volume import floats_of
from pulvinar.ingest.readers.table_columns import Column, is_number, plain_numbers
from pulvinar.ingest.readers.text import decoded, is_text
from pulvinar.model.dataset import AssetKind

Values = npt.NDArray[Any]
MOST_VALUES = 1 << 26
"""Of a matrix that must be read whole."""
FEWEST_REGIONS = 5
"""A smaller square is no brain's connectivity; one of 4 may be a map from one space to another."""
_SIGNALS = (
    "activity|activities|bold|calcium|confounds?|dff|eeg|fluorescence|lfp|moest|motion|rasters?|signals?|spikes|tc|tcs"
    "|timecourses?|timeseries|traces?|ts|voltages?"
)
_PLACES = "centers?|centres?|centroids?|coordinates?|coords?|locations?|positions?|xyz?"
_NAMES = "areas?|labels?|names?|parcels?|regions?|rois?"
_MEASURES = {
    "correlation": "corr|correlations?",
    "length": "len|lengths?",
    "streamlines": "streamlines?",
    "distance": "distances?|dist",
}
_LARGEST_NAMES = 1 << 20
ASK = "--table-kind"


@dataclass(frozen=True)
class Shape:
    """A matrix before it is read: how many rows and columns, and what it is called, in the file and as one."""

    rows: int
    columns: int
    name: str

    def check(self) -> None:
        """Raise `TooLarge` for more values than are read."""
        if self.rows * self.columns > MOST_VALUES:
            text = f"{self.name} has {self.rows} x {self.columns} values, {MOST_VALUES} are read"
            raise TooLarge(text, hint="hand in parts of it")

    @property
    def words(self) -> list[str]:
        """The words of its name in lower case; "cellCoordinates2" has two."""
        parted = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", self.name)
        return [word for word in re.split(r"[\W\d_]+", parted.lower()) if word]

    def is_called(self, pattern: str) -> bool:
        """Whether one of its words fits `pattern`."""
        return any(re.fullmatch(pattern, word) for word in self.words)

    @property
    def is_square(self) -> bool:
        """Whether it has as many rows as columns, and enough to be regions'."""
        return self.rows == self.columns >= FEWEST_REGIONS


def kind_of(shape: Shape, options: Options, *, ask: bool = True) -> tuple[AssetKind, list[Finding]]:
    """What the matrix is, and what is assumed, doubtful or to be asked of that.

    With `ask`, a person must say what nothing tells; without, it is kept as a table.
    """
    said = options.table_kind
    if said is TableKind.CONNECTIVITY:
        return AssetKind.CONNECTIVITY, []
    if said is TableKind.TIME_SERIES:
        return AssetKind.TIME_SERIES, _time_findings(shape, options)
    if said is TableKind.TABLE:
        return AssetKind.TABLE, []
    if shape.is_square:
        text = f"its {shape.rows} rows and columns have no names: taken as connectivity, numbered"
        return AssetKind.CONNECTIVITY, [Finding(Severity.DOUBT, text, ASK)]
    if shape.columns in (2, 3) and shape.is_called(_PLACES):
        return AssetKind.POINTS, _place_findings(shape, options)
    if shape.is_called(_SIGNALS):
        text = "its name says that it holds signals over time"
        return AssetKind.TIME_SERIES, [Finding(Severity.NOTE, text, ASK), *_time_findings(shape, options)]
    unnamed = f"its {shape.rows} rows of {shape.columns} numbers have no names"
    if ask:
        text = f"{unnamed}: are they time_series, connectivity or a table?"
        return AssetKind.TABLE, [Finding(Severity.QUESTION, text, ASK)]
    return AssetKind.TABLE, [Finding(Severity.DOUBT, f"{unnamed}: they are kept as a table", ASK)]


def data_of(values: Values | Matrix, kind: AssetKind, shape: Shape, names: list[str], options: Options) -> GeometryData:
    """The matrix (rows, columns) as what `kind_of` says; `names` of its regions, none where they are not known."""
    if kind is AssetKind.CONNECTIVITY:
        rows, columns = values.shape
        sources = _numbered(rows) if len(names) != rows else np.array(names, dtype=object)
        targets = _numbered(columns) if len(names) != columns else np.array(names, dtype=object)
        kept = values
        if isinstance(values, np.ndarray):
            kept = np.ascontiguousarray(floats_of(values, shape.name), np.float64)
        return ConnectivityData(kept, sources, targets, measure_of(shape))
    if kind is AssetKind.TIME_SERIES:
        return _signals(values, shape, names, options)
    values = whole(values)
    if kind is AssetKind.POINTS:
        return _points(values, options)
    if values.shape[1] > MOST_COLUMNS:
        raise TooLarge(f"{shape.name} has {values.shape[1]} columns, {MOST_COLUMNS} are read", hint="give --table-kind")
    return TableData(
        {f"column {index + 1}": plain_numbers(values[:, index], shape.name) for index in range(values.shape[1])}
    )


def names_beside(file: SourceFile, files: Sequence[SourceFile], count: int) -> SourceFile | None:
    """The one file in the same folder that lists the names of `count` regions, a line each; None when none is clear."""
    folder = file.name.rpartition("/")[0]
    fitting = [
        other
        for other in files
        if other.name.rpartition("/")[0] == folder
        and other.name != file.name
        and other.size_bytes <= _LARGEST_NAMES
        and Shape(0, 0, other.name.rpartition("/")[2].rpartition(".")[0]).is_called(_NAMES)
        and is_text(other.head)
        and len(read_names(other)) == count
    ]
    return fitting[0] if len(fitting) == 1 else None


def read_names(file: SourceFile) -> list[str]:
    """The lines of a list of names; none where its lines are numbers, hold several columns, or one comes twice."""
    lines = [line.strip() for line in decoded(file.path.read_bytes()[:_LARGEST_NAMES]).splitlines()]
    names = [line.strip('"') for line in lines if line and not line.startswith("#")]
    plain = not any(re.search(r"[\t,;]", name) or is_number(name) for name in names)
    return names if plain and len(set(names)) == len(names) else []


def time_is_down(shape: Shape, options: Options) -> bool:
    """Whether rows are time points: as `--axes` says (tc or ct), else where there are no fewer of them than columns."""
    letters = options.axes.lower()
    return letters == "tc" if letters in ("tc", "ct") else shape.rows >= shape.columns


def _time_findings(shape: Shape, options: Options) -> list[Finding]:
    findings = []
    if options.axes.lower() not in ("tc", "ct"):
        down = time_is_down(shape, options)
        times, series = (shape.rows, shape.columns) if down else (shape.columns, shape.rows)
        text = f"its {times} {'rows' if down else 'columns'} are taken as time points of {series} series"
        findings.append(Finding(Severity.DOUBT, text, "--axes"))
    if options.time_step_s is None:
        findings.append(Finding(Severity.DOUBT, "its time points have no step that is known", "--time-step"))
    return findings


def _place_findings(shape: Shape, options: Options) -> list[Finding]:
    taken = ", ".join("xyz"[: shape.columns])
    findings = [Finding(Severity.DOUBT, f"its {shape.columns} columns are taken as {taken}", "--axes")]
    if not options.unit:
        findings.append(Finding(Severity.DOUBT, "its columns have no unit of length: µm is assumed", "--unit"))
    return findings


def _signals(values: Values | Matrix, shape: Shape, names: list[str], options: Options) -> TimeSeriesData:
    by_time = values if time_is_down(shape, options) else turned(values)
    frames, series = by_time.shape
    step = options.time_step_s
    times = np.empty(0) if step is None else np.arange(frames, dtype=np.float64) * step
    known = np.array(names, dtype=object) if len(names) == series else _numbered(series)
    if isinstance(by_time, np.ndarray):
        by_time = np.ascontiguousarray(floats_of(by_time, shape.name))
    return TimeSeriesData(by_time, times, np.empty((0, 3)), {"name": known})


def _points(values: Values, options: Options) -> PointsData:
    columns = values.astype(np.float64)
    named = {letter: np.ascontiguousarray(columns[:, index]) for index, letter in enumerate("xyz"[: columns.shape[1]])}
    if columns.shape[1] == 2:
        columns = np.concatenate([columns, np.zeros((len(columns), 1))], axis=1)
    return PointsData(places_zyx_um(columns, options, step_um(options)), named)


def _numbered(count: int) -> Column:
    return np.array([str(number + 1) for number in range(count)], dtype=object)


def measure_of(shape: Shape) -> str:
    """What the values of a connectivity matrix are, by the words of its name; "" where none tells."""
    return next((measure for measure, pattern in _MEASURES.items() if shape.is_called(pattern)), "")
