"""One table from the error tree to HTTP, and the one envelope in which every failure is told."""

from __future__ import annotations

import json
import logging
import re
import secrets
from dataclasses import dataclass

from pulvinar.catalogue.query_nodes import (
    QueryError,
)
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
from pulvinar.ingest.uploads.writing import ChecksumMismatch, Locked


class MethodNotAllowed(Invalid):
    """Nothing can be done to this address in this way."""


class OutOfRange(Invalid):
    """A range of bytes that the object doesn't have."""


class WrongProtocol(Invalid):
    """A version of the upload protocol that isn't spoken here."""


class WrongMediaType(Invalid):
    """A body that is declared to be something else than is wanted here."""


STATUS: dict[type[PulvinarError], int] = {
    NotFound: 404,
    NotAuthenticated: 401,
    Forbidden: 403,
    MethodNotAllowed: 405,
    OutOfRange: 416,
    WrongProtocol: 412,
    WrongMediaType: 415,
    ChecksumMismatch: 460,
    Locked: 423,
    Invalid: 422,
    Conflict: 409,
    TooLarge: 413,
    TooOften: 429,
    Unavailable: 503,
    JobFailed: 500,
    Corrupt: 500,
}
"""The HTTP status of each kind of failure; a kind that isn't named here has its parent's."""

_log = logging.getLogger("pulvinar.web")


def new_request_id() -> str:
    """A name for one request, told to the client with a failure and written to the log with its cause."""
    return secrets.token_hex(8)


def status_of(error: PulvinarError) -> int:
    """The HTTP status of `error`."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def code_of(error: PulvinarError) -> str:
    """The name of the kind of `error` in a client's words: `NotFound` is "not_found"."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type(error).__name__).lower()


@dataclass(frozen=True)
class Failure:
    """What a client is told of a failure: for the envelope, or for a page."""

    status: int
    code: str
    message: str
    hint: str
    request_id: str
    at: int | None = None
    """The character of a search at which it goes wrong."""

    @property
    def body(self) -> bytes:
        """The envelope, as JSON."""
        error: dict[str, str | int] = {
            "code": self.code,
            "message": self.message,
            "hint": self.hint,
            "request_id": self.request_id,
        }
        if self.at is not None:
            error["at"] = self.at
        return json.dumps({"error": error}, ensure_ascii=False).encode()


def tell(error: Exception, request_id: str) -> Failure:
    """What to tell of `error`. What nobody raised on purpose is logged under the request's name and not shown."""
    if isinstance(error, PulvinarError):
        status = status_of(error)
        if status >= 500:
            _log.error("request %s: %s: %s", request_id, code_of(error), error.message)
        at = error.at if isinstance(error, QueryError) else None
        return Failure(status, code_of(error), error.message, error.hint, request_id, at)
    _log.error("request %s failed", request_id, exc_info=error)
    hint = "tell the people who run this server the request id: its log says more"
    return Failure(500, "internal", "the server failed to answer", hint, request_id)
