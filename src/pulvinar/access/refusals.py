"""What was refused, in the log of events: each failed sign-in, and all else added up over a few seconds.

A refusal costs a look into a dictionary. Whoever asks for very much fills no log: what goes beyond a number of kinds at
a time is counted as one.
"""

from __future__ import annotations

from datetime import UTC, datetime
from threading import Lock
from typing import NamedTuple

from sqlalchemy import insert

from pulvinar.access.tables import event
from pulvinar.model.access import ANONYMOUS
from pulvinar.model.text import plain, short
from pulvinar.storage.database import Database

_MOST_KINDS = 100
_NODE = "node"


class Refusal(NamedTuple):
    """Who was refused what, why (the kind of failure), from which address they came, and what it was about."""

    actor_id: str
    what: str
    kind: str
    address: str
    subject_id: str = _NODE


_OTHERS = Refusal(ANONYMOUS.id, "much else", "", "")


class RefusalCounter:
    """Counts refusals, from any thread; `flush` writes an event for each kind."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = Lock()
        self._counted: dict[Refusal, int] = {}

    def add(self, refusal: Refusal, times: int = 1) -> None:
        """Count a refusal, or several that are alike."""
        with self._lock:
            known = refusal in self._counted or len(self._counted) < _MOST_KINDS
            key = refusal if known else _OTHERS
            self._counted[key] = self._counted.get(key, 0) + times

    def flush(self) -> int:
        """Write down what was counted, in one transaction; how many events that is. Else it stays counted."""
        with self._lock:
            counted, self._counted = self._counted, {}
        if not counted:
            return 0
        rows = [_event(one.actor_id, "refused", one.subject_id, _told(one, n)) for one, n in counted.items()]
        try:
            with self._database.writing() as session:
                session.execute(insert(event), rows)
        except BaseException:
            with self._lock:
                for key, times in counted.items():
                    self._counted[key] = self._counted.get(key, 0) + times
            raise
        return len(rows)


def note_failed_sign_in(database: Database, account_id: str | None, how: str, address: str) -> None:
    """Write down that a sign-in failed: of an account, or by a name that none has, which is not kept: people mistype a
    password for it."""
    details: dict[str, object] = {"how": how, "address": address[:64], "known": account_id is not None}
    with database.writing() as session:
        session.execute(insert(event).values(**_event(ANONYMOUS.id, "sign-in-failed", account_id or _NODE, details)))


def _told(one: Refusal, times: int) -> dict[str, object]:
    return {"what": short(plain(one.what), 200), "kind": one.kind, "address": one.address[:64], "times": times}


def _event(actor_id: str, verb: str, subject_id: str, details: dict[str, object]) -> dict[str, object]:
    return {"actor_id": actor_id, "verb": verb, "subject_id": subject_id, "at": datetime.now(UTC), "details": details}
