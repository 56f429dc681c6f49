"""What the API answers, as types: lengths in micrometres, axes (z, y, x), identifiers and digests as text."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, Field

from pulvinar.model.anchor import Certainty
from pulvinar.model.dataset import Asset, AssetKind, Dataset, Location, Ownership, Version, VersionState
from pulvinar.model.record import Record
from pulvinar.model.volume import Triple
from pulvinar.web.anchors import NamedAnchor

T = TypeVar("T")
_PICTURED = frozenset(AssetKind) - {AssetKind.TABLE, AssetKind.TRANSFORM, AssetKind.MODEL}


class Failure(BaseModel):
    """Why a request was not answered."""

    code: str = Field(description="The kind of failure: not_found, invalid, too_large, ...")
    message: str = Field(description="What is wrong, with the thing and the value.")
    hint: str = Field(description="What to do next; empty when there is nothing to say.")
    request_id: str = Field(description="Names this request in the server's log.")
    at: int | None = Field(default=None, description="Of a search: the character, from 0, at which it goes wrong.")


class Envelope(BaseModel):
    """The body of every answer that is not a success."""

    error: Failure


class PageOut(BaseModel, Generic[T]):
    """One page of a listing."""

    items: list[T]
    next_cursor: str | None = Field(description="Give it as `cursor` to get the next page; null at the end.")


class VersionSummary(BaseModel):
    """One state of a dataset, without what is in it."""

    id: str
    number: int
    state: VersionState
    digest: str = Field(description="SHA-256 of the version's manifest: cite it, and find its bytes under it.")
    created: datetime
    published: datetime | None
    doi: str = Field(description="The DOI that was registered for it; empty for none.")


class DatasetOut(BaseModel):
    """A citable thing, with its newest version's record."""

    id: str
    created: datetime
    record: Record
    latest: VersionSummary | None
    is_withdrawn: bool = Field(description="Whether all that was published of it was withdrawn: see its withdrawals.")


class AssetLinks(BaseModel):
    """Addresses on this server; null for what an asset of its kind doesn't have."""

    self: str
    objects: str = Field(description="The folder of the asset's objects, as they are stored.")
    chunks: str | None = Field(description="A volume as an OME-Zarr without shards: one request a chunk.")
    zarr: str | None = Field(description="A volume as the sharded OME-Zarr that is stored.")
    thumbnail: str | None
    sections: dict[str, str] = Field(description="Mid-sections by the axis that they cut: z, y, x.")
    cutout: str | None


class LocationOut(BaseModel):
    """Where bytes are that this server does not keep."""

    ownership: Ownership
    url: str = Field(description="Empty for a folder of the server.")
    owner: str = Field(description="Who owns the bytes, in plain words.")
    seen: datetime = Field(description="When the state was seen that the asset's digest covers.")


class AssetOut(BaseModel):
    """One thing a person would name in a dataset: a volume, a neuron, a table."""

    id: str
    name: str
    kind: AssetKind
    size_bytes: int
    object_count: int
    digest: str
    details: dict[str, Any] = Field(description="What its kind needs: for a volume, its levels and quality figures.")
    location: LocationOut | None = Field(description="Null: all of its bytes are in this server's own store.")
    links: AssetLinks


class RegionValueOut(BaseModel):
    """How much of an asset lies in a region itself, without those below it."""

    role: str = Field(
        description="share (of a volume's voxels), soma, end, length (micrometres of neurite), count (of points; "
        "count:TYPE of those of one type), parcel, or named."
    )
    id: int
    acronym: str
    name: str
    name_zh: str
    color: str
    value: float


class AnchorOut(BaseModel):
    """Where an asset lies in an atlas."""

    atlas: str
    atlas_version: str
    space: str
    certainty: Certainty = Field(
        description="measured (aligned), stated by who handed it in, or name: of regions only."
    )
    error_um: float | None = Field(description="How far off places may be; null where nobody knows.")
    box_um: tuple[Triple, Triple] | None = Field(description="First and last corner (z, y, x) in the space.")
    stale: bool = Field(
        description="Whether the atlas was installed anew or in another version: `pulvinar anchor --stale` renews it"
    )
    details: dict[str, Any]
    regions: list[RegionValueOut]


class VersionOut(VersionSummary):
    """One state of a dataset, with what is in it."""

    dataset_id: str
    record: Record
    assets: list[AssetOut]


def version_summary(version: Version) -> VersionSummary:
    """`version` for a listing."""
    return VersionSummary(
        id=version.id,
        number=version.number,
        state=version.state,
        digest=version.digest,
        created=version.created,
        published=version.published,
        doi=version.doi,
    )


def version_out(version: Version) -> VersionOut:
    """`version` with its assets."""
    return VersionOut(
        **version_summary(version).model_dump(),
        dataset_id=version.dataset_id,
        record=version.record,
        assets=[asset_out(asset, version.digest) for asset in version.assets],
    )


def dataset_out(dataset: Dataset) -> DatasetOut:
    """`dataset` with a summary of its newest version."""
    latest = version_summary(dataset.latest) if dataset.latest else None
    return DatasetOut(
        id=dataset.id,
        created=dataset.created,
        record=dataset.record,
        latest=latest,
        is_withdrawn=dataset.is_withdrawn,
    )


def anchor_out(named: NamedAnchor) -> AnchorOut:
    """`named` for a program."""
    anchor = named.anchor
    regions = [
        RegionValueOut(
            role=one.role,
            id=one.region.id,
            acronym=one.region.acronym,
            name=one.region.name,
            name_zh=one.region.name_zh,
            color=one.region.color,
            value=one.value,
        )
        for one in named.regions
    ]
    return AnchorOut(
        atlas=anchor.atlas,
        atlas_version=anchor.atlas_version,
        space=anchor.space,
        certainty=anchor.certainty,
        error_um=anchor.error_um,
        box_um=anchor.box_um,
        stale=anchor.stale,
        details=dict(anchor.details),
        regions=regions,
    )


def asset_out(asset: Asset, version_digest: str) -> AssetOut:
    """`asset` as it is in the version of that digest."""
    return AssetOut(
        id=asset.id,
        name=asset.name,
        kind=asset.kind,
        size_bytes=asset.size_bytes,
        object_count=asset.object_count,
        digest=asset.digest,
        details=asset.details,
        location=_location_out(asset.location) if asset.location else None,
        links=asset_links(asset, version_digest),
    )


def _location_out(place: Location) -> LocationOut:
    return LocationOut(ownership=place.ownership, url=place.shown_url, owner=place.owner, seen=place.seen)


def has_picture(asset: Asset) -> bool:
    """Whether ingest made a thumbnail of `asset`."""
    return asset.kind in _PICTURED and bool(asset.details.get("pictured", True))


def asset_links(asset: Asset, version_digest: str) -> AssetLinks:
    """Where `asset` and its parts are found."""
    own = f"/api/v1/assets/{version_digest}/{asset.id}"
    data = f"/data/{version_digest}/{asset.id}"
    volume = asset.kind is AssetKind.VOLUME
    return AssetLinks(
        self=own,
        objects=f"{data}/objects/",
        chunks=f"{data}/chunks/" if volume else None,
        zarr=f"{data}/objects/image.ome.zarr/" if volume and asset.location is None else None,
        thumbnail=f"{own}/thumbnail" if has_picture(asset) else None,
        sections={axis: f"{own}/sections/{axis}" for axis in "zyx"} if volume and has_picture(asset) else {},
        cutout=f"{own}/cutout" if volume else None,
    )
