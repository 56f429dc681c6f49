"""The commands for people's data: copies without identifiers, quarantine, erasure."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from pulvinar.cli.options import Json, Only

people_app = typer.Typer()


class FaceChoice(StrEnum):
    """What a reviewer says of a face; a test compares them with the model's."""

    REMOVED = "removed"
    ABSENT = "absent"
    KEPT = "kept"


@people_app.command()
def deidentify(
    path: Annotated[Path, typer.Argument(help="A file, a folder, or a .tar(.gz, .xz) or .zip of them.")],
    into: Annotated[Path, typer.Argument(help="A new folder for the copies.")],
    only: Only = None,
    json: Json = False,
) -> None:
    """Write copies of PATH without what identifies people (DICOM PS3.15, Basic Profile), each checked afterwards.

    Days are moved and UIDs replaced alike for all files of one person on this node. A copy that is not clean is never
    kept, and nor is any other.
    """
    from pulvinar.cli.people import run_deidentify

    run_deidentify(path, into, only or (), as_json=json)


@people_app.command()
def quarantine(
    dataset: Annotated[str, typer.Argument(help="Identifier of a dataset.")],
    release: Annotated[str, typer.Option(help="An asset that somebody has reviewed and that may leave.")] = "",
    face: Annotated[FaceChoice | None, typer.Option(help="What the reviewer says of the face in it.")] = None,
    note: Annotated[str, typer.Option(help="Why, where a face is kept.")] = "",
    hold: Annotated[str, typer.Option(help="An asset that is to be held again.")] = "",
    json: Json = False,
) -> None:
    """Say what of DATASET is in quarantine and what is to be done; or let an asset out of it."""
    from pulvinar.cli.people import hold_asset, release_asset, show_quarantine

    if release:
        if face is None:
            raise typer.BadParameter("--release needs --face: removed, absent or kept")
        release_asset(dataset, release, face.value, note)
    if hold:
        hold_asset(dataset, hold, note)
    show_quarantine(dataset, as_json=json)


@people_app.command()
def erase(
    subject: Annotated[str, typer.Argument(help="The person, by the pseudonym that the records have.")] = "",
    reason: Annotated[str, typer.Option(help="Who asked for it, and when.")] = "",
    also: Annotated[
        list[str] | None, typer.Option(help="An asset made from several people's data that is to go too; repeatable.")
    ] = None,
    dry: Annotated[bool, typer.Option("--dry", help="Only say what would go.")] = False,
    restored: Annotated[
        Path | None, typer.Option(help="After a restore: the folder of certificates to apply once more.")
    ] = None,
    json: Json = False,
) -> None:
    """Erase a person's data from all versions and what was made from them, and print the certificate.

    Digests of published versions stay provable. Without SUBJECT, erasures that were interrupted are finished.
    """
    from pulvinar.cli.people import apply_restored, finish, run_erase, show_found

    if restored is not None:
        apply_restored(restored)
    elif not subject:
        finish()
    elif dry:
        show_found(subject, as_json=json)
    else:
        run_erase(subject, reason, also or (), as_json=json)
