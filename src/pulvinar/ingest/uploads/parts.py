"""Parts of files: opened, acknowledged as they grow, put together, ended early. The words are those of tus 1.0."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, insert, select, update
from sqlalchemy.orm import Session

from pulvinar.access.work import UnitOfWork
from pulvinar.errors import Conflict, Invalid, NotFound
from pulvinar.ingest.uploads.landing import Landing
from pulvinar.ingest.uploads.names import name_key
from pulvinar.ingest.uploads.submissions import SubmissionState, add_files, check_hands_in, must_be, own_row
from pulvinar.ingest.uploads.tables import submission, submission_file, submission_name, upload_digest, upload_part
from pulvinar.model.access import Actor, Right
from pulvinar.model.identity import new_id
from pulvinar.model.text import plain, short


@dataclass(frozen=True)
class Part:
    """A range of a file of a submission: from `first`, of `size_bytes`, of which `received` are durable."""

    id: str
    submission_id: str
    file_id: str
    path: str
    file_size_bytes: int
    first: int
    size_bytes: int
    received: int
    partial: bool
    expires: datetime


@dataclass(frozen=True)
class PartDigest:
    """A piece of a file that came with its SHA-256, which was found right."""

    file_id: str
    part_id: str
    first: int
    size_bytes: int
    sha256: str


def open_part(
    landing: Landing, actor: Actor, submission_id: str, path: str, size_bytes: int, *, first: int | None = None
) -> Part:
    """Open the upload of a file, or, with `first`, of a part of it that begins there.

    A file that was not announced is added, where it comes as a whole. Asked for once more, the same part is given
    again. Raises `NotFound` and `Conflict`, and what `add_files` raises.
    """
    check_hands_in(actor)
    with landing.database.session() as session:
        file_id = _file_id(session, actor, submission_id, path)
    if file_id is None:
        if first is not None:
            raise NotFound(f"the submission has no file {plain(short(path))!r}", hint="announce it first")
        (file_id,) = add_files(landing, actor, submission_id, [(path, size_bytes)])
    with landing.database.writing() as session:
        must_be(own_row(session, actor, submission_id), SubmissionState.OPEN)
        file = session.execute(select(submission_file).where(submission_file.c.id == file_id)).one()
        part_id = _open(session, landing, file, size_bytes, first)
    return get_part(landing, actor, part_id)


def _file_id(session: Session, actor: Actor, submission_id: str, path: str) -> str | None:
    own_row(session, actor, submission_id)
    named = (submission_name.c.submission_id == submission_id) & (submission_name.c.digest == name_key(path))
    row = session.execute(select(submission_name).where(named)).first()
    # a name that only resembles it is refused where the file is added
    return str(row.file_id) if row is not None and row.spelled == path and row.file_id is not None else None


def _open(session: Session, landing: Landing, file: Row[Any], size_bytes: int, first: int | None) -> str:
    start, partial = first or 0, first is not None
    stop = start + size_bytes
    if start < 0 or size_bytes < 0 or stop > file.size_bytes or (not partial and size_bytes != file.size_bytes):
        raise Conflict(
            f"{plain(short(file.path))!r} has {file.size_bytes:,} bytes: {start:,} to {stop:,} is no such part",
            hint="the file has changed, perhaps: remove it from the submission, and hand it in again",
        )
    for other in session.execute(select(upload_part).where(upload_part.c.file_id == file.id)):
        if (other.first, other.size_bytes, other.partial) == (start, size_bytes, partial):
            return str(other.id)
        if start < other.first + other.size_bytes and other.first < stop:
            raise Conflict(
                f"bytes {start:,} to {stop:,} of {plain(short(file.path))!r} are being handed in already",
                hint=f"go on with {other.id}, or end it",
            )
    part_id = new_id(landing.node)
    row = {"id": part_id, "file_id": file.id, "first": start, "size_bytes": size_bytes, "partial": partial}
    session.execute(insert(upload_part).values(**row))
    return part_id


def get_part(landing: Landing, actor: Actor, part_id: str) -> Part:
    """One part of a submission of `actor`; raises `NotFound`, also for another's."""
    with landing.database.session() as session:
        return _part(_row(session, actor, part_id))


def _row(session: Session, actor: Actor, part_id: str) -> Row[Any]:
    wanted = (
        select(upload_part, submission_file.c.path, submission_file.c.submission_id)
        .add_columns(submission_file.c.size_bytes.label("file_size_bytes"), submission.c.expires, submission.c.state)
        .join(submission_file, submission_file.c.id == upload_part.c.file_id)
        .join(submission, submission.c.id == submission_file.c.submission_id)
        .where(upload_part.c.id == part_id, submission.c.actor_id == actor.id)
    )
    row = session.execute(wanted).first()
    if row is None:
        raise NotFound(f"there is no upload {short(part_id, 80)}")
    return row


def _part(row: Row[Any]) -> Part:
    return Part(
        row.id,
        row.submission_id,
        row.file_id,
        row.path,
        row.file_size_bytes,
        row.first,
        row.size_bytes,
        row.received,
        row.partial,
        row.expires,
    )


def acknowledge(landing: Landing, part: Part, before: int, received: int, sha256: str = "") -> None:
    """Note that a part's bytes from `before` up to `received` are durable. They must be: on this an offset rests.

    `sha256` is of just these bytes, where they came with it. Raises `Conflict` when somebody else was here.
    """
    with landing.database.writing() as session:
        grown = update(upload_part).where(upload_part.c.id == part.id, upload_part.c.received == before)
        if session.execute(grown.values(received=received)).rowcount != 1:  # type: ignore[attr-defined]
            raise Conflict(f"another request has changed upload {part.id}", hint="ask for its offset, and go on there")
        if sha256:
            piece = {"first": part.first + before, "size_bytes": received - before, "sha256": sha256}
            session.execute(insert(upload_digest).values(part_id=part.id, **piece))
        if received == part.size_bytes and not part.partial:
            _whole(session, part.file_id)
        counted = update(submission).where(submission.c.id == part.submission_id, submission.c.state == "open")
        total = submission.c.received_bytes + (received - before)
        session.execute(counted.values(received_bytes=total, expires=landing.expiry()))


def _whole(session: Session, file_id: str) -> None:
    session.execute(update(submission_file).where(submission_file.c.id == file_id).values(whole=True))


def join_parts(landing: Landing, actor: Actor, part_ids: Sequence[str]) -> Part:
    """Put the parts of one file together: they lie where they belong, so only whether nothing is missing is asked.

    The part that is given stands for the whole file. Raises `Invalid` for parts that don't fit together, `Conflict`
    while one of them isn't whole.
    """
    check_hands_in(actor)
    with landing.database.writing() as session:
        rows = [_row(session, actor, part_id) for part_id in part_ids]
        if not rows or len({row.file_id for row in rows}) != 1 or not all(row.partial for row in rows):
            raise Invalid("only parts of one file can be put together")
        must_be(own_row(session, actor, rows[0].submission_id), SubmissionState.OPEN)
        at = 0
        for row in rows:
            if row.first != at:
                raise Invalid(f"the parts don't follow each other: one begins at {row.first:,}, not at {at:,}")
            if row.received != row.size_bytes:
                raise Conflict(f"upload {row.id} has {row.received:,} of {row.size_bytes:,} bytes", hint="finish it")
            at += row.size_bytes
        if at != rows[0].file_size_bytes:
            raise Invalid(f"the parts have {at:,} bytes, the file {rows[0].file_size_bytes:,}")
        _whole(session, rows[0].file_id)
    return _part(rows[0])


def end_part(landing: Landing, actor: Actor, part_id: str) -> None:
    """Give a part up: what has come of it counts no more. Raises `NotFound`, `Conflict` once the submission is
    finished."""
    with UnitOfWork(landing.database, actor) as work:
        work.ask(Right.WRITE)
        row = _row(work.session, actor, part_id)
        must_be(own_row(work.session, actor, row.submission_id), SubmissionState.OPEN)
        work.session.execute(delete(upload_part).where(upload_part.c.id == part_id))
        of_file = update(submission_file).where(submission_file.c.id == row.file_id)
        work.session.execute(of_file.values(whole=False))
        counted = update(submission).where(submission.c.id == row.submission_id)
        work.session.execute(counted.values(received_bytes=submission.c.received_bytes - row.received))
        work.record_event("end_upload", part_id, {"submission": row.submission_id})


def list_digests(
    landing: Landing, actor: Actor, submission_id: str, *, after: tuple[str, int] = ("", -1), limit: int = 5000
) -> list[PartDigest]:
    """The pieces of a submission's files that came with a SHA-256: by part and place, after one."""
    part_id, first = after
    later = (upload_digest.c.part_id > part_id) | (
        (upload_digest.c.part_id == part_id) & (upload_digest.c.first > first)
    )
    wanted = (
        select(upload_digest, upload_part.c.file_id)
        .join(upload_part, upload_part.c.id == upload_digest.c.part_id)
        .join(submission_file, submission_file.c.id == upload_part.c.file_id)
        .where(submission_file.c.submission_id == submission_id, later)
        .order_by(upload_digest.c.part_id, upload_digest.c.first)
        .limit(limit)
    )
    with landing.database.session() as session:
        own_row(session, actor, submission_id)
        rows = session.execute(wanted).all()
    return [PartDigest(row.file_id, row.part_id, row.first, row.size_bytes, row.sha256) for row in rows]
