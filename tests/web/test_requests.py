import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulvinar.web.requests import RangeNotSatisfiable, matches_etag, parse_range, wanted_range


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (b"bytes=0-0", (0, 1)),
        (b"bytes=2-4", (2, 5)),
        (b"bytes=2-", (2, 10)),
        (b"bytes=-3", (7, 10)),
        (b"bytes=-99", (0, 10)),
        (b"bytes=5-99", (5, 10)),
        (b"bytes=4-2", None),
        (b"bytes=0-1,4-5", None),
        (b"bytes=-", None),
        (b"lines=0-1", None),
        (b"bytes=a-b", None),
        (b"bytes=0x1-2", None),
        (b"bytes=" + b"9" * 5000 + b"-", None),
    ],
)
def test_single_ranges_are_understood_and_all_else_is_ignored(asked: bytes, answer: tuple[int, int] | None):
    assert parse_range(asked, 10) == answer


@pytest.mark.parametrize(
    ("asked", "size"), [(b"bytes=10-", 10), (b"bytes=11-12", 10), (b"bytes=-0", 10), (b"bytes=-5", 0)]
)
def test_a_range_outside_of_the_object_is_refused(asked: bytes, size: int):
    with pytest.raises(RangeNotSatisfiable):
        parse_range(asked, size)


@given(st.binary(max_size=40) | st.from_regex(rb"bytes=\d{0,5}-\d{0,5}", fullmatch=True), st.integers(0, 5000))
def test_whatever_is_asked_a_range_lies_inside_of_the_object(asked: bytes, size: int):
    try:
        found = parse_range(asked, size)
    except RangeNotSatisfiable:
        return
    assert found is None or 0 <= found[0] < found[1] <= size


def test_a_range_of_an_older_state_gets_the_whole():
    scope = {"headers": [(b"range", b"bytes=0-1"), (b"if-range", b'"old"')]}
    assert wanted_range(scope, b'"new"', 10) is None
    assert wanted_range(scope, b'"old"', 10) == (0, 2)


def test_etags_are_compared_weakly_and_in_lists():
    assert matches_etag(b'W/"a", "b"', b'"a"')
    assert matches_etag(b"*", b'"a"')
    assert not matches_etag(b'"ab"', b'"a"')
    assert not matches_etag(b"", b'"a"')
