"""Dask's scheduler as a process of its own, which nobody reaches without this cluster's keys."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from pulvinar.compute.engines.dask_engine import DASK_SETTINGS
from pulvinar.compute.engines.dask_security import new_keys, security_of
from pulvinar.errors import Unavailable
from pulvinar.model.identity import new_id
from pulvinar.storage.owner import is_alive, this_process

_START_S = 60
_END_S = 3


_OWNER = "owner"


def new_folder(scratch: Path) -> Path:
    """A new folder for the files and keys of a cluster; those of clusters whose runner has died are removed."""
    for left in scratch.glob("engine-*"):
        with suppress(OSError):
            if is_alive((left / _OWNER).read_text("utf-8")) is False:
                shutil.rmtree(left, ignore_errors=True)
    folder = scratch / new_id("engine")
    folder.mkdir(parents=True, mode=0o700)
    (folder / _OWNER).write_text(this_process(), "utf-8")
    return folder


class SchedulerProcess:
    """A scheduler that listens on `host` ("" for all of this machine's addresses) and keeps its files in `folder`.

    Raises `Unavailable` when it does not start.
    """

    def __init__(self, folder: Path, host: str) -> None:
        self.folder = folder
        self.keys = new_keys(folder)
        self.security = security_of(folder)
        listening = ["--host", host] if host else []
        self._process = self.start("scheduler", {}, "--port", "0", "--protocol", "tls", *listening)
        self.address = self._address()

    def start(self, command: str, environment: Mapping[str, str], *options: str) -> subprocess.Popen[bytes]:
        """Start one of Dask's commands, which ends with this process."""
        words = [sys.executable, "-m", "pulvinar.compute.engines.dask_process", command]
        words += ["--scheduler-file", str(self.folder / "scheduler.json"), "--no-dashboard", *options]
        with (self.folder / f"{command}.log").open("ab") as log:
            return subprocess.Popen(
                words,
                env={**os.environ, **DASK_SETTINGS, **self.keys, **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def _address(self) -> str:
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline and self._process.poll() is None:
            with suppress(OSError, ValueError):
                return str(json.loads((self.folder / "scheduler.json").read_text("utf-8"))["address"])
            time.sleep(0.05)
        end_all(self._process)
        log = (self.folder / "scheduler.log").read_text("utf-8", errors="replace")[-500:]
        raise Unavailable(f"Dask's scheduler does not start: {log}")

    def check(self) -> None:
        """Raise `Unavailable` when it has died."""
        if self._process.poll() is not None:
            raise Unavailable(f"Dask's scheduler has died (exit status {self._process.returncode})")

    def close(self) -> None:
        """End it."""
        end_all(self._process)


def end_all(*processes: subprocess.Popen[bytes]) -> None:
    """Ask processes to end, and end those that don't."""
    for process in processes:
        process.terminate()
    deadline = time.monotonic() + _END_S
    for process in processes:
        try:
            process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
