"""Accuracy cards: what each solution was measured on, how well it did, and measuring it again.

A card is `card.toml` beside the solution; its package has `measure(samples)`, which measures its figures again.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import Any

from pulvinar.errors import NotFound
from pulvinar.solutions.solution import find_solution

_SLACK = 0.01
"""Of a figure without an interval: what threads and versions may change."""


@dataclass(frozen=True)
class Figure:
    """A figure and its 95 % interval (the value itself where there is none).

    `name` is what was measured, by what: "mouse whole: orientation found". `truth` is GOLD (manual, of real data),
    SILVER (of real data, made by a program), OUTLINE (of real data, no more than whether outlines and intensities meet)
    or SIM (drawn); "" where a figure needs none. `count` values it is the mean of. `notes` are the keys of what its
    card says of how it was measured. A `headline` is for who reads no further.
    """

    name: str
    truth: str
    value: float
    low: float
    high: float
    unit: str = ""
    count: int = 1
    notes: tuple[str, ...] = ()
    data: str = ""
    headline: bool = False


@dataclass(frozen=True)
class Card:
    """What a solution is for, what it is not for and how it fails, by language; its figures and its peers'; the data,
    with source, licence and SHA-256.

    `notes` says by key and language how figures were measured, `words` by language what a figure's name, its parts and
    its unit are called.
    """

    solution: str
    purpose: Mapping[str, str]
    not_for: Mapping[str, str]
    failures: Mapping[str, tuple[str, ...]]
    figures: tuple[Figure, ...]
    peers: tuple[Figure, ...]
    data: tuple[Mapping[str, Any], ...]
    notes: Mapping[str, Mapping[str, str]]
    words: Mapping[str, Mapping[str, str]]

    def name_of(self, figure: Figure, language: str) -> tuple[str, str]:
        """What was measured ("" where the name doesn't say) and by what, in a language."""
        words = self.words.get(language, {})
        whole = words.get(figure.name, figure.name)
        what, _, by = whole.replace("：", ": ").rpartition(": ")
        return words.get(what, what), words.get(by, by)

    def unit_of(self, figure: Figure, language: str) -> str:
        """The unit of a figure, in a language."""
        return self.words.get(language, {}).get(figure.unit, figure.unit)


@dataclass(frozen=True)
class Measured:
    """A figure measured again: what came out, what the card says, and whether that still holds."""

    name: str
    value: float
    claimed: float
    low: float
    high: float
    holds: bool


def read_card(name: str) -> Card | None:
    """The card of a solution; None where it has none. Raises `NotFound` for an unknown solution."""
    return read_card_of(_package(name))


def read_card_of(package: str) -> Card | None:
    """The card that lies in a package; None where there is none."""
    path = files(package) / "card.toml"
    if not path.is_file():
        return None
    said = tomllib.loads(path.read_text("utf-8"))
    by_language = {part: {language: said[f"{part}_{language}"] for language in ("en", "zh")} for part in _BY_LANGUAGE}
    return Card(
        said["solution"],
        by_language["purpose"],
        by_language["not_for"],
        {language: tuple(listed) for language, listed in by_language["failures"].items()},
        tuple(map(_figure, said["figure"])),
        tuple(map(_figure, said["peer"])),
        tuple(said["data"]),
        {one["key"]: {language: one[language] for language in ("en", "zh")} for one in said["note"]},
        said["words"],
    )


_BY_LANGUAGE = ("purpose", "not_for", "failures")


def _figure(said: Mapping[str, Any]) -> Figure:
    known = {key: value for key, value in said.items() if key in Figure.__dataclass_fields__}
    return Figure(**{**known, "notes": tuple(said["notes"])})


def measure_card(name: str, samples: Path) -> tuple[Measured, ...]:
    """Measure a card's figures again, from the folder of samples; one that can't be without training is left out.

    Raises `NotFound` for a solution without a card, and where a sample isn't there.
    """
    card = read_card(name)
    if card is None:
        raise NotFound(f"the solution {name!r} has no accuracy card", hint="pulvinar card lists those that have one")
    said = {one.name: one for one in card.figures}
    measure: Callable[[Path], Iterable[Figure]] = import_module(_package(name)).measure
    return tuple(compared(said[one.name], one) for one in measure(samples) if one.name in said)


def compared(said: Figure, found: Figure) -> Measured:
    """Whether what was `found` lies within the interval of what the card `said`."""
    slack = 0.0 if said.low < said.high else _SLACK * abs(said.value)
    holds = said.low - slack <= found.value <= said.high + slack
    return Measured(said.name, found.value, said.value, said.low, said.high, holds)


def _package(name: str) -> str:
    return type(find_solution(name)).__module__.rpartition(".")[0]
