"""Nobody learns of what they may not see, on any route: the whole matrix is `make bench NAME=leaks`."""

import pytest
from sqlalchemy import true
from tests.web.leaks import Matrix

from pulvinar.catalogue import versions
from pulvinar.platform import open_platform
from pulvinar.settings import load_settings


@pytest.fixture
def platform(tmp_path):
    with open_platform(load_settings(environment={}, home=tmp_path / "home", public=True)) as opened:
        yield opened


def said(found):
    return "\n".join(f"{one.state}, {one.role}: {one.route.method} {one.route.path}" for one in found.leaks)


@pytest.mark.parametrize("state", ["private", "controlled"])
def test_no_route_tells_of_what_is_hidden(platform, state):
    found = Matrix(platform).run((state,))
    assert found.cases >= 200
    assert not found.leaks, said(found)


def test_a_leak_that_is_planted_is_found(platform, monkeypatch):
    matrix = Matrix(platform)
    monkeypatch.setattr(versions, "seen_version", lambda *_: true())
    found = matrix.run(("private",))
    assert "/api/v1/datasets/{dataset_id}/versions/{number}" in {one.route.path for one in found.leaks}
