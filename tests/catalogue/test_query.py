from __future__ import annotations

import pickle
from datetime import date

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from pulvinar.catalogue.query import parse, written
from pulvinar.catalogue.query_fields import LONGEST_UM, NAMES, Field
from pulvinar.catalogue.query_nodes import (
    And,
    Dated,
    InBox,
    Near,
    Not,
    Or,
    Query,
    QueryError,
    Resolution,
    Said,
    Words,
    all_of,
    any_of,
    negated,
)
from pulvinar.errors import Invalid
from pulvinar.model.terms import Vocabulary, terms


def test_words_stand_side_by_side_and_all_count() -> None:
    assert parse("whole brain") == And((Words("whole"), Words("brain")))
    assert parse("brain") == Words("brain")
    assert parse("  ") == And()
    assert parse('"apical dendrite"') == Words("apical dendrite", phrase=True)


def test_or_binds_the_two_beside_it_closer_than_words_beside_each_other() -> None:
    either = Or((Said(Field.REGION, "CA1"), Said(Field.REGION, "CA3")))
    assert parse("neuron region:CA1 OR region:CA3") == And((Words("neuron"), either))
    assert parse("(a b) OR c") == Or((And((Words("a"), Words("b"))), Words("c")))
    assert parse("猫 或 狗") == parse("猫 OR 狗")


def test_minus_takes_away_what_follows_and_is_a_letter_inside_a_word() -> None:
    assert parse("brain -virus") == And((Words("brain"), Not(Words("virus"))))
    assert parse("-(a OR b)") == Not(Or((Words("a"), Words("b"))))
    assert parse("--a") == Words("a")
    assert parse("c-Fos") == Words("c-Fos")
    assert parse("a - b") == And((Words("a"), Words("-"), Words("b")))


def test_fields_are_understood_in_both_languages_with_narrow_and_wide_signs() -> None:
    chinese = parse("物种：小鼠，脑区：“海马”，模态：光片")
    assert chinese == parse('species:mouse region:"海马" modality:"light sheet"')
    assert chinese == And(
        (Said(Field.SPECIES, "mouse"), Said(Field.REGION, "海马"), Said(Field.MODALITY, "light-sheet"))
    )
    assert parse("（类型：骨架　或　has:cells）") == Or((Said(Field.KIND, "skeleton"), Said(Field.HAS, "points")))
    assert parse("Licence:CC-BY-4.0") == parse("license:cc-by-4.0") == parse("许可：CC-BY-4.0")


def test_every_name_of_a_field_names_it() -> None:
    for field, names in NAMES.items():
        for name in names:
            if field not in (Field.WITHIN, Field.OF, Field.BOX):
                with pytest.raises(QueryError, match="says nothing"):
                    parse(f"{name}:")


def test_a_point_is_written_x_y_z_and_kept_z_y_x_in_micrometres() -> None:
    asked = Near(300.0, (3.0, 2.0, 1.0), "allen_ccfv3")
    assert parse("within:300um of:(1,2,3)@allen_ccfv3") == asked
    assert parse("范围：0.3毫米 中心：（1，2，3）＠allen_ccfv3") == asked
    assert parse("within:0.3mm of:(-0.02 -0.01 0.005)mm@mni152") == Near(300.0, (5.0, -10.0, -20.0), "mni152")
    assert parse('within:1mm of:"optic tectum" fish') == And((Near(1000.0, region="optic tectum"), Words("fish")))


def test_a_box_is_two_opposite_corners_of_one_space() -> None:
    asked = InBox((300.0, 20.0, 1.0), (600.0, 50.0, 4.0), "allen_ccfv3")
    assert parse("box:(1,20,300)..(4,50,600)@allen_ccfv3") == asked
    assert parse("box:(4,20,600) .. (1,50,300)um @allen_ccfv3") == asked
    assert parse("方框：（0.001，0.02，0.3）..（0.004，0.05，0.6）毫米＠allen_ccfv3") == asked


def test_resolution_and_dates_are_compared() -> None:
    assert parse("resolution:<2um") == Resolution("<", 2.0)
    assert parse("分辨率：≤500nm") == Resolution("<=", 0.5)
    assert parse("resolution:1um..1mm") == And((Resolution(">=", 1.0), Resolution("<=", 1000.0)))
    assert parse("date:>2020") == Dated(">=", date(2021, 1, 1))
    assert parse("date:>=2020") == Dated(">=", date(2020, 1, 1))
    assert parse("date:<=2020-02") == Dated("<", date(2020, 3, 1))
    assert parse("日期：2020年12月") == And((Dated(">=", date(2020, 12, 1)), Dated("<", date(2021, 1, 1))))
    assert parse("date:2019..2020-05-07") == And((Dated(">=", date(2019, 1, 1)), Dated("<", date(2020, 5, 8))))


@pytest.mark.parametrize(
    ("asked", "at", "message", "hint"),
    [
        ("speces:mouse", 0, "not a field", "species"),
        ("a 物中：小鼠", 2, "not a field", "物种"),
        ("species:mose", 8, "no species", "mouse"),
        ("species:klingon", 8, "no species", "zebrafish"),
        ("modality:lightsheat", 9, "no known modality", "light-sheet"),
        ("kind:skeletton", 5, "no kind", "skeleton"),
        ("resolution:<2", 11, "no unit", "2um"),
        ("resolution:fine", 11, "not a length", "300um"),
        ("date:>yesterday", 5, "not a date", "2020-05-17"),
        ("date:2020-13", 5, "not a date", "2020"),
        ("homologues:maybe", 11, "neither yes nor no", "yes or no"),
        ("(a b", 0, "never closed", ")"),
        ("a b)", 3, "closes nothing", "take it out"),
        ("a ()", 2, "nothing in these parentheses", "take them out"),
        ('brain "whole', 6, "never closed", '"'),
        ("OR a", 0, "between two", "before"),
        ("a OR", 2, "between two", "after"),
        ("a OR OR b", 2, "between two", "after"),
        ("a NOT", 2, "nothing here to take away", "after"),
        ("region:", 7, "says nothing", "quotes"),
        ('region:""', 7, "says nothing", "colon"),
        ("of:(1,2,3)@x", 0, "needs a distance", "within"),
        ("within:5um brain", 11, "needs a place", "of:"),
        ("within:5um of:(1,2)@x", 14, "not a point", "three numbers"),
        ("within:5um of:(1,2,3)", 14, "not a point", "a space"),
        ("box:(1,2,3)@x", 4, "not a box", "two corners"),
        ("a box:(1,2,3)..(4,5,6)", 6, "not a box", "a space"),
        ("box:(1,2,3)..(4,2,6)@x", 4, "empty", "opposite corners"),
    ],
)
def test_an_error_points_at_its_character_and_says_what_would_be_right(
    asked: str, at: int, message: str, hint: str
) -> None:
    with pytest.raises(QueryError) as told:
        parse(asked)
    assert (told.value.at, told.value.query) == (at, asked)
    assert message in told.value.message
    assert hint in told.value.hint


def test_the_caret_stands_below_the_character_though_characters_are_wide() -> None:
    with pytest.raises(QueryError) as told:
        parse("物种：小鼠 spec:x")
    line, caret = told.value.pointer.split("\n")
    assert line == "物种：小鼠 spec:x"
    assert caret == " " * 11 + "^"
    assert pickle.loads(pickle.dumps(told.value)).pointer == told.value.pointer


def test_what_a_record_says_that_no_term_is_can_be_quoted() -> None:
    assert parse('modality:"lightsheat"') == Said(Field.MODALITY, "lightsheat")
    assert written(parse('modality:"lightsheat"')) == 'modality:"lightsheat"'


@pytest.mark.parametrize("asked", ["x" * 1001, "(" * 200, "-(" * 100, " ".join("x" * 41), " ".join(["date:2020"] * 21)])
def test_a_search_that_is_too_much_is_refused(asked: str) -> None:
    with pytest.raises(Invalid):
        parse(asked)


_PIECES = st.sampled_from(
    [*(f"{name}:" for names in NAMES.values() for name in names), *'()"“”「」-：<>≥＜@,，.|&', "OR", "或", " ", "NOT",
     "AND", "mouse", "小鼠", "2um", "..", "2020", "(1,2,3)@x", "within:3um of:", "é", "\u3000", "\x00", "\ud800"]
)  # fmt: skip


@given(st.text(max_size=80) | st.lists(_PIECES, max_size=20).map("".join))
@example("-\u3000")
@example("date:9999")
@example("date:0000")
def test_any_text_is_either_read_or_refused_and_what_is_read_can_be_written(text: str) -> None:
    try:
        read = parse(text)
    except QueryError as error:
        refused = error
    else:
        assume(len(written(read)) <= 1000)
        assert parse(written(read)) == read
        return
    assert 0 <= refused.at <= len(text)
    assert refused.message
    assert refused.hint


_BARE = st.from_regex(r"[a-z0-9海马小鼠é][a-zA-Z0-9海马'._/-]{0,9}", fullmatch=True).filter(lambda one: one != "或")
_QUOTED = st.text(st.characters(exclude_characters='"＂“”「」『』'), max_size=12).map(str.strip)
_TERMS = {
    Field.SPECIES: Vocabulary.SPECIES,
    Field.MODALITY: Vocabulary.MODALITY,
    Field.STAIN: Vocabulary.STAIN,
    Field.LICENCE: Vocabulary.LICENCE,
}
_LENGTHS = st.floats(min_value=1e-6, max_value=LONGEST_UM).map(lambda one: round(one, 9))
_NUMBERS = st.floats(min_value=-1e9, max_value=1e9).map(lambda one: round(one, 6))


def _box(start: tuple[float, float, float], side: int, space: str) -> InBox:
    z, y, x = (round(one + side, 6) for one in start)
    return InBox(start, (z, y, x), space)


_LEAVES: st.SearchStrategy[Query] = st.one_of(
    st.builds(Words, _BARE),
    st.builds(Words, _QUOTED, phrase=st.just(True)),
    st.builds(
        Said,
        st.sampled_from([Field.REGION, Field.SOMA, Field.END, Field.LAB, Field.ATLAS]),
        _BARE | _QUOTED.filter(bool),
    ),
    st.sampled_from(list(_TERMS)).flatmap(
        lambda field: st.sampled_from([Said(field, term.key) for term in terms(_TERMS[field])])
    ),
    st.builds(Said, st.just(Field.HAS), st.sampled_from(["volume", "skeleton", "time_series"])),
    st.builds(Resolution, st.sampled_from(["<", "<=", ">", ">="]), _LENGTHS),
    st.builds(Dated, st.sampled_from([">=", "<"]), st.dates(max_value=date(9998, 1, 1))),
    st.builds(Near, _LENGTHS, st.tuples(_NUMBERS, _NUMBERS, _NUMBERS), _BARE),
    st.builds(Near, _LENGTHS, region=_BARE | _QUOTED.filter(bool)),
    st.builds(_box, st.tuples(_NUMBERS, _NUMBERS, _NUMBERS), st.integers(1, 9999), _BARE),
)
_QUERIES = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(all_of).filter(lambda one: one != And()),
        st.lists(inner, min_size=1, max_size=4).map(any_of),
        inner.map(negated),
    ),
    max_leaves=8,
)


@given(_QUERIES)
@example(Said(Field.LAB, ";0"))
def test_what_is_written_is_read_back(query: Query) -> None:
    text = written(query)
    assume(len(text) <= 1000)
    assert parse(text) == query
