"""Citable things, their frozen states, and the bytes behind them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from pulvinar.model.record import Record


class AssetKind(StrEnum):
    """What an asset is, and so which room can show it."""

    VOLUME = "volume"
    SKELETON = "skeleton"
    POINTS = "points"
    MESH = "mesh"
    TABLE = "table"
    TIME_SERIES = "time_series"
    CONNECTIVITY = "connectivity"
    TRACTS = "tracts"
    TRANSFORM = "transform"
    """A map of points from one space to another."""


class Ownership(StrEnum):
    """Who owns the bytes of an asset."""

    OWNED = "owned"
    """This platform: they lie in its store, never change, and are checked by their SHA-256."""
    EXTERNAL = "external"
    """Somebody else, in whose place they are read: see the decision on external bytes for what is promised."""
    REPLICA = "replica"
    """A copy of what another place owns, kept here."""
    OTHER_SITE = "other_site"
    """Another site of this platform."""


class VersionState(StrEnum):
    """A draft takes new assets; a published version never changes."""

    DRAFT = "draft"
    PUBLISHED = "published"


@dataclass(frozen=True)
class StoredObject:
    """One stored file or shard. `path` is relative to its asset, with forward slashes; `sha256` is hex."""

    path: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class Location:
    """Where bytes are that this platform does not keep: `url`, who owns them (`owner`, in plain words), and when the
    state was seen that the asset's digest covers."""

    ownership: Ownership
    url: str
    owner: str
    seen: datetime

    @property
    def shown_url(self) -> str:
        """What anybody may know of `url`: nothing of a folder of this machine."""
        return "" if self.url.startswith("file:") else self.url


@dataclass(frozen=True)
class Asset:
    """One thing a person would name in a dataset: a volume, a neuron, a table.

    `details` holds what its kind needs, as JSON: for a volume, the volume and its quality figures. `prefix` is
    where its objects lie in the store. `digest` covers every object's path, size and SHA-256. `location` says where its
    other bytes are, which are not among its objects; None: it has no others.
    """

    id: str
    name: str
    kind: AssetKind
    prefix: str
    size_bytes: int
    object_count: int
    digest: str
    details: dict[str, Any] = field(default_factory=dict)
    location: Location | None = None


@dataclass(frozen=True)
class Version:
    """One state of a dataset; `digest` is that of its manifest, and can be cited.

    `document` is the record as it is stored, under the schema of its day: the digest covers it. `record` says the same
    under today's.
    """

    id: str
    dataset_id: str
    number: int
    state: VersionState
    digest: str
    record: Record
    created: datetime
    published: datetime | None = None
    assets: tuple[Asset, ...] = ()
    document: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Dataset:
    """A citable thing; `record` is its newest version's."""

    id: str
    record: Record
    created: datetime
    latest: Version | None = None


def asset_digest(objects: Iterable[StoredObject]) -> str:
    """The SHA-256, in hex, of one line "sha256 size path" an object, sorted by path."""
    digest = hashlib.sha256()
    for item in sorted(objects, key=lambda item: item.path):
        digest.update(f"{item.sha256} {item.size_bytes} {item.path}\n".encode())
    return digest.hexdigest()


def version_digest(document: Mapping[str, Any], assets: Iterable[Asset]) -> str:
    """The SHA-256, in hex, of a record's canonical JSON and one line "digest kind name" an asset.

    `document` are the JSON values as they are stored, never those of a record that was read and written anew: a later
    schema would change them, and the digest has been cited. Together with `asset_digest` this makes a Merkle tree of
    two layers: an asset can be checked without the others.
    """
    canonical = json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    lines = sorted(f"{asset.digest} {asset.kind} {asset.name}\n" for asset in assets)
    return hashlib.sha256((canonical + "\n" + "".join(lines)).encode()).hexdigest()
