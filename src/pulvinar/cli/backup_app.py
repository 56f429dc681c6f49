"""The commands `pulvinar backup` and `pulvinar restore`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pulvinar.cli.options import Json

backup_app = typer.Typer()

PassphraseFile = Annotated[
    Path | None, typer.Option(help="File of the passphrase (20 characters or more) that seals the server's key.")
]
Where = Annotated[str, typer.Argument(help="A folder, or file:///folder or s3://bucket/prefix.")]


@backup_app.command()
def backup(
    to: Where,
    verify: Annotated[
        bool, typer.Option("--verify", help="Read every byte that is kept there, and copy none.")
    ] = False,
    listing: Annotated[bool, typer.Option("--list", help="List the snapshots that are there, and copy none.")] = False,
    keep: Annotated[
        int, typer.Option(help="Afterwards, remove all but the newest so many snapshots; 0 keeps all.", min=0)
    ] = 0,
    passphrase_file: PassphraseFile = None,
    json: Json = False,
) -> None:
    """Copy the database, as of one moment, and every object that it names. What is there already isn't copied again.

    Interrupted, the same command goes on with what is missing. S3 is reached with the keys of the settings.
    With --passphrase-file the key that seals second factors goes along, sealed; without it, keep that file elsewhere.
    """
    from pulvinar.cli.backup import list_snapshots, make_backup, run_verify

    if verify and listing:
        raise typer.BadParameter("--verify or --list, one of them")
    if listing:
        list_snapshots(to, as_json=json)
    elif verify:
        run_verify(to, as_json=json)
    else:
        make_backup(to, keep, passphrase_file, as_json=json)


@backup_app.command()
def restore(
    source: Where,
    snapshot: Annotated[str, typer.Option(help="Which of its snapshots; without it, the newest.")] = "",
    passphrase_file: PassphraseFile = None,
    erasures: Annotated[
        Path | None, typer.Option(help="Folder of more certificates of erasures: 'erasures' of the home that was lost.")
    ] = None,
    json: Json = False,
) -> None:
    """Bring a backup back into an empty platform: the home, the database and the store that the settings name.

    Also from SQLite into PostgreSQL, and from a folder into S3, or the other way round. Who was erased
    after the snapshot was made does not come back.
    """
    from pulvinar.cli.backup import run_restore

    run_restore(source, snapshot, passphrase_file, erasures, as_json=json)
