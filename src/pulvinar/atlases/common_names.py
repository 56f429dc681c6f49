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

from pulvinar.errors import NotFound
from pulvinar.model.ontology import Ontology, Region, folded_name

_Alternatives = tuple[tuple[str, ...], ...]


def regions_meant(text: str, ontology: Ontology) -> tuple[Region, ...]:
    """The regions of `ontology` that `text` means; none where it has nothing of the kind."""
    own = _both_sides(text, ontology)
    if own:
        return own
    for names in common_names().get(folded_name(text.strip()), ()):
        found = [region for name in names for region in _both_sides(name, ontology)]
        if found:
            return tuple(dict.fromkeys(found))
    return ()


def region_meant(text: str, ontology: Ontology) -> Region:
    """The one region of `ontology` that `text` means. Raises `NotFound`: with their names where it means several, as of
    the two sides or of the parts of a structure, else with the names most like it."""
    found = regions_meant(text, ontology)
    if len(found) > 1:
        named = "; ".join(f"{region.name} ({region.acronym or region.id})" for region in found)
        raise NotFound(f"{text.strip()!r} means {len(found)} regions of {ontology.name}", hint=f"name one: {named}")
    return found[0] if found else ontology.find(text)


def search_regions(text: str, ontology: Ontology) -> tuple[Region, ...]:
    """The regions that `text` means, then those of which some name has every word of it, as `Ontology.search` does."""
    return tuple(dict.fromkeys((*regions_meant(text, ontology), *ontology.search(text))))


def _both_sides(name: str, ontology: Ontology) -> tuple[Region, ...]:
    """The region that the atlas itself calls so, with that of the other side where both sides, and nothing above them,
    are called so."""
    region = ontology.named(name)
    if region is None or not region.side:
        return (region,) if region else ()
    wanted = folded_name(name.strip())
    sided = (one for one in ontology.regions if one.side and one.side != region.side)
    return (region, *(one for one in sided if wanted in map(folded_name, one.names)))


@cache
def common_names() -> Mapping[str, _Alternatives]:
    """The table, by name as `folded_name` writes it: of each what it may mean, the best first."""
    table = files("pulvinar.atlases.names").joinpath("common.tsv").read_text("utf-8")
    found: dict[str, _Alternatives] = {}
    for row in csv.DictReader(table.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE):
        meant = tuple(tuple(one.split(" + ")) for one in row["regions"].split(" | "))
        found |= {folded_name(name): meant for name in row["names"].split("; ")}
    return found
