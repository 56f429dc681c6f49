"""What the commands about handing in do."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pulvinar.cli.show import print_json

if TYPE_CHECKING:
    from pulvinar.client import Client
    from pulvinar.client.uploads import RemoteSubmission


def run_upload(paths: Sequence[Path], to: str, title: str, parallel: int, *, as_json: bool) -> None:
    """`pulvinar upload`."""
    from pulvinar.client import connect
    from pulvinar.settings import load_settings

    settings = load_settings()
    client = connect(to or f"http://{settings.host}:{settings.port}")
    try:
        done = _uploaded(client, paths, title, parallel)
    finally:
        client.close()
    if as_json:
        print_json({**done.told, "page": done.page})
    else:
        print(f"{done.told['file_count']:,} files are there and verified; describe them at {done.page}")


def _uploaded(client: Client, paths: Sequence[Path], title: str, parallel: int) -> RemoteSubmission:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

    columns = ("{task.description}", BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(file=sys.stderr), disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("uploading", total=None)
        return client.upload(
            *paths,
            title=title,
            parallel=parallel,
            progress=lambda at, total: bar.update(task, completed=at, total=total),
        )
