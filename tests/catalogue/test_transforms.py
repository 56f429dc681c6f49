"""Which transforms an actor may read, in both databases."""

from dataclasses import replace

from tests.catalogue.conftest import OBJECTS, RECORD, new_asset

from pulvinar.access.visibility import EVERYONE, hide
from pulvinar.access.work import UnitOfWork
from pulvinar.atlases.transform_json import transform_to_json
from pulvinar.catalogue import add_asset, create_dataset, open_draft, publish
from pulvinar.catalogue.drafts import remove_asset
from pulvinar.catalogue.transforms import list_transforms
from pulvinar.model.access import ANONYMOUS, LOCAL_OWNER
from pulvinar.model.dataset import AssetKind
from pulvinar.model.space import Space
from pulvinar.model.transform import IDENTITY, AffineTransform
from pulvinar.storage.database import Database
from pulvinar.storage.store import open_store

HERE, THERE = Space("here", "mouse", "SAR"), Space("there", "mouse", "PIR")


def put(database: Database, error_um: float, dataset_id: str = "", *, instead_of: str = "", published: bool = True):
    """A dataset, or its next version, with one transform; its identifier and the asset's."""
    about = {"transform": transform_to_json(AffineTransform(HERE, THERE, IDENTITY, error_um))}
    asset = replace(new_asset(f"to there, {error_um}"), kind=AssetKind.TRANSFORM, details=about)
    with UnitOfWork(database, LOCAL_OWNER) as work:
        dataset_id = dataset_id or create_dataset(work, RECORD).id
        draft = open_draft(work, dataset_id)
        add_asset(work, draft.id, asset, OBJECTS)
        if instead_of:
            remove_asset(work, draft.id, instead_of)
        if published:
            publish(work, draft.id)
    return dataset_id, asset.id


def test_the_newest_published_version_counts_for_those_who_may_read_it(database: Database, add, tmp_path):
    store = open_store(tmp_path.as_uri())

    def errors(actor):
        return [one.transform.expected_error_um for one in list_transforms(database, store, actor)]

    add()
    assert errors(LOCAL_OWNER) == []
    first, first_asset = put(database, 30.0)
    second, _ = put(database, 20.0)
    put(database, 10.0, first, instead_of=first_asset)
    put(database, 1.0, second, published=False)
    assert sorted(errors(ANONYMOUS)) == sorted(errors(LOCAL_OWNER)) == [10.0, 20.0]
    with database.writing() as session:
        hide(session, second, EVERYONE)
    assert errors(ANONYMOUS) == [10.0]
    (found,) = list_transforms(database, store, ANONYMOUS)
    assert (found.dataset_id, found.version, found.record) == (first, 2, RECORD)
    assert (found.transform.source, found.transform.target) == (HERE, THERE)
