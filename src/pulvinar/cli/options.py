"""Options that several commands have, and what is made of them."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pulvinar.ingest.reader import Options


class KindChoice(StrEnum):
    """What a volume's numbers mean."""

    IMAGE = "image"
    LABELS = "labels"


class TableKindChoice(StrEnum):
    """What a matrix of numbers without names is."""

    TABLE = "table"
    TIME_SERIES = "time_series"
    CONNECTIVITY = "connectivity"


class FormChoice(StrEnum):
    """Which map to the world of a NIfTI header counts."""

    SFORM = "sform"
    QFORM = "qform"
    NONE = "none"


class FormatChoice(StrEnum):
    """The formats of metadata; a test compares them with those of the catalogue, which is heavy to import."""

    PULVINAR = "pulvinar"
    DATACITE = "datacite"
    BIDS = "bids"
    NWB = "nwb"
    OME = "ome"
    OPENMINDS = "openminds"
    RO_CRATE = "ro-crate"
    PROV = "prov"


class ManifestChoice(StrEnum):
    """The forms of a list of files; a test compares them with those of the catalogue, which is heavy to import."""

    JSONL = "jsonl"
    CSV = "csv"
    URLS = "urls"
    ARIA2 = "aria2"
    METALINK = "metalink"
    SHA256 = "sha256"


class OriginalsChoice(StrEnum):
    """What becomes of the files that were handed in."""

    KEEP = "keep"
    REFERENCE = "reference"
    DISCARD = "discard"


class BasisChoice(StrEnum):
    """Why a person's data may leave without a review; a test compares them with the model's."""

    ANONYMOUS = "already-anonymous"
    TEMPLATE = "template"
    PUBLIC = "public-dataset"
    CONSENT = "consent"


Only = Annotated[list[str] | None, typer.Option(help="Only files of this name or pattern; repeatable.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
VoxelSize = Annotated[
    str, typer.Option(help="Voxel size in um: one number, or z,y,x; or with a unit, as 0.5mm. Overrules the header.")
]
Orientation = Annotated[
    str,
    typer.Option(
        help="Three letters: the side that rising z, y, x go to, of L/R, P/A, I/S; NIfTI's RAS+ is SAR. "
        "Neurons, meshes and points are turned by it as a volume is."
    ),
]
Kind = Annotated[KindChoice | None, typer.Option(help="What the numbers of a volume mean.")]
Axes = Annotated[str, typer.Option(help="The file's own axes, slowest first, of the letters t c z y x.")]
TableKind = Annotated[
    TableKindChoice | None, typer.Option(help="What a matrix of numbers is; of a time series, --axes says tc or ct.")
]
TimeStep = Annotated[float | None, typer.Option(help="Seconds between time points.")]
Unit = Annotated[str, typer.Option(help="Unit of lengths in files that don't say: um, mm, nm, or voxel.")]
Sparse = Annotated[bool, typer.Option("--sparse", help="Chunks that are not stored are empty, and not lost.")]
Form = Annotated[
    FormChoice | None,
    typer.Option(help="Which map of a NIfTI header counts, where two differ; none: it has none, or none is right."),
]
RadiusUnknown = Annotated[
    bool, typer.Option("--radius-unknown", help="Radii of neurons that are 0 or less mean that nobody knows them.")
]
NEGATIVE_PLACES = {"ignore_unknown_options": True}
"""For commands that take places: one that begins with a minus sign is no option."""
BasisOption = Annotated[
    BasisChoice | None,
    typer.Option(
        "--basis",
        help="Of a person's head: why it may leave without a review here. Who says so is remembered with it; "
        "without it the head stays in quarantine until somebody has reviewed it.",
    ),
]
RecordFile = Annotated[
    Path | None,
    typer.Option(
        "--record",
        help="What the data are: a record (YAML, TOML, JSON), or DataCite, BIDS (also a folder), openMINDS or OME-XML.",
    ),
]


def reading_options(
    voxel_size: str,
    orientation: str,
    kind: KindChoice | None,
    axes: str,
    time_step: float | None,
    unit: str,
    table_kind: TableKindChoice | None,
    *,
    sparse: bool = False,
    form: FormChoice | None = None,
    radius_unknown: bool = False,
) -> Options:
    """How files are to be read. Raises `Invalid` for a voxel size that is none."""
    from pulvinar.ingest.reader import Form as Forms
    from pulvinar.ingest.reader import Options
    from pulvinar.ingest.reader import TableKind as Kinds
    from pulvinar.ingest.units import voxel_size as parse
    from pulvinar.model.volume import VolumeKind

    return Options(
        voxel_size_um=parse(voxel_size),
        orientation=orientation.upper(),
        kind=VolumeKind(kind.value) if kind else None,
        axes=axes.lower(),
        time_step_s=time_step,
        unit=unit,
        table_kind=Kinds(table_kind.value) if table_kind else None,
        sparse=sparse,
        form=Forms(form.value) if form else None,
        radius_unknown=radius_unknown,
    )
