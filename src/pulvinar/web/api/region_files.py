"""A region of an atlas as a file: its mask, its surface."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from pulvinar.errors import NotFound
from pulvinar.model.atlas import PartKind
from pulvinar.model.space import axes_said
from pulvinar.storage.mesh_files import SurfaceFormat, surface_file
from pulvinar.web.api.assets import FILE
from pulvinar.web.api.atlases import AskedAtlas, RegionName
from pulvinar.web.atlas_reads import check_read
from pulvinar.web.context import CurrentActor, CurrentPlatform
from pulvinar.web.cutout_formats import MEDIA_TYPES, SUFFIXES, Format, write
from pulvinar.web.downloads import disposition
from pulvinar.web.region_mask import mask_cutout

router = APIRouter(prefix="/atlases", tags=["atlases"])

_SURFACE_TYPES = {
    SurfaceFormat.PLY: "application/octet-stream",
    SurfaceFormat.OBJ: "model/obj",
    SurfaceFormat.STL: "model/stl",
    SurfaceFormat.NPZ: "application/octet-stream",
}


@router.get("/{name}/regions/{region}/mask", response_class=Response, responses=FILE)
def get_mask(
    request: Request,
    platform: CurrentPlatform,
    actor: CurrentActor,
    atlas: AskedAtlas,
    region: RegionName,
    level: Annotated[int, Query(ge=0, le=64, description="Resolution: 0 is the finest.")] = 0,
    form: Annotated[Format, Query(alias="format", description="The kind of file.")] = Format.NIFTI,
) -> Response:
    """A region and all below it as a mask of 0 and 1, cut to its box.

    The file's affine says where the box is; so does the header X-Box-Start, in voxels (z,y,x) of that level.
    """
    check_read(request, platform, actor, atlas, PartKind.ANNOTATION)
    wanted = atlas.region(region)
    found = mask_cutout(atlas, wanted.id, level, platform.settings.cutout_budget_mb * 1_000_000)
    if found is None:
        raise NotFound(f"{wanted.name} has no voxel at level {level} of {atlas.atlas.name}", hint="ask a finer level")
    cutout, read = found
    pieces = write(cutout, read, form, platform.settings.resolved_scratch())
    name = f"{atlas.atlas.name}-{wanted.acronym or wanted.id}-level{level}{SUFFIXES[form]}"
    start = ",".join(map(str, cutout.window.start[2:]))
    headers = {"content-disposition": disposition(name), "x-box-start": start}
    return StreamingResponse(pieces, media_type=MEDIA_TYPES[form], headers=headers)


@router.get("/{name}/regions/{region}/surface", response_class=Response, responses=FILE)
def get_surface(
    request: Request,
    platform: CurrentPlatform,
    actor: CurrentActor,
    atlas: AskedAtlas,
    region: RegionName,
    level: Annotated[int, Query(ge=0, le=8, description="Level of detail: 0 is the finest, 2 the coarsest.")] = 0,
    form: Annotated[SurfaceFormat, Query(alias="format", description="The kind of file.")] = SurfaceFormat.PLY,
) -> Response:
    """The surface of a region and all below it: triangles, x y z in micrometres of the atlas's space."""
    check_read(request, platform, actor, atlas, PartKind.MESHES)
    wanted = atlas.region(region)
    data = surface_file(form, *atlas.mesh_of(wanted.id, level), axes_said(atlas.atlas.space))
    name = f"{atlas.atlas.name}-{wanted.acronym or wanted.id}.{form.value}"
    return Response(data, media_type=_SURFACE_TYPES[form], headers={"content-disposition": disposition(name)})
