"""What the platform does for submissions, outside of any request: it looks at them, and brings them in.

What is to be done stands in the database, and one process does it at a time for each submission: it is taken up again
after whatever ended the last one.
"""

from __future__ import annotations

import fcntl
import logging
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from sqlalchemy import Row, delete, select, update

from pulvinar.access.memberships import renewed
from pulvinar.access.work import UnitOfWork
from pulvinar.errors import Conflict, PulvinarError
from pulvinar.ingest.conformance import Checked, checked_path
from pulvinar.ingest.inspection import inspect
from pulvinar.ingest.intake import ingest
from pulvinar.ingest.progress import Task
from pulvinar.ingest.removal import remove_tree
from pulvinar.ingest.request import Means
from pulvinar.ingest.uploads.form import answers_of, checked_said, options_of, request_of
from pulvinar.ingest.uploads.landing import Landing, discard_uploads
from pulvinar.ingest.uploads.look import digest_files, keep_look, last_look
from pulvinar.ingest.uploads.submissions import (
    SubmissionState,
    UploadedSubmission,
    actor_from_json,
    change_state,
    get_submission,
    must_be,
    own_row,
)
from pulvinar.ingest.uploads.tables import submission
from pulvinar.model.access import PLATFORM, Actor, Right
from pulvinar.model.text import plain
from pulvinar.storage.database import Database

_SAY_EVERY_S = 0.5
_TO_DO = (SubmissionState.LOOKING.value, SubmissionState.TAKING.value)
_log = logging.getLogger("pulvinar.ingest")


def describe(landing: Landing, actor: Actor, submission_id: str, fields: Mapping[str, str]) -> UploadedSubmission:
    """Note what a person says of a submission. How files are to be read may be another then: it is looked at anew.

    Raises `Invalid` for what can't be, `Conflict` for one that isn't there yet, or is brought in.
    """
    said = checked_said(fields)
    with UnitOfWork(landing.database, actor) as work:
        work.ask(Right.WRITE)
        found = own_row(work.session, actor, submission_id)
        must_be(found, SubmissionState.LOOKED, SubmissionState.FAILED)
        again = options_of(said) != options_of(found.said) or found.state == SubmissionState.FAILED.value
        state = SubmissionState.LOOKING if again else SubmissionState.LOOKED
        change_state(work.session, submission_id, state, said=said, expires=landing.expiry())
        work.record_event("describe_submission", submission_id)
    return get_submission(landing.database, actor, submission_id)


def submit(landing: Landing, actor: Actor, submission_id: str) -> UploadedSubmission:
    """Have a submission brought in, as a draft. Raises `Conflict` for one that isn't ready."""
    with UnitOfWork(landing.database, actor) as work:
        work.ask(Right.WRITE)
        found = own_row(work.session, actor, submission_id)
        must_be(found, SubmissionState.LOOKED)
        request_of(found.said, landing.files(submission_id))
        change_state(work.session, submission_id, SubmissionState.TAKING, expires=landing.expiry())
        work.record_event("submit_submission", submission_id)
    return get_submission(landing.database, actor, submission_id)


def checked_submission(landing: Landing, found: UploadedSubmission) -> Checked:
    """What is known of a submission, for the rules of the profile."""
    look = last_look(landing, found.id)
    return checked_path(look, answers_of(found.said), options_of(found.said))


def anything_to_do(database: Database) -> bool:
    """Whether a submission waits for the platform."""
    with database.session() as session:
        return session.scalar(select(submission.c.id).where(submission.c.state.in_(_TO_DO)).limit(1)) is not None


def do_waiting(landing: Landing, means: Means) -> int:
    """Do what submissions wait for, the oldest first, until nothing is left; how many steps that were."""
    done = 0
    passed: set[tuple[str, str]] = set()
    while True:
        with landing.database.session() as session:
            waiting = select(submission).where(submission.c.state.in_(_TO_DO)).order_by(submission.c.created)
            rows = [row for row in session.execute(waiting) if (row.id, row.state) not in passed]
        if not rows:
            return done
        row = rows[0]
        passed.add((row.id, row.state))
        try:
            with _held(landing, row.id):
                with landing.database.session() as session:
                    actor = renewed(session, actor_from_json(row.actor))
                _do(landing, replace(means, actor=actor), row)
                passed.discard((row.id, row.state))
                done += 1
        except Conflict:
            # another process is at it
            continue


@contextmanager
def _held(landing: Landing, submission_id: str) -> Iterator[None]:
    """Hold a submission until the block, or this process, ends. Raises `Conflict` when another process does."""
    landing.place(submission_id).mkdir(parents=True, exist_ok=True)
    lock = os.open(landing.place(submission_id) / "work.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise Conflict("another process is working on the submission") from error
    finally:
        os.close(lock)


def _do(landing: Landing, means: Means, row: Row[Any]) -> None:
    looking = row.state == SubmissionState.LOOKING.value
    back = SubmissionState.FAILED if looking else SubmissionState.LOOKED
    try:
        (_look if looking else _take_in)(landing, means, row)
    except PulvinarError as error:
        _changed(landing, row.id, back, trouble={"message": plain(error.message), "hint": plain(error.hint)})
    except Exception:  # noqa: BLE001 (whatever a reader or a plugin raises must not end the others' work)
        _log.exception("submission %s", row.id)
        told = {"message": "the server failed at it", "hint": "tell the people who run this server: its log says more"}
        _changed(landing, row.id, back, trouble=told)


def _changed(landing: Landing, submission_id: str, state: SubmissionState, **values: Any) -> None:
    with landing.database.writing() as session:
        change_state(session, submission_id, state, expires=landing.expiry(), **values)


def _look(landing: Landing, means: Means, row: Row[Any]) -> None:
    said = _Said(landing.database, row.id)
    digest_files(landing, row.id, said)
    found = inspect(
        landing.files(row.id),
        options_of(row.said),
        scratch=means.scratch,
        limits=means.limits,
        progress=said,
        label=row.title,
    )
    keep_look(landing, row.id, found)
    _changed(landing, row.id, SubmissionState.LOOKED)


def _take_in(landing: Landing, means: Means, row: Row[Any]) -> None:
    request = replace(request_of(row.said, landing.files(row.id)), label=row.title)
    done = ingest(means, request, _Said(landing.database, row.id))
    dataset = {"dataset_id": done.version.dataset_id, "version": done.version.number}
    _changed(landing, row.id, SubmissionState.DONE, **dataset)
    # kept, they are in the store now; else nobody wants them
    remove_tree(landing.files(row.id))


class _Said:
    """Progress that is written down where the page of the submission finds it."""

    def __init__(self, database: Database, submission_id: str) -> None:
        self._database, self._id = database, submission_id
        self._last_s = 0.0
        self._lock = threading.Lock()

    def task(self, title: str, total: int, unit: str, done: int = 0) -> Task:
        """A task that says how far it is, twice a second."""
        self.note(title)
        return _SaidTask(self, title, total)

    def say(self, line: str) -> None:
        """Nothing: what was found is told in the end."""

    def note(self, line: str, *, seldom: bool = False) -> None:
        """Write `line` down."""
        with self._lock:
            if seldom and time.monotonic() - self._last_s < _SAY_EVERY_S:
                return
            self._last_s = time.monotonic()
        with self._database.writing() as session:
            values = {"progress": plain(line), "revision": submission.c.revision + 1}
            session.execute(update(submission).where(submission.c.id == self._id).values(**values))


class _SaidTask:
    def __init__(self, said: _Said, title: str, total: int) -> None:
        self._said, self._title, self._total = said, title, total

    def update(self, done: int) -> None:
        """Say the share."""
        if self._total:
            self._said.note(f"{self._title}: {min(done / self._total, 1.0):.0%}", seldom=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


def sweep_expired(landing: Landing) -> int:
    """Remove submissions that nobody has gone on with in time, and what is left of such; how many.

    Those that were brought in are forgotten then, too: their dataset stays.
    """
    with landing.database.session() as session:
        over = select(submission.c.id).where(
            submission.c.expires < datetime.now(UTC), submission.c.state.not_in(_TO_DO)
        )
        expired = session.scalars(over).all()
    for submission_id in expired:
        discard_uploads(landing, submission_id)
        with UnitOfWork(landing.database, PLATFORM) as work:
            work.ask(Right.ADMINISTER)
            work.session.execute(delete(submission).where(submission.c.id == submission_id))
            work.record_event("expire_submission", submission_id)
        remove_tree(landing.place(submission_id))
    return len(expired)
