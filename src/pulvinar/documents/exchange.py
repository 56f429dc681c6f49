"""All marks of a document at once, out of it and into it."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

from pulvinar.access.work import UnitOfWork
from pulvinar.documents.log import MOST_CHANGES, append, read_marks
from pulvinar.model.access import Actor
from pulvinar.model.document import Operation
from pulvinar.model.mark import Mark
from pulvinar.storage.database import Database


def all_marks(database: Database, actor: Actor, document_id: str) -> dict[str, Mark]:
    """The marks of a document by their names. Raises `NotFound`."""
    marks: dict[str, Mark] = {}
    after = ""
    while page := read_marks(database, actor, document_id, after=after)[1]:
        marks |= {name: mark for name, _, mark in page}
        after = page[-1][0]
    return marks


def bring_in(database: Database, actor: Actor, document_id: str, marks: Mapping[str, Mark]) -> tuple[Operation, ...]:
    """Set marks in a document, by as many operations as they need; each is durable before the next begins.

    Raises `NotFound`, `Forbidden`.
    """
    left, done = iter(marks.items()), []
    while piece := dict(islice(left, MOST_CHANGES)):
        with UnitOfWork(database, actor) as work:
            done.append(append(work, document_id, piece))
    return tuple(done)
