"""CIFTI-2: values on the cortex's surfaces and in voxels below it, in parcels, over time, and between parcels.

Maps (dscalar, dlabel, pscalar) become tables with a row a vertex, voxel or parcel; series (dtseries, ptseries) become
signals; what connects two such lists (pconn, pdconn) becomes connectivity. Source: CIFTI-2 file format specification.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from pulvinar.errors import Invalid, UnreadableFile
from pulvinar.ingest.reader import (
    ConnectivityData,
    Finding,
    FoundAsset,
    GeometryData,
    OpenVolume,
    Options,
    Severity,
    SourceFile,
    TableData,
    TimeSeriesData,
)
from pulvinar.ingest.readers.cifti_file import CiftiFile, Elements, Maps, Series, is_cifti, read_cifti
from pulvinar.ingest.readers.gifti import label_columns, nameless_labels, said_of_labels
from pulvinar.ingest.readers.open_matrices import turned
from pulvinar.ingest.readers.streams import start_of, stem_of
from pulvinar.ingest.readers.table_columns import Column, unique_names
from pulvinar.model.dataset import AssetKind

_PART = 1024


class CiftiReader:
    """Reads every matrix of two axes; asked before the reader of NIfTI, whose header CIFTI has."""

    name: ClassVar[str] = "cifti"
    priority: ClassVar[int] = 290

    def find(self, files: Sequence[SourceFile], options: Options) -> Iterator[FoundAsset]:
        """One asset a file; raises `UnreadableFile` for a description that doesn't fit its matrix."""
        for file in files:
            if is_cifti(start_of(file.head)):
                yield _found(self.name, file, read_cifti(file.path, file.name), options)

    def open_volume(self, asset: FoundAsset, root: Path, options: Options, scratch: Path) -> OpenVolume:
        """Never: no asset of this reader is a volume."""
        raise Invalid(f"{asset.name} is a table, a series or a matrix, not a volume")

    def read_geometry(self, asset: FoundAsset, root: Path, options: Options) -> GeometryData:
        """The table, the signals, or the matrix."""
        name = asset.files[0]
        cifti = read_cifti(root / name, name)
        along, elements = cifti.axes
        if isinstance(along, Series):
            return _series(cifti, along, elements, options)
        if isinstance(along, Elements) and isinstance(elements, Elements):
            # a row of the file's matrix is what one source is connected to
            values = cifti.opened()
            kept = values.T.astype(np.float64) if isinstance(values, np.ndarray) else turned(values)
            return ConnectivityData(kept, elements.names, along.names)
        if isinstance(along, Maps) and isinstance(elements, Elements):
            own = list(elements.table)
            maps = _map_columns(along, cifti.values)
            titles = unique_names([*own, *(title for title, _ in maps)])[len(own) :]
            return TableData(elements.table | dict(zip(titles, (column for _, column in maps), strict=True)))
        raise UnreadableFile(f"{name}: {_what(cifti)} is not read")


def _kind(cifti: CiftiFile, name: str) -> AssetKind:
    along, elements = cifti.axes
    if isinstance(along, Series) and isinstance(elements, Elements | Maps):
        return AssetKind.TIME_SERIES
    if isinstance(elements, Elements) and isinstance(along, Elements | Maps):
        return AssetKind.CONNECTIVITY if isinstance(along, Elements) else AssetKind.TABLE
    raise UnreadableFile(
        f"{name} holds {_what(cifti)}, which is not read", hint="maps, series and connectivity are: convert it to one"
    )


def _what(cifti: CiftiFile) -> str:
    """The axes in a word each."""
    words = {Elements: "places", Maps: "maps", Series: "steps"}
    return " by ".join(words[type(axis)] for axis in cifti.axes)


def _map_columns(maps: Maps, values: npt.NDArray[Any]) -> list[tuple[str, Column]]:
    columns: list[tuple[str, Column]] = []
    by_map = values if maps.labels else _by_map(values)
    for place, title in enumerate(maps.names):
        if maps.labels:
            names = {label.id: label.name for label in maps.labels[place]}
            columns += label_columns(title, values[place], names)
        else:
            columns.append((title, by_map[place]))
    return columns


def _by_map(values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """`values` (maps, elements) with each map in one piece; turned in parts that the processor's cache holds."""
    turned = np.empty(values.shape)
    for first in range(0, values.shape[1], _PART):
        turned[:, first : first + _PART] = values[:, first : first + _PART]
    return turned


def _series(cifti: CiftiFile, along: Series, elements: Any, options: Options) -> TimeSeriesData:
    values = cifti.opened()
    step = options.time_step_s or _step_s(along)
    start = along.start if not options.time_step_s and np.isfinite(along.start) else 0.0
    times = start + np.arange(along.size, dtype=np.float64) * step if step else np.empty(0)
    if isinstance(elements, Maps):
        names = np.array([*elements.names], dtype=object)
        return TimeSeriesData(values, times, np.empty((0, 3)), {"name": names})
    return TimeSeriesData(values, times, elements.zyx_um, {"name": elements.names, **elements.table})


def _step_s(series: Series) -> float | None:
    """The step in seconds; None where it isn't a length of time."""
    return series.step if series.unit == "SECOND" and 0 < series.step < 1e6 else None


def _found(reader: str, file: SourceFile, cifti: CiftiFile, options: Options) -> FoundAsset:
    kind = _kind(cifti, file.name)
    along = cifti.axes[0]
    findings: list[Finding] = []
    header: dict[str, Any] = {"axes": [_said(axis) for axis in cifti.axes]}
    if isinstance(along, Maps) and along.labels:
        header["labels"] = [
            {"map": title, "labels": said_of_labels(labels)}
            for title, labels in zip(along.names, along.labels, strict=True)
        ]
        for place, labels in enumerate(along.labels):
            findings += nameless_labels(cifti.values[place], {label.id: label.name for label in labels})
    if isinstance(along, Series) and _step_s(along) is None and options.time_step_s is None:
        text = f"its {along.size} time points have no step that is known"
        findings.append(Finding(Severity.DOUBT, text, "--time-step"))
    # of series and connectivity they are counted as they are stored
    if kind is AssetKind.TABLE and (missing := int(np.count_nonzero(~np.isfinite(cifti.values)))):
        findings.append(Finding(Severity.NOTE, f"of its values, {missing} are not a finite number"))
    return FoundAsset(
        reader,
        key=file.name,
        name=stem_of(file.name),
        kind=kind,
        files=(file.name,),
        findings=tuple(findings),
        metadata={"header": header},
    )


def _said(axis: Any) -> dict[str, Any]:
    """What of an axis a person may want to see later, as JSON values."""
    if isinstance(axis, Series):
        return {"steps": axis.size, "start": axis.start, "step": axis.step, "unit": axis.unit}
    if isinstance(axis, Maps):
        return {"maps": list(axis.names)}
    return {"elements": len(next(iter(axis.table.values()))), "structures": axis.structures}
