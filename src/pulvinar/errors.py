"""Every error that Pulvinar raises on purpose.

PulvinarError
├── NotFound            it does not exist, or the actor may not see it
├── NotAuthenticated    nobody is signed in
├── Forbidden           the actor sees it, and may not do this to it
├── Invalid             what was given can't be right
│   ├── UnreadableFile    a file is damaged, hostile or of no known format
│   ├── MetadataMissing   something only a person can answer was not answered
│   ├── UnitMissing       a length or time came without its unit
│   └── SpaceMismatch     places of two spaces were mixed
├── Conflict            it clashes with what is stored (a published version, a second writer)
├── TooLarge            more than the stated budget
├── TooOften            asked again too soon
├── Unavailable         a store, a database or a helper process does not answer
├── JobFailed           a processing ended without its result
└── Corrupt             stored bytes are not the bytes that were stored
"""

from __future__ import annotations


class PulvinarError(Exception):
    """The root: `str(error)` names the thing and the value, `hint` says what to do next."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[object, ...]:
        """Keep `hint` when an error crosses a process boundary."""
        return (_rebuild, (type(self), self.message, self.hint))


def _rebuild(kind: type[PulvinarError], message: str, hint: str) -> PulvinarError:
    return kind(message, hint=hint)


class NotFound(PulvinarError):
    """It does not exist, or the actor may not see it: the two look the same."""


class NotAuthenticated(PulvinarError):
    """Nobody is signed in."""


class Forbidden(PulvinarError):
    """The actor sees the thing and may not do this to it."""


class Invalid(PulvinarError):
    """What was given can't be right."""


class UnreadableFile(Invalid):
    """A file is damaged, hostile or of no known format."""


class MetadataMissing(Invalid):
    """Something that only a person can answer was not answered."""


class UnitMissing(Invalid):
    """A length or a time came without its unit."""


class SpaceMismatch(Invalid):
    """Places of two spaces were mixed."""


class Conflict(PulvinarError):
    """It clashes with what is stored: a published version, a second writer."""


class TooLarge(PulvinarError):
    """More than the stated budget."""


class TooOften(PulvinarError):
    """Asked again too soon; `wait_s` says how long to wait."""

    def __init__(self, message: str, *, hint: str = "", wait_s: float = 0) -> None:
        super().__init__(message, hint=hint)
        self.wait_s = wait_s


class Unavailable(PulvinarError):
    """A store, a database or a helper process does not answer."""


class JobFailed(PulvinarError):
    """A processing ended without its result."""


class Corrupt(PulvinarError):
    """Stored bytes are not the bytes that were stored."""
