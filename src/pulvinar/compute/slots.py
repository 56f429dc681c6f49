"""Slots: the places of an engine in which one block runs at a time, and whether a plan fits them."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pulvinar.errors import Invalid, TooLarge
from pulvinar.model.plan import Need, Plan, Step, smaller_by

_GB = 1e9
_MEMORY_SHARE = 0.7
"""Of the machine's memory, what its default slots share: the rest is for the server, the database and the caches."""
_SLOT = re.compile(
    r"(?:(?P<name>[a-z][a-z0-9_]*):)?(?P<count>\d+)x(?P<memory>\d+(?:\.\d+)?)GB"
    r"(?:\+(?P<cpus>\d+)cpu)?(?:\+(?P<gpus>\d+)gpu)?"
)


@dataclass(frozen=True)
class Slot:
    """`count` places of one kind, each with so much memory, so many cores and GPUs."""

    name: str
    count: int
    memory_bytes: int
    cpus: int = 1
    gpus: int = 0

    def takes(self, need: Need) -> bool:
        """Whether one block fits. A place with a GPU is kept for what needs one."""
        return (
            need.memory_bytes <= self.memory_bytes
            and need.cpus <= self.cpus
            and need.gpus <= self.gpus
            and bool(need.gpus) == bool(self.gpus)
        )

    @property
    def in_words(self) -> str:
        """For a person: "8 slots of 4 GB, 1 core"."""
        text = f"{self.count} {'slot' if self.count == 1 else 'slots'} of {self.memory_bytes / _GB:g} GB"
        text += f", {self.cpus} {'core' if self.cpus == 1 else 'cores'}"
        return text + (f", {self.gpus} GPU" if self.gpus else "")


def parse_slots(text: str) -> tuple[Slot, ...]:
    """The slots that a setting names, as "2x4GB large:1x16GB+4cpu gpu:1x8GB+1gpu"; of this machine when it is empty.

    Raises `Invalid` for what is no slot, and for two of one name.
    """
    if not text.strip():
        return (slots_of_this_machine(),)
    slots = []
    for part in text.split():
        found = _SLOT.fullmatch(part)
        if not found or not int(found["count"]):
            raise Invalid(
                f"{part!r} is no slot of an engine",
                hint="write name:COUNTxMEMORY, as 2x4GB, large:1x16GB+4cpu or gpu:1x8GB+1gpu, with blanks between",
            )
        name = found["name"] or "standard"
        memory = int(float(found["memory"]) * _GB)
        slots.append(Slot(name, int(found["count"]), memory, int(found["cpus"] or 1), int(found["gpus"] or 0)))
    if len({slot.name for slot in slots}) != len(slots):
        raise Invalid(f"two slots of an engine have one name: {text}", hint="give each another name")
    return tuple(sorted(slots, key=lambda slot: (slot.gpus, slot.memory_bytes, slot.cpus)))


def slots_of_this_machine() -> Slot:
    """A slot for each core of this machine, which share most of its memory."""
    cores = len(os.sched_getaffinity(0))
    return Slot("standard", cores, int(_MEMORY_SHARE * _memory_bytes() / cores))


def _memory_bytes() -> int:
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for place in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            total = min(total, int(Path(place).read_text("ascii")))
        except (OSError, ValueError):
            continue
    return total


def slot_for(need: Need, slots: Sequence[Slot]) -> Slot | None:
    """The smallest of `slots`, which are sorted, that takes `need`; None when none does."""
    return next((slot for slot in slots if slot.takes(need)), None)


def bigger_slot(slot: Slot, need: Need, slots: Sequence[Slot]) -> Slot | None:
    """The smallest slot with more memory than `slot` that takes `need`; None when there is none."""
    larger = [one for one in slots if one.memory_bytes > slot.memory_bytes and one.takes(need)]
    return larger[0] if larger else None


def check_fits(plan: Plan, slots: Sequence[Slot], engine: str) -> None:
    """Raise `TooLarge` when a block of `plan` fits no slot, with the worst step, its need, and what would help."""
    misfits = [step for step in plan.steps if slot_for(step.need, slots) is None]
    if not misfits:
        return
    worst = max(misfits, key=lambda step: _shortage(step.need, slots))
    offered = "; ".join(f"{slot.name}: {slot.in_words}" for slot in slots)
    raise TooLarge(
        f"step {worst.name!r} takes {_need_in_words(worst.need)} for a block, and engine {engine!r} has no slot "
        f"for that ({offered})",
        hint=", or ".join(_remedies(worst, slots)),
    )


def _shortage(need: Need, slots: Sequence[Slot]) -> tuple[float, float, float]:
    return (
        need.gpus / max(1, max(slot.gpus for slot in slots)),
        need.memory_bytes / max(slot.memory_bytes for slot in slots),
        need.cpus / max(slot.cpus for slot in slots),
    )


def _need_in_words(need: Need) -> str:
    text = f"{need.memory_bytes / _GB:.3g} GB, {need.cpus} {'core' if need.cpus == 1 else 'cores'}"
    return text + (f" and {need.gpus} GPU" if need.gpus else "")


def _remedies(step: Step, slots: Sequence[Slot]) -> list[str]:
    """What would make a step fit, the cheapest first."""
    need, remedies = step.need, []
    alike = [slot for slot in slots if bool(slot.gpus) == bool(need.gpus)]
    if alike and max(slot.cpus for slot in alike) >= need.cpus and max(slot.gpus for slot in alike) >= need.gpus:
        largest = max(alike, key=lambda slot: slot.memory_bytes)
        share = smaller_by(need, largest.memory_bytes)
        if share and step.size_parameter:
            remedies.append(f"make its blocks smaller: {step.size_parameter} at {share:.0%} of what it is, or less")
        together = largest.count * largest.memory_bytes
        if together >= need.memory_bytes and largest.count > 1:
            fewer = together // need.memory_bytes
            remedies.append(
                f"have fewer workers with more memory each: {largest.name}:{fewer}x{together / fewer / _GB:.3g}GB"
            )
    wanted = f"1x{need.memory_bytes / _GB * 1.05:.3g}GB"
    wanted += (f"+{need.cpus}cpu" if need.cpus > 1 else "") + (f"+{need.gpus}gpu" if need.gpus else "")
    return [*remedies, f"add a bigger slot to the setting engine_slots: {'gpu' if need.gpus else 'large'}:{wanted}"]
