"""The tables of rights, events, messages and accounts, private to this room."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    String,
    Table,
    Text,
    text,
)

from pulvinar.storage.database import UtcDateTime, metadata

# `audience` is everyone or one actor, see `visibility`. `seq` and `species` repeat what never changes of a dataset, so
# that each audience's list is one walk of an index, however little of the node it is.
granted = Table(
    "granted",
    metadata,
    Column("dataset_id", String(64), primary_key=True),
    Column("audience", String(80), primary_key=True),
    Column("level", SmallInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("species", String(32), nullable=False),
    Column("ends", UtcDateTime),
    Column("given_by", String(64)),
    Index("granted_by_audience", "audience", "seq"),
    Index("granted_by_species", "audience", "species", "seq"),
    Index("granted_ends", "ends", sqlite_where=text("ends IS NOT NULL"), postgresql_where=text("ends IS NOT NULL")),
)

# Whom a dataset is for. One without a row is public once it is published, and in no organisation.
dataset_access = Table(
    "dataset_access",
    metadata,
    Column("dataset_id", String(64), primary_key=True),
    Column("tier", String(16), nullable=False),
    Column("opens", UtcDateTime),
    Column("home", String(64), ForeignKey("organisation.id"), index=True),
    Column("made_by", String(64)),
    Index("dataset_opens", "opens", sqlite_where=text("opens IS NOT NULL"), postgresql_where=text("opens IS NOT NULL")),
)

# Of a link's secret only the digest is kept. What it shows is a row of `granted`.
share_link = Table(
    "share_link",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("dataset_id", String(64), nullable=False, index=True),
    Column("secret_sha256", String(64), nullable=False, unique=True),
    Column("right", SmallInteger, nullable=False),
    Column("ends", UtcDateTime, nullable=False),
    Column("blind", Boolean, nullable=False),
    Column("label", Text, nullable=False),
    Column("made_by", String(64), nullable=False),
    Column("made", UtcDateTime, nullable=False),
)

organisation = Table(
    "organisation",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", Text, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("parent", String(64), ForeignKey("organisation.id"), index=True),
    Column("made", UtcDateTime, nullable=False),
)

organisation_member = Table(
    "organisation_member",
    metadata,
    Column("organisation_id", String(64), ForeignKey("organisation.id", ondelete="CASCADE"), primary_key=True),
    Column("actor_id", String(64), primary_key=True, index=True),
    Column("role", SmallInteger, nullable=False),
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
    # the seal that holds it, and the chain of digests up to and with it, see `audit_chain`; NULL until it is sealed
    Column("seal", BigInteger),
    Column("chain", String(64)),
    Index("event_by_subject", "subject_id", "seq"),
    Index("event_by_time", "at", "seq"),
    Index("event_by_actor", "actor_id", "at", "seq"),
    Index("event_by_verb", "verb", "at", "seq"),
    Index("event_by_seal", "seal", "seq"),
)

event_seal = Table(
    "event_seal",
    metadata,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("first_seq", BigInteger, nullable=False),
    Column("last_seq", BigInteger, nullable=False),
    Column("count", Integer, nullable=False),
    Column("chain", String(64), nullable=False),
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False, unique=True),
    Column("at", UtcDateTime, nullable=False),
)

# what an actor read of an asset of controlled data, added up by the hour; `told` once an event says so
access_read = Table(
    "access_read",
    metadata,
    Column("actor_id", String(64), primary_key=True),
    Column("asset_id", String(64), primary_key=True),
    Column("hour", UtcDateTime, primary_key=True),
    Column("dataset_id", String(64), nullable=False),
    Column("chunks", BigInteger, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("told", Boolean, nullable=False),
    Index("access_read_of_dataset", "dataset_id", "hour"),
    Index(
        "access_read_untold",
        "hour",
        sqlite_where=text("NOT told"),
        postgresql_where=text("NOT told"),
    ),
)

outbox = Table(
    "outbox",
    metadata,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("kind", String(64), nullable=False),
    Column("subject_id", String(64), nullable=False),
    Column("details", JSON, nullable=False),
    Column("posted", UtcDateTime, nullable=False),
    Column("taken", UtcDateTime),
    Index("outbox_unread", "seq", sqlite_where=text("taken IS NULL"), postgresql_where=text("taken IS NULL")),
)

# `login` is written in lower case, so that two names never differ by case alone
account = Table(
    "account",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("login", String(64), nullable=False, unique=True),
    Column("name", String(200), nullable=False),
    Column("email", String(254), nullable=False, index=True),
    Column("orcid", String(19), nullable=False),
    Column("lab", String(200), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("is_owner", Boolean, nullable=False),
    Column("created", UtcDateTime, nullable=False),
)


def _of_account(*, primary_key: bool = False, index: bool = False, nullable: bool = False) -> Column[str]:
    return Column(
        "account_id",
        String(64),
        ForeignKey("account.id", ondelete="CASCADE"),
        primary_key=primary_key,
        index=index,
        nullable=nullable,
    )


password = Table(
    "password",
    metadata,
    _of_account(primary_key=True),
    Column("hash", String(255), nullable=False),
    Column("changed", UtcDateTime, nullable=False),
)

# `secret` is sealed. It counts once it is confirmed; `last_step` is the newest step of time whose code was used.
second_factor = Table(
    "second_factor",
    metadata,
    _of_account(primary_key=True),
    Column("secret", Text, nullable=False),
    Column("confirmed", UtcDateTime),
    Column("last_step", BigInteger, nullable=False),
)

recovery_code = Table(
    "recovery_code",
    metadata,
    _of_account(primary_key=True),
    Column("digest", String(64), primary_key=True),
)

# of tokens and links that open something, only the SHA-256 is here
sign_in = Table(
    "sign_in",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("id", String(64), nullable=False, unique=True),
    _of_account(index=True),
    Column("created", UtcDateTime, nullable=False),
    Column("seen", UtcDateTime, nullable=False),
    Column("ends", UtcDateTime, nullable=False),
    Column("address", String(64), nullable=False),
    Column("agent", String(200), nullable=False),
)

access_token = Table(
    "access_token",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("id", String(64), nullable=False, unique=True),
    _of_account(index=True),
    Column("name", String(100), nullable=False),
    Column("ceiling", SmallInteger, nullable=False),
    Column("created", UtcDateTime, nullable=False),
    Column("ends", UtcDateTime, nullable=False),
    Column("used", UtcDateTime),
)

external_identity = Table(
    "external_identity",
    metadata,
    Column("issuer", String(255), primary_key=True),
    Column("subject", String(255), primary_key=True),
    _of_account(index=True),
    Column("linked", UtcDateTime, nullable=False),
)

one_time_link = Table(
    "one_time_link",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("kind", String(32), nullable=False),
    _of_account(index=True, nullable=True),
    Column("details", JSON, nullable=False),
    Column("created", UtcDateTime, nullable=False),
    Column("ends", UtcDateTime, nullable=False),
)

device_login = Table(
    "device_login",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("user_code", String(16), nullable=False, unique=True),
    Column("name", String(100), nullable=False),
    _of_account(index=True, nullable=True),
    Column("ceiling", SmallInteger, nullable=False),
    Column("state", String(16), nullable=False),
    Column("asked", UtcDateTime),
    Column("ends", UtcDateTime, nullable=False),
)

# how often in a row something failed for one account or one address, and until when nobody may try again
attempt = Table(
    "attempt",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("last", UtcDateTime, nullable=False),
    Column("held_until", UtcDateTime, nullable=False),
)
