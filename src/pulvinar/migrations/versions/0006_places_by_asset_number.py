"""Places by the number of their asset in the search: what is near a place is found from the newest asset down"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_LOOKED_FOR = sa.text("role IN ('node', 'cell')")


def upgrade() -> None:
    op.add_column("place_block", sa.Column("number", sa.BigInteger()))
    op.execute("UPDATE place_block SET number = (SELECT number FROM asset_entry WHERE asset_id = place_block.asset_id)")
    op.create_index(
        "place_block_by_number",
        "place_block",
        ["space", "block", "number"],
        sqlite_where=_LOOKED_FOR,
        postgresql_where=_LOOKED_FOR,
    )
    op.create_index("place_block_by_asset", "place_block", ["asset_id", "space", "block"])
    op.drop_index(op.f("ix_place_block_asset_id"), "place_block")


def downgrade() -> None:
    op.create_index(op.f("ix_place_block_asset_id"), "place_block", ["asset_id"])
    op.drop_index("place_block_by_asset", "place_block")
    op.drop_index("place_block_by_number", "place_block")
    op.drop_column("place_block", "number")
