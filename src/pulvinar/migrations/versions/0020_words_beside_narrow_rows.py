"""What the search reads of an asset lies close together: rows of words are narrow, and what is asked is in an index

The index of words leads to rows, and PostgreSQL goes to each of them for its number alone: with the words out of the
row there are a hundred and more rows in a page rather than three.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_ROLE = sa.text("role = 'box'")
_BESIDE = 128
_WITHIN = 8160
"""Of a row that is longer than so many bytes the words are put elsewhere; PostgreSQL takes 128 to 8,160."""


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        _write_words_anew(_BESIDE)
    _index_boxes("places")
    op.drop_index("ix_version_asset_asset_id", "version_asset")
    op.create_index("version_asset_by_asset", "version_asset", ["asset_id", "version_id"])


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        _write_words_anew(_WITHIN)
    _index_boxes()
    op.drop_index("version_asset_by_asset", "version_asset")
    op.create_index("ix_version_asset_asset_id", "version_asset", ["asset_id"])


def _write_words_anew(longest: int) -> None:
    """Copy the table into one that is made so: a row stays as it was stored until it is written again."""
    op.execute("CREATE TABLE asset_words_anew (seq BIGINT, words TSVECTOR NOT NULL)")
    op.execute("ALTER TABLE asset_words_anew ALTER COLUMN words SET STORAGE EXTERNAL")
    op.execute(f"ALTER TABLE asset_words_anew SET (toast_tuple_target = {longest})")
    # no search is planned by how common a word is, so ANALYZE need not count them
    op.execute("ALTER TABLE asset_words_anew ALTER COLUMN words SET STATISTICS 0")
    # what is put together from two is stored as a new value
    op.execute("INSERT INTO asset_words_anew SELECT seq, words || CAST('' AS TSVECTOR) FROM asset_words ORDER BY seq")
    op.execute("DROP TABLE asset_words")
    op.execute("ALTER TABLE asset_words_anew RENAME TO asset_words")
    op.execute("ALTER TABLE asset_words ADD CONSTRAINT asset_words_pkey PRIMARY KEY (seq)")
    op.execute("SET LOCAL maintenance_work_mem = '256MB'")
    op.execute("CREATE INDEX asset_words_by_word ON asset_words USING gin (words) WITH (fastupdate = off)")


def _index_boxes(*more: str) -> None:
    """The index of boxes by number, with `more` columns: the corners of a box are always 24 bytes."""
    op.drop_index("place_block_box_by_number", "place_block")
    columns = ["space", "block", "number", *more]
    op.create_index("place_block_box_by_number", "place_block", columns, sqlite_where=_ROLE, postgresql_where=_ROLE)
