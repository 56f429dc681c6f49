"""What an earlier release stored is read, found and verified as it was; a new draft of it is of today's schema."""

from collections.abc import Callable

import pytest
from sqlalchemy import update

from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue import get_dataset, get_version, list_datasets, manifest, open_draft
from pulvinar.catalogue.search import reindex
from pulvinar.catalogue.tables import dataset, version
from pulvinar.model.access import LOCAL_OWNER
from pulvinar.model.dataset import Dataset, version_digest
from pulvinar.model.record_migrations import SCHEMA_VERSION
from pulvinar.storage.database import Database

STORED = {
    "title": "An old brain",
    "species": "mouse",
    "licence": "CC-BY-4.0",
    "subject": None,
    "acquisition": {"modality": "light sheet", "stain": "GFP, DAPI", "voxel_size_um": [5, 2, 2]},
}


@pytest.fixture
def old(database: Database, add: Callable[..., Dataset]) -> str:
    """A dataset whose rows are those that release 0.1.0 wrote."""
    made = add(title="An old brain")
    assert made.latest is not None
    digest = version_digest(STORED, made.latest.assets)
    with database.writing() as session:
        session.execute(update(dataset).where(dataset.c.id == made.id).values(record=STORED))
        mine = version.c.dataset_id == made.id
        session.execute(update(version).where(mine).values(record=STORED, digest=digest))
        reindex(session, made.id)
    return made.id


def test_a_published_version_keeps_its_digest_through_a_migration(database: Database, old: str):
    found = get_version(database, LOCAL_OWNER, old)
    assert found.record.acquisition.stains == ("GFP", "DAPI")
    assert found.record.acquisition.voxel_size_um == (5.0, 2.0, 2.0)
    assert found.document == STORED
    assert version_digest(found.document, found.assets) == found.digest
    stated = manifest(database, LOCAL_OWNER, found.id)
    assert stated["record"] == STORED
    assert version_digest(stated["record"], found.assets) == stated["digest"]


def test_an_old_record_is_shown_and_found(database: Database, old: str):
    assert get_dataset(database, LOCAL_OWNER, old).record.title == "An old brain"
    for words in ("old brain", "光片", "绿色荧光蛋白", "lightsheet"):
        assert [one.id for one in list_datasets(database, LOCAL_OWNER, query=words).items] == [old]


def test_a_new_draft_of_it_is_of_todays_schema(database: Database, old: str):
    with UnitOfWork(database, LOCAL_OWNER) as work:
        open_draft(work, old)
    draft = get_version(database, LOCAL_OWNER, old)
    assert (draft.number, draft.document["schema_version"]) == (2, SCHEMA_VERSION)
    assert version_digest(draft.document, draft.assets) == draft.digest
    first = get_version(database, LOCAL_OWNER, old, 1)
    assert first.document == STORED
