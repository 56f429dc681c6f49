"""Since when versions are registered under a prefix by themselves"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "registrar_account",
        sa.Column("prefix", sa.String(length=64), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("prefix", name="pk_registrar_account"),
    )


def downgrade() -> None:
    op.drop_table("registrar_account")
