"""Uploads by tus 1.0 (https://tus.io/protocols/resumable-upload): core and creation, creation-with-upload, checksum,
concatenation, expiration, termination.

An upload is a file of a submission, named by the metadata `submission` and `path`; without a submission it makes one. A
partial upload says with `start` where in the file it lies: its bytes are written there, and nothing is copied when the
parts are put together.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import format_datetime
from typing import Annotated
from urllib.parse import unquote

from fastapi import APIRouter, Depends, Header, Path, Request, Response
from starlette.concurrency import run_in_threadpool

from pulvinar.errors import Invalid
from pulvinar.ingest.uploads.landing import Landing
from pulvinar.ingest.uploads.parts import Part, end_part, get_part, join_parts, open_part
from pulvinar.ingest.uploads.submissions import create_submission
from pulvinar.ingest.uploads.writing import make_empty
from pulvinar.model.access import Actor
from pulvinar.platform import landing_of
from pulvinar.web.api.schemas import Envelope
from pulvinar.web.context import CurrentActor, CurrentPlatform, refuse_other_sites
from pulvinar.web.errors import MethodNotAllowed, WrongMediaType, WrongProtocol
from pulvinar.web.receiving import receive

VERSION = "1.0.0"
EXTENSIONS = "creation,creation-with-upload,checksum,concatenation,expiration,termination"
LARGEST_BYTES = 1 << 50
_ROOT = "/api/v1/uploads"
_BODY = "application/offset+octet-stream"
_FINAL = "final;"


def _speaks(request: Request) -> None:
    """Raise `WrongProtocol` for a client of another version."""
    said = request.headers.get("tus-resumable", "")
    if request.method != "OPTIONS" and said != VERSION:
        raise WrongProtocol(
            f"this is tus {VERSION}, and the request says {said[:20] or 'none'}", hint=f"send Tus-Resumable: {VERSION}"
        )


_REFUSALS = {
    409: "Its offset is another one.",
    412: "The request speaks another version of tus.",
    415: "Bytes come as application/offset+octet-stream.",
    423: "Another request is writing to it.",
    460: "The bytes are not those of the checksum.",
}
router = APIRouter(
    prefix="/uploads",
    tags=["uploads"],
    dependencies=[Depends(refuse_other_sites)],
    responses={status: {"model": Envelope, "description": text} for status, text in _REFUSALS.items()},
)

UploadId = Annotated[str, Path(description="Identifier of an upload.", max_length=100)]
Spoken = Depends(_speaks)


@dataclass(frozen=True)
class Creation:
    """What a request for a new upload says."""

    metadata: Mapping[str, str]
    size_bytes: int
    concat: str
    has_body: bool


def _creation(
    request: Request,
    upload_length: Annotated[str, Header(description="Size of the file, or of the part, in bytes.")] = "",
    upload_metadata: Annotated[str, Header(description="submission, path and start, each with its base64.")] = "",
    upload_concat: Annotated[str, Header(description="partial, or final; with the addresses of the parts.")] = "",
) -> Creation:
    final = upload_concat.startswith(_FINAL)
    if not final and not re.fullmatch(r"\d{1,18}", upload_length):
        raise Invalid("Upload-Length is missing or no number", hint="the size must be known from the start")
    size = int(upload_length or 0)
    has_body = request.headers.get("content-type", "") == _BODY
    return Creation(metadata_of(upload_metadata), size, upload_concat.strip(), has_body)


def metadata_of(text: str) -> dict[str, str]:
    """The keys and values of an Upload-Metadata header. Raises `Invalid`."""
    found = {}
    for pair in filter(None, (one.strip() for one in text.split(","))):
        key, _, value = pair.partition(" ")
        try:
            found[key] = base64.b64decode(value.strip(), validate=True).decode("utf-8")
        except (binascii.Error, UnicodeDecodeError) as error:
            raise Invalid(f"Upload-Metadata: {key[:40]!r} is no base64 of UTF-8") from error
    return found


@router.options("", status_code=204)
def describe_uploads() -> Response:
    """Which version and extensions of tus are spoken."""
    return Response(
        status_code=204,
        headers={
            "tus-resumable": VERSION,
            "tus-version": VERSION,
            "tus-extension": EXTENSIONS,
            "tus-checksum-algorithm": "sha256",
            "tus-max-size": str(LARGEST_BYTES),
        },
    )


@router.post("", status_code=201, dependencies=[Spoken], response_class=Response)
async def create_upload(
    request: Request,
    platform: CurrentPlatform,
    actor: CurrentActor,
    asked: Annotated[Creation, Depends(_creation)],
    upload_checksum: Annotated[str, Header(description="Of the body: sha256 and its base64.")] = "",
) -> Response:
    """Begin an upload, with its first bytes where there is a body; or put parts together (Upload-Concat: final)."""
    landing = landing_of(platform)
    if asked.concat.startswith(_FINAL):
        ids = [unquote(one).rstrip("/").rpartition("/")[2] for one in asked.concat.removeprefix(_FINAL).split()]
        part = await run_in_threadpool(join_parts, landing, actor, ids)
        return Response(status_code=201, headers=_headers(part, location=True))
    part = await run_in_threadpool(_begun, landing, actor, asked)
    if asked.has_body:
        part = await receive(request, landing, actor, part, 0, checksum_of(upload_checksum))
    return Response(status_code=201, headers=_headers(part, location=True, offset=True))


def _begun(landing: Landing, actor: Actor, asked: Creation) -> Part:
    said = asked.metadata
    path = said.get("path") or said.get("filename") or said.get("name") or ""
    first = None
    if asked.concat:
        if asked.concat != "partial" or not re.fullmatch(r"\d{1,18}", said.get("start", "")):
            raise Invalid("a partial upload says in its metadata where in the file it starts", hint="start, as 0")
        first = int(said["start"])
    submission_id = said.get("submission") or create_submission(landing, actor, path).id
    part = open_part(landing, actor, submission_id, path, asked.size_bytes, first=first)
    if part.size_bytes == 0:
        make_empty(landing, part)
    return part


@router.get("/{upload_id}", dependencies=[Spoken], response_class=Response)
def get_upload_offset(platform: CurrentPlatform, actor: CurrentActor, upload_id: UploadId) -> Response:
    """How much of an upload is durable: in the headers of the answer, which has no body (HEAD)."""
    return Response(headers=_headers(get_part(landing_of(platform), actor, upload_id), offset=True))


@router.patch("/{upload_id}", status_code=204, dependencies=[Spoken])
async def continue_upload(
    request: Request,
    platform: CurrentPlatform,
    actor: CurrentActor,
    upload_id: UploadId,
    upload_offset: Annotated[int, Header(ge=0, description="Where the body begins: the offset of the upload.")],
    upload_checksum: Annotated[str, Header(description="Of the body: sha256 and its base64.")] = "",
) -> Response:
    """Go on with an upload. 409 where the offset is another, 460 where the bytes are not those that were sent."""
    if request.headers.get("content-type", "") != _BODY:
        raise WrongMediaType("the body is of another media type", hint=f"send Content-Type: {_BODY}")
    landing = landing_of(platform)
    part = await run_in_threadpool(get_part, landing, actor, upload_id)
    part = await receive(request, landing, actor, part, upload_offset, checksum_of(upload_checksum))
    return Response(status_code=204, headers=_headers(part, offset=True))


@router.post("/{upload_id}", dependencies=[Spoken], status_code=204, include_in_schema=False)
async def in_place_of_method(
    request: Request, platform: CurrentPlatform, actor: CurrentActor, upload_id: UploadId
) -> Response:
    """For clients that can send neither PATCH nor DELETE, and say so in X-HTTP-Method-Override."""
    meant = request.headers.get("x-http-method-override", "").upper()
    if meant == "DELETE":
        return await run_in_threadpool(end_upload, platform, actor, upload_id)
    offset = request.headers.get("upload-offset", "")
    if meant != "PATCH" or not re.fullmatch(r"\d{1,18}", offset):
        raise MethodNotAllowed("POST is not for one upload", hint="PATCH goes on with it")
    checksum = request.headers.get("upload-checksum", "")
    return await continue_upload(request, platform, actor, upload_id, int(offset), checksum)


@router.delete("/{upload_id}", status_code=204, dependencies=[Spoken])
def end_upload(platform: CurrentPlatform, actor: CurrentActor, upload_id: UploadId) -> Response:
    """Give an upload up: what has come of it counts no more."""
    end_part(landing_of(platform), actor, upload_id)
    return Response(status_code=204, headers={"tus-resumable": VERSION})


def checksum_of(text: str) -> str:
    """The SHA-256 of an Upload-Checksum header, in hex; "" where there is none. Raises `Invalid` for another kind."""
    if not text:
        return ""
    algorithm, _, value = text.strip().partition(" ")
    try:
        digest = base64.b64decode(value.strip(), validate=True)
    except binascii.Error:
        digest = b""
    if algorithm.lower() != "sha256" or len(digest) != 32:
        raise Invalid("Upload-Checksum is no SHA-256", hint="as: sha256, a blank, and the digest in base64")
    return digest.hex()


def _headers(part: Part, *, location: bool = False, offset: bool = False) -> dict[str, str]:
    headers = {
        "tus-resumable": VERSION,
        "cache-control": "no-store",
        "upload-length": str(part.size_bytes),
        "upload-expires": format_datetime(part.expires, usegmt=True),
    }
    if offset:
        headers["upload-offset"] = str(part.received)
    if part.partial:
        headers["upload-concat"] = "partial"
    if location:
        headers["location"] = f"{_ROOT}/{part.id}"
    return headers
