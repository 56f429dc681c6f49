"""The part of the Dask engines that runs in a worker process: one slot, one thread, one block at a time.

What is told travels as Dask events, gathered for a moment, so that the block of a killed worker is known, and all that
ended before it is not done again.
"""

from __future__ import annotations

import os
import pickle
import threading
import time
from dataclasses import dataclass
from typing import Any

from distributed import Worker, WorkerPlugin, get_worker

from pulvinar.compute.batches import Watch, run_batch
from pulvinar.compute.engine import Batch, BatchEnded, BlockFailed, Told

_GATHER_S = 0.05
_QUIET_S = 0.5
"""How often a worker of which nothing is to be told looks whether its scheduler is there."""
_LAST_WORDS_S = 0.3
_GIVEN_UP = 99
"""The exit status of a worker that ended itself with its block."""


@dataclass(frozen=True)
class BatchBegun:
    """A worker has taken up a batch: what becomes of the worker now is that batch's business."""

    batch_id: str


Message = Told | BatchBegun


class SlotPlugin(WorkerPlugin):  # type: ignore[misc]
    """Makes a worker a slot: `memory_bytes` by the name of its one resource."""

    name = "pulvinar-slot"

    def __init__(self, memory_bytes: dict[str, int], topic: str) -> None:
        self._memory_bytes = memory_bytes
        self._topic = topic

    def setup(self, worker: Worker) -> None:
        """Begin to watch."""
        name = next(iter(worker.state.total_resources), "")
        teller = Teller(worker, self._topic)
        limit = self._memory_bytes.get(name, 1 << 62)
        worker.pulvinar_teller = teller
        worker.pulvinar_watch = Watch(limit, lambda failure: _give_up(teller, failure))


def _give_up(teller: Teller, failure: BlockFailed) -> None:
    teller.tell(failure)
    teller.flush()
    # the worker's event loop sends it; whatever holds that up does not keep the block alive
    time.sleep(_LAST_WORDS_S)
    os._exit(_GIVEN_UP)


class Teller:
    """Sends what happens to whoever has subscribed, a message for all that happened within a moment."""

    def __init__(self, worker: Worker, topic: str) -> None:
        self._worker = worker
        self._topic = topic
        self._gathered: list[Message] = []
        self._locked = threading.Lock()
        self._any = threading.Event()
        threading.Thread(target=self._send_what_is_gathered, name="teller", daemon=True).start()

    def tell(self, told: Message) -> None:
        """Send it within the moment."""
        with self._locked:
            self._gathered.append(told)
        self._any.set()

    def flush(self) -> None:
        """Send what is gathered."""
        with self._locked:
            if self._gathered:
                self._worker.log_event(self._topic, pickle.dumps(self._gathered))
                self._gathered = []

    def _send_what_is_gathered(self) -> None:
        was_open = False
        while True:
            if self._any.wait(_QUIET_S):
                time.sleep(_GATHER_S)
                self._any.clear()
            self.flush()
            is_open = not self._worker.batched_stream.closed()
            if was_open and not is_open:
                # nobody hears any more of what runs here, and somebody else is about to do it again
                os._exit(_GIVEN_UP)
            was_open = is_open


def run_here(batch: Batch) -> None:
    """Run `batch` in this worker. What is told comes in order: that it begins, what became of its blocks, its end."""
    worker: Any = get_worker()
    teller: Teller = worker.pulvinar_teller
    teller.tell(BatchBegun(batch.id))
    teller.flush()
    run_batch(batch, teller.tell, worker.pulvinar_watch)
    teller.tell(BatchEnded(batch.id))
    teller.flush()


async def stop_here(batch_id: str, grace_s: float, dask_worker: Any = None) -> None:
    """Stop a batch, should it run in this worker; Dask gives `dask_worker`, and waits only for what is no coroutine."""
    dask_worker.pulvinar_watch.stop(batch_id, grace_s)
