"""Who acts, and how much they may do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Any


class Right(IntEnum):
    """What an actor may do to a dataset; each includes those before it.

    SEE: that it is there, and what its record says. VIEW: pictures and voxels as coarse as a screen shows them. READ:
    every byte.
    """

    SEE = 1
    VIEW = 2
    READ = 3
    WRITE = 4
    SHARE = 5
    ADMINISTER = 6


class Tier(StrEnum):
    """Whom a dataset's published versions are for, beside those who are named; the later, the stricter."""

    PUBLIC = "public"
    REGISTERED = "registered"
    """Everyone sees the record; whoever has signed in reads."""
    CONTROLLED = "controlled"
    """Everyone sees the record; reading is asked for, and granted to a person."""
    EMBARGOED = "embargoed"
    """Nobody until a date; then everyone."""
    PRIVATE = "private"

    @property
    def strictness(self) -> int:
        """0 of what is public, and more the fewer it is for."""
        return list(Tier).index(self)


class OrganisationKind(StrEnum):
    """What people belong to together."""

    LAB = "lab"
    PROJECT = "project"
    TEAM = "team"


@dataclass(frozen=True)
class Organisation:
    """Who works together. A member of `parent` is one of this too, with the same role."""

    id: str
    name: str
    kind: OrganisationKind
    parent: str | None = None


@dataclass(frozen=True)
class Access:
    """Whom a dataset is for: `opens` is when an embargo ends, `home` the organisation whose members have it by their
    roles, `made_by` who brought it in."""

    tier: Tier = Tier.PUBLIC
    opens: datetime | None = None
    home: str | None = None
    made_by: str | None = None


@dataclass(frozen=True)
class Grant:
    """What one audience was given on a dataset, by whom and until when (None: until it is taken back).

    `awaits_agreement`: of an actor who has not accepted the dataset's agreement; `right` is what counts until then.
    """

    audience: str
    right: Right
    given_by: str | None = None
    ends: datetime | None = None
    awaits_agreement: bool = False


@dataclass(frozen=True)
class Membership:
    """An audience that an actor belongs to besides everyone and itself, and the most that the actor may do by it."""

    audience: str
    most: Right


@dataclass(frozen=True)
class Actor:
    """Who acts: a person, a job, a link or an owner of the node, for whom `is_owner` is true.

    `memberships` are the audiences that the actor belongs to. Nothing above `ceiling` is allowed, whatever was given:
    an access token made for reading only reads. `is_blind`: names of people and labs are not for this one.
    `lacks_factor`: a second factor is demanded of this one, who may do what a visitor may until it is there.
    """

    id: str
    name: str
    is_owner: bool = False
    memberships: tuple[Membership, ...] = ()
    ceiling: Right = Right.ADMINISTER
    is_blind: bool = False
    lacks_factor: bool = False


LOCAL_OWNER = Actor("local-owner", "local owner", is_owner=True)
ANONYMOUS = Actor("anonymous", "anonymous")
PLATFORM = Actor("platform", "the platform itself", is_owner=True)
"""Who acts when something happens because its time has come."""


@dataclass(frozen=True)
class Event:
    """One thing that happened: who did what to which thing, and when."""

    actor_id: str
    verb: str
    subject_id: str
    at: datetime
    details: dict[str, Any]
    seq: int = 0
    """Its number in the log."""
    seal: int | None = None
    """The number of the seal that holds it; None until it is sealed."""

    @property
    def reason(self) -> str:
        """Why it was done, where somebody had to say so."""
        return str(self.details.get("reason", ""))
