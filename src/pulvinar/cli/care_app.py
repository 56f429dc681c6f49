"""The commands `pulvinar verify` and `pulvinar sweep`."""

from __future__ import annotations

from typing import Annotated

import typer

from pulvinar.cli.options import Json

care_app = typer.Typer()


@care_app.command()
def verify(
    dataset: Annotated[str, typer.Argument(help="Identifier of a dataset.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="Every dataset, one after the other.")] = False,
    json: Json = False,
) -> None:
    """Re-read every stored object of a dataset and name each one that is damaged or missing."""
    from pulvinar.cli.verbs import run_verify

    if bool(dataset) == everything:
        raise typer.BadParameter("name one dataset, or give --all")
    run_verify(dataset, as_json=json)


@care_app.command()
def sweep(
    grace_hours: Annotated[float, typer.Option(help="Leave alone what is younger.", min=0)] = 24,
    abandon_days: Annotated[
        float, typer.Option(help="Give up unfinished ingests that nobody has worked on for so long.", min=0)
    ] = 30,
    dry: Annotated[bool, typer.Option("--dry", help="Only say what would be removed.")] = False,
    json: Json = False,
) -> None:
    """Remove stored objects that no asset and no unfinished ingest owns."""
    from pulvinar.cli.verbs import run_sweep

    run_sweep(grace_hours, abandon_days, dry=dry, as_json=json)
