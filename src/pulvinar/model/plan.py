"""What a processing will do and need, known before it runs: steps of blocks, each block idempotent."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import prod
from typing import Any

from pulvinar.errors import Invalid
from pulvinar.model.space import Window
from pulvinar.model.volume import Shape5

_NO_HALO = (0, 0, 0, 0, 0)


class StepKind(StrEnum):
    """How a step is cut."""

    WHOLE = "whole"
    """One block that sees everything."""
    MAP = "map"
    """Many blocks of a grid, each with a halo of voxels around it, that know nothing of each other."""
    REDUCE = "reduce"
    """One block that sees the results of every block of the step before."""
    EXTERNAL = "external"
    """One block that runs a program, or a container."""


@dataclass(frozen=True)
class Need:
    """What one block takes of a worker: the most memory it has at once, its cores and GPUs, and CPU seconds expected.

    `fixed_bytes` is the part of the memory that a smaller block would not save.
    """

    memory_bytes: int
    cpus: int = 1
    gpus: int = 0
    cpu_s: float = 1.0
    fixed_bytes: int = 0


@dataclass(frozen=True)
class Block:
    """One piece of a step. `core` is what it answers for, `reach` what it may read: the core with its halo.

    Both are None where a step has no grid.
    """

    index: int
    core: Window | None = None
    reach: Window | None = None


@dataclass(frozen=True)
class BlockGrid:
    """How a volume of `shape` (t, c, z, y, x) is cut into blocks, those at the far ends smaller, with `halo` voxels to
    each side of a block that its neighbours answer for."""

    shape: Shape5
    block_shape: Shape5
    halo: Shape5 = _NO_HALO

    def __post_init__(self) -> None:
        if min(self.shape) < 1 or min(self.block_shape) < 1 or min(self.halo) < 0:
            raise Invalid(f"blocks of {self.block_shape} with a halo of {self.halo} can't cut a volume of {self.shape}")

    @property
    def counts(self) -> Shape5:
        """How many blocks an axis has."""
        t, c, z, y, x = (-(-size // side) for size, side in zip(self.shape, self.block_shape, strict=True))
        return t, c, z, y, x

    def __len__(self) -> int:
        return prod(self.counts)

    def block(self, index: int) -> Block:
        """Block `index` of those in C order of the axes. Raises `Invalid` for one that there is not."""
        if not 0 <= index < len(self):
            raise Invalid(f"there is no block {index}", hint=f"blocks are 0 to {len(self) - 1}")
        start, stop, first, last = [], [], [], []
        for size, side, halo, at in zip(self.shape, self.block_shape, self.halo, self._place(index), strict=True):
            start.append(at * side)
            stop.append(min((at + 1) * side, size))
            first.append(max(start[-1] - halo, 0))
            last.append(min(stop[-1] + halo, size))
        return Block(index, _window(start, stop), _window(first, last))

    def _place(self, index: int) -> tuple[int, ...]:
        place = []
        for count in reversed(self.counts):
            index, at = divmod(index, count)
            place.append(at)
        return tuple(reversed(place))


def _window(start: list[int], stop: list[int]) -> Window:
    return Window(tuple(start), tuple(stop))  # type: ignore[arg-type]


@dataclass(frozen=True)
class Step:
    """One step of a plan. `grid` is that of a map; `size_parameter` names the parameter that makes its blocks smaller.

    A block that has run for `timeout_s` is ended. Where the step `tolerates` lost blocks, a job can end without those
    that fail whatever is tried.
    """

    name: str
    kind: StepKind
    need: Need
    grid: BlockGrid | None = None
    size_parameter: str = ""
    timeout_s: float = 3600.0
    tolerates: bool = False

    def __post_init__(self) -> None:
        if (self.grid is not None) != (self.kind is StepKind.MAP):
            raise Invalid(f"step {self.name!r}: a map over blocks has a grid, and no other step does")

    @property
    def blocks(self) -> int:
        """How many blocks."""
        return len(self.grid) if self.grid else 1

    def block(self, index: int) -> Block:
        """Block `index`."""
        return self.grid.block(index) if self.grid else Block(index)


@dataclass(frozen=True)
class Plan:
    """Steps in their order, each begun when the one before has ended; `bytes_read` and `bytes_written` are expected."""

    steps: tuple[Step, ...]
    bytes_read: int = 0
    bytes_written: int = 0

    def __post_init__(self) -> None:
        names = [step.name for step in self.steps]
        if not names or len(set(names)) != len(names):
            raise Invalid(f"a plan has steps of different names, and this one has {names}")
        if self.steps[0].kind is StepKind.REDUCE:
            raise Invalid(f"step {names[0]!r} reduces, and no step is before it")

    @property
    def blocks(self) -> int:
        """Blocks of all steps."""
        return sum(step.blocks for step in self.steps)

    @property
    def memory_bytes(self) -> int:
        """The most that any block takes."""
        return max(step.need.memory_bytes for step in self.steps)

    @property
    def cpu_s(self) -> float:
        """CPU seconds expected in all."""
        return sum(step.need.cpu_s * step.blocks for step in self.steps)

    @property
    def gpu_s(self) -> float:
        """GPU seconds expected in all, a block taking its GPUs as long as its cores."""
        return sum(step.need.cpu_s / step.need.cpus * step.need.gpus * step.blocks for step in self.steps)


def smaller_by(need: Need, limit_bytes: int) -> float | None:
    """What a block's side must be multiplied with to fit `limit_bytes`; None where no smaller block would."""
    spare, varying = limit_bytes - need.fixed_bytes, need.memory_bytes - need.fixed_bytes
    return (spare / varying) ** (1 / 3) if spare > 0 and varying > 0 else None


def plan_to_json(plan: Plan) -> dict[str, Any]:
    """`plan` as JSON values."""
    return {
        "steps": [_step_to_json(step) for step in plan.steps],
        "bytes_read": plan.bytes_read,
        "bytes_written": plan.bytes_written,
    }


def plan_from_json(values: dict[str, Any]) -> Plan:
    """The plan that `plan_to_json` wrote."""
    return Plan(tuple(_step_from_json(step) for step in values["steps"]), values["bytes_read"], values["bytes_written"])


def _step_to_json(step: Step) -> dict[str, Any]:
    grid, need = step.grid, step.need
    return {
        "name": step.name,
        "kind": step.kind.value,
        "need": {
            "memory_bytes": need.memory_bytes,
            "cpus": need.cpus,
            "gpus": need.gpus,
            "cpu_s": need.cpu_s,
            "fixed_bytes": need.fixed_bytes,
        },
        "grid": {"shape": grid.shape, "block_shape": grid.block_shape, "halo": grid.halo} if grid else None,
        "size_parameter": step.size_parameter,
        "timeout_s": step.timeout_s,
        "tolerates": step.tolerates,
    }


def _step_from_json(values: dict[str, Any]) -> Step:
    grid = values["grid"]
    cut = BlockGrid(**{name: tuple(sizes) for name, sizes in grid.items()}) if grid else None
    return Step(**{**values, "kind": StepKind(values["kind"]), "need": Need(**values["need"]), "grid": cut})
