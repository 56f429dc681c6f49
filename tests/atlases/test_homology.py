"""Regions across species: every row can be asked from both sides, and names what real atlases have."""

from __future__ import annotations

import pytest

from pulvinar.atlases.homology import Relation, homologies, homologues, regions_called
from pulvinar.atlases.names import chinese_name
from pulvinar.model.ontology import Ontology, Region
from pulvinar.model.record import Species


def region(name: str, **said) -> Region:
    return Region("o", said.pop("id", 1), "", name, **said)


@pytest.mark.parametrize("relation", list(Relation))
def test_turning_a_relation_twice_gives_it_back(relation: Relation):
    assert relation.inverse.inverse is relation


def test_every_row_is_seen_from_both_sides():
    for one in homologies():
        assert one in homologues(one.a_species, region(one.a))
        assert one.turned in homologues(one.b_species, region(one.b))
        assert one.turned.turned == one


def test_the_table_is_large_sourced_and_has_no_pair_twice():
    rows = homologies()
    assert len(rows) >= 300
    pairs = [frozenset([(one.a_species, one.a), (one.b_species, one.b)]) for one in rows]
    assert len(set(pairs)) == len(pairs)
    assert all(one.source and one.a_species is not one.b_species for one in rows)


@pytest.mark.parametrize(
    ("species", "name", "to", "found", "relation"),
    [
        (Species.MOUSE, "Superior colliculus, motor related", Species.ZEBRAFISH, "tectum", Relation.HOMOLOGOUS),
        (Species.ZEBRAFISH, "tectum", Species.MOUSE, "Superior colliculus, sensory related", Relation.HOMOLOGOUS),
        (Species.MOUSE, "Caudoputamen", Species.HUMAN, "Putamen", Relation.CONTAINS),
        (Species.HUMAN, "Putamen", Species.MOUSE, "Caudoputamen", Relation.CONTAINED),
        (Species.MOUSE, "Thalamus", Species.HUMAN, "Thalamus", Relation.HOMOLOGOUS),
        (Species.MOUSE, "Hippocampal formation", Species.ZEBRAFISH, "lateral pallium", Relation.APPROXIMATE),
        (Species.MOUSE, "Primary visual area", Species.HUMAN, "Visual cortex V1, BA17", Relation.HOMOLOGOUS),
    ],
)
def test_textbook_pairs_are_there(species, name, to, found, relation):
    assert (found, relation) in [(one.b, one.relation) for one in homologues(species, region(name), to=to)]


def test_a_sided_region_is_found_by_its_name_without_the_side():
    left = homologues(Species.HUMAN, region("Amygdala, left", side="left"), to=Species.MACAQUE)
    assert any(one.b == "amygdala" for one in left)


def test_a_sentence_says_what_the_relation_means():
    (one,) = [one for one in homologues(Species.MOUSE, region("Caudoputamen")) if one.b == "putamen"]
    assert one.explained() == "Caudoputamen corresponds to putamen and more"
    assert one.explained("zh", a="尾壳核", b="壳") == "尾壳核包含与壳对应的部分"


def test_a_row_means_regions_of_an_ontology_by_name_before_synonym():
    ontology = Ontology("o", "1", (region("Putamen", id=1), region("Shell", id=2, synonyms=("Putamen",))))
    assert [one.id for one in regions_called("putamen", ontology)] == [1]
    assert [one.id for one in regions_called("shell", ontology)] == [2]
    assert regions_called("nothing", ontology) == ()


def test_most_regions_that_are_compared_have_a_chinese_name():
    names = {name for one in homologies() for name in (one.a, one.b)}
    lacking = sorted(name for name in names if chinese_name(name) is None)
    assert len(lacking) <= 0.03 * len(names), lacking
