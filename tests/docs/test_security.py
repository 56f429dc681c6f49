"""The table of security has every requirement of levels 1 and 2 once, and names only what there is."""

import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "security.md").read_text("utf-8")
STATES = {"yes", "partly", "operator", "not yet", "none"}
# how many requirements of levels 1 and 2 each section of the standard has; those of level 3 are left out
SECTIONS = {
    "1.1": 2, "1.2": 9, "1.3": 11, "1.4": 3, "1.5": 2, "2.1": 3, "2.2": 3, "2.3": 4, "2.4": 1, "3.2": 2, "3.3": 4,
    "3.4": 6, "3.5": 5, "3.7": 2, "4.1": 3, "4.2": 1, "4.3": 2, "4.4": 4, "5.1": 1, "5.2": 3, "5.3": 2, "5.4": 3,
    "6.1": 3, "6.2": 12, "6.3": 4, "6.4": 4, "6.5": 5, "6.6": 3, "6.8": 4, "7.1": 3, "7.2": 4, "7.3": 2, "7.4": 5,
    "7.5": 2, "7.6": 2, "8.1": 2, "8.2": 3, "8.3": 1, "8.4": 1, "9.1": 3, "9.2": 4, "10.1": 2, "10.2": 2,
    "10.3": 4, "10.4": 11, "10.5": 5, "10.6": 2, "10.7": 3, "11.1": 2, "11.2": 3, "11.3": 3, "11.4": 4, "11.5": 1,
    "11.6": 1, "12.1": 3, "12.2": 2, "12.3": 4, "13.1": 1, "13.2": 5, "13.3": 2, "13.4": 5, "14.1": 2, "14.2": 4,
    "14.3": 3, "15.1": 3, "15.2": 3, "15.3": 7, "16.1": 1, "16.2": 5, "16.3": 4, "16.4": 3, "16.5": 3, "17.1": 1,
    "17.2": 4, "17.3": 2,
}  # fmt: skip
NUMBER = re.compile(r"(\d+\.\d+)\.(\d+)(?:-(\d+\.\d+)\.(\d+))?")
PATH = re.compile(r"`((?:src|tests|docs|requirements|viewer|deploy)/[\w./-]*)(?:::(\w+))?`")


def rows() -> list[list[str]]:
    table = [line.strip("| ").split(" | ") for line in TEXT.splitlines() if re.match(r"\| \d", line)]
    assert len(table) > 150
    return table


def numbers(said: str) -> list[str]:
    """The requirements that a row is about: 1.2.6-1.2.8 are three."""
    found = []
    for section, first, _, last in NUMBER.findall(said):
        found += [f"{section}.{at}" for at in range(int(first), int(last or first) + 1)]
    return found


def test_every_requirement_of_levels_1_and_2_has_its_row():
    wanted = {f"{section}.{at}" for section, count in SECTIONS.items() for at in range(1, count + 1)}
    told = Counter(number for row in rows() for number in numbers(re.match(r"[\d.,\- ]+", row[0])[0]))
    assert set(told) == wanted
    assert max(told.values()) == 1


def test_every_state_is_one_that_is_explained():
    assert {row[1].rstrip(" |") for row in rows()} <= STATES


@pytest.mark.parametrize(("path", "test"), sorted(set(PATH.findall(TEXT))))
def test_what_is_named_is_there(path: str, test: str):
    assert (ROOT / path).exists()
    if test:
        assert f"def {test}(" in (ROOT / path).read_text("utf-8")


def test_whoever_claims_a_thing_is_done_says_where():
    for row in rows():
        if row[1] == "yes" and len(row) < 3:
            pytest.fail(f"{row[0]} is done, and nobody says where")
