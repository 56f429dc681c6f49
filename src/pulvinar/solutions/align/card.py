"""The accuracy card: what the alignment is for, on what it was measured, how well it did, and where it fails."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib.resources import files

from pulvinar.solutions.align.measure import Figure


@dataclass(frozen=True)
class MeasuredOn:
    """A file that figures were taken on: its path below the samples, where it is from, its licence, and its SHA-256."""

    file: str
    source: str
    licence: str
    sha256: str


@dataclass(frozen=True)
class Card:
    """`purpose` and `failures` are in English and Chinese; `metrics` says what each word of a figure means."""

    solution: str
    engine: str
    purpose: str
    purpose_zh: str
    metrics: dict[str, str]
    data: tuple[MeasuredOn, ...]
    figures: tuple[Figure, ...]
    peers: tuple[Figure, ...]
    failures: tuple[str, ...]
    failures_zh: tuple[str, ...]
    machine: str


def read_card() -> Card:
    """The card as it was last measured; `measure` measures it again."""
    table = tomllib.loads((files("pulvinar.solutions.align") / "card.toml").read_text("utf-8"))
    return Card(
        table["solution"],
        table["engine"],
        table["purpose"],
        table["purpose_zh"],
        table["metrics"],
        tuple(MeasuredOn(**entry) for entry in table["data"]),
        tuple(Figure(**entry) for entry in table["figures"]),
        tuple(Figure(**entry) for entry in table["peers"]),
        tuple(table["failures"]),
        tuple(table["failures_zh"]),
        table["machine"],
    )
