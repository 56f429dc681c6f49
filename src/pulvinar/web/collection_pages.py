"""Pages of collections: which there are, and one with its datasets in their order, to be changed by who may."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from pulvinar.access.visibility import EVERYONE, is_signed_in
from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue import collections
from pulvinar.catalogue.datasets import get_dataset
from pulvinar.errors import Conflict, Invalid, PulvinarError
from pulvinar.model.access import Actor, Right
from pulvinar.platform import Platform
from pulvinar.web.cards import viewable_covers
from pulvinar.web.context import CurrentActor, CurrentPlatform, refuse_other_sites
from pulvinar.web.forms import Form, SentForm, go_to, private_page
from pulvinar.web.in_viewer import of_datasets
from pulvinar.web.recipes import of_collection

router = APIRouter(prefix="/collections", include_in_schema=False, dependencies=[Depends(refuse_other_sites)])

_SAID = (Invalid, Conflict)
CollectionId = Annotated[str, Path(max_length=100)]


@router.get("")
def show_all(
    request: Request, platform: CurrentPlatform, actor: CurrentActor, add: Annotated[str, Query(max_length=100)] = ""
) -> Response:
    """The collections that one sees; with `add`, those that a dataset can be put into."""
    return _all(request, platform, actor, add)


def _all(
    request: Request,
    platform: Platform,
    actor: Actor,
    add: str = "",
    trouble: PulvinarError | None = None,
    form: Form | None = None,
) -> Response:
    dataset = get_dataset(platform.database, actor, add) if add else None
    found = collections.list_collections(platform.database, actor)
    values = {
        "collections": [one for one in found if dataset is None or one.right >= Right.WRITE],
        "dataset": dataset,
        "may_make": is_signed_in(actor) and actor.ceiling >= Right.WRITE,
        "form": form or Form({}),
    }
    return private_page(request, "collections.html", values, trouble)


@router.post("")
def make(request: Request, platform: CurrentPlatform, actor: CurrentActor, form: SentForm) -> Response:
    """Make a collection, with a dataset in it where one is named."""
    try:
        with UnitOfWork(platform.database, actor) as work:
            node = platform.settings.node
            made = collections.make_collection(work, form["title"], form["description"], node=node)
            if form["dataset"]:
                collections.add_dataset(work, made, form["dataset"])
    except _SAID as error:
        return _all(request, platform, actor, form["dataset"], error, form)
    return go_to(f"/collections/{made}")


@router.get("/{collection_id}")
def show(request: Request, platform: CurrentPlatform, actor: CurrentActor, collection_id: CollectionId) -> Response:
    """One collection."""
    return _one(request, platform, actor, collection_id)


def _one(
    request: Request,
    platform: Platform,
    actor: Actor,
    collection_id: str,
    trouble: PulvinarError | None = None,
) -> Response:
    shown, datasets = collections.get_collection(platform.database, actor, collection_id)
    base = str(request.base_url).rstrip("/")
    values = {
        "shown": shown,
        "datasets": datasets,
        "cover_of": viewable_covers(platform, actor, datasets),
        "may_change": shown.right >= Right.WRITE,
        "may_share": shown.right >= Right.SHARE,
        "may_delete": shown.right >= Right.ADMINISTER,
        "base": base,
        "recipe": of_collection(base, collection_id),
        "together": of_datasets(platform, actor, f"collection-{collection_id}", datasets),
    }
    return private_page(request, "collection.html", values, trouble)


@router.post("/{collection_id}")
def describe(
    request: Request, platform: CurrentPlatform, actor: CurrentActor, collection_id: CollectionId, form: SentForm
) -> Response:
    """Give it another title and description."""
    return _changed(
        request,
        platform,
        actor,
        collection_id,
        lambda work: collections.describe_collection(work, collection_id, form["title"], form["description"]),
    )


@router.post("/{collection_id}/datasets")
def change_datasets(
    request: Request, platform: CurrentPlatform, actor: CurrentActor, collection_id: CollectionId, form: SentForm
) -> Response:
    """Add, remove or move a dataset, as `do` says."""
    dataset = form["dataset"].strip().rstrip("/").rpartition("/")[2].partition("?")[0]

    def change(work: UnitOfWork) -> None:
        if form["do"] == "remove":
            collections.remove_dataset(work, collection_id, dataset)
        elif form["do"] in ("up", "down"):
            collections.move_dataset(work, collection_id, dataset, up=form["do"] == "up")
        else:
            collections.add_dataset(work, collection_id, dataset)

    return _changed(request, platform, actor, collection_id, change)


@router.post("/{collection_id}/audience")
def set_audience(
    request: Request, platform: CurrentPlatform, actor: CurrentActor, collection_id: CollectionId, form: SentForm
) -> Response:
    """Show it to everyone, or no longer."""

    def change(work: UnitOfWork) -> None:
        if form["audience"] == EVERYONE:
            collections.share_collection(work, collection_id, EVERYONE, Right.READ)
        else:
            collections.unshare_collection(work, collection_id, EVERYONE)

    return _changed(request, platform, actor, collection_id, change)


@router.post("/{collection_id}/delete")
def delete(platform: CurrentPlatform, actor: CurrentActor, collection_id: CollectionId) -> Response:
    """Have it be no more."""
    with UnitOfWork(platform.database, actor) as work:
        collections.delete_collection(work, collection_id)
    return go_to("/collections")


def _changed(
    request: Request, platform: Platform, actor: Actor, collection_id: str, change: Callable[[UnitOfWork], None]
) -> Response:
    try:
        with UnitOfWork(platform.database, actor) as work:
            change(work)
    except _SAID as error:
        return _one(request, platform, actor, collection_id, error)
    return go_to(f"/collections/{collection_id}")
