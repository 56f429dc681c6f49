"""What every engine on Dask shares: batches as tasks, slots as resources, and a sense for what has died."""

from __future__ import annotations

import pickle
import queue
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

from distributed import Client, Future
from distributed.comm.core import CommClosedError
from distributed.scheduler import KilledWorker
from distributed.security import Security

from pulvinar.compute.batches import in_words
from pulvinar.compute.engine import Batch, BatchEnded, BlockDone, BlockFailed, Told
from pulvinar.compute.engines.dask_worker import BatchBegun, Message, SlotPlugin, run_here, stop_here
from pulvinar.compute.slots import Slot
from pulvinar.errors import Unavailable
from pulvinar.model.identity import new_id
from pulvinar.model.job import FailureKind

_CONNECT_S = 60
_ANSWER_S = 5

DASK_SETTINGS = {
    # a batch whose worker died is ours to judge, not Dask's to try again
    "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0",
    "DASK_DISTRIBUTED__SCHEDULER__WORK_STEALING": "False",
    "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False",
    "DASK_DISTRIBUTED__ADMIN__LOW_LEVEL_LOG_LENGTH": "100",
    # every process looks at itself 50 times a second by default: with many slots on a machine that takes whole cores
    "DASK_DISTRIBUTED__ADMIN__TICK__INTERVAL": "1s",
    "DASK_DISTRIBUTED__ADMIN__TICK__LIMIT": "60s",
    "DASK_DISTRIBUTED__ADMIN__SYSTEM_MONITOR__INTERVAL": "10s",
}
"""The environment of the scheduler and of its workers."""


_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def worker_threads(slot: Slot) -> dict[str, str]:
    """The environment that has libraries use the cores of a slot, and no more."""
    return dict.fromkeys(_THREADS, str(slot.cpus))


class Cluster(Protocol):
    """The processes behind a scheduler's address."""

    address: str
    security: Security

    def tend(self) -> None:
        """Start again what has died and can be replaced. Raises `Unavailable` when the scheduler itself is gone."""

    def close(self) -> None:
        """End all of them."""


@dataclass
class _Running:
    """A batch that was given to Dask."""

    batch: Batch
    future: Future
    begun: bool = False
    stopped: bool = False
    heard: set[int] = field(default_factory=set)
    given_up: bool = False


class DaskEngine:
    """Batches as Dask tasks, each in a worker that is one slot."""

    def __init__(self, cluster: Cluster, slots: tuple[Slot, ...]) -> None:
        self.slots = slots
        self._cluster = cluster
        self._running: dict[str, _Running] = {}
        self._heard: queue.SimpleQueue[Message | str] = queue.SimpleQueue()
        try:
            self._client = Client(
                cluster.address, security=cluster.security, timeout=_CONNECT_S, set_as_default=False, name="pulvinar"
            )
            topic = new_id("told")
            self._client.subscribe_topic(topic, self._hear)
            self._client.register_plugin(SlotPlugin({slot.name: slot.memory_bytes for slot in slots}, topic))
        except (OSError, TimeoutError, CommClosedError) as error:
            cluster.close()
            raise Unavailable(f"the Dask scheduler at {cluster.address} does not answer: {error}") from error

    def _hear(self, event: tuple[float, bytes]) -> None:
        for told in pickle.loads(event[1]):
            self._heard.put(told)

    def submit(self, batch: Batch, slot: str) -> None:
        """Give `batch` to Dask."""
        self._tend()
        with _answering(self._cluster):
            future = self._client.submit(run_here, batch, key=batch.id, resources={slot: 1}, pure=False)
        self._running[batch.id] = _Running(batch, future)
        future.add_done_callback(lambda done: self._heard.put(batch.id))

    def tell(self, timeout_s: float) -> Sequence[Told]:
        """What has been heard."""
        self._tend()
        told: list[Told] = []
        with suppress(queue.Empty):
            self._take(self._heard.get(timeout=timeout_s), told)
            while True:
                self._take(self._heard.get_nowait(), told)
        return told

    def _tend(self) -> None:
        self._cluster.tend()
        if self._client.status != "running":
            raise Unavailable(f"the Dask scheduler at {self._cluster.address} is gone")

    def _take(self, message: Message | str, told: list[Told]) -> None:
        running = self._running.get(message if isinstance(message, str) else message.batch_id)
        if running is None:
            return
        if isinstance(message, str):
            self._take_end(running, told)
        elif isinstance(message, BatchBegun):
            running.begun = True
        else:
            if isinstance(message, BlockDone | BlockFailed):
                running.heard.add(message.block)
                running.given_up = isinstance(message, BlockFailed) and message.kind is not FailureKind.ERROR
            told.append(message)
            if isinstance(message, BatchEnded):
                self._forget(running)

    def _take_end(self, running: _Running, told: list[Told]) -> None:
        """A task has ended; one that went well says so itself."""
        batch, status = running.batch, running.future.status
        if status == "finished":
            return
        error = running.future.exception() if status == "error" else None
        under_way = next((index for index in batch.blocks if index not in running.heard), None)
        if error is not None and under_way is not None and not running.stopped:
            if not isinstance(error, KilledWorker):
                told.append(BlockFailed(batch.id, under_way, FailureKind.ERROR, in_words(error), repr(error)))
            elif running.begun and not running.given_up:
                said = "its worker died without a word, as when the machine's memory is full or somebody ends it"
                told.append(BlockFailed(batch.id, under_way, FailureKind.LOST, said))
        told.append(BatchEnded(batch.id))
        self._forget(running)

    def _forget(self, running: _Running) -> None:
        del self._running[running.batch.id]
        running.future.release()

    def stop(self, batch_id: str, *, grace_s: float) -> None:
        """Take the batch back from Dask where no worker has begun it, else stop it there."""
        running = self._running.get(batch_id)
        if running is None:
            return
        running.stopped = True
        # not from this thread, which would wait for a scheduler that is gone
        self._client.loop.add_callback(self._stop, running, grace_s)

    async def _stop(self, running: _Running, grace_s: float) -> None:
        with suppress(OSError, TimeoutError, CommClosedError):
            await self._client.run(stop_here, running.batch.id, grace_s, wait=False, on_error="ignore")
            if not running.begun:
                await self._client.cancel([running.future], force=True)

    def offered(self) -> Mapping[str, int]:
        """How many workers there are of each slot."""
        self._tend()
        with _answering(self._cluster):
            identity = self._client.scheduler.identity
            info: dict[str, Any] = self._client.sync(identity, n_workers=-1, callback_timeout=_ANSWER_S)
        counts = dict.fromkeys((slot.name for slot in self.slots), 0)
        for worker in info.get("workers", {}).values():
            for name in worker["resources"]:
                counts[name] = counts.get(name, 0) + 1
        return counts

    def close(self) -> None:
        """End the client and the cluster."""
        with suppress(OSError, TimeoutError, CommClosedError):
            self._client.close(timeout=2)
        self._cluster.close()


@contextmanager
def _answering(cluster: Cluster) -> Iterator[None]:
    try:
        yield
    except (OSError, TimeoutError, CommClosedError) as error:
        raise Unavailable(f"the Dask scheduler at {cluster.address} does not answer: {error}") from error
