"""The log of what happened, for owners of the node."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime, BaseModel, Field

from pulvinar.access.audit import Wanted, check_reads_log, event_json, export_events, search_events
from pulvinar.access.audit_chain import last_seal
from pulvinar.access.reads import reads_of
from pulvinar.errors import NotFound
from pulvinar.model.access import Event
from pulvinar.web.api.schemas import PageOut
from pulvinar.web.context import CurrentActor, CurrentPlatform

router = APIRouter(prefix="/audit", tags=["audit"])

LINES = "application/jsonl"
Name = Annotated[str, Query(max_length=64)]


class EventOut(BaseModel):
    """One thing that happened."""

    seq: int
    at: datetime
    actor: str = Field(description="Identifier of who did it.")
    verb: str
    subject: str = Field(description="Identifier of what it was done to.")
    details: dict[str, Any]
    seal: int | None = Field(description="The seal that holds it; null until it is sealed.")


class ReadOut(BaseModel):
    """What somebody read of controlled data in an hour."""

    actor_id: str
    asset_id: str
    dataset_id: str
    hour: datetime
    chunks: int = Field(description="Chunks and other answers.")
    size_bytes: int


class SealOut(BaseModel):
    """The newest seal: keep its hash elsewhere, and `pulvinar audit verify --expect` shows a log written anew."""

    number: int
    hash: str
    at: datetime
    last_seq: int


def wanted_events(
    actor: Name = "",
    verb: Name = "",
    subject: Name = "",
    since: Annotated[AwareDatetime | None, Query(description="Not before.")] = None,
    until: Annotated[AwareDatetime | None, Query(description="Before.")] = None,
    reason: Annotated[str, Query(max_length=200, description="A part of the reason that was given.")] = "",
) -> Wanted:
    """Which events are asked for."""
    return Wanted(actor, verb, subject, since, until, reason)


WantedEvents = Annotated[Wanted, Depends(wanted_events)]


@router.get("/events")
def list_events(
    platform: CurrentPlatform,
    actor: CurrentActor,
    wanted: WantedEvents,
    cursor: Annotated[str | None, Query(max_length=60)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
) -> PageOut[EventOut]:
    """What happened, newest first. Only for owners of the node."""
    page = search_events(platform.database, actor, wanted, cursor=cursor, limit=limit)
    return PageOut(items=[_event_out(one) for one in page.items], next_cursor=page.next_cursor)


@router.get(
    "/export",
    response_class=StreamingResponse,
    responses={200: {"content": {LINES: {}}}},
)
def export(platform: CurrentPlatform, actor: CurrentActor, wanted: WantedEvents) -> StreamingResponse:
    """Every event that matches, oldest first, as JSON Lines. Only for owners of the node."""
    found = export_events(platform.database, actor, wanted)
    headers = {"content-disposition": 'attachment; filename="events.jsonl"', "cache-control": "no-store"}
    return StreamingResponse(_lines(found), media_type=LINES, headers=headers)


@router.get("/reads")
def list_reads(
    platform: CurrentPlatform,
    actor: CurrentActor,
    dataset: Name = "",
    reader: Name = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[ReadOut]:
    """Who read how much of controlled data, by the hour, newest first. Only for owners of the node."""
    found = reads_of(platform.database, actor, dataset_id=dataset, actor_id=reader, limit=limit)
    return [ReadOut(**one.__dict__) for one in found]


@router.get("/seal")
def get_seal(platform: CurrentPlatform, actor: CurrentActor) -> SealOut:
    """The newest seal of the log. Only for owners of the node: its numbers tell how much happens here."""
    check_reads_log(actor)
    with platform.database.session() as session:
        found = last_seal(session)
    if found is None:
        raise NotFound("nothing is sealed yet")
    return SealOut(number=found.number, hash=found.hash, at=found.at, last_seq=found.last_seq)


def _lines(events: Iterator[Event]) -> Iterator[str]:
    """Some lines at a time: an answer of one line each would cost more than to read them."""
    gathered: list[str] = []
    for one in events:
        gathered.append(event_json(one))
        if len(gathered) == 200:
            yield "\n".join(gathered) + "\n"
            gathered.clear()
    if gathered:
        yield "\n".join(gathered) + "\n"


def _event_out(one: Event) -> EventOut:
    said = {"actor": one.actor_id, "verb": one.verb, "subject": one.subject_id}
    return EventOut(seq=one.seq, at=one.at, details=one.details, seal=one.seal, **said)
