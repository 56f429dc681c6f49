"""The command that makes a movie of a view."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

movie_app = typer.Typer()


@movie_app.command()
def movie(
    address: Annotated[str, typer.Argument(help="Address of a view that anybody may open, as Copy link gives it.")],
    file: Annotated[Path, typer.Argument(dir_okay=False, help="The MP4 to write.")],
    seconds: Annotated[float, typer.Option(help="How long a full turn takes.")] = 6.0,
    fps: Annotated[int, typer.Option(help="Frames a second.")] = 20,
    width: Annotated[int, typer.Option(help="Pixels across, an even number.")] = 960,
    height: Annotated[int, typer.Option(help="Pixels down, an even number.")] = 720,
) -> None:
    """Make a movie of a view whose 3D turns once, with Chromium and ffmpeg of this machine."""
    from pulvinar.web.turntable import Turntable, make_turntable

    def show(done: int, total: int) -> None:
        typer.echo(f"\rframe {done} of {total}", nl=done == total, err=True)

    file.write_bytes(make_turntable(address, Turntable(seconds, fps, width, height), progress=show))
    typer.echo(str(file))
