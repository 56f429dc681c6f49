"""Surfaces of a dataset and the maps on them, as the page of surfaces reads them."""

from __future__ import annotations

import base64
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field

from pulvinar.access.export_rules import check_leaving
from pulvinar.catalogue.assets import find_asset, resolve
from pulvinar.catalogue.surfaces import Surface, SurfaceMap, maps_of, read_map, surfaces_of
from pulvinar.catalogue.versions import get_version
from pulvinar.errors import NotFound
from pulvinar.model.access import Right
from pulvinar.model.dataset import Version
from pulvinar.model.export_rule import Way
from pulvinar.web.context import AssetId, CurrentActor, CurrentPlatform, DatasetId, WantedVersion
from pulvinar.web.dataset_page import citation
from pulvinar.web.limits import costly
from pulvinar.web.reads import count_as, reading_of
from pulvinar.web.version_pages import lasting_address

router = APIRouter(prefix="/surfaces", tags=["surfaces"])


class SurfaceOut(BaseModel):
    """One side of a brain in one form."""

    asset: str
    name: str
    side: str = Field(description='"left", "right", or "" where nobody says.')
    form: str = Field(description='"pial", "white", "inflated", ..., or what it is called.')
    vertices: int
    source: str = Field(
        description="Address of its geometry: the number of vertices (u4), places (x, y, z; f4, nm), triangles (u4)."
    )


class MapPartOut(BaseModel):
    """The values of a map for the surfaces of one side."""

    side: str
    asset: str
    column: str


class MapOut(BaseModel):
    """One thing that is known of each vertex."""

    name: str
    parts: list[MapPartOut]


class SurfacesOut(BaseModel):
    """What there is to look at."""

    title: str
    citation: str
    attribution: str
    surfaces: list[SurfaceOut]
    maps: list[MapOut]


class ValuesOut(BaseModel):
    """A map on one surface."""

    values: str = Field(description="Base64 of little-endian float32, one a vertex; NaN where nothing is known.")
    words: list[str] | None = Field(description="Of a map of words: those that the values are positions of.")
    colors: list[str] = Field(description="Their colours, RRGGBB, where the file gives some.")


@router.get("/{dataset_id}")
def get_surfaces(
    platform: CurrentPlatform, actor: CurrentActor, dataset_id: DatasetId, version: WantedVersion = None
) -> SurfacesOut:
    """The surfaces of a dataset and the maps on them: of its newest version, or of the one with that number."""
    shown = get_version(platform.database, actor, dataset_id, version, Right.VIEW)
    found = surfaces_of(shown.assets)
    if not found:
        raise NotFound(f"version {shown.number} of dataset {dataset_id} has no surface")
    return SurfacesOut(
        title=shown.record.title,
        citation=citation(shown, lasting_address(platform, shown)),
        attribution=" · ".join(text for text in (shown.record.lab, shown.record.licence) if text),
        surfaces=[_surface(one, shown) for one in found],
        maps=[_map(one) for one in maps_of(shown.assets)],
    )


@router.get("/{dataset_id}/assets/{asset_id}", dependencies=[Depends(costly)])
def get_values(
    request: Request,
    platform: CurrentPlatform,
    actor: CurrentActor,
    dataset_id: DatasetId,
    asset_id: AssetId,
    column: Annotated[str, Query(max_length=200, description="Which map.")],
    surface: Annotated[str, Query(max_length=100, description="The surface that it is asked for, by its asset.")],
    version: WantedVersion = None,
) -> ValuesOut:
    """The values of a map on one surface."""
    shown = get_version(platform.database, actor, dataset_id, version, Right.READ)
    on = next((one for one in surfaces_of(shown.assets) if one.asset.id == surface), None)
    found = resolve(platform.database, actor, shown.digest, find_asset(shown, asset_id).id)
    if on is None:
        raise NotFound(f"version {shown.number} of dataset {dataset_id} has no surface {surface}")
    count_as(request, reading_of(actor, found))
    check_leaving(platform.database, actor, found.dataset_id, found.asset, Way.DOWNLOAD)
    told = read_map(platform.store, found.asset, column, on.side, on.vertices)
    values = base64.b64encode(told.values.astype("<f4").tobytes()).decode()
    return ValuesOut(values=values, words=None if told.words is None else list(told.words), colors=list(told.colors))


def _surface(surface: Surface, version: Version) -> SurfaceOut:
    asset = surface.asset
    source = f"/data/{version.digest}/{asset.id}/objects/{asset.details['precomputed']}/1.fragment"
    return SurfaceOut(
        asset=asset.id,
        name=asset.name,
        side=surface.side,
        form=surface.form,
        vertices=surface.vertices,
        source=source,
    )


def _map(one: SurfaceMap) -> MapOut:
    parts = [MapPartOut(side=part.side, asset=part.asset.id, column=part.column) for part in one.parts]
    return MapOut(name=one.name, parts=parts)
