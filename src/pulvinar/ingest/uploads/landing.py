"""Where uploads land: a folder on the scratch disk, with room for them, a quota a person, and an end to their wait."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from pulvinar.errors import TooLarge, Unavailable
from pulvinar.ingest.uploads.tables import bucket_upload, submission, submission_file
from pulvinar.model.access import Actor
from pulvinar.model.identity import check_id
from pulvinar.storage.database import Database
from pulvinar.storage.staging_bucket import StagingBucket

RESERVE = 0.05
"""This share of the disk is never given to uploads."""
_FILES = "files"


@dataclass(frozen=True)
class Landing:
    """Where submissions are received. `quota_bytes` is for each person (0: none); what nobody goes on with is kept for
    `keep_s`. Large files may come by way of a `bucket`."""

    database: Database
    folder: Path
    node: str = "local"
    quota_bytes: int = 0
    keep_s: float = 7 * 86_400.0
    bucket: StagingBucket | None = None

    def place(self, submission_id: str) -> Path:
        """The folder of one submission."""
        return self.folder / check_id(submission_id)

    def files(self, submission_id: str) -> Path:
        """The folder that an ingest reads: its files under the names that they came with."""
        return self.place(submission_id) / _FILES

    def expiry(self) -> datetime:
        """When what is touched now is given up."""
        return datetime.now(UTC) + timedelta(seconds=self.keep_s)

    def refuse_without_room(self, session: Session, actor: Actor, more_bytes: int) -> None:
        """Raise `TooLarge` where `more_bytes` are beyond the quota of `actor`, `Unavailable` beyond the disk's room."""
        if self.quota_bytes:
            has = _waiting(session, actor)
            if has + more_bytes > self.quota_bytes:
                raise TooLarge(
                    f"{more_bytes:,} bytes more are beyond your quota of {self.quota_bytes:,}: submissions of yours "
                    f"that are not brought in yet have {has:,}",
                    hint="bring them in or remove them, or ask who runs this server for a larger quota",
                )
        self.folder.mkdir(parents=True, exist_ok=True)
        disk = shutil.disk_usage(self.folder)
        # what is promised to others and has not come yet is on no disk, and is no longer free
        promised = _total(session, submission.c.size_bytes - submission.c.received_bytes, submission.c.state == "open")
        left = disk.free - int(disk.total * RESERVE) - promised
        if more_bytes > left:
            raise Unavailable(
                f"there is no room for {more_bytes:,} bytes: {max(left, 0):,} are left for uploads",
                hint="try again later, or ask who runs this server to make room",
            )


def _total(session: Session, column: object, condition: object) -> int:
    wanted = select(func.coalesce(func.sum(column), 0)).where(condition)  # type: ignore[arg-type]
    return int(session.scalar(wanted) or 0)


def discard_uploads(landing: Landing, submission_id: str) -> None:
    """Remove from the bucket what a submission has there, before its rows are."""
    if landing.bucket is None:
        return
    wanted = select(bucket_upload).join(submission_file, submission_file.c.id == bucket_upload.c.file_id)
    with landing.database.session() as session:
        rows = session.execute(wanted.where(submission_file.c.submission_id == submission_id)).all()
    for row in rows:
        landing.bucket.discard(row.key, row.upload)


def make_folders(folder: Path, below: Path) -> None:
    """Make `folder`, which lies below `below`, and have every folder on the way outlive a power cut."""
    missing = []
    while not folder.is_dir() and folder != below.parent:
        missing.append(folder)
        folder = folder.parent
    for one in reversed(missing):
        one.mkdir(parents=True, exist_ok=True)
        keep_folder(one.parent)


def keep_folder(folder: Path) -> None:
    """Have the names in `folder` outlive a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def waiting_bytes(database: Database, actor: Actor) -> int:
    """How many bytes `actor` has handed in, or promised, that are not brought in yet: what counts for the quota."""
    with database.session() as session:
        return _waiting(session, actor)


def _waiting(session: Session, actor: Actor) -> int:
    return _total(
        session, submission.c.size_bytes, (submission.c.actor_id == actor.id) & (submission.c.state != "done")
    )
