import pytest

from pulvinar.errors import Invalid
from pulvinar.model.solution import Parameter, ParameterKind, SolutionDescription, Words

SAID = Words("x", "某")


def parameter(kind: ParameterKind, default: object, **more: object) -> Parameter:
    return Parameter("size", kind, SAID, default, **more)


@pytest.mark.parametrize(
    ("kind", "given", "read"),
    [
        (ParameterKind.INTEGER, "7", 7),
        (ParameterKind.INTEGER, 7.0, 7),
        (ParameterKind.NUMBER, "2.5", 2.5),
        (ParameterKind.TEXT, "2.5", "2.5"),
        (ParameterKind.FLAG, "yes", True),
        (ParameterKind.FLAG, False, False),
    ],
)
def test_a_value_is_read_from_text_too(kind: ParameterKind, given: object, read: object):
    found = parameter(kind, read).checked(given)
    assert found == read
    assert type(found) is type(read)


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        (ParameterKind.INTEGER, "7.5"),
        (ParameterKind.INTEGER, 7.5),
        (ParameterKind.INTEGER, True),
        (ParameterKind.INTEGER, 101),
        (ParameterKind.NUMBER, "nan"),
        (ParameterKind.NUMBER, -1),
        (ParameterKind.NUMBER, None),
        (ParameterKind.TEXT, 3),
        (ParameterKind.FLAG, "perhaps"),
        (ParameterKind.CHOICE, "c"),
    ],
)
def test_what_is_no_such_value_is_refused(kind: ParameterKind, given: object):
    one = parameter(kind, 1, minimum=0, maximum=100, choices=("a", "b"), unit="voxels")
    with pytest.raises(Invalid, match="parameter 'size' is") as refused:
        one.checked(given)
    assert refused.value.hint == f"use {one.range_in_words}"


def test_a_range_is_told_in_words():
    assert parameter(ParameterKind.INTEGER, 1, minimum=16, unit="voxels").range_in_words == (
        "a whole number from 16 voxels"
    )
    assert parameter(ParameterKind.NUMBER, 1, maximum=2.5).range_in_words == "a number up to 2.5"
    assert parameter(ParameterKind.CHOICE, "a", choices=("a", "b")).range_in_words == "one of a, b"


def test_defaults_fill_what_is_not_given():
    one = SolutionDescription("x", "1", SAID, SAID, (), (), (parameter(ParameterKind.INTEGER, 3),))
    assert one.checked({}) == {"size": 3}
    assert one.checked({"size": "4"}) == {"size": 4}
    with pytest.raises(Invalid, match="no parameter 'sice'"):
        one.checked({"sice": 4})
