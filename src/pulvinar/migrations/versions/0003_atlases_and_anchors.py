"""Atlases, and where in them assets lie"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "atlas",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("species", sa.String(length=32), nullable=False),
        sa.Column("dataset_id", sa.String(length=64), nullable=False),
        sa.Column("manifest", sa.JSON(), nullable=False),
        sa.Column("installed", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", "version", name=op.f("pk_atlas")),
    )
    op.create_index(op.f("ix_atlas_dataset_id"), "atlas", ["dataset_id"])
    op.create_table(
        "anchor",
        sa.Column("asset_id", sa.String(length=64), nullable=False),
        sa.Column("atlas", sa.String(length=64), nullable=False),
        sa.Column("atlas_version", sa.String(length=64), nullable=False),
        sa.Column("space", sa.String(length=64), nullable=False),
        sa.Column("certainty", sa.String(length=16), nullable=False),
        sa.Column("error_um", sa.Float(precision=53)),
        *(sa.Column(f"{axis}{end}_um", sa.Float(precision=53)) for end in (0, 1) for axis in "zyx"),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("computed", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["asset_id"], ["asset.id"], name=op.f("fk_anchor_asset_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("asset_id", "atlas", name=op.f("pk_anchor")),
    )
    op.create_index("anchor_by_atlas", "anchor", ["atlas", "asset_id"])
    op.create_table(
        "anchor_region",
        sa.Column("asset_id", sa.String(length=64), nullable=False),
        sa.Column("atlas", sa.String(length=64), nullable=False),
        sa.Column("role", sa.String(length=128), nullable=False),
        sa.Column("region_id", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("value", sa.Float(precision=53), nullable=False),
        sa.ForeignKeyConstraint(["asset_id"], ["asset.id"], name=op.f("fk_anchor_region_asset_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("asset_id", "atlas", "role", "region_id", name=op.f("pk_anchor_region")),
    )
    op.create_index("anchor_region_by_position", "anchor_region", ["atlas", "role", "position", "asset_id"])
    op.create_table(
        "place_block",
        sa.Column("space", sa.String(length=64), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("block", sa.BigInteger(), nullable=False),
        sa.Column("asset_id", sa.String(length=64), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("places", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["asset_id"], ["asset.id"], name=op.f("fk_place_block_asset_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("space", "role", "block", "asset_id", name=op.f("pk_place_block")),
    )
    op.create_index(op.f("ix_place_block_asset_id"), "place_block", ["asset_id"])


def downgrade() -> None:
    for table in ("place_block", "anchor_region", "anchor", "atlas"):
        op.drop_table(table)
