"""Whom a dataset is for: tiers, organisations and their members, rights that end, links; to view apart from to read"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("granted", sa.Column("ends", _MOMENT))
    op.add_column("granted", sa.Column("given_by", sa.String(length=64)))
    ends, opens = sa.text("ends IS NOT NULL"), sa.text("opens IS NOT NULL")
    op.create_index("granted_ends", "granted", ["ends"], sqlite_where=ends, postgresql_where=ends)
    # to view became a right of its own between to see and to read
    op.execute("UPDATE granted SET level = level + 1 WHERE level >= 2")
    op.create_table(
        "organisation",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("parent", sa.String(length=64)),
        sa.Column("made", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_organisation"),
        sa.ForeignKeyConstraint(["parent"], ["organisation.id"], name="fk_organisation_parent"),
    )
    op.create_index("ix_organisation_parent", "organisation", ["parent"])
    op.create_table(
        "organisation_member",
        sa.Column("organisation_id", sa.String(length=64), nullable=False),
        sa.Column("actor_id", sa.String(length=64), nullable=False),
        sa.Column("role", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("organisation_id", "actor_id", name="pk_organisation_member"),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name="fk_organisation_member_organisation_id", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_organisation_member_actor_id", "organisation_member", ["actor_id"])
    op.create_table(
        "dataset_access",
        sa.Column("dataset_id", sa.String(length=64), nullable=False),
        sa.Column("tier", sa.String(length=16), nullable=False),
        sa.Column("opens", _MOMENT),
        sa.Column("home", sa.String(length=64)),
        sa.Column("made_by", sa.String(length=64)),
        sa.PrimaryKeyConstraint("dataset_id", name="pk_dataset_access"),
        sa.ForeignKeyConstraint(["home"], ["organisation.id"], name="fk_dataset_access_home"),
    )
    op.create_index("ix_dataset_access_home", "dataset_access", ["home"])
    op.create_index("dataset_opens", "dataset_access", ["opens"], sqlite_where=opens, postgresql_where=opens)
    op.create_table(
        "share_link",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("dataset_id", sa.String(length=64), nullable=False),
        sa.Column("secret_sha256", sa.String(length=64), nullable=False),
        sa.Column("right", sa.SmallInteger(), nullable=False),
        sa.Column("ends", _MOMENT, nullable=False),
        sa.Column("blind", sa.Boolean(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("made_by", sa.String(length=64), nullable=False),
        sa.Column("made", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_share_link"),
        sa.UniqueConstraint("secret_sha256", name="uq_share_link_secret_sha256"),
    )
    op.create_index("ix_share_link_dataset_id", "share_link", ["dataset_id"])
