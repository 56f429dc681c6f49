from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.catalogue.conftest import OBJECTS, new_asset

from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue import add_asset, open_draft, publish
from pulvinar.catalogue.comparison import Change, FieldChange, compare
from pulvinar.catalogue.drafts import remove_asset, set_record
from pulvinar.catalogue.sharing import set_tier
from pulvinar.errors import NotFound
from pulvinar.model.access import ANONYMOUS, LOCAL_OWNER, Tier
from pulvinar.model.dataset import Dataset, StoredObject
from pulvinar.model.record import Acquisition
from pulvinar.storage.database import Database

Add = Callable[..., Dataset]
NEWER = (OBJECTS[0], replace(OBJECTS[1], sha256="c" * 64), StoredObject("new.txt", 3, "d" * 64))


@pytest.fixture
def changed(database: Database, add: Add) -> Dataset:
    """A dataset whose second version has another title, one file changed and one added, an asset more and one same."""
    dataset = add("A brain", lab="A lab")
    with UnitOfWork(database, LOCAL_OWNER) as work:
        draft = open_draft(work, dataset.id)
        add_asset(work, draft.id, new_asset("same"), OBJECTS)
        publish(work, draft.id)
        third = open_draft(work, dataset.id)
        old = next(one for one in third.assets if one.name == "brain")
        remove_asset(work, third.id, old.id)
        add_asset(work, third.id, new_asset("brain", NEWER), NEWER)
        add_asset(work, third.id, new_asset("extra", OBJECTS[:1]), OBJECTS[:1])
        record = replace(third.record, title="Another brain", lab="", acquisition=Acquisition(modality="MRI"))
        set_record(work, third.id, record)
        publish(work, third.id)
    return dataset


def test_fields_assets_and_files_that_differ_are_named(database: Database, changed: Dataset):
    found = compare(database, ANONYMOUS, changed.id, 2, 3)
    assert found.fields == (
        FieldChange("acquisition.modality", Change.ADDED, None, "MRI"),
        FieldChange("lab", Change.REMOVED, "A lab", None),
        FieldChange("title", Change.CHANGED, "A brain", "Another brain"),
    )
    assert [(one.name, one.change, one.before_bytes, one.after_bytes) for one in found.assets] == [
        ("brain", Change.CHANGED, 15, 18),
        ("extra", Change.ADDED, None, 10),
    ]
    assert found.unchanged_assets == 1
    assert [(one.asset, one.path, one.change) for one in found.files] == [
        ("brain", "image.ome.zarr/zarr.json", Change.CHANGED),
        ("brain", "new.txt", Change.ADDED),
        ("extra", OBJECTS[0].path, Change.ADDED),
    ]
    assert (found.files[0].before.sha256, found.files[0].after.sha256) == ("b" * 64, "c" * 64)
    assert found.file_counts == {Change.ADDED: 2, Change.REMOVED: 0, Change.CHANGED: 1}


def test_the_other_way_round_what_was_added_is_removed(database: Database, changed: Dataset):
    found = compare(database, ANONYMOUS, changed.id, 3, 2)
    assert found.file_counts == {Change.ADDED: 0, Change.REMOVED: 2, Change.CHANGED: 1}
    assert [one.change for one in found.assets] == [Change.CHANGED, Change.REMOVED]


def test_a_version_does_not_differ_from_itself(database: Database, changed: Dataset):
    found = compare(database, ANONYMOUS, changed.id, 2, 2)
    assert (found.fields, found.assets, found.files, found.unchanged_assets) == ((), (), (), 2)


def test_who_may_not_read_is_told_no_file(database: Database, changed: Dataset):
    with UnitOfWork(database, LOCAL_OWNER) as work:
        set_tier(work, changed.id, Tier.CONTROLLED)
    found = compare(database, ANONYMOUS, changed.id, 2, 3)
    assert (found.files, found.file_counts, len(found.fields)) == (None, None, 3)


def test_a_draft_is_compared_by_who_sees_it(database: Database, add: Add):
    dataset = add()
    with UnitOfWork(database, LOCAL_OWNER) as work:
        open_draft(work, dataset.id)
    assert compare(database, LOCAL_OWNER, dataset.id, 1, 2).unchanged_assets == 1
    with pytest.raises(NotFound, match="version 2"):
        compare(database, ANONYMOUS, dataset.id, 1, 2)
