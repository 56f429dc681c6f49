"""The card says what was measured, on what, and what its words mean."""

import hashlib

from pulvinar.solutions.align.card import read_card


def test_every_figure_names_its_truth_and_holds_its_mean():
    card = read_card()
    assert card.figures
    for figure in (*card.figures, *card.peers):
        assert figure.truth in card.metrics
        assert figure.low <= figure.mean <= figure.high
        assert figure.count > 0
    assert len(card.failures) == len(card.failures_zh) > 0
    assert card.purpose
    assert card.purpose_zh


def test_the_files_are_those_that_were_measured(sample):
    for entry in read_card().data:
        assert hashlib.sha256(sample(entry.file).read_bytes()).hexdigest() == entry.sha256
        assert entry.licence
        assert entry.source
