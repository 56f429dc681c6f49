"""The tables of documents, private to this room."""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, Column, ForeignKey, Index, Integer, SmallInteger, String, Table, Text

from pulvinar.catalogue import tables as _catalogue  # noqa: F401 (documents lie on its datasets)
from pulvinar.storage.database import UtcDateTime, metadata

# Of an atlas's space, `dataset_id` is the dataset that holds the atlas.
document = Table(
    "document",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("title", Text, nullable=False),
    Column("dataset_id", String(64), ForeignKey("dataset.id", ondelete="CASCADE"), nullable=False),
    Column("atlas", String(64), nullable=False),
    Column("asset_id", String(64), nullable=False),
    Column("number", Integer, nullable=False),
    Column("made_by", String(64), nullable=False),
    Column("made", UtcDateTime, nullable=False),
    Column("changed", UtcDateTime, nullable=False),
    Index("document_by_dataset", "dataset_id", "changed"),
    Index("document_by_atlas", "atlas", "changed"),
)


def _of_document(*, primary_key: bool = True) -> Column[str]:
    return Column(
        "document_id",
        String(64),
        ForeignKey("document.id", ondelete="CASCADE"),
        primary_key=primary_key,
        nullable=False,
    )


document_grant = Table(
    "document_grant",
    metadata,
    _of_document(),
    Column("audience", String(80), primary_key=True),
    Column("level", SmallInteger, nullable=False),
    Column("given_by", String(64), nullable=False),
    Index("document_grant_by_audience", "audience", "document_id"),
)

# `key` is what its sender called it, so that one that is sent again after a lost answer isn't done twice. What reverses
# it follows from the log, and is noted so that the next to undo is found by an index.
document_operation = Table(
    "document_operation",
    metadata,
    _of_document(),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("actor_id", String(64), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("key", String(64)),
    Column("reverses", Integer),
    Column("is_undo", Boolean, nullable=False),
    Column("reversed_by", Integer),
    Index("document_operation_by_key", "document_id", "actor_id", "key", unique=True),
    Index("document_operation_by_actor", "document_id", "actor_id", "number"),
)

document_change = Table(
    "document_change",
    metadata,
    _of_document(),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("mark_id", String(64), primary_key=True),
    Column("before", JSON(none_as_null=True)),
    Column("after", JSON(none_as_null=True)),
)

# What the log comes to.
document_mark = Table(
    "document_mark",
    metadata,
    _of_document(),
    Column("mark_id", String(64), primary_key=True),
    Column("made_by", String(64), nullable=False),
    Column("number", Integer, nullable=False),
    Column("mark", JSON, nullable=False),
)

saved_view = Table(
    "saved_view",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("title", Text, nullable=False),
    Column("dataset_id", String(64), ForeignKey("dataset.id", ondelete="CASCADE"), nullable=False),
    Column("path", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("document_id", String(64), nullable=False),
    Column("made_by", String(64), nullable=False),
    Column("made", UtcDateTime, nullable=False),
    Index("saved_view_by_maker", "made_by", "made"),
    Index("saved_view_by_dataset", "dataset_id"),
)
