"""The extension point `pulvinar.solution`: what an author writes, and what a block works with."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Protocol

from pulvinar.atlases.installed import Installed, OpenAtlas, grids_in
from pulvinar.compute.engine import BlockResult, MadeObject, result_from_json
from pulvinar.errors import NotFound
from pulvinar.extensions import Registry
from pulvinar.model.atlas import AtlasPart
from pulvinar.model.dataset import Asset
from pulvinar.model.plan import Block, Plan, Step
from pulvinar.model.solution import SolutionDescription, Value
from pulvinar.model.volume import Volume, volume_from_json
from pulvinar.storage.external import ExternalSources, S3Access
from pulvinar.storage.external_volume import open_asset_volume
from pulvinar.storage.store import Store, open_store
from pulvinar.storage.volumes import ReadableVolume


@dataclass(frozen=True)
class Asked:
    """What a job is asked for: its inputs by their names, those left out missing, every parameter, and the atlases that
    inputs are templates of."""

    inputs: Mapping[str, Asset]
    parameters: Mapping[str, Value]
    atlases: Mapping[str, Installed] = field(default_factory=dict)

    def several(self, name: str) -> list[str]:
        """The names under which the assets of an input that takes several were given, in order."""
        given = (one for one in self.inputs if one.partition(".")[0] == name)
        return sorted(given, key=lambda one: int(one.partition(".")[2]))

    def template(self, name: str) -> tuple[Volume, AtlasPart]:
        """The template that an input is, and the part of its atlas that says where it lies."""
        asset = self.inputs[name]
        (part,) = (one for one in self.atlases[name].atlas.parts if one.asset_id == asset.id)
        return volume_from_json(asset.details["volume"]), part


class Solution(Protocol):
    """A processing. It is made once a process, without arguments, and keeps nothing between blocks.

    A step named in the plan is run block by block, anywhere and in any order, perhaps more than once: a block that is
    run again must store the same bytes under the same names.
    """

    description: SolutionDescription

    def plan(self, asked: Asked) -> Plan:
        """What is to be done, with what it needs; reads no voxel. Raises `Invalid` for inputs that don't do."""

    def run(self, step: Step, block: Block, desk: Desk) -> BlockResult:
        """Do one block of a step."""


@cache
def solutions() -> Registry[type[Solution]]:
    """The solutions that are installed."""
    return Registry("solution")


@cache
def find_solution(name: str) -> Solution:
    """The solution of that name. Raises `NotFound`, and `Unavailable` for one that does not load."""
    return solutions()[name]()


def describe_all() -> tuple[SolutionDescription, ...]:
    """The descriptions of all solutions that load."""
    return tuple(kind().description for kind in solutions().working().values())


@dataclass(frozen=True)
class Places:
    """Where a worker finds bytes: the store, and what of others' may be read. It holds keys, so it is shown nowhere."""

    store_url: str
    s3: S3Access
    external: str = ""
    external_private: bool = False

    def __repr__(self) -> str:
        return f"Places({self.store_url!r})"


@cache
def store_at(places: Places) -> Store:
    """The platform's store."""
    s3 = places.s3
    return open_store(
        places.store_url, endpoint=s3.endpoint, access_key=s3.access_key, secret_key=s3.secret_key, region=s3.region
    )


@dataclass(frozen=True)
class Desk:
    """What one block works with: what was asked, where outputs go, and what the steps before gave.

    It travels to workers, so it holds values and no open thing. `outputs` are asset identifiers by output,
    `result_keys` say where in the store the results of each step before lie, by its name in the order of steps.
    """

    job_id: str
    asked: Asked
    outputs: Mapping[str, str]
    places: Places
    result_keys: Mapping[str, str] = field(default_factory=dict)

    @property
    def store(self) -> Store:
        """The platform's store."""
        return store_at(self.places)

    def asset(self, name: str) -> Asset:
        """The input of that name. Raises `NotFound` where it was left out."""
        if name not in self.asked.inputs:
            raise NotFound(f"the job has no input {name!r}")
        return self.asked.inputs[name]

    def open_volume(self, name: str) -> ReadableVolume:
        """The volume of an input, wherever its bytes are."""
        sources = ExternalSources(self.places.external, private=self.places.external_private, s3=self.places.s3)
        return open_asset_volume(self.store, sources, self.asset(name))

    def atlas(self, name: str) -> OpenAtlas:
        """The atlas that an input is a template of. Raises `NotFound` where the input was left out."""
        if name not in self.asked.atlases:
            raise NotFound(f"the job has no atlas as its input {name!r}")
        cache = grids_in(Path(tempfile.gettempdir()) / "pulvinar-atlases")
        return OpenAtlas(self.asked.atlases[name], self.store, cache)

    def put(self, output: str, path: str, data: bytes) -> MadeObject:
        """Store an object of an output, whole or not at all; name it in the block's result."""
        self.store.put_bytes(self._key(output, path), data)
        return MadeObject(output, path, len(data), hashlib.sha256(data).hexdigest())

    def put_file(self, output: str, path: str, file: Path) -> MadeObject:
        """The same with the bytes of a local file, which is gone afterwards."""
        with file.open("rb") as opened:
            digest, size = hashlib.file_digest(opened, "sha256").hexdigest(), file.stat().st_size
        self.store.put_file(self._key(output, path), file)
        return MadeObject(output, path, size, digest)

    def file_for(self, output: str, path: str, scratch: Path) -> Path:
        """A new path for `put_file`, where that costs the least."""
        return self.store.scratch_for(self._key(output, path), scratch)

    def prefix(self, output: str) -> str:
        """Where the objects of an output lie in the store."""
        return output_prefix(self.outputs[output])

    def _key(self, output: str, path: str) -> str:
        return f"{self.prefix(output)}/{path}"

    def results(self, step: str = "") -> Iterator[tuple[int, BlockResult]]:
        """What the blocks of a step before this one gave (of the last by default), in their order; those that were lost
        are left out."""
        key = self.result_keys[step or list(self.result_keys)[-1]] if self.result_keys else ""
        if key:
            for line in self.store.read(key).splitlines():
                index, values = json.loads(line)
                yield index, result_from_json(values)


def output_prefix(asset_id: str) -> str:
    """Where the objects of an asset that a job makes lie in the store."""
    return f"assets/{asset_id}"


@dataclass(frozen=True)
class SolutionTask:
    """One step of a job, as engines run it."""

    solution: str
    step: Step
    desk: Desk

    def __call__(self, index: int) -> BlockResult:
        """Do block `index`."""
        return find_solution(self.solution).run(self.step, self.step.block(index), self.desk)
