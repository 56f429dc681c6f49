"""What the card says is what is measured."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from pulvinar.solutions.cells import card as cards
from pulvinar.solutions.cells.sample_data import mouse_reference


def test_the_card_says_of_every_figure_what_it_is():
    said = cards.card()
    for figure in said["figure"]:
        assert {"name", "value", "low", "high", "truth", "metric", "data"} <= set(figure)
        assert figure["truth"] in {"GOLD", "SILVER", "SIM"}
        assert figure["low"] <= figure["value"] <= figure["high"]
        assert figure["data"] in {data["name"] for data in said["data"]}
    assert said["purpose_en"]
    assert said["purpose_zh"]
    assert said["failures"]


def test_the_models_are_those_of_the_card():
    folder = Path(cards.__file__).parent / "models"
    for model in cards.card()["model"]:
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


@pytest.mark.slow
def test_measuring_again_gives_what_the_card_says(sample):
    samples = Path(sample("mouse/cells_lightsheet")).parents[1]
    sample("macaque/retrograde_cells")
    for measured in cards.measure(samples):
        assert measured.holds, measured
        assert np.isfinite(measured.value.value)
