"""The table of projections: few columns that hold all the neurite."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.atlases.toy import ONTOLOGY

from pulvinar.catalogue.neurons import Neuron
from pulvinar.model.ontology import Ontology, Region
from pulvinar.web.projections import MOST_COLUMNS, projections

LEAVES = (11, 12, 614454277, 20)


def neuron(**length_um: float) -> Neuron:
    lengths = {int(name.removeprefix("r")): value for name, value in length_um.items()}
    return Neuron("id", "n", "d", 1, "t", "measured", {}, (11,), lengths, {12: 3})


def test_columns_are_opened_as_far_as_the_neurons_reach():
    table = projections([neuron(r11=500.0, r12=100.0), neuron(r614454277=2000.0)], ONTOLOGY)
    assert [one.acronym for one in table.regions] == ["CTX1", "CTX2", "TH"]
    assert [cell.length_um for cell in table.cells[0]] == [500.0, 100.0, 0.0]
    assert [cell.ends for cell in table.cells[0]] == [0, 3, 0]
    assert table.cells[1][2].shade == 8
    assert table.cells[0][2].shade == 0


def test_what_lies_in_a_region_and_in_none_below_it_has_the_regions_own_column():
    table = projections([neuron(r10=300.0, r11=500.0)], ONTOLOGY)
    assert [one.id for one in table.regions] == [10, 11]
    assert [cell.length_um for cell in table.cells[0]] == [300.0, 500.0]


@given(st.lists(st.dictionaries(st.sampled_from(LEAVES), st.floats(1, 1e5)), max_size=6))
def test_no_neurite_is_lost_or_counted_twice(lengths: list[dict[int, float]]):
    neurons = [Neuron("id", "n", "d", 1, "t", "measured", {}, (), one, {}) for one in lengths]
    table = projections(neurons, ONTOLOGY)
    for one, cells in zip(lengths, table.cells, strict=True):
        assert sum(cell.length_um for cell in cells) == pytest.approx(sum(one.values()))
        assert all(0 < cell.shade <= 8 for cell in cells if cell.length_um)


def test_a_tree_with_many_branches_stays_readable():
    regions = [Region("wide", 0, "root", "root")] + [Region("wide", n, f"r{n}", f"r{n}", 0) for n in range(1, 60)]
    lengths = dict.fromkeys(range(1, 60), 10.0)
    table = projections(
        [Neuron("id", "n", "d", 1, "t", "m", {}, (), lengths, {})], Ontology("wide", "1", tuple(regions))
    )
    assert len(table.regions) <= MOST_COLUMNS
    assert table.cells[0][0].length_um == pytest.approx(590)
