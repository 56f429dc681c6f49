"""Saved views: a title and a short link to a page of the viewer as you saw it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, Field

from pulvinar.access.work import UnitOfWork
from pulvinar.documents import views
from pulvinar.platform import Platform
from pulvinar.web.context import CurrentActor, CurrentPlatform, refuse_other_sites
from pulvinar.web.forms import link_to

router = APIRouter(prefix="/views", tags=["views"], dependencies=[Depends(refuse_other_sites)])

ViewId = Annotated[str, Path(max_length=32, description="Short name of a saved view.")]


class ViewIn(BaseModel):
    """The view that is to be kept."""

    title: str = Field(max_length=400)
    path: str = Field(max_length=views.LONGEST_STATE, description="The viewer's page here: /datasets/<id>/view?...")
    state: str = Field(default="", max_length=views.LONGEST_STATE, description="What stands after its #.")
    document: str = Field(default="", max_length=100, description="The document of marks that was open.")


class ViewOut(BaseModel):
    """A saved view."""

    id: str
    title: str
    dataset: str
    document: str
    path: str
    state: str
    made: datetime
    address: str = Field(description="The short link.")
    embed: str = Field(description="The page for a frame on another site, where the server allows that.")


@router.get("")
def list_views(platform: CurrentPlatform, actor: CurrentActor) -> list[ViewOut]:
    """The views that you keep, newest first."""
    return [_out(platform, one) for one in views.list_views(platform.database, actor)]


@router.post("", status_code=201)
def post_view(platform: CurrentPlatform, actor: CurrentActor, wanted: ViewIn) -> ViewOut:
    """Keep a view. Whoever opens its link sees what the opener may see."""
    made = views.save_view(
        platform.database, actor, wanted.title, wanted.path, wanted.state, document_id=wanted.document
    )
    return _out(platform, made)


@router.get("/{view_id}")
def get_view(platform: CurrentPlatform, actor: CurrentActor, view_id: ViewId) -> ViewOut:
    """A view by its short name, for whoever may view what it shows."""
    return _out(platform, views.get_view(platform.database, actor, view_id))


@router.delete("/{view_id}", status_code=204)
def delete_view(platform: CurrentPlatform, actor: CurrentActor, view_id: ViewId) -> None:
    """Have its link lead nowhere."""
    with UnitOfWork(platform.database, actor) as work:
        views.delete_view(work, view_id)


def _out(platform: Platform, one: views.SavedView) -> ViewOut:
    return ViewOut(
        id=one.id,
        title=one.title,
        dataset=one.dataset_id,
        document=one.document_id,
        path=one.path,
        state=one.state,
        made=one.made,
        address=link_to(platform, f"/v/{one.id}"),
        embed=link_to(platform, f"/embed/{one.id}"),
    )
