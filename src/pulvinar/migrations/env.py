"""What Alembic runs: the connection is given by `platform.migrate`, which also holds the transaction."""

from __future__ import annotations

from alembic import context

import pulvinar.access.tables
import pulvinar.catalogue.tables
import pulvinar.ingest.tables  # noqa: F401 (each import registers its room's tables)
from pulvinar.storage.database import metadata

SEARCH = "dataset_words"


def is_ours(name: str | None, kind: str) -> bool:
    """Whether Alembic compares it: the search index is made by hand, FTS5 keeps shadow tables beside it."""
    return not (kind == "table" and name is not None and name.startswith(SEARCH))


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    include_name=lambda name, kind, parents: is_ours(name, kind),
)
context.run_migrations()
