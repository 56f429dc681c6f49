"""What the demonstration brings in, and what becomes of it when its list changes."""

from dataclasses import replace

import pytest

from pulvinar.catalogue.datasets import list_datasets
from pulvinar.catalogue.versions import list_versions
from pulvinar.cli import demo
from pulvinar.cli.demo import Brain, bring_in_brains
from pulvinar.model.access import LOCAL_OWNER
from pulvinar.platform import open_platform
from pulvinar.settings import load_settings


@pytest.fixture
def outline(samples):
    """The smallest brain of the list."""
    here, _ = demo.known_brains(samples)
    return next(one for one in here if one.said["key"] == "zebrafish-outline")


def test_a_list_that_changes_makes_a_version_and_no_second_dataset(outline: Brain, tmp_path, monkeypatch, capsys):
    shown = [outline]
    monkeypatch.setattr(demo, "known_brains", lambda samples: (shown, []))
    monkeypatch.setattr(demo, "_listed", lambda: {"atlas": []})
    with open_platform(load_settings(environment={}, home=tmp_path / "home")) as platform:
        assert bring_in_brains(platform)
        # the same list again changes nothing
        assert bring_in_brains(platform)
        (dataset,) = list_datasets(platform.database, LOCAL_OWNER).items
        assert len(list_versions(platform.database, LOCAL_OWNER, dataset.id)) == 1

        parts = ({**outline.parts[0], "name": "Surface"},)
        shown[0] = replace(outline, said={**outline.said, "part": list(parts)}, parts=parts)
        assert bring_in_brains(platform)
        (same,) = list_datasets(platform.database, LOCAL_OWNER).items
        assert same.id == dataset.id
        versions = list_versions(platform.database, LOCAL_OWNER, dataset.id)
        assert sorted(one.number for one in versions) == [1, 2]
        newest = max(versions, key=lambda one: one.number)
        (asset,) = newest.assets
        assert asset.name == "Surface"
