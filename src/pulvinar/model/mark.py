"""Marks: what a person writes onto a brain, and how they are written down."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from math import isfinite
from typing import Any

from pulvinar.errors import Invalid
from pulvinar.model.text import short, storable
from pulvinar.model.volume import Triple

MOST_PLACES = 10_000
LONGEST_TEXT = 2000
_FARTHEST_UM = 1e9
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_COLOR = re.compile(r"[0-9A-F]{6}")
_REGION = re.compile(r"[A-Za-z0-9_.-]{1,64}:[0-9]{1,20}")


class MarkKind(StrEnum):
    """What a mark is of."""

    POINT = "point"
    LINE = "line"
    POLYLINE = "polyline"
    BOX = "box"
    NOTE = "note"
    """A text at a place."""
    CORRECTION = "correction"
    """This place, or this box, should be of another region."""
    VERDICT = "verdict"
    """Whether a found cell is one, or one was missed here."""


class CellVerdict(StrEnum):
    """What somebody says about a place where a cell was found, or was not."""

    ACCEPT = "accept"
    REJECT = "reject"
    ADD = "add"


_PLACES = {
    MarkKind.POINT: (1, 1),
    MarkKind.LINE: (2, 2),
    MarkKind.POLYLINE: (2, MOST_PLACES),
    MarkKind.BOX: (2, 2),
    MarkKind.NOTE: (1, 1),
    MarkKind.CORRECTION: (1, 2),
    MarkKind.VERDICT: (1, 1),
}


@dataclass(frozen=True)
class Mark:
    """One mark: `places_um` are (z, y, x) in micrometres of the frame of its document; of a box, two opposite corners.

    `region` ("<ontology>:<number>", 0 of the number is no region) is what a correction asks for; `verdict` is of a
    verdict; `color` six digits of hex or "".
    """

    kind: MarkKind
    places_um: tuple[Triple, ...]
    text: str = ""
    color: str = ""
    region: str = ""
    verdict: str = ""


def check_mark_id(text: object) -> str:
    """`text` itself when it can name a mark within its document. Raises `Invalid`."""
    if not isinstance(text, str) or not _ID.fullmatch(text):
        raise Invalid(f"{short(text, 80)!r} can't name a mark", hint="1 to 64 letters of A-Z, a-z, 0-9, the dash and _")
    return text


def mark_to_json(mark: Mark) -> dict[str, Any]:
    """`mark` as JSON; what is empty is left out."""
    said = {name: value for name in ("text", "color", "region", "verdict") if (value := getattr(mark, name))}
    return {"kind": mark.kind.value, "places_um": [list(place) for place in mark.places_um], **said}


def mark_from_json(value: object) -> Mark:
    """The mark that `mark_to_json` wrote, or a person's program. Raises `Invalid` for what is none."""
    if not isinstance(value, Mapping):
        raise Invalid(f"{short(value, 80)!r} is no mark", hint="an object with kind and places_um")
    unknown = set(value) - {one.name for one in fields(Mark)}
    if unknown:
        raise Invalid(
            f"a mark has no {short(min(unknown, key=str), 80)!r}", hint="kind, places_um, text, color, region, verdict"
        )
    try:
        kind = MarkKind(str(value.get("kind")))
    except ValueError as error:
        raise Invalid(
            f"{short(value.get('kind'), 80)!r} is no kind of mark", hint=f"known: {', '.join(MarkKind)}"
        ) from error
    mark = Mark(kind, _places(kind, value.get("places_um")), **{name: _said(value, name) for name in _SAID})
    _check_meaning(mark)
    return mark


_SAID = ("text", "color", "region", "verdict")


def _said(value: Mapping[str, Any], name: str) -> str:
    said = value.get(name, "")
    if not isinstance(said, str):
        raise Invalid(f"{name} of a mark is {short(said, 80)!r}", hint="it is text")
    if len(said) > LONGEST_TEXT:
        raise Invalid(f"{name} of a mark has {len(said)} letters", hint=f"at most {LONGEST_TEXT}")
    kept: str = storable(said)
    return kept.upper().removeprefix("#") if name == "color" else kept


def _places(kind: MarkKind, value: object) -> tuple[Triple, ...]:
    fewest, most = _PLACES[kind]
    if not isinstance(value, Sequence) or isinstance(value, str) or not fewest <= len(value) <= most:
        count = len(value) if isinstance(value, Sequence) else "no"
        raise Invalid(
            f"a {kind.value} has {count} places", hint=f"{fewest}" if fewest == most else f"{fewest} to {most}"
        )
    places = tuple(_place(one) for one in value)
    if kind is MarkKind.BOX and any(one == other for one, other in zip(*places, strict=True)):
        raise Invalid(f"the box from {places[0]} to {places[1]} is empty", hint="name two opposite corners")
    return places


def _place(value: object) -> Triple:
    numbers = value if isinstance(value, Sequence) and not isinstance(value, str) and len(value) == 3 else ()
    if not numbers or not all(isinstance(one, (int, float)) and not isinstance(one, bool) for one in numbers):
        raise Invalid(f"{short(value, 80)!r} is no place", hint="three numbers z, y, x in micrometres")
    # of an integer of a thousand digits there is no float
    if not all(-_FARTHEST_UM <= one <= _FARTHEST_UM for one in numbers) or not all(map(isfinite, numbers)):
        raise Invalid(f"the place {short(value, 80)} lies too far away", hint=f"within {_FARTHEST_UM:g} µm")
    z, y, x = (float(one) + 0.0 for one in numbers)
    return z, y, x


def _check_meaning(mark: Mark) -> None:
    if mark.color and not _COLOR.fullmatch(mark.color):
        raise Invalid(f"{mark.color!r} is no colour", hint="six digits of hex, as FF8800")
    if mark.kind is MarkKind.NOTE and not mark.text.strip():
        raise Invalid("a note says nothing", hint="give it a text")
    if bool(mark.region) != (mark.kind is MarkKind.CORRECTION) or (mark.region and not _REGION.fullmatch(mark.region)):
        raise Invalid(
            f"the region of a {mark.kind.value} is {mark.region!r}",
            hint='a correction names one as "<ontology>:<number>", nothing else does',
        )
    if (mark.kind is MarkKind.VERDICT) != (mark.verdict in set(CellVerdict)) or (
        mark.verdict and mark.kind is not MarkKind.VERDICT
    ):
        raise Invalid(
            f"the verdict of a {mark.kind.value} is {mark.verdict!r}",
            hint=f"a verdict is one of {', '.join(CellVerdict)}, nothing else has one",
        )
