"""Dask whose scheduler runs already, as on Kubernetes: whoever runs it starts its workers and replaces those that die.

A worker says which slot it is by one resource of that name: `dask worker ADDRESS --nthreads 1 --resources standard=1`.
"""

from __future__ import annotations

from distributed.security import Security

from pulvinar.compute.engine import EngineOptions
from pulvinar.compute.engines.dask_engine import DaskEngine
from pulvinar.compute.engines.dask_security import security_of
from pulvinar.errors import Invalid


class RunningCluster:
    """Processes that are somebody else's business."""

    def __init__(self, address: str, security: Security) -> None:
        self.address = address
        self.security = security

    def tend(self) -> None:
        """Whoever runs it tends it."""

    def close(self) -> None:
        """It goes on."""


def open_engine(options: EngineOptions) -> DaskEngine:
    """The scheduler at `options.address`. Raises `Invalid` without one, `Unavailable` when it does not answer."""
    if not options.address:
        raise Invalid("the engine dask needs the address of a scheduler", hint="set PULVINAR_ENGINE_ADDRESS")
    security = security_of(options.keys) if options.keys else Security()
    return DaskEngine(RunningCluster(options.address, security), options.slots)
