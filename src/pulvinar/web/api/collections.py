"""Collections: datasets that somebody put together, in an order, under a title and with a description."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, Field

from pulvinar.access.visibility import EVERYONE
from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue import collections
from pulvinar.model.access import Right
from pulvinar.web.api.names import RightName, name_of
from pulvinar.web.context import CurrentActor, CurrentPlatform, DatasetId, refuse_other_sites

router = APIRouter(prefix="/collections", tags=["collections"], dependencies=[Depends(refuse_other_sites)])

CollectionId = Annotated[str, Path(max_length=100, description="Identifier of a collection.")]


class CollectionIn(BaseModel):
    """What a collection is called, and what is said of it."""

    title: str = Field(max_length=400)
    description: str = Field(default="", max_length=20_000)


class CollectionOut(BaseModel):
    """A collection, as you see it."""

    id: str
    title: str
    description: str
    changed: datetime
    right: RightName = Field(description="Yours.")
    is_public: bool = Field(description="Whether everyone sees it.")
    count: int = Field(description="How many of its datasets you see.")


class WholeCollectionOut(CollectionOut):
    """A collection with the datasets in it that you see, in its order."""

    datasets: list[str]


class AudienceIn(BaseModel):
    """Who is to see it."""

    public: bool = Field(description="Everyone; else those whom it was given to by name.")


@router.get("")
def list_collections(
    platform: CurrentPlatform,
    actor: CurrentActor,
    dataset: Annotated[str | None, Query(max_length=100, description="Only those that hold this dataset.")] = None,
) -> list[CollectionOut]:
    """The collections that you may see, at most 200, changed last first."""
    return [_out(one) for one in collections.list_collections(platform.database, actor, dataset_id=dataset or None)]


@router.post("", status_code=201)
def post_collection(platform: CurrentPlatform, actor: CurrentActor, wanted: CollectionIn) -> WholeCollectionOut:
    """Make a collection, which only you see until you share it."""
    with UnitOfWork(platform.database, actor) as work:
        made = collections.make_collection(work, wanted.title, wanted.description, node=platform.settings.node)
    return get_collection(platform, actor, made)


@router.get("/{collection_id}")
def get_collection(platform: CurrentPlatform, actor: CurrentActor, collection_id: CollectionId) -> WholeCollectionOut:
    """One collection."""
    found, datasets = collections.get_collection(platform.database, actor, collection_id)
    return WholeCollectionOut(**_out(found).model_dump(), datasets=[one.id for one in datasets])


@router.put("/{collection_id}", status_code=204)
def put_collection(
    platform: CurrentPlatform, actor: CurrentActor, collection_id: CollectionId, wanted: CollectionIn
) -> None:
    """Give it another title and description."""
    with UnitOfWork(platform.database, actor) as work:
        collections.describe_collection(work, collection_id, wanted.title, wanted.description)


@router.delete("/{collection_id}", status_code=204)
def delete_collection(platform: CurrentPlatform, actor: CurrentActor, collection_id: CollectionId) -> None:
    """Have it be no more; its datasets stay."""
    with UnitOfWork(platform.database, actor) as work:
        collections.delete_collection(work, collection_id)


@router.put("/{collection_id}/datasets/{dataset_id}", status_code=204)
def put_collection_dataset(
    platform: CurrentPlatform, actor: CurrentActor, collection_id: CollectionId, dataset_id: DatasetId
) -> None:
    """Put a dataset that you see at its end; one that is there stays in its place."""
    with UnitOfWork(platform.database, actor) as work:
        collections.add_dataset(work, collection_id, dataset_id)


@router.delete("/{collection_id}/datasets/{dataset_id}", status_code=204)
def delete_collection_dataset(
    platform: CurrentPlatform, actor: CurrentActor, collection_id: CollectionId, dataset_id: DatasetId
) -> None:
    """Take a dataset out of it."""
    with UnitOfWork(platform.database, actor) as work:
        collections.remove_dataset(work, collection_id, dataset_id)


@router.put("/{collection_id}/audience", status_code=204)
def put_collection_audience(
    platform: CurrentPlatform, actor: CurrentActor, collection_id: CollectionId, wanted: AudienceIn
) -> None:
    """Show it to everyone, or no longer."""
    with UnitOfWork(platform.database, actor) as work:
        if wanted.public:
            collections.share_collection(work, collection_id, EVERYONE, Right.READ)
        else:
            collections.unshare_collection(work, collection_id, EVERYONE)


def _out(one: collections.Collection) -> CollectionOut:
    return CollectionOut(**{**vars(one), "right": name_of(one.right)})
