"""The tables of use and of what people say of the platform, private to this room."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, SmallInteger, String, Table, Text

from pulvinar.storage.database import UtcDateTime, metadata

# How often something happened on a day ("2026-01-31"); `dataset_id` is "" for what is of the whole platform.
use_count = Table(
    "use_count",
    metadata,
    Column("day", String(10), primary_key=True),
    Column("what", String(16), primary_key=True),
    Column("dataset_id", String(64), primary_key=True),
    Column("count", BigInteger, nullable=False),
    Index("use_count_by_dataset", "dataset_id", "day"),
)

# Who came today, as digests with the salt of the day: both are thrown away once the day is over.
use_visitor = Table(
    "use_visitor",
    metadata,
    Column("day", String(10), primary_key=True),
    Column("digest", String(64), primary_key=True),
)

use_salt = Table(
    "use_salt",
    metadata,
    Column("day", String(10), primary_key=True),
    Column("salt", String(64), nullable=False),
)

feedback = Table(
    "feedback",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("service", String(16), nullable=False),
    Column("page", String(200), nullable=False),
    Column("language", String(8), nullable=False),
    Column("score", SmallInteger),
    Column("comment", Text, nullable=False),
    Index("feedback_by_time", "at"),
)
