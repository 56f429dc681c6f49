"""Removing what nothing owns: objects that an abandoned ingest or job has left in the store."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ulid import ULID

from pulvinar.catalogue.stored_objects import known_asset_ids
from pulvinar.compute.jobs import output_assets
from pulvinar.errors import Invalid
from pulvinar.ingest.assets import asset_prefix
from pulvinar.ingest.sessions import abandon_sessions, assets_being_written, assets_in_work
from pulvinar.ingest.workplace import clear_workplaces
from pulvinar.model.identity import check_id
from pulvinar.storage.database import Database
from pulvinar.storage.store import Store, StoreEntry, unfinished


@dataclass(frozen=True)
class Swept:
    """What a sweep has removed (or would), and how many unfinished ingests it has given up.

    `workplaces` are scratch folders of killed ingests.
    """

    keys: tuple[str, ...]
    size_bytes: int
    abandoned: int
    workplaces: int = 0


def sweep(
    database: Database,
    store: Store,
    *,
    grace_s: float = 86_400,
    abandon_after_s: float = 30 * 86_400,
    scratch: Path | None = None,
    dry: bool = False,
) -> Swept:
    """Remove objects below `assets/` whose asset is in no version, in no unfinished ingest, and of no unfinished job.

    Files that were being written when their writer died go with them, and what killed ingests have left in `scratch`.

    An asset younger than `grace_s` (its identifier says when it was made) is left alone, and so is everything that
    does not look like an asset's: nobody's file is removed for lying in the wrong place. Unfinished ingests that
    nobody has worked on for `abandon_after_s` are given up first; `dry` removes nothing.
    """
    abandoned = 0 if dry else abandon_sessions(database, abandon_after_s)
    # the store is listed before the owners are read: what is committed in between is then seen as owned
    candidates = list(_old_objects(store, time.time() - grace_s))
    begun = [item for item in unfinished(store) if item.made_s < time.time() - grace_s]
    made = dict(output_assets(database))
    owned = assets_in_work(database) | known_asset_ids(database) | made.keys()
    orphans = [entry for asset_id, entry in candidates if asset_id not in owned]
    written = assets_being_written(database) | {asset_id for asset_id, held in made.items() if held}
    alive = {asset_prefix(asset_id) for asset_id in written}
    orphans += [item.entry for item in begun if item.prefix not in alive]
    workplaces = 0
    if not dry:
        for entry in orphans:
            store.delete(entry.key)
        workplaces = clear_workplaces(scratch, grace_s) if scratch else 0
    size_bytes = sum(entry.size_bytes for entry in orphans)
    return Swept(tuple(entry.key for entry in orphans), size_bytes, abandoned, workplaces)


def _old_objects(store: Store, made_before_s: float) -> Iterator[tuple[str, StoreEntry]]:
    """Objects of assets that were made before then, each with its asset's identifier."""
    for entry in store.list("assets"):
        parts = entry.key.split("/")
        try:
            asset_id = check_id(parts[1])
            made_s = ULID.from_str(asset_id.rpartition("-")[2].upper()).timestamp
        except (Invalid, ValueError, IndexError):
            continue
        if made_s < made_before_s:
            yield asset_id, entry
