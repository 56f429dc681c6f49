"""Whether the bytes of a version are there, told from a listing: quick enough to ask before it is frozen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pulvinar.catalogue.stored_objects import objects_of
from pulvinar.errors import Corrupt
from pulvinar.model.access import Actor
from pulvinar.model.dataset import StoredObject, Version
from pulvinar.storage.database import Database
from pulvinar.storage.store import Store

_SAID = 5


def check_presence(database: Database, actor: Actor, store: Store, version: Version) -> None:
    """Raise `Corrupt`, with names, unless every object of `version` is in the store in its size.

    What the objects hold is not read; that is what a verification is for.
    """
    lacking = [
        line
        for asset in version.assets
        for line in _lacking(store, asset.prefix, objects_of(database, actor, asset.id))
    ]
    if lacking:
        shown = lacking[:_SAID] + ([f"and {len(lacking) - _SAID} more"] if len(lacking) > _SAID else [])
        raise Corrupt(
            "\n".join([f"version {version.number} of dataset {version.dataset_id} is not whole", *shown]),
            hint="bring the objects back from a backup, or take the asset out (pulvinar remove) and ingest it anew",
        )


def _lacking(store: Store, prefix: str, objects: Iterable[StoredObject]) -> Iterator[str]:
    sizes = {entry.key: entry.size_bytes for entry in store.list(prefix)}
    for item in objects:
        key = f"{prefix}/{item.path}"
        if key not in sizes:
            yield f"{key} is missing"
        elif sizes[key] != item.size_bytes:
            yield f"{key} has {sizes[key]} bytes, {item.size_bytes} were stored"
