"""Submissions: what somebody hands in over the network. You see your own.

Their files come by tus (`/api/v1/uploads`); announced here, many at once, they need not wait for one another.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel, Field
from sse_starlette import EventSourceResponse, ServerSentEvent

from pulvinar.ingest.uploads import parts, submissions
from pulvinar.ingest.uploads.submissions import StagedFile, SubmissionState, UploadedSubmission
from pulvinar.model.access import Actor
from pulvinar.platform import landing_of
from pulvinar.web.context import CurrentActor, CurrentPlatform, current_platform, refuse_other_sites, still_asking
from pulvinar.web.findings import progress_line
from pulvinar.web.language import language_of, translations
from pulvinar.web.phrases import Gettext

router = APIRouter(prefix="/submissions", tags=["submissions"], dependencies=[Depends(refuse_other_sites)])

SubmissionId = Annotated[str, Path(description="Identifier of a submission.", max_length=100)]
_LOOK_S = 0.5


class SubmissionRequest(BaseModel):
    """A submission to be opened."""

    title: str = Field(default="", max_length=500)
    fingerprint: str = Field(default="", max_length=64, description="By which you find it again.")


class FileRequest(BaseModel):
    """A file to come."""

    path: str = Field(max_length=2000, description="Relative, with / between folders.")
    size_bytes: int = Field(ge=0)


class SubmissionOut(BaseModel):
    """What is handed in, and how far it is."""

    id: str
    title: str
    fingerprint: str
    state: SubmissionState
    file_count: int
    size_bytes: int
    received_bytes: int = Field(description="What is durable of it.")
    created: datetime
    expires: datetime = Field(description="When it is given up, unless somebody goes on with it.")
    progress: str
    trouble: str = Field(description="Why its last step ended badly; empty where it didn't.")
    hint: str
    dataset_id: str = Field(description="What was made of it; empty before.")
    version: int | None


class PartOut(BaseModel):
    """A range of a file that one upload fills."""

    id: str = Field(description="Identifier of the upload.")
    first: int
    size_bytes: int
    received: int
    partial: bool


class FileOut(BaseModel):
    """A file of a submission."""

    id: str
    path: str
    size_bytes: int
    whole: bool
    sha256: str | None = Field(description="Of all of it, once the platform has looked at it.")
    parts: list[PartOut]


class DigestOut(BaseModel):
    """A piece of a file that came with its SHA-256, which was found right."""

    file_id: str
    part_id: str
    first: int = Field(description="Where in the file it begins.")
    size_bytes: int
    sha256: str


@router.post("", status_code=201)
def open_submission(platform: CurrentPlatform, actor: CurrentActor, asked: SubmissionRequest) -> SubmissionOut:
    """Open a submission."""
    return _out(submissions.create_submission(landing_of(platform), actor, asked.title, asked.fingerprint))


@router.get("")
def list_submissions(
    platform: CurrentPlatform,
    actor: CurrentActor,
    fingerprint: Annotated[str, Query(max_length=64, description="Only those with it.")] = "",
) -> list[SubmissionOut]:
    """Your submissions, newest first, at most 100."""
    return [_out(one) for one in submissions.list_submissions(platform.database, actor, fingerprint=fingerprint)]


@router.get("/{submission_id}")
def get_submission(platform: CurrentPlatform, actor: CurrentActor, submission_id: SubmissionId) -> SubmissionOut:
    """One submission."""
    return _out(submissions.get_submission(platform.database, actor, submission_id))


@router.post("/{submission_id}/files", status_code=201)
def announce_files(
    platform: CurrentPlatform, actor: CurrentActor, submission_id: SubmissionId, files: list[FileRequest]
) -> list[str]:
    """Announce files; their identifiers. All of a request are taken, or none."""
    asked = [(one.path, one.size_bytes) for one in files]
    return submissions.add_files(landing_of(platform), actor, submission_id, asked)


@router.get("/{submission_id}/files")
def list_submission_files(
    platform: CurrentPlatform,
    actor: CurrentActor,
    submission_id: SubmissionId,
    after: Annotated[str, Query(max_length=100, description="Go on after this identifier.")] = "",
) -> list[FileOut]:
    """Its files with their uploads, at most 1000: from here a client goes on after a break."""
    found = submissions.list_files(platform.database, actor, submission_id, after=after)
    return [_file(one) for one in found]


@router.get("/{submission_id}/digests")
def list_submission_digests(
    platform: CurrentPlatform,
    actor: CurrentActor,
    submission_id: SubmissionId,
    after_part: Annotated[str, Query(max_length=100, description="Go on after this part_id,")] = "",
    after_first: Annotated[int, Query(ge=-1, le=2**62, description="and this first.")] = -1,
) -> list[DigestOut]:
    """The pieces of its files that came with a SHA-256, at most 5000: what was received, to compare with what was
    sent."""
    after = (after_part, after_first)
    found = parts.list_digests(landing_of(platform), actor, submission_id, after=after)
    return [DigestOut(**vars(one)) for one in found]


@router.post("/{submission_id}/finish")
def finish_submission(platform: CurrentPlatform, actor: CurrentActor, submission_id: SubmissionId) -> SubmissionOut:
    """Say that nothing more comes. 409 while a file isn't whole."""
    return _out(submissions.finish(landing_of(platform), actor, submission_id))


@router.delete("/{submission_id}", status_code=204)
def remove_submission(platform: CurrentPlatform, actor: CurrentActor, submission_id: SubmissionId) -> None:
    """Remove it with all that has come of it. What was made of it stays."""
    submissions.remove_submission(landing_of(platform), actor, submission_id)


@router.get(
    "/{submission_id}/events",
    response_class=EventSourceResponse,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
)
async def watch_submission(
    request: Request, platform: CurrentPlatform, actor: CurrentActor, submission_id: SubmissionId
) -> EventSourceResponse:
    """Server-sent events: `submission` with each change, until the platform has nothing to do for it."""
    await asyncio.to_thread(submissions.get_submission, platform.database, actor, submission_id)
    words = translations(language_of(request)).gettext
    return EventSourceResponse(_events(request, actor, submission_id, words), ping=15)


async def _events(request: Request, actor: Actor, submission_id: str, words: Gettext) -> AsyncIterator[ServerSentEvent]:
    platform, told = current_platform(request), 0
    while await asyncio.to_thread(still_asking, request, actor):
        found = await asyncio.to_thread(submissions.get_submission, platform.database, actor, submission_id)
        if found.revision > told:
            told = found.revision
            values = {
                "state": found.state,
                "progress": progress_line(found.progress, words),
                "ended": not found.state.waits_for_work,
            }
            yield ServerSentEvent(json.dumps(values, ensure_ascii=False), event="submission", id=str(told))
        if not found.state.waits_for_work:
            return
        await asyncio.sleep(_LOOK_S)


def _out(found: UploadedSubmission) -> SubmissionOut:
    return SubmissionOut.model_validate(found, from_attributes=True)


def _file(found: StagedFile) -> FileOut:
    return FileOut.model_validate(found, from_attributes=True)
