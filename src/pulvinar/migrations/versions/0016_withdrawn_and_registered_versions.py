"""Versions that were withdrawn, the DOIs of versions, and uploads by way of a bucket"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "withdrawal",
        sa.Column("version_id", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("replaced_by", sa.String(length=512), nullable=False),
        sa.Column("withdrawn_by", sa.String(length=64), nullable=False),
        sa.Column("withdrawn", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("version_id", name="pk_withdrawal"),
        sa.ForeignKeyConstraint(["version_id"], ["version.id"], name="fk_withdrawal_version_id", ondelete="CASCADE"),
    )
    op.create_table(
        "registration",
        sa.Column("version_id", sa.String(length=64), nullable=False),
        sa.Column("doi", sa.String(length=255), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("trouble", sa.Text(), nullable=False),
        sa.Column("due", _MOMENT),
        sa.Column("registered", _MOMENT),
        sa.PrimaryKeyConstraint("version_id", name="pk_registration"),
        sa.ForeignKeyConstraint(["version_id"], ["version.id"], name="fk_registration_version_id", ondelete="CASCADE"),
    )
    op.create_index("ix_registration_due", "registration", ["due"])
    op.create_table(
        "bucket_upload",
        sa.Column("file_id", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=512), nullable=False),
        sa.Column("upload", sa.Text(), nullable=False),
        sa.Column("part_bytes", sa.BigInteger(), nullable=False),
        sa.Column("complete", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("file_id", name="pk_bucket_upload"),
        sa.ForeignKeyConstraint(
            ["file_id"], ["submission_file.id"], name="fk_bucket_upload_file_id", ondelete="CASCADE"
        ),
    )
    op.create_table(
        "bucket_part",
        sa.Column("file_id", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("file_id", "number", name="pk_bucket_part"),
        sa.ForeignKeyConstraint(
            ["file_id"], ["bucket_upload.file_id"], name="fk_bucket_part_file_id", ondelete="CASCADE"
        ),
    )


def downgrade() -> None:
    op.drop_table("bucket_part")
    op.drop_table("bucket_upload")
    op.drop_table("registration")
    op.drop_table("withdrawal")
