"""The commands about metadata: check, describe, template, terms."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from pulvinar.cli.options import (
    Axes,
    Form,
    Json,
    Kind,
    Only,
    Orientation,
    RadiusUnknown,
    RecordFile,
    Sparse,
    TableKind,
    TimeStep,
    Unit,
    VoxelSize,
    reading_options,
)

metadata_app = typer.Typer()


class VocabularyChoice(StrEnum):
    """The kinds of controlled terms."""

    SPECIES = "species"
    SEX = "sex"
    MODALITY = "modality"
    STAIN = "stain"
    LICENCE = "licence"


@metadata_app.command()
def check(
    target: Annotated[str, typer.Argument(help="A file, a folder, an archive, or the identifier of a dataset.")],
    record: RecordFile = None,
    version: Annotated[int | None, typer.Option(help="Number of a version; without it, the newest.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Fail for what should be, too.")] = False,
    only: Only = None,
    voxel_size: VoxelSize = "",
    orientation: Orientation = "",
    kind: Kind = None,
    axes: Axes = "",
    time_step: TimeStep = None,
    unit: Unit = "",
    table_kind: TableKind = None,
    sparse: Sparse = False,
    form: Form = None,
    radius_unknown: RadiusUnknown = False,
    json: Json = False,
) -> None:
    """Say which rules of the profile a dataset meets, and of each other one the remedy.

    Before an ingest TARGET is a path, after it a dataset. The exit code is 2 when a rule is not met that must be.
    """
    from pulvinar.cli.metadata import run_check

    options = reading_options(
        voxel_size,
        orientation,
        kind,
        axes,
        time_step,
        unit,
        table_kind,
        sparse=sparse,
        form=form,
        radius_unknown=radius_unknown,
    )
    run_check(target, record, version, options, only or (), strict=strict, as_json=json)


@metadata_app.command()
def describe(
    dataset: Annotated[str, typer.Argument(help="Identifier of a dataset.")],
    record: Annotated[Path, typer.Option("--record", help="A record file, as `ingest --record` takes it.")],
    json: Json = False,
) -> None:
    """Change what the draft version of a dataset says of itself; a draft is opened where there is none.

    What the file leaves empty stays as it is. What is published keeps its record.
    """
    from pulvinar.cli.metadata import describe_dataset

    describe_dataset(dataset, record, as_json=json)


@metadata_app.command()
def template(
    modality: Annotated[str, typer.Argument(help="A modality by any of its names, as light-sheet or T1加权.")],
    to: Annotated[Path | None, typer.Option(help="File to write; without it, the screen.")] = None,
) -> None:
    """Write a record file to fill in, with what data of MODALITY should say; `--record` takes it."""
    from pulvinar.cli.metadata import write_template

    write_template(modality, to)


@metadata_app.command("terms")
def terms_command(
    query: Annotated[str, typer.Argument(help="Words of a name, English or Chinese; without it, every term.")] = "",
    vocabulary: Annotated[VocabularyChoice | None, typer.Option(help="Only terms of this kind.")] = None,
    json: Json = False,
) -> None:
    """Search the controlled terms: species, modalities, stains, licences."""
    from pulvinar.cli.metadata import show_terms

    show_terms(query, vocabulary.value if vocabulary else None, as_json=json)
