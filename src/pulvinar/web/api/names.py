"""What rights and roles are called in the API."""

from __future__ import annotations

from typing import Literal, cast

from pulvinar.model.access import Right

RightName = Literal["see", "view", "read", "write", "share", "administer"]


def name_of(right: Right) -> RightName:
    """The name of a right."""
    return cast(RightName, right.name.lower())


def right_named(name: RightName) -> Right:
    """The right of that name."""
    return Right[name.upper()]
