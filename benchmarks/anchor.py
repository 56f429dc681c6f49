"""Where do 1,000 neurons and a volume of 10 GB lie? Time and memory, with answers compared with plain loops.

The neurons are real ones (fMOST, some 33,000 nodes each), moved about by up to 200 um; the atlas is the real annotation
of the Allen CCFv3 at 25 um. The volume takes no disk: where its voxels lie is all that is asked. Then the index of
places is asked which neurons come near places, and which cells of a million lie there.

Goals: every answer that of a slow reference; for the volume at most 500 MB of memory; of the somata at least 95 % in or
within 250 um of the region that their files name.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import select

from benchmarks._atlas import VOXEL_UM, ccf_labels, ccf_ontology, samples
from benchmarks._report import machine, report
from pulvinar.access.work import UnitOfWork
from pulvinar.atlases.annotation import Annotation
from pulvinar.atlases.installed import grids_in, open_atlas
from pulvinar.atlases.spaces import CCFV3
from pulvinar.catalogue.anchors import anchors_of
from pulvinar.catalogue.blocks import Ball, block_corners
from pulvinar.catalogue.datasets import create_dataset
from pulvinar.catalogue.drafts import add_asset, open_draft
from pulvinar.catalogue.places import assets_within, batches
from pulvinar.catalogue.publishing import publish
from pulvinar.catalogue.tables import place_block
from pulvinar.ingest.anchor_measures import voxel_to_space
from pulvinar.ingest.anchor_shares import volume_shares
from pulvinar.ingest.anchoring import reanchor
from pulvinar.ingest.atlas_install import install_atlas
from pulvinar.ingest.canonical import parquet, place_columns
from pulvinar.ingest.packing import PackedAtlas, PackedVolume
from pulvinar.ingest.request import Means
from pulvinar.ingest.sandbox import Limits
from pulvinar.model.access import LOCAL_OWNER
from pulvinar.model.anchor import PlaceRole, Role, stated_space
from pulvinar.model.dataset import Asset, AssetKind, StoredObject, asset_digest
from pulvinar.model.identity import new_id
from pulvinar.model.record import Record, Species
from pulvinar.model.volume import Channel, Volume, VolumeKind
from pulvinar.platform import migrate
from pulvinar.storage.database import Database
from pulvinar.storage.pyramid import plan_levels
from pulvinar.storage.sources import ArraySource
from pulvinar.storage.store import open_store

ATLAS = "allen_mouse_25um"
NEURONS, CELLS = 1000, 1_000_000
SHAPE, SIZE_UM = (1, 1, 2112, 1280, 1824), (6.25, 6.25, 6.25)
"""9.9 GB of uint16: the whole space at a quarter of the annotation's voxels."""
MEMORY_MB = 500
NEAR_UM, NEAR_SHARE = 250.0, 0.95
COMPARED = 5
A_DATASET = 50
"""Neurons. What a draft has is read for each that is added to it: a thousand in one would take minutes."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Neuron:
    """A real neuron: places (n, 3) in the space, its tree, and the region that its file names."""

    zyx_um: Floats
    parent: npt.NDArray[np.int64]
    kind: npt.NDArray[np.int16]
    region: str


def main() -> int:
    """Run, print, and say by the exit code whether the goals are met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--neurons", type=int, default=NEURONS)
    parser.add_argument("--cells", type=int, default=CELLS)
    parser.add_argument("--child", nargs=2, metavar=("WHAT", "FOLDER"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child:
        what, folder = chosen.child
        with opened(Path(folder)) as means:
            print(json.dumps(CHILDREN[what](means, chosen)))
        return 0
    print(machine(), flush=True)
    told = {}
    with tempfile.TemporaryDirectory(prefix="pulvinar-anchor-") as folder:
        with opened(Path(folder)) as means, step("the annotation is installed"):
            install(means)
        for what in CHILDREN:
            told[what] = _run(what, folder, chosen)
            print(f"{what}: " + ", ".join(f"{name} {value}" for name, value in told[what].items()), flush=True)
    wrong = sum(found["wrong"] for found in told.values())
    near, memory = told["real"]["near"] / told["real"]["somata"], told["volume"]["memory_mb"]
    figure = f"{wrong} wrong answers, volume {memory} MB, {near:.1%} of {told['real']['somata']} somata near"
    goal = f"(goals: 0, {MEMORY_MB} MB, {NEAR_SHARE:.0%})"
    return report("anchor", figure, goal, passed=not wrong and memory <= MEMORY_MB and near >= NEAR_SHARE)


def _run(what: str, folder: str, chosen: argparse.Namespace) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.anchor", "--child", what, folder]
    command += ["--neurons", str(chosen.neurons), "--cells", str(chosen.cells)]
    # what it says of its steps goes to the terminal as it comes
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    return found


@contextmanager
def step(what: str) -> Iterator[None]:
    """Say that a step is done, and how long it took."""
    start = time.perf_counter()
    yield
    print(f"  {what}: {time.perf_counter() - start:.1f} s", file=sys.stderr, flush=True)


@contextmanager
def opened(folder: Path) -> Iterator[Means]:
    """A platform in `folder`."""
    database = Database(f"sqlite:///{folder / 'catalogue.sqlite'}")
    migrate(database)
    scratch = folder / "scratch"
    scratch.mkdir(exist_ok=True)
    yield Means(database, open_store((folder / "store").as_uri()), scratch, Limits())
    database.close()


def install(means: Means) -> None:
    """Install the real annotation."""
    shift = np.diag((VOXEL_UM,) * 3 + (1.0,))
    shift[:3, 3] = VOXEL_UM / 2
    rows: Any = tuple(map(tuple, shift.tolist()))
    source = ArraySource(ccf_labels()[None, None])
    annotation = PackedVolume("annotation", VolumeKind.LABELS, source, (VOXEL_UM,) * 3, rows)
    packed = PackedAtlas(
        ATLAS, "2017", "Allen CCFv3", "", Species.MOUSE, CCFV3, "Allen terms", "Wang 2020", "Allen",
        annotation=annotation, regions=ccf_ontology().regions,
    )  # fmt: skip
    # no anchor asks for surfaces, and to make those of 839 regions takes minutes
    install_atlas(means, packed, surfaces=False)


def real_neurons() -> list[Neuron]:
    """The neurons of fMOST: columns x, y, z are AP, DV, LR in voxels of 25 um."""
    found = []
    for path in sorted((samples() / "mouse/fmost_neurons/20_mouse_neurons/CCFv3_25um").glob("*.swc.gz")):
        with gzip.open(path, "rt") as lines:
            rows = np.loadtxt(lines, comments="#", ndmin=2)
        row_of = {int(number): row for row, number in enumerate(rows[:, 0])}
        parent = np.array([row_of.get(int(up), -1) for up in rows[:, 6]])
        region = path.name.removesuffix(".swc.gz").rpartition("_")[2]
        found.append(Neuron(rows[:, 2:5] * VOXEL_UM, parent, rows[:, 1].astype(np.int16), region))
    return found


def store_asset(means: Means, kind: AssetKind, path: str, columns: dict[str, Any], details: dict[str, Any]) -> Any:
    """Put the table of one asset into the store; the asset, and its objects."""
    asset_id, data = new_id(), parquet(columns)
    means.store.put_bytes(f"assets/{asset_id}/{path}", data)
    objects = [StoredObject(path, len(data), "0" * 64)]
    details = {**stated_space(CCFV3.name), **details, "findings": []}
    asset = Asset(asset_id, path, kind, f"assets/{asset_id}", len(data), 1, asset_digest(objects), details)
    return asset, objects


def store_dataset(means: Means, assets: list[Any]) -> str:
    """A published dataset of `assets`."""
    with UnitOfWork(means.database, LOCAL_OWNER) as work:
        dataset = create_dataset(work, Record("Neurons", Species.MOUSE, "CC0-1.0"))
        draft = open_draft(work, dataset.id)
        for asset, objects in assets:
            add_asset(work, draft.id, asset, objects)
        publish(work, draft.id)
    return dataset.id


def store_neurons(means: Means, neurons: list[Neuron]) -> list[Any]:
    """Each neuron as the asset that an ingest makes of it, without its pictures."""
    return [
        store_asset(
            means,
            AssetKind.SKELETON,
            "skeleton.parquet",
            {"parent": one.parent, "type_code": one.kind, **place_columns(one.zyx_um)},
            {"count": len(one.zyx_um)},
        )
        for one in neurons
    ]


@contextmanager
def measured(told: dict[str, Any]) -> Iterator[None]:
    """Seconds, and the memory beyond what was taken before."""
    # the highest so far is forgotten: a new process begins with its parent's
    Path("/proc/self/clear_refs").write_text("5")
    before, start = _memory_kb("VmRSS"), time.perf_counter()
    yield
    told["seconds"] = round(time.perf_counter() - start, 2)
    told["memory_mb"] = round((_memory_kb("VmHWM") - before) / 1024)


def _memory_kb(name: str) -> int:
    status = Path("/proc/self/status").read_text("utf-8")
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith(f"{name}:")))


def real(means: Means, chosen: argparse.Namespace) -> dict[str, Any]:
    """The neurons as they are: do their somata lie where their files say?"""
    with step("the neurons are stored"):
        neurons = real_neurons()
        assets = store_neurons(means, neurons)
        dataset_id = store_dataset(means, assets)
    with step("the neurons are anchored"):
        reanchor(means, dataset_id=dataset_id)
    opened = open_atlas(means.database, means.store, LOCAL_OWNER, ATLAS, cache=grids_in(means.scratch))
    inside = near = wrong = 0
    for (asset, _), neuron in zip(assets, neurons, strict=True):
        ((anchor,),) = anchors_of(means.database, LOCAL_OWNER, [asset.id]).values()
        with step(f"a neuron of {len(neuron.zyx_um)} nodes is compared"):
            wrong += slow_neuron(neuron, ccf()) != {role: rounded(anchor.shares.get(role, {})) for role in SLOW}
        wanted = opened.ontology.find(neuron.region).id
        first, last = opened.ontology.span(wanted)
        (mine,) = anchor.shares.get(Role.SOMA, {0: 1})
        inside += bool(mine) and first <= opened.ontology.position(mine) <= last
        near += distance_um(opened.annotation, wanted, neuron.zyx_um[neuron.parent < 0][0]) <= NEAR_UM
    return {"somata": len(neurons), "inside": inside, "near": near, "wrong": wrong}


def distance_um(annotation: Annotation, region_id: int, place: Floats) -> float:
    """How far a place is from the nearest voxel of a region."""
    nearest = math.inf
    for block in annotation.mask_blocks(region_id):
        corner = (np.argwhere(block.voxels) + block.start) * VOXEL_UM
        gap = np.maximum(np.maximum(corner - place, place - corner - VOXEL_UM), 0)
        nearest = min(nearest, float(np.linalg.norm(gap, axis=1).min()))
    return nearest


SLOW = (Role.SOMA, Role.END, Role.LENGTH)
_labels: list[Any] = []


def ccf() -> Any:
    """The labels, read once."""
    if not _labels:
        _labels.append(ccf_labels())
    return _labels[0]


def label_at(labels: Any, place: Any) -> int:
    """One look."""
    index = tuple(math.floor(at / VOXEL_UM) for at in place)
    if any(not 0 <= at < n for at, n in zip(index, labels.shape, strict=True)):
        return 0
    return int(labels[index])


def slow_neuron(neuron: Neuron, labels: Any) -> dict[str, dict[int, float]]:
    """What a loop over nodes says."""
    found: dict[str, Counter[int]] = {role: Counter() for role in SLOW}
    children = Counter(neuron.parent.tolist())
    places, parents = neuron.zyx_um.tolist(), neuron.parent.tolist()
    for row, (place, parent) in enumerate(zip(places, parents, strict=True)):
        if neuron.kind[row] == 1 and (parent < 0 or neuron.kind[parent] != 1):
            found[Role.SOMA][label_at(labels, place)] += 1
        if parent < 0:
            continue
        if not children[row]:
            found[Role.END][label_at(labels, place)] += 1
        up = places[parent]
        length = math.dist(place, up)
        pieces = max(1, math.ceil(length / VOXEL_UM))
        for piece in range(pieces):
            part = (piece + 0.5) / pieces
            middle = [a + part * (b - a) for a, b in zip(up, place, strict=True)]
            found[Role.LENGTH][label_at(labels, middle)] += length / pieces  # type: ignore[assignment]
    return {role: rounded(values) for role, values in found.items()}


def rounded(values: Any) -> dict[int, float]:
    """Values that may differ in the order in which they were added up; what lies in no region is left out."""
    return {int(region): float(f"{value:.6g}") for region, value in values.items() if region and value}


def many(means: Means, chosen: argparse.Namespace) -> dict[str, Any]:
    """So many neurons, anchored and asked for."""
    random, made = np.random.default_rng(0), real_neurons()
    moved = (
        Neuron(one.zyx_um + random.uniform(-200, 200, 3), one.parent, one.kind, one.region)
        for one in (made[number % len(made)] for number in range(chosen.neurons))
    )
    assets: list[Any] = []
    datasets: list[str] = []
    kept: list[Neuron] = []
    nodes = 0
    with step("the neurons are stored"):
        for some in batches(moved, A_DATASET):
            nodes += sum(len(one.zyx_um) for one in some)
            assets += (made_here := store_neurons(means, some))
            datasets.append(store_dataset(means, made_here))
            kept += some[: max(0, COMPARED - len(kept))]
    before, told = database_mb(means), {"neurons": chosen.neurons, "nodes": nodes}
    with measured(told):
        for dataset_id in datasets:
            reanchor(means, dataset_id=dataset_id)
    print(f"  they are anchored: {told['seconds']} s", file=sys.stderr, flush=True)
    told["database_mb"] = round(database_mb(means) - before)
    with step("some are compared"):
        told["wrong"] = sum(
            slow_neuron(one, ccf())
            != {
                role: rounded(anchors_of(means.database, LOCAL_OWNER, [asset.id])[asset.id][0].shares.get(role, {}))
                for role in SLOW
            }
            for (asset, _), one in zip(assets[:COMPARED], kept, strict=False)
        )
    middle = kept[0].zyx_um[len(kept[0].zyx_um) // 2]
    for role in (PlaceRole.NODE, PlaceRole.END, PlaceRole.SOMA):
        for radius in (100.0, 500.0, 2000.0):
            ball, start = Ball(tuple(middle.tolist()), radius), time.perf_counter()
            page = assets_within(means.database, LOCAL_OWNER, CCFV3, ball, role, limit=500)
            told[f"{role} {radius:g} um ms"] = round(1000 * (time.perf_counter() - start), 1)
            with step(f"each {role} is looked at: is it within {radius:g} um"):
                told["wrong"] += page.places != slow_places(means, ball, role)
    return told


def slow_places(means: Means, ball: Ball, role: PlaceRole) -> int:
    """How many places of the whole index lie in a ball, by a look at every one."""
    wanted = select(place_block.c.block, place_block.c.places).where(place_block.c.role == role.value)
    found = 0
    with means.database.session() as session:
        for rows in session.execute(wanted.execution_options(yield_per=20_000)).partitions():
            count = [len(row.places) // 12 for row in rows]
            corners = np.repeat(block_corners(CCFV3, np.array([row.block for row in rows])), count, axis=0)
            zyx = corners + np.frombuffer(b"".join(row.places for row in rows), "<f4").reshape(-1, 3)
            found += int((np.linalg.norm(zyx - ball.center_um, axis=1) <= ball.radius_um).sum())
    return found


def database_mb(means: Means) -> float:
    """How large the database is, without what waits to be merged into it."""
    with means.database.writing() as session:
        pages = session.connection().exec_driver_sql("PRAGMA page_count").scalar() or 0
        size = session.connection().exec_driver_sql("PRAGMA page_size").scalar() or 0
    return float(pages * size / 1e6)


def cells(means: Means, chosen: argparse.Namespace) -> dict[str, Any]:
    """A table of cells of twelve types, all over the brain."""
    random = np.random.default_rng(1)
    zyx_um = random.uniform(0, np.array(ccf().shape) * VOXEL_UM, (chosen.cells, 3))
    kinds = np.array([f"type {number}" for number in range(12)], object)[random.integers(0, 12, chosen.cells)]
    table = {**place_columns(zyx_um), "cell_type": kinds}
    assets = [store_asset(means, AssetKind.POINTS, "points.parquet", table, {"columns": ["cell_type"]})]
    dataset_id, before = store_dataset(means, assets), database_mb(means)
    told: dict[str, Any] = {"cells": chosen.cells}
    with measured(told):
        reanchor(means, dataset_id=dataset_id)
    told["database_mb"] = round(database_mb(means) - before)
    asset_id = assets[0][0].id
    ((anchor,),) = anchors_of(means.database, LOCAL_OWNER, [asset_id]).values()
    expected: Counter[tuple[str, int]] = Counter()
    for place, kind in zip(zyx_um.tolist(), kinds.tolist(), strict=True):
        expected[f"count:{kind}", label_at(ccf(), place)] += 1
    found = {(role, region): n for role, values in anchor.shares.items() if ":" in role for region, n in values.items()}
    told["wrong"] = int(found != {key: count for key, count in expected.items() if key[1]})
    for radius in (100.0, 500.0, 2000.0):
        ball, start = Ball((5000.0, 3000.0, 4000.0), radius), time.perf_counter()
        page = assets_within(means.database, LOCAL_OWNER, CCFV3, ball, PlaceRole.CELL)
        told[f"{radius:g} um ms"] = round(1000 * (time.perf_counter() - start), 1)
        slow = int((np.linalg.norm(zyx_um - ball.center_um, axis=1) <= radius).sum())
        told["wrong"] += page.places != slow
    return told


def volume(means: Means, chosen: argparse.Namespace) -> dict[str, Any]:
    """The share of 5 thousand million voxels in each region."""
    levels = plan_levels(SHAPE, SIZE_UM, "uint16", VolumeKind.IMAGE)
    made = Volume(VolumeKind.IMAGE, "uint16", levels, (Channel("brain"),))
    annotation = open_atlas(means.database, means.store, LOCAL_OWNER, ATLAS, cache=grids_in(means.scratch)).annotation
    told: dict[str, Any] = {"gb": round(math.prod(SHAPE) * 2 / 1e9, 1)}
    with measured(told):
        found = volume_shares(annotation, made, voxel_to_space(None, SIZE_UM, CCFV3))
    labels, counts = np.unique(ccf(), return_counts=True)
    slow = {int(label): count / ccf().size for label, count in zip(labels, counts, strict=True)}
    told["wrong"] = sum(rounded(found.by_region).get(one) != share for one, share in rounded(slow).items())
    return told


CHILDREN: dict[str, Callable[[Means, argparse.Namespace], dict[str, Any]]] = {
    "real": real,
    "volume": volume,
    "cells": cells,
    "many": many,
}

if __name__ == "__main__":
    sys.exit(main())
