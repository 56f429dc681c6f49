"""The commands `pulvinar samples`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pulvinar.cli.options import Json

samples_app = typer.Typer(help="Public data sets that can be fetched by name.", no_args_is_help=True)


@samples_app.command("list")
def samples_list(json: Json = False) -> None:
    """List the public data sets that can be fetched."""
    from pulvinar.cli.samples import show_samples

    show_samples(as_json=json)


@samples_app.command("fetch")
def samples_fetch(
    name: Annotated[str, typer.Argument(help="A name of the list.")],
    to: Annotated[Path | None, typer.Option(help="Folder to put it into; without it, the platform's home.")] = None,
) -> None:
    """Fetch a public data set by its address and check its SHA-256."""
    from pulvinar.cli.samples import fetch_sample

    print(fetch_sample(name, to))
