"""What a person asks an ingest to do, and with what it is done."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from pulvinar.ingest.reader import Finding, Options
from pulvinar.ingest.record import RecordAnswers
from pulvinar.ingest.sandbox import Limits
from pulvinar.model.access import LOCAL_OWNER, Actor
from pulvinar.model.dataset import Version
from pulvinar.model.quarantine import Basis
from pulvinar.storage.database import Database
from pulvinar.storage.store import Store


class Originals(StrEnum):
    """What becomes of the files that were handed in."""

    KEEP = "keep"
    """Copied into the store, as objects of their assets."""
    REFERENCE = "reference"
    """Left where they are; path, size and SHA-256 are recorded."""
    DISCARD = "discard"
    """Only their names are recorded."""


_FIRST_RELEASE = frozenset(
    (
        *("voxel_size_um", "orientation", "kind", "axes", "time_step_s", "unit", "title", "species", "licence"),
        *("description", "lab", "subject", "sex", "age", "strain", "specimen", "preparation", "modality"),
        *("instrument", "stain", "contributors", "keywords", "citation", "source"),
    )
)
"""The options and answers of the first release."""


@dataclass(frozen=True)
class Request:
    """One ingest: `path`, and what a person says of it.

    `dataset_id` puts the assets into a draft version of an existing dataset; None makes a new dataset. `only` keeps
    files whose name in the submission matches one of its patterns. `name` names the asset where there is one only;
    `color` is RRGGBB, or one a channel with commas between. `label_names` is a table of the ids of a label volume.
    `again` ingests once more what the same request has brought in before. `space` names the space that the coordinates
    are in, "" where nobody says. `label` names what the files don't name, instead of the path. `basis` is why
    a person's data may leave without a review, None where nobody says.
    """

    path: Path
    options: Options = field(default_factory=Options)
    answers: RecordAnswers = field(default_factory=RecordAnswers)
    dataset_id: str | None = None
    originals: Originals = Originals.REFERENCE
    only: tuple[str, ...] = ()
    name: str = ""
    color: str = ""
    label_names: Path | None = None
    publish: bool = False
    again: bool = False
    space: str = ""
    label: str = ""
    basis: Basis | None = None


@dataclass(frozen=True)
class Means:
    """What an ingest works with: where things go, who acts, and what a reader may take."""

    database: Database
    store: Store
    scratch: Path
    limits: Limits
    actor: Actor = LOCAL_OWNER
    node: str = "local"
    threads: int = 0


@dataclass(frozen=True)
class Ingested:
    """What came of it. `findings` are the doubts and notes; `before` says that it had been brought in already."""

    version: Version
    findings: tuple[Finding, ...] = ()
    before: bool = False


def request_fingerprint(request: Request, submission_fingerprint: str) -> str:
    """SHA-256, in hex, of what is handed in and how: the same command finds the same session by it.

    Whether the version is to be published is left out: it is not part of what is stored. So is what the
    first release could not be told, while it is not: what that one has brought in is known again.
    """
    names = request.label_names.read_bytes() if request.label_names else b""
    parts = {
        "submission": submission_fingerprint,
        "options": _told(asdict(request.options)),
        "answers": _told(asdict(request.answers)),
        "dataset": request.dataset_id,
        "originals": request.originals,
        "only": request.only,
        "name": request.name,
        "color": request.color,
        "label_names": hashlib.sha256(names).hexdigest(),
        **({"space": request.space} if request.space else {}),
        **({"basis": request.basis} if request.basis else {}),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def _told(said: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in said.items() if value or name in _FIRST_RELEASE}
