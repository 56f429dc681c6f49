"""What the commands about handing in do."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pulvinar.cli.show import print_json
from pulvinar.errors import NotFound

if TYPE_CHECKING:
    from pulvinar.client import Client
    from pulvinar.client.uploads import RemoteSubmission
    from pulvinar.ingest.request import Request
    from pulvinar.platform import Platform

_LOOK_S = 1.0
_SWEEP_S = 3600.0
_WATCH_S = 10.0


def run_upload(paths: Sequence[Path], to: str, title: str, parallel: int, *, by_bucket: bool, as_json: bool) -> None:
    """`pulvinar upload`."""
    from pulvinar.client import connect
    from pulvinar.settings import load_settings

    settings = load_settings()
    client = connect(to or f"http://{settings.host}:{settings.port}")
    try:
        done = _uploaded(client, paths, title, parallel, by_bucket)
    finally:
        client.close()
    if as_json:
        print_json({**done.told, "page": done.page})
    else:
        print(f"{done.told['file_count']:,} files are there and verified; describe them at {done.page}")


def _uploaded(client: Client, paths: Sequence[Path], title: str, parallel: int, by_bucket: bool) -> RemoteSubmission:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

    columns = ("{task.description}", BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(file=sys.stderr), disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("uploading", total=None)
        return client.upload(
            *paths,
            title=title,
            parallel=parallel,
            by_bucket=by_bucket,
            progress=lambda at, total: bar.update(task, completed=at, total=total),
        )


def watch_folder(folder: Path, request: Request, quiet_s: float, *, once: bool) -> None:
    """`pulvinar watch`."""
    from pulvinar.cli.verbs import means_of, opened
    from pulvinar.ingest.drop_folder import DropFolder

    if not folder.is_dir():
        raise NotFound(f"there is no folder {folder}")
    with opened() as platform:
        drop = DropFolder(means_of(platform), folder, request, quiet_s=quiet_s)
        while True:
            drop.look(say=lambda line: print(line, flush=True))
            if once:
                return
            time.sleep(min(max(quiet_s / 4, 0.2), _WATCH_S))


def receive() -> None:
    """`pulvinar receive`."""
    from pulvinar.cli.verbs import means_of, opened
    from pulvinar.ingest.uploads.work import do_waiting
    from pulvinar.platform import landing_of

    with opened() as platform:
        do_waiting(landing_of(platform), means_of(platform))


@contextmanager
def receiving(platform: Platform) -> Iterator[None]:
    """Within it what is handed in is looked at and brought in, by a process of its own whenever something waits."""
    over = threading.Event()
    watcher = threading.Thread(target=_watch, args=(platform, over), name="receiving", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


def _watch(platform: Platform, over: threading.Event) -> None:
    from pulvinar.errors import Unavailable
    from pulvinar.ingest.uploads.work import anything_to_do, sweep_expired
    from pulvinar.platform import landing_of

    code = "from pulvinar.ingest.landlock import die_with_parent as d; d(); from pulvinar.cli import main; main()"
    swept = -_SWEEP_S
    while not over.wait(_LOOK_S):
        try:
            if time.monotonic() - swept > _SWEEP_S:
                sweep_expired(landing_of(platform))
                swept = time.monotonic()
            if not anything_to_do(platform.database):
                continue
        except Unavailable:
            # the database is away for a while; whoever asks for a page is told
            continue
        worker = subprocess.Popen([sys.executable, "-c", code, "receive"], stdin=subprocess.DEVNULL)
        while worker.poll() is None and not over.wait(_LOOK_S / 4):
            pass
        worker.terminate()
        worker.wait()
