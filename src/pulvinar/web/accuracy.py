"""An accuracy card as it is shown: lines by what was measured, and below them how it was, each said once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count, groupby
from string import ascii_lowercase

from pulvinar.solutions.cards import Card, Figure


@dataclass(frozen=True)
class Line:
    """A figure by words: what was measured and by what, the value with its unit, its interval ("" without), how many
    values it is the mean of, and the marks of what is said of it below."""

    what: str
    by: str
    truth: str
    value: str
    interval: str
    count: int
    marks: tuple[str, ...]


@dataclass(frozen=True)
class ShownCard:
    """A card in one language. `groups` and `peers` are lines by what was measured; `notes` are marks and texts."""

    purpose: str
    not_for: str
    headlines: tuple[Line, ...]
    groups: tuple[tuple[str, tuple[Line, ...]], ...]
    peers: tuple[tuple[str, tuple[Line, ...]], ...]
    notes: tuple[tuple[str, str], ...]
    failures: tuple[str, ...]
    data: tuple[tuple[str, str, str], ...]


def shown_card(card: Card, language: str) -> ShownCard:
    """`card` in a language ("en", "zh")."""
    used = list(dict.fromkeys(key for one in (*card.figures, *card.peers) for key in one.notes))
    marks = dict(zip(used, _marks(), strict=False))
    lines = {one: _line(card, one, language, marks) for one in (*card.figures, *card.peers)}
    return ShownCard(
        card.purpose[language],
        card.not_for[language],
        tuple(lines[one] for one in card.figures if one.headline),
        _grouped(lines[one] for one in card.figures),
        _grouped(lines[one] for one in card.peers),
        tuple((marks[key], card.notes[key][language]) for key in used),
        card.failures[language],
        tuple((one["what"], one["source"], one["licence"]) for one in card.data),
    )


def _marks() -> Iterable[str]:
    """a to z, then a2 …"""
    return (letter + (str(turn) if turn > 1 else "") for turn in count(1) for letter in ascii_lowercase)


def _line(card: Card, one: Figure, language: str, marks: dict[str, str]) -> Line:
    unit = card.unit_of(one, language)

    def said(value: float) -> str:
        return f"{value:.3f}" if not unit else f"{value:.3g}"

    interval = f"{said(one.low)} – {said(one.high)}" if one.low < one.high else ""
    value = f"{said(one.value)} {unit}".strip()
    what, by = (part[:1].upper() + part[1:] for part in card.name_of(one, language))
    return Line(what, by, one.truth, value, interval, one.count, tuple(marks[key] for key in one.notes))


def _grouped(lines: Iterable[Line]) -> tuple[tuple[str, tuple[Line, ...]], ...]:
    return tuple((what, tuple(some)) for what, some in groupby(lines, lambda line: line.what))
