"""Cards are read whole, and a figure that no longer holds is an error."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from pulvinar.cli.app import app
from pulvinar.cli.cards import check_card
from pulvinar.errors import JobFailed, NotFound
from pulvinar.solutions.cards import Figure, compared, measure_card, read_card, read_card_of

CARDS = [read_card_of(f"pulvinar.solutions.{name}") for name in ("align", "cells", "deface")]


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.solution)
def test_every_card_names_its_truth_its_data_and_an_interval(card):
    sources = {one["name"] for one in card.data}
    assert all(card.purpose.values())
    assert all(card.not_for.values())
    assert len(card.failures["en"]) == len(card.failures["zh"]) > 0
    assert all(one["licence"] and one["source"] for one in card.data)
    assert len({one.name for one in card.figures}) == len(card.figures) > 0
    for one in card.figures:
        assert one.truth in ("GOLD", "SILVER", "OUTLINE", "SIM")
    for one in (*card.figures, *card.peers):
        assert one.data in sources
        assert one.notes
        assert all(card.notes[key]["en"] and card.notes[key]["zh"] for key in one.notes)
        assert one.low <= one.value <= one.high
        assert one.count > 0


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.solution)
def test_every_figure_is_named_in_chinese(card):
    for one in (*card.figures, *card.peers):
        what, by = card.name_of(one, "zh")
        assert by
        assert any("\u4e00" <= letter <= "\u9fff" for letter in by + what), one.name
    assert {key for one in (*card.figures, *card.peers) for key in one.notes} == set(card.notes)
    assert any(one.headline for one in card.figures)


@pytest.mark.parametrize(
    ("low", "high", "value", "holds"),
    [(0.9, 0.95, 0.9, True), (0.9, 0.95, 0.899, False), (0.9, 0.9, 0.895, True), (0.9, 0.9, 0.88, False)],
)
def test_a_figure_holds_within_its_interval_and_one_without_by_a_hundredth(low, high, value, holds):
    said = Figure("f1", "SIM", (low + high) / 2, low, high)
    assert compared(said, Figure("f1", "SIM", value, value, value)).holds is holds


def test_a_solution_without_a_card_says_so(tmp_path: Path):
    assert read_card("measure") is None
    with pytest.raises(NotFound, match="has no accuracy card"):
        measure_card("measure", tmp_path)


def test_a_figure_that_fell_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys):
    worse = Figure("made_f1_snr_3", "SIM", 0.8, 0.8, 0.8)
    monkeypatch.setattr("pulvinar.solutions.cells.measure", lambda samples: [worse])
    with pytest.raises(JobFailed, match="no longer holds: made_f1_snr_3"):
        check_card("cells", tmp_path, as_json=False)
    assert "does NOT hold" in capsys.readouterr().out


def test_cards_are_listed_at_the_command_line():
    told = CliRunner().invoke(app, ["card"])
    assert told.exit_code == 0
    assert "sections_f1_cross_validated" in told.stdout
