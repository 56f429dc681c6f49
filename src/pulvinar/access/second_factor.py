"""The second factor: codes of time (RFC 6238) from an app, and recovery codes for when the app is lost."""

from __future__ import annotations

import base64
import hmac
import secrets
import time
from datetime import UTC, datetime

import pyotp
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session

from pulvinar.access.chance import digest_of
from pulvinar.access.passwords import hash_of
from pulvinar.access.sealing import Sealer
from pulvinar.access.tables import recovery_code, second_factor
from pulvinar.access.work import UnitOfWork
from pulvinar.errors import Conflict, Invalid
from pulvinar.model.account import Account, AccountKind
from pulvinar.storage.database import Database

_STEP_S = 30
# clocks differ: the code before and the code after are taken too
_STEPS_AROUND = 1
_CODES = 10
_CODE_BYTES = 10


def is_on(session: Session, account_id: str) -> bool:
    """Whether an account asks for a code."""
    wanted = select(second_factor.c.account_id).where(
        second_factor.c.account_id == account_id, second_factor.c.confirmed.is_not(None)
    )
    return session.scalar(wanted) is not None


def lacks_factor(session: Session, of: Account) -> bool:
    """Whether a password alone signs in: nobody who signs in elsewhere, by what is asked for there, and no service."""
    return of.kind is AccountKind.PERSON and hash_of(session, of.id) is not None and not is_on(session, of.id)


def codes_left(session: Session, account_id: str) -> int:
    """How many recovery codes an account has."""
    counted = select(func.count()).select_from(recovery_code).where(recovery_code.c.account_id == account_id)
    return session.scalar(counted) or 0


def offer(work: UnitOfWork, of: Account, sealer: Sealer) -> str:
    """A new secret for an app, in base 32; it counts once `confirm` was given a code. Raises `Conflict` when on."""
    work.ask_own(of.id)
    if is_on(work.session, of.id):
        raise Conflict("two-factor sign-in is on", hint="switch it off first")
    secret = pyotp.random_base32()
    work.session.execute(delete(second_factor).where(second_factor.c.account_id == of.id))
    values = {"account_id": of.id, "secret": sealer.seal(secret), "last_step": 0}
    work.session.execute(insert(second_factor).values(**values))
    work.record_event("offer-second-factor", of.id)
    return secret


def offered(database: Database, account_id: str, sealer: Sealer) -> str | None:
    """The secret that waits for its first code."""
    with database.session() as session:
        wanted = select(second_factor.c.secret).where(
            second_factor.c.account_id == account_id, second_factor.c.confirmed.is_(None)
        )
        sealed = session.scalar(wanted)
    return sealer.open(sealed) if sealed else None


def app_address(secret: str, of: Account, service: str) -> str:
    """What an app reads from a QR code."""
    return pyotp.TOTP(secret).provisioning_uri(name=of.login, issuer_name=service)


def confirm(work: UnitOfWork, of: Account, code: str, sealer: Sealer) -> tuple[str, ...]:
    """Switch it on by a code of the offered secret, and give the recovery codes. Raises `Invalid` for a wrong code."""
    work.ask_own(of.id)
    if is_on(work.session, of.id) or not _use_code(work.session, of.id, _plain(code), sealer):
        raise Invalid("this code is not right", hint="take the newest one; is the clock of your phone right?")
    now = datetime.now(UTC)
    work.session.execute(update(second_factor).where(second_factor.c.account_id == of.id).values(confirmed=now))
    work.record_event("confirm-second-factor", of.id)
    return _new_codes(work.session, of.id)


def renew_codes(work: UnitOfWork, of: Account) -> tuple[str, ...]:
    """Other recovery codes instead of those that there are. Raises `Conflict` where it isn't on."""
    work.ask_own(of.id)
    if not is_on(work.session, of.id):
        raise Conflict("two-factor sign-in is off", hint="switch it on first")
    work.record_event("renew-recovery-codes", of.id)
    return _new_codes(work.session, of.id)


def remove(work: UnitOfWork, account_id: str) -> None:
    """Switch it off, by whose it is or by whoever administers the node."""
    work.ask_own_or_node(account_id)
    for table in (second_factor, recovery_code):
        work.session.execute(delete(table).where(table.c.account_id == account_id))
    work.record_event("remove-second-factor", account_id)


def use(session: Session, account_id: str, code: str, sealer: Sealer) -> str | None:
    """Use up a code: "code" of an app or "recovery-code" says what it was; None for a wrong one, or one used before."""
    plain = _plain(code)
    if plain.isdigit():
        return "code" if is_on(session, account_id) and _use_code(session, account_id, plain, sealer) else None
    used = delete(recovery_code).where(
        recovery_code.c.account_id == account_id, recovery_code.c.digest == digest_of(f"{account_id} {plain}")
    )
    return "recovery-code" if session.execute(used).rowcount else None  # type: ignore[attr-defined]


def _use_code(session: Session, account_id: str, code: str, sealer: Sealer) -> bool:
    sealed = session.scalar(select(second_factor.c.secret).where(second_factor.c.account_id == account_id))
    if sealed is None:
        return False
    step = _step_of(pyotp.TOTP(sealer.open(sealed)), code)
    if step is None:
        return False
    # no step counts twice, whoever comes second
    used = update(second_factor).where(second_factor.c.account_id == account_id, second_factor.c.last_step < step)
    return bool(session.execute(used.values(last_step=step)).rowcount)  # type: ignore[attr-defined]


def _step_of(codes: pyotp.TOTP, code: str) -> int | None:
    now = int(time.time()) // _STEP_S
    around = range(now - _STEPS_AROUND, now + _STEPS_AROUND + 1)
    right = [step for step in around if hmac.compare_digest(codes.at(step * _STEP_S).encode(), code.encode())]
    return right[-1] if right else None


def _new_codes(session: Session, account_id: str) -> tuple[str, ...]:
    codes = tuple(_new_code() for _ in range(_CODES))
    session.execute(delete(recovery_code).where(recovery_code.c.account_id == account_id))
    rows = [{"account_id": account_id, "digest": digest_of(f"{account_id} {_plain(code)}")} for code in codes]
    session.execute(insert(recovery_code), rows)
    return codes


def _new_code() -> str:
    letters = base64.b32encode(secrets.token_bytes(_CODE_BYTES)).decode().lower()
    return "-".join(letters[start : start + 4] for start in range(0, len(letters), 4))


def _plain(code: str) -> str:
    return "".join(letter for letter in code.lower() if letter.isalnum())
