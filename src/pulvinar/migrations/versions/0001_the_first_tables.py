"""The first tables"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


# The words under which a dataset is found; some begin with "_" or "~". SQLite's prefix lists make the first
# letters of a word as quick as a word.
_SEARCH = {
    "sqlite": (
        "CREATE VIRTUAL TABLE dataset_words USING fts5("
        "words, prefix='1 2 3 4', tokenize=\"unicode61 remove_diacritics 0 tokenchars '_~'\")"
    ),
    "postgresql": "CREATE TABLE dataset_words (seq BIGINT PRIMARY KEY, words TSVECTOR NOT NULL)",
}


def upgrade() -> None:
    op.create_table(
        "asset",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("object_count", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_asset")),
    )
    op.create_table(
        "dataset",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("species", sa.String(length=32), nullable=False),
        sa.Column("record", sa.JSON(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_dataset")),
        sa.UniqueConstraint("id", name=op.f("uq_dataset_id")),
    )
    with op.batch_alter_table("dataset", schema=None) as batch_op:
        batch_op.create_index("dataset_by_species", ["species", "seq"], unique=False)

    op.create_table(
        "event",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("actor_id", sa.String(length=64), nullable=False),
        sa.Column("verb", sa.String(length=64), nullable=False),
        sa.Column("subject_id", sa.String(length=64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_event")),
    )
    with op.batch_alter_table("event", schema=None) as batch_op:
        batch_op.create_index("event_by_subject", ["subject_id", "seq"], unique=False)

    op.create_table(
        "granted",
        sa.Column("dataset_id", sa.String(length=64), nullable=False),
        sa.Column("audience", sa.String(length=80), nullable=False),
        sa.Column("level", sa.SmallInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("species", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("dataset_id", "audience", name=op.f("pk_granted")),
    )
    with op.batch_alter_table("granted", schema=None) as batch_op:
        batch_op.create_index("granted_by_audience", ["audience", "seq"], unique=False)
        batch_op.create_index("granted_by_species", ["audience", "species", "seq"], unique=False)

    op.create_table(
        "ingest_session",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("dataset_id", sa.String(length=64), nullable=True),
        sa.Column("version_id", sa.String(length=64), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("owner", sa.String(length=255), nullable=False),
        sa.Column("heartbeat_s", sa.Float(), nullable=False),
        sa.Column("created_s", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ingest_session")),
        sa.UniqueConstraint("fingerprint", name=op.f("uq_ingest_session_fingerprint")),
    )
    op.create_table(
        "subject",
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("species", sa.String(length=32), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("name", "species", name=op.f("pk_subject")),
    )
    op.create_table(
        "asset_object",
        sa.Column("asset_id", sa.String(length=64), nullable=False),
        sa.Column("path", sa.String(length=512), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["asset_id"], ["asset.id"], name=op.f("fk_asset_object_asset_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("asset_id", "path", name=op.f("pk_asset_object")),
    )
    op.create_table(
        "dataset_subject",
        sa.Column("dataset_id", sa.String(length=64), nullable=False),
        sa.Column("subject_name", sa.String(length=255), nullable=False),
        sa.Column("species", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["dataset_id"], ["dataset.id"], name=op.f("fk_dataset_subject_dataset_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("dataset_id", "subject_name", name=op.f("pk_dataset_subject")),
    )
    with op.batch_alter_table("dataset_subject", schema=None) as batch_op:
        batch_op.create_index("dataset_by_subject", ["subject_name", "species"], unique=False)

    op.create_table(
        "ingest_asset",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("session_id", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["session_id"], ["ingest_session.id"], name=op.f("fk_ingest_asset_session_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ingest_asset")),
    )
    with op.batch_alter_table("ingest_asset", schema=None) as batch_op:
        batch_op.create_index("ingest_asset_of_session", ["session_id", "key"], unique=True)

    op.create_table(
        "version",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("dataset_id", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("record", sa.JSON(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("published", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["dataset_id"], ["dataset.id"], name=op.f("fk_version_dataset_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_version")),
        sa.UniqueConstraint("dataset_id", "number", name=op.f("uq_version_dataset_id")),
    )
    with op.batch_alter_table("version", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_version_digest"), ["digest"], unique=False)

    op.create_table(
        "ingest_object",
        sa.Column("asset_id", sa.String(length=64), nullable=False),
        sa.Column("path", sa.String(length=512), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["asset_id"], ["ingest_asset.id"], name=op.f("fk_ingest_object_asset_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("asset_id", "path", name=op.f("pk_ingest_object")),
    )
    op.create_table(
        "ingest_observation",
        sa.Column("asset_id", sa.String(length=64), nullable=False),
        sa.Column("window", sa.String(length=128), nullable=False),
        sa.Column("figures", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["asset_id"], ["ingest_asset.id"], name=op.f("fk_ingest_observation_asset_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("asset_id", "window", name=op.f("pk_ingest_observation")),
    )
    op.create_table(
        "version_asset",
        sa.Column("version_id", sa.String(length=64), nullable=False),
        sa.Column("asset_id", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["asset_id"], ["asset.id"], name=op.f("fk_version_asset_asset_id")),
        sa.ForeignKeyConstraint(
            ["version_id"], ["version.id"], name=op.f("fk_version_asset_version_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("version_id", "asset_id", name=op.f("pk_version_asset")),
    )
    with op.batch_alter_table("version_asset", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_version_asset_asset_id"), ["asset_id"], unique=False)
    op.execute(_SEARCH[op.get_bind().dialect.name])
    if op.get_bind().dialect.name == "sqlite":
        op.execute("CREATE VIRTUAL TABLE dataset_words_vocabulary USING fts5vocab(dataset_words, instance)")
    else:
        op.execute("CREATE INDEX dataset_words_by_word ON dataset_words USING gin (words) WITH (fastupdate = off)")
        # no search is planned by how common a word is, so ANALYZE need not count them
        op.execute("ALTER TABLE dataset_words ALTER COLUMN words SET STATISTICS 0")


def downgrade() -> None:
    op.execute("DROP TABLE IF EXISTS dataset_words_vocabulary")
    op.execute("DROP TABLE dataset_words")
    with op.batch_alter_table("version_asset", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_version_asset_asset_id"))

    op.drop_table("version_asset")
    op.drop_table("ingest_observation")
    op.drop_table("ingest_object")
    with op.batch_alter_table("version", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_version_digest"))

    op.drop_table("version")
    with op.batch_alter_table("ingest_asset", schema=None) as batch_op:
        batch_op.drop_index("ingest_asset_of_session")

    op.drop_table("ingest_asset")
    with op.batch_alter_table("dataset_subject", schema=None) as batch_op:
        batch_op.drop_index("dataset_by_subject")

    op.drop_table("dataset_subject")
    op.drop_table("asset_object")
    op.drop_table("subject")
    op.drop_table("ingest_session")
    with op.batch_alter_table("granted", schema=None) as batch_op:
        batch_op.drop_index("granted_by_species")
        batch_op.drop_index("granted_by_audience")

    op.drop_table("granted")
    with op.batch_alter_table("event", schema=None) as batch_op:
        batch_op.drop_index("event_by_subject")

    op.drop_table("event")
    with op.batch_alter_table("dataset", schema=None) as batch_op:
        batch_op.drop_index("dataset_by_species")

    op.drop_table("dataset")
    op.drop_table("asset")
