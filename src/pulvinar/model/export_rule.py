"""What may leave this site, and by which way."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class RuleKind(StrEnum):
    """What a rule on leaving says."""

    SITE = "site"
    """No byte leaves this site; people look at it here."""
    AGGREGATES = "aggregates"
    """Only what was computed of the data leaves, as tables, points and matrices; no volume, and no file brought in."""
    PERSONS = "persons"
    """The data of no more than so many persons leave in a month."""


class Way(StrEnum):
    """By which way something would leave."""

    DOWNLOAD = "download"
    CUTOUT = "cut-out"
    JOB = "job output"
    PEER = "federation"


@dataclass(frozen=True)
class ExportRule:
    """A rule that binds a dataset, set on it, on an organisation, or on data that it was made from.

    `scope` says which, as "dataset:..." or "organisation:..."; `persons` is the number of a rule about persons,
    `jurisdiction` the law that asks for it, in the words of whoever set it.
    """

    scope: str
    kind: RuleKind
    persons: int = 0
    jurisdiction: str = ""
