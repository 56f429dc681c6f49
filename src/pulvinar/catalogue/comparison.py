"""What differs between two versions of a dataset: field by field of the record, asset by asset, file by file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pulvinar.access.visibility import may
from pulvinar.catalogue.stored_objects import objects_of
from pulvinar.catalogue.versions import get_version
from pulvinar.model.access import Actor, Right
from pulvinar.model.dataset import Asset, StoredObject, Version
from pulvinar.storage.database import Database

MOST_FILES = 1000
"""So many files that differ are named; all are counted."""


class Change(StrEnum):
    """What became of a thing from one version to the other."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True)
class FieldChange:
    """A field of the record, by its dotted name, with its value in both versions; None where it had none."""

    field: str
    change: Change
    before: Any
    after: Any


@dataclass(frozen=True)
class AssetChange:
    """An asset, by name and kind, with its size in both versions; None where it wasn't there."""

    name: str
    kind: str
    change: Change
    before_bytes: int | None
    after_bytes: int | None


@dataclass(frozen=True)
class FileChange:
    """A file, by the name of its asset and its path in it, with size and SHA-256 in both versions."""

    asset: str
    path: str
    change: Change
    before: StoredObject | None
    after: StoredObject | None


@dataclass(frozen=True)
class Comparison:
    """What differs between `before` and `after`. `unchanged_assets` have the same bytes under the same name.

    `files` are at most `MOST_FILES`, of `file_counts` by what became of them; both are None for who may not read.
    """

    before: Version
    after: Version
    fields: tuple[FieldChange, ...]
    assets: tuple[AssetChange, ...]
    unchanged_assets: int
    files: tuple[FileChange, ...] | None
    file_counts: Mapping[Change, int] | None


def compare(database: Database, actor: Actor, dataset_id: str, before: int, after: int) -> Comparison:
    """What differs between two versions that `actor` may see, by their numbers. Raises `NotFound`."""
    first = get_version(database, actor, dataset_id, before)
    second = get_version(database, actor, dataset_id, after)
    pairs = _pairs(first.assets, second.assets)
    differing = [(one, other) for one, other in pairs if not _same(one, other)]
    with database.session() as session:
        reads = may(session, actor, Right.READ, dataset_id)
    files = list(_files(database, actor, differing)) if reads else None
    return Comparison(
        first,
        second,
        tuple(_fields(first.document, second.document)),
        tuple(_asset_change(one, other) for one, other in differing),
        len(pairs) - len(differing),
        None if files is None else tuple(files[:MOST_FILES]),
        None if files is None else {kind: sum(one.change is kind for one in files) for kind in Change},
    )


Pair = tuple[Asset | None, Asset | None]


def _pairs(before: Sequence[Asset], after: Sequence[Asset]) -> list[Pair]:
    """The assets of both versions side by side: by identifier, then by kind and name, each name's in their order."""
    left = {one.id: one for one in before}
    pairs: list[Pair] = [(left.pop(one.id), one) for one in after if one.id in left]
    same = {one.id for _, one in pairs if one}
    by_name: dict[tuple[str, str], list[Asset]] = {}
    for one in left.values():
        by_name.setdefault((one.kind, one.name), []).append(one)
    for one in after:
        if one.id not in same:
            old = by_name.get((one.kind, one.name))
            pairs.append((old.pop(0) if old else None, one))
    pairs += [(one, None) for rest in by_name.values() for one in rest]
    return sorted(pairs, key=lambda pair: [(one.name, one.kind, one.id) for one in pair if one][-1])


def _same(one: Asset | None, other: Asset | None) -> bool:
    return one is not None and other is not None and (one.digest, one.name) == (other.digest, other.name)


def _either(one: Asset | None, other: Asset | None) -> Asset:
    """The later side of a pair; it has at least one."""
    return next(side for side in (other, one) if side)


def _change(one: object | None, other: object | None) -> Change:
    return Change.ADDED if one is None else Change.REMOVED if other is None else Change.CHANGED


def _asset_change(one: Asset | None, other: Asset | None) -> AssetChange:
    shown = _either(one, other)
    sizes = (one.size_bytes if one else None, other.size_bytes if other else None)
    return AssetChange(shown.name, shown.kind.value, _change(one, other), *sizes)


def _files(database: Database, actor: Actor, pairs: Sequence[Pair]) -> Iterator[FileChange]:
    for one, other in pairs:
        name = _either(one, other).name
        old, new = (
            {item.path: item for item in objects_of(database, actor, asset.id)} if asset else {}
            for asset in (one, other)
        )
        for path in sorted(old.keys() | new.keys()):
            was, now = old.get(path), new.get(path)
            if was is None or now is None or was.sha256 != now.sha256:
                yield FileChange(name, path, _change(was, now), was, now)


def _fields(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[FieldChange]:
    old, new = dict(_flat(before)), dict(_flat(after))
    for name in sorted(old.keys() | new.keys()):
        was, now = old.get(name), new.get(name)
        if was != now:
            yield FieldChange(name, _change(was, now), was, now)


def _flat(document: Mapping[str, Any], within: str = "") -> Iterator[tuple[str, Any]]:
    """The fields of a record by their dotted names, without those that say nothing. A list is one value."""
    for key, value in document.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{within}{key}.")
        elif value not in (None, "", [], ()) and f"{within}{key}" != "schema_version":
            yield f"{within}{key}", value
