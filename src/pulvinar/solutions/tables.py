"""The table of rules: what starts a solution by itself."""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, Column, SmallInteger, String, Table

from pulvinar.storage.database import UtcDateTime, metadata

rule = Table(
    "rule",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(128), nullable=False, unique=True),
    Column("solution", String(64), nullable=False),
    Column("parameters", JSON, nullable=False),
    # which published assets it is for: species, modality, kind; a field that is left out is not looked at
    Column("conditions", JSON, nullable=False),
    Column("actor_id", String(64), nullable=False),
    Column("actor", JSON, nullable=False),
    Column("project", String(64), nullable=False),
    Column("priority", SmallInteger, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("created", UtcDateTime, nullable=False),
)
