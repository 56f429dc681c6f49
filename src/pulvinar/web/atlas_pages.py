"""Pages of atlases: which there are, the tree of one, and a region with its pictures, its place and its data."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import RedirectResponse

from pulvinar.atlases.common_names import regions_meant
from pulvinar.atlases.installed import Installed, OpenAtlas, list_atlases
from pulvinar.catalogue.asset_search import ResultPage, search_assets
from pulvinar.catalogue.neurons import list_neurons
from pulvinar.catalogue.query_nodes import QueryError
from pulvinar.catalogue.versions import get_version
from pulvinar.errors import NotFound
from pulvinar.model.access import Actor, Right
from pulvinar.model.atlas import PartKind
from pulvinar.model.ontology import Region
from pulvinar.platform import Platform
from pulvinar.web import phrases
from pulvinar.web.api.atlases import AskedAtlas, RegionName
from pulvinar.web.atlas_reads import check_read
from pulvinar.web.context import CurrentActor, CurrentPlatform
from pulvinar.web.counterparts import compared
from pulvinar.web.dataset_page import cover_of
from pulvinar.web.kept_answers import kept
from pulvinar.web.language import language_of
from pulvinar.web.opened_atlases import opened_atlas
from pulvinar.web.projections import projections
from pulvinar.web.recipes import of_atlas, of_region, of_search
from pulvinar.web.region_picture import region_picture
from pulvinar.web.rendering import HERE, VIEWER_POLICY, render
from pulvinar.web.requests import matches_etag

router = APIRouter(include_in_schema=False)

_MOST_FOUND = 100
_NEURONS = 50
_HITS = 5
_OPEN_AT_FIRST = 60
"""So many regions of a tree are shown before anybody opens a branch."""
_MASKS = (("nii.gz", "NIfTI"), ("tif", "TIFF"), ("npy", "NumPy"), ("zarr", "OME-Zarr"))
_SURFACES = (("ply", "PLY"), ("obj", "OBJ"), ("stl", "STL"))
_EVERYTHING = "box:(-500,-500,-500)..(500,500,500)mm@{space}"
"""Asks for all that lies in a space: no brain is larger."""


@router.get("/atlases", dependencies=[Depends(kept)])
def atlases(request: Request, platform: CurrentPlatform, actor: CurrentActor) -> Response:
    """The atlases that are installed."""
    found = list_atlases(platform.database, actor)
    cards = [atlas_card(platform, actor, one) for one in found]
    return render(request, "atlases.html", {"cards": cards})


def atlas_card(platform: Platform, actor: Actor, one: Installed) -> dict[str, Any]:
    """What a list says of an atlas: its version, the asset whose picture stands for it, its number of regions."""
    version = get_version(platform.database, actor, one.dataset_id)
    parts = {part.asset_id: part.kind for part in one.atlas.parts}
    shown = [asset for asset in version.assets if parts.get(asset.id) is PartKind.ANNOTATION]
    cover = cover_of(shown) or cover_of(version.assets)
    regions = len(opened_atlas(platform, one).ontology) if one.atlas.has(PartKind.TERMINOLOGY) else 0
    return {"atlas": one.atlas, "version": version, "cover": cover, "regions": regions}


@router.get("/atlases/{name}", dependencies=[Depends(kept)])
def atlas(
    request: Request,
    platform: CurrentPlatform,
    actor: CurrentActor,
    asked: AskedAtlas,
    q: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """One atlas: its facts, and the tree of its regions or those that a search finds."""
    found = asked.search(q)[:_MOST_FOUND] if q and asked.atlas.has(PartKind.TERMINOLOGY) else ()
    version = get_version(platform.database, actor, asked.dataset_id)
    base = str(request.base_url).rstrip("/")
    everything = _EVERYTHING.format(space=asked.atlas.space.name)
    named = asked.atlas.has(PartKind.TERMINOLOGY)
    recipe = of_atlas(base, asked.atlas.name) if named else of_search(base, everything)
    values = {
        **_common(request, asked),
        "query": q,
        "version": version,
        "found": [_row(asked, region) for region in found],
        "roots": _branch(asked, None, _OPEN_AT_FIRST) if asked.atlas.has(PartKind.TERMINOLOGY) else [],
        "licence_address": phrases.licence_address(asked.atlas.licence),
        "annotation": _annotation_facts(asked),
        "everything": everything,
        "recipe": recipe,
    }
    template = "_regions.html" if "hx-request" in request.headers else "atlas.html"
    response = render(request, template, values)
    response.headers["vary"] = "HX-Request, Accept-Language, Cookie"
    return response


@router.get("/atlases/{name}/tree/{region}", dependencies=[Depends(kept)])
def branch(request: Request, asked: AskedAtlas, region: RegionName) -> Response:
    """The regions right below one, for a branch of the tree that somebody opens."""
    below = _branch(asked, asked.region(region).id, 0)
    return render(request, "_branch.html", {**_common(request, asked), "branch": below})


@router.get("/atlases/{name}/regions/{region}", dependencies=[Depends(kept)])
def region(
    request: Request, platform: CurrentPlatform, actor: CurrentActor, asked: AskedAtlas, region: RegionName
) -> Response:
    """One region; of a name that means several, the list of these."""
    meant = regions_meant(region, asked.ontology)
    if len(meant) > 1:
        return RedirectResponse(f"/atlases/{quote(asked.atlas.name)}?{urlencode({'q': region})}", status_code=303)
    shown = asked.region(region)
    has_voxels = asked.atlas.has(PartKind.ANNOTATION)
    pictured = has_voxels and asked.annotation.box_of(shown.id) is not None
    base = str(request.base_url).rstrip("/")
    query = _region_query(asked, shown)
    values = {
        **_common(request, asked),
        "region": shown,
        "row": _row(asked, shown),
        "ancestors": tuple(reversed(asked.ontology.ancestors(shown.id))),
        "children": [_row(asked, one) for one in asked.ontology.children(shown.id)],
        "below": len(asked.ontology.descendants(shown.id)),
        "pictured": pictured,
        "recipe": of_region(base, asked.atlas.name, shown.id, has_voxels=pictured),
        "place_um": asked.annotation.place_of(shown.id) if has_voxels else None,
        "share": _share(asked, shown) if has_voxels else None,
        "compared": compared(platform, actor, asked, shown, language_of(request)),
        "search_address": f"/?{urlencode({'q': query})}",
        "data": _data_in(platform, actor, query),
        "region_address": f"/api/v1/atlases/{quote(asked.atlas.name)}/regions/{shown.id}",
        "masks": _MASKS,
        "surfaces": _SURFACES if asked.atlas.has(PartKind.MESHES) else (),
    }
    return render(request, "region.html", values)


@router.get("/atlases/{name}/regions/{region}/picture/{axis}", dependencies=[Depends(kept)])
def picture(
    request: Request,
    platform: CurrentPlatform,
    actor: CurrentActor,
    asked: AskedAtlas,
    region: RegionName,
    axis: Literal["z", "y", "x"],
) -> Response:
    """A section through a region, WebP."""
    check_read(request, platform, actor, asked, PartKind.ANNOTATION, Right.VIEW)
    shown = asked.region(region)
    part = asked.atlas.part(PartKind.ANNOTATION)
    headers = {"etag": f'"{part.digest[:32]}.{shown.id}.{axis}"', "cache-control": "private, max-age=86400"}
    if matches_etag(request.headers.get("if-none-match", "").encode(), headers["etag"].encode()):
        return Response(status_code=304, headers=headers)
    data = region_picture(asked.annotation, shown.id, "zyx".index(axis))
    if data is None:
        raise NotFound(f"{shown.name} has no voxel in {asked.atlas.name}")
    return Response(data, media_type="image/webp", headers=headers)


@router.get("/atlases/{name}/neurons")
def neurons(
    request: Request,
    platform: CurrentPlatform,
    actor: CurrentActor,
    asked: AskedAtlas,
    soma: Annotated[str, Query(max_length=200)] = "",
    end: Annotated[str, Query(max_length=200)] = "",
    cursor: Annotated[str, Query(max_length=100)] = "",
) -> Response:
    """The neurons that lie in an atlas: soma, size, and how much of each is in which region."""
    spans = {name: asked.ontology.span(asked.region(said).id) for name, said in _said(soma, end).items()}
    page = list_neurons(
        platform.database,
        actor,
        asked.atlas.name,
        soma=spans.get("soma"),
        end=spans.get("end"),
        cursor=cursor,
        limit=_NEURONS,
    )
    table = projections(page.items, asked.ontology)
    said = [f"{what}-{asked.region(text).id}" for what, text in (("ends", end), ("soma", soma)) if text.strip()]
    follow = {**_said(soma, end), "cursor": page.next_cursor} if page.next_cursor else None
    values = {
        **_common(request, asked),
        "rows": list(zip(page.items, table.cells, strict=True)),
        "regions": table.regions,
        "named": lambda ids: [asked.ontology.region(one) for one in ids if one in asked.ontology],
        "set": said[0] if said else "all",
        "soma": soma,
        "end": end,
        "next": f"?{urlencode(follow)}" if follow else None,
        "first": not cursor,
    }
    return render(request, "neurons.html", values)


def _said(soma: str, end: str) -> dict[str, str]:
    return {name: said.strip() for name, said in (("soma", soma), ("end", end)) if said.strip()}


@router.get("/atlases/{name}/view")
def view(
    request: Request,
    platform: CurrentPlatform,
    actor: CurrentActor,
    asked: AskedAtlas,
    region: Annotated[list[str] | None, Query(max_length=20)] = None,
    asset: Annotated[list[str] | None, Query(max_length=50)] = None,
    ends: Annotated[list[str] | None, Query(max_length=20)] = None,
    neurons: Annotated[list[str] | None, Query(max_length=20)] = None,
    arcs: Annotated[list[str] | None, Query(max_length=5)] = None,
    warp: Annotated[list[str] | None, Query(max_length=2)] = None,
) -> Response:
    """The viewer, with an atlas, some of its regions, sets of neurons, transforms, and assets that lie in it."""
    version = get_version(platform.database, actor, asked.dataset_id)
    address = f"/atlases/{quote(asked.atlas.name)}"
    asked_for = [("region", one) for one in region or ()] + [("asset", one) for one in asset or ()]
    asked_for += [("ends", one) for one in ends or ()] + [("neurons", one) for one in neurons or ()]
    asked_for += [("arcs", one) for one in arcs or ()] + [("warp", one) for one in warp or ()]
    given = f"?{urlencode(asked_for)}" if asked_for else ""
    values = {
        "record": version.record,
        "built": (HERE / "viewer" / "pulvinar-viewer.js").is_file(),
        "scene": f"/api/v1{address}/scene{given}",
        "link": f"{address}/view{given}",
        "back": f"{address}/regions/{quote(region[0])}" if region else address,
        "what": phrases.mark("Atlas"),
        "compare": f"/compare?{urlencode({'brain': f'atlas:{asked.atlas.name}'})}",
    }
    return render(request, "view.html", values, policy=VIEWER_POLICY)


def _common(request: Request, asked: OpenAtlas) -> dict[str, Any]:
    atlas = asked.atlas
    return {
        "atlas": atlas,
        "title": atlas.label(language_of(request)),
        "address": f"/atlases/{quote(atlas.name)}",
        "dataset_id": asked.dataset_id,
        "region_count": len(asked.ontology) if atlas.has(PartKind.TERMINOLOGY) else 0,
    }


def _row(asked: OpenAtlas, region: Region) -> dict[str, Any]:
    """A region as a line of a list: its volume in cubic millimetres, None where the atlas has no voxels of it."""
    voxels = asked.annotation.voxel_count(region.id) if asked.atlas.has(PartKind.ANNOTATION) else 0
    return {
        "region": region,
        "children": len(asked.ontology.children(region.id)),
        "volume_mm3": asked.annotation.volume_of(region.id) if voxels else None,
        "path": [one.acronym or one.name for one in reversed(asked.ontology.ancestors(region.id))],
    }


def _branch(asked: OpenAtlas, parent: int | None, room: int) -> list[dict[str, Any]]:
    """The regions right below `parent`, and below those as long as about `room` of them are shown."""
    rows = [_row(asked, one) | {"branch": None} for one in asked.ontology.children(parent)]
    left = room - len(rows)
    for row in rows:
        if row["children"] and row["children"] <= left:
            row["branch"] = _branch(asked, row["region"].id, left // max(1, len(rows)))
            left -= row["children"]
    return rows


def _share(asked: OpenAtlas, region: Region) -> float | None:
    """How much of all labelled tissue a region is."""
    whole = int(asked.annotation.index.count.sum())
    return asked.annotation.voxel_count(region.id) / whole if whole else None


def _annotation_facts(asked: OpenAtlas) -> dict[str, Any] | None:
    if not asked.atlas.has(PartKind.ANNOTATION):
        return None
    volume = asked.annotation.volume.volume
    return {
        "labels": len(asked.annotation.index.labels),
        "voxel_size_um": volume.voxel_size_um,
        "shape": volume.shape[2:],
    }


def _data_in(platform: Platform, actor: Actor, query: str) -> ResultPage:
    """The first that lies in a region; nothing where the search doesn't know it, as one of an older version."""
    try:
        return search_assets(platform.database, actor, query, limit=_HITS, facets=True)
    except QueryError:
        return ResultPage((), count=0)


def _region_query(asked: OpenAtlas, region: Region) -> str:
    """The search for what lies in a region, in the words of the search box."""
    return f'region:"{region.acronym or region.name}" atlas:{asked.atlas.name}'
