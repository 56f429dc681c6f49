"""The engine for debugging: blocks run in this very process and thread, where a debugger sees them."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

from pulvinar.compute.batches import run_block
from pulvinar.compute.engine import Batch, BatchEnded, EngineOptions, Told
from pulvinar.compute.slots import Slot
from pulvinar.errors import Invalid


class HereEngine:
    """Runs one block whenever it is asked what has happened. It can end no block, whatever that takes."""

    def __init__(self, slots: tuple[Slot, ...]) -> None:
        self.slots = slots
        self._waiting: deque[tuple[Batch, deque[int]]] = deque()
        self._told: list[Told] = []

    def submit(self, batch: Batch, slot: str) -> None:
        """Keep `batch` until `tell` is called."""
        if slot not in {one.name for one in self.slots}:
            raise Invalid(f"this engine has no slot {slot!r}")
        self._waiting.append((batch, deque(batch.blocks)))

    def tell(self, timeout_s: float) -> Sequence[Told]:
        """Run the next block, and tell of it."""
        if self._waiting:
            batch, blocks = self._waiting[0]
            if blocks:
                self._told.append(run_block(batch, blocks.popleft(), self._told.append))
            if not blocks:
                self._waiting.popleft()
                self._told.append(BatchEnded(batch.id))
        told, self._told = self._told, []
        return told

    def stop(self, batch_id: str, *, grace_s: float) -> None:
        """Forget what has not run of the batch."""
        for item in [item for item in self._waiting if item[0].id == batch_id]:
            self._waiting.remove(item)
            self._told.append(BatchEnded(batch_id))

    def offered(self) -> Mapping[str, int]:
        """Its slots, of which one at a time is used."""
        return {slot.name: slot.count for slot in self.slots}

    def close(self) -> None:
        """Forget what has not run."""
        self._waiting.clear()


def open_engine(options: EngineOptions) -> HereEngine:
    """The in-process engine."""
    return HereEngine(options.slots)
