"""The Basic Application Level Confidentiality Profile of DICOM: what becomes of each attribute.

`profile.csv` holds the facts of PS3.15 (edition 2024b), table E.1-1, column "Basic Profile": tag, keyword and action.
Of groups that the table gives as ranges (curves, overlays, private attributes) `is_dropped` knows.
"""

from __future__ import annotations

import csv
from enum import StrEnum
from functools import cache
from importlib.resources import files

_CURVES, _OVERLAYS = range(0x5000, 0x5100), range(0x6000, 0x6100)


class Action(StrEnum):
    """What is done with an attribute. Where the table leaves a choice, the one that says the least."""

    DUMMY = "D"
    EMPTY = "Z"
    REMOVE = "X"
    NEW_UID = "U"


_CHOSEN = {
    "D": Action.DUMMY,
    "Z": Action.EMPTY,
    "X": Action.REMOVE,
    "U": Action.NEW_UID,
    "Z/D": Action.DUMMY,
    "X/Z": Action.EMPTY,
    "X/D": Action.REMOVE,
    "X/Z/D": Action.EMPTY,
    "X/Z/U*": Action.EMPTY,
}


@cache
def actions() -> dict[int, Action]:
    """The action of each tag of the table."""
    text = (files("pulvinar.ingest.people") / "profile.csv").read_text("ascii")
    return {int(row["tag"], 16): _CHOSEN[row["action"]] for row in csv.DictReader(text.splitlines())}


def is_dropped(tag: int) -> bool:
    """Whether a tag's whole group goes: private ones, curves and overlays."""
    group = tag >> 16
    return bool(group & 1) or group in _CURVES or group in _OVERLAYS


@cache
def imaging_words() -> frozenset[str]:
    """Words that a description may keep, for they say how an image was taken, never of whom."""
    text = (files("pulvinar.ingest.people") / "imaging_words.txt").read_text("ascii")
    return frozenset(text.split())
