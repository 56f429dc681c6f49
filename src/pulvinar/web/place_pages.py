"""The page of a place in an atlas: its region or the nearest one, its mirror image, and where it is in other spaces."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import quote, urlencode

import numpy as np
import numpy.typing as npt
from fastapi import APIRouter, Depends, Query, Request, Response

from pulvinar.atlases.installed import OpenAtlas
from pulvinar.catalogue.query_fields import plain_number
from pulvinar.catalogue.transforms import find_route, list_transforms, spaces_of, transform_points
from pulvinar.errors import Invalid, PulvinarError
from pulvinar.model.access import Actor, Right
from pulvinar.model.atlas import PartKind
from pulvinar.model.ontology import Region
from pulvinar.model.space import Points
from pulvinar.platform import Platform
from pulvinar.web.api.atlases import AskedAtlas
from pulvinar.web.atlas_reads import check_read
from pulvinar.web.atlas_scene import world_of
from pulvinar.web.context import CurrentActor, CurrentPlatform
from pulvinar.web.language import language_of
from pulvinar.web.limits import costly
from pulvinar.web.recipes import of_place
from pulvinar.web.rendering import render

router = APIRouter(include_in_schema=False)

_BETWEEN = re.compile(r"[\s,，、;；]+")
_AROUND_UM = 300


@dataclass(frozen=True)
class Spot:
    """A place and what is there: `xyz` in micrometres as text; `region` is the nearest one where `away_um` is above 0,
    None of an atlas that names none."""

    xyz: str
    region: Region | None = None
    path: tuple[Region, ...] = ()
    away_um: float = 0.0


@dataclass(frozen=True)
class Elsewhere:
    """The same place in another space, and how far off that is to be expected; None where nobody knows."""

    space: str
    xyz: str
    expected_error_um: float | None


@router.get("/atlases/{name}/at", dependencies=[Depends(costly)])
def at(
    request: Request,
    platform: CurrentPlatform,
    actor: CurrentActor,
    asked: AskedAtlas,
    place: Annotated[str, Query(max_length=100, description="x, y, z in micrometres of the atlas's space.")] = "",
) -> Response:
    """What is at a place; without one, the question alone."""
    values: dict[str, Any] = {
        "atlas": asked.atlas,
        "title": asked.atlas.label(language_of(request)),
        "address": f"/atlases/{quote(asked.atlas.name)}",
        "place": place,
        "named": asked.atlas.has(PartKind.ANNOTATION),
        "around_um": _AROUND_UM,
        "trouble": None,
        "here": None,
    }
    try:
        points = _read(asked, place) if place.strip() else None
    except Invalid as error:
        return render(request, "place.html", values | {"trouble": error}, status=422)
    if points is not None:
        if values["named"]:
            check_read(request, platform, actor, asked, PartKind.ANNOTATION, Right.VIEW)
        values |= _told(platform, actor, asked, points, str(request.base_url).rstrip("/"))
    return render(request, "place.html", values)


def _read(asked: OpenAtlas, text: str) -> Points:
    """The place that a person wrote as x, y, z. Raises `Invalid`."""
    try:
        xyz = [float(part) for part in _BETWEEN.split(text.strip().strip("()（）"))]
    except ValueError:
        xyz = []
    if len(xyz) != 3 or not np.isfinite(xyz).all():
        raise Invalid(f"{text!r} is no place", hint="three numbers x, y, z in micrometres")
    return Points(asked.atlas.space, np.array([xyz[::-1]], np.float64))


def _told(platform: Platform, actor: Actor, asked: OpenAtlas, points: Points, base: str) -> dict[str, Any]:
    try:
        mirrored = asked.atlas.mirror(points)
    except Invalid:
        mirrored = None
    zyx_um = points.zyx_um[0].tolist()
    named = asked.atlas.has(PartKind.ANNOTATION)
    xyz = ",".join(map(plain_number, reversed(zyx_um)))
    around = f"within:{_AROUND_UM}um of:({xyz})@{asked.atlas.space.name}"
    return {
        "here": _spot(asked, points),
        "mirrored": _spot(asked, mirrored) if mirrored is not None else None,
        "elsewhere": _elsewhere(platform, actor, points),
        "around": f"/?{urlencode({'q': around})}",
        "view": _view(asked, points),
        "recipe": of_place(base, asked.atlas.name, zyx_um, around, named=named),
    }


def _spot(asked: OpenAtlas, points: Points) -> Spot:
    xyz = _written(points.zyx_um[0])
    if not asked.atlas.has(PartKind.ANNOTATION):
        return Spot(xyz)
    nearest = asked.annotation.nearest_region(points)
    region = asked.ontology.region(int(nearest.region[0]))
    return Spot(xyz, region, asked.ontology.ancestors(region.id)[::-1], float(nearest.distance_um[0]))


def _elsewhere(platform: Platform, actor: Actor, points: Points) -> list[Elsewhere]:
    stored = list_transforms(platform.database, platform.store, actor)
    found = []
    for name in sorted(spaces_of(stored).keys() - {points.space.name}):
        try:
            route = find_route(stored, points.space.name, name)
            (there,) = transform_points(route, Points(route.transform.source, points.zyx_um)).zyx_um
        except PulvinarError:  # no path leads there, or the place is beyond what one maps
            continue
        found.append(Elsewhere(name, _written(there), route.expected_error_um))
    return found


def _view(asked: OpenAtlas, points: Points) -> str:
    """The viewer with its cross-hair there."""
    z, y, x = world_of(asked.atlas)[:3] @ [*points.zyx_um[0], 1.0]
    return (
        f"/atlases/{quote(asked.atlas.name)}/view#p={'_'.join(plain_number(round(float(one), 3)) for one in (x, y, z))}"
    )


def _written(zyx_um: npt.NDArray[np.float64]) -> str:
    return ", ".join(f"{value:.1f}".removesuffix(".0") for value in (zyx_um[::-1].round(1) + 0.0).tolist())
