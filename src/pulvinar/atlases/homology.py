"""Which regions of two species are compared with each other, how, and who says so.

The table is `homology.tsv`: two regions by species and English name, the relation that the first has to the second, and
a source. It holds each pair once; asked from the other side, the relation is turned round.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from importlib.resources import files

from pulvinar.model.ontology import Ontology, Region, folded_name
from pulvinar.model.record import Species


class Relation(StrEnum):
    """What the first region is to the second."""

    EXACT = "exact"
    HOMOLOGOUS = "homologous"
    CONTAINS = "contains"
    CONTAINED = "contained"
    OVERLAPS = "overlaps"
    APPROXIMATE = "approximate"

    @property
    def inverse(self) -> Relation:
        """What the second is to the first."""
        turned = {Relation.CONTAINS: Relation.CONTAINED, Relation.CONTAINED: Relation.CONTAINS}
        return turned.get(self, self)


_EXPLAINED = {
    Relation.EXACT: ("{a} is the same as {b}", "{a}与{b}相同"),
    Relation.HOMOLOGOUS: ("{a} and {b} come from the same structure of a common ancestor", "{a}与{b}同源"),
    Relation.CONTAINS: ("{a} corresponds to {b} and more", "{a}包含与{b}对应的部分"),
    Relation.CONTAINED: ("{a} corresponds to a part of {b}", "{a}对应于{b}的一部分"),
    Relation.OVERLAPS: ("{a} and {b} correspond in part", "{a}与{b}部分对应"),
    Relation.APPROXIMATE: ("{a} is compared with {b}, though not everybody agrees", "{a}与{b}大致对应，尚有争议"),
}


@dataclass(frozen=True)
class Homology:
    """A region `a` of one species, its `relation` to the region `b` of another, and the `source` of that."""

    a_species: Species
    a: str
    relation: Relation
    b_species: Species
    b: str
    source: str
    note: str = ""

    @property
    def turned(self) -> Homology:
        """The same, seen from `b`."""
        other = replace(self, a_species=self.b_species, a=self.b, b_species=self.a_species, b=self.a)
        return replace(other, relation=self.relation.inverse)

    def explained(self, language: str = "en", *, a: str = "", b: str = "") -> str:
        """One sentence, in "en" or "zh"; `a` and `b` are what to call the regions there."""
        english, chinese = _EXPLAINED[self.relation]
        return (chinese if language == "zh" else english).format(a=a or self.a, b=b or self.b)


@cache
def homologies() -> tuple[Homology, ...]:
    """The whole table, each pair once."""
    text = (files("pulvinar.atlases") / "homology.tsv").read_text("utf-8")
    return tuple(
        Homology(
            Species(row["a_species"]),
            row["a"],
            Relation(row["relation"]),
            Species(row["b_species"]),
            row["b"],
            row["source"],
            row["note"] or "",
        )
        for row in csv.DictReader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
    )


@cache
def _by_region() -> dict[tuple[Species, str], tuple[Homology, ...]]:
    found: dict[tuple[Species, str], list[Homology]] = {}
    for one in homologies():
        for seen in (one, one.turned):
            found.setdefault((seen.a_species, folded_name(seen.a)), []).append(seen)
    return {key: tuple(value) for key, value in found.items()}


def homologues(species: Species, region: Region, *, to: Species | None = None) -> tuple[Homology, ...]:
    """What is compared with a region, seen from it; `to` keeps those of one species.

    A region that an atlas numbers for each side counts by its name without the side.
    """
    names = {folded_name(name) for name in (region.name, *region.synonyms, *_without_side(region))}
    found = [one for name in sorted(names) for one in _by_region().get((species, name), ())]
    return tuple(dict.fromkeys(one for one in found if to in (None, one.b_species)))


def _without_side(region: Region) -> Iterable[str]:
    if region.side:
        yield region.name.removesuffix(f", {region.side}").removeprefix(f"{region.side} ")


def regions_called(name: str, ontology: Ontology) -> tuple[Region, ...]:
    """The regions of an ontology that a row of the table means by `name`; none where it has no such region."""
    wanted = folded_name(name)
    exact = [one for one in ontology.regions if folded_name(one.name) == wanted]
    return tuple(exact or (one for one in ontology.regions if wanted in map(folded_name, one.synonyms)))
