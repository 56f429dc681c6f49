"""Questions about places in an atlas. Places are (z, y, x), micrometres of its space."""

from __future__ import annotations

from typing import Any

import numpy as np
from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, Field

from pulvinar.atlases.installed import OpenAtlas
from pulvinar.errors import Invalid, SpaceMismatch
from pulvinar.model.atlas import PartKind
from pulvinar.model.space import Points
from pulvinar.model.volume import Triple
from pulvinar.web.api.atlases import AskedAtlas, RegionOut, region_out
from pulvinar.web.atlas_reads import check_read
from pulvinar.web.context import CurrentActor, CurrentPlatform

router = APIRouter(prefix="/atlases", tags=["atlases"])

BINARY: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
}


class PlacesIn(BaseModel):
    """Places in the atlas's space."""

    points: list[Triple] = Field(max_length=100_000, description="(z, y, x), micrometres.")
    space: str = Field("", description="Their space, to be sure: another than the atlas's is refused.", max_length=64)


class PlacesOut(BaseModel):
    """For each place its region: 0 is outside, with the nearest region and how far it is."""

    regions: list[int]
    nearest: list[int]
    distance_um: list[float]
    known: dict[int, RegionOut] = Field(description="The regions that are named above.")


class MirroredOut(BaseModel):
    """The same places on the other side."""

    points: list[Triple] = Field(description="(z, y, x), micrometres.")


@router.post("/{name}/regions-at")
def find_regions(
    request: Request, platform: CurrentPlatform, actor: CurrentActor, atlas: AskedAtlas, places: PlacesIn
) -> PlacesOut:
    """In which region each place lies; for those outside the nearest one, and how far it is."""
    check_read(request, platform, actor, atlas, PartKind.ANNOTATION)
    points = _points(atlas, places)
    nearest = atlas.annotation.nearest_region(points)
    inside = atlas.annotation.regions_at(points)
    named = {int(one) for one in np.unique(nearest.region)}
    known = {one: region_out(atlas, atlas.ontology.region(one)) for one in named if one in atlas.ontology}
    return PlacesOut(
        regions=inside.tolist(), nearest=nearest.region.tolist(), distance_um=nearest.distance_um.tolist(), known=known
    )


@router.post("/{name}/mirror")
def mirror_places(atlas: AskedAtlas, places: PlacesIn) -> MirroredOut:
    """The places mirrored at the middle of the brain; refused by an atlas whose middle nobody knows."""
    return MirroredOut(points=atlas.atlas.mirror(_points(atlas, places)).zyx_um.tolist())


def _points(atlas: OpenAtlas, places: PlacesIn) -> Points:
    if places.space and places.space != atlas.atlas.space.name:
        raise SpaceMismatch(
            f"the places are in {places.space}, the atlas is in {atlas.atlas.space.name}",
            hint=f"give places of {atlas.atlas.space.name}",
        )
    return Points(atlas.atlas.space, np.array(places.points, np.float64).reshape(-1, 3))


@router.post("/{name}/regions-at/binary", response_class=Response, responses=BINARY)
async def find_regions_binary(
    request: Request, platform: CurrentPlatform, actor: CurrentActor, atlas: AskedAtlas
) -> Response:
    """The same for programs: the body is little-endian float64 (n, 3), the answer little-endian int64 (n,)."""
    await run_in_threadpool(check_read, request, platform, actor, atlas, PartKind.ANNOTATION)
    body = await request.body()
    if len(body) % 24:
        raise Invalid(f"{len(body)} bytes are no rows of three float64", hint="send z, y, x of each place")
    points = Points(atlas.atlas.space, np.frombuffer(body, "<f8").reshape(-1, 3))
    # the first question makes the grid, which takes seconds: others are answered meanwhile
    regions = await run_in_threadpool(lambda: atlas.annotation.regions_at(points))
    return Response(regions.astype("<i8").tobytes(), media_type="application/octet-stream")
