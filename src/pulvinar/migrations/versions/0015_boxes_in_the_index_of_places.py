"""What has a box and no places, as a volume, is in the index of places too: a box that is drawn finds it"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from pulvinar.catalogue.boxes import box_blocks
from pulvinar.model.space import Space

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_BOXES = sa.text("role = 'box'")
_WITHOUT_PLACES = """
SELECT anchor.asset_id, anchor.space, atlas.species, entry.number, z0_um, y0_um, x0_um, z1_um, y1_um, x1_um
FROM anchor JOIN atlas ON atlas.name = anchor.atlas AND atlas.version = anchor.atlas_version
LEFT JOIN asset_entry AS entry ON entry.asset_id = anchor.asset_id
WHERE z0_um IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM place_block WHERE place_block.asset_id = anchor.asset_id AND place_block.space = anchor.space
)
"""


def upgrade() -> None:
    op.create_index(
        "place_block_box_by_number",
        "place_block",
        ["space", "block", "number"],
        sqlite_where=_BOXES,
        postgresql_where=_BOXES,
    )
    names = ("space", "role", "block", "asset_id", "count", "places", "number")
    table = sa.table("place_block", *map(sa.column, names))
    done = set()
    for row in op.get_bind().execute(sa.text(_WITHOUT_PLACES)).all():
        if (row.asset_id, row.space) in done:
            continue
        done.add((row.asset_id, row.space))
        space = Space(row.space, row.species, "PIR")
        found = box_blocks(space, ((row.z0_um, row.y0_um, row.x0_um), (row.z1_um, row.y1_um, row.x1_um)))
        about = {"space": row.space, "role": "box", "asset_id": row.asset_id, "count": 1, "number": row.number}
        cubes = zip(found.block.tolist(), found.places, strict=True)
        op.bulk_insert(table, [about | {"block": block, "places": places} for block, places in cubes])


def downgrade() -> None:
    op.execute("DELETE FROM place_block WHERE role = 'box'")
    op.drop_index("place_block_box_by_number", "place_block")
