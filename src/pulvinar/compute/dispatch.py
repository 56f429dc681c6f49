"""Who gets the next free slot: the highest priority, and within it who has had the least."""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from pulvinar.compute.engine import Batch, Told
from pulvinar.compute.execution import Execution
from pulvinar.compute.slots import Slot

_HALF_LIFE_S = 3600.0
"""What somebody took an hour ago counts half."""
_AHEAD = 2
"""So many batches a slot are given out: one that runs, and one that waits at the worker for its end.

Only where all end soon: behind a long one somebody else would wait for nothing, and what the slot then saves is little.
"""


@dataclass(frozen=True)
class Quotas:
    """The most cores that one user's and one project's batches hold at a time; 0: as many as there are."""

    user_cores: int = 0
    project_cores: int = 0


@dataclass
class FairShare:
    """Core seconds that each user took, those of long ago counting less."""

    taken: dict[str, float] = field(default_factory=dict)
    _at: float = field(default_factory=time.monotonic)

    def charge(self, actor_id: str, core_s: float) -> None:
        """Add what a user took."""
        now = time.monotonic()
        faded = math.exp2((self._at - now) / _HALF_LIFE_S)
        self.taken = {name: amount * faded for name, amount in self.taken.items()}
        self._at = now
        self.taken[actor_id] = self.taken.get(actor_id, 0.0) + core_s

    def of(self, actor_id: str) -> float:
        """What a user took."""
        return self.taken.get(actor_id, 0.0)


class Dispatcher:
    """Gives batches of executions to slots."""

    def __init__(self, slots: Collection[Slot], quotas: Quotas, fair_share: FairShare) -> None:
        self._slots = slots
        self._quotas = quotas
        self._fair_share = fair_share

    def next_batches(
        self, executions: Collection[Execution], offered: Mapping[str, int], given: Mapping[str, int]
    ) -> list[tuple[Slot, Batch, Execution]]:
        """Batches for the slots that are free or soon will be; `given` counts batches under way by slot.

        Every slot serves first those for whom it is the smallest, and is lent to others while it would stand idle.
        """
        counts, chosen = dict(given), []
        for lend in (False, True):
            for slot in self._slots:
                while counts.get(slot.name, 0) < _ahead(executions, slot, lend=lend) * offered.get(slot.name, 0):
                    found = self._next(executions, slot, offered[slot.name], lend=lend)
                    if found is None:
                        break
                    chosen.append((slot, *found))
                    counts[slot.name] = counts.get(slot.name, 0) + 1
        return chosen

    def _next(
        self, executions: Collection[Execution], slot: Slot, count: int, *, lend: bool
    ) -> tuple[Batch, Execution] | None:
        cores, taken = _cores_held(executions), self._taken(executions)
        in_turn = sorted(
            (one for one in executions if self._allowed(one, slot, cores)),
            key=lambda one: (-one.job.priority, taken[one.job.actor.id], one.running, one.job.id),
        )
        for execution in in_turn:
            batch = execution.want(slot, count, lend=lend)
            if batch is not None:
                return batch, execution
        return None

    def _taken(self, executions: Collection[Execution]) -> Mapping[str, float]:
        """Core seconds by user: those that blocks told of, and those that batches under way hold."""
        taken: dict[str, float] = {}
        for one in executions:
            actor_id = one.job.actor.id
            taken[actor_id] = taken.get(actor_id, self._fair_share.of(actor_id)) + one.pending_core_s
        return taken

    def hear(self, execution: Execution, told: Told) -> None:
        """Have an execution take in what became of a batch, and charge its user for what that took."""
        core_s = execution.hear(told)
        if core_s:
            self._fair_share.charge(execution.job.actor.id, core_s)

    def _allowed(self, one: Execution, slot: Slot, cores: Mapping[tuple[str, str], int]) -> bool:
        quotas = self._quotas
        user, project = cores.get(("user", one.job.actor.id), 0), cores.get(("project", one.job.project), 0)
        return (not quotas.user_cores or user + slot.cpus <= quotas.user_cores) and (
            not quotas.project_cores or not one.job.project or project + slot.cpus <= quotas.project_cores
        )


def _ahead(executions: Collection[Execution], slot: Slot, *, lend: bool) -> int:
    return _AHEAD if not lend and all(one.is_brief(slot) for one in executions) else 1


def _cores_held(executions: Collection[Execution]) -> dict[tuple[str, str], int]:
    held: dict[tuple[str, str], int] = {}
    for one in executions:
        for key in (("user", one.job.actor.id), ("project", one.job.project)):
            held[key] = held.get(key, 0) + one.cores
    return held
