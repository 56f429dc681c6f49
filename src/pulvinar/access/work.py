"""The unit of work: a change, the right to it and its record, in one transaction."""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from sqlalchemy import insert
from sqlalchemy.orm import Session

from pulvinar.access.tables import event
from pulvinar.access.visibility import may
from pulvinar.errors import Forbidden, NotFound
from pulvinar.model.access import Actor, Right
from pulvinar.storage.database import Database


class UnitOfWork:
    """`with UnitOfWork(database, actor) as work:` one transaction, durable when the block ends.

    It refuses to commit, with a `RuntimeError`, unless a right was asked and an event recorded: neither can be
    forgotten. An error that leaves the block undoes everything.
    """

    def __init__(self, database: Database, actor: Actor) -> None:
        self.actor = actor
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

        Raises `NotFound` when the actor can't even see the dataset, else `Forbidden`.
        """
        self._asked = True
        if dataset_id is None:
            if not self.actor.is_owner or right > self.actor.ceiling:
                raise Forbidden(f"{self.actor.name} may not {right.name.lower()} on this node")
        elif not may(self.session, self.actor, right, dataset_id):
            if not may(self.session, self.actor, Right.SEE, dataset_id):
                raise NotFound(f"there is no dataset {dataset_id}")
            raise Forbidden(f"{self.actor.name} may not {right.name.lower()} dataset {dataset_id}")

    def record_event(self, verb: str, subject_id: str, details: dict[str, Any] | None = None) -> None:
        """Write down what is done; it is committed with the change."""
        self._recorded = True
        now = datetime.now(UTC)
        values = {"actor_id": self.actor.id, "verb": verb, "subject_id": subject_id, "at": now}
        self.session.execute(insert(event).values(**values, details=details or {}))
