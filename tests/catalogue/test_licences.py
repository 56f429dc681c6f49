import pytest

from pulvinar.catalogue.licences import strictest


@pytest.mark.parametrize(
    ("licences", "found"),
    [
        (["CC-BY-4.0"], "CC-BY-4.0"),
        (["CC0-1.0", "CC-BY-4.0", "CC-BY-NC-4.0"], "CC-BY-NC-4.0"),
        (["CC-BY-SA-4.0", "CC-BY-NC-4.0"], "CC-BY-NC-4.0 AND CC-BY-SA-4.0"),
        (["CC-BY-SA-4.0", "CC-BY-NC-SA-4.0", "CC0-1.0"], "CC-BY-NC-SA-4.0"),
        (["our terms", "CC-BY-4.0"], "our terms"),
        (["our terms", "your terms"], "our terms AND your terms"),
        (["CC-BY-NC-4.0 AND CC-BY-SA-4.0", "CC-BY-4.0"], "CC-BY-NC-4.0 AND CC-BY-SA-4.0"),
    ],
)
def test_no_condition_is_lost(licences: list[str], found: str):
    assert strictest(licences) == found
    assert strictest(reversed(licences)) == found
