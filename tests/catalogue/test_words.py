import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulvinar.catalogue.words import Reach, words_of, words_of_record
from pulvinar.model.record import Acquisition, Contributor, Record, Species, Specimen, Subject

CHINESE = st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF), min_size=1, max_size=8)


@pytest.mark.parametrize(
    ("said", "runs"),
    [
        ("Hippocampus", [("hippocampus",)]),
        ("NAÏVE Größe Étude señor", [("naive",), ("grosse",), ("etude",), ("senor",)]),
        ("brain.tif p56_male Thy1-GFP", [("brain",), ("tif",), ("p56",), ("male",), ("thy1",), ("gfp",)]),
        ("ＧＦＰ １２µm ﬁbre", [("gfp",), ("12μm",), ("fibre",)]),
        ("海马体", [("海马", "马体", "体")]),
        ("脑", [("脑",)]),
        ("海马CA1区", [("海马", "马"), ("ca1",), ("区",)]),
        ("小鼠，全脑。", [("小鼠", "鼠"), ("全脑", "脑")]),
        ("α-synuclein Ωmega", [("α",), ("synuclein",), ("ωmega",)]),
        ("🧠 — _~", []),
        ("", []),
    ],
)
def test_words_are_plain_and_chinese_goes_by_pairs(said, runs):
    assert words_of(said) == runs


@given(st.text())
def test_a_letter_with_its_accent_is_the_same_however_it_is_written(text):
    assert words_of(unicodedata.normalize("NFC", text)) == words_of(unicodedata.normalize("NFD", text))


@given(st.text(alphabet="aeéßöñžçÅαβжй19 -"))
def test_large_letters_and_small_ones_are_the_same(text):
    assert words_of(text.upper()) == words_of(text.lower()) == words_of(text)


@given(st.text(), st.text())
def test_what_stands_beside_a_text_does_not_change_its_words(one, two):
    assert words_of(f"{one} {two}") == words_of(one) + words_of(two)


@given(st.text() | st.text(alphabet="_~ab'\"\\:*@海 "))
def test_no_text_gives_a_word_with_a_sign_of_reach_or_of_a_query(text):
    for run in words_of(text):
        for word in run:
            assert 0 < len(word) <= 128
            assert all(letter.isalnum() for letter in word)
            assert not word.startswith((Reach.SHARED.value, Reach.OWNER.value))


@given(CHINESE, st.data())
def test_any_part_of_a_chinese_text_is_a_phrase_of_its_words(text, data):
    (run,) = words_of(text)
    first = data.draw(st.integers(0, len(run) - 1))
    (part,) = words_of(text[first : data.draw(st.integers(first + 1, len(run)))])
    assert run[first : first + len(part) - 1] == part[:-1]
    assert run[first + len(part) - 1].startswith(part[-1])


def test_the_beginning_of_an_endless_word_counts():
    assert words_of("a" * 500) == [("a" * 128,)]
    assert words_of("é" * 500) == [("e" * 128,)]
    assert len(words_of("脑" * 500)[0]) == 500


def test_everything_that_people_say_of_a_dataset_is_among_its_words():
    said = {
        "title": "Title",
        "description": "about",
        "lab": "laboratory",
        "citation": "cited",
        "keywords": ("keyone", "keytwo"),
        "contributors": (Contributor("Somebody Else"),),
        "subject": Subject("m7", Species.MOUSE, strain="C57BL"),
        "specimen": Specimen(part="cerebellum"),
        "acquisition": Acquisition(modality="confocal", stains=("dapi",), instrument="scope"),
    }
    found = words_of_record(Record(species=Species.MOUSE, licence="CC0", **said), ["scan 一"])
    expected = "title about laboratory cited keyone keytwo somebody else m7 c57bl cerebellum confocal dapi scope scan"
    assert {(word,) for word in expected.split()} | {("一",), ("小鼠", "鼠"), ("mouse",), ("mus",)} <= set(found)
    assert len(found) == len(set(found))


@pytest.mark.parametrize("species", list(Species))
def test_every_species_is_found_in_chinese_and_english(species):
    found = words_of_record(Record("x", species, "CC0", specimen=Specimen(part="")), ())
    names = {"zebrafish": "斑马鱼", "mouse": "小鼠", "macaque": "猕猴", "human": "人类"}
    for name in (species.value, names[species.value]):
        assert words_of(name)[0] in found
