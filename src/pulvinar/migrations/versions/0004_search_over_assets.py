"""Search over assets, by text and by anatomy"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


# No lists of prefixes here: a row has many words of the platform's own, which all begin alike.
_SEARCH = {
    "sqlite": (
        "CREATE VIRTUAL TABLE asset_words USING fts5(words, tokenize=\"unicode61 remove_diacritics 0 tokenchars '_~'\")"
    ),
    "postgresql": "CREATE TABLE asset_words (seq BIGINT PRIMARY KEY, words TSVECTOR NOT NULL)",
}


def upgrade() -> None:
    op.create_table(
        "asset_entry",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("asset_id", sa.String(length=64), nullable=False),
        sa.Column("dataset_id", sa.String(length=64), nullable=False),
        sa.Column("facets", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["asset_id"], ["asset.id"], name=op.f("fk_asset_entry_asset_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["dataset_id"], ["dataset.id"], name=op.f("fk_asset_entry_dataset_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_asset_entry")),
        sa.UniqueConstraint("asset_id", name=op.f("uq_asset_entry_asset_id")),
    )
    op.create_index(op.f("ix_asset_entry_dataset_id"), "asset_entry", ["dataset_id"])
    op.create_table(
        "atlas_tree",
        sa.Column("atlas", sa.String(length=64), nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("dataset_id", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("ontology", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("atlas", name=op.f("pk_atlas_tree")),
    )
    op.execute(_SEARCH[op.get_bind().dialect.name])
    if op.get_bind().dialect.name == "sqlite":
        op.execute("CREATE VIRTUAL TABLE asset_words_vocabulary USING fts5vocab(asset_words, instance)")
    else:
        op.execute("CREATE INDEX asset_words_by_word ON asset_words USING gin (words) WITH (fastupdate = off)")
        # no search is planned by how common a word is, so ANALYZE need not count them
        op.execute("ALTER TABLE asset_words ALTER COLUMN words SET STATISTICS 0")


def downgrade() -> None:
    op.execute("DROP TABLE IF EXISTS asset_words_vocabulary")
    op.execute("DROP TABLE asset_words")
    op.drop_table("atlas_tree")
    op.drop_table("asset_entry")
