"""Signing in a program that has no browser: it shows a code, and its person allows it in a browser (as RFC 8628)."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from sqlalchemy import ColumnElement, Row, delete, insert, select, update

from pulvinar.access.accounts import actor_for, read_account
from pulvinar.access.chance import digest_of, new_secret
from pulvinar.access.tables import device_login
from pulvinar.access.tokens import make_token
from pulvinar.access.work import UnitOfWork
from pulvinar.errors import Invalid, NotFound
from pulvinar.model.access import Right
from pulvinar.model.text import plain
from pulvinar.storage.database import Database

LASTING = timedelta(minutes=10)
INTERVAL_S = 2
_TOKEN_DAYS = 90
# no vowels, so that no code is a word; nothing that looks like a digit
_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
_HALF = 4


class DeviceState(StrEnum):
    """What has become of a program's wish to sign in."""

    PENDING = "pending"
    ALLOWED = "allowed"
    REFUSED = "refused"


@dataclass(frozen=True)
class DeviceRequest:
    """A program that wants to sign in: what it calls itself, and how far it wants to go."""

    user_code: str
    name: str
    ceiling: Right
    ends: datetime


def start(database: Database, name: str, ceiling: Right) -> tuple[DeviceRequest, str]:
    """Ask to sign in; gives the request and the secret by which its end is asked for."""
    name = plain(" ".join(name.split()))[:100]
    if not name:
        raise Invalid("a name is missing", hint="say which program on which machine it is")
    secret, now = new_secret(), datetime.now(UTC)
    halves = ("".join(secrets.choice(_LETTERS) for _ in range(_HALF)) for _ in range(2))
    request = DeviceRequest("-".join(halves), name, ceiling, now + LASTING)
    values = {"digest": digest_of(secret), "user_code": request.user_code, "name": name, "ceiling": int(ceiling)}
    values |= {"state": DeviceState.PENDING.value, "ends": request.ends}
    # a wish alone changes nothing that anybody has a right to: it is recorded once it is allowed
    with database.writing() as session:
        session.execute(delete(device_login).where(device_login.c.ends < now))
        session.execute(insert(device_login).values(**values))
    return request, secret


def waiting(database: Database, user_code: str) -> DeviceRequest:
    """The request of a code, as long as nobody has decided on it. Raises `NotFound`."""
    with database.session() as session:
        row = session.execute(select(device_login).where(*_open(user_code))).first()
    if row is None:
        raise NotFound("no program waits with this code", hint="look at the code again; it lasts ten minutes")
    return _request(row)


def _request(row: Row[tuple[object, ...]]) -> DeviceRequest:
    return DeviceRequest(row.user_code, row.name, Right(row.ceiling), row.ends)


def _open(user_code: str) -> tuple[ColumnElement[bool], ...]:
    letters = "".join(letter for letter in user_code.upper() if letter.isalnum())
    code = f"{letters[:_HALF]}-{letters[_HALF:]}"
    pending = device_login.c.state == DeviceState.PENDING.value
    return device_login.c.user_code == code, pending, device_login.c.ends > datetime.now(UTC)


def decide(work: UnitOfWork, user_code: str, *, allow: bool) -> None:
    """Let the program sign in as oneself, or not. Raises `NotFound` where none waits any longer."""
    work.ask_own(work.actor.id)
    state = DeviceState.ALLOWED if allow else DeviceState.REFUSED
    decided = update(device_login).where(*_open(user_code)).values(state=state.value, account_id=work.actor.id)
    if not work.session.execute(decided).rowcount:  # type: ignore[attr-defined]
        raise NotFound("no program waits with this code", hint="begin again with pulvinar login")
    work.record_event("allow-device" if allow else "refuse-device", work.actor.id)


def collect(database: Database, secret: str) -> tuple[DeviceState, str]:
    """What has become of a request, and the access token, once, when it was allowed.

    Raises `NotFound` for a request that has ended, or whose token was collected.
    """
    wanted = (device_login.c.digest == digest_of(secret), device_login.c.ends > datetime.now(UTC))
    with database.session() as session:
        row = session.execute(select(device_login).where(*wanted)).first()
        if row is None:
            raise NotFound("this request to sign in has ended", hint="begin again with pulvinar login")
        if row.state != DeviceState.ALLOWED:
            return DeviceState(row.state), ""
        of = read_account(session, row.account_id)
        actor = actor_for(session, of)
    with UnitOfWork(database, actor) as work:
        if not work.session.execute(delete(device_login).where(*wanted)).rowcount:  # type: ignore[attr-defined]
            raise NotFound("this request to sign in has ended", hint="begin again with pulvinar login")
        _, token = make_token(work, of.id, row.name, Right(row.ceiling), _TOKEN_DAYS)
    return DeviceState.ALLOWED, token
