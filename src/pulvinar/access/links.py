"""Links that show one dataset to whoever has them: for reviewers, who say no name and, where it is wanted, see none."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Row, delete, insert, select
from sqlalchemy.orm import Session

from pulvinar.access.chance import digest_of, new_secret
from pulvinar.access.tables import share_link
from pulvinar.access.visibility import link_audience
from pulvinar.model.access import Actor, Membership, Right
from pulvinar.model.identity import new_id

PREFIX = "link_"
"""How the secret of a link begins."""


@dataclass(frozen=True)
class Link:
    """A link to one dataset, which ends by itself. `blind`: whoever comes by it sees no names of people and labs."""

    id: str
    dataset_id: str
    right: Right
    ends: datetime
    blind: bool
    label: str
    made_by: str
    made: datetime


def add_link(session: Session, made: Link) -> str:
    """Write a link down; its secret, which nobody can read again. Private to the rooms above, which ask whether it is
    allowed and show the dataset to it."""
    secret = new_secret(PREFIX)
    values = {**vars(made), "right": int(made.right), "secret_sha256": digest_of(secret)}
    session.execute(insert(share_link).values(**values))
    return secret


def drop_link(session: Session, dataset_id: str, link_id: str) -> bool:
    """Forget a link; False when the dataset has none of that name."""
    mine = share_link.c.id == link_id, share_link.c.dataset_id == dataset_id
    return bool(session.execute(delete(share_link).where(*mine)).rowcount)  # type: ignore[attr-defined]


def links_to(session: Session, dataset_id: str) -> tuple[Link, ...]:
    """The links to a dataset that have not ended, newest first. Whoever asks may share it."""
    mine = share_link.c.dataset_id == dataset_id, share_link.c.ends > datetime.now(UTC)
    return tuple(map(_link, session.execute(select(share_link).where(*mine).order_by(share_link.c.made.desc()))))


def follow(session: Session, secret: str) -> tuple[Link, Actor] | None:
    """The link with that secret, and who comes by it; None where there is none any more."""
    wanted = share_link.c.secret_sha256 == digest_of(secret), share_link.c.ends > datetime.now(UTC)
    row = session.execute(select(share_link).where(*wanted)).first()
    if row is None:
        return None
    found = _link(row)
    return found, actor_by(found)


def actor_by(link: Link) -> Actor:
    """Who comes by a link."""
    member = Membership(link_audience(link.id), link.right)
    return Actor(f"link-{link.id}", "a guest", memberships=(member,), ceiling=link.right, is_blind=link.blind)


def new_link(dataset_id: str, right: Right, ends: datetime, *, blind: bool, label: str, made_by: str) -> Link:
    """A link that is written down nowhere yet."""
    return Link(new_id(), dataset_id, right, ends, blind, label, made_by, datetime.now(UTC))


def _link(row: Row[tuple[object, ...]]) -> Link:
    return Link(row.id, row.dataset_id, Right(row.right), row.ends, row.blind, row.label, row.made_by, row.made)
