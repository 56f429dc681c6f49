"""The real mouse atlas with thousands of neurons and a million cells in it, for what is drawn by the thousand.

The neurons are real ones (fMOST), each with about 3,000 nodes, moved about by up to 300 um and turned over the midline;
the cells lie in voxels of the annotation, their types are those of a real table and as frequent as there.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks._atlas import VOXEL_UM, ccf_labels, ccf_ontology, samples
from benchmarks._volumes import new_platform
from benchmarks.anchor import A_DATASET, ATLAS, install, real_neurons
from pulvinar.access.work import UnitOfWork
from pulvinar.atlases.installed import grids_in, open_atlas
from pulvinar.atlases.spaces import CCFV3
from pulvinar.catalogue.anchors import set_anchor
from pulvinar.catalogue.datasets import create_dataset
from pulvinar.catalogue.drafts import add_asset, open_draft
from pulvinar.catalogue.publishing import publish
from pulvinar.ingest.geometry import geometry_files
from pulvinar.ingest.reader import PointsData, SkeletonData
from pulvinar.ingest.request import Means
from pulvinar.ingest.sandbox import Limits
from pulvinar.ingest.skeletons import simplify
from pulvinar.model.access import LOCAL_OWNER
from pulvinar.model.anchor import Anchor, Certainty, Role
from pulvinar.model.dataset import Asset, AssetKind, StoredObject, asset_digest
from pulvinar.model.identity import new_id
from pulvinar.model.record import Record, Species
from pulvinar.model.space import Points
from pulvinar.model.transform import space_to_world

Floats = npt.NDArray[np.float64]
WIDTH_NM = 11_400_000.0
"""Of the atlas, from side to side: twice the way to its midline."""
SPACE: dict[str, Any] = {"space": {"name": CCFV3.name, "certainty": Certainty.STATED.value}}


def make_crowd(home: Path, neurons: int, cells: int) -> tuple[str, Floats]:
    """The platform in `home`; gives the dataset of the cells, and their places in the world (n, 3), (x, y, z) in um."""
    platform = new_platform(home)
    scratch = platform.settings.resolved_scratch()
    scratch.mkdir(parents=True, exist_ok=True)
    means = Means(platform.database, platform.store, scratch, Limits())
    try:
        install(means)
        add_neurons(means, neurons)
        return add_cells(means, cells)
    finally:
        platform.close()


def to_world(zyx_um: Floats) -> Floats:
    """Places (n, 3) of the atlas's space in the world."""
    rows = np.array(space_to_world(CCFV3))[:3]
    return zyx_um @ rows[:, :3].T + rows[:, 3]


def add_neurons(means: Means, count: int) -> None:
    """So many neurons, some in a dataset, each anchored by the regions of its real soma and ends."""
    atlas = open_atlas(means.database, means.store, LOCAL_OWNER, ATLAS, cache=grids_in(means.scratch))
    positions = {region.id: at for at, region in enumerate(atlas.ontology.regions)}
    made = [(name, files, shares(atlas.annotation, data)) for name, data, files in _models()]
    rng = np.random.default_rng(0)
    for first in range(0, count, A_DATASET):
        with UnitOfWork(means.database, LOCAL_OWNER) as work:
            record = Record(f"Neurons from {first}", Species.MOUSE, "CC0-1.0")
            draft = open_draft(work, create_dataset(work, record).id)
            for number in range(first, min(first + A_DATASET, count)):
                name, files, roles = made[number % len(made)]
                moved = _moved(means, f"{name} {number}", files, rng.uniform(-300, 300, 3), number % 2 == 1)
                add_asset(work, draft.id, *moved)
                found = Anchor(ATLAS, "2017", CCFV3.name, Certainty.STATED, shares=roles)
                set_anchor(work.session, moved[0].id, found, positions, {})
            publish(work, draft.id)


def _models() -> Iterator[tuple[str, SkeletonData, Any]]:
    for one in real_neurons():
        rows, edges = simplify(one.zyx_um, one.parent, 12.0)
        parent = np.full(len(rows), -1, np.int64)
        parent[edges[:, 0]] = edges[:, 1]
        places, count = one.zyx_um[rows], len(rows)
        about = np.ones(count, np.float32), parent, one.kind[rows], np.arange(count)
        yield (
            one.region,
            SkeletonData(places, *about),
            geometry_files(SkeletonData(to_world(places), *about), one.region),
        )


def shares(annotation: Any, data: SkeletonData) -> dict[str, dict[int, float]]:
    """Regions of a neuron's soma, ends and nodes."""
    regions = annotation.regions_at(Points(CCFV3, data.zyx_um))
    ends = np.bincount(data.parent[data.parent >= 0], minlength=len(data.parent)) == 0

    def counted(which: npt.NDArray[np.bool_]) -> dict[int, float]:
        found, counts = np.unique(regions[which & (regions != 0)], return_counts=True)
        return dict(zip(found.tolist(), counts.astype(float).tolist(), strict=True))

    return {
        Role.SOMA: counted(data.parent < 0),
        Role.END: counted(ends),
        Role.LENGTH: counted(np.ones(len(regions), bool)),
    }


def _moved(
    means: Means, name: str, files: Any, shift_um: Floats, mirrored: bool
) -> tuple[Asset, tuple[StoredObject, ...]]:
    asset_id, objects = new_id(), []
    for path in ("precomputed/info", "precomputed/1", "precomputed/2", "precomputed/3"):
        if path not in files.files:
            continue
        data = files.files[path]
        if path != "precomputed/info":
            end = 8 + int.from_bytes(data[:4], "little") * 12
            places = np.frombuffer(data[8:end], "<f4").reshape(-1, 3)
            places = (WIDTH_NM, 0.0, 0.0) + places * (-1.0, 1.0, 1.0) if mirrored else places
            data = data[:8] + (places + shift_um * 1000).astype("<f4").tobytes() + data[end:]
        means.store.put_bytes(f"assets/{asset_id}/{path}", data)
        objects.append(StoredObject(path, len(data), hashlib.sha256(data).hexdigest()))
    size = sum(one.size_bytes for one in objects)
    about = (
        f"assets/{asset_id}",
        size,
        len(objects),
        asset_digest(objects),
        {**files.details, **SPACE, "findings": []},
    )
    return Asset(asset_id, name, AssetKind.SKELETON, *about), tuple(objects)


def add_cells(means: Means, count: int) -> tuple[str, Floats]:
    """So many cells, with type, region and a value each."""
    labels, rng = ccf_labels(), np.random.default_rng(1)
    inside = np.flatnonzero(labels)
    chosen = rng.choice(inside, count)
    voxels = np.stack(np.unravel_index(chosen, labels.shape), axis=1)
    places = to_world((voxels + rng.random((count, 3))) * VOXEL_UM)
    names = {region.id: region.acronym for region in ccf_ontology().regions}
    found, inverse = np.unique(labels.ravel()[chosen], return_inverse=True)
    regions = np.array([names.get(int(one), "") for one in found], dtype=object)[inverse]
    types = rng.choice(np.array(_types(), dtype=object), count)
    columns = {"type": types, "region": regions, "signal": rng.gamma(2.0, 50.0, count).astype(np.float32)}
    made, asset_id, objects = geometry_files(PointsData(places, columns), "cells"), new_id(), []
    for path, data in made.files.items():
        means.store.put_bytes(f"assets/{asset_id}/{path}", data)
        objects.append(StoredObject(path, len(data), hashlib.sha256(data).hexdigest()))
    size = sum(one.size_bytes for one in objects)
    about = (f"assets/{asset_id}", size, len(objects), asset_digest(objects), {**made.details, **SPACE, "findings": []})
    with UnitOfWork(means.database, LOCAL_OWNER) as work:
        draft = open_draft(work, create_dataset(work, Record("A million cells", Species.MOUSE, "CC0-1.0")).id)
        add_asset(work, draft.id, Asset(asset_id, "cells", AssetKind.POINTS, *about), tuple(objects))
        publish(work, draft.id)
    return draft.dataset_id, places[:, ::-1]


def _types() -> list[str]:
    """The types of the cells of a real table, each as often as there."""
    with gzip.open(samples() / "mouse/starmap_cells/well11_spatial.csv.gz", "rt") as lines:
        rows = csv.DictReader(lines)
        name = next(one for one in rows.fieldnames or () if "subtype" in one.lower())
        return [row[name] for row in rows if row["NAME"] != "TYPE"]
