"""How a transform deforms an atlas, at the places of a grid on a section."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field

from pulvinar.access.export_rules import check_leaving
from pulvinar.atlases.departure import departure, places_in_brain, seen_from
from pulvinar.catalogue.assets import resolve
from pulvinar.catalogue.transforms import list_transforms
from pulvinar.errors import NotFound
from pulvinar.model.export_rule import Way
from pulvinar.model.space import Points
from pulvinar.model.transform import space_to_world, world_to_space
from pulvinar.model.volume import Triple
from pulvinar.web.api.atlases import AskedAtlas
from pulvinar.web.context import CurrentActor, CurrentPlatform
from pulvinar.web.limits import costly
from pulvinar.web.places import Place, read_place
from pulvinar.web.reads import count_as, reading_of

router = APIRouter(prefix="/atlases", tags=["atlases"], dependencies=[Depends(costly)])

MOST = 80
"""Places of a grid, a side."""


class DisplacementsOut(BaseModel):
    """Where the places of a grid move, over the affine map that is nearest to the transform."""

    name: str
    source: str
    target: str
    vectors: list[Triple | None] = Field(
        description="(z, y, x) in micrometres of the world, row by row; null where the transform knows no place."
    )


@router.get("/{name}/displacements")
def get_displacements(
    request: Request,
    platform: CurrentPlatform,
    actor: CurrentActor,
    atlas: AskedAtlas,
    transform: Annotated[str, Query(max_length=100, description="A transform from or to the atlas, by its asset.")],
    corner: Place,
    right: Place,
    down: Place,
    columns: Annotated[int, Query(ge=1, le=MOST, description="Places a row.")],
    rows: Annotated[int, Query(ge=1, le=MOST, description="Rows.")],
) -> DisplacementsOut:
    """The displacements at a grid's places: `corner` is the first, `right` and `down` lead to the next ones."""
    stored = list_transforms(platform.database, platform.store, actor)
    one = next((one for one in stored if one.asset.id == transform), None)
    if one is None:
        raise NotFound(f"there is no transform {transform}")
    found = resolve(platform.database, actor, one.digest, one.asset.id)
    count_as(request, reading_of(actor, found))
    check_leaving(platform.database, actor, found.dataset_id, found.asset, Way.DOWNLOAD)
    space = atlas.atlas.space
    first, across, along = (read_place(text) for text in (corner, right, down))
    down_by, right_by = np.divmod(np.arange(rows * columns), columns)
    world = first + right_by[:, None] * across + down_by[:, None] * along
    inward, outward = np.array(world_to_space(space))[:3], np.array(space_to_world(space))[:3]
    shown = seen_from(one.transform, space)
    places = Points(shown.source, world @ inward[:, :3].T + inward[:, 3])
    moved = departure(shown, places, Points(shown.source, places_in_brain(atlas.annotation).zyx_um))
    turned = moved @ outward[:, :3].T
    vectors = [(z, y, x) if np.isfinite([z, y, x]).all() else None for z, y, x in turned.tolist()]
    source, target = one.transform.source.name, one.transform.target.name
    return DisplacementsOut(name=one.name, source=source, target=target, vectors=vectors)
