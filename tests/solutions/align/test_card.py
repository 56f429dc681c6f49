"""The files that the card was measured on are those of the samples."""

import hashlib

from pulvinar.solutions.cards import read_card_of


def test_the_files_are_those_that_were_measured(sample):
    card = read_card_of("pulvinar.solutions.align")
    listed = [entry for entry in card.data if entry["sha256"]]
    assert listed
    for entry in listed:
        assert hashlib.sha256(sample(entry["name"]).read_bytes()).hexdigest() == entry["sha256"]
