"""What the card says is what is measured."""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path

import pytest

from pulvinar.solutions.cards import measure_card
from pulvinar.solutions.cells import card as cards
from pulvinar.solutions.cells.sample_data import mouse_reference


def test_the_models_are_those_of_the_card():
    folder = Path(cards.__file__).parent / "models"
    said = tomllib.loads((Path(cards.__file__).parent / "card.toml").read_text("utf-8"))
    for model in said["model"]:
        data = (folder / model["file"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == model["sha256"]
        assert len(data) < 1_000_000


def test_the_reference_cells_of_a_real_brain_are_found(sample):
    samples = Path(sample("mouse/cells_lightsheet")).parents[1]
    cells, reference = cards.mouse_cells(samples), mouse_reference(samples)
    near = cards.along_streak_um(cells.zyx_um, reference).min(axis=0) <= 10
    assert len(reference) == 56
    assert near.mean() >= 0.95
    assert len(cells) < 250


@pytest.mark.deep
def test_measuring_again_gives_what_the_card_says(sample):
    samples = Path(sample("mouse/cells_lightsheet")).parents[1]
    sample("macaque/retrograde_cells")
    again = measure_card("cells", samples)
    assert len(again) == 5
    for measured in again:
        assert measured.holds, measured
