"""A request to read a dataset, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class RequestState(StrEnum):
    """Where a request stands; all but the first are its end."""

    OPEN = "open"
    GRANTED = "granted"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True)
class AccessRequest:
    """Somebody with an account asks to read a dataset.

    `purpose` is what for, in the own words; `stated` what was answered to its codes of use. `message` and `ends` are
    said by who decided.
    """

    id: str
    dataset_id: str
    account_id: str
    purpose: str
    made: datetime
    stated: Mapping[str, str] = field(default_factory=dict)
    state: RequestState = RequestState.OPEN
    decided: datetime | None = None
    decided_by: str | None = None
    message: str = ""
    ends: datetime | None = None

    @property
    def is_open(self) -> bool:
        """Whether nobody has decided yet."""
        return self.state is RequestState.OPEN
