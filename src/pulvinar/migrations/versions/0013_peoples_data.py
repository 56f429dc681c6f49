"""People's data: what is in quarantine, what was erased, and the leaves that are left of it"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "quarantine",
        sa.Column("asset_id", sa.String(length=64), nullable=False),
        sa.Column("origin", sa.String(length=64), nullable=False),
        sa.Column("identifiers", sa.String(length=16), nullable=False),
        sa.Column("face", sa.String(length=16), nullable=False),
        sa.Column("held", sa.Boolean(), nullable=False),
        sa.Column("since", _MOMENT, nullable=False),
        sa.Column("basis", sa.String(length=32), nullable=False),
        sa.Column("basis_by", sa.String(length=64), nullable=False),
        sa.Column("reviewed_by", sa.String(length=64), nullable=False),
        sa.Column("reviewed", _MOMENT),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("asset_id", "origin", name="pk_quarantine"),
        sa.ForeignKeyConstraint(["asset_id"], ["asset.id"], name="fk_quarantine_asset_id", ondelete="CASCADE"),
    )
    op.create_index("ix_quarantine_origin", "quarantine", ["origin"])
    op.create_table(
        "erasure",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("subject_sha256", sa.String(length=64), nullable=False),
        sa.Column("erased_by", sa.String(length=64), nullable=False),
        sa.Column("erased", _MOMENT, nullable=False),
        sa.Column("certificate", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_erasure"),
    )
    op.create_index("ix_erasure_subject_sha256", "erasure", ["subject_sha256"])
    op.create_table(
        "tombstone",
        sa.Column("version_id", sa.String(length=64), nullable=False),
        sa.Column("of", sa.String(length=64), nullable=False),
        sa.Column("leaf", sa.String(length=64), nullable=False),
        sa.Column("erasure_id", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("version_id", "of", name="pk_tombstone"),
        sa.ForeignKeyConstraint(["version_id"], ["version.id"], name="fk_tombstone_version_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["erasure_id"], ["erasure.id"], name="fk_tombstone_erasure_id"),
    )
    op.create_index("ix_tombstone_erasure_id", "tombstone", ["erasure_id"])
