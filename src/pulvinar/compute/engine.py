"""The one protocol behind which every engine stands, and what passes through it.

An engine runs batches of blocks in slots. It keeps nothing: what is done is in the ledger, so an engine that dies costs
the blocks that were under way. No solution knows which engine runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from pulvinar.compute.slots import Slot
from pulvinar.extensions import Registry
from pulvinar.model.job import FailureKind


@dataclass(frozen=True)
class MadeObject:
    """An object that a block has stored: of which output, its path there, its size and its SHA-256 in hex."""

    output: str
    path: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class BlockResult:
    """What came of a block: JSON `values` for the next step, the `objects` that it has stored whole, and `details` of
    outputs that are known now."""

    values: Mapping[str, Any] = field(default_factory=dict)
    objects: tuple[MadeObject, ...] = ()
    details: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def result_to_json(result: BlockResult) -> dict[str, Any]:
    """`result` as JSON values."""
    objects = [[one.output, one.path, one.size_bytes, one.sha256] for one in result.objects]
    return {"values": dict(result.values), "objects": objects, "details": dict(result.details)}


def result_from_json(values: dict[str, Any]) -> BlockResult:
    """The result that `result_to_json` wrote."""
    return BlockResult(values["values"], tuple(MadeObject(*one) for one in values["objects"]), values["details"])


class BlockTask(Protocol):
    """What is done to each block of a step: picklable, and idempotent for a block."""

    def __call__(self, index: int) -> BlockResult:
        """Do block `index`."""


@dataclass(frozen=True)
class Batch:
    """Blocks that run one after the other in one slot. `timeout_s` is for each."""

    id: str
    task: BlockTask
    blocks: tuple[int, ...]
    timeout_s: float = 3600.0


@dataclass(frozen=True)
class BlockDone:
    """A block has ended well, after `wall_s` seconds and `cpu_s` of processor time."""

    batch_id: str
    block: int
    result: BlockResult
    wall_s: float
    cpu_s: float


@dataclass(frozen=True)
class BlockFailed:
    """A block has ended otherwise. `message` is one line for a person, `log` what its author needs."""

    batch_id: str
    block: int
    kind: FailureKind
    message: str
    log: str = ""
    wall_s: float = 0.0


@dataclass(frozen=True)
class BlockSaid:
    """A line for the log of the job."""

    batch_id: str
    block: int
    text: str


@dataclass(frozen=True)
class BatchEnded:
    """Nothing more comes of a batch: its slot is free. Blocks that were not told of did not run."""

    batch_id: str


Told = BlockDone | BlockFailed | BlockSaid | BatchEnded


class Engine(Protocol):
    """Runs batches. Used from one thread; `Unavailable` is raised by any verb once the engine itself is gone."""

    slots: tuple[Slot, ...]
    """What it offers, the smallest first."""

    def submit(self, batch: Batch, slot: str) -> None:
        """Run `batch` in the next free slot of that name; returns at once."""

    def tell(self, timeout_s: float) -> Sequence[Told]:
        """What has happened since the last call, in order within a batch; waits up to `timeout_s` for something."""

    def stop(self, batch_id: str, *, grace_s: float) -> None:
        """Let the block that is under way end, for up to `grace_s`, and begin no other of this batch."""

    def offered(self) -> Mapping[str, int]:
        """How many slots of each name are there right now."""

    def close(self) -> None:
        """End everything."""


@dataclass(frozen=True)
class EngineOptions:
    """What a setting says of an engine: its name, its slots, where it may write, and what a cluster wants to know.

    `address` is that of a Dask scheduler that runs already, `keys` the folder of the keys that it asks for. `nodes` is
    the number of pilot jobs on Slurm, each with all the slots.
    """

    name: str = "local"
    slots: tuple[Slot, ...] = ()
    scratch: Path = Path()
    address: str = ""
    keys: Path | None = None
    partition: str = ""
    account: str = ""
    walltime: str = "24:00:00"
    nodes: int = 1


class OpenEngine(Protocol):
    """What the entry point group `pulvinar.engine` names."""

    def __call__(self, options: EngineOptions) -> Engine:
        """Start an engine, or find one. Raises `Unavailable`."""


def open_engine(options: EngineOptions) -> Engine:
    """The engine that `options` name. Raises `NotFound` for an unknown one, `Unavailable` when it does not start."""
    registry: Registry[OpenEngine] = Registry("engine")
    return registry[options.name](options)
