"""The unit of work: a change, the right to it and its record, in one transaction."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from pulvinar.access.tables import event, organisation
from pulvinar.access.visibility import may, organisation_audience
from pulvinar.errors import Forbidden, NotFound
from pulvinar.model.access import ANONYMOUS, Actor, Right
from pulvinar.storage.database import Database


def check_right(session: Session, actor: Actor, right: Right, dataset_id: str) -> None:
    """Raise `NotFound` where `actor` can't even see a dataset, `Forbidden` where the actor has not `right` on it."""
    if may(session, actor, right, dataset_id):
        return
    if not may(session, actor, Right.SEE, dataset_id):
        raise NotFound(f"there is no dataset {dataset_id}")
    raise Forbidden(f"{actor.name} may not {right.name.lower()} dataset {dataset_id}")


def may_on_node(actor: Actor, right: Right) -> bool:
    """Whether `actor` has `right` on the node itself."""
    if right > actor.ceiling:
        return False
    contributes = right <= Right.WRITE and any(one.most >= Right.WRITE for one in actor.memberships)
    return actor.is_owner or contributes


def may_in(actor: Actor, right: Right, organisation_id: str) -> bool:
    """Whether `actor` has at least the role `right` in an organisation; an owner of the node has any in all."""
    if right > actor.ceiling:
        return False
    audience = organisation_audience(organisation_id)
    return actor.is_owner or any(one.audience == audience and one.most >= right for one in actor.memberships)


class UnitOfWork:
    """`with UnitOfWork(database, actor) as work:` one transaction, durable when the block ends.

    It refuses to commit, with a `RuntimeError`, unless a right was asked and an event recorded: neither can be
    forgotten. An error that leaves the block undoes everything. `reason`, given or set on the way, is written down with
    each event from then on: why an owner of the node acts on what belongs to others.
    """

    def __init__(self, database: Database, actor: Actor, *, reason: str = "") -> None:
        self.actor = actor
        self.reason = reason
        self._writing: AbstractContextManager[Session] = database.writing()
        self._asked = False
        self._recorded = False

    def __enter__(self) -> Self:
        self.session = self._writing.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None and not (self._asked and self._recorded):
            missing = "asking for a right" if not self._asked else "recording an event"
            error = RuntimeError(f"a unit of work can't be committed without {missing}")
            self._writing.__exit__(RuntimeError, error, None)
            raise error
        self._writing.__exit__(kind, error, trace)

    def ask(self, right: Right, dataset_id: str | None = None) -> None:
        """Go on only if the actor has `right` on the dataset, or on the node when none is named.

        Owners have every right on the node; to write there, which is to bring in data, may also who may write in some
        organisation. Raises `NotFound` when the actor can't even see the dataset, else `Forbidden`.
        """
        self._asked = True
        if dataset_id is not None:
            check_right(self.session, self.actor, right, dataset_id)
        elif not may_on_node(self.actor, right):
            raise Forbidden(f"{self.actor.name} may not {right.name.lower()} on this node")

    def ask_in(self, right: Right, organisation_id: str) -> None:
        """Go on only if the actor has at least the role `right` in an organisation, as an owner of the node has in all.

        Raises `NotFound` where the actor isn't in it, else `Forbidden`.
        """
        self._asked = True
        if not (may_in(self.actor, Right.SEE, organisation_id) and self._is_organisation(organisation_id)):
            raise NotFound(f"there is no organisation {organisation_id}")
        if not may_in(self.actor, right, organisation_id):
            raise Forbidden(
                f"{self.actor.name} may not {right.name.lower()} in organisation {organisation_id}",
                hint="ask one of its administrators",
            )

    def ask_by(self, check: Callable[[Session, Actor], None]) -> None:
        """Go on only if `check` raises nothing: the right to a thing that a room above knows."""
        self._asked = True
        check(self.session, self.actor)

    def ask_giver(self, right: Right, organisation_id: str | None, dataset_id: str | None) -> None:
        """Go on only if the actor has `right` in an organisation, or else on a dataset."""
        if organisation_id is not None:
            self.ask_in(right, organisation_id)
        else:
            self.ask(right, dataset_id)

    def _is_organisation(self, organisation_id: str) -> bool:
        return self.session.scalar(select(organisation.c.id).where(organisation.c.id == organisation_id)) is not None

    def ask_own(self, account_id: str) -> None:
        """Go on only if the actor is this account, and not held below what it was given. Raises `Forbidden`."""
        self._asked = True
        if self.actor.id != account_id or self.actor == ANONYMOUS or self.actor.ceiling < Right.ADMINISTER:
            raise Forbidden(f"{self.actor.name} may not change this account")

    def ask_own_or_node(self, account_id: str) -> None:
        """Go on only if the actor is this account, or may administer the node. Raises `Forbidden`."""
        if self.actor.id == account_id:
            self.ask_own(account_id)
        else:
            self.ask(Right.ADMINISTER)

    def record_event(self, verb: str, subject_id: str, details: dict[str, Any] | None = None) -> None:
        """Write down what is done; it is committed with the change."""
        self._recorded = True
        now = datetime.now(UTC)
        said = {**(details or {}), "reason": self.reason} if self.reason else details or {}
        values = {"actor_id": self.actor.id, "verb": verb, "subject_id": subject_id, "at": now}
        self.session.execute(insert(event).values(**values, details=said))
