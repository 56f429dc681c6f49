"""Accuracy cards: what each solution was measured on, how well it did, and measuring it again.

A card is `card.toml` beside the solution; a module `card` there with `measure(samples)` measures its figures again.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import Any

from pulvinar.errors import NotFound
from pulvinar.solutions.solution import find_solution


@dataclass(frozen=True)
class Figure:
    """A figure of a card: its `metric` by definition, on which data, and what kind of truth that had (GOLD: manual, of
    real data; SILVER: of real data, made by a tool or an untrained eye; SIM: drawn); with its 95 % interval."""

    name: str
    truth: str
    data: str
    metric: str
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Card:
    """What a solution is for, what it is not for, how it fails, and its figures; text by language."""

    solution: str
    purpose: dict[str, str]
    not_for: dict[str, str]
    failures: tuple[str, ...]
    figures: tuple[Figure, ...]
    data: tuple[dict[str, Any], ...]


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
    path = files(_package(name)) / "card.toml"
    if not path.is_file():
        return None
    said = tomllib.loads(path.read_text("utf-8"))
    fields = ("name", "truth", "data", "metric", "value", "low", "high")
    return Card(
        said["solution"],
        {language: said[f"purpose_{language}"] for language in ("en", "zh")},
        {language: said[f"not_for_{language}"] for language in ("en", "zh")},
        tuple(said["failures"]),
        tuple(Figure(*(one[field] for field in fields)) for one in said["figure"]),
        tuple(said["data"]),
    )


def measure_card(name: str, samples: Path) -> tuple[Measured, ...]:
    """Measure a card's figures again, from the folder of samples. Raises `NotFound` for a solution without a card, and
    where a sample isn't there."""
    if read_card(name) is None:
        raise NotFound(f"the solution {name!r} has no accuracy card", hint="pulvinar card lists those that have one")
    measure: Callable[[Path], Sequence[Any]] = import_module(f"{_package(name)}.card").measure
    return tuple(
        Measured(one.name, one.value.value, one.was.value, one.was.low, one.was.high, one.holds)
        for one in measure(samples)
    )


def _package(name: str) -> str:
    return type(find_solution(name)).__module__.rpartition(".")[0]
