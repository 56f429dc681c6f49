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
    MODEL = "model"
    """A trained network, with the card of what it was measured to do."""


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
    WITHDRAWN = "withdrawn"
    """It was published, and its bytes are given out no more: a tombstone says why."""


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
    under today's. `doi` is the one that was registered for it; the record may name another, of the dataset elsewhere.
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
    doi: str = ""


@dataclass(frozen=True)
class Withdrawal:
    """What is left to tell of a version that was withdrawn: why, and what replaced it.

    `replaced_by` is the number of another version of the dataset, the identifier of another dataset, a DOI or an
    https:// address; "" for nothing. `title` and `doi` are what the version was cited by.
    """

    version_id: str
    dataset_id: str
    number: int
    digest: str
    title: str
    reason: str
    replaced_by: str
    withdrawn: datetime
    published: datetime | None = None
    doi: str = ""


@dataclass(frozen=True)
class Dataset:
    """A citable thing; `record` is its newest version's. `is_withdrawn`: all that was published of it was withdrawn."""

    id: str
    record: Record
    created: datetime
    latest: Version | None = None
    is_withdrawn: bool = False


def asset_digest(objects: Iterable[StoredObject]) -> str:
    """The SHA-256, in hex, of one line "sha256 size path" an object, sorted by path."""
    digest = hashlib.sha256()
    for item in sorted(objects, key=lambda item: item.path):
        digest.update(f"{item.sha256} {item.size_bytes} {item.path}\n".encode())
    return digest.hexdigest()


def version_digest(document: Mapping[str, Any], assets: Iterable[Asset]) -> str:
    """The root of a version's Merkle tree: `manifest_digest` of the leaves of its record and of its assets.

    `document` are the JSON values as they are stored, never those of a record that was read and written anew: a later
    schema would change them, and the digest has been cited. Below an asset's leaf is `asset_digest`: an asset can be
    checked without the others, and what was erased by law leaves its leaf.
    """
    return manifest_digest(record_leaf(document), map(asset_leaf, assets))


def manifest_digest(record: str, assets: Iterable[str]) -> str:
    """The SHA-256, in hex, of the leaf of a record and those of assets, sorted, one a line."""
    return hashlib.sha256("".join(f"{leaf}\n" for leaf in (record, *sorted(assets))).encode()).hexdigest()


def record_leaf(document: Mapping[str, Any]) -> str:
    """The SHA-256, in hex, of a record's canonical JSON."""
    return hashlib.sha256(_canonical(document).encode()).hexdigest()


def asset_leaf(asset: Asset) -> str:
    """The SHA-256, in hex, of "digest kind name" of an asset."""
    return hashlib.sha256(f"{asset.digest} {asset.kind} {asset.name}".encode()).hexdigest()


def fits_digest(version: Version, erased: Mapping[str, str] | None = None) -> bool:
    """Whether a version's digest is that of what it holds. `erased` are the leaves of what it has lost: "record", or by
    asset."""
    lost = dict(erased or {})
    record = lost.pop("record", None) or record_leaf(version.document)
    leaves = [*map(asset_leaf, version.assets), *lost.values()]
    return version.digest in (manifest_digest(record, leaves), _digest_without_leaves(version.document, version.assets))


def _digest_without_leaves(document: Mapping[str, Any], assets: Iterable[Asset]) -> str:
    """The digest that versions had before their manifests were trees, and that has been cited."""
    lines = sorted(f"{asset.digest} {asset.kind} {asset.name}\n" for asset in assets)
    return hashlib.sha256((_canonical(document) + "\n" + "".join(lines)).encode()).hexdigest()


def _canonical(document: Mapping[str, Any]) -> str:
    return json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
