"""Assets: their thumbnails and mid-sections, and boxes cut out of volumes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from math import prod
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from pulvinar.access.export_rules import check_leaving
from pulvinar.catalogue.assets import Resolved, resolve, resolve_asset
from pulvinar.catalogue.stored_objects import find_object
from pulvinar.errors import Invalid, NotFound
from pulvinar.model.access import Actor, Right
from pulvinar.model.dataset import Asset, AssetKind
from pulvinar.model.export_rule import Way
from pulvinar.model.space import Window
from pulvinar.model.volume import Volume, VolumeKind, volume_from_json
from pulvinar.platform import Platform
from pulvinar.storage.external_volume import open_asset_volume
from pulvinar.web.anchors import named_anchors
from pulvinar.web.api.schemas import AnchorOut, AssetOut, anchor_out, asset_out
from pulvinar.web.context import AssetId, CurrentActor, CurrentPlatform, VersionDigest
from pulvinar.web.cutout import ZYX, Wish, plan_cutout
from pulvinar.web.cutout_formats import MEDIA_TYPES, SUFFIXES, Format, write
from pulvinar.web.downloads import disposition
from pulvinar.web.holdings import cache_control
from pulvinar.web.kept_answers import kept
from pulvinar.web.limits import costly
from pulvinar.web.reads import count_as, reading_of
from pulvinar.web.requests import matches_etag
from pulvinar.web.stored_tables import read_matrix

router = APIRouter(prefix="/assets/{version_digest}/{asset_id}", tags=["assets"])

_BINS = 64
_MOST_COUNTED = 64_000_000
"""Voxels of a level that are counted for a histogram."""
IMAGE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/webp": {"schema": {"type": "string", "format": "binary"}}}}
}
FILE: dict[int | str, dict[str, Any]] = {
    200: {"content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in MEDIA_TYPES.values()}}
}

Position = Annotated[
    int | None, Query(ge=0, le=2**31 - 1, description="Position of one, from 0; all of them when not given.")
]
Corner = Annotated[str, Query(pattern=r"^\d{1,9},\d{1,9},\d{1,9}$", description="Voxels of that level: z,y,x.")]


@router.get("")
def get_asset(
    platform: CurrentPlatform, actor: CurrentActor, version_digest: VersionDigest, asset_id: AssetId
) -> AssetOut:
    """One asset of one version."""
    return asset_out(resolve_asset(platform.database, actor, version_digest, asset_id, Right.SEE), version_digest)


@router.get("/anchors")
def get_anchors(
    platform: CurrentPlatform, actor: CurrentActor, version_digest: VersionDigest, asset_id: AssetId
) -> list[AnchorOut]:
    """Where the asset lies: its box and its regions in each atlas, and how sure that is."""
    asset = resolve_asset(platform.database, actor, version_digest, asset_id, Right.SEE)
    return [anchor_out(one) for one in named_anchors(platform, actor, [asset.id]).get(asset.id, ())]


@router.get("/thumbnail", dependencies=[Depends(kept)], response_class=Response, responses=IMAGE)
def get_thumbnail(
    request: Request, platform: CurrentPlatform, actor: CurrentActor, version_digest: VersionDigest, asset_id: AssetId
) -> Response:
    """A small picture of a volume, a neuron, a mesh or points."""
    found = resolve(platform.database, actor, version_digest, asset_id, Right.VIEW)
    return _picture(platform, actor, found, "quality/thumbnail.webp", request)


@router.get("/sections/{axis}", dependencies=[Depends(kept)], response_class=Response, responses=IMAGE)
def get_section(
    request: Request,
    platform: CurrentPlatform,
    actor: CurrentActor,
    version_digest: VersionDigest,
    asset_id: AssetId,
    axis: Literal["z", "y", "x"],
) -> Response:
    """The mid-section of a volume that is cut across `axis`."""
    found = resolve(platform.database, actor, version_digest, asset_id, Right.VIEW)
    return _picture(platform, actor, found, f"quality/section-{axis}.webp", request)


def _picture(platform: Platform, actor: Actor, found: Resolved, path: str, request: Request) -> Response:
    count_as(request, reading_of(actor, found))
    asset = found.asset
    stored = find_object(platform.database, actor, asset.id, path, Right.VIEW)
    if stored is None:
        raise NotFound(f"asset {asset.id} has no picture {path}")
    headers = {"etag": f'"{stored.sha256}"', "cache-control": cache_control(asset, found.tier).decode()}
    if matches_etag(request.headers.get("if-none-match", "").encode(), headers["etag"].encode()):
        return Response(status_code=304, headers=headers)
    data = platform.store.read(f"{asset.prefix}/{path}")
    return Response(data, media_type="image/webp", headers=headers)


@router.get("/cutout", dependencies=[Depends(costly)], response_class=Response, responses=FILE)
def get_cutout(
    request: Request,
    platform: CurrentPlatform,
    actor: CurrentActor,
    version_digest: VersionDigest,
    asset_id: AssetId,
    start: Corner,
    stop: Corner,
    level: Annotated[int, Query(ge=0, le=64, description="Resolution: 0 is the finest.")] = 0,
    channel: Position = None,
    time: Position = None,
    form: Annotated[Format, Query(alias="format", description="The kind of file.")] = Format.NIFTI,
) -> Response:
    """The voxels of a box of one level, from `start` up to and without `stop`, as a file.

    Refused with 413, before anything is read, when it is larger than this server allows; the hint then names the level
    at which the same box fits. 64-bit labels stay 64-bit in every format, though some programs can't read such NIfTI.
    """
    found = resolve(platform.database, actor, version_digest, asset_id)
    count_as(request, reading_of(actor, found))
    asset, volume = found.asset, _volume_of(found.asset)
    check_leaving(platform.database, actor, found.dataset_id, asset, Way.CUTOUT)
    wish = Wish(level, _corner(start), _corner(stop), channel, time)
    cutout = plan_cutout(volume, wish, platform.settings.cutout_budget_mb * 1_000_000)
    stored = open_asset_volume(platform.store, platform.sources, asset)
    pieces = write(cutout, lambda window: stored.read(level, window), form, platform.settings.resolved_scratch())
    name = f"{asset.name}-{_place_of(wish)}{SUFFIXES[form]}"
    headers = {"content-disposition": disposition(name), "cache-control": cache_control(asset, found.tier).decode()}
    return StreamingResponse(_begun(pieces), media_type=MEDIA_TYPES[form], headers=headers)


class HistogramOut(BaseModel):
    """How often which values are, from the coarsest level at the first time point."""

    low: float
    high: float
    counts: list[int] = Field(description="Of bins of one width from `low` to `high`.")


@router.get("/histogram", dependencies=[Depends(costly)])
def get_histogram(
    request: Request,
    platform: CurrentPlatform,
    actor: CurrentActor,
    version_digest: VersionDigest,
    asset_id: AssetId,
    channel: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
    low: Annotated[float | None, Query(allow_inf_nan=False, description="Only values from here on.")] = None,
    high: Annotated[float | None, Query(allow_inf_nan=False, description="Only values up to here.")] = None,
) -> HistogramOut:
    """The histogram of a channel of an image, as one needs it to set the contrast."""
    found = resolve(platform.database, actor, version_digest, asset_id, Right.VIEW)
    count_as(request, reading_of(actor, found))
    asset, volume = found.asset, _volume_of(found.asset)
    if channel >= len(volume.channels):
        raise Invalid(f"channel {channel} of {asset.name}", hint=f"it has 0 to {len(volume.channels) - 1}")
    level = len(volume.levels) - 1
    _, _, *extent = volume.levels[level].shape
    window = Window((0, channel, 0, 0, 0), (1, channel + 1, extent[0], extent[1], extent[2]))
    if volume.kind is not VolumeKind.IMAGE or prod(extent) > _MOST_COUNTED:
        raise Invalid(f"{asset.name} has no small level of intensities", hint="ask for a cut-out")
    values = open_asset_volume(platform.store, platform.sources, asset).read(level, window).ravel()
    values = values[np.isfinite(values)]
    ends = (values.min(), values.max()) if values.size else (0, 1)
    between = tuple(float(end if asked is None else asked) for asked, end in zip((low, high), ends, strict=True))
    counts, edges = np.histogram(values, _BINS, (between[0], max(between[1], np.nextafter(between[0], np.inf))))
    return HistogramOut(low=float(edges[0]), high=float(edges[-1]), counts=counts.tolist())


class MatrixOut(BaseModel):
    """A connectivity matrix."""

    sources: list[str] = Field(description="Names of the rows.")
    targets: list[str] = Field(description="Names of the columns.")
    values: list[list[float | None]] = Field(description="One list a row; null where a value is not known.")


@router.get("/matrix", dependencies=[Depends(costly)])
def get_matrix(
    request: Request, platform: CurrentPlatform, actor: CurrentActor, version_digest: VersionDigest, asset_id: AssetId
) -> MatrixOut:
    """The values of a connectivity matrix, with the names of its rows and columns."""
    found = resolve(platform.database, actor, version_digest, asset_id)
    count_as(request, reading_of(actor, found))
    check_leaving(platform.database, actor, found.dataset_id, found.asset, Way.DOWNLOAD)
    sources, targets, values = read_matrix(platform.store, found.asset)
    known = values.astype(object)
    known[~np.isfinite(values)] = None
    return MatrixOut(sources=sources, targets=targets, values=known.tolist())


def _volume_of(asset: Asset) -> Volume:
    if asset.kind is not AssetKind.VOLUME:
        raise Invalid(f"asset {asset.id} is a {asset.kind}, not a volume", hint="only volumes have boxes to cut out")
    return volume_from_json(asset.details["volume"])


def _place_of(wish: Wish) -> str:
    """What a cut-out is of, for its file's name: two different ones never have the same."""
    parts = [f"level{wish.level}", "_".join(map(str, wish.start)), "to", "_".join(map(str, wish.stop))]
    parts += [f"{what}{at}" for what, at in (("channel", wish.channel), ("time", wish.time)) if at is not None]
    return "-".join(parts)


def _corner(text: str) -> ZYX:
    z, y, x = map(int, text.split(","))
    return z, y, x


def _begun(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """`pieces`, the first one already made: what fails at once fails before the answer begins."""
    return chain([next(pieces)], pieces)
