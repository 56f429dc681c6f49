"""Documents of marks: what people write onto brains together, operation by operation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Query, Request
from pydantic import BaseModel, Field
from sse_starlette import EventSourceResponse, ServerSentEvent

from pulvinar.access.audiences import named
from pulvinar.access.visibility import audience_of
from pulvinar.access.work import UnitOfWork
from pulvinar.documents import documents, log
from pulvinar.documents.rights import right_to
from pulvinar.errors import Invalid, PulvinarError
from pulvinar.model.access import Actor
from pulvinar.model.document import Document, Operation
from pulvinar.model.mark import Mark, mark_from_json, mark_to_json
from pulvinar.platform import Platform
from pulvinar.web.api.names import RightName, name_of
from pulvinar.web.api.schemas import PageOut
from pulvinar.web.context import CurrentActor, CurrentPlatform, current_platform, refuse_other_sites, still_asking

router = APIRouter(prefix="/documents", tags=["documents"], dependencies=[Depends(refuse_other_sites)])

_LOOK_S = 1.0
DocumentId = Annotated[str, Path(max_length=100, description="Identifier of a document.")]


class DocumentIn(BaseModel):
    """The document that is asked for: on a dataset, or in the space of an atlas."""

    title: str = Field(max_length=400)
    dataset: str = Field(default="", max_length=100)
    atlas: str = Field(default="", max_length=100)
    asset: str = Field(default="", max_length=100, description="The cells that its verdicts are about.")


class TitleIn(BaseModel):
    """Another title."""

    title: str = Field(max_length=400)


class DocumentOut(BaseModel):
    """A document of marks."""

    id: str
    title: str
    dataset: str = Field(description="What it lies on; of an atlas's space, the dataset that holds the atlas.")
    atlas: str
    asset: str
    number: int = Field(description="That of its newest operation; 0 before the first.")
    by: str = Field(description="Login name of who made it; empty for who isn't signed in.")
    made: datetime
    changed: datetime
    right: RightName = Field(description="Yours.")


class ChangeIn(BaseModel):
    """What becomes of one mark."""

    id: str = Field(max_length=64)
    mark: dict[str, Any] | None = Field(description="What it is from now on; null removes it.")


class OperationIn(BaseModel):
    """Changes that are made, and taken back, together."""

    changes: list[ChangeIn] = Field(min_length=1, max_length=log.MOST_CHANGES)
    expected: int | None = Field(default=None, ge=0, description="The newest operation that you know; else 409.")
    key: str | None = Field(default=None, max_length=64, description="Sent again with the same key, it is done once.")


class ChangeOut(BaseModel):
    """What was done to one mark: null is where there is none."""

    id: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


class OperationOut(BaseModel):
    """One thing that somebody did to a document."""

    number: int
    by: str = Field(description="Login name; empty for who isn't signed in.")
    mine: bool
    at: datetime
    reverses: int | None = Field(description="The operation that it took back.")
    changes: list[ChangeOut]


class MarkOut(BaseModel):
    """A mark as it is now."""

    id: str
    by: str
    mark: dict[str, Any]


class MarksOut(BaseModel):
    """The marks, as they were at an operation or later: ask for the operations after it."""

    number: int
    marks: list[MarkOut]
    next_after: str | None = Field(description="`after` of the next page.")


@router.get("")
def list_documents(
    platform: CurrentPlatform,
    actor: CurrentActor,
    dataset: Annotated[str, Query(max_length=100, description="Those on a dataset.")] = "",
    atlas: Annotated[str, Query(max_length=100, description="Those in an atlas's space.")] = "",
    cursor: Annotated[str | None, Query(max_length=100, description="`next_cursor` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> PageOut[DocumentOut]:
    """Documents that you may see, the one changed last first; without a place, your own and those shared with you."""
    page = documents.list_documents(
        platform.database, actor, dataset_id=dataset, atlas=atlas, cursor=cursor, limit=limit
    )
    return PageOut(items=_documents(platform, actor, page.items), next_cursor=page.next_cursor)


@router.post("", status_code=201)
def post_document(platform: CurrentPlatform, actor: CurrentActor, wanted: DocumentIn) -> DocumentOut:
    """Make a document; it is private until you share it."""
    place = {"dataset_id": wanted.dataset, "atlas": wanted.atlas, "asset_id": wanted.asset}
    node = platform.settings.node
    made = documents.create_document(platform.database, actor, wanted.title, **place, node=node)
    return _documents(platform, actor, [made])[0]


@router.get("/{document_id}")
def get_document(platform: CurrentPlatform, actor: CurrentActor, document_id: DocumentId) -> DocumentOut:
    """One document."""
    return _documents(platform, actor, [documents.get_document(platform.database, actor, document_id)])[0]


@router.put("/{document_id}", status_code=204)
def put_document(platform: CurrentPlatform, actor: CurrentActor, document_id: DocumentId, wanted: TitleIn) -> None:
    """Give a document another title."""
    with UnitOfWork(platform.database, actor) as work:
        documents.rename_document(work, document_id, wanted.title)


@router.delete("/{document_id}", status_code=204)
def delete_document(platform: CurrentPlatform, actor: CurrentActor, document_id: DocumentId) -> None:
    """Delete a document with all that was ever in it."""
    with UnitOfWork(platform.database, actor) as work:
        documents.delete_document(work, document_id)


@router.get("/{document_id}/marks")
def get_marks(
    platform: CurrentPlatform,
    actor: CurrentActor,
    document_id: DocumentId,
    after: Annotated[str, Query(max_length=64, description="`next_after` of the page before.")] = "",
    limit: Annotated[int, Query(ge=1, le=log.MOST_CHANGES)] = log.MOST_CHANGES,
) -> MarksOut:
    """The marks as they are now, in order of their names."""
    number, found = log.read_marks(platform.database, actor, document_id, after=after, limit=limit)
    names = _names(platform, actor, (maker for _, maker, _ in found))
    marks = [MarkOut(id=one, by=names.get(maker, ""), mark=mark_to_json(mark)) for one, maker, mark in found]
    return MarksOut(number=number, marks=marks, next_after=found[-1][0] if len(found) == limit else None)


@router.get("/{document_id}/operations")
def get_operations(
    platform: CurrentPlatform,
    actor: CurrentActor,
    document_id: DocumentId,
    after: Annotated[int, Query(ge=0, le=2**31 - 1, description="The newest one that you know.")] = 0,
    limit: Annotated[int, Query(ge=1, le=200)] = 100,
) -> list[OperationOut]:
    """What was done after an operation, in order."""
    found = log.read_operations(platform.database, actor, document_id, after=after, limit=limit)
    return operations_out(platform, actor, found)


@router.post("/{document_id}/operations", status_code=201)
def post_operation(
    platform: CurrentPlatform, actor: CurrentActor, document_id: DocumentId, wanted: OperationIn
) -> OperationOut:
    """Change marks. 409 where an operation that you don't know came first: read it, and send yours again."""
    marks = _marks(wanted.changes)
    with UnitOfWork(platform.database, actor) as work:
        done = log.append(work, document_id, marks, expected=wanted.expected, key=wanted.key)
    return operations_out(platform, actor, [done])[0]


def _marks(changes: list[ChangeIn]) -> dict[str, Mark | None]:
    marks: dict[str, Mark | None] = {}
    for one in changes:
        if one.id in marks:
            raise Invalid(f"the operation names mark {one.id!r} twice")
        try:
            marks[one.id] = None if one.mark is None else mark_from_json(one.mark)
        except PulvinarError as error:
            raise Invalid(f"mark {one.id}: {error.message}", hint=error.hint) from error
    return marks


@router.post("/{document_id}/undo", status_code=201)
def post_undo(platform: CurrentPlatform, actor: CurrentActor, document_id: DocumentId) -> OperationOut:
    """Take back your own newest operation that still counts. 409 where there is none."""
    with UnitOfWork(platform.database, actor) as work:
        done = log.undo(work, document_id)
    return operations_out(platform, actor, [done])[0]


@router.post("/{document_id}/redo", status_code=201)
def post_redo(platform: CurrentPlatform, actor: CurrentActor, document_id: DocumentId) -> OperationOut:
    """Take back your own newest undo. 409 where there is none, or you did something new since."""
    with UnitOfWork(platform.database, actor) as work:
        done = log.redo(work, document_id)
    return operations_out(platform, actor, [done])[0]


@router.get(
    "/{document_id}/events",
    response_class=EventSourceResponse,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
)
async def watch_document(
    request: Request,
    platform: CurrentPlatform,
    actor: CurrentActor,
    document_id: DocumentId,
    after: Annotated[int, Query(ge=0, le=2**31 - 1, description="The newest operation that you know.")] = 0,
    last_event_id: Annotated[str, Header(description="Go on after this one.", max_length=40)] = "",
) -> EventSourceResponse:
    """Server-sent events: `operation` with each one that is added; its id is its number."""
    await asyncio.to_thread(documents.get_document, platform.database, actor, document_id)
    known = int(last_event_id) if last_event_id.isdecimal() and len(last_event_id) < 10 else after
    return EventSourceResponse(_events(request, actor, document_id, known), ping=15)


async def _events(request: Request, actor: Actor, document_id: str, known: int) -> AsyncIterator[ServerSentEvent]:
    platform = current_platform(request)
    # asked anew each time: who came may have been signed out, and what was shared taken back
    while now := await asyncio.to_thread(still_asking, request, actor):
        try:
            found = await asyncio.to_thread(
                log.read_operations, platform.database, now, document_id, after=known, limit=20
            )
        except PulvinarError:
            return
        for one in await asyncio.to_thread(operations_out, platform, now, found):
            known = one.number
            yield ServerSentEvent(one.model_dump_json(), event="operation", id=str(known))
        await asyncio.sleep(_LOOK_S)


def _documents(platform: Platform, actor: Actor, found: Iterable[Document]) -> list[DocumentOut]:
    listed = list(found)
    names = _names(platform, actor, (one.made_by for one in listed))
    with platform.database.session() as session:
        rights = {one.id: right_to(session, actor, one.id) for one in listed}
    return [
        DocumentOut(
            id=one.id,
            title=one.title,
            dataset=one.dataset_id,
            atlas=one.atlas,
            asset=one.asset_id,
            number=one.number,
            by=names.get(one.made_by, ""),
            made=one.made,
            changed=one.changed,
            right=name_of(rights[one.id]),
        )
        for one in listed
    ]


def operations_out(platform: Platform, actor: Actor, found: Iterable[Operation]) -> list[OperationOut]:
    """What is told of operations."""
    listed = list(found)
    names = _names(platform, actor, (one.actor_id for one in listed))
    return [
        OperationOut(
            number=one.number,
            by=names.get(one.actor_id, ""),
            mine=one.actor_id == actor.id,
            at=one.at,
            reverses=one.reverses,
            changes=[
                ChangeOut(id=change.mark_id, before=_json(change.before), after=_json(change.after))
                for change in one.changes
            ],
        )
        for one in listed
    ]


def _json(mark: Mark | None) -> dict[str, Any] | None:
    return None if mark is None else mark_to_json(mark)


def _names(platform: Platform, actor: Actor, actors: Iterable[str]) -> dict[str, str]:
    """Login names of who did something, for who is signed in and may know them."""
    asked = {audience_of(one): one for one in actors}
    if not asked or actor.is_blind or (not actor.memberships and not actor.is_owner):
        return {}
    with platform.database.session() as session:
        found = named(session, asked)
    return {one: found[audience].name for audience, one in asked.items()}
