"""An archive of made-up assets in a made-up brain, for the tests of the search."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import insert

from pulvinar.access.work import UnitOfWork
from pulvinar.atlases.trees import keep_tree
from pulvinar.catalogue import add_asset, create_dataset, open_draft, publish
from pulvinar.catalogue.asset_index import index_asset
from pulvinar.catalogue.asset_search import ResultPage, search_assets
from pulvinar.catalogue.tables import anchor, anchor_region
from pulvinar.model.access import LOCAL_OWNER, Actor
from pulvinar.model.dataset import Asset, AssetKind, StoredObject, asset_digest
from pulvinar.model.identity import new_id
from pulvinar.model.ontology import Ontology, Region
from pulvinar.model.record import Record, Species
from pulvinar.storage.database import Database

OBJECTS = (StoredObject("a b/0", 10, "a" * 64), StoredObject("data.json", 5, "b" * 64))
BRAIN = Ontology(
    "toy",
    "1",
    tuple(
        Region("toy", number, acronym, name, parent, chinese)
        for number, acronym, name, parent, chinese in (
            (1, "root", "root", None, "脑"),
            (2, "HPF", "Hippocampal formation", 1, "海马结构"),
            (3, "HIP", "Hippocampal region", 2, "海马"),
            (4, "CA1", "Field CA1", 3, "海马CA1区"),
            (5, "CA3", "Field CA3", 3, "海马CA3区"),
            (6, "TH", "Thalamus", 1, "丘脑"),
            (7, "PUL", "Pulvinar", 6, "丘脑枕"),
        )
    ),
)  # fmt: skip


def an_asset(name: str, kind: AssetKind = AssetKind.VOLUME, voxel_um: float | None = None) -> Asset:
    asset_id = new_id()
    levels = {"volume": {"levels": [{"voxel_size_um": [voxel_um, 0.5, 0.5]}]}} if voxel_um else {}
    return Asset(asset_id, name, kind, f"assets/{asset_id}", 15, 2, asset_digest(OBJECTS), levels)


def record(title: str = "A brain", **fields: Any) -> Record:
    return replace(Record(title, Species.MOUSE, "CC-BY-4.0"), **fields)


FISH = Ontology("fish", "1", (Region("fish", 1, "b", "Brain"), Region("fish", 2, "Pa", "Pallium", 1)))
MONKEY = Ontology(
    "monkey", "1", (Region("monkey", 1, "b", "Brain"), Region("monkey", 2, "HF", "hippocampal formation", 1))
)
HUMAN = Ontology("human", "1", (Region("human", 1, "b", "Brain"), Region("human", 2, "HIP", "Hippocampus", 1)))
TREES = {"toy_2026": BRAIN, "fish_2026": FISH, "monkey_2026": MONKEY, "human_2026": HUMAN}


class Archive:
    """Puts assets into a database, and searches."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def add(self, name: str, said: Record | None = None, *, published: bool = True, **about: Any) -> tuple[str, str]:
        """Identifiers of the dataset and of its asset; `regions` are (role, identifier)."""
        regions, atlas = about.pop("regions", ()), about.pop("atlas", "toy_2026")
        made = an_asset(name, **about)
        with UnitOfWork(self.database, LOCAL_OWNER) as work:
            dataset = create_dataset(work, said or record())
            draft = open_draft(work, dataset.id)
            add_asset(work, draft.id, made, OBJECTS)
            if regions:
                anchored(work, made.id, atlas, regions)
            if published:
                publish(work, draft.id)
        return dataset.id, made.id

    def page(self, query: str, actor: Actor = LOCAL_OWNER, **more: Any) -> ResultPage:
        return search_assets(self.database, actor, query, **more)

    def names(self, query: str, actor: Actor = LOCAL_OWNER, **more: Any) -> list[str]:
        return [hit.asset.name for hit in self.page(query, actor, **more).items]


def anchored(work: UnitOfWork, asset_id: str, atlas: str, regions: tuple[tuple[str, int], ...]) -> None:
    """Write down by hand where an asset lies."""
    where = {"asset_id": asset_id, "atlas": atlas}
    known = {"atlas_version": "1", "space": "toy", "certainty": "stated", "details": {}, "computed": datetime.now(UTC)}
    work.session.execute(insert(anchor).values(**where, **known))
    rows = [
        {**where, "role": role, "region_id": region, "position": TREES[atlas].position(region), "value": 1.0}
        for role, region in regions
    ]
    work.session.execute(insert(anchor_region), rows)
    index_asset(work.session, asset_id)


def add_atlas(database: Database, name: str = "toy_2026", tree: Ontology = BRAIN) -> None:
    """Install a made-up brain."""
    with UnitOfWork(database, LOCAL_OWNER) as work:
        held = create_dataset(work, Record("The toy atlas", Species.MOUSE, "CC0-1.0"))
        draft = open_draft(work, held.id)
        add_asset(work, draft.id, an_asset("template of the atlas"), OBJECTS)
        publish(work, draft.id)
        keep_tree(work.session, name, "1", held.id, tree)
