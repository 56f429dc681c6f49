"""A volume that a job makes: its pyramid written by blocks on any worker, and what it shows of itself at the end."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from functools import cached_property
from math import prod
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pulvinar.compute.engine import BlockResult, MadeObject
from pulvinar.ingest.assets import described_volume
from pulvinar.ingest.label_names import LabelName
from pulvinar.ingest.quality import QualityObserver
from pulvinar.ingest.reader import Finding
from pulvinar.model.plan import Block, BlockGrid, Need, Step, StepKind
from pulvinar.model.record import Species
from pulvinar.model.volume import Shape5, Volume
from pulvinar.solutions.solution import Desk
from pulvinar.storage.pyramid import Block as PyramidBlock
from pulvinar.storage.pyramid import NoLedger, PyramidPlan, plan_pyramid, write_block, write_pyramid
from pulvinar.storage.sources import VoxelSource

_LEVELS_A_STAGE = 1
"""A block then has 512 voxels a side: some seconds of work, of which an ended worker loses one."""
_FIXED_BYTES = 500_000_000
_WRITING_BYTES = 400_000_000
"""Chunks that wait for their last voxel, and encoded ones on their way."""
_WRITTEN_A_SECOND = 2e7


@dataclass(frozen=True)
class VolumeOutput:
    """The output called `output`, which is to be `volume`; its source decodes `source_block` at once.

    Its `steps` go into the plan one after the other: the first is told what level 0 is, the others halve it.
    """

    output: str
    volume: Volume
    source_block: Shape5

    @cached_property
    def _plan(self) -> PyramidPlan:
        return plan_pyramid(self.volume, self.source_block, _LEVELS_A_STAGE)

    def steps(self, source_bytes: int, voxels_a_second: float) -> tuple[Step, ...]:
        """The steps, of which the first holds `source_bytes` beside what is written and makes so many voxels."""
        found = []
        for stage in range(self._plan.blocks[-1].stage + 1):
            shape = self.volume.levels[self._base(stage)].shape
            extent = self._blocks(stage)[0].window.shape
            rate = 1 / (1 / _WRITTEN_A_SECOND + (1 / voxels_a_second if stage == 0 else 0))
            need = Need(
                _FIXED_BYTES + _WRITING_BYTES + (source_bytes if stage == 0 else 0),
                cpu_s=prod(map(min, extent, shape)) / rate,
                fixed_bytes=_FIXED_BYTES,
            )
            found.append(Step(self._name(stage), StepKind.MAP, need, BlockGrid(shape, extent)))
        return tuple(found)

    def has(self, step: Step) -> bool:
        """Whether it is one of its steps."""
        return step.name.rpartition(" ")[0] == self.output

    def needs_source(self, step: Step) -> bool:
        """Whether the step's blocks are made from level 0's source."""
        return step.name == self._name(0)

    def write(self, step: Step, block: Block, desk: Desk, source: VoxelSource | None) -> BlockResult:
        """Make one block, from `source` in the first step and from what is stored in the others."""
        stage = int(step.name.rpartition(" ")[2])
        (chosen,) = (one for one in self._blocks(stage) if one.window == block.core)
        observer = QualityObserver(self.volume.shape, self.volume.dtype)
        with TemporaryDirectory(prefix="pulvinar-") as folder:
            written = write_block(
                source,
                chosen,
                self.volume,
                desk.store,
                desk.prefix(self.output),
                scratch=Path(folder),
                observe=observer,
            )
        made = tuple(MadeObject(self.output, one.path, one.size_bytes, one.sha256) for one in written)
        return BlockResult({key: base64.b85encode(seen).decode() for key, seen in observer.pending().items()}, made)

    def described(
        self, desk: Desk, species: Species, names: tuple[LabelName, ...] = ()
    ) -> tuple[tuple[MadeObject, ...], dict[str, Any], list[Finding]]:
        """Once all is written: its documents and pictures, stored, details for the catalogue, and doubts."""
        observer = QualityObserver(self.volume.shape, self.volume.dtype)
        for _, result in desk.results(self._name(0)):
            observer.restore({key: base64.b85decode(seen) for key, seen in result.values.items()})
        files, details, doubts = described_volume(
            desk.store, desk.prefix(self.output), self.volume, observer, names, species
        )
        made = tuple(desk.put(self.output, path, data) for path, data in sorted(files.items()))
        return made, details, doubts

    def _name(self, stage: int) -> str:
        return f"{self.output} {stage}"

    def _base(self, stage: int) -> int:
        return self._blocks(stage)[0].base

    def _blocks(self, stage: int) -> list[PyramidBlock]:
        return [one for one in self._plan.blocks if one.stage == stage]


def store_volume(
    desk: Desk, output: str, source: VoxelSource, volume: Volume, species: Species
) -> tuple[tuple[MadeObject, ...], dict[str, Any]]:
    """Store a volume that one block makes whole: its objects, and details for the catalogue."""
    observer = QualityObserver(volume.shape, volume.dtype)
    plan = plan_pyramid(volume, source.block_shape)
    prefix = desk.prefix(output)
    with TemporaryDirectory(prefix="pulvinar-") as folder:
        written = write_pyramid(
            source, plan, desk.store, prefix, ledger=NoLedger(), scratch=Path(folder), threads=1, observe=observer
        )
    files, details, _ = described_volume(desk.store, prefix, volume, observer, (), species)
    objects = {one.path: MadeObject(output, one.path, one.size_bytes, one.sha256) for one in written}
    objects |= {path: desk.put(output, path, data) for path, data in files.items()}
    return tuple(objects[path] for path in sorted(objects)), details
