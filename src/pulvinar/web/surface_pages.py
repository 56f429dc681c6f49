"""The page of surfaces: a brain's cortex in one form or another, with a map on it."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from pulvinar.catalogue.surfaces import FORMS, maps_of, surfaces_of
from pulvinar.catalogue.versions import get_version
from pulvinar.errors import NotFound
from pulvinar.model.access import Right
from pulvinar.model.dataset import Version
from pulvinar.web.context import CurrentActor, CurrentPlatform, DatasetId, WantedVersion
from pulvinar.web.rendering import HERE, VIEWER_POLICY, render

router = APIRouter(include_in_schema=False)


@router.get("/datasets/{dataset_id}/surface")
def surface(
    request: Request,
    platform: CurrentPlatform,
    actor: CurrentActor,
    dataset_id: DatasetId,
    version: WantedVersion = None,
) -> Response:
    """The surfaces of a dataset; links that are copied from the page name its version."""
    shown = get_version(platform.database, actor, dataset_id, version, Right.VIEW)
    if not surfaces_of(shown.assets):
        raise NotFound(f"version {shown.number} of dataset {dataset_id} has no surface")
    values = {
        "version": shown,
        "record": shown.record,
        "built": (HERE / "viewer" / "pulvinar-surface.js").is_file(),
        "data": f"/api/v1/surfaces/{shown.dataset_id}?version={shown.number}",
        "back": f"/datasets/{shown.dataset_id}?version={shown.number}",
    }
    return render(request, "surface.html", values, policy=VIEWER_POLICY)


def worth_a_page(version: Version) -> bool:
    """Whether a version has more than outlines: maps on a surface, or a side of a brain in one of the known forms."""
    known = any(one.side or one.form in FORMS for one in surfaces_of(version.assets))
    return known or bool(maps_of(version.assets))
