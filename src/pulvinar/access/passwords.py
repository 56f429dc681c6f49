"""Passwords: which are taken, how they are kept, and whether one is right.

The rules are those of NIST SP 800-63B: a length, no rules of composition, no change without a cause, and none that is
commonly used, expected or known from a breach. What is expected is judged offline, by lists of words, names, breached
passwords, keyboard rows, dates and repetitions, as the number of guesses that it takes.
"""

from __future__ import annotations

import threading
import unicodedata
from datetime import UTC, datetime
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from pulvinar.access.tables import password as password_table
from pulvinar.access.work import UnitOfWork
from pulvinar.errors import Invalid
from pulvinar.model.account import Account

SHORTEST = 12
LONGEST = 256
_FEWEST_GUESSES = 1e8
# the estimate looks at the beginning; nothing that long is on a list
_ESTIMATED = 72
_SERVICE = "pulvinar"

# each takes 64 MiB for a moment; a crowd at the door waits its turn rather than filling the memory
_hasher = PasswordHasher()
_at_a_time = threading.BoundedSemaphore(2)


def check_rules(password: str, *about: str) -> None:
    """Raise `Invalid` for a password that the rules refuse; `about` is what others know of whose it is."""
    text = _normal(password)
    if len(text) < SHORTEST:
        raise Invalid("the password is too short", hint="12 characters or more; a few words in a row are good")
    if len(text) > LONGEST:
        raise Invalid("the password is too long", hint="up to 256 characters")
    lowered = text.casefold()
    known = [word for part in (*about, _SERVICE) for word in (part.casefold(), *part.casefold().split("@")) if word]
    if any(len(word) > 2 and word in lowered for word in known):
        raise Invalid(
            "the password has your name, your mail address or the name of this platform in it", hint="choose another"
        )
    if _guesses(text, known) < _FEWEST_GUESSES:
        raise Invalid("the password is easily guessed, or known from a breach", hint="a few unrelated words are good")


def _guesses(text: str, known: list[str]) -> float:
    from zxcvbn import zxcvbn

    return float(zxcvbn(text[:_ESTIMATED], user_inputs=known)["guesses"])


def hash_password(password: str) -> str:
    """What is stored of a password. It takes a moment: call it outside of a transaction."""
    with _at_a_time:
        return _hasher.hash(_normal(password))


def is_right(password: str, kept: str | None) -> bool:
    """Whether a password is the one of a hash. Without a hash it takes as long, and it is not."""
    with _at_a_time:
        try:
            return _hasher.verify(kept or _nobody(), _normal(password)[: LONGEST * 4]) and kept is not None
        except (VerificationError, InvalidHashError):
            return False


@cache
def _nobody() -> str:
    return _hasher.hash("no password at all")


def is_old(kept: str) -> bool:
    """Whether a hash was made with less effort than is made today."""
    return _hasher.check_needs_rehash(kept)


def hash_of(session: Session, account_id: str) -> str | None:
    """What is stored of an account's password; None when it has none."""
    return session.scalar(select(password_table.c.hash).where(password_table.c.account_id == account_id))


def set_password(work: UnitOfWork, of: Account, hashed: str, how: str) -> None:
    """Keep the hash of another password of an account; `how` it came to that goes into the record."""
    work.ask_own_or_node(of.id)
    values = {"hash": hashed, "changed": datetime.now(UTC)}
    changed = update(password_table).where(password_table.c.account_id == of.id).values(**values)
    if not work.session.execute(changed).rowcount:  # type: ignore[attr-defined]
        work.session.execute(insert(password_table).values(account_id=of.id, **values))
    work.record_event("set-password", of.id, {"how": how})


def _normal(password: str) -> str:
    return unicodedata.normalize("NFKC", password)
