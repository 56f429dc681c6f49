"""Jobs: asked for, watched, cancelled, paused and resumed. You see your own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Query
from fastapi import Request as HttpRequest
from pydantic import BaseModel, Field
from sse_starlette import EventSourceResponse, ServerSentEvent

from pulvinar.compute import jobs
from pulvinar.model.access import Actor
from pulvinar.model.job import Job, JobState, job_to_json
from pulvinar.model.plan import Plan, plan_to_json
from pulvinar.model.solution import Value
from pulvinar.platform import solution_means
from pulvinar.solutions.submission import Request, prepare, rerun, submit
from pulvinar.web.api.schemas import PageOut
from pulvinar.web.context import CurrentActor, CurrentPlatform, current_platform, refuse_other_sites, still_asking

router = APIRouter(prefix="/jobs", tags=["jobs"], dependencies=[Depends(refuse_other_sites)])

JobId = Annotated[str, Path(description="Identifier of a job.", max_length=100)]
_LOOK_S = 0.5


class JobRequest(BaseModel):
    """What is asked for."""

    solution: str = Field(max_length=64)
    inputs: dict[str, str] = Field(description="An asset for each input, by its identifier or as DATASET:NAME.")
    parameters: dict[str, Value] = Field(default={}, description="Those left out have their defaults.")
    title: str = Field(default="", max_length=500)
    project: str = Field(default="", max_length=64, description="What it is counted for.")
    priority: int = Field(default=0, ge=-jobs.HIGHEST_PRIORITY, le=jobs.HIGHEST_PRIORITY)
    into: str = Field(
        default="", max_length=64, description="A dataset whose draft takes the outputs; empty: a new one."
    )


class JobInputOut(BaseModel):
    """An asset that a job reads."""

    name: str
    dataset_id: str
    version: int
    digest: str = Field(description="Digest of that version of the dataset.")
    asset_id: str


class ActorOut(BaseModel):
    """Whose job it is."""

    id: str
    name: str


class ProgressOut(BaseModel):
    """How far it is."""

    blocks: int
    done: int
    lost: int = Field(description="Blocks that failed whatever was tried.")
    size_bytes: int = Field(description="What its blocks have written.")
    left_s: float | None = Field(description="Estimated seconds until its end; null while nobody knows.")


class JobOut(BaseModel):
    """One run of a solution."""

    id: str
    title: str
    state: JobState
    reason: str = Field(description="Why it is in this state, in plain words; empty when there is nothing to say.")
    solution: str
    solution_version: str
    inputs: list[JobInputOut]
    parameters: dict[str, Value]
    outputs: dict[str, str] = Field(description="Identifiers of the assets that it makes.")
    actor: ActorOut
    project: str
    priority: int
    submitted: datetime
    started: datetime | None
    ended: datetime | None
    progress: ProgressOut
    dataset_id: str = Field(description="Where the outputs are, once it is done.")


class LogLineOut(BaseModel):
    """A line of a job's log."""

    number: int
    at: datetime
    text: str


class FailureOut(BaseModel):
    """An attempt at a block that failed."""

    step: int
    block: int
    kind: str = Field(description="error, memory, timeout or lost.")
    slot: str
    message: str
    log: str
    at: datetime


@router.post("", status_code=201)
def submit_job(platform: CurrentPlatform, actor: CurrentActor, asked: JobRequest) -> JobOut:
    """Queue a job that acts with your rights. 413 when it fits no slot of the engine: the hint says what would help."""
    return _out(submit(solution_means(platform, actor), _request(asked)))


@router.post("/plan")
def plan_job(platform: CurrentPlatform, actor: CurrentActor, asked: JobRequest) -> dict[str, Any]:
    """What a job would take: its steps, blocks, memory and time. Nothing is queued."""
    plan: Plan = prepare(solution_means(platform, actor), _request(asked)).plan
    return {**plan_to_json(plan), "blocks": plan.blocks, "cpu_s": plan.cpu_s, "memory_bytes": plan.memory_bytes}


@router.get("")
def list_jobs(
    platform: CurrentPlatform,
    actor: CurrentActor,
    state: Annotated[JobState | None, Query(description="Only those in this state.")] = None,
    cursor: Annotated[str | None, Query(max_length=400, description="`next_cursor` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=200, description="How many a page has at most.")] = 50,
) -> PageOut[JobOut]:
    """Your jobs, newest first."""
    found, following = jobs.list_jobs(platform.database, actor, state=state, cursor=cursor, limit=limit)
    return PageOut(items=[_out(job) for job in found], next_cursor=following)


@router.post("/rerun/{asset_id}", status_code=201)
def rerun_asset(
    platform: CurrentPlatform,
    actor: CurrentActor,
    asset_id: Annotated[str, Path(description="An asset that a job made.", max_length=100)],
) -> JobOut:
    """Make an asset once more, from the same inputs with the same parameters."""
    return _out(rerun(solution_means(platform, actor), asset_id))


@router.get("/{job_id}")
def get_job(platform: CurrentPlatform, actor: CurrentActor, job_id: JobId) -> JobOut:
    """One job."""
    return _out(jobs.get_job(platform.database, actor, job_id))


@router.get("/{job_id}/log")
def get_job_log(
    platform: CurrentPlatform,
    actor: CurrentActor,
    job_id: JobId,
    after: Annotated[int, Query(ge=0, description="Lines after this number.")] = 0,
) -> list[LogLineOut]:
    """What a job has said, at most 1000 lines."""
    return [LogLineOut(**vars(one)) for one in jobs.read_log(platform.database, actor, job_id, after=after)]


@router.get("/{job_id}/failures")
def get_job_failures(platform: CurrentPlatform, actor: CurrentActor, job_id: JobId) -> list[FailureOut]:
    """The newest attempts at blocks that failed, with their traces."""
    return [FailureOut(**vars(one)) for one in jobs.list_failures(platform.database, actor, job_id)]


@router.post("/{job_id}/cancel")
def cancel_job(platform: CurrentPlatform, actor: CurrentActor, job_id: JobId) -> JobOut:
    """End a job within seconds; nothing of it becomes visible."""
    return _out(jobs.cancel(platform.database, actor, job_id))


@router.post("/{job_id}/pause")
def pause_job(platform: CurrentPlatform, actor: CurrentActor, job_id: JobId) -> JobOut:
    """Begin no further block; what is done is kept."""
    return _out(jobs.pause(platform.database, actor, job_id))


@router.post("/{job_id}/resume")
def resume_job(platform: CurrentPlatform, actor: CurrentActor, job_id: JobId) -> JobOut:
    """Let a paused job go on."""
    return _out(jobs.resume(platform.database, actor, job_id))


@router.get(
    "/{job_id}/events",
    response_class=EventSourceResponse,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
)
async def watch_job(
    asked: HttpRequest,
    platform: CurrentPlatform,
    actor: CurrentActor,
    job_id: JobId,
    last_event_id: Annotated[str, Header(description="Go on after this event.")] = "",
) -> EventSourceResponse:
    """Server-sent events: `job` with each change of the job, `log` with each line, until the job has ended.

    An event's id is that of everything up to it: a client that reconnects with Last-Event-ID misses nothing.
    """
    await asyncio.to_thread(jobs.get_job, platform.database, actor, job_id)
    return EventSourceResponse(_events(asked, actor, job_id, *_place(last_event_id)), ping=15)


def _place(event_id: str) -> tuple[int, int]:
    """The change and the line that a client has heard of last; the beginning for what is no id of ours."""
    change, _, line = event_id.partition(".")
    return (int(change), int(line)) if change.isdigit() and line.isdigit() and len(event_id) < 40 else (0, 0)


async def _events(
    asked: HttpRequest, actor: Actor, job_id: str, change: int, line: int
) -> AsyncIterator[ServerSentEvent]:
    platform = current_platform(asked)
    while await asyncio.to_thread(still_asking, asked, actor):
        revision, job = await asyncio.to_thread(jobs.get_revision, platform.database, actor, job_id)
        lines = await asyncio.to_thread(jobs.read_log, platform.database, actor, job_id, after=line)
        for one in lines:
            line = one.number
            told = {"number": one.number, "at": one.at.isoformat(), "text": one.text}
            yield ServerSentEvent(json.dumps(told, ensure_ascii=False), event="log", id=f"{change}.{line}")
        if revision > change:
            change = revision
            yield ServerSentEvent(json.dumps(job_to_json(job), ensure_ascii=False), event="job", id=f"{change}.{line}")
        if job.state.ended and not lines:
            return
        await asyncio.sleep(_LOOK_S)


def _request(asked: JobRequest) -> Request:
    return Request(**asked.model_dump())


def _out(job: Job) -> JobOut:
    return JobOut.model_validate(job_to_json(job))
