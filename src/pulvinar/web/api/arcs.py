"""Connections between the regions of an atlas, of a matrix whose parcels are called as they are."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field

from pulvinar.access.export_rules import check_leaving
from pulvinar.catalogue.assets import find_home, resolve
from pulvinar.model.export_rule import Way
from pulvinar.model.volume import Triple
from pulvinar.web.api.atlases import AskedAtlas
from pulvinar.web.arcs import arcs_of
from pulvinar.web.context import CurrentActor, CurrentPlatform
from pulvinar.web.language import language_of
from pulvinar.web.limits import costly
from pulvinar.web.reads import count_as, reading_of

router = APIRouter(prefix="/atlases", tags=["atlases"], dependencies=[Depends(costly)])


class ArcOut(BaseModel):
    """A connection between two regions."""

    source: str
    target: str
    value: float
    source_um: Triple = Field(description="A place well inside of the region, in the world: (z, y, x).")
    target_um: Triple


class ArcsOut(BaseModel):
    """The strongest connections of a matrix, these first."""

    name: str
    arcs: list[ArcOut]
    directed: bool = Field(description="Whether from and to differ.")
    named: int = Field(description="How many of the parcels are regions of the atlas with a place.")
    parcels: int


@router.get("/{name}/arcs")
def get_arcs(
    request: Request,
    platform: CurrentPlatform,
    actor: CurrentActor,
    atlas: AskedAtlas,
    asset: Annotated[str, Query(max_length=100, description="A connectivity matrix, by its asset.")],
    limit: Annotated[int, Query(ge=1, le=2000, description="How many at most.")] = 200,
) -> ArcsOut:
    """The strongest connections of a matrix whose rows and columns are named as regions of the atlas are."""
    home, _ = find_home(platform.database, actor, asset)
    found = resolve(platform.database, actor, home.digest, asset)
    count_as(request, reading_of(actor, found))
    check_leaving(platform.database, actor, found.dataset_id, found.asset, Way.DOWNLOAD)
    told = arcs_of(platform.store, found.asset, atlas, limit)
    language = language_of(request)
    arcs = [
        ArcOut(
            source=one.source.label(language),
            target=one.target.label(language),
            value=one.value,
            source_um=one.source_um,
            target_um=one.target_um,
        )
        for one in told.arcs
    ]
    return ArcsOut(name=found.asset.name, arcs=arcs, directed=told.directed, named=told.named, parcels=told.parcels)
