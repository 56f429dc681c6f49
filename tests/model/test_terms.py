"""Terms are known by all of their names, and their identifiers are those of the systems that gave them."""

import pytest

from pulvinar.model.record import Species
from pulvinar.model.terms import (
    Vocabulary,
    by_identifier,
    folded,
    keyed,
    known_as,
    latin_name,
    named,
    nearest,
    recognise,
    search_terms,
    terms,
)

EVERY = [term for vocabulary in Vocabulary for term in terms(vocabulary)]


@pytest.mark.parametrize(
    ("vocabulary", "text", "key"),
    [
        (Vocabulary.MODALITY, "T1加权", "T1w"),
        (Vocabulary.MODALITY, "MRI T1", "T1w"),
        (Vocabulary.MODALITY, "light sheet", "light-sheet"),
        (Vocabulary.MODALITY, "lightsheet fluorescence", "light-sheet"),
        (Vocabulary.MODALITY, " Light_Sheet ", "light-sheet"),
        (Vocabulary.MODALITY, "光片", "light-sheet"),
        (Vocabulary.MODALITY, "2-photon", "two-photon"),
        (Vocabulary.MODALITY, "HD-fMOST", "fMOST"),
        (Vocabulary.MODALITY, "T2*加权", "T2star"),
        (Vocabulary.MODALITY, "T2加权", "T2w"),
        (Vocabulary.STAIN, "cfos", "c-Fos"),
        (Vocabulary.STAIN, "尼氏", "Nissl"),
        (Vocabulary.STAIN, "EGFP", "GFP"),
        (Vocabulary.LICENCE, "cc by 4.0", "CC-BY-4.0"),
        (Vocabulary.LICENCE, "知识共享署名 4.0", "CC-BY-4.0"),
        (Vocabulary.SEX, "♀", "female"),
        (Vocabulary.SEX, "雄", "male"),
        (Vocabulary.SPECIES, "恒河猴", "macaque"),
    ],
)
def test_a_term_is_known_by_its_usual_names(vocabulary, text, key):
    assert recognise(vocabulary, text).key == keyed(vocabulary, text) == key


@pytest.mark.parametrize("term", EVERY, ids=lambda term: f"{term.vocabulary}-{term.key}")
def test_every_name_leads_to_its_own_term_and_no_name_is_of_two(term):
    assert term.zh
    for name in term.names:
        assert recognise(term.vocabulary, name) is term
        assert recognise(term.vocabulary, f"  {name.upper()} ") is term


def test_no_key_stands_twice():
    assert len({(term.vocabulary, term.key) for term in EVERY}) == len(EVERY)


@pytest.mark.parametrize("text", ["", "  ", "phlogiston", "-", "?"])
def test_what_is_no_term_stays_what_was_said(text):
    assert recognise(Vocabulary.MODALITY, text) is None
    assert keyed(Vocabulary.MODALITY, text) == text.strip()
    assert named(Vocabulary.MODALITY, text, "zh") == text


@pytest.mark.parametrize(
    ("vocabulary", "text", "key"),
    [
        (Vocabulary.MODALITY, "ligth sheet", "light-sheet"),
        (Vocabulary.MODALITY, "fMOST; annotation", "annotation"),
        (Vocabulary.MODALITY, "双光子显微术", "two-photon"),
        (Vocabulary.LICENCE, "CC-BY-4", "CC-BY-4.0"),
        (Vocabulary.STAIN, "anti-GFAP", "GFAP"),
    ],
)
def test_the_nearest_term_is_named(vocabulary, text, key):
    assert nearest(vocabulary, text).key == key


@pytest.mark.parametrize("text", ["", "zzzzqqqq", "心电"])
def test_nothing_is_near_to_nonsense(text):
    assert nearest(Vocabulary.MODALITY, text) is None


def test_terms_are_found_by_words_in_both_languages():
    assert "light-sheet" in {term.key for term in search_terms("sheet light")}
    assert {term.key for term in search_terms("双光子")} == {"two-photon", "serial-two-photon"}
    assert {term.key for term in search_terms("fluorescent", Vocabulary.STAIN)} >= {"GFP", "RFP"}
    assert not {term.vocabulary for term in search_terms("fluorescent", Vocabulary.STAIN)} - {Vocabulary.STAIN}
    assert list(search_terms("")) == EVERY
    assert list(search_terms("phlogiston")) == []


def test_terms_are_found_by_what_others_call_them():
    assert by_identifier(Vocabulary.MODALITY, "bids", "SPIM").key == "light-sheet"
    assert by_identifier(Vocabulary.SPECIES, "ncbi_taxon", "9544").key == "macaque"
    assert by_identifier(Vocabulary.MODALITY, "bids", "nothing") is None
    assert known_as(Vocabulary.SEX, "女", "nwb") == "F"
    assert known_as(Vocabulary.MODALITY, "fMOST", "bids") == ""


@pytest.mark.parametrize("species", list(Species))
def test_the_species_are_those_of_the_platform(species):
    term = recognise(Vocabulary.SPECIES, latin_name(species))
    assert term.key == species.value
    assert f"NCBITaxon:{term.identifiers['ncbi_taxon']}" == species.ncbi_taxon
    assert {term.key for term in terms(Vocabulary.SPECIES)} == set(Species)


def test_names_fold_without_accents_and_signs():
    assert folded("Hæmatoxylin-Éosin ") == "hæmatoxylineosin"
    assert folded("c-Fos") == folded("CFOS")


def bids_suffixes():
    from bidsschematools.schema import load_schema

    return {entry["value"] for entry in load_schema().to_dict()["objects"]["suffixes"].values()}


def test_every_bids_suffix_is_one_of_the_standard():
    named_suffixes = {term.identifiers["bids"] for term in EVERY if "bids" in term.identifiers}
    assert len(named_suffixes) > 15
    assert named_suffixes <= bids_suffixes()


def test_every_openminds_instance_is_in_its_library():
    from openminds.latest.controlled_terms import BiologicalSex, Technique
    from openminds.latest.controlled_terms import Species as TheirSpecies
    from openminds.latest.core import License

    known = {one.id for kind in (BiologicalSex, Technique, TheirSpecies, License) for one in kind.instances()}
    ours = {term.identifiers["openminds"] for term in EVERY if "openminds" in term.identifiers}
    assert len(ours) > 40
    assert {f"https://openminds.om-i.org/instances/{one}" for one in ours} - known == set()


def test_every_licence_but_none_is_an_spdx_identifier_with_an_address():
    for term in terms(Vocabulary.LICENCE):
        assert term.identifiers["url"].startswith("https://")
        assert " " not in term.key
