"""A person puts datasets together from the command line."""

import json

import pytest

from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue.datasets import create_dataset
from pulvinar.errors import NotFound
from pulvinar.model.record import Record, Species
from pulvinar.platform import open_platform
from pulvinar.settings import load_settings


@pytest.fixture
def two(pulvinar):
    """The identifiers of two datasets."""
    with open_platform(load_settings()) as platform, UnitOfWork(platform.database, platform.actor) as work:
        titles = ("The first", "第二个")
        return [create_dataset(work, Record(title, Species.MOUSE, "CC0-1.0"), node="local").id for title in titles]


def test_a_collection_is_made_shown_changed_shared_and_deleted(pulvinar, two):
    made = pulvinar("collection", "make", "Figure 3", "--description", "What it was made of", "--add", two[1]).strip()
    pulvinar("collection", "add", made, two[0], two[1])
    told = json.loads(pulvinar("collection", "show", made, "--json"))
    assert [one["id"] for one in told["datasets"]] == [two[1], two[0]]
    assert (told["title"], told["description"], told["is_public"]) == ("Figure 3", "What it was made of", False)
    assert "第二个" in pulvinar("collection", "show", made)
    pulvinar("collection", "share", made)
    assert json.loads(pulvinar("collection", "list", "--json"))[0]["is_public"]
    pulvinar("collection", "share", made, "--private")
    pulvinar("collection", "remove", made, two[1])
    pulvinar("collection", "describe", made, "Figure 4")
    listed = pulvinar("collection", "list", "--dataset", two[0])
    assert made in listed
    assert "Figure 4" in listed
    assert made not in pulvinar("collection", "list", "--dataset", two[1])
    pulvinar("collection", "delete", made)
    with pytest.raises(NotFound):
        pulvinar("collection", "show", made)


def test_a_dataset_that_is_not_there_leaves_no_half_made_collection(pulvinar, two):
    with pytest.raises(NotFound):
        pulvinar("collection", "make", "Half", "--add", two[0], "--add", "local-nothing")
    assert json.loads(pulvinar("collection", "list", "--json")) == []
