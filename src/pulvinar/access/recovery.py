"""A new password for somebody who has forgotten the old one, by a link that only the right person can read."""

from __future__ import annotations

from sqlalchemy import select

from pulvinar.access import attempts
from pulvinar.access.accounts import account_from_row, actor_for, find_login, read_account
from pulvinar.access.one_time_links import LinkKind, end_links, look_at, make_link, use_link
from pulvinar.access.passwords import check_rules, hash_password, set_password
from pulvinar.access.second_factor import remove
from pulvinar.access.sign_ins import end_all_sign_ins
from pulvinar.access.tables import account
from pulvinar.access.tokens import list_tokens, revoke_all_tokens
from pulvinar.access.work import UnitOfWork
from pulvinar.errors import Conflict, TooOften
from pulvinar.model.access import Actor, Right
from pulvinar.model.account import AccessToken, Account, AccountKind
from pulvinar.storage.database import Database

_MOST_AT_ONE_ADDRESS = 5


def forgotten(database: Database, who: str) -> tuple[tuple[Account, str], ...]:
    """The accounts of a login name or a mail address, each with a link to a new password, to be sent by mail alone.

    Nothing where there are none, or where they were asked for too often: whoever asks is told the same.
    """
    text = who.strip().lower()
    with database.session() as session:
        wanted = select(account).where(account.c.email == text).limit(_MOST_AT_ONE_ADDRESS)
        named = find_login(session, text)
        found = [named] if named else [account_from_row(row) for row in session.execute(wanted)] if "@" in text else []
    return tuple(
        (one, link)
        for one in found
        if one.is_active and one.profile.email and one.kind is AccountKind.PERSON and (link := _link(database, one))
    )


def _link(database: Database, of: Account) -> str | None:
    try:
        attempts.begin(database, (attempts.of_account("recovery", of.id, free=3),))
    except TooOften:
        return None
    with UnitOfWork(database, _actor(database, of)) as work:
        work.ask_own(of.id)
        work.record_event("ask-for-recovery", of.id)
        return make_link(work.session, LinkKind.RECOVERY, account_id=of.id)


def reset_link(work: UnitOfWork, account_id: str) -> str:
    """A link to a new password, for whoever administers the node to hand over.

    The account is signed out everywhere, its tokens open nothing, and its second factor is off: who lost the phone or
    was robbed of it begins anew. Raises `Conflict` for a service.
    """
    work.ask(Right.ADMINISTER)
    of = read_account(work.session, account_id)
    if of.kind is AccountKind.SERVICE or not of.is_active:
        raise Conflict("this account has no password to reset", hint="a service has tokens; a disabled account nothing")
    end_all_sign_ins(work, of.id)
    remove(work, of.id)
    revoke_all_tokens(work, of.id)
    end_links(work.session, of.id, LinkKind.RECOVERY, LinkKind.SECOND_FACTOR)
    work.record_event("reset-account", of.id)
    return make_link(work.session, LinkKind.RECOVERY, account_id=of.id)


def recovered_by(database: Database, secret: str) -> Account:
    """Whose link to a new password it is. Raises `NotFound` for one that has ended."""
    with database.session() as session:
        return read_account(session, str(look_at(session, secret, LinkKind.RECOVERY).account_id))


def tokens_left(database: Database, of: Account) -> tuple[AccessToken, ...]:
    """The tokens that would go on opening what they open, for who sets a new password to end or to keep."""
    return list_tokens(database, _actor(database, of), of.id)


def recover(database: Database, secret: str, password: str, *, end_tokens: bool = True) -> Account:
    """Set a new password by a link: the account is signed out everywhere, and its other links end.

    So do its access tokens, but where `end_tokens` is False: who was robbed needs that, and who only forgot a password
    may have programs that run. A second factor stays: it is asked for at the next sign-in. Raises `NotFound`, and
    `Invalid` for a password that the rules refuse.
    """
    of = recovered_by(database, secret)
    check_rules(password, of.login, of.profile.email)
    hashed = hash_password(password)
    with UnitOfWork(database, _actor(database, of)) as work:
        use_link(work.session, secret, LinkKind.RECOVERY)
        set_password(work, of, hashed, "recovered")
        end_all_sign_ins(work, of.id)
        if end_tokens:
            revoke_all_tokens(work, of.id)
        end_links(work.session, of.id, LinkKind.RECOVERY, LinkKind.SECOND_FACTOR)
        attempts.forget(work.session, attempts.of_account("sign-in", of.login))
        return of


def change_password(database: Database, of: Account, password: str, *, except_secret: str) -> None:
    """Set another password, and sign out every other browser. Raises `Invalid` for one that the rules refuse."""
    check_rules(password, of.login, of.profile.email)
    hashed = hash_password(password)
    with UnitOfWork(database, _actor(database, of)) as work:
        set_password(work, of, hashed, "changed")
        end_all_sign_ins(work, of.id, except_secret=except_secret)
        end_links(work.session, of.id, LinkKind.RECOVERY, LinkKind.SECOND_FACTOR)


def _actor(database: Database, of: Account) -> Actor:
    with database.session() as session:
        return actor_for(session, of)
