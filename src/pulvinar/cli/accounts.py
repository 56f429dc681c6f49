"""What the commands of accounts do: as the owner of this machine's settings."""

from __future__ import annotations

import dataclasses

from pulvinar.access import accounts, joining, letters, recovery
from pulvinar.access.tokens import make_token
from pulvinar.access.work import UnitOfWork
from pulvinar.cli.show import print_json, print_table
from pulvinar.cli.verbs import opened
from pulvinar.errors import NotFound
from pulvinar.model.access import Right
from pulvinar.model.account import Account
from pulvinar.model.text import plain
from pulvinar.platform import Platform

_PAGE_SIZE = 500


def show_accounts(words: str, *, as_json: bool) -> None:
    """`pulvinar accounts list`."""
    found: list[Account] = []
    with opened() as platform:
        while True:
            after = found[-1].login if found else ""
            page = accounts.list_accounts(platform.database, platform.actor, words=words, after=after, limit=_PAGE_SIZE)
            found += page
            if len(page) < _PAGE_SIZE:
                break
    if as_json:
        print_json([dataclasses.asdict(one) for one in found])
        return
    rows = [(one.login, plain(one.profile.name), one.profile.email, _state(one)) for one in found]
    print_table(rows, ("login", "name", "mail", "state"))


def _state(one: Account) -> str:
    if not one.is_active:
        return "disabled"
    return "owner" if one.is_owner else one.kind.value


def print_first_link() -> None:
    """`pulvinar accounts first-link`. Raises `Conflict` where there is an owner."""
    with opened() as platform:
        print(first_owner_link(platform))


def first_owner_link(platform: Platform, address: str = "") -> str:
    """The address of a link that makes the first owner's account, at the server of the settings or at `address`."""
    with UnitOfWork(platform.database, platform.actor) as work:
        secret = joining.first_owner_link(work)
    base = platform.settings.address or address or platform.settings.resolved_address()
    return f"{base.rstrip('/')}/join?link={secret}"


def invite_by_mail(email: str, *, is_owner: bool) -> None:
    """`pulvinar accounts invite`. Raises `Invalid` for no mail address."""
    with opened() as platform:
        with UnitOfWork(platform.database, platform.actor) as work:
            secret = joining.invite(work, email, is_owner=is_owner)
        address = platform.settings.resolved_address()
        link = f"{address}/join?link={secret}"
        if platform.settings.smtp_url:
            host = address.partition("://")[2]
            platform.postman.send(letters.invitation(accounts.checked_email(email), link, host))
        print(link)


def disable_account(login: str, reason: str) -> None:
    """`pulvinar accounts disable`. Raises `NotFound`, `Invalid` without a reason, `Conflict` for the last owner."""
    with opened() as platform, UnitOfWork(platform.database, platform.actor) as work:
        accounts.disable(work, _named(work, login).id, reason)
    print(f"{login} is disabled")


def enable_account(login: str) -> None:
    """`pulvinar accounts enable`. Raises `NotFound`."""
    with opened() as platform, UnitOfWork(platform.database, platform.actor) as work:
        accounts.enable(work, _named(work, login).id)
    print(f"{login} is enabled")


def reset_account(login: str) -> None:
    """`pulvinar accounts reset`. Raises `NotFound`, `Conflict` for what has no password."""
    with opened() as platform:
        with UnitOfWork(platform.database, platform.actor) as work:
            secret = recovery.reset_link(work, _named(work, login).id)
        print(f"{platform.settings.resolved_address()}/new-password?link={secret}")


def make_a_service(login: str, name: str, days: int, ceiling: str, *, as_json: bool) -> None:
    """`pulvinar accounts make-service`. Raises `Conflict` for a name that is taken."""
    with opened() as platform, UnitOfWork(platform.database, platform.actor) as work:
        made = joining.make_service(work, login, name or login, node=platform.settings.node)
        token, secret = make_token(work, made.id, "made with the account", Right[ceiling.upper()], days)
    if as_json:
        print_json({"id": made.id, "login": made.login, "token": secret, "ends": token.ends.isoformat()})
    else:
        print(secret)


def _named(work: UnitOfWork, login: str) -> Account:
    found = accounts.find_login(work.session, login)
    if found is None:
        raise NotFound(f"there is no account {login!r}", hint="pulvinar accounts list")
    return found
