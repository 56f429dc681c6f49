"""One table from error to exit code, and one way of telling a person what went wrong."""

from __future__ import annotations

import sys

from pulvinar.errors import (
    Conflict,
    Corrupt,
    Forbidden,
    Invalid,
    JobFailed,
    NotAuthenticated,
    NotFound,
    PulvinarError,
    TooLarge,
    TooOften,
    Unavailable,
)
from pulvinar.model.text import plain

EXIT_CODES: dict[type[PulvinarError], int] = {
    Invalid: 2,
    NotFound: 3,
    Conflict: 4,
    TooLarge: 5,
    Corrupt: 6,
    Unavailable: 7,
    JobFailed: 8,
    NotAuthenticated: 9,
    Forbidden: 10,
    TooOften: 11,
}
"""Exit code of each kind of error; 0 is success, 1 anything unforeseen, 130 an interruption by the person."""


def exit_code(error: PulvinarError) -> int:
    """The exit code of `error`: that of the nearest kind in the table."""
    return next((EXIT_CODES[kind] for kind in type(error).__mro__ if kind in EXIT_CODES), 1)


def tell(error: PulvinarError) -> None:
    """Say on standard error what is wrong and what to do next."""
    # names in it come from files that somebody else made
    for number, line in enumerate(error.message.splitlines() or [""]):
        print(plain(line if number else f"pulvinar: {line}"), file=sys.stderr)
    if error.hint:
        print(f"  hint: {plain(error.hint)}", file=sys.stderr)
