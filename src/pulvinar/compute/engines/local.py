"""The default engine: Dask on this machine, its scheduler and its workers in processes of their own."""

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

from pulvinar.compute.engine import EngineOptions
from pulvinar.compute.engines.dask_engine import DASK_SETTINGS, DaskEngine
from pulvinar.compute.engines.dask_security import new_keys, security_of
from pulvinar.compute.slots import Slot
from pulvinar.errors import Unavailable
from pulvinar.model.identity import new_id

_START_S = 60
_END_S = 3
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


class LocalCluster:
    """A scheduler, and for each kind of slot one process that starts its workers and replaces those that die."""

    def __init__(self, slots: tuple[Slot, ...], folder: Path) -> None:
        self._folder = folder
        self._slots = slots
        self._environment = {**os.environ, **DASK_SETTINGS, **new_keys(folder)}
        self.security = security_of(folder)
        self._scheduler = self._start("scheduler", {}, "--host", "127.0.0.1", "--port", "0", "--protocol", "tls")
        self._workers: dict[Slot, subprocess.Popen[bytes]] = {}
        try:
            self.address = self._scheduler_address()
        except Unavailable:
            self.close()
            raise
        for slot in slots:
            self._start_workers(slot)

    @property
    def scheduler_pid(self) -> int:
        """The process number of the scheduler."""
        return self._scheduler.pid

    def _start(self, command: str, environment: Mapping[str, str], *options: str) -> subprocess.Popen[bytes]:
        file = str(self._folder / "scheduler.json")
        words = [sys.executable, "-m", "pulvinar.compute.engines.dask_process", command, "--scheduler-file", file]
        with (self._folder / f"{command}.log").open("ab") as log:
            return subprocess.Popen(
                [*words, "--no-dashboard", *options],
                env={**self._environment, **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def _scheduler_address(self) -> str:
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline:
            with suppress(OSError, ValueError):
                return str(json.loads((self._folder / "scheduler.json").read_text("utf-8"))["address"])
            if self._scheduler.poll() is not None:
                break
            time.sleep(0.05)
        log = (self._folder / "scheduler.log").read_text("utf-8", errors="replace")[-500:]
        raise Unavailable(f"Dask's scheduler does not start: {log}")

    def _start_workers(self, slot: Slot) -> None:
        options = ["--nworkers", str(slot.count), "--nthreads", "1", "--memory-limit", "0", "--host", "127.0.0.1"]
        options += ["--resources", f"{slot.name}=1", "--local-directory", str(self._folder)]
        threads = dict.fromkeys(_THREADS, str(slot.cpus))
        self._workers[slot] = self._start("worker", threads, *options)

    def tend(self) -> None:
        """Start workers again whose keeper has died. Raises `Unavailable` when the scheduler has."""
        if self._scheduler.poll() is not None:
            raise Unavailable(f"Dask's scheduler has died (exit status {self._scheduler.returncode})")
        for slot, process in self._workers.items():
            if process.poll() is not None:
                self._start_workers(slot)

    def close(self) -> None:
        """End the workers and the scheduler."""
        processes = [*self._workers.values(), self._scheduler]
        for process in processes:
            process.terminate()
        deadline = time.monotonic() + _END_S
        for process in processes:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)


def open_engine(options: EngineOptions) -> DaskEngine:
    """Dask on this machine."""
    folder = options.scratch / new_id("engine")
    return DaskEngine(LocalCluster(options.slots, folder), options.slots)
