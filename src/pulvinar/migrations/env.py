"""What Alembic runs: the connection is given by `platform.migrate`, which also holds the transaction."""

from __future__ import annotations

from alembic import context

import pulvinar.access.agreement_tables
import pulvinar.access.tables
import pulvinar.atlases.tables
import pulvinar.catalogue.tables
import pulvinar.compute.tables
import pulvinar.documents.tables
import pulvinar.ingest.tables
import pulvinar.ingest.uploads.tables
import pulvinar.operations.tables
import pulvinar.solutions.tables  # noqa: F401 (each import registers its room's tables)
from pulvinar.migrations.scope import is_ours
from pulvinar.storage.database import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    include_name=lambda name, kind, parents: is_ours(name, kind),
)
context.run_migrations()
