"""The commands `pulvinar card` and `pulvinar rerun`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pulvinar.cli.options import Json

solution_app = typer.Typer()


@solution_app.command()
def card(
    solution: Annotated[str, typer.Argument(help="Name of a solution; without it, the cards of all are listed.")] = "",
    samples: Annotated[Path | None, typer.Option(help="Folder of the samples to measure on.")] = None,
    json: Json = False,
) -> None:
    """Show the accuracy cards of solutions, or measure one again and compare it with its card."""
    from pulvinar.cli.cards import check_card, list_cards

    if solution:
        check_card(solution, samples, as_json=json)
    else:
        list_cards(as_json=json)


@solution_app.command()
def rerun(
    asset: Annotated[str, typer.Argument(help="Identifier of an asset that a job made.")], json: Json = False
) -> None:
    """Make an asset once more, from the same inputs with the same parameters, beside the first."""
    from pulvinar.cli.jobs import make_again

    make_again(asset, as_json=json)
