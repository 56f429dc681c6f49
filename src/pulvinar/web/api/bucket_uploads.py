"""Large files by S3's multipart uploads: parts go to a bucket by signed addresses, and land here with their SHA-256."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, Field

from pulvinar.ingest.uploads import multipart
from pulvinar.platform import landing_of
from pulvinar.web.api.schemas import Envelope
from pulvinar.web.api.submissions import FileRequest, SubmissionId
from pulvinar.web.context import CurrentActor, CurrentPlatform, refuse_other_sites

_REFUSALS = {
    409: "This server has no bucket, the submission is finished, or a part is missing.",
    460: "A part is not what was announced.",
}
router = APIRouter(
    prefix="/submissions/{submission_id}/bucket-uploads",
    tags=["submissions"],
    dependencies=[Depends(refuse_other_sites)],
    responses={status: {"model": Envelope, "description": text} for status, text in _REFUSALS.items()},
)

FileId = Annotated[str, Path(description="Identifier of a file of the submission.", max_length=100)]


class BucketUploadOut(BaseModel):
    """How a file comes by the bucket."""

    file_id: str
    size_bytes: int
    part_bytes: int = Field(description="Size of each part; the last one is shorter.")
    part_count: int
    there: dict[int, str] = Field(description="SHA-256, in hex, of the parts that the bucket has, by number from 1.")


class PartRequest(BaseModel):
    """A part to be sent."""

    number: int = Field(ge=1, le=10_000)
    sha256: str = Field(pattern="^[0-9a-f]{64}$", description="Of its bytes, in hex.")


class SignedPartOut(BaseModel):
    """Where a part is PUT within 15 minutes, and with which headers. The address opens nothing else."""

    url: str
    headers: dict[str, str]


class LandedOut(BaseModel):
    """How much of a file has landed and was found right."""

    received: int
    size_bytes: int
    whole: bool = Field(description="False: ask again, and it goes on.")


@router.post("", status_code=201)
def begin_bucket_upload(
    platform: CurrentPlatform, actor: CurrentActor, submission_id: SubmissionId, file: FileRequest
) -> BucketUploadOut:
    """Begin a file, or ask how far it is after a break. 409 where this server has no bucket."""
    found = multipart.begin(landing_of(platform), actor, submission_id, file.path, file.size_bytes)
    return BucketUploadOut(**vars(found))


@router.post("/{file_id}/parts", status_code=201)
def sign_bucket_part(
    platform: CurrentPlatform, actor: CurrentActor, submission_id: SubmissionId, file_id: FileId, part: PartRequest
) -> SignedPartOut:
    """An address for one part with that SHA-256."""
    found = multipart.sign_part(landing_of(platform), actor, submission_id, file_id, part.number, part.sha256)
    return SignedPartOut(**vars(found))


@router.post("/{file_id}/complete")
def complete_bucket_upload(
    platform: CurrentPlatform, actor: CurrentActor, submission_id: SubmissionId, file_id: FileId
) -> LandedOut:
    """Have the file land once all its parts are there, 20 seconds at a time: ask until it is whole. 460 for a part that
    isn't what was announced: begin again then, what has landed stays."""
    return LandedOut(**vars(multipart.complete(landing_of(platform), actor, submission_id, file_id)))
