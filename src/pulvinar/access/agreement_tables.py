"""The tables of requests, agreements and rules on what may leave, private to this room."""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, Column, ForeignKey, Index, Integer, String, Table, Text

from pulvinar.storage.database import UtcDateTime, metadata

# A request may name a dataset that isn't there: whoever asked must not learn that. So no foreign key.
access_request = Table(
    "access_request",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("dataset_id", String(64), nullable=False),
    Column("account_id", String(64), ForeignKey("account.id", ondelete="CASCADE"), nullable=False),
    Column("purpose", Text, nullable=False),
    Column("stated", JSON, nullable=False),
    Column("state", String(16), nullable=False),
    Column("made", UtcDateTime, nullable=False),
    Column("decided", UtcDateTime),
    Column("decided_by", String(64)),
    Column("message", Text, nullable=False),
    Column("ends", UtcDateTime),
    Index("request_by_account", "account_id", "made"),
    Index("request_by_dataset", "dataset_id", "state"),
)

# `giver` is the audience of the organisation whose agreement it is; else it is that of the dataset.
agreement = Table(
    "agreement",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("giver", String(80), index=True),
    Column("dataset_id", String(64), index=True),
    Column("number", Integer, nullable=False),
)

# what was accepted once is never changed and never deleted
agreement_version = Table(
    "agreement_version",
    metadata,
    Column("agreement_id", String(64), ForeignKey("agreement.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("terms", JSON, nullable=False),
    Column("made", UtcDateTime, nullable=False),
    Column("made_by", String(64), nullable=False),
)

# `origin` is the dataset that an agreement was attached to: this one, or one that something in it was made from
dataset_agreement = Table(
    "dataset_agreement",
    metadata,
    Column("dataset_id", String(64), primary_key=True),
    Column("agreement_id", String(64), ForeignKey("agreement.id"), primary_key=True),
    Column("origin", String(64), primary_key=True),
    Index("agreement_by_origin", "origin"),
)

# evidence: an account that goes leaves it here
acceptance = Table(
    "acceptance",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("agreement_id", String(64), ForeignKey("agreement.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("account_id", String(64), nullable=False),
    Column("name", String(200), nullable=False),
    Column("address", String(64), nullable=False),
    Column("accepted", UtcDateTime, nullable=False),
    Column("values", JSON, nullable=False),
    Column("counts_from", UtcDateTime),
    Column("countersigned_by", String(64)),
    Column("ends", UtcDateTime),
    Index("acceptance_by_account", "account_id", "agreement_id"),
    Index("acceptance_by_agreement", "agreement_id", "accepted"),
)

# Of which datasets something in a dataset was made, directly or through others.
dataset_source = Table(
    "dataset_source",
    metadata,
    Column("dataset_id", String(64), primary_key=True),
    Column("source_id", String(64), primary_key=True, index=True),
)

export_rule = Table(
    "export_rule",
    metadata,
    Column("scope", String(80), primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("persons", Integer, nullable=False),
    Column("jurisdiction", String(200), nullable=False),
)

# Whose data left in which month, under which rule on persons.
person_left = Table(
    "person_left",
    metadata,
    Column("scope", String(80), primary_key=True),
    Column("month", String(7), primary_key=True),
    Column("person", String(300), primary_key=True),
    Column("at", UtcDateTime, nullable=False),
)

# What a dataset may be used for, in the codes of the Data Use Ontology.
dataset_use = Table(
    "dataset_use",
    metadata,
    Column("dataset_id", String(64), primary_key=True),
    Column("codes", JSON, nullable=False),
    Column("by_itself", Boolean, nullable=False),
    Column("days", Integer, nullable=False),
)
