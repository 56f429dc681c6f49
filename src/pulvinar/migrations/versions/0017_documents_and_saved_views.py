"""Documents of marks with their logs, and saved views"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)
_ID = sa.String(length=64)


def upgrade() -> None:
    _documents()
    _logs()
    op.create_table(
        "saved_view",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("dataset_id", _ID, nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("document_id", _ID, nullable=False),
        sa.Column("made_by", _ID, nullable=False),
        sa.Column("made", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_saved_view"),
        sa.ForeignKeyConstraint(["dataset_id"], ["dataset.id"], name="fk_saved_view_dataset_id", ondelete="CASCADE"),
    )
    op.create_index("saved_view_by_maker", "saved_view", ["made_by", "made"])
    op.create_index("saved_view_by_dataset", "saved_view", ["dataset_id"])


def _documents() -> None:
    op.create_table(
        "document",
        sa.Column("id", _ID, nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("dataset_id", _ID, nullable=False),
        sa.Column("atlas", _ID, nullable=False),
        sa.Column("asset_id", _ID, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("made_by", _ID, nullable=False),
        sa.Column("made", _MOMENT, nullable=False),
        sa.Column("changed", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_document"),
        sa.ForeignKeyConstraint(["dataset_id"], ["dataset.id"], name="fk_document_dataset_id", ondelete="CASCADE"),
    )
    op.create_index("document_by_dataset", "document", ["dataset_id", "changed"])
    op.create_index("document_by_atlas", "document", ["atlas", "changed"])
    op.create_table(
        "document_grant",
        sa.Column("document_id", _ID, nullable=False),
        sa.Column("audience", sa.String(length=80), nullable=False),
        sa.Column("level", sa.SmallInteger(), nullable=False),
        sa.Column("given_by", _ID, nullable=False),
        sa.PrimaryKeyConstraint("document_id", "audience", name="pk_document_grant"),
        _of_document("document_grant"),
    )
    op.create_index("document_grant_by_audience", "document_grant", ["audience", "document_id"])


def _logs() -> None:
    op.create_table(
        "document_operation",
        sa.Column("document_id", _ID, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("actor_id", _ID, nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("key", _ID),
        sa.Column("reverses", sa.Integer()),
        sa.Column("is_undo", sa.Boolean(), nullable=False),
        sa.Column("reversed_by", sa.Integer()),
        sa.PrimaryKeyConstraint("document_id", "number", name="pk_document_operation"),
        _of_document("document_operation"),
    )
    op.create_index("document_operation_by_key", "document_operation", ["document_id", "actor_id", "key"], unique=True)
    op.create_index("document_operation_by_actor", "document_operation", ["document_id", "actor_id", "number"])
    op.create_table(
        "document_change",
        sa.Column("document_id", _ID, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("mark_id", _ID, nullable=False),
        sa.Column("before", sa.JSON(none_as_null=True)),
        sa.Column("after", sa.JSON(none_as_null=True)),
        sa.PrimaryKeyConstraint("document_id", "number", "mark_id", name="pk_document_change"),
        _of_document("document_change"),
    )
    op.create_table(
        "document_mark",
        sa.Column("document_id", _ID, nullable=False),
        sa.Column("mark_id", _ID, nullable=False),
        sa.Column("made_by", _ID, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("mark", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("document_id", "mark_id", name="pk_document_mark"),
        _of_document("document_mark"),
    )


def _of_document(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["document_id"], ["document.id"], name=f"fk_{table}_document_id", ondelete="CASCADE")


def downgrade() -> None:
    for table in ("saved_view", "document_mark", "document_change", "document_operation", "document_grant", "document"):
        op.drop_table(table)
