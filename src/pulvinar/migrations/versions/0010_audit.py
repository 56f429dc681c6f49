"""The seal on the log of events, and reads of controlled data"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("event", sa.Column("seal", sa.BigInteger(), nullable=True))
    op.add_column("event", sa.Column("chain", sa.String(length=64), nullable=True))
    op.create_index("event_by_time", "event", ["at", "seq"], unique=False)
    op.create_index("event_by_actor", "event", ["actor_id", "at", "seq"], unique=False)
    op.create_index("event_by_verb", "event", ["verb", "at", "seq"], unique=False)
    op.create_index("event_by_seal", "event", ["seal", "seq"], unique=False)

    op.create_table(
        "event_seal",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("first_seq", sa.BigInteger(), nullable=False),
        sa.Column("last_seq", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("chain", sa.String(length=64), nullable=False),
        sa.Column("previous", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_event_seal")),
        sa.UniqueConstraint("hash", name=op.f("uq_event_seal_hash")),
    )

    op.create_table(
        "access_read",
        sa.Column("actor_id", sa.String(length=64), nullable=False),
        sa.Column("asset_id", sa.String(length=64), nullable=False),
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        sa.Column("dataset_id", sa.String(length=64), nullable=False),
        sa.Column("chunks", sa.BigInteger(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("told", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("actor_id", "asset_id", "hour", name=op.f("pk_access_read")),
    )
    op.create_index("access_read_of_dataset", "access_read", ["dataset_id", "hour"], unique=False)
    op.create_index(
        "access_read_untold",
        "access_read",
        ["hour"],
        unique=False,
        sqlite_where=sa.text("NOT told"),
        postgresql_where=sa.text("NOT told"),
    )


def downgrade() -> None:
    op.drop_table("access_read")
    op.drop_table("event_seal")
    for name in ("event_by_seal", "event_by_verb", "event_by_actor", "event_by_time"):
        op.drop_index(name, "event")
    with op.batch_alter_table("event", schema=None) as batch_op:
        batch_op.drop_column("chain")
        batch_op.drop_column("seal")
