"""The command `pulvinar audit`: the log of what happened, verified, searched and written out."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from pulvinar.cli.options import Json

audit_app = typer.Typer(no_args_is_help=True, help="The log of what happened: verify it, search it, write it out.")

_FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]
Who = Annotated[str, typer.Option("--actor", help="Identifier of who did it.")]
What = Annotated[str, typer.Option("--verb", help="What was done, as publish or share.")]
Which = Annotated[str, typer.Option("--subject", help="Identifier of what it was done to.")]
Since = Annotated[datetime | None, typer.Option(formats=_FORMATS, help="Not before this moment, UTC.")]
Until = Annotated[datetime | None, typer.Option(formats=_FORMATS, help="Before this moment, UTC.")]
Why = Annotated[str, typer.Option("--reason", help="A part of the reason that was given.")]


@audit_app.command()
def verify(
    expect: Annotated[
        str, typer.Option(metavar="HASH", help="The hash of a seal that was kept elsewhere: it must be in the chain.")
    ] = "",
    json: Json = False,
) -> None:
    """Work out the chain of seals anew, and name the first event that does not fit.

    Keep the hash that it prints somewhere else: given to --expect later, it shows a log that was written anew.
    """
    from pulvinar.cli.audit import run_verify

    run_verify(expect, as_json=json)


@audit_app.command()
def seal(json: Json = False) -> None:
    """Seal now what has happened; servers and workers do so every few seconds."""
    from pulvinar.cli.audit import run_seal

    run_seal(as_json=json)


@audit_app.command()
def search(
    actor: Who = "",
    verb: What = "",
    subject: Which = "",
    since: Since = None,
    until: Until = None,
    reason: Why = "",
    limit: Annotated[int, typer.Option(help="At most so many.", min=1, max=1000)] = 50,
    json: Json = False,
) -> None:
    """List what happened, newest first."""
    from pulvinar.cli.audit import show_events, wanted_events

    show_events(wanted_events(actor, verb, subject, since, until, reason), limit, as_json=json)


@audit_app.command()
def export(
    actor: Who = "",
    verb: What = "",
    subject: Which = "",
    since: Since = None,
    until: Until = None,
    reason: Why = "",
    to: Annotated[Path | None, typer.Option(help="A new file; without it, standard output.")] = None,
) -> None:
    """Write out what happened as JSON Lines, oldest first."""
    from pulvinar.cli.audit import wanted_events, write_events

    write_events(wanted_events(actor, verb, subject, since, until, reason), to)


@audit_app.command()
def reads(
    dataset: Annotated[str, typer.Option(help="Only of this dataset.")] = "",
    actor: Who = "",
    limit: Annotated[int, typer.Option(help="At most so many.", min=1, max=10_000)] = 100,
    json: Json = False,
) -> None:
    """List who read how much of controlled data, by the hour, newest first."""
    from pulvinar.cli.audit import show_reads

    show_reads(dataset, actor, limit, as_json=json)
