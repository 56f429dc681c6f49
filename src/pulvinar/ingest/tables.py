"""The tables of ingest sessions: what a killed ingest had finished, so that the next one goes on from there.

They are private to this room, and hold nothing of a dataset: a row here makes nothing visible. The rows of a session's
assets, objects and observations are removed when its dataset has become visible.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, ForeignKey, Index, LargeBinary, String, Table, Text
from sqlalchemy.types import JSON

from pulvinar.storage.database import metadata

ingest_session = Table(
    "ingest_session",
    metadata,
    Column("id", String(64), primary_key=True),
    # what was handed in, with which options and answers, for which dataset: the same command finds it again
    Column("fingerprint", String(64), nullable=False, unique=True),
    Column("path", Text, nullable=False),
    Column("dataset_id", String(64)),
    Column("version_id", String(64)),
    Column("state", String(16), nullable=False),
    # who works on it now: machine, boot, process and its start, and when it last said that it lives
    Column("owner", String(255), nullable=False, default=""),
    Column("heartbeat_s", Float, nullable=False, default=0.0),
    Column("created_s", Float, nullable=False),
)

ingest_asset = Table(
    "ingest_asset",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("session_id", String(64), ForeignKey("ingest_session.id", ondelete="CASCADE"), nullable=False),
    # the reader and the key under which it finds the asset again in the same files
    Column("key", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("details", JSON, nullable=False),
    Index("ingest_asset_of_session", "session_id", "key", unique=True),
)

ingest_object = Table(
    "ingest_object",
    metadata,
    Column("asset_id", String(64), ForeignKey("ingest_asset.id", ondelete="CASCADE"), primary_key=True),
    Column("path", String(512), primary_key=True),
    Column("size_bytes", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
)

ingest_observation = Table(
    "ingest_observation",
    metadata,
    Column("asset_id", String(64), ForeignKey("ingest_asset.id", ondelete="CASCADE"), primary_key=True),
    # the start of a window of level 0, so that a window seen twice counts once
    Column("window", String(128), primary_key=True),
    Column("figures", LargeBinary, nullable=False),
)
