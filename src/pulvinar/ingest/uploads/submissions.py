"""Submissions: opened, filled with files, finished, and removed. Whose it is, that one alone knows of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Row, delete, func, insert, select, update
from sqlalchemy.orm import Session

from pulvinar.access.work import UnitOfWork, may_on_node
from pulvinar.errors import Conflict, Forbidden, Invalid, NotFound, TooLarge
from pulvinar.ingest.removal import remove_tree
from pulvinar.ingest.uploads.landing import Landing, discard_uploads
from pulvinar.ingest.uploads.names import NameBook, keys_of, name_key
from pulvinar.ingest.uploads.tables import submission, submission_file, submission_name, upload_part
from pulvinar.model.access import Actor, Membership, Right
from pulvinar.model.identity import new_id
from pulvinar.model.text import plain, short
from pulvinar.storage.database import Database

MOST_FILES = 100_000
_TOGETHER = 400
"""So many values are asked for in one statement."""


class SubmissionState(StrEnum):
    """How far a submission is."""

    OPEN = "open"
    """Its files come."""
    LOOKING = "looking"
    """All files are there, and the platform looks at them."""
    LOOKED = "looked"
    """A person says what the files don't."""
    TAKING = "taking"
    """It is being brought in."""
    DONE = "done"
    FAILED = "failed"
    """The files could not be looked at."""

    @property
    def waits_for_work(self) -> bool:
        """Whether the platform has something to do for it."""
        return self in (SubmissionState.LOOKING, SubmissionState.TAKING)


@dataclass(frozen=True)
class UploadedSubmission:
    """One submission. `said` are the fields of its form, `trouble` why its last step ended badly ("" where it didn't).

    `dataset_id` and `version` are of the draft that was made of it.
    """

    id: str
    title: str
    fingerprint: str
    state: SubmissionState
    file_count: int
    size_bytes: int
    received_bytes: int
    created: datetime
    expires: datetime
    said: Mapping[str, str] = field(default_factory=dict)
    progress: str = ""
    trouble: str = ""
    hint: str = ""
    dataset_id: str = ""
    version: int | None = None
    revision: int = 1


@dataclass(frozen=True)
class StagedPart:
    """A range of a file that one upload fills; `received` of its bytes are durable."""

    id: str
    first: int
    size_bytes: int
    received: int
    partial: bool


@dataclass(frozen=True)
class StagedFile:
    """One file of a submission, with the parts in which it comes."""

    id: str
    path: str
    size_bytes: int
    whole: bool
    sha256: str | None
    parts: tuple[StagedPart, ...] = ()


def create_submission(landing: Landing, actor: Actor, title: str, fingerprint: str = "") -> UploadedSubmission:
    """Open a submission. Raises `Forbidden` for who may not write on this node."""
    now = datetime.now(UTC)
    row = {
        "id": new_id(landing.node),
        "actor_id": actor.id,
        "actor": actor_to_json(actor),
        "title": plain(title.strip())[:500],
        "fingerprint": fingerprint,
        "state": SubmissionState.OPEN.value,
        "created": now,
        "expires": landing.expiry(),
    }
    with UnitOfWork(landing.database, actor) as work:
        work.ask(Right.WRITE)
        work.session.execute(insert(submission).values(**row))
        work.record_event("open_submission", str(row["id"]))
    return get_submission(landing.database, actor, str(row["id"]))


def get_submission(database: Database, actor: Actor, submission_id: str) -> UploadedSubmission:
    """One submission of `actor`; raises `NotFound`, also for another's."""
    with database.session() as session:
        return of_row(own_row(session, actor, submission_id))


def list_submissions(
    database: Database, actor: Actor, *, fingerprint: str = "", limit: int = 100
) -> list[UploadedSubmission]:
    """Those of `actor`, newest first; with a fingerprint, those that a client has begun for the same files."""
    wanted = select(submission).where(submission.c.actor_id == actor.id)
    if fingerprint:
        wanted = wanted.where(submission.c.fingerprint == fingerprint)
    with database.session() as session:
        return [of_row(row) for row in session.execute(wanted.order_by(submission.c.created.desc()).limit(limit))]


def add_files(landing: Landing, actor: Actor, submission_id: str, files: Sequence[tuple[str, int]]) -> list[str]:
    """Announce files, each a relative path and its size; their identifiers.

    Raises `Invalid` for a name that can't be kept, `Conflict` for one that clashes with another, `TooLarge` beyond the
    quota or the most files, `Unavailable` where the disk has no room. Nothing of what is refused is added.
    """
    with UnitOfWork(landing.database, actor) as work:
        work.ask(Right.WRITE)
        found = own_row(work.session, actor, submission_id)
        made = _add(work.session, landing, actor, found, files)
        work.record_event("add_files", submission_id, {"files": len(files), "size_bytes": sum(s for _, s in files)})
    return made


def _add(
    session: Session, landing: Landing, actor: Actor, found: Row[Any], files: Sequence[tuple[str, int]]
) -> list[str]:
    must_be(found, SubmissionState.OPEN)
    size = sum(size for _, size in files)
    if any(one < 0 for _, one in files):
        raise Invalid("a file has no size below 0")
    if found.file_count + len(files) > MOST_FILES:
        raise TooLarge(f"a submission has at most {MOST_FILES:,} files", hint="hand in an archive (.tar, .zip)")
    book = NameBook(_known(session, found.id, keys_of(path for path, _ in files)))
    for path, _ in files:
        book.add(path)
    landing.refuse_without_room(session, actor, size)
    made = {name_key(path): new_id(landing.node) for path, _ in files}
    rows = [
        {"id": made[name_key(path)], "submission_id": found.id, "path": path, "size_bytes": one} for path, one in files
    ]
    names = [
        {"submission_id": found.id, "digest": key, "spelled": spelled, "file_id": made[key] if is_file else None}
        for key, (spelled, is_file) in book.added.items()
    ]
    session.execute(insert(submission_file), rows)
    session.execute(insert(submission_name), names)
    grown = {"file_count": submission.c.file_count + len(files), "size_bytes": submission.c.size_bytes + size}
    session.execute(update(submission).where(submission.c.id == found.id).values(**grown, expires=landing.expiry()))
    return [made[name_key(path)] for path, _ in files]


def _known(session: Session, submission_id: str, keys: Iterable[str]) -> dict[str, tuple[str, bool]]:
    found: dict[str, tuple[str, bool]] = {}
    for some in _batches([*keys]):
        wanted = select(submission_name).where(
            submission_name.c.submission_id == submission_id, submission_name.c.digest.in_(some)
        )
        found |= {row.digest: (row.spelled, row.file_id is not None) for row in session.execute(wanted)}
    return found


def list_files(
    database: Database, actor: Actor, submission_id: str, *, after: str = "", limit: int = 1000
) -> list[StagedFile]:
    """The files of a submission by identifier, after one, with their parts."""
    with database.session() as session:
        own_row(session, actor, submission_id)
        wanted = select(submission_file).where(
            submission_file.c.submission_id == submission_id, submission_file.c.id > after
        )
        files = session.execute(wanted.order_by(submission_file.c.id).limit(limit)).all()
        parts: dict[str, list[StagedPart]] = {}
        for some in _batches([row.id for row in files]):
            of_some = select(upload_part).where(upload_part.c.file_id.in_(some)).order_by(upload_part.c.first)
            for row in session.execute(of_some):
                parts.setdefault(row.file_id, []).append(_part(row))
    return [
        StagedFile(row.id, row.path, row.size_bytes, row.whole, row.sha256, tuple(parts.get(row.id, ())))
        for row in files
    ]


def _batches(values: Sequence[str]) -> Iterator[Sequence[str]]:
    for first in range(0, len(values), _TOGETHER):
        yield values[first : first + _TOGETHER]


def _part(row: Row[Any]) -> StagedPart:
    return StagedPart(row.id, row.first, row.size_bytes, row.received, row.partial)


def finish(landing: Landing, actor: Actor, submission_id: str) -> UploadedSubmission:
    """Say that nothing more comes: the platform looks at it next. Raises `Conflict` while something is missing."""
    with UnitOfWork(landing.database, actor) as work:
        work.ask(Right.WRITE)
        found = own_row(work.session, actor, submission_id)
        if found.state == SubmissionState.OPEN.value:
            _refuse_incomplete(work.session, found)
            change_state(work.session, submission_id, SubmissionState.LOOKING, expires=landing.expiry())
        work.record_event("finish_submission", submission_id)
    return get_submission(landing.database, actor, submission_id)


def _refuse_incomplete(session: Session, found: Row[Any]) -> None:
    if not found.file_count:
        raise Conflict("the submission has no file", hint="hand one in first")
    missing = (submission_file.c.submission_id == found.id) & ~submission_file.c.whole
    count = session.scalar(select(func.count()).select_from(submission_file).where(missing)) or 0
    if count:
        name = session.scalar(select(submission_file.c.path).where(missing).limit(1))
        raise Conflict(f"{count:,} of its files are not whole yet: {plain(short(name))}", hint="hand in the rest first")


def remove_submission(landing: Landing, actor: Actor, submission_id: str) -> None:
    """Remove a submission with all that has come of it. Raises `Conflict` while it is being worked on."""
    with landing.database.session() as session:
        own_row(session, actor, submission_id)
    discard_uploads(landing, submission_id)
    with UnitOfWork(landing.database, actor) as work:
        work.ask(Right.WRITE)
        found = own_row(work.session, actor, submission_id)
        if SubmissionState(found.state).waits_for_work:
            raise Conflict("the submission is being worked on", hint="wait until that has ended")
        work.session.execute(delete(submission).where(submission.c.id == submission_id))
        work.record_event("remove_submission", submission_id)
    remove_tree(landing.place(submission_id))


def own_row(session: Session, actor: Actor, submission_id: str) -> Row[Any]:
    """The row of a submission of `actor`. Raises `NotFound`."""
    of_actor: ColumnElement[bool] = (submission.c.id == submission_id) & (submission.c.actor_id == actor.id)
    row = session.execute(select(submission).where(of_actor)).first()
    if row is None:
        raise NotFound(f"there is no submission {submission_id}")
    return row


def check_hands_in(actor: Actor) -> None:
    """Raise `Forbidden` for who may not write on this node, or not any longer, or comes by a token that only reads."""
    if not may_on_node(actor, Right.WRITE):
        raise Forbidden(f"{actor.name} may not write on this node")


def must_be(found: Row[Any], *states: SubmissionState) -> None:
    """Raise `Conflict` where a submission is in none of `states`."""
    if found.state not in [state.value for state in states]:
        raise Conflict(
            f"submission {found.id} is {found.state}, which allows that no more", hint="open a new one for more files"
        )


def change_state(session: Session, submission_id: str, state: SubmissionState, **values: Any) -> None:
    """Bring a submission to `state`; what was the trouble before is forgotten."""
    cleared = {"trouble": None, "progress": "", "revision": submission.c.revision + 1, "state": state.value}
    session.execute(update(submission).where(submission.c.id == submission_id).values(**{**cleared, **values}))


def of_row(row: Row[Any]) -> UploadedSubmission:
    """The submission of a row."""
    trouble = row.trouble or {}
    return UploadedSubmission(
        id=row.id,
        title=row.title,
        fingerprint=row.fingerprint,
        state=SubmissionState(row.state),
        file_count=row.file_count,
        size_bytes=row.size_bytes,
        received_bytes=row.received_bytes,
        created=row.created,
        expires=row.expires,
        said=row.said,
        progress=row.progress,
        trouble=trouble.get("message", ""),
        hint=trouble.get("hint", ""),
        dataset_id=row.dataset_id,
        version=row.version,
        revision=row.revision,
    )


def actor_to_json(actor: Actor) -> dict[str, Any]:
    """Who acts, as JSON values."""
    memberships = [[one.audience, int(one.most)] for one in actor.memberships]
    return {
        "id": actor.id,
        "name": actor.name,
        "is_owner": actor.is_owner,
        "memberships": memberships,
        "ceiling": int(actor.ceiling),
    }


def actor_from_json(told: Mapping[str, Any]) -> Actor:
    """What `actor_to_json` has made."""
    memberships = tuple(Membership(audience, Right(most)) for audience, most in told["memberships"])
    return Actor(told["id"], told["name"], told["is_owner"], memberships, Right(told["ceiling"]))
