"""Regions that are known by their names alone: of the parcels of signals and matrices, and of the specimen."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Literal

from pulvinar.model.ontology import Ontology, Region, folded_name

_SIDE = re.compile(r"^(?:left|right|lh|rh|l|r)[\s_.:-]+|[\s_.:-]+(?:left|right|lh|rh|l|r)$", re.IGNORECASE)
_WHOLE = {"", "brain", "wholebrain", "head", "脑", "全脑"}
_LEAST_MATCHED = 0.5


def region_named(ontology: Ontology, name: str) -> Region | None:
    """The region that `name` means, with or without a side; None for a number, which any list has."""
    if not any(letter.isalpha() for letter in name):
        return None
    found = ontology.named(name)
    return found or ontology.named(_SIDE.sub("", name.strip()))


def side_named(name: str) -> Literal["left", "right", ""]:
    """The side that a name says, at its beginning or its end."""
    found = _SIDE.search(name.strip())
    letter = next((one for one in found.group().casefold() if one in "lr"), "") if found else ""
    return {"l": "left", "r": "right"}.get(letter, "")  # type: ignore[return-value]


def parcels_named(ontology: Ontology, names: Sequence[str]) -> dict[int, float]:
    """How many of `names` mean each region; none when fewer than half mean any, for then it is another parcellation."""
    found = [region_named(ontology, name) for name in names]
    counts = Counter(region.id for region in found if region is not None)
    if not names or sum(counts.values()) < _LEAST_MATCHED * len(names):
        return {}
    return {region: float(counts[region]) for region in sorted(counts, key=ontology.position)}


def specimen_region(ontology: Ontology, part: str) -> Region | None:
    """The region that a record names as what was taken; None where that is the whole brain."""
    if folded_name(part) in _WHOLE:
        return None
    found = region_named(ontology, part)
    return found if found is not None and found.parent is not None else None
