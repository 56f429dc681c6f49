"""Documents: what people change together, as an ordered log of small operations."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from datetime import datetime

from pulvinar.model.mark import Mark


@dataclass(frozen=True)
class Document:
    """Marks that lie in one frame: the world of a dataset, or the space of an atlas (then `dataset_id` is the dataset
    that holds the atlas). `asset_id` is the table of cells that its verdicts are about, where it has any.

    `number` is that of its newest operation, 0 before the first.
    """

    id: str
    title: str
    dataset_id: str
    atlas: str
    asset_id: str
    number: int
    made_by: str
    made: datetime
    changed: datetime


@dataclass(frozen=True)
class Change:
    """What an operation did to one mark: None is where there is none."""

    mark_id: str
    before: Mark | None
    after: Mark | None


@dataclass(frozen=True)
class Operation:
    """One thing that somebody did to a document. `reverses` is the number of the operation that it took back: an undo
    (`is_undo`) takes back an operation of the same person, a redo takes back an undo."""

    number: int
    actor_id: str
    at: datetime
    changes: tuple[Change, ...]
    reverses: int | None = None
    is_undo: bool = False


def apply(marks: dict[str, Mark], operations: Iterable[Operation]) -> dict[str, Mark]:
    """The marks by their names after `operations`, in that order."""
    now = dict(marks)
    for change in (one for operation in operations for one in operation.changes):
        if change.after is None:
            now.pop(change.mark_id, None)
        else:
            now[change.mark_id] = change.after
    return now


def taken_back(change: Change, now: Mark | None) -> Mark | None:
    """What a mark that is `now` becomes when `change` is taken back.

    Only what the change changed is set back; what others did to the mark since stays. A mark that somebody removed
    since stays away.
    """
    if change.before is None:
        return None
    if change.after is None:
        return now or change.before
    if now is None:
        return None
    names = (one.name for one in fields(Mark))
    back = {
        name: getattr(change.before, name)
        for name in names
        if getattr(change.before, name) != getattr(change.after, name)
    }
    return replace(now, **back)
