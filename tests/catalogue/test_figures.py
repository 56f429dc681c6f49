"""What is counted: of each species what there is, for each actor only what they may see."""

from __future__ import annotations

from dataclasses import replace

from tests.catalogue.conftest import OBJECTS, RECORD, new_asset

from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue.datasets import create_dataset
from pulvinar.catalogue.drafts import add_asset, open_draft
from pulvinar.catalogue.figures import figures, together
from pulvinar.catalogue.publishing import publish
from pulvinar.catalogue.sharing import set_tier
from pulvinar.model.access import ANONYMOUS, LOCAL_OWNER, Tier
from pulvinar.model.dataset import AssetKind
from pulvinar.model.record import Species


def add(database, species, *kinds, tier=Tier.PUBLIC, published=True):
    with UnitOfWork(database, LOCAL_OWNER) as work:
        made = create_dataset(work, replace(RECORD, species=species))
        draft = open_draft(work, made.id)
        for number, kind in enumerate(kinds):
            add_asset(work, draft.id, replace(new_asset(f"a{number}"), kind=kind), OBJECTS)
        if published:
            publish(work, draft.id)
        if tier is not Tier.PUBLIC:
            set_tier(work, made.id, tier)
    return made.id


def test_each_species_has_its_datasets_its_kinds_and_its_bytes(database):
    add(database, Species.MOUSE, AssetKind.SKELETON, AssetKind.SKELETON, AssetKind.TABLE)
    add(database, Species.MACAQUE, AssetKind.POINTS)
    counted = figures(database, ANONYMOUS)
    assert set(counted) == set(Species)
    mouse = counted[Species.MOUSE]
    assert (mouse.datasets, mouse.of_kind("skeleton"), mouse.of_kind(AssetKind.TABLE)) == (1, 2, 1)
    assert mouse.size_bytes == 3 * new_asset("a").size_bytes
    assert counted[Species.HUMAN].datasets == counted[Species.HUMAN].size_bytes == 0
    whole = together(counted.values())
    assert (whole.datasets, whole.of_kind("skeleton"), whole.of_kind("points")) == (2, 2, 1)


def test_what_nobody_showed_is_not_counted(database):
    add(database, Species.MOUSE, AssetKind.TABLE)
    before = figures(database, ANONYMOUS)
    add(database, Species.MOUSE, AssetKind.TABLE, tier=Tier.PRIVATE)
    add(database, Species.HUMAN, AssetKind.SKELETON, tier=Tier.PRIVATE, published=False)
    assert figures(database, ANONYMOUS) == before
    assert together(figures(database, LOCAL_OWNER).values()).datasets == 3


def test_a_dataset_in_two_versions_counts_once(database):
    made = add(database, Species.MOUSE, AssetKind.TABLE)
    with UnitOfWork(database, LOCAL_OWNER) as work:
        publish(work, open_draft(work, made).id)
    assert figures(database, ANONYMOUS)[Species.MOUSE].of_kind("table") == 1
