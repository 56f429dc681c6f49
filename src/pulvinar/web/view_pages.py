"""Saved views as pages: a short link that leads to one, one in a frame on another site, and the list of one's own."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue.assets import find_home
from pulvinar.catalogue.datasets import get_dataset
from pulvinar.catalogue.versions import get_version
from pulvinar.documents import views
from pulvinar.documents.documents import list_documents
from pulvinar.errors import NotAuthenticated, NotFound
from pulvinar.model.access import ANONYMOUS, Actor, Right
from pulvinar.model.document import Document
from pulvinar.platform import Platform, solution_means
from pulvinar.solutions.cells.freezing import freeze_corrections
from pulvinar.solutions.solution import find_solution
from pulvinar.web.api.documents import DocumentId
from pulvinar.web.context import CurrentActor, CurrentPlatform, DatasetId, WantedVersion, refuse_other_sites
from pulvinar.web.forms import go_to, link_to, private_page
from pulvinar.web.rendering import HERE, VIEWER_POLICY, render

router = APIRouter(include_in_schema=False, dependencies=[Depends(refuse_other_sites)])

ViewId = Annotated[str, Path(max_length=32)]


@router.get("/v/{view_id}")
def follow(platform: CurrentPlatform, actor: CurrentActor, view_id: ViewId) -> Response:
    """Follow a short link: the page that it leads to asks by itself what the visitor may see."""
    return go_to(views.get_view(platform.database, actor, view_id).address)


@router.get("/embed/{view_id}")
def embed(
    request: Request,
    platform: CurrentPlatform,
    actor: CurrentActor,
    view_id: ViewId,
    opened: Annotated[bool, Query(alias="open")] = False,
) -> Response:
    """A view for a frame. The state stands after the #, where the viewer looks for it."""
    view = views.get_view(platform.database, actor, view_id)
    if not view.scene_path:
        raise NotFound("brains side by side are not shown in frames", hint=f"/v/{view_id} leads to them")
    if not opened:
        return go_to(f"/embed/{view_id}?open=1#{view.state}")
    return _in_frame(request, platform, view.title, view.scene_path, f"/v/{view_id}")


@router.get("/datasets/{dataset_id}/embed")
def embed_dataset(
    request: Request,
    platform: CurrentPlatform,
    actor: CurrentActor,
    dataset_id: DatasetId,
    version: WantedVersion = None,
) -> Response:
    """A dataset for a frame, as a notebook shows it."""
    shown = get_version(platform.database, actor, dataset_id, version, Right.VIEW)
    asked = f"{quote(shown.dataset_id)}?version={shown.number}"
    page = f"/datasets/{quote(shown.dataset_id)}/view?version={shown.number}"
    return _in_frame(request, platform, shown.record.title, f"/api/v1/scenes/{asked}", page)


def _in_frame(request: Request, platform: Platform, title: str, scene: str, page: str) -> Response:
    """The viewer alone, for the frames of the sites that the settings name."""
    values = {
        "title": title,
        "scene": scene,
        "link": link_to(platform, page),
        "built": (HERE / "viewer" / "pulvinar-viewer.js").is_file(),
    }
    allowed = f"frame-ancestors 'self' {platform.settings.embed_origins}".strip()
    policy = VIEWER_POLICY.replace("frame-ancestors 'self'", allowed)
    return render(request, "embed.html", values, policy=policy)


@router.get("/marks")
def show_mine(request: Request, platform: CurrentPlatform, actor: CurrentActor) -> Response:
    """The views that one keeps, and the documents of marks that are one's own or shared with one."""
    if actor == ANONYMOUS:
        raise NotAuthenticated("nobody is signed in", hint="sign in first")
    documents = list_documents(platform.database, actor, limit=200).items
    values = {
        "views": [(one, link_to(platform, f"/v/{one.id}")) for one in views.list_views(platform.database, actor)],
        "documents": [(one, _place_of(platform, actor, one), _page_of(one)) for one in documents],
    }
    return private_page(request, "marks.html", values)


def _place_of(platform: Platform, actor: Actor, one: Document) -> str:
    """What a document lies on, by its title."""
    if one.atlas:
        return one.atlas
    try:
        return get_dataset(platform.database, actor, one.dataset_id).record.title
    except NotFound:  # gone in between
        return ""


def _page_of(one: Document) -> str:
    """The viewer with a document open."""
    page = f"/atlases/{one.atlas}/view" if one.atlas else f"/datasets/{one.dataset_id}/view"
    asked = f"?{urlencode({'asset': one.asset_id})}" if one.asset_id else ""
    return f"{page}{asked}#marks={one.id}"


@router.post("/marks/{document_id}/teach")
def teach(platform: CurrentPlatform, actor: CurrentActor, document_id: DocumentId) -> Response:
    """Freeze what is said of cells, and go on to the form that teaches the classifier with it."""
    frozen = freeze_corrections(solution_means(platform, actor), document_id)
    asked = {"asset": frozen.image_id, "input.corrections": frozen.asset.id}
    if frozen.image_id:
        home = find_home(platform.database, actor, frozen.image_id)[0]
        asked |= {"dataset": home.dataset_id, "version": str(home.number)}
    known = {one.name for one in find_solution("teach_cells").description.parameters}
    asked |= {f"parameter.{name}": str(value) for name, value in frozen.parameters.items() if name in known}
    return go_to(f"/solutions/teach_cells?{urlencode(asked)}")


@router.post("/marks/views/{view_id}/delete")
def delete(platform: CurrentPlatform, actor: CurrentActor, view_id: ViewId) -> Response:
    """Have a short link lead nowhere."""
    with UnitOfWork(platform.database, actor) as work:
        views.delete_view(work, view_id)
    return go_to("/marks")
