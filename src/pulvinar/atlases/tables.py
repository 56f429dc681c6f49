"""The atlases that are installed. What they are made of lies in the catalogue, as a dataset."""

from __future__ import annotations

from sqlalchemy import JSON, Column, String, Table

from pulvinar.storage.database import UtcDateTime, metadata

atlas = Table(
    "atlas",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("version", String(64), primary_key=True),
    Column("species", String(32), nullable=False),
    Column("dataset_id", String(64), nullable=False, index=True),
    Column("manifest", JSON, nullable=False),
    Column("installed", UtcDateTime, nullable=False),
)

# The tree of regions of each atlas's newest version, for whoever asks by the name of a region without its bytes.
atlas_tree = Table(
    "atlas_tree",
    metadata,
    Column("atlas", String(64), primary_key=True),
    Column("version", String(64), nullable=False),
    Column("dataset_id", String(64), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("ontology", JSON, nullable=False),
)
