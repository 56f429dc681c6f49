"""How file formats join the platform: the `Reader` protocol and what it speaks of.

A reader runs inside a throw-away process (see `sandbox`): it may only read below the submission's folder, has a memory
and a CPU limit, and no network. So a reader is plain synchronous code on plain files; it never has to defend the
platform, only to say clearly what is wrong with a file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from pulvinar.model.dataset import AssetKind
from pulvinar.model.space import Affine, Window
from pulvinar.model.volume import Channel, Shape5, Triple, VolumeKind

if TYPE_CHECKING:
    import pyarrow as pa

TableColumn: TypeAlias = "npt.NDArray[Any] | pa.LargeStringArray"
"""A column of a table: an int64, float64, bool or object (str) array, or text as Arrow keeps it, which makes no object
of each of millions."""


@dataclass(frozen=True)
class SourceFile:
    """One regular file of a submission: `path` is absolute and link-free, `name` relative to the submission."""

    path: Path
    name: str
    size_bytes: int
    head: bytes
    """The first 4096 bytes, for recognition by content."""


class Severity(StrEnum):
    """How bad a finding is."""

    NOTE = "note"
    DOUBT = "doubt"
    """Data and header disagree or something is implausible: a flag must settle it, or the default is used and said."""
    QUESTION = "question"
    """Only a person knows: ingest refuses until the flag is given."""


@dataclass(frozen=True)
class Finding:
    """One thing that a reader noticed; `flag` is the command-line flag that settles it ("--voxel-size")."""

    severity: Severity
    message: str
    flag: str = ""


def finding_from_json(said: Mapping[str, Any]) -> Finding:
    """A finding as an asset's details have it, whether they were just written or read back."""
    return Finding(Severity(said["severity"]), said["message"], said.get("flag", ""))


@dataclass(frozen=True)
class VolumeDescription:
    """What a file says of a volume before it is read. Shapes in (t, c, z, y, x), lengths in (z, y, x).

    `voxel_size_um` is None when the file doesn't say (a TIFF without units). `affine_um` as in `model.volume.Volume`.
    The colour of a channel is "" when the file names none; `kind` is None when it doesn't say: the voxels then tell.
    """

    shape: Shape5
    dtype: str
    block_shape: Shape5
    voxel_size_um: Triple | None = None
    affine_um: Affine | None = None
    kind: VolumeKind | None = None
    channels: tuple[Channel, ...] = ()
    time_step_s: float | None = None


@dataclass(frozen=True)
class FoundAsset:
    """One thing that a reader can bring in: from which files, what it is, what is missing or doubtful.

    `key` names it uniquely within the submission and is enough, with `reader` and `files`, to open it again.
    `metadata` holds what the file itself says, as JSON values under the field names of `model.record` where one fits
    ("modality", "title", "licence", ...), everything else under "header".
    """

    reader: str
    key: str
    name: str
    kind: AssetKind
    files: tuple[str, ...]
    volume: VolumeDescription | None = None
    findings: tuple[Finding, ...] = ()
    metadata: dict[str, Any] = field(default_factory=dict)


class TableKind(StrEnum):
    """What a matrix of numbers without names is."""

    TABLE = "table"
    TIME_SERIES = "time_series"
    CONNECTIVITY = "connectivity"


class Form(StrEnum):
    """Which map to the world of a NIfTI header counts."""

    SFORM = "sform"
    QFORM = "qform"
    NONE = "none"
    """Neither: left and right stay unknown."""


@dataclass(frozen=True)
class Options:
    """What a person says where headers are silent or lie. Lengths in micrometres, (z, y, x)."""

    voxel_size_um: Triple | None = None
    orientation: str = ""
    """Where rising z, y, x go, in letters as in `Space`: of a volume, and of places, which are turned by it."""
    kind: VolumeKind | None = None
    axes: str = ""
    """The meaning of a file's own axes, slowest first, of the letters t, c, z, y, x."""
    time_step_s: float | None = None
    unit: str = ""
    """The unit of lengths in files that don't say (SWC, tables, OBJ): "um", "mm", "nm", or "voxel" with
    `voxel_size_um`."""
    table_kind: TableKind | None = None
    """What matrices of numbers without names are; of signals, `axes` says "tc" where rows are time points, or "ct"."""
    sparse: bool = False
    """Whether chunks that are not stored are meant to be empty, where nothing else shows it."""
    form: Form | None = None
    """The map that counts, where a NIfTI header has two that differ, or none."""
    radius_unknown: bool = False
    """Whether radii that are not positive mean that the radius is not known."""


class OpenVolume(Protocol):
    """A volume that a reader has opened: blocks by window, in native byte order and (t, c, z, y, x)."""

    def read_into(self, window: Window, out: npt.NDArray[Any]) -> None:
        """Fill `out`, of `window.shape` and the described dtype."""

    def close(self) -> None:
        """Let go of files."""


@dataclass(frozen=True, eq=False)
class SkeletonData:
    """A neuron as a forest. Each array has one entry a node; parents come before children.

    `zyx_um` float64 (n, 3); `radius_um` float32 (n,), NaN when not known; `parent` int64 (n,), row of the parent, -1
    at a root; `type_code` int16 (n,) as in SWC; `node_id` int64 (n,), the file's own number.
    """

    zyx_um: npt.NDArray[np.float64]
    radius_um: npt.NDArray[np.float32]
    parent: npt.NDArray[np.int64]
    type_code: npt.NDArray[np.int16]
    node_id: npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class MeshData:
    """A triangle mesh: `zyx_um` float64 (n, 3), `faces` uint32 (m, 3), rows of `zyx_um`.

    `columns`: what is known of each vertex (thickness, a parcel's name), as in `PointsData`.
    """

    zyx_um: npt.NDArray[np.float64]
    faces: npt.NDArray[np.uint32]
    columns: Mapping[str, TableColumn] = field(default_factory=dict)


_ROWS_AT_ONCE = 40_000


@dataclass(frozen=True)
class ColumnPlaces:
    """Places that stand in columns of numbers: the names of those of (z, y, x), and how long a step is, in um."""

    names: tuple[str, str, str]
    step_um: Triple


@dataclass(frozen=True, eq=False)
class PointsData:
    """A table of places: `zyx_um` float64 (n, 3), and every column of the file, by name, each of length n.

    Columns are in the file's order. Where `places` only say in which columns they stand, they don't leave the reader's
    process a second time.
    """

    places: npt.NDArray[np.float64] | ColumnPlaces
    columns: Mapping[str, TableColumn]

    @cached_property
    def zyx_um(self) -> npt.NDArray[np.float64]:
        """The places, float64 (n, 3), NaN where a row has none."""
        if not isinstance(self.places, ColumnPlaces):
            return self.places
        columns = [self.columns[name] for name in self.places.names]
        found = np.empty((len(columns[0]), 3))
        for first in range(0, len(found), _ROWS_AT_ONCE):
            # three columns become rows while they lie in the processor's cache
            rows = slice(first, first + _ROWS_AT_ONCE)
            for axis, (column, length) in enumerate(zip(columns, self.places.step_um, strict=True)):
                np.multiply(column[rows], length, out=found[rows, axis], dtype=np.float64)
        return found


@dataclass(frozen=True, eq=False)
class TableData:
    """A table without places: columns as in `PointsData`."""

    columns: Mapping[str, TableColumn]


class Matrix(Protocol):
    """Values in rows and columns that stay where they are until they are read by window."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and columns."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """float32 or float64, in native byte order."""

    def read_into(self, rows: slice, columns: slice, out: npt.NDArray[Any]) -> None:
        """Fill `out`, of its dtype, with the values of a window; both slices have a start and a stop."""

    def close(self) -> None:
        """Let go of files."""


@dataclass(frozen=True, eq=False)
class TimeSeriesData:
    """Signals over time: of regions, cells, electrodes or regressors.

    `values` float32 or float64 (frames, series), NaN where missing, an array or, of many, a `Matrix`;
    `times_s` float64 (frames,), rising, or of no length where the file doesn't say; `columns`, as in `PointsData`, has
    one entry a series, and "name" always; `zyx_um` float64 (series, 3), NaN where a place is not known, or of no rows;
    `unit` of the values, "" when not said.
    """

    values: npt.NDArray[Any] | Matrix
    times_s: npt.NDArray[np.float64]
    zyx_um: npt.NDArray[np.float64]
    columns: Mapping[str, TableColumn]
    unit: str = ""


@dataclass(frozen=True, eq=False)
class ConnectivityData:
    """How strongly each of some regions or neurons is connected to others.

    `values` float64 (sources, targets), NaN where not known, or a `Matrix` as of signals; `sources` and `targets`
    object (str), their names;
    `measure` says what the values are ("streamlines", "correlation", "" when not said).
    """

    values: npt.NDArray[np.float64] | Matrix
    sources: npt.NDArray[Any]
    targets: npt.NDArray[Any]
    measure: str = ""


@dataclass(frozen=True, eq=False)
class TractsData:
    """Streamlines of tractography. `zyx_um` float64 (n, 3); `first` int64 (lines + 1,): line i is the rows `first[i]`
    up to, without, `first[i + 1]`; `columns`, as in `PointsData`, has one entry a line."""

    zyx_um: npt.NDArray[np.float64]
    first: npt.NDArray[np.int64]
    columns: Mapping[str, TableColumn]


GeometryData = SkeletonData | MeshData | PointsData | TableData | TimeSeriesData | ConnectivityData | TractsData


class Reader(Protocol):
    """One family of file formats. Has no state: an instance is made without arguments.

    `priority`: readers are asked from the lowest number up, and a file belongs to the first that claims it; readers of
    whole folders (DICOM, BIDS, plane stacks) come before readers of single files.
    """

    name: ClassVar[str]
    priority: ClassVar[int]

    def find(self, files: Sequence[SourceFile], options: Options) -> Iterator[FoundAsset]:
        """What of `files` this reader can bring in, recognised by content. A file of its format that is damaged raises
        `UnreadableFile`, naming file and reason; files of other formats are passed over in silence."""

    def open_volume(self, asset: FoundAsset, root: Path, options: Options, scratch: Path) -> OpenVolume:
        """Open a volume found before; `root` is the submission's folder, `scratch` an empty folder of its own (for a
        compressed stream that must be unpacked to be read in blocks).

        What is read is of the type that `asset` describes. That may be an integer where floats were found, whose voxels
        turned out to be labels: then raise `UnreadableFile` for one that is no whole number."""

    def read_geometry(self, asset: FoundAsset, root: Path, options: Options) -> GeometryData:
        """Read what is no volume and was found before: whole, or with a `Matrix` that whoever asked must close."""
