"""Accounts: made, looked up, described, disabled."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, delete, func, insert, select, update
from sqlalchemy.orm import Session

from pulvinar.access.attempts import login_key
from pulvinar.access.memberships import memberships_of
from pulvinar.access.tables import access_token, account, device_login, one_time_link, sign_in
from pulvinar.access.work import UnitOfWork
from pulvinar.errors import Conflict, Forbidden, Invalid, NotFound
from pulvinar.model.access import Actor, Right
from pulvinar.model.account import Account, AccountKind, AccountState, Profile
from pulvinar.model.orcid import is_orcid
from pulvinar.storage.database import Database

_LOGIN = re.compile(r"[a-z][a-z0-9]*(?:[._-][a-z0-9]+)*")
_LONGEST_LOGIN = 32
# whether mail arrives there is what a mail finds out; this keeps out what is none, and what could add a header
_EMAIL = re.compile(r"[^\s@<>,;:\"()\[\]\\]{1,64}@[^\s@<>,;:\"()\[\]\\]{1,180}\.[^\s@<>,;:\"()\[\]\\.]{2,}")
_ORCID_ADDRESS = "https://orcid.org/"
_TEXTS = {"name": 200, "lab": 200}


def checked_login(text: str) -> str:
    """A login name in lower case. Raises `Invalid` for what can't be one."""
    login = login_key(text)
    if not _LOGIN.fullmatch(login) or not 2 <= len(login) <= _LONGEST_LOGIN:
        raise Invalid(
            "this can't be a login name",
            hint="2 to 32 of a-z and 0-9, beginning with a letter; a dot, a dash or an underscore between",
        )
    return login


def checked_email(text: str) -> str:
    """A mail address as it is looked up, in lower case. Raises `Invalid` for what is none."""
    email = unicodedata.normalize("NFC", text).strip().lower()
    if not _EMAIL.fullmatch(email):
        raise Invalid("this is no mail address", hint="it looks like name@institute.org")
    return email


def checked_profile(profile: Profile) -> Profile:
    """`profile` as it is stored. Raises `Invalid` for an empty name, a wrong ORCID, no mail address, text too long."""
    name, lab = (_line(getattr(profile, field), field) for field in _TEXTS)
    if not name:
        raise Invalid("a name is missing", hint="it is shown to others; a pen name will do")
    orcid = profile.orcid.strip().removeprefix(_ORCID_ADDRESS).upper()
    if orcid and not is_orcid(orcid):
        raise Invalid("this is no ORCID", hint="it looks like 0000-0002-1825-0097")
    return Profile(name, checked_email(profile.email) if profile.email.strip() else "", orcid, lab)


def _line(text: str, field: str) -> str:
    line = unicodedata.normalize("NFC", " ".join(text.split()))
    # control and format characters could turn the letters around it
    line = "".join(letter for letter in line if unicodedata.category(letter) not in ("Cc", "Cf", "Cs", "Co"))
    if len(line) > _TEXTS[field]:
        raise Invalid(f"the {field} is too long", hint=f"up to {_TEXTS[field]} characters")
    return line


def make_account(
    work: UnitOfWork,
    account_id: str,
    login: str,
    profile: Profile,
    *,
    kind: AccountKind = AccountKind.PERSON,
    is_owner: bool = False,
) -> Account:
    """Make an account: for itself, or for another by whoever administers the node.

    Raises `Conflict` for a login name that is taken, `Invalid` for what can't be one.
    """
    work.ask_own_or_node(account_id)
    login, kept = checked_login(login), checked_profile(profile)
    if work.session.scalar(select(account.c.id).where(account.c.login == login)) is not None:
        raise Conflict("this login name is taken", hint="choose another")
    now = datetime.now(UTC)
    values: dict[str, object] = {"id": account_id, "login": login, "is_owner": is_owner, "created": now}
    values |= {"kind": kind.value, "state": AccountState.ACTIVE.value, **_columns(kept)}
    work.session.execute(insert(account).values(**values))
    work.record_event("make-account", account_id, {"login": login, "kind": kind.value, "is_owner": is_owner})
    return read_account(work.session, account_id)


def _columns(profile: Profile) -> dict[str, str]:
    return {"name": profile.name, "email": profile.email, "orcid": profile.orcid, "lab": profile.lab}


def account_from_row(row: Row[Any] | Mapping[str, Any]) -> Account:
    """The account of a row of its table."""
    told = row._mapping if isinstance(row, Row) else row
    profile = Profile(told["name"], told["email"], told["orcid"], told["lab"])
    kind, state = AccountKind(told["kind"]), AccountState(told["state"])
    return Account(told["id"], told["login"], profile, kind, state, told["is_owner"], told["created"])


def read_account(session: Session, account_id: str) -> Account:
    """One account, within a transaction. Raises `NotFound`."""
    row = session.execute(select(account).where(account.c.id == account_id)).first()
    if row is None:
        raise NotFound(f"there is no account {account_id}")
    return account_from_row(row)


def find_login(session: Session, login: str) -> Account | None:
    """The account of a login name, however its letters are written."""
    row = session.execute(select(account).where(account.c.login == login_key(login))).first()
    return account_from_row(row) if row else None


def actor_for(session: Session, of: Account, ceiling: Right = Right.ADMINISTER) -> Actor:
    """The actor that an account is, held below `ceiling`."""
    memberships = memberships_of(session, of.id)
    return Actor(of.id, of.profile.name, is_owner=of.is_owner, memberships=memberships, ceiling=ceiling)


def get_account(database: Database, actor: Actor, account_id: str) -> Account:
    """One's own account, or for whoever administers the node any. Raises `NotFound`."""
    if actor.id != account_id and not (actor.is_owner and actor.ceiling >= Right.ADMINISTER):
        raise NotFound(f"there is no account {account_id}")
    with database.session() as session:
        return read_account(session, account_id)


def list_accounts(
    database: Database, actor: Actor, *, words: str = "", after: str = "", limit: int = 100
) -> tuple[Account, ...]:
    """The accounts in the order of their login names, for whoever administers the node. Raises `Forbidden`."""
    if not actor.is_owner or actor.ceiling < Right.ADMINISTER:
        raise Forbidden(f"{actor.name} may not list the accounts")
    wanted = select(account).where(account.c.login > after).order_by(account.c.login).limit(limit)
    if words:
        text = words.strip().lower()
        fields = (account.c.login, func.lower(account.c.name), account.c.email, func.lower(account.c.lab))
        either = fields[0].contains(text, autoescape=True)
        for field in fields[1:]:
            either |= field.contains(text, autoescape=True)
        wanted = wanted.where(either)
    with database.session() as session:
        return tuple(map(account_from_row, session.execute(wanted)))


def describe(work: UnitOfWork, account_id: str, profile: Profile) -> Account:
    """Change what an account says of itself. Raises `Invalid` as `checked_profile` does."""
    work.ask_own_or_node(account_id)
    before, kept = read_account(work.session, account_id).profile, checked_profile(profile)
    work.session.execute(update(account).where(account.c.id == account_id).values(**_columns(kept)))
    changed = [name for name, value in _columns(kept).items() if value != getattr(before, name)]
    work.record_event("describe-account", account_id, {"changed": changed})
    return read_account(work.session, account_id)


def has_owner(session: Session) -> bool:
    """Whether there is an account that owns the node and can be used."""
    return session.scalar(select(account.c.id).where(*_OWNING).limit(1)) is not None


_OWNING = (account.c.is_owner.is_(True), account.c.state == AccountState.ACTIVE.value)


def disable(work: UnitOfWork, account_id: str, reason: str) -> Account:
    """Have an account be used no more: whoever is signed in by it isn't any longer, its tokens open nothing.

    Raises `Invalid` without a reason, `Conflict` for the last owner.
    """
    work.ask(Right.ADMINISTER)
    if not reason.strip():
        raise Invalid("a reason is missing", hint="it is kept with what was done")
    _keep_an_owner(work.session, account_id)
    found = _switch(work, account_id, AccountState.DISABLED)
    for one in (sign_in, access_token, one_time_link, device_login):
        work.session.execute(delete(one).where(one.c.account_id == account_id))
    work.record_event("disable-account", account_id, {"reason": reason.strip()})
    return found


def enable(work: UnitOfWork, account_id: str) -> Account:
    """Let a disabled account be used again; what was taken from it is not given back."""
    work.ask(Right.ADMINISTER)
    found = _switch(work, account_id, AccountState.ACTIVE)
    work.record_event("enable-account", account_id)
    return found


def make_owner(work: UnitOfWork, account_id: str, *, is_owner: bool) -> Account:
    """Let an account own the node, or no longer. Raises `Conflict` for the last owner and for a service."""
    work.ask(Right.ADMINISTER)
    found = read_account(work.session, account_id)
    if found.kind is AccountKind.SERVICE and is_owner:
        raise Conflict("a service can't own the node", hint="share with it what it needs")
    if not is_owner:
        _keep_an_owner(work.session, account_id)
    work.session.execute(update(account).where(account.c.id == account_id).values(is_owner=is_owner))
    work.record_event("make-owner" if is_owner else "end-owner", account_id)
    return read_account(work.session, account_id)


def _switch(work: UnitOfWork, account_id: str, state: AccountState) -> Account:
    work.session.execute(update(account).where(account.c.id == account_id).values(state=state.value))
    return read_account(work.session, account_id)


def _keep_an_owner(session: Session, account_id: str) -> None:
    # the rows are locked, so that two owners don't disable each other in the same moment
    owners = session.scalars(select(account.c.id).where(*_OWNING).with_for_update()).all()
    if list(owners) == [account_id]:
        raise Conflict("this is the last owner", hint="make another account an owner first")
