"""The commands that run the platform: `pulvinar serve`, `work`, `demo` and `settings`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pulvinar.cli.options import Json

if TYPE_CHECKING:
    from pulvinar.platform import Platform

server_app = typer.Typer()


@server_app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 takes a free one.")] = None,
    work: Annotated[bool, typer.Option("--work", help="Run what is queued, too, as pulvinar work does.")] = False,
    workers: Annotated[
        int | None, typer.Option(help="Processes that answer; 0: one a processor core, at most four.", min=0)
    ] = None,
) -> None:
    """Serve the portal, the API and the chunks."""
    from contextlib import nullcontext

    from pulvinar.cli.jobs import working
    from pulvinar.cli.uploads import receiving
    from pulvinar.cli.verbs import serve_platform

    platform = _platform(host, port, workers)
    with working() if work else nullcontext(), receiving(platform):
        serve_platform(platform, platform.settings.resolved_workers())


@server_app.command()
def work(
    until_idle: Annotated[bool, typer.Option("--until-idle", help="End when nothing is left to do.")] = False,
) -> None:
    """Run what is queued, on the engine that the settings name. Any number may run, on any machine."""
    from pulvinar.cli.jobs import work as work_on

    work_on(until_idle=until_idle)


@server_app.command()
def demo(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 takes a free one.")] = None,
    no_serve: Annotated[bool, typer.Option("--no-serve", help="Bring the brains in and stop.")] = False,
) -> None:
    """Bring in real brains from installed packages (and the samples folder, where there is one), and serve them."""
    from pulvinar.cli.demo import bring_in_brains
    from pulvinar.cli.jobs import working
    from pulvinar.cli.uploads import receiving
    from pulvinar.cli.verbs import serve_platform

    platform = _platform(host, port)
    all_shown = bring_in_brains(platform)
    if not no_serve:
        with working(), receiving(platform):
            serve_platform(platform)
    if not all_shown:
        raise typer.Exit(1)


@server_app.command()
def settings(json: Json = False) -> None:
    """List every setting: its value, its environment variable, what it does."""
    from pulvinar.cli.verbs import show_settings

    show_settings(as_json=json)


def _platform(host: str | None, port: int | None, workers: int | None = None) -> Platform:
    from pulvinar.platform import open_platform
    from pulvinar.settings import load_settings

    return open_platform(load_settings(host=host, port=port, workers=workers))
