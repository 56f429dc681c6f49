"""Atlases: what is installed, their regions, and questions about places. Places are (z, y, x), micrometres."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from pulvinar.atlases.common_names import regions_meant
from pulvinar.atlases.installed import Installed, OpenAtlas, find_atlas, list_atlases
from pulvinar.catalogue.assets import find_home
from pulvinar.catalogue.neurons import Neuron, list_neurons
from pulvinar.catalogue.versions import get_version
from pulvinar.errors import Invalid, NotFound
from pulvinar.model.access import Right
from pulvinar.model.atlas import PartKind
from pulvinar.model.ontology import Region
from pulvinar.model.record import Species
from pulvinar.model.space import Points
from pulvinar.web.api.assets import FILE
from pulvinar.web.api.schemas import PageOut
from pulvinar.web.atlas_scene import build_atlas_scene, extent_of, lies_in, shown_set
from pulvinar.web.context import CurrentActor, CurrentPlatform
from pulvinar.web.counterparts import counterparts
from pulvinar.web.cutout_formats import MEDIA_TYPES, SUFFIXES, Format, write
from pulvinar.web.downloads import disposition
from pulvinar.web.language import language_of
from pulvinar.web.neuron_sets import NeuronSets
from pulvinar.web.opened_atlases import opened_atlas
from pulvinar.web.region_mask import mask_cutout
from pulvinar.web.scene import Scene

router = APIRouter(prefix="/atlases", tags=["atlases"])

AtlasName = Annotated[str, Path(description="Name of an atlas, as `allen_mouse_25um`.", max_length=64)]
AtlasVersion = Annotated[
    str | None, Query(alias="version", description="Version of the atlas; the newest without it.", max_length=64)
]
RegionName = Annotated[
    str, Path(description="Identifier, acronym or name of a region, in English or Chinese.", max_length=200)
]
BINARY: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
}


class SpaceOut(BaseModel):
    """A coordinate frame, axes (z, y, x), micrometres."""

    name: str
    orientation: str = Field(description="The side that rising z, y and x go to: of L/R, P/A, I/S.")
    origin_um: tuple[float, float, float]
    extent_um: tuple[float, float, float] | None


class AtlasOut(BaseModel):
    """An atlas that is installed."""

    name: str
    version: str
    title: str
    title_zh: str
    species: Species
    space: SpaceOut
    ontology: str
    licence: str
    citation: str
    source: str
    midline_um: float | None = Field(description="Where the middle lies on the left-right axis.")
    dataset_id: str = Field(description="The dataset whose assets the templates, annotation and meshes are.")
    parts: list[dict[str, str]]


class RegionOut(BaseModel):
    """A region of an ontology."""

    id: int
    acronym: str
    name: str
    name_zh: str
    name_zh_state: str = Field(description="proposed or reviewed.")
    parent: int | None
    color: str
    side: str
    children: int = Field(description="How many regions lie right below it.")


class ExtentOut(BaseModel):
    """Where a region is in the world of its atlas's scene, (z, y, x), micrometres."""

    place_um: tuple[float, float, float] = Field(description="A place well inside it.")
    low_um: tuple[float, float, float]
    high_um: tuple[float, float, float]


class RegionDetail(RegionOut):
    """A region, what is around it in the tree, and where it is."""

    synonyms: list[str]
    ancestors: list[RegionOut] = Field(description="The nearest first.")
    below: list[RegionOut] = Field(description="The regions right below it.")
    voxels: int | None = Field(description="Of it and all below it; null for an atlas without an annotation.")
    volume_mm3: float | None
    center_um: tuple[float, float, float] | None
    box_voxels: tuple[tuple[int, int, int], tuple[int, int, int]] | None = Field(
        description="The first voxel (z, y, x) of level 0 and the one after the last."
    )
    extent: ExtentOut | None = Field(description="Where it is in the world of the atlas's scene.")


class CounterpartOut(BaseModel):
    """A region of another atlas that stands for the one asked for."""

    asked: str = Field(description="The region that it is the counterpart of: the one asked for, or one above it.")
    region: RegionDetail
    relation: str = Field(description="What `asked` is to `region`: exact, homologous, contains, contained, ...")
    sentence: str = Field(description="The same in words, in the language of the request; empty within one tree.")
    source: str = Field(description="Who says so.")


class NeuronOut(BaseModel):
    """A neuron that is anchored in an atlas."""

    asset_id: str
    name: str
    dataset_id: str
    title: str
    soma: list[RegionOut]
    length_um: float | None
    shown: bool = Field(description="Whether it lies in the atlas's own world, so that the viewer can show it there.")


class PlacesIn(BaseModel):
    """Places in the atlas's space."""

    points: list[tuple[float, float, float]] = Field(max_length=100_000, description="(z, y, x), micrometres.")
    space: str = Field("", description="Their space, to be sure: another than the atlas's is refused.", max_length=64)


class PlacesOut(BaseModel):
    """For each place its region: 0 is outside, with the nearest region and how far it is."""

    regions: list[int]
    nearest: list[int]
    distance_um: list[float]
    known: dict[int, RegionOut] = Field(description="The regions that are named above.")


def asked_atlas(
    platform: CurrentPlatform, actor: CurrentActor, name: AtlasName, version: AtlasVersion = None
) -> OpenAtlas:
    """The atlas that a request names, opened."""
    return opened_atlas(platform, find_atlas(platform.database, actor, name, version))


AskedAtlas = Annotated[OpenAtlas, Depends(asked_atlas)]


@router.get("")
def list_installed(
    platform: CurrentPlatform,
    actor: CurrentActor,
    species: Annotated[Species | None, Query(description="Only atlases of this species.")] = None,
) -> list[AtlasOut]:
    """The atlases that are installed, each in its newest version."""
    found = list_atlases(platform.database, actor)
    return [atlas_out(one) for one in found if species in (None, one.atlas.species)]


@router.get("/{name}")
def get_atlas(
    platform: CurrentPlatform, actor: CurrentActor, name: AtlasName, version: AtlasVersion = None
) -> AtlasOut:
    """One atlas."""
    return atlas_out(find_atlas(platform.database, actor, name, version))


@router.get("/{name}/regions")
def list_regions(
    atlas: AskedAtlas,
    q: Annotated[str, Query(max_length=200, description="Words of a name, in English or Chinese.")] = "",
    parent: Annotated[str, Query(max_length=200, description="Only regions right below this one.")] = "",
    limit: Annotated[int, Query(ge=1, le=5000)] = 2000,
) -> list[RegionOut]:
    """The regions, from the top of the tree down: all, those whose names have these words, or those below one."""
    ontology = atlas.ontology
    if q:
        # what a name means here comes first, whatever it is called: see `common_names`
        found = tuple(dict.fromkeys((*regions_meant(q, ontology), *ontology.search(q))))
    elif parent:
        found = ontology.children(ontology.find(parent).id)
    else:
        found = ontology.regions
    return [region_out(atlas, region) for region in found[:limit]]


@router.get("/{name}/regions/{region}")
def get_region(atlas: AskedAtlas, region: RegionName) -> RegionDetail:
    """One region: its names, what holds it, what is below it, its volume and place."""
    return region_detail(atlas, atlas.ontology.find(region))


@router.get("/{name}/regions/{region}/counterparts")
def list_counterparts(
    request: Request,
    platform: CurrentPlatform,
    actor: CurrentActor,
    atlas: AskedAtlas,
    region: RegionName,
    other: Annotated[str, Query(max_length=64, description="Name of another atlas.")],
) -> list[CounterpartOut]:
    """The regions of another atlas that stand for a region: in another species those that it is compared with."""
    there = opened_atlas(platform, find_atlas(platform.database, actor, other))
    found = counterparts(atlas, atlas.ontology.find(region), there, language_of(request))
    return [
        CounterpartOut(
            asked=one.asked.label(language_of(request)),
            region=region_detail(there, one.region),
            relation=one.relation.value,
            sentence=one.sentence,
            source=one.source,
        )
        for one in found
    ]


@router.get("/{name}/neurons")
def list_atlas_neurons(
    platform: CurrentPlatform,
    actor: CurrentActor,
    atlas: AskedAtlas,
    soma: Annotated[str, Query(max_length=200, description="Only those with the soma in this region.")] = "",
    end: Annotated[str, Query(max_length=200, description="Only those that end in this region.")] = "",
    cursor: Annotated[str, Query(max_length=100, description="Where the page before ended.")] = "",
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> PageOut[NeuronOut]:
    """The neurons that lie in an atlas and that you may see, by the regions of their soma and their ends."""
    asked = {"soma": soma, "end": end}
    spans = {key: atlas.ontology.span(atlas.ontology.find(said).id) for key, said in asked.items() if said}
    page = list_neurons(
        platform.database,
        actor,
        atlas.atlas.name,
        soma=spans.get("soma"),
        end=spans.get("end"),
        cursor=cursor,
        limit=limit,
    )
    return PageOut(items=[_neuron_out(atlas, one) for one in page.items], next_cursor=page.next_cursor)


def _neuron_out(atlas: OpenAtlas, one: Neuron) -> NeuronOut:
    length = one.details.get("length_um")
    space: Any = one.details.get("space", {})
    return NeuronOut(
        asset_id=one.asset_id,
        name=one.name,
        dataset_id=one.dataset_id,
        title=one.title,
        soma=[region_out(atlas, atlas.ontology.region(region)) for region in one.soma if region in atlas.ontology],
        length_um=length if isinstance(length, float) else None,
        shown=space.get("name", atlas.atlas.space.name) == atlas.atlas.space.name,
    )


@router.get("/{name}/regions/{region}/mask", response_class=Response, responses=FILE)
def get_mask(
    platform: CurrentPlatform,
    atlas: AskedAtlas,
    region: RegionName,
    level: Annotated[int, Query(ge=0, le=64, description="Resolution: 0 is the finest.")] = 0,
    form: Annotated[Format, Query(alias="format", description="The kind of file.")] = Format.NIFTI,
) -> Response:
    """A region and all below it as a mask of 0 and 1, cut to its box.

    The file's affine says where the box is; so does the header X-Box-Start, in voxels (z,y,x) of that level.
    """
    wanted = atlas.ontology.find(region)
    found = mask_cutout(atlas, wanted.id, level, platform.settings.cutout_budget_mb * 1_000_000)
    if found is None:
        raise NotFound(f"{wanted.name} has no voxel at level {level} of {atlas.atlas.name}", hint="ask a finer level")
    cutout, read = found
    pieces = write(cutout, read, form, platform.settings.resolved_scratch())
    name = f"{atlas.atlas.name}-{wanted.acronym or wanted.id}-level{level}{SUFFIXES[form]}"
    start = ",".join(map(str, cutout.window.start[2:]))
    headers = {"content-disposition": disposition(name), "x-box-start": start}
    return StreamingResponse(pieces, media_type=MEDIA_TYPES[form], headers=headers)


@router.get("/{name}/scene")
def get_atlas_scene(
    request: Request,
    platform: CurrentPlatform,
    actor: CurrentActor,
    atlas: AskedAtlas,
    region: Annotated[list[str] | None, Query(max_length=20, description="Regions whose surfaces are shown.")] = None,
    asset: Annotated[list[str] | None, Query(max_length=50, description="Assets that lie in the atlas.")] = None,
    ends: Annotated[
        list[str] | None, Query(max_length=20, description="Regions whose neurons are shown: those that end there.")
    ] = None,
    neurons: Annotated[
        list[str] | None, Query(max_length=20, description="Sets of neurons: soma-<region>, dataset-<id>, ..., all.")
    ] = None,
) -> Scene:
    """What the viewer shows of an atlas, of some of its regions, and of data that lie in it."""
    shown = [atlas.ontology.find(one) for one in region or () if one]
    guests = [find_home(platform.database, actor, one, Right.VIEW) for one in asset or () if one]
    for _, guest in guests:
        if not lies_in(guest, atlas):
            lies = guest.details["space"]["name"]
            raise Invalid(
                f"{guest.name} is in {lies}, the atlas is in {atlas.atlas.space.name}",
                hint="it is shown on the page of its own dataset; its anchor says where it lies in the atlas",
            )
    version = get_version(platform.database, actor, atlas.dataset_id)
    # what an address calls a region by is kept: only so can a layer be taken out of it again
    keys = {f"ends-{atlas.ontology.find(one).id}": one for one in ends or () if one}
    keys |= {one: one for one in neurons or () if one and one not in keys}
    language, sets = language_of(request), NeuronSets(platform)
    layers = [shown_set(platform, sets, actor, atlas, key, language, name) for key, name in keys.items()]
    return build_atlas_scene(atlas, version, shown, guests, language, layers)


@router.post("/{name}/regions-at")
def find_regions(atlas: AskedAtlas, places: PlacesIn) -> PlacesOut:
    """In which region each place lies; for those outside the nearest one, and how far it is."""
    if places.space and places.space != atlas.atlas.space.name:
        raise Invalid(
            f"the places are in {places.space}, the atlas is in {atlas.atlas.space.name}",
            hint=f"give places of {atlas.atlas.space.name}",
        )
    points = Points(atlas.atlas.space, np.array(places.points, np.float64).reshape(-1, 3))
    nearest = atlas.annotation.nearest(points)
    inside = atlas.annotation.regions_at(points)
    named = {int(one) for one in np.unique(nearest.region)}
    known = {one: region_out(atlas, atlas.ontology.region(one)) for one in named if one in atlas.ontology}
    return PlacesOut(
        regions=inside.tolist(), nearest=nearest.region.tolist(), distance_um=nearest.distance_um.tolist(), known=known
    )


@router.post("/{name}/regions-at/binary", response_class=Response, responses=BINARY)
async def find_regions_binary(request: Request, atlas: AskedAtlas) -> Response:
    """The same for programs: the body is little-endian float64 (n, 3), the answer little-endian int64 (n,)."""
    body = await request.body()
    if len(body) % 24:
        raise Invalid(f"{len(body)} bytes are no rows of three float64", hint="send z, y, x of each place")
    points = Points(atlas.atlas.space, np.frombuffer(body, "<f8").reshape(-1, 3))
    # the first question makes the grid, which takes seconds: others are answered meanwhile
    regions = await run_in_threadpool(lambda: atlas.annotation.regions_at(points))
    return Response(regions.astype("<i8").tobytes(), media_type="application/octet-stream")


def atlas_out(one: Installed) -> AtlasOut:
    """An installed atlas as the API tells it."""
    atlas = one.atlas
    space = atlas.space
    return AtlasOut(
        name=atlas.name,
        version=atlas.version,
        title=atlas.title,
        title_zh=atlas.title_zh,
        species=atlas.species,
        space=SpaceOut(
            name=space.name, orientation=space.orientation, origin_um=space.origin_um, extent_um=space.extent_um
        ),
        ontology=atlas.ontology,
        licence=atlas.licence,
        citation=atlas.citation,
        source=atlas.source,
        midline_um=atlas.midline_um,
        dataset_id=one.dataset_id,
        parts=[
            {"kind": p.kind.value, "name": p.name, "version": p.version, "asset_id": p.asset_id, "digest": p.digest}
            for p in atlas.parts
        ],
    )


def region_out(atlas: OpenAtlas, region: Region) -> RegionOut:
    """A region as a listing tells it."""
    return RegionOut(
        id=region.id,
        acronym=region.acronym,
        name=region.name,
        name_zh=region.name_zh,
        name_zh_state=region.name_zh_state.value,
        parent=region.parent,
        color=region.color,
        side=region.side,
        children=len(atlas.ontology.children(region.id)),
    )


def region_detail(atlas: OpenAtlas, region: Region) -> RegionDetail:
    """A region with its surroundings and its place."""
    ontology = atlas.ontology
    annotation = atlas.annotation if atlas.atlas.has(PartKind.ANNOTATION) else None
    box = annotation.box_of(region.id) if annotation else None
    extent = extent_of(atlas, region.id) if annotation else None
    return RegionDetail(
        **region_out(atlas, region).model_dump(),
        synonyms=list(region.synonyms),
        ancestors=[region_out(atlas, one) for one in ontology.ancestors(region.id)],
        below=[region_out(atlas, one) for one in ontology.children(region.id)],
        voxels=annotation.voxel_count(region.id) if annotation else None,
        volume_mm3=annotation.volume_of(region.id) if annotation else None,
        center_um=annotation.center_of(region.id) if annotation else None,
        box_voxels=(tuple(box[0].tolist()), tuple(box[1].tolist())) if box else None,
        extent=ExtentOut(**asdict(extent)) if extent else None,
    )
