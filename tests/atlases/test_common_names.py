"""What a name means in atlases that call the same structure differently."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pulvinar.atlases.common_names import common_names, regions_meant
from pulvinar.ingest.atlas_packers.mouse import allen_regions
from pulvinar.model.ontology import Ontology, Region


def tree(*names: str) -> Ontology:
    return Ontology("made", "1", tuple(Region("made", at, f"R{at}", name) for at, name in enumerate(names, 1)))


def meant(text: str, ontology: Ontology) -> list[str]:
    return [region.name for region in regions_meant(text, ontology)]


def test_an_atlas_s_own_name_counts_alone_and_the_best_alternative_where_it_has_none():
    whole, parts = tree("Hippocampus", "Hippocampal formation"), tree("Hippocampal formation", "CA fields")
    assert meant("hippocampus", whole) == ["Hippocampus"]
    assert meant("Hippocampal formation", whole) == ["Hippocampal formation"]
    assert meant(" Hippocampus ", parts) == meant("海马", parts) == ["Hippocampal formation"]
    assert meant("Hippocampal formation", tree("Hippocampus", "Thalamus")) == ["Hippocampus"]
    assert meant("hippocampus", tree("Thalamus")) == meant("no such thing", parts) == []


def test_a_structure_that_an_atlas_has_in_parts_means_all_of_them():
    assert meant("striatum", tree("Caudate", "Putamen", "Thalamus")) == ["Caudate", "Putamen"]


def test_a_synonym_of_both_sides_means_both():
    sides = [
        Region("made", at, f"V{side[0]}", f"{side} Primary visual area", side=side, synonyms=("primary visual cortex",))
        for at, side in enumerate(("left", "right"), 1)
    ]
    assert regions_meant("Primary visual cortex", Ontology("made", "1", tuple(sides))) == tuple(sides)
    assert regions_meant("right Primary visual area", Ontology("made", "1", tuple(sides))) == (sides[1],)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("hippocampus", ["Hippocampal region"]),
        ("superior colliculus", ["Superior colliculus, sensory related", "Superior colliculus, motor related"]),
        ("V1", ["Primary visual area"]),
        ("胼胝体", ["corpus callosum"]),
    ],
)
def test_the_real_allen_tree_is_asked_by_common_names(sample: Callable[[str], Path], asked: str, expected: list[str]):
    told = json.loads(sample("mouse/allen_ccfv3_25um/ABA_annotation_last.json").read_text())
    assert meant(asked, Ontology("allen_mouse", "2017", tuple(allen_regions(told)))) == expected


def test_no_name_of_the_table_stands_in_two_rows():
    rows = Path(__file__).parents[2] / "src/pulvinar/atlases/names/common.tsv"
    names = [name for line in rows.read_text("utf-8").splitlines()[1:] for name in line.split("\t")[0].split("; ")]
    assert len(names) == len(set(names)) == len(common_names())
