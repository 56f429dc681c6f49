"""What a name means in an atlas: the region called so there, or what is commonly meant by it.

Atlases call one structure by several names: the hippocampus is "Hippocampus" in AAL, "Hippocampal region" in the Allen
atlas, and INIA19 tells only a "Hippocampal formation". The rule: an atlas's own name, acronym or synonym counts first,
and alone (a synonym that its two sides share means both). Where an atlas calls nothing so, `names/common.tsv` tells
what the name means: alternatives, the best first, each of one or several regions; the first of which the atlas has a
region counts, with all its regions that are there. That holds within one atlas; what is alike in another species under
another name is a matter of `homology`.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from pulvinar.model.ontology import Ontology, Region, folded_name

_Alternatives = tuple[tuple[str, ...], ...]


def regions_meant(text: str, ontology: Ontology) -> tuple[Region, ...]:
    """The regions of `ontology` that `text` means; none where it has nothing of the kind."""
    wanted = folded_name(text.strip())
    own = ontology.named(text)
    if own is not None:
        return (own, *_other_side(own, wanted, ontology))
    for names in common_names().get(wanted, ()):
        found = [region for name in names if (region := ontology.named(name)) is not None]
        if found:
            return tuple(dict.fromkeys(found))
    return ()


def _other_side(region: Region, wanted: str, ontology: Ontology) -> tuple[Region, ...]:
    """The region of the other side where both sides, and nothing above them, are called so."""
    if not region.side:
        return ()
    sided = (one for one in ontology.regions if one.side and one.side != region.side)
    return tuple(one for one in sided if wanted in map(folded_name, one.synonyms))


@cache
def common_names() -> Mapping[str, _Alternatives]:
    """The table, by name as `folded_name` writes it: of each what it may mean, the best first."""
    table = files("pulvinar.atlases.names").joinpath("common.tsv").read_text("utf-8")
    found: dict[str, _Alternatives] = {}
    for row in csv.DictReader(table.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE):
        meant = tuple(tuple(one.split(" + ")) for one in row["regions"].split(" | "))
        found |= {folded_name(name): meant for name in row["names"].split("; ")}
    return found
