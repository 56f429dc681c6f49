"""Accounts for tests."""

from sqlalchemy import select

from pulvinar.access.accounts import actor_for, make_account, read_account
from pulvinar.access.passwords import hash_password, set_password
from pulvinar.access.sign_ins import Browser
from pulvinar.access.tables import event
from pulvinar.access.work import UnitOfWork
from pulvinar.model.access import LOCAL_OWNER, Actor
from pulvinar.model.account import Account, AccountKind, Profile
from pulvinar.model.identity import new_id
from pulvinar.storage.database import Database

PASSWORD = "granule cells in rows"
BROWSER = Browser("192.0.2.7", "Firefox")


def a_person(
    database: Database, login: str = "ada", *, is_owner: bool = False, email: str = "", password: str = PASSWORD
) -> Account:
    with UnitOfWork(database, LOCAL_OWNER) as work:
        profile = Profile(login.title(), email or f"{login}@lab.example.org")
        made = make_account(work, new_id(), login, profile, is_owner=is_owner)
        if password:
            set_password(work, made, hash_password(password), "test")
    return made


def a_service(database: Database, login: str = "robot") -> Account:
    with UnitOfWork(database, LOCAL_OWNER) as work:
        return make_account(work, new_id(), login, Profile("A robot"), kind=AccountKind.SERVICE)


def acting(database: Database, account_id: str) -> Actor:
    with database.session() as session:
        return actor_for(session, read_account(session, account_id))


def verbs(database: Database, subject_id: str) -> list[str]:
    with database.session() as session:
        return list(session.scalars(select(event.c.verb).where(event.c.subject_id == subject_id).order_by(event.c.seq)))


def everything_recorded(database: Database) -> str:
    with database.session() as session:
        return repr(session.execute(select(event)).all())
