"""Where neurons project to, as a table with few columns: regions that together hold the most neurite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log10

from pulvinar.catalogue.neurons import Neuron
from pulvinar.model.ontology import Ontology, Region

MOST_COLUMNS = 18
_SHADES = 8
_FAINTEST_UM = 50.0
"""Less neurite than this gets the faintest shade; each shade above stands for the same factor."""


@dataclass(frozen=True)
class Cell:
    """How much of a neuron lies in a region and all below it: micrometres, ends, and a shade from 0 (none) to 8."""

    length_um: float
    ends: int
    shade: int


@dataclass(frozen=True)
class Projections:
    """`cells` has one row a neuron and one entry a region of `regions`."""

    regions: tuple[Region, ...]
    cells: tuple[tuple[Cell, ...], ...]


def projections(neurons: Sequence[Neuron], ontology: Ontology) -> Projections:
    """The neurite of `neurons` by region. Columns begin at the roots of the tree; the one with most neurite is opened
    into those below it for as long as there is room, so that each is as fine as the neurons are."""
    lengths = [_with_ancestors(one.length_um, ontology) for one in neurons]
    ends = [_with_ancestors(one.ends, ontology) for one in neurons]
    total: dict[int, float] = {}
    for each in lengths:
        for region, length in each.items():
            total[region] = total.get(region, 0.0) + length
    columns = _opened([one for one in ontology.children(None) if total.get(one.id)], total, ontology)
    most = max((length for each in lengths for region, length in each.items() if region in columns), default=1.0)
    regions = tuple(sorted((ontology.region(one) for one in columns), key=lambda one: ontology.position(one.id)))
    cells = tuple(
        tuple(Cell(a.get(one.id, 0.0), int(b.get(one.id, 0)), _shade(a.get(one.id, 0.0), most)) for one in regions)
        for a, b in zip(lengths, ends, strict=True)
    )
    return Projections(regions, cells)


def _with_ancestors(values: Mapping[int, float], ontology: Ontology) -> dict[int, float]:
    """`values` by region, added up for all that hold it."""
    found: dict[int, float] = {}
    for region, value in values.items():
        for one in ontology.ancestors(region, itself=True) if region in ontology else ():
            found[one.id] = found.get(one.id, 0.0) + value
    return found


def _opened(roots: Sequence[Region], total: Mapping[int, float], ontology: Ontology) -> set[int]:
    """Regions without one above another, at most `MOST_COLUMNS` of them, that hold all there is."""
    columns = {one.id for one in roots}
    closed: set[int] = set()
    while columns - closed:
        biggest = max(columns - closed, key=lambda one: total[one])
        below = [one.id for one in ontology.children(biggest) if total.get(one.id)]
        # what lies in the region itself, and in none below it, would be lost
        whole = sum(total[one] for one in below) >= 0.995 * total[biggest]
        if below and whole and len(columns) - 1 + len(below) <= MOST_COLUMNS:
            columns = (columns - {biggest}) | set(below)
        else:
            closed.add(biggest)
    return columns


def _shade(length_um: float, most_um: float) -> int:
    if length_um <= 0:
        return 0
    top = max(log10(most_um / _FAINTEST_UM), 1e-9)
    return max(1, min(_SHADES, round(1 + (_SHADES - 1) * log10(max(length_um, _FAINTEST_UM) / _FAINTEST_UM) / top)))
