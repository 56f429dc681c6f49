"""The search of an old platform, and one that was lost, are made from what the catalogue says."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Inspector, inspect, text
from tests.catalogue.archive import BRAIN, OBJECTS, Archive, an_asset

from pulvinar.access.work import UnitOfWork
from pulvinar.atlases.installed import record_atlas
from pulvinar.catalogue import list_datasets
from pulvinar.catalogue.datasets import create_dataset
from pulvinar.catalogue.drafts import add_asset, open_draft
from pulvinar.catalogue.publishing import publish
from pulvinar.model.access import ANONYMOUS, LOCAL_OWNER
from pulvinar.model.atlas import Atlas, AtlasPart, PartKind
from pulvinar.model.ontology import ontology_to_json
from pulvinar.model.record import Record, Species
from pulvinar.model.space import Space
from pulvinar.operations.reindex import rebuild_search
from pulvinar.platform import migrate
from pulvinar.storage.database import Database, metadata
from pulvinar.storage.store import Store, open_store


def _back_to(revision: str, database: Database, folder: Path) -> None:
    """Take from the tables what came after a revision, as an empty database of that revision shows it."""
    old = Database(f"sqlite:///{folder / 'old.sqlite'}")
    migrate(old, revision)
    statements = list(_undoing(inspect(old.engine), inspect(database.engine)))
    with database.writing() as session:
        for statement in statements:
            session.execute(text(statement))
        session.execute(text("UPDATE granted SET level = level - 1 WHERE level > 2"))
        session.execute(text("CREATE INDEX ix_place_block_asset_id ON place_block (asset_id)"))
        session.execute(text("CREATE INDEX ix_version_asset_asset_id ON version_asset (asset_id)"))
        session.execute(text(f"UPDATE alembic_version SET version_num = '{revision}'"))
    old.close()


def _undoing(then: Inspector, now: Inspector) -> Iterator[str]:
    """What takes away the tables, the indexes and the columns that there are now and were not then."""
    kept = set(then.get_table_names())
    # those of words are no plain tables on every database
    newer = [one.name for one in reversed(metadata.sorted_tables) if one.name not in kept]
    for table in ("asset_words_vocabulary", "asset_words", *newer):
        yield f"DROP TABLE IF EXISTS {table}"
    for table in sorted(kept & set(now.get_table_names()) - {"dataset_words"}):
        own = [one for one in now.get_indexes(table) if "duplicates_constraint" not in one]
        for index in sorted(_names(own) - _names(then.get_indexes(table))):
            yield f"DROP INDEX IF EXISTS {index}"
        for column in sorted(_names(now.get_columns(table)) - _names(then.get_columns(table))):
            yield f"ALTER TABLE {table} DROP COLUMN {column}"


def _names(found: Sequence[Mapping[str, Any]]) -> set[str]:
    return {one["name"] for one in found}


def test_a_platform_from_before_the_search_of_assets_finds_them_once_it_is_opened(
    database: Database, tmp_path: Path
) -> None:
    archive = Archive(database)
    archive.add("an old neuron")
    archive.add("an old secret", published=False)
    _back_to("0003", database, tmp_path)
    migrate(database)
    assert archive.names("old", ANONYMOUS) == ["an old neuron"]
    assert archive.names("old") == ["an old secret", "an old neuron"]


def _install(database: Database, store: Store) -> None:
    """A made-up atlas as one is installed: a dataset whose terminology lies in the store."""
    held = an_asset("regions")
    store.put_bytes(f"assets/{held.id}/terminology.json", json.dumps(ontology_to_json(BRAIN)).encode())
    part = AtlasPart(PartKind.TERMINOLOGY, "regions", "1", held.id, held.digest)
    space = Space("toy", "mouse", "PIR")
    made = Atlas("toy_2026", "1", "Toy", Species.MOUSE, space, "toy", "CC0-1.0", "none", parts=(part,))
    with UnitOfWork(database, LOCAL_OWNER) as work:
        dataset = create_dataset(work, Record("The toy atlas", Species.MOUSE, "CC0-1.0"))
        draft = open_draft(work, dataset.id)
        add_asset(work, draft.id, held, OBJECTS)
        publish(work, draft.id)
        record_atlas(work.session, made, dataset.id)


def test_what_was_lost_is_made_anew_with_the_regions_of_every_atlas(database: Database, tmp_path: Path) -> None:
    store = open_store((tmp_path / "store").as_uri())
    _install(database, store)
    archive = Archive(database)
    archive.add("a cell", regions=(("soma", 4),))
    with database.writing() as session:
        for table in ("asset_words", "dataset_words"):
            session.execute(text(f"DELETE FROM {table}"))
    assert archive.names("cell") == []
    assert rebuild_search(database, store) == 2
    assert archive.names("cell", ANONYMOUS) == ["a cell"]
    assert archive.names("soma:海马", ANONYMOUS) == ["a cell"]
    assert [one.record.title for one in list_datasets(database, ANONYMOUS, query="toy").items] == ["The toy atlas"]
