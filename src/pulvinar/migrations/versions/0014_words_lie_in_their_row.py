"""The words of an asset lie unpacked in their row: to unpack those of a thousand took longer than to compare them"""

from __future__ import annotations

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


_UNPACKED = (
    "ALTER TABLE asset_words_anew ALTER COLUMN words SET STORAGE EXTERNAL",
    "ALTER TABLE asset_words_anew SET (toast_tuple_target = 8160)",
)


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        _write_anew(*_UNPACKED)


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        _write_anew()


def _write_anew(*stored: str) -> None:
    """Copy the table into one that is made so: a row stays as it was stored until it is written again."""
    op.execute("CREATE TABLE asset_words_anew (seq BIGINT, words TSVECTOR NOT NULL)")
    for statement in stored:
        op.execute(statement)
    # no search is planned by how common a word is, so ANALYZE need not count them
    op.execute("ALTER TABLE asset_words_anew ALTER COLUMN words SET STATISTICS 0")
    # what is put together from two is stored as a new value
    op.execute("INSERT INTO asset_words_anew SELECT seq, words || CAST('' AS TSVECTOR) FROM asset_words ORDER BY seq")
    op.execute("DROP TABLE asset_words")
    op.execute("ALTER TABLE asset_words_anew RENAME TO asset_words")
    op.execute("ALTER TABLE asset_words ADD CONSTRAINT asset_words_pkey PRIMARY KEY (seq)")
    op.execute("CREATE INDEX asset_words_by_word ON asset_words USING gin (words) WITH (fastupdate = off)")
