"""New accounts: the first owner's, those of people who were invited, services', and those of other sign-ins."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pulvinar.access.accounts import checked_email, has_owner, make_account
from pulvinar.access.external_identities import ExternalIdentity, link_identity
from pulvinar.access.one_time_links import Link, LinkKind, look_at, make_link, use_link
from pulvinar.access.passwords import check_rules, hash_password, set_password
from pulvinar.access.work import UnitOfWork
from pulvinar.errors import Conflict
from pulvinar.model.access import Actor, Right
from pulvinar.model.account import Account, AccountKind, Profile
from pulvinar.model.identity import new_id
from pulvinar.storage.database import Database

_OPENING = (LinkKind.FIRST_OWNER, LinkKind.INVITATION, LinkKind.NEWCOMER)


@dataclass(frozen=True)
class Newcomer:
    """What somebody says who makes an account; a newcomer of another sign-in needs no password."""

    login: str
    profile: Profile
    password: str = ""


def first_owner_link(work: UnitOfWork) -> str:
    """A link that makes the first owner's account. Raises `Conflict` where there is an owner."""
    work.ask(Right.ADMINISTER)
    if has_owner(work.session):
        raise Conflict("there is an owner already", hint="pulvinar accounts invite --owner, or pulvinar accounts reset")
    work.record_event("make-first-link", "node")
    return make_link(work.session, LinkKind.FIRST_OWNER)


def invite(work: UnitOfWork, email: str, *, is_owner: bool = False) -> str:
    """A link by which whoever reads the mail of `email` makes an account. Raises `Invalid` for no mail address."""
    work.ask(Right.ADMINISTER)
    email = checked_email(email)
    work.record_event("invite", "node", {"email": email, "is_owner": is_owner})
    return make_link(work.session, LinkKind.INVITATION, details={"email": email, "is_owner": is_owner})


def newcomer_link(database: Database, identity: ExternalIdentity) -> str:
    """A link by which somebody who signed in elsewhere, and is new here, makes an account."""
    with database.writing() as session:
        return make_link(session, LinkKind.NEWCOMER, details=identity.to_json())


def opened_by(database: Database, secret: str) -> Link:
    """What a link to a new account says. Raises `NotFound` for one that has ended, or where there is an owner now."""
    with database.session() as session:
        link = look_at(session, secret, *_OPENING)
        _check_first(session_has_owner=has_owner(session), link=link)
        return link


def join(database: Database, secret: str, newcomer: Newcomer, *, node: str) -> Account:
    """Make the account that a link is for, and use the link up.

    Raises `NotFound` for a link that has ended, `Invalid` for a password, a name or an address that can't be,
    `Conflict` for a login name that is taken: the link can be used again then.
    """
    link = opened_by(database, secret)
    email = str(link.details.get("email", "")) or newcomer.profile.email
    profile = replace(newcomer.profile, email=email)
    hashed = None
    if link.kind is not LinkKind.NEWCOMER or newcomer.password:
        check_rules(newcomer.password, newcomer.login, email)
        hashed = hash_password(newcomer.password)
    account_id = new_id(node)
    # whoever holds the link is the account that comes of it
    with UnitOfWork(database, Actor(account_id, newcomer.profile.name)) as work:
        used = use_link(work.session, secret, *_OPENING)
        _check_first(session_has_owner=has_owner(work.session), link=used)
        is_owner = used.kind is LinkKind.FIRST_OWNER or bool(used.details.get("is_owner", False))
        made = make_account(work, account_id, newcomer.login, profile, is_owner=is_owner)
        if hashed:
            set_password(work, made, hashed, "joined")
        if used.kind is LinkKind.NEWCOMER:
            link_identity(work, made.id, ExternalIdentity.from_json(used.details))
        return made


def _check_first(*, session_has_owner: bool, link: Link) -> None:
    if link.kind is LinkKind.FIRST_OWNER and session_has_owner:
        raise Conflict("there is an owner already", hint="sign in, or ask the owner for an invitation")


def make_service(work: UnitOfWork, login: str, name: str, *, node: str) -> Account:
    """An account for a program: it has no password, and access tokens that whoever administers the node makes."""
    work.ask(Right.ADMINISTER)
    return make_account(work, new_id(node), login, Profile(name), kind=AccountKind.SERVICE)
