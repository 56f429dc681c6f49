"""A dataset, people who may view it, and a document on it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.access.people import a_person, acting
from tests.catalogue.conftest import OBJECTS, new_asset

from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue.datasets import create_dataset
from pulvinar.catalogue.drafts import add_asset, open_draft
from pulvinar.catalogue.publishing import publish
from pulvinar.documents.documents import create_document
from pulvinar.model.access import LOCAL_OWNER, Actor
from pulvinar.model.dataset import Dataset
from pulvinar.model.document import Document
from pulvinar.model.record import Record, Species
from pulvinar.storage.database import Database


@pytest.fixture
def brain(database: Database) -> Dataset:
    """A dataset that everyone may read."""
    with UnitOfWork(database, LOCAL_OWNER) as work:
        made = create_dataset(work, Record("A brain", Species.MOUSE, "CC0-1.0"))
        draft = open_draft(work, made.id)
        add_asset(work, draft.id, new_asset("brain"), OBJECTS)
        publish(work, draft.id)
    return made


@pytest.fixture
def people(database: Database) -> Callable[[str], Actor]:
    """A person by login name, who is made on first use."""
    known: dict[str, str] = {}

    def find(login: str) -> Actor:
        if login not in known:
            known[login] = a_person(database, login).id
        return acting(database, known[login])

    return find


@pytest.fixture
def ada(people: Callable[[str], Actor]) -> Actor:
    return people("ada")


@pytest.fixture
def written(database: Database, brain: Dataset, ada: Actor) -> Document:
    """Ada's own, without a mark."""
    return create_document(database, ada, "Cells of layer 5", dataset_id=brain.id)
