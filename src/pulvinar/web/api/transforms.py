"""Transforms between spaces: which are stored, and points brought over. Places are (z, y, x), micrometres."""

from __future__ import annotations

import numpy as np
from fastapi import APIRouter
from pydantic import BaseModel, Field

from pulvinar.catalogue.transforms import (
    find_route,
    leg_to_json,
    list_transforms,
    stored_to_json,
    transform_points,
)
from pulvinar.model.space import Points
from pulvinar.web.context import CurrentActor, CurrentPlatform

router = APIRouter(prefix="/transforms", tags=["transforms"])

_ERROR = "How far off a point is to be expected, micrometres; null where nobody knows."


class TransformOut(BaseModel):
    """A transform, in the newest version of its dataset. Points go from `source` to `target`."""

    name: str
    source: str = Field(description="Space that points come from.")
    target: str = Field(description="Space that points go to.")
    kind: str = Field(description="affine, displacement, or composition of several.")
    invertible: bool = Field(description="Whether points can go back too.")
    expected_error_um: float | None = Field(description=_ERROR)
    obtained: str = Field(description="How it was made, and from which files.")
    licence: str
    citation: str
    dataset_id: str
    version: int
    digest: str = Field(description="What that version of the dataset is cited by.")
    asset_id: str


class LegOut(BaseModel):
    """One transform of a path."""

    source: str
    target: str
    transform: str = Field(description="Its name.")
    inverted: bool = Field(description="Whether points go against the way that it was stored in.")
    expected_error_um: float | None = Field(description=_ERROR)
    dataset_id: str
    version: int
    digest: str


class PointsToTransform(BaseModel):
    """Points of one space, and the space they are wanted in."""

    source: str = Field(description="Space of the points.", max_length=200)
    target: str = Field(description="Space that they are wanted in.", max_length=200)
    points: list[tuple[float, float, float]] = Field(max_length=10_000, description="(z, y, x), micrometres.")


class TransformedPoints(BaseModel):
    """The points in the other space, and how they got there."""

    points: list[tuple[float, float, float]] = Field(description="(z, y, x), micrometres of the target.")
    expected_error_um: float | None = Field(description=_ERROR)
    path: list[LegOut] = Field(description="In the order that points meet them; empty from a space to itself.")


@router.get("")
def list_stored_transforms(platform: CurrentPlatform, actor: CurrentActor) -> list[TransformOut]:
    """The transforms between spaces, the one published first first."""
    return [TransformOut(**stored_to_json(one)) for one in list_transforms(platform.database, platform.store, actor)]


@router.post("/points")
def bring_points(platform: CurrentPlatform, actor: CurrentActor, asked: PointsToTransform) -> TransformedPoints:
    """Points brought from one space to another, by the path of the smallest expected error.

    404 when no path leads there: the hint names the spaces that can be reached.
    """
    route = find_route(list_transforms(platform.database, platform.store, actor), asked.source, asked.target)
    points = Points(route.transform.source, np.array(asked.points, np.float64).reshape(-1, 3))
    return TransformedPoints(
        points=transform_points(route, points).zyx_um.tolist(),
        expected_error_um=route.expected_error_um,
        path=[LegOut(**leg_to_json(leg)) for leg in route.legs],
    )
