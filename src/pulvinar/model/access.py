"""Who acts, and how much they may do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Any


class Right(IntEnum):
    """What an actor may do to a dataset; each includes those before it."""

    SEE = 1
    READ = 2
    WRITE = 3
    SHARE = 4
    ADMINISTER = 5


@dataclass(frozen=True)
class Membership:
    """An audience that an actor belongs to besides everyone and itself, and the most that the actor may do by it."""

    audience: str
    most: Right


@dataclass(frozen=True)
class Actor:
    """Who acts: a person, a job, a link or an owner of the node, for whom `is_owner` is true.

    `memberships` are the audiences that the actor belongs to. Nothing above `ceiling` is allowed, whatever was given:
    an access token made for reading only reads.
    """

    id: str
    name: str
    is_owner: bool = False
    memberships: tuple[Membership, ...] = ()
    ceiling: Right = Right.ADMINISTER


LOCAL_OWNER = Actor("local-owner", "local owner", is_owner=True)
ANONYMOUS = Actor("anonymous", "anonymous")


@dataclass(frozen=True)
class Event:
    """One thing that happened: who did what to which thing, and when."""

    actor_id: str
    verb: str
    subject_id: str
    at: datetime
    details: dict[str, Any]
