"""Who may sign in, and how they came in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from pulvinar.model.access import Right


class AccountKind(StrEnum):
    """A person signs in; a service has access tokens and no password."""

    PERSON = "person"
    SERVICE = "service"


class AccountState(StrEnum):
    """Whether the account can be used."""

    ACTIVE = "active"
    DISABLED = "disabled"


@dataclass(frozen=True)
class Profile:
    """What an account says of whom it belongs to; `orcid` without its address part."""

    name: str
    email: str = ""
    orcid: str = ""
    lab: str = ""


@dataclass(frozen=True)
class Account:
    """A person or a service that is known to this node, by a login name in lower case."""

    id: str
    login: str
    profile: Profile
    kind: AccountKind
    state: AccountState
    is_owner: bool
    created: datetime

    @property
    def is_active(self) -> bool:
        """Whether the account can be used."""
        return self.state is AccountState.ACTIVE


@dataclass(frozen=True)
class SignIn:
    """One browser in which somebody is signed in."""

    id: str
    created: datetime
    seen: datetime
    ends: datetime
    address: str
    agent: str


@dataclass(frozen=True)
class AccessToken:
    """What a program signs in with; nothing above `ceiling` may be done with it."""

    id: str
    name: str
    ceiling: Right
    created: datetime
    ends: datetime
    used: datetime | None
