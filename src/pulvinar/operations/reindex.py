"""Makes the search anew from what the catalogue and the atlases say."""

from __future__ import annotations

from pathlib import Path

from pulvinar.atlases.installed import OpenAtlas, list_atlases
from pulvinar.atlases.trees import keep_tree
from pulvinar.catalogue.search import reindex_all
from pulvinar.errors import NotFound
from pulvinar.model.access import LOCAL_OWNER
from pulvinar.storage.database import Database
from pulvinar.storage.store import Store


def rebuild_search(database: Database, store: Store) -> int:
    """Write the tree of every atlas down anew, then the words of every dataset and asset; how many datasets there are.

    In one transaction: searches find what they found until it ends.
    """
    installed = list_atlases(database, LOCAL_OWNER)
    with database.writing() as session:
        for one in installed:
            opened = OpenAtlas(one, store, Path())
            try:
                keep_tree(session, one.atlas.name, one.atlas.version, one.dataset_id, opened.ontology)
            except NotFound:
                continue  # an atlas without a terminology
        return reindex_all(session)
