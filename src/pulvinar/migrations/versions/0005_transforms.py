"""An index of the assets that are transforms"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_TRANSFORM = sa.text("kind = 'transform'")


def upgrade() -> None:
    op.create_index("asset_transforms", "asset", ["id"], sqlite_where=_TRANSFORM, postgresql_where=_TRANSFORM)


def downgrade() -> None:
    op.drop_index("asset_transforms", "asset")
