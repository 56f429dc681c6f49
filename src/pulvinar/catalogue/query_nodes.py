"""What a question asks for, as a tree of frozen values, each of which knows where in the question it stands."""

from __future__ import annotations

import dataclasses
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date

from pulvinar.catalogue.query_fields import Field
from pulvinar.errors import Invalid


class QueryError(Invalid):
    """A question that can't be understood: `at` is the character (from 0) of `query` where it goes wrong."""

    def __init__(self, message: str, *, hint: str = "", query: str = "", at: int = 0) -> None:
        super().__init__(message, hint=hint)
        self.query = query
        self.at = at

    def __reduce__(self) -> tuple[object, ...]:
        """Keep the place when an error crosses a process boundary."""
        return (_rebuild, (self.message, self.hint, self.query, self.at))

    @property
    def pointer(self) -> str:
        """The question, and below it a caret under the character. A wide character is as wide as two."""
        line = "".join(letter if letter.isprintable() else " " for letter in self.query)
        wide = (2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in line[: self.at])
        return f"{line}\n{' ' * sum(wide)}^"


def _rebuild(message: str, hint: str, query: str, at: int) -> QueryError:
    return QueryError(message, hint=hint, query=query, at=at)


@dataclass(frozen=True)
class Words:
    """Text to be found; of a phrase the words in this order. `at` is where in the question it stands, as below."""

    text: str
    phrase: bool = False
    at: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Said:
    """A field that says something: `value` is a term's key, a kind, "yes" or "no", else text as it was written."""

    field: Field
    value: str
    at: int = dataclasses.field(default=0, compare=False)


@dataclass(frozen=True)
class Resolution:
    """The finest voxel size along the axis that is sampled worst, against `value_um`; `sign` is <, <=, > or >=."""

    sign: str
    value_um: float
    at: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Dated:
    """The day of acquisition, against `day`; `sign` is >= or <."""

    sign: str
    day: date
    at: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Near:
    """Within `radius_um` of a point, (z, y, x) in micrometres of `space`, or of a region."""

    radius_um: float
    point_um: tuple[float, float, float] | None = None
    space: str = ""
    region: str = ""
    at: int = field(default=0, compare=False)


@dataclass(frozen=True)
class InBox:
    """From `start_um` up to, without, `stop_um`: corners (z, y, x) in micrometres of `space`."""

    start_um: tuple[float, float, float]
    stop_um: tuple[float, float, float]
    space: str
    at: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Not:
    """What `part` doesn't find."""

    part: Query


@dataclass(frozen=True)
class And:
    """What every one of `parts` finds; without any: everything."""

    parts: tuple[Query, ...] = ()


@dataclass(frozen=True)
class Or:
    """What at least one of `parts` finds."""

    parts: tuple[Query, ...]


Located = Near | InBox
Leaf = Words | Said | Resolution | Dated | Located
Query = Leaf | Not | And | Or


def all_of(parts: Iterable[Query]) -> Query:
    """The conjunction in its one form: never in another, never of one part."""
    flat = tuple(inner for part in parts for inner in (part.parts if isinstance(part, And) else (part,)))
    return flat[0] if len(flat) == 1 else And(flat)


def any_of(parts: Iterable[Query]) -> Query:
    """The disjunction in its one form: never in another, never of one part. Raises `Invalid` for no part."""
    flat = tuple(inner for part in parts for inner in (part.parts if isinstance(part, Or) else (part,)))
    if not flat:
        raise Invalid("there is nothing of which one could be enough")
    return flat[0] if len(flat) == 1 else Or(flat)


def negated(part: Query) -> Query:
    """What `part` doesn't find; twice is once."""
    return part.part if isinstance(part, Not) else Not(part)


def leaves(query: Query) -> list[Leaf]:
    """Everything that `query` asks for, from left to right."""
    if isinstance(query, And | Or):
        return [leaf for part in query.parts for leaf in leaves(part)]
    return leaves(query.part) if isinstance(query, Not) else [query]
