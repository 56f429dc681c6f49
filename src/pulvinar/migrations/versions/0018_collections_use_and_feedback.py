"""Collections of datasets, counts of use, and what people say of the platform"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)
_ID = sa.String(length=64)
_DAY = sa.String(length=10)


def upgrade() -> None:
    _collections()
    _use()
    op.create_table(
        "feedback",
        sa.Column("id", _ID, nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("service", sa.String(length=16), nullable=False),
        sa.Column("page", sa.String(length=200), nullable=False),
        sa.Column("language", sa.String(length=8), nullable=False),
        sa.Column("score", sa.SmallInteger()),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_feedback"),
    )
    op.create_index("feedback_by_time", "feedback", ["at"])


def _collections() -> None:
    op.create_table(
        "collection",
        sa.Column("id", _ID, nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("made_by", _ID, nullable=False),
        sa.Column("made", _MOMENT, nullable=False),
        sa.Column("changed", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_collection"),
    )
    op.create_index("collection_by_change", "collection", ["changed"])
    op.create_table(
        "collection_item",
        sa.Column("collection_id", _ID, nullable=False),
        sa.Column("dataset_id", _ID, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("collection_id", "dataset_id", name="pk_collection_item"),
        _of_collection("collection_item"),
        sa.ForeignKeyConstraint(
            ["dataset_id"], ["dataset.id"], name="fk_collection_item_dataset_id", ondelete="CASCADE"
        ),
    )
    op.create_index("collection_item_by_dataset", "collection_item", ["dataset_id"])
    op.create_table(
        "collection_grant",
        sa.Column("collection_id", _ID, nullable=False),
        sa.Column("audience", sa.String(length=80), nullable=False),
        sa.Column("level", sa.SmallInteger(), nullable=False),
        sa.Column("given_by", _ID, nullable=False),
        sa.PrimaryKeyConstraint("collection_id", "audience", name="pk_collection_grant"),
        _of_collection("collection_grant"),
    )
    op.create_index("collection_grant_by_audience", "collection_grant", ["audience", "collection_id"])


def _of_collection(table: str) -> sa.ForeignKeyConstraint:
    name = f"fk_{table}_collection_id"
    return sa.ForeignKeyConstraint(["collection_id"], ["collection.id"], name=name, ondelete="CASCADE")


def _use() -> None:
    op.create_table(
        "use_count",
        sa.Column("day", _DAY, nullable=False),
        sa.Column("what", sa.String(length=16), nullable=False),
        sa.Column("dataset_id", _ID, nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day", "what", "dataset_id", name="pk_use_count"),
    )
    op.create_index("use_count_by_dataset", "use_count", ["dataset_id", "day"])
    op.create_table(
        "use_visitor",
        sa.Column("day", _DAY, nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("day", "digest", name="pk_use_visitor"),
    )
    op.create_table(
        "use_salt",
        sa.Column("day", _DAY, nullable=False),
        sa.Column("salt", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("day", name="pk_use_salt"),
    )


def downgrade() -> None:
    for table in ("feedback", "use_salt", "use_visitor", "use_count"):
        op.drop_table(table)
    for table in ("collection_grant", "collection_item", "collection"):
        op.drop_table(table)
