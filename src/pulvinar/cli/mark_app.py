"""The commands about documents of marks: make one, list them, bring marks in and out, freeze what is said of cells."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from pulvinar.cli.options import Json

mark_app = typer.Typer(no_args_is_help=True, help="Documents of marks: new, list, export, import, freeze.")


class MarkFile(StrEnum):
    """How marks are written."""

    JSON = "json"
    CSV = "csv"
    NEUROGLANCER = "neuroglancer"


class WrittenForm(StrEnum):
    """The same, and the verdicts on cells as a table that a classifier is taught by."""

    JSON = "json"
    CSV = "csv"
    NEUROGLANCER = "neuroglancer"
    CORRECTIONS = "corrections"


DocumentId = Annotated[str, typer.Argument(help="Identifier of a document.")]
Form = Annotated[MarkFile, typer.Option("--format", help="How the file is written.")]
OnDataset = Annotated[str, typer.Option("--dataset", help="Identifier of the dataset that it lies on.")]
InAtlas = Annotated[str, typer.Option("--atlas", help="Name of the atlas in whose space it lies.")]


@mark_app.command()
def new(
    title: Annotated[str, typer.Argument(help="Its title.")],
    dataset: OnDataset = "",
    atlas: InAtlas = "",
    cells: Annotated[str, typer.Option(help="The asset of cells that its verdicts are about.")] = "",
) -> None:
    """Make a document without marks, and print its identifier."""
    from pulvinar.cli.marks import make_document

    make_document(title, dataset, atlas, cells)


@mark_app.command("list")
def list_them(dataset: OnDataset = "", atlas: InAtlas = "", json: Json = False) -> None:
    """List documents: on a dataset, in an atlas's space, or else your own."""
    from pulvinar.cli.marks import show_documents

    show_documents(dataset, atlas, as_json=json)


@mark_app.command("export")
def export_them(
    document: DocumentId,
    form: Annotated[
        WrittenForm, typer.Option("--format", help="How the file is written; corrections: the verdicts on cells.")
    ] = WrittenForm.JSON,
) -> None:
    """Write the marks of a document to standard output."""
    from pulvinar.cli.marks import export_marks

    export_marks(document, form.value)


@mark_app.command("import")
def import_them(
    document: DocumentId,
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="File of marks.")],
    form: Form = MarkFile.JSON,
) -> None:
    """Bring a file of marks into a document."""
    from pulvinar.cli.marks import import_marks

    import_marks(document, file, form.value)


@mark_app.command()
def freeze(document: DocumentId, json: Json = False) -> None:
    """Write the verdicts of a document down as a table that never changes, for pulvinar job submit teach_cells."""
    from pulvinar.cli.marks import freeze_verdicts

    freeze_verdicts(document, as_json=json)
