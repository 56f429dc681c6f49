"""The command `pulvinar card`: what solutions were measured on, and measuring them again."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path

from pulvinar.cli.show import print_json, print_table
from pulvinar.errors import JobFailed, NotFound
from pulvinar.solutions.cards import measure_card, read_card
from pulvinar.solutions.solution import describe_all


def list_cards(*, as_json: bool) -> None:
    """The figures of every solution that has a card."""
    cards = [card for one in describe_all() if (card := read_card(one.name))]
    if as_json:
        print_json([asdict(card) for card in cards])
        return
    rows = [
        [card.solution, one.name, one.truth, f"{one.value:.3f}", f"{one.low:.3f} to {one.high:.3f}"]
        for card in cards
        for one in card.figures
    ]
    print_table(rows, ["solution", "figure", "truth", "value", "95 %"])


def check_card(name: str, samples: Path | None, *, as_json: bool) -> None:
    """Measure a solution again. Raises `JobFailed` where a figure falls out of its interval."""
    named = samples or (Path(os.environ["PULVINAR_SAMPLES"]) if "PULVINAR_SAMPLES" in os.environ else None)
    if named is None or not named.is_dir():
        raise NotFound("the samples to measure on are not there", hint="name their folder: --samples FOLDER")
    found = measure_card(name, named)
    if as_json:
        print_json([asdict(one) for one in found])
    else:
        rows = [
            [one.name, f"{one.value:.3f}", f"{one.claimed:.3f}", f"{one.low:.3f} to {one.high:.3f}", _held(one.holds)]
            for one in found
        ]
        print_table(rows, ["figure", "measured", "card", "95 %", ""])
    if fallen := [one.name for one in found if not one.holds]:
        raise JobFailed(f"the card of {name} no longer holds: {', '.join(fallen)}", hint="measure, and mend the card")


def _held(holds: bool) -> str:
    return "holds" if holds else "does NOT hold"
