"""Quarantine: a person's data stay with those who administer them until identifiers and face are dealt with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Basis(StrEnum):
    """Why data of a person may leave without a review here: somebody says it, and is remembered with it."""

    ANONYMOUS = "already-anonymous"
    """Identifiers and faces were removed before."""
    TEMPLATE = "template"
    """An average of many, or a drawing: no person's head."""
    PUBLIC = "public-dataset"
    """Published by others, under their consent and terms."""
    CONSENT = "consent"
    """Who was scanned has agreed to be recognised."""


class Identifiers(StrEnum):
    """What the files that were handed in say of a person. None of it is ever stored."""

    NONE = "none"
    FOUND = "found"
    """They said something, which was left out."""


class Face(StrEnum):
    """What is known of a face in a volume."""

    UNKNOWN = "unknown"
    """It may have one; to remove it is offered."""
    REMOVED = "removed"
    """It was made from another one by removing it."""
    ABSENT = "absent"
    """Who reviewed it saw none."""
    KEPT = "kept"
    """It has one, and may leave: who reviewed it says why."""


@dataclass(frozen=True)
class Quarantine:
    """The state of one asset. `origin` is the asset that it was made from and held for, itself for one brought in.

    `basis` and `basis_by`: who stated it. `reviewed_by` and `reviewed`: who let it go, and when; `note` is what that
    person wrote. It is held until then.
    """

    asset_id: str
    origin: str
    identifiers: Identifiers
    face: Face
    held: bool
    since: datetime
    basis: Basis | None = None
    basis_by: str = ""
    reviewed_by: str = ""
    reviewed: datetime | None = None
    note: str = ""
