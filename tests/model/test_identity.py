import time

import pytest

from pulvinar.errors import Invalid
from pulvinar.model.identity import check_id, new_id


def test_identifiers_are_unique_carry_their_node_and_sort_by_time():
    first = new_id("beijing")
    time.sleep(0.002)
    second = new_id("beijing")
    assert first.startswith("beijing-")
    assert first < second
    assert check_id(first) == first
    assert len({new_id() for _ in range(1000)}) == 1000


@pytest.mark.parametrize("text", ["", "local", "../etc", "local-01J", "LOCAL-" + "0" * 26, "local-" + "u" * 26])
def test_what_is_no_identifier_is_refused(text: str):
    with pytest.raises(Invalid):
        check_id(text)
