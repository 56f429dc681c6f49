"""Cards are read whole, and a figure that no longer holds is an error."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from pulvinar.cli.app import app
from pulvinar.cli.cards import check_card
from pulvinar.errors import JobFailed, NotFound
from pulvinar.solutions.cards import measure_card, read_card
from pulvinar.solutions.solution import describe_all


def test_every_card_names_its_truth_its_data_and_an_interval():
    cards = [card for one in describe_all() if (card := read_card(one.name))]
    assert cards
    for card in cards:
        sources = {one["name"] for one in card.data}
        assert all(card.purpose.values())
        assert all(one["licence"] and one["source"] for one in card.data)
        for one in card.figures:
            assert one.truth in ("GOLD", "SILVER", "SIM")
            assert one.data in sources
            assert one.low <= one.value <= one.high


def test_a_solution_without_a_card_says_so(tmp_path: Path):
    assert read_card("measure") is None
    with pytest.raises(NotFound, match="has no accuracy card"):
        measure_card("measure", tmp_path)


def test_a_figure_that_fell_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys):
    number = lambda value: SimpleNamespace(value=value, low=0.9, high=0.95)  # noqa: E731
    found = [SimpleNamespace(name="f1", value=number(0.8), was=number(0.92), holds=False)]
    monkeypatch.setattr("pulvinar.solutions.cells.card.measure", lambda samples: found)
    with pytest.raises(JobFailed, match="no longer holds: f1"):
        check_card("cells", tmp_path, as_json=False)
    assert "does NOT hold" in capsys.readouterr().out


def test_cards_are_listed_at_the_command_line():
    told = CliRunner().invoke(app, ["card"])
    assert told.exit_code == 0
    assert "sections_f1_cross_validated" in told.stdout
