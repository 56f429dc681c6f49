"""The commands that measure: an image along a line, a box, regions."""

from __future__ import annotations

from typing import Annotated

import typer

from pulvinar.cli.options import NEGATIVE_PLACES, Json

measure_app = typer.Typer(
    no_args_is_help=True, help="Measure: an image along a line, a box of it, regions of an atlas."
)

AssetName = Annotated[str, typer.Argument(help="Identifier of an asset.")]
WantedLevel = Annotated[int | None, typer.Option("--level", help="0 is the finest; without it, the finest that fits.")]
Time = Annotated[int, typer.Option("--time", help="Time point, from 0.")]
Csv = Annotated[bool, typer.Option("--csv", help="As a table for other programs.")]


@measure_app.command(context_settings=NEGATIVE_PLACES)
def line(
    asset: AssetName,
    corners: Annotated[list[str], typer.Argument(help="Places x,y,z in micrometres of the world, two or more.")],
    width: Annotated[float, typer.Option("--width", help="Micrometres across the line that are averaged.")] = 0.0,
    level: WantedLevel = None,
    time: Time = 0,
    csv: Csv = False,
    json: Json = False,
) -> None:
    """Say how bright an image is along a line: micrometres against the value of each channel."""
    from pulvinar.cli.measuring import show_profile

    show_profile(asset, corners, width, level, time, form=_form(csv=csv, json=json))


@measure_app.command(context_settings=NEGATIVE_PLACES)
def box(
    asset: AssetName,
    low: Annotated[str, typer.Argument(help="The lower corner x,y,z, micrometres of the world.")],
    high: Annotated[str, typer.Argument(help="The upper corner x,y,z.")],
    level: WantedLevel = None,
    time: Time = 0,
    csv: Csv = False,
    json: Json = False,
) -> None:
    """Say what the voxels of a box are: how many, their mean, spread, median; of labels, how many of each."""
    from pulvinar.cli.measuring import show_box

    show_box(asset, low, high, level, time, form=_form(csv=csv, json=json))


@measure_app.command()
def regions(
    atlas: Annotated[str, typer.Argument(help="Name of an atlas.")],
    names: Annotated[list[str], typer.Argument(help="Regions: identifier, acronym or name, in English or Chinese.")],
    image: Annotated[str, typer.Option("--image", help="An image in the atlas's space: its asset.")] = "",
    cells: Annotated[str, typer.Option("--cells", help="Points in the atlas's space: their asset.")] = "",
    alone: Annotated[bool, typer.Option("--alone", help="Each region without those below it.")] = False,
    level: WantedLevel = None,
    csv: Csv = False,
    json: Json = False,
) -> None:
    """Say of regions their volume, the mean of an image in them, and how many cells lie in them and how densely."""
    from pulvinar.cli.measuring import show_regions

    show_regions(atlas, names, (image, cells), level, alone=alone, form=_form(csv=csv, json=json))


def _form(*, csv: bool, json: bool) -> str:
    return "json" if json else "csv" if csv else "text"
