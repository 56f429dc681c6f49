"""The commands about transforms between spaces: bring them in, list them, bring points over."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from pulvinar.cli.options import NEGATIVE_PLACES, Json

transform_app = typer.Typer(no_args_is_help=True, help="Transforms between spaces: add, list, bring points over.")


class FormatOfTransform(StrEnum):
    """Whose files of transforms are read."""

    ITK = "itk"
    NIFTYREG = "niftyreg"
    FLIRT = "flirt"


From = Annotated[str, typer.Option("--from", help="Space that points come from.")]
To = Annotated[str, typer.Option("--to", help="Space that points go to.")]


@transform_app.command()
def add(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...", exists=True, dir_okay=False, help="One file, or of ITK and ANTs several as after `-t`."
        ),
    ],
    source: From,
    target: To,
    form: Annotated[FormatOfTransform, typer.Option("--format", help="Whose files they are; itk is also ANTs's.")],
    licence: Annotated[str, typer.Option("--licence", "--license", help="Licence of the transform, as CC-BY-4.0.")],
    error_um: Annotated[
        float | None, typer.Option("--error-um", min=0, help="How far off a point is to be expected, micrometres.")
    ] = None,
    name: Annotated[str, typer.Option(help="Its name; one of the same name becomes its next version.")] = "",
    citation: Annotated[str, typer.Option(help="How it is to be cited.")] = "",
    obtained: Annotated[str, typer.Option(help="How it was obtained, in words.")] = "",
    species: Annotated[str, typer.Option(help="Of which species, where neither space is known.")] = "",
    from_orientation: Annotated[
        str, typer.Option(help="For an unknown space: the sides its axes (z, y, x) rise to, as SAR.")
    ] = "",
    to_orientation: Annotated[str, typer.Option(help="The same for the other space.")] = "",
    from_image: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, help="NIfTI image of the --from side that was aligned; needed for FLIRT."
        ),
    ] = None,
    to_image: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="The same for the --to side.")
    ] = None,
    no_inverse: Annotated[bool, typer.Option("--no-inverse", help="Make no way back of a field.")] = False,
    json: Json = False,
) -> None:
    """Bring in a transform as a published dataset.

    Points go from --from to --to: for itk and niftyreg --from is the fixed (reference) image's space, for flirt that of
    the input. Once more changes nothing.
    """
    from pulvinar.cli.transforms import add_files
    from pulvinar.ingest.transform_install import End, TransformFiles, TransformFormat

    handed = TransformFiles(
        files=tuple(files),
        format=TransformFormat(form.value),
        source=End(source, from_orientation.upper(), from_image),
        target=End(target, to_orientation.upper(), to_image),
        licence=licence,
        expected_error_um=error_um,
        name=name,
        citation=citation,
        obtained=obtained,
        species=species,
        inverses=not no_inverse,
    )
    add_files(handed, as_json=json)


@transform_app.command("list")
def list_them(json: Json = False) -> None:
    """List the transforms that are stored, from which space to which, with their expected errors."""
    from pulvinar.cli.transforms import show_transforms

    show_transforms(as_json=json)


@transform_app.command(context_settings=NEGATIVE_PLACES)
def points(
    source: From,
    target: To,
    points: Annotated[
        list[str] | None, typer.Argument(metavar="[POINT]...", help="Places x,y,z in micrometres of --from.")
    ] = None,
    csv: Annotated[
        Path | None, typer.Option(help="Table with columns x, y and z, micrometres; its other columns are kept.")
    ] = None,
    json: Json = False,
) -> None:
    """Bring points from one space to another, by the path of the smallest expected error.

    The points are written out; the path and its expected error are told beside them, on standard error.
    """
    from pulvinar.cli.transforms import bring_points

    if bool(points) == bool(csv):
        raise typer.BadParameter("give points, or a table by --csv")
    bring_points(source, target, points or [], csv, as_json=json)
