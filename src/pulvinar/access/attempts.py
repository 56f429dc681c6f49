"""How often something may be tried: each failure in a row, from some number on, doubles the wait until the next."""

from __future__ import annotations

import ipaddress
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil

from sqlalchemy import delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from pulvinar.access.chance import digest_of
from pulvinar.access.tables import attempt
from pulvinar.errors import TooOften
from pulvinar.storage.database import Database

_FORGOTTEN_AFTER = timedelta(days=1)
_LONGEST_WAIT_S = 900.0


@dataclass(frozen=True)
class Tries:
    """What is tried, and for what: `free` failures cost no wait."""

    what: str
    key: str
    free: int

    @property
    def digest(self) -> str:
        """The name of it in the table, which says nothing of who tried."""
        return digest_of(f"{self.what} {self.key}")


def of_account(what: str, account: str, free: int = 5) -> Tries:
    """Tries for one account, or for one login name that nobody has: the two look the same."""
    return Tries(what, f"account {login_key(account)}", free)


def login_key(text: str) -> str:
    """A login name in the one form in which it is kept and looked up: however it is spelled, its tries add up."""
    return unicodedata.normalize("NFKC", text).strip().lower()


def of_address(what: str, address: str, free: int = 30) -> Tries:
    """Tries from one address; of IPv6 from one network, of which a caller has all addresses."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return Tries(what, f"address {address}", free)
    if isinstance(parsed, ipaddress.IPv6Address):
        mapped = parsed.ipv4_mapped
        network = str(mapped) if mapped else str(ipaddress.ip_network((parsed, 64), strict=False))
        return Tries(what, f"address {network}", free)
    return Tries(what, f"address {parsed}", free)


def begin(database: Database, tries: Sequence[Tries]) -> None:
    """Count a try before it is made, so that many at once don't slip through. Raises `TooOften`.

    What succeeds is taken back by `forget` or `take_back`.
    """
    with database.writing() as session:
        session.execute(delete(attempt).where(attempt.c.last < datetime.now(UTC) - _FORGOTTEN_AFTER))
        # in one order, so that two who try at once don't wait for each other
        rows = {one: _locked(session, one) for one in sorted(tries, key=lambda one: one.digest)}
        now = datetime.now(UTC)
        wait_s = max((held_until - now).total_seconds() for _, held_until in rows.values())
        if wait_s <= 0:
            for one, (failures, _) in rows.items():
                _count(session, one, failures + 1, now)
    if wait_s > 0:
        raise TooOften("too many tries", hint=f"wait {ceil(wait_s)} s and try again", wait_s=wait_s)


def _locked(session: Session, one: Tries) -> tuple[int, datetime]:
    """The failures so far and until when nobody may try; the row is there from now on, and is ours until the end."""
    now = datetime.now(UTC)
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    first = insert(attempt).values(digest=one.digest, failures=0, last=now, held_until=now)
    session.execute(first.on_conflict_do_nothing())
    row = session.execute(select(attempt).where(attempt.c.digest == one.digest).with_for_update()).one()
    return row.failures, row.held_until


def _count(session: Session, one: Tries, failures: int, now: datetime) -> None:
    wait_s = min(2.0 ** (failures - one.free), _LONGEST_WAIT_S) if failures > one.free else 0.0
    values = {"failures": failures, "last": now, "held_until": now + timedelta(seconds=wait_s)}
    session.execute(update(attempt).where(attempt.c.digest == one.digest).values(**values))


def forget(session: Session, one: Tries) -> None:
    """Begin to count anew: the one who tried has shown who it is."""
    session.execute(delete(attempt).where(attempt.c.digest == one.digest))


def take_back(session: Session, one: Tries) -> None:
    """Don't count the last try, which was none: but what failed before stays counted."""
    left = update(attempt).where(attempt.c.digest == one.digest, attempt.c.failures > 0)
    session.execute(left.values(failures=attempt.c.failures - 1, held_until=attempt.c.last))
