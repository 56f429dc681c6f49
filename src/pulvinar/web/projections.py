"""Where neurons project to, as a table with few columns: regions that together hold the most neurite."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import log10

from pulvinar.catalogue.neurons import Neuron
from pulvinar.model.ontology import Ontology, Region

MOST_COLUMNS = 18
_SHADES = 8
_NOTHING = 1e-9
"""What is left of a sum by rounding."""
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
    into those below it for as long as there is room, so that each is as fine as the neurons are. What lies in a region
    that is opened, and in none below it, stays in the region's own column."""
    total = _with_ancestors(_added(one.length_um for one in neurons), ontology)
    columns = _opened([one.id for one in ontology.children(None) if total.get(one.id)], total, ontology)
    lengths = [_in_columns(one.length_um, columns, ontology) for one in neurons]
    ends = [_in_columns(one.ends, columns, ontology) for one in neurons]
    most = max((length for each in lengths for length in each.values()), default=1.0)
    regions = tuple(sorted((ontology.region(one) for one in columns), key=lambda one: ontology.position(one.id)))
    cells = tuple(
        tuple(Cell(a.get(one.id, 0.0), int(b.get(one.id, 0)), _shade(a.get(one.id, 0.0), most)) for one in regions)
        for a, b in zip(lengths, ends, strict=True)
    )
    return Projections(regions, cells)


def _added(values: Iterable[Mapping[int, float]]) -> dict[int, float]:
    total: dict[int, float] = {}
    for each in values:
        for region, value in each.items():
            total[region] = total.get(region, 0.0) + value
    return total


def _with_ancestors(values: Mapping[int, float], ontology: Ontology) -> dict[int, float]:
    """`values` by region, added up for all that hold it."""
    found: dict[int, float] = {}
    for region, value in values.items():
        for one in ontology.ancestors(region, itself=True) if region in ontology else ():
            found[one.id] = found.get(one.id, 0.0) + value
    return found


def _in_columns(values: Mapping[int, float], columns: set[int], ontology: Ontology) -> dict[int, float]:
    """`values` by region, each in the lowest column that holds it."""
    found: dict[int, float] = {}
    for region, value in values.items():
        line = ontology.ancestors(region, itself=True) if region in ontology else ()
        column = next((one.id for one in line if one.id in columns), None)
        if column is not None:
            found[column] = found.get(column, 0.0) + value
    return found


def _opened(roots: Sequence[int], total: Mapping[int, float], ontology: Ontology) -> set[int]:
    """At most `MOST_COLUMNS` regions that together hold all there is."""
    columns = set(roots)
    done: set[int] = set()
    while columns - done:
        biggest = max(columns - done, key=lambda one: total[one])
        done.add(biggest)
        below = {one.id for one in ontology.children(biggest) if total.get(one.id)}
        rest = total[biggest] - sum(total[one] for one in below)
        opened = (columns | below) if rest > _NOTHING * total[biggest] else (columns - {biggest}) | below
        if below and len(opened) <= MOST_COLUMNS:
            columns = opened
    return columns


def _shade(length_um: float, most_um: float) -> int:
    if length_um <= 0:
        return 0
    top = max(log10(most_um / _FAINTEST_UM), 1e-9)
    return max(1, min(_SHADES, round(1 + (_SHADES - 1) * log10(max(length_um, _FAINTEST_UM) / _FAINTEST_UM) / top)))
