"""The tables of rights and events, private to this room."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Index, Integer, SmallInteger, String, Table

from pulvinar.storage.database import UtcDateTime, metadata

granted = Table(
    "granted",
    metadata,
    Column("actor_id", String(64), primary_key=True),
    Column("dataset_id", String(64), primary_key=True),
    Column("level", SmallInteger, nullable=False),
    Index("granted_by_dataset", "dataset_id"),
)

event = Table(
    "event",
    metadata,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("actor_id", String(64), nullable=False),
    Column("verb", String(64), nullable=False),
    Column("subject_id", String(64), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("details", JSON, nullable=False),
    Index("event_by_subject", "subject_id", "seq"),
)
