"""The default engine: Dask on this machine, its scheduler and its workers in processes of their own."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from pulvinar.compute.engine import EngineOptions
from pulvinar.compute.engines.dask_engine import DaskEngine, worker_threads
from pulvinar.compute.engines.dask_scheduler import SchedulerProcess, end_all, new_folder
from pulvinar.compute.slots import Slot


class LocalCluster:
    """A scheduler, and for each kind of slot one process that starts its workers and replaces those that die."""

    def __init__(self, slots: tuple[Slot, ...], folder: Path) -> None:
        self._scheduler = SchedulerProcess(folder, "127.0.0.1")
        self.address = self._scheduler.address
        self.security = self._scheduler.security
        self._workers: dict[Slot, subprocess.Popen[bytes]] = {}
        for slot in slots:
            self._start_workers(slot)

    def _start_workers(self, slot: Slot) -> None:
        options = ["--nworkers", str(slot.count), "--nthreads", "1", "--memory-limit", "0", "--host", "127.0.0.1"]
        options += ["--resources", f"{slot.name}=1", "--local-directory", str(self._scheduler.folder)]
        self._workers[slot] = self._scheduler.start("worker", worker_threads(slot), *options)

    def tend(self) -> None:
        """Start workers again whose keeper has died. Raises `Unavailable` when the scheduler has."""
        self._scheduler.check()
        for slot, process in self._workers.items():
            if process.poll() is not None:
                self._start_workers(slot)

    def close(self) -> None:
        """End the workers and the scheduler."""
        end_all(*self._workers.values())
        self._scheduler.close()
        shutil.rmtree(self._scheduler.folder, ignore_errors=True)


def open_engine(options: EngineOptions) -> DaskEngine:
    """Dask on this machine."""
    return DaskEngine(LocalCluster(options.slots, new_folder(options.scratch)), options.slots)
