"""What people say of the platform: feedback on a page, and answers to the survey, without who said it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from sqlalchemy import func, insert, select

from pulvinar.errors import Forbidden, Invalid, TooOften
from pulvinar.model.access import Actor
from pulvinar.model.identity import new_id
from pulvinar.model.text import storable
from pulvinar.operations.tables import feedback
from pulvinar.storage.database import Database

LONGEST_COMMENT = 4000
SCORES = range(1, 6)
MOST_A_DAY = 2000
"""So much is taken in a day, of all people together."""


class Kind(StrEnum):
    """How something was said."""

    FEEDBACK = "feedback"
    SURVEY = "survey"


class Service(StrEnum):
    """Of what something was said."""

    PORTAL = "portal"
    CLUSTER = "cluster"
    MANUAL = "manual"


@dataclass(frozen=True)
class Said:
    """One answer: a score from 1 (bad) to 5 (good) or None, and a comment or ""."""

    kind: Kind
    service: Service
    page: str
    language: str
    score: int | None
    comment: str
    at: datetime


@dataclass(frozen=True)
class Satisfaction:
    """The scores of one service in one month ("2026-01"): how many of each from 1 to 5, and how many comments."""

    month: str
    service: Service
    scores: tuple[int, ...]
    comments: int

    @property
    def mean(self) -> float | None:
        """The mean score; None where nobody gave one."""
        count = sum(self.scores)
        return sum(score * many for score, many in zip(SCORES, self.scores, strict=True)) / count if count else None


def say(
    database: Database,
    kind: Kind,
    service: Service,
    *,
    page: str = "",
    language: str = "",
    score: int | None = None,
    comment: str = "",
) -> None:
    """Keep what somebody says. Raises `Invalid` for nothing or too much, `TooOften` once a day has brought too much."""
    text: str = storable(comment.strip())
    if score is None and not text:
        raise Invalid("neither a score nor a comment was given", hint="choose a score, or write a few words")
    if score is not None and score not in SCORES:
        raise Invalid(f"a score of {score} can't be given", hint="1 to 5")
    if len(text) > LONGEST_COMMENT:
        raise Invalid(f"the comment has {len(text)} letters", hint=f"at most {LONGEST_COMMENT}")
    now = datetime.now(UTC)
    row = {"id": new_id(), "at": now, "kind": kind.value, "service": service.value, "score": score, "comment": text}
    today = select(func.count()).select_from(feedback).where(feedback.c.at > now - timedelta(days=1))
    with database.writing() as session:
        if (session.scalar(today) or 0) >= MOST_A_DAY:
            raise TooOften("too much was said today", hint="come back tomorrow", wait_s=3600)
        session.execute(insert(feedback).values(**row, page=storable(page)[:200], language=language[:8]))


def said_by_people(
    database: Database, actor: Actor, *, service: Service | None = None, limit: int = 500
) -> tuple[Said, ...]:
    """What was said, newest first. Raises `Forbidden` for who isn't an owner of the node."""
    _only_owners(actor)
    wanted = select(feedback).order_by(feedback.c.at.desc(), feedback.c.id).limit(limit)
    if service is not None:
        wanted = wanted.where(feedback.c.service == service.value)
    with database.session() as session:
        return tuple(
            Said(Kind(row.kind), Service(row.service), row.page, row.language, row.score, row.comment, row.at)
            for row in session.execute(wanted)
        )


def satisfaction(database: Database, actor: Actor) -> tuple[Satisfaction, ...]:
    """The scores by month and service, the newest month first. Raises `Forbidden` for who is no owner of the node."""
    _only_owners(actor)
    found: dict[tuple[str, Service], list[Said]] = {}
    for one in said_by_people(database, actor, limit=100_000):
        found.setdefault((f"{one.at:%Y-%m}", one.service), []).append(one)
    return tuple(
        Satisfaction(
            month,
            service,
            tuple(sum(one.score == score for one in said) for score in SCORES),
            sum(bool(one.comment) for one in said),
        )
        for (month, service), said in sorted(found.items(), key=lambda one: (one[0][0], one[0][1]), reverse=True)
    )


def _only_owners(actor: Actor) -> None:
    if not actor.is_owner:
        raise Forbidden("only owners of this node read what people say of it")
