"""What the search reads of an asset lies close together: rows of words are narrow, and what is asked is in an index

The index of words leads to rows, and PostgreSQL goes to each of them for its number alone: with the words out of the
row there are sixty rows in a page rather than three. What a row lacks is told by a signature of its words.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import BIT, TSVECTOR

from pulvinar.catalogue.word_index import signature_of

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_ROLE = sa.text("role = 'box'")
_PORTION = 5_000
# of a row that is longer than so many bytes the words are put elsewhere; PostgreSQL takes 128 to 8,160
_BESIDE = "ALTER TABLE words_anew SET (toast_tuple_target = 128)"
_WITHIN = "ALTER TABLE words_anew SET (toast_tuple_target = 8160)"


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        _write_words_anew("dataset_words", signed=True)
        _write_words_anew("asset_words", _BESIDE, signed=True)
    _index_boxes("places")
    op.drop_index("ix_version_asset_asset_id", "version_asset")
    op.create_index("version_asset_by_asset", "version_asset", ["asset_id", "version_id"])


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        _write_words_anew("dataset_words", signed=False)
        _write_words_anew("asset_words", _WITHIN, signed=False)
    _index_boxes()
    op.drop_index("version_asset_by_asset", "version_asset")
    op.create_index("ix_version_asset_asset_id", "version_asset", ["asset_id"])


def _write_words_anew(name: str, where: str = "", *, signed: bool) -> None:
    """Copy the table into one that is made so: a row stays as it was stored until it is written again."""
    op.create_table(
        "words_anew",
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("words", TSVECTOR(), nullable=False),
        *([sa.Column("signature", BIT(512), nullable=False)] if signed else []),
    )
    if where:
        op.execute("ALTER TABLE words_anew ALTER COLUMN words SET STORAGE EXTERNAL")
        op.execute(where)
    # no search is planned by how common a word is, so ANALYZE need not count them
    op.execute("ALTER TABLE words_anew ALTER COLUMN words SET STATISTICS 0")
    _copy(name, signed=signed)
    op.drop_table(name)
    op.rename_table("words_anew", name)
    op.create_primary_key(f"{name}_pkey", name, ["seq"])
    op.execute("SET LOCAL maintenance_work_mem = '256MB'")
    op.create_index(f"{name}_by_word", name, ["words"], postgresql_using="gin", postgresql_with={"fastupdate": "off"})


def _copy(name: str, *, signed: bool) -> None:
    """In the order of their numbers, so many rows at a time."""
    old, anew = (sa.table(one, *map(sa.column, ("seq", "words", "signature"))) for one in (name, "words_anew"))
    # what is put together from two is stored as a new value
    words = old.c.words.op("||")(sa.cast("", TSVECTOR()))
    if not signed:
        op.execute(sa.insert(anew).from_select(["seq", "words"], sa.select(old.c.seq, words).order_by(old.c.seq)))
        return
    said = sa.select(old.c.seq, sa.func.array_to_string(sa.func.tsvector_to_array(old.c.words), " ").label("said"))
    signatures = sa.func.unnest(
        sa.bindparam("numbers", type_=sa.ARRAY(sa.BigInteger())), sa.bindparam("signatures", type_=sa.ARRAY(sa.Text()))
    )
    signed_rows = signatures.table_valued("number", "signature", name="signed").render_derived()
    signature = sa.cast(signed_rows.c.signature, BIT(512))
    joined = sa.select(old.c.seq, words, signature).join(signed_rows, signed_rows.c.number == old.c.seq)
    copying = sa.insert(anew).from_select(["seq", "words", "signature"], joined.order_by(old.c.seq))
    last = -1
    while rows := op.get_bind().execute(said.where(old.c.seq > last).order_by(old.c.seq).limit(_PORTION)).all():
        # words stand behind the number of their block and a dot
        found = [signature_of(word.partition(".")[2] for word in row.said.split(" ")) for row in rows]
        op.get_bind().execute(copying, {"numbers": [row.seq for row in rows], "signatures": found})
        last = rows[-1].seq


def _index_boxes(*more: str) -> None:
    """The index of boxes by number, with `more` columns: the corners of a box are always 24 bytes."""
    op.drop_index("place_block_box_by_number", "place_block")
    columns = ["space", "block", "number", *more]
    op.create_index("place_block_box_by_number", "place_block", columns, sqlite_where=_ROLE, postgresql_where=_ROLE)
