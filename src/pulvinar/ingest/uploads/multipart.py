"""Large files by way of a bucket: parts are PUT to signed addresses, and land, checked, where an ingest reads them.

The bucket is a place to pass through. Each part lands as one upload of the file with its SHA-256, exactly as by tus,
and the object is removed once the file is whole: whatever the bucket did to the bytes, what counts was checked here.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, delete, insert, select, update
from sqlalchemy.orm import Session

from pulvinar.access.work import UnitOfWork
from pulvinar.errors import Conflict, Invalid, NotFound
from pulvinar.ingest.uploads.landing import Landing
from pulvinar.ingest.uploads.parts import Part, join_parts, open_part
from pulvinar.ingest.uploads.submissions import SubmissionState, add_files, check_hands_in, must_be, own_row
from pulvinar.ingest.uploads.tables import bucket_part, bucket_upload, submission, submission_file
from pulvinar.ingest.uploads.writing import ChecksumMismatch, PartWriter
from pulvinar.model.access import Actor, Right
from pulvinar.model.text import plain, short
from pulvinar.storage.staging_bucket import StagingBucket

_PART_BYTES, _MOST_PARTS = 64 << 20, 10_000
_PIECE_BYTES = 8 << 20
_LAND_S = 20.0
"""One request lands for so long; the next goes on."""


@dataclass(frozen=True)
class BucketUpload:
    """How a file comes by the bucket: in `part_count` parts of `part_bytes`, the last one shorter; `there` are the
    SHA-256 (hex) of those that the bucket has, by number from 1."""

    file_id: str
    size_bytes: int
    part_bytes: int
    part_count: int
    there: dict[int, str]


@dataclass(frozen=True)
class SignedPart:
    """Where a part is PUT, and with which headers."""

    url: str
    headers: dict[str, str]


@dataclass(frozen=True)
class Landed:
    """How much of a file has landed and was found right."""

    received: int
    size_bytes: int
    whole: bool


def begin(landing: Landing, actor: Actor, submission_id: str, path: str, size_bytes: int) -> BucketUpload:
    """Begin, or go on with, a file of a submission by way of the bucket.

    Raises `Conflict` where this platform has no bucket, and what `add_files` raises.
    """
    bucket = _bucket(landing)
    if size_bytes <= 0:
        raise Invalid(f"{plain(short(path))!r} has {size_bytes} bytes", hint="hand empty files in by tus")
    with landing.database.session() as session:
        own_row(session, actor, submission_id)
        named = submission_file.c.submission_id == submission_id, submission_file.c.path == path
        file_id = session.scalar(select(submission_file.c.id).where(*named))
    if file_id is None:
        (file_id,) = add_files(landing, actor, submission_id, [(path, size_bytes)])
    with landing.database.session() as session:
        known = session.execute(select(bucket_upload).where(bucket_upload.c.file_id == file_id)).first()
    if known is None:
        _begin(landing, bucket, actor, submission_id, file_id)
    with landing.database.session() as session:
        file, row = _rows(session, actor, submission_id, file_id)
        if file.size_bytes != size_bytes:
            raise Conflict(f"{plain(short(path))!r} was announced with {file.size_bytes:,} bytes")
        return _told(session, bucket, file, row)


def _begin(landing: Landing, bucket: StagingBucket, actor: Actor, submission_id: str, file_id: str) -> None:
    key = f"uploads/{submission_id}/{file_id}"
    upload = bucket.begin(key)
    with UnitOfWork(landing.database, actor) as work:
        work.ask(Right.WRITE)
        must_be(own_row(work.session, actor, submission_id), SubmissionState.OPEN)
        size = work.session.scalar(select(submission_file.c.size_bytes).where(submission_file.c.id == file_id)) or 0
        part_bytes = max(_PART_BYTES, -(-size // _MOST_PARTS // 1024) * 1024)
        values = {"file_id": file_id, "key": key, "upload": upload, "part_bytes": part_bytes}
        work.session.execute(insert(bucket_upload).values(**values, complete=False))
        work.record_event("begin_bucket_upload", file_id, {"submission": submission_id})


def sign_part(landing: Landing, actor: Actor, submission_id: str, file_id: str, number: int, sha256: str) -> SignedPart:
    """An address to which a part with that SHA-256 (hex) is PUT. Raises `Invalid` for a part that there isn't."""
    check_hands_in(actor)
    bucket = _bucket(landing)
    if not re.fullmatch("[0-9a-f]{64}", sha256):
        raise Invalid("this is no SHA-256", hint="64 digits 0 to 9 and a to f")
    with landing.database.writing() as session:
        file, row = _rows(session, actor, submission_id, file_id)
        if row.complete:
            raise Conflict("all parts of this file are there", hint="complete it")
        if not 1 <= number <= _count(file, row):
            raise Invalid(f"the file has no part {number}", hint=f"1 to {_count(file, row)}")
        mine = bucket_part.c.file_id == file_id, bucket_part.c.number == number
        session.execute(delete(bucket_part).where(*mine))
        session.execute(insert(bucket_part).values(file_id=file_id, number=number, sha256=sha256))
        whole = submission.c.id == submission_id
        session.execute(update(submission).where(whole).values(expires=landing.expiry()))
    url, headers = bucket.sign(row.key, row.upload, number, sha256)
    return SignedPart(url, dict(headers))


def complete(landing: Landing, actor: Actor, submission_id: str, file_id: str) -> Landed:
    """Have a file land whose parts are all in the bucket, 20 seconds at a time: to be asked again until it is whole.

    Raises `Conflict` while a part is missing, `ChecksumMismatch` for one that isn't what was announced; that part, and
    with it the object, is to be sent again then.
    """
    check_hands_in(actor)
    bucket = _bucket(landing)
    with landing.database.session() as session:
        file, row = _rows(session, actor, submission_id, file_id)
        digests = _digests(session, file_id)
    if file.whole:
        bucket.discard(row.key, row.upload)
        return Landed(file.size_bytes, file.size_bytes, True)
    if not row.complete:
        _make_object(landing, bucket, file, row, digests)
    return _land(landing, bucket, actor, file, row, digests)


def _make_object(
    landing: Landing, bucket: StagingBucket, file: Row[Any], row: Row[Any], digests: dict[int, str]
) -> None:
    there = bucket.parts(row.key, row.upload)
    for number in range(1, _count(file, row) + 1):
        size = _range(file, row, number)[1]
        if number not in digests or there.get(number, (0, ""))[0] != size:
            raise Conflict(f"part {number} of {plain(short(file.path))!r} is not there", hint="send it first")
    listed = [(number, there[number][1], digests[number]) for number in range(1, _count(file, row) + 1)]
    bucket.complete(row.key, row.upload, listed)
    with landing.database.writing() as session:
        session.execute(update(bucket_upload).where(bucket_upload.c.file_id == file.id).values(complete=True))


def _land(
    landing: Landing, bucket: StagingBucket, actor: Actor, file: Row[Any], row: Row[Any], digests: dict[int, str]
) -> Landed:
    ends = time.monotonic() + _LAND_S
    parts: list[Part] = []
    received = 0
    for number in range(1, _count(file, row) + 1):
        first, size = _range(file, row, number)
        part = open_part(landing, actor, file.submission_id, file.path, size, first=first)
        if part.received != size:
            if time.monotonic() > ends:
                return Landed(received, file.size_bytes, False)
            try:
                _copy(landing, bucket, actor, part, row, digests[number])
            except ChecksumMismatch:
                _start_over(landing, bucket, file, row)
                raise
        parts.append(part)
        received += size
    join_parts(landing, actor, [one.id for one in parts])
    bucket.discard(row.key, row.upload)
    return Landed(file.size_bytes, file.size_bytes, True)


def _copy(landing: Landing, bucket: StagingBucket, actor: Actor, part: Part, row: Row[Any], sha256: str) -> None:
    with PartWriter(landing, actor, part, part.received, sha256) as writer:
        for at in range(0, part.size_bytes, _PIECE_BYTES):
            size = min(_PIECE_BYTES, part.size_bytes - at)
            writer.write([bucket.read(row.key, part.first + at, size)])
        writer.keep()


def _start_over(landing: Landing, bucket: StagingBucket, file: Row[Any], row: Row[Any]) -> None:
    """Forget the object: no part of it can be sent again once it was made. What has landed stays."""
    bucket.discard(row.key, row.upload)
    fresh = bucket.begin(row.key)
    with landing.database.writing() as session:
        mine = bucket_upload.c.file_id == file.id
        session.execute(update(bucket_upload).where(mine).values(upload=fresh, complete=False))


def _bucket(landing: Landing) -> StagingBucket:
    if landing.bucket is None:
        raise Conflict(
            "this server takes nothing by way of a bucket", hint="hand it in by tus, as pulvinar upload does"
        )
    return landing.bucket


def _rows(session: Session, actor: Actor, submission_id: str, file_id: str) -> tuple[Row[Any], Row[Any]]:
    """The rows of a file and of its way by the bucket. Raises `NotFound`, `Conflict` for a finished submission."""
    must_be(own_row(session, actor, submission_id), SubmissionState.OPEN)
    named = submission_file.c.id == file_id, submission_file.c.submission_id == submission_id
    file = session.execute(select(submission_file).where(*named)).first()
    row = session.execute(select(bucket_upload).where(bucket_upload.c.file_id == file_id)).first()
    if file is None or row is None:
        raise NotFound(f"the submission has no file {short(file_id, 80)} that comes by the bucket")
    return file, row


def _count(file: Row[Any], row: Row[Any]) -> int:
    return -(-int(file.size_bytes) // int(row.part_bytes))


def _range(file: Row[Any], row: Row[Any], number: int) -> tuple[int, int]:
    """Where a part begins in the file, and its size."""
    first = (number - 1) * int(row.part_bytes)
    return first, min(int(row.part_bytes), int(file.size_bytes) - first)


def _digests(session: Session, file_id: str) -> dict[int, str]:
    rows = session.execute(select(bucket_part).where(bucket_part.c.file_id == file_id))
    return {row.number: row.sha256 for row in rows}


def _told(session: Session, bucket: StagingBucket, file: Row[Any], row: Row[Any]) -> BucketUpload:
    digests = _digests(session, file.id)
    if row.complete or file.whole:
        there = digests
    else:
        sizes = bucket.parts(row.key, row.upload)
        there = {
            number: sha256
            for number, sha256 in digests.items()
            if sizes.get(number, (0, ""))[0] == _range(file, row, number)[1]
        }
    return BucketUpload(file.id, file.size_bytes, row.part_bytes, _count(file, row), there)
