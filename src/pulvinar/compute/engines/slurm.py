"""Dask on Slurm: a pilot job for each node and kind of slot, by dask-jobqueue, and a scheduler beside the runner.

A Slurm job takes a second to start, so none is made for a block: pilots hold a node's slots, and Dask fills them. A
pilot that ends, by its walltime or with its node, is put into Slurm's queue anew. The scratch folder must be one that
all nodes see: it holds the keys without which nobody reaches the scheduler.
"""

from __future__ import annotations

import asyncio
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from pulvinar.compute.engine import EngineOptions
from pulvinar.compute.engines.dask_engine import DASK_SETTINGS, DaskEngine, worker_threads
from pulvinar.compute.engines.dask_scheduler import SchedulerProcess, new_folder
from pulvinar.compute.slots import Slot
from pulvinar.errors import Unavailable
from pulvinar.model.identity import new_id

_interrupted = signal.getsignal(signal.SIGINT)
from dask_jobqueue.slurm import SLURMJob  # noqa: E402

# to import it takes Ctrl+C away from whoever runs this process, and who lets jobs end in peace
if _interrupted is not None:
    signal.signal(signal.SIGINT, _interrupted)

_LOOK_S = 5.0
_ORPHANED_S = 60
"""A pilot that finds no scheduler for so long ends itself."""
_QUICK_S = 30.0
_MOST_QUICK_ENDS = 5


@dataclass
class _Pilot:
    slot: Slot
    job: SLURMJob
    began: float


class SlurmCluster:
    """A scheduler in this machine, and pilots on nodes."""

    def __init__(self, options: EngineOptions) -> None:
        if shutil.which("sbatch") is None:
            raise Unavailable("there is no Slurm here: sbatch is not found", hint="run on a node that can submit jobs")
        self._options = options
        self._scheduler = SchedulerProcess(new_folder(options.scratch), options.address)
        self.address = self._scheduler.address
        self.security = self._scheduler.security
        self._pilots: list[_Pilot] = []
        self._looked = time.monotonic()
        self._quick_ends = 0
        try:
            for slot in options.slots:
                for _ in range(options.nodes):
                    self._submit(slot)
        except Unavailable:
            self.close()
            raise

    def _submit(self, slot: Slot) -> None:
        job = self._pilot(slot)
        try:
            asyncio.run(_started(job))
        except (RuntimeError, ValueError, OSError) as error:
            raise Unavailable(f"Slurm takes no pilot for slot {slot.name!r}: {error}") from error
        self._pilots.append(_Pilot(slot, job, time.monotonic()))

    def _pilot(self, slot: Slot) -> SLURMJob:
        folder = self._scheduler.folder
        settings = {**DASK_SETTINGS, **self._scheduler.keys, **worker_threads(slot)}
        gpus = [f"--gres=gpu:{slot.gpus * slot.count}"] if slot.gpus else []
        return SLURMJob(
            scheduler=self.address,
            name=new_id("pilot"),
            job_name=f"pulvinar-{slot.name}",
            queue=self._options.partition or None,
            account=self._options.account or None,
            walltime=self._options.walltime,
            cores=slot.count,
            processes=slot.count,
            job_cpu=slot.count * slot.cpus,
            memory=f"{slot.count * slot.memory_bytes} B",
            nanny=True,
            protocol="tls://",
            death_timeout=_ORPHANED_S,
            local_directory="${TMPDIR:-/tmp}",
            log_directory=str(folder),
            python=sys.executable,
            job_extra_directives=gpus,
            job_script_prologue=[f"export {name}={shlex.quote(value)}" for name, value in settings.items()],
            worker_extra_args=["--resources", f"{slot.name}=1", "--memory-limit", "0", "--no-dashboard"],
        )

    def tend(self) -> None:
        """Submit pilots anew that have ended. Raises `Unavailable` when the scheduler is gone, or pilots don't last."""
        self._scheduler.check()
        if time.monotonic() - self._looked < _LOOK_S:
            return
        self._looked = time.monotonic()
        known = _known_to_slurm([pilot.job.job_id for pilot in self._pilots])
        if known is None:
            return
        for pilot in [pilot for pilot in self._pilots if pilot.job.job_id not in known]:
            self._pilots.remove(pilot)
            quick = time.monotonic() - pilot.began < _QUICK_S
            self._quick_ends = self._quick_ends + 1 if quick else 0
            if self._quick_ends > _MOST_QUICK_ENDS:
                raise Unavailable(
                    f"pilots end as soon as they start: see {self._scheduler.folder}",
                    hint="the nodes must see the scratch folder and this Python, and reach this machine",
                )
            self._submit(pilot.slot)

    def close(self) -> None:
        """Cancel the pilots and end the scheduler."""
        ids = [pilot.job.job_id for pilot in self._pilots]
        if ids:
            with suppress(OSError, subprocess.TimeoutExpired):
                subprocess.run(["scancel", *ids], capture_output=True, timeout=30, check=False)
        self._scheduler.close()
        shutil.rmtree(self._scheduler.folder, ignore_errors=True)


async def _started(job: SLURMJob) -> None:
    await job.start()


def _known_to_slurm(ids: Sequence[str]) -> frozenset[str] | None:
    """Those of the jobs that wait, run or are requeued; None when Slurm does not say."""
    try:
        told = subprocess.run(
            ["squeue", "-h", "-o", "%A", "-t", "PENDING,RUNNING,CONFIGURING,COMPLETING,SUSPENDED,REQUEUED"],
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return frozenset(told.stdout.split()) & frozenset(ids)


def open_engine(options: EngineOptions) -> DaskEngine:
    """Dask on Slurm."""
    cluster = SlurmCluster(options)
    return DaskEngine(cluster, tuple(replace(slot, count=slot.count * options.nodes) for slot in options.slots))
