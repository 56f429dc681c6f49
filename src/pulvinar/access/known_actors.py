"""Who a secret is, remembered for a moment, so that a request doesn't cost a question to the database."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Protocol

from sqlalchemy.orm import Session

from pulvinar.access import links
from pulvinar.access.accounts import actor_for, read_account
from pulvinar.access.chance import digest_of
from pulvinar.access.second_factor import lacks_factor
from pulvinar.access.sign_ins import account_signed_in, note_seen
from pulvinar.access.tokens import PREFIX, account_of_token, note_used
from pulvinar.errors import PulvinarError
from pulvinar.model.access import Actor, Right
from pulvinar.model.account import Account
from pulvinar.storage.database import Database

_LONGEST = 200
_NOTED_EVERY = timedelta(minutes=5)


class Generation(Protocol):
    """A number that is another after everybody was to forget."""

    value: int


class KnownActors:
    """Who comes by a secret, that of a browser, an access token or a link. An answer is at most `lifetime_s` old.

    That is how long whoever was signed out elsewhere is still let in; what is changed through this very process is
    forgotten at once, by `forget`. `demanded` says of which accounts a second factor is.
    """

    def __init__(
        self,
        database: Database,
        *,
        lifetime_s: float = 2.0,
        size: int = 8192,
        demanded: Callable[[Account], bool] | None = None,
    ) -> None:
        self._database = database
        self._demanded = demanded
        self._lifetime_s = lifetime_s
        self._size = size
        self._known: dict[str, tuple[float, int, Actor | None]] = {}
        self._lock = threading.Lock()
        self._generation: Generation = SimpleNamespace(value=0)
        self._notes: ThreadPoolExecutor | None = None

    def at_once(self, secret: str) -> tuple[Actor | None] | None:
        """The answer, in a tuple, when it is remembered and still fresh."""
        known = self._known.get(digest_of(secret))
        if known is None or known[0] <= time.monotonic() or known[1] != self._generation.value:
            return None
        return (known[2],)

    def find(self, secret: str) -> Actor | None:
        """Who it is; None for a secret that signs nobody in."""
        if not secret or len(secret) > _LONGEST:
            return None
        known = self.at_once(secret)
        return known[0] if known else self._ask(secret, digest_of(secret))

    def forget(self) -> None:
        """Ask the database anew from now on."""
        with self._lock:
            self._generation.value += 1
            self._known.clear()

    def share(self, generation: Generation) -> None:
        """Forget together with other processes: what one of them has changed no other remembers."""
        self._generation = generation

    def close(self) -> None:
        """Write what is still to be noted."""
        if self._notes is not None:
            self._notes.shutdown()

    def _ask(self, secret: str, digest: str) -> Actor | None:
        # the age counts from before the question, and what was forgotten meanwhile is not remembered
        asked, generation = time.monotonic(), self._generation.value
        with self._database.session() as session:
            actor = self._by_secret(session, secret, digest)
        with self._lock:
            if generation == self._generation.value:
                while len(self._known) >= self._size:
                    self._known.pop(next(iter(self._known)))
                self._known[digest] = (asked + self._lifetime_s, generation, actor)
        return actor

    def _by_secret(self, session: Session, secret: str, digest: str) -> Actor | None:
        if secret.startswith(links.PREFIX):
            followed = links.follow(session, secret)
            return followed[1] if followed else None
        return self._by_token(session, digest) if secret.startswith(PREFIX) else self._by_browser(session, digest)

    def _by_token(self, session: Session, digest: str) -> Actor | None:
        found = account_of_token(session, digest)
        if found is None:
            return None
        account_id, ceiling, used = found
        self._note(note_used, digest, used)
        return self._actor(session, account_id, ceiling)

    def _by_browser(self, session: Session, digest: str) -> Actor | None:
        found = account_signed_in(session, digest)
        if found is None:
            return None
        self._note(note_seen, digest, found[1])
        return self._actor(session, found[0], Right.ADMINISTER)

    def _actor(self, session: Session, account_id: str, ceiling: Right) -> Actor:
        of = read_account(session, account_id)
        actor = actor_for(session, of, ceiling)
        if self._demanded is None or not self._demanded(of) or not lacks_factor(session, of):
            return actor
        return replace(actor, is_owner=False, memberships=(), lacks_factor=True)

    def _note(self, note: Callable[[Session, str], None], digest: str, last: datetime | None) -> None:
        """Write down, beside the request, that a secret was used: nobody waits for it, nor for another writer."""
        if last is not None and datetime.now(UTC) - last < _NOTED_EVERY:
            return
        if self._notes is None:
            self._notes = ThreadPoolExecutor(1, thread_name_prefix="seen")
        with suppress(RuntimeError):
            self._notes.submit(self._write, note, digest)

    def _write(self, note: Callable[[Session, str], None], digest: str) -> None:
        with suppress(PulvinarError), self._database.writing() as session:
            note(session, digest)
