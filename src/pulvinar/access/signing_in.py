"""The way in: a login name and a password, then a code where the account asks for one.

Whether an account exists shows in no answer, and not in how long the answer takes.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass

from pulvinar.access import attempts, passwords, second_factor
from pulvinar.access.accounts import actor_for, find_login, read_account
from pulvinar.access.one_time_links import LinkKind, look_at, make_link, use_link
from pulvinar.access.refusals import note_failed_sign_in
from pulvinar.access.sealing import Sealer
from pulvinar.access.sign_ins import Browser, begin_sign_in
from pulvinar.access.work import UnitOfWork
from pulvinar.errors import NotAuthenticated, NotFound
from pulvinar.model.account import Account
from pulvinar.storage.database import Database

_log = logging.getLogger("pulvinar.access")


class _WrongCode(Exception):
    """Undoes the transaction in which a code was looked at."""


@dataclass(frozen=True)
class Step:
    """How far somebody has come: `secret` signs in, or, where `needs_code`, opens the question for a code."""

    account: Account
    secret: str
    needs_code: bool


def sign_in_by_password(database: Database, login: str, password: str, browser: Browser, *, days: int) -> Step:
    """Sign in by a password, or come as far as the second factor.

    Raises `NotAuthenticated` whatever of the two is wrong, `TooOften` after too many failures.
    """
    by_account = attempts.of_account("sign-in", login)
    by_address = attempts.of_address("sign-in", browser.address)
    attempts.begin(database, (by_account, by_address))
    with database.session() as session:
        found = find_login(session, login)
        kept = passwords.hash_of(session, found.id) if found else None
    if not passwords.is_right(password, kept) or found is None or not found.is_active:
        _log.warning("sign-in failed from %s", browser.address)
        note_failed_sign_in(database, found.id if found else None, "password", browser.address)
        raise NotAuthenticated("the login name or the password is wrong", hint="both are asked for again")
    hashed = passwords.hash_password(password) if kept and passwords.is_old(kept) else None
    with database.session() as session:
        needs_code = second_factor.is_on(session, found.id)
    if needs_code:
        with database.writing() as session:
            attempts.take_back(session, by_address)
            attempts.forget(session, by_account)
            return Step(found, make_link(session, LinkKind.SECOND_FACTOR, account_id=found.id), True)
    with _as(database, found) as work:
        attempts.take_back(work.session, by_address)
        attempts.forget(work.session, by_account)
        if hashed:
            passwords.set_password(work, found, hashed, "hashed anew")
        return Step(found, begin_sign_in(work, found, browser, days=days, how="password"), False)


def sign_in_by_code(
    database: Database, waiting: str, code: str, browser: Browser, sealer: Sealer, *, days: int
) -> tuple[Account, str]:
    """Sign in by a code after the password; gives the secret that the browser is to keep.

    Raises `NotFound` where the password was given too long ago, `NotAuthenticated` for a wrong or used code,
    `TooOften`.
    """
    with database.session() as session:
        link = look_at(session, waiting, LinkKind.SECOND_FACTOR)
        found = read_account(session, str(link.account_id))
    tries = attempts.of_account("code", found.id)
    attempts.begin(database, (tries,))
    with suppress(_WrongCode), _as(database, found) as work:
        how = second_factor.use(work.session, found.id, code, sealer)
        if how is None or not found.is_active:
            raise _WrongCode
        use_link(work.session, waiting, LinkKind.SECOND_FACTOR)
        attempts.forget(work.session, tries)
        return found, begin_sign_in(work, found, browser, days=days, how=f"password and {how}")
    _log.warning("wrong code: %r from %s", found.login, browser.address)
    note_failed_sign_in(database, found.id, "code", browser.address)
    raise NotAuthenticated("this code is not right, or was used before", hint="take the newest one")


def sign_in_at_once(database: Database, account_id: str, browser: Browser, *, days: int, how: str) -> str:
    """Sign in who has shown in another way who it is. Raises `NotFound` for an account that can't be used."""
    with database.session() as session:
        found = read_account(session, account_id)
    if not found.is_active:
        raise NotFound("this account can't be used", hint="ask the people who run this server")
    with _as(database, found) as work:
        return begin_sign_in(work, found, browser, days=days, how=how)


def confirm_password(database: Database, account_id: str, password: str) -> None:
    """Ask for the password once more, before what a stranger at an open screen must not do.

    An account without a password has shown who it is where it signed in. Raises `NotAuthenticated`, `TooOften`.
    """
    tries = attempts.of_account("confirm", account_id)
    attempts.begin(database, (tries,))
    with database.session() as session:
        kept = passwords.hash_of(session, account_id)
    if kept is not None and not passwords.is_right(password, kept):
        raise NotAuthenticated("the password is wrong", hint="it is asked for again")
    with database.writing() as session:
        attempts.forget(session, tries)


def _as(database: Database, of: Account) -> UnitOfWork:
    with database.session() as session:
        return UnitOfWork(database, actor_for(session, of))
