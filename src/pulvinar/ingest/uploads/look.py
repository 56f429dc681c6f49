"""What the platform saw in a submission, kept beside its files until somebody has said the rest."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import select, update

from pulvinar import errors
from pulvinar.errors import NotFound, UnreadableFile
from pulvinar.ingest.answers import Unreadable
from pulvinar.ingest.inspection import Inspection
from pulvinar.ingest.progress import Progress
from pulvinar.ingest.reader import FoundAsset
from pulvinar.ingest.uploads.landing import Landing
from pulvinar.ingest.uploads.tables import submission_file

_FOUND = TypeAdapter(tuple[FoundAsset, ...])
_BLOCK_BYTES = 4 << 20


def keep_look(landing: Landing, submission_id: str, found: Inspection) -> None:
    """Keep what an inspection has found."""
    told = {
        "assets": _FOUND.dump_python(found.assets, mode="json"),
        "unreadable": [
            {
                "name": one.name,
                "kind": type(one.error).__name__,
                "message": one.error.message,
                "hint": one.error.hint,
            }
            for one in found.unreadable
        ],
        "unrecognised": found.unrecognised,
        "skipped": found.skipped,
        "protection": found.protection,
    }
    path = _place(landing, submission_id)
    new = path.with_suffix(".new")
    new.write_text(json.dumps(told, ensure_ascii=False), "utf-8", errors="surrogateescape")
    new.replace(path)


def last_look(landing: Landing, submission_id: str) -> Inspection:
    """What was found when it was looked at last. Raises `NotFound` before that."""
    try:
        told = json.loads(_place(landing, submission_id).read_text("utf-8", errors="surrogateescape"))
    except FileNotFoundError:
        raise NotFound(f"nobody has looked at submission {submission_id} yet") from None
    return Inspection(
        assets=_FOUND.validate_python(told["assets"]),
        unreadable=tuple(map(_unreadable, told["unreadable"])),
        unrecognised=tuple(told["unrecognised"]),
        skipped=tuple(told["skipped"]),
        protection=tuple(told["protection"]),
    )


def _unreadable(told: dict[str, Any]) -> Unreadable:
    kind = getattr(errors, told["kind"], UnreadableFile)
    return Unreadable(told["name"], kind(told["message"], hint=told["hint"]))


def _place(landing: Landing, submission_id: str) -> Path:
    return landing.place(submission_id) / "found.json"


def digest_files(landing: Landing, submission_id: str, progress: Progress) -> None:
    """Compute the SHA-256 of every file that has none yet, and note it."""
    wanted = select(submission_file).where(
        submission_file.c.submission_id == submission_id, submission_file.c.sha256.is_(None)
    )
    with landing.database.session() as session:
        files = session.execute(wanted).all()
    done, root = 0, landing.files(submission_id)
    with progress.task("computing checksums", sum(file.size_bytes for file in files), "bytes") as task:
        for file in files:
            digest = hashlib.sha256()
            with (root / file.path).open("rb", buffering=0) as content:
                while block := content.read(_BLOCK_BYTES):
                    digest.update(block)
                    done += len(block)
                    task.update(done)
            noted = update(submission_file).where(submission_file.c.id == file.id)
            with landing.database.writing() as session:
                session.execute(noted.values(sha256=digest.hexdigest()))
