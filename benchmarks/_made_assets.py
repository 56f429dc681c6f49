"""Made-up assets by the million: real neurons of a mouse, each moved to another place.

Ten of its nodes, its soma and its ends are looked up in the Allen annotation of 100 µm, so that an asset lies in the
regions in which such a neuron would, and put into the index of places. Volumes have no nodes there but a box: a part of
the brain around such a place, or, one of ten, the whole. Four of five datasets are published.
"""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import tifffile

from benchmarks._atlas import ccf_annotation, ccf_ontology, samples
from benchmarks._loading import Portion
from benchmarks._places import ROLES, Places, together
from pulvinar.access.visibility import EVERYONE
from pulvinar.atlases.region_distance import RegionDistance, region_distance
from pulvinar.catalogue.asset_index import AssetRow, RecordWords, row_of
from pulvinar.catalogue.search_tools import RegionDistances
from pulvinar.catalogue.words import Reach
from pulvinar.model.access import Right
from pulvinar.model.anchor import PlaceRole
from pulvinar.model.ontology import Ontology
from pulvinar.model.record import Acquisition, Record, Species, record_to_json

A_DATASET = 10
NODES = 11
CELLS = 4
WHOLE_BRAIN_UM = ((0.0, 0.0, 0.0), (13200.0, 8000.0, 11400.0))
PARTS_UM = (200.0, 600.0, 1500.0, 3000.0)
"""How long the volumes are that show a part of a brain."""
ATLAS = "allen_mouse_25um"
TOPICS = (
    ("whole-brain reconstruction", "全脑单神经元重建"),
    ("projection map", "投射图谱"),
    ("light-sheet atlas", "光片图谱"),
    ("calcium imaging", "钙成像数据"),
    ("spatial transcriptomics", "空间转录组"),
    ("tracing", "神经环路示踪"),
)
MODALITIES = ("light-sheet", "fmost", "mri-t1", "two-photon", "confocal")
KINDS = ("skeleton", "points", "volume", "table")


class Source(NamedTuple):
    """The real things from which assets are made: nodes (n, 3) of each neuron in voxels of 100 µm, the annotation in
    the same axes (AP, SI, LR), the tree, and how far places are from a region of the annotation of 25 µm."""

    neurons: list[npt.NDArray[np.float64]]
    annotation: npt.NDArray[np.int64]
    tree: Ontology
    distances: RegionDistances


def real_things(folder: Path) -> Source:
    """Read the samples; what is made of them lies in `folder`."""
    fine = ccf_annotation(folder)

    @cache
    def distance(region_id: int) -> RegionDistance | None:
        return region_distance(fine, region_id)

    folder = samples() / "mouse"
    neurons = [_nodes(path) for path in sorted((folder / "fmost_neurons").rglob("*.swc.gz"))]
    annotation = tifffile.imread(folder / "allen_ccfv3_25um/derived_CCFv3_2017_annotation_100um_asr.tif")
    tree = ccf_ontology()
    named = [replace(region, name_zh=_CHINESE.get(region.acronym, "")) for region in tree.regions]
    tree = replace(tree, regions=tuple(named))
    return Source(neurons, annotation.astype(np.int64), tree, lambda actor, atlas, region_id: distance(region_id))


def _nodes(path: Path) -> npt.NDArray[np.float64]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return np.loadtxt(lines, usecols=(2, 3, 4)) / 4


_CHINESE = {"TH": "丘脑", "HPF": "海马结构", "CB": "小脑", "Isocortex": "等皮层"}


@dataclass(frozen=True)
class Made:
    """One made-up dataset with its assets."""

    seq: int
    record: Record
    published: bool
    assets: tuple[tuple[AssetRow, str], ...]
    places: Places

    @property
    def id(self) -> str:
        """Its identifier."""
        return f"bench-{self.seq:026d}"


def datasets(source: Source, assets: int) -> Iterator[Made]:
    """Made-up datasets of ten assets each."""
    chance = random.Random(7)
    generator = np.random.default_rng(7)
    for seq in range(1, assets // A_DATASET + 1):
        english, chinese = chance.choice(TOPICS)
        species = Species.MOUSE if chance.random() < 0.8 else Species.HUMAN
        day = date(2015, 1, 1) + timedelta(days=chance.randrange(4000))
        record = Record(
            title=f"{english} {seq}",
            species=species,
            licence="CC-BY-4.0" if seq % 4 else "CC0-1.0",
            description=f"Neurons of animal a{seq % 5000:04d}: {english}, cleared, then imaged as a whole.",
            lab=f"Institute {seq % 300}",
            acquisition=Acquisition(modality=chance.choice(MODALITIES), date=day.isoformat()),
            keywords=(chinese, f"topic{seq % max(1, assets // 100)}"),
        )
        made = [_asset(source, chance, generator, seq, at) for at in range(A_DATASET)]
        yield Made(seq, record, seq % 5 != 0, tuple(one for one, _ in made), together([places for _, places in made]))


def _asset(
    source: Source, chance: random.Random, generator: np.random.Generator, seq: int, at: int
) -> tuple[tuple[AssetRow, str], Places]:
    nodes = source.neurons[chance.randrange(len(source.neurons))]
    chosen = nodes[generator.integers(len(nodes), size=NODES)] + generator.normal(0, 8, 3)
    index = np.clip(chosen, 0, np.array(source.annotation.shape) - 1).astype(np.intp)
    found = [int(one) for one in source.annotation[tuple(index.T)] if one in source.tree]
    size = chance.choice((0.3, 0.65, 1.0, 1.8, 5.0, 25.0))
    kind = KINDS[min(int(chance.expovariate(1)), 3)]
    roles = ["share"] * NODES if kind == "volume" else ["soma", "end", "end", *["length"] * NODES]
    regions = tuple(dict.fromkeys((ATLAS, role, region) for role, region in zip(roles, found, strict=False)))
    row = AssetRow(f"neuron {seq}-{at}", kind, size, regions)
    number = (seq - 1) * A_DATASET + at + 1
    if kind == "volume":
        return (row, f"a{seq}-{at}"), _boxed(chosen[0] * 100, number, chance)
    return (row, f"a{seq}-{at}"), _places(chosen * 100, number, cells=kind == "points")


def _boxed(corner: npt.NDArray[np.float64], number: int, chance: random.Random) -> Places:
    """A volume of the whole brain, or of a part of it from a place on."""
    part = corner.tolist(), (corner + chance.choice(PARTS_UM)).tolist()
    box = WHOLE_BRAIN_UM if chance.random() < 0.1 else (tuple(part[0]), tuple(part[1]))
    nowhere = np.zeros(0, np.int64)
    return Places(np.zeros((0, 3)), nowhere, nowhere, {number: box})


def _places(nodes: npt.NDArray[np.float64], number: int, *, cells: bool) -> Places:
    """Every node, the first as soma, two more as ends; and of a table of points some as cells."""
    roles = [(PlaceRole.NODE, nodes), (PlaceRole.SOMA, nodes[:1]), (PlaceRole.END, nodes[1:3])]
    if cells:
        roles.append((PlaceRole.CELL, nodes[:CELLS]))
    role = np.concatenate([np.full(len(some), ROLES.index(which)) for which, some in roles])
    zyx_um = np.concatenate([some for _, some in roles])
    return Places(zyx_um, np.full(len(role), number), role)


TABLES = {
    "dataset": ("seq", "id", "species", "record", "created"),
    "version": ("id", "dataset_id", "number", "state", "digest", "record", "created", "published"),
    "granted": ("dataset_id", "audience", "level", "seq", "species"),
    "asset": ("id", "name", "kind", "prefix", "size_bytes", "object_count", "digest", "details"),
    "version_asset": ("version_id", "asset_id"),
    "asset_entry": ("number", "asset_id", "dataset_id", "facets"),
    "anchor_region": ("asset_id", "atlas", "role", "region_id", "position", "value"),
}


def portion_of(source: Source, made: Sequence[Made]) -> Portion:
    """The rows of some datasets."""
    values: dict[str, list[tuple[object, ...]]] = {table: [] for table in TABLES}
    words = []
    trees = {ATLAS: source.tree}
    for one in made:
        record = json.dumps(record_to_json(one.record), ensure_ascii=False)
        created = f"{datetime(2026, 1, 1) + timedelta(seconds=one.seq)}.000000"
        species, state = one.record.species.value, "published" if one.published else "draft"
        values["dataset"].append((one.seq, one.id, species, record, created))
        values["version"].append((f"v{one.id}", one.id, 1, state, f"{one.seq:064x}", record, created, created))
        if one.published:
            values["granted"].append((one.id, EVERYONE, int(Right.READ), one.seq, species))
        said = RecordWords(one.record, {about.kind for about, _ in one.assets})
        for at, (about, key) in enumerate(one.assets):
            number = (one.seq - 1) * A_DATASET + at + 1
            row, facets = row_of(about, said if one.published else None, said, Reach.EVERYONE, trees)
            words.append((number, row))
            values["asset"].append((key, about.name, about.kind, f"assets/{key}", 10, 1, "0" * 64, "{}"))
            values["version_asset"].append((f"v{one.id}", key))
            values["asset_entry"].append((number, key, one.id, json.dumps(facets)))
            values["anchor_region"] += [
                (key, atlas, role, region, source.tree.position(region), 1.0) for atlas, role, region in about.regions
            ]
    return Portion(values, words)
