"""A question as fields of a form: what the fields ask is what the text asks, and the other way round."""

import pytest

from pulvinar.catalogue.query import parse
from pulvinar.catalogue.query_form import QuestionForm, chips_of, form_of, question_of
from pulvinar.catalogue.query_nodes import And, Query, QueryError


def parts(query: Query) -> set[Query]:
    return set(query.parts) if isinstance(query, And) else {query}


@pytest.mark.parametrize(
    ("form", "query"),
    [
        (QuestionForm(), ""),
        (QuestionForm(soma="Thalamus", end="Field CA1"), 'soma:Thalamus end:"Field CA1"'),
        (QuestionForm(words="left brain", species="mouse", kind="skeleton"), "left brain species:mouse kind:skeleton"),
        (QuestionForm(region="丘脑"), 'region:"丘脑"'),
        (QuestionForm(near="Field CA1"), 'within:300um of:"Field CA1"'),
        (QuestionForm(near="1, 2,3", radius_um="50", space="allen_ccfv3"), "within:50um of:(1,2,3)@allen_ccfv3"),
        (
            QuestionForm(box_from="(1 2 3)", box_to="4.5；-5，6", space="allen_ccfv3"),
            "box:(1,2,3)..(4.5,-5,6)@allen_ccfv3",
        ),
        (QuestionForm(region='a "b" OR c'), 'region:"a  b  OR c"'),
        (QuestionForm(kind="time_series"), "kind:time_series"),
    ],
)
def test_fields_ask_what_the_language_says(form: QuestionForm, query: str) -> None:
    assert question_of(form) == query
    parse(query)


@pytest.mark.parametrize(
    "query",
    [
        "neuron -virus species:mouse region:CA1 OR region:CA3 resolution:<2um",
        "物种：小鼠 脑区：海马 模态：光片",
        'soma:Thalamus end:"Field CA1" kind:skeleton date:2020..2024',
        "region:CA1 region:CA3",
        "within:300um of:(1,2,3)@a box:(1,2,3)..(4,5,6)@b",
        "within:300um of:(1,2,3)@a box:(1,2,3)..(4,5,6)@a",
        'within:0.5mm of:"Facial motor nucleus" -kind:table',
        'kind:time_series "a phrase"',
        "",
    ],
)
def test_nothing_of_a_question_is_lost_in_the_form(query: str) -> None:
    assert parts(parse(question_of(form_of(query)))) == parts(parse(query))


def test_each_part_can_be_taken_away() -> None:
    chips = chips_of('soma:Thalamus end:"Field CA1" -virus')
    assert [one.text for one in chips] == ["soma:Thalamus", 'end:"Field CA1"', "-virus"]
    assert parts(parse(chips[1].without)) == parts(parse("soma:Thalamus -virus"))
    assert [one.without for one in chips_of("brain")] == [""]
    assert chips_of("") == ()


def test_what_is_no_number_is_pointed_at() -> None:
    asked = question_of(QuestionForm(box_from="here", box_to="1, 2, 3", space="allen_ccfv3"))
    with pytest.raises(QueryError):
        parse(asked)
