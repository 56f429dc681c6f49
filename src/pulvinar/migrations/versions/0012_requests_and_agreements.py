"""Requests for access, agreements and who accepted them, what may leave the site, codes of use"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)
_ID = sa.String(length=64)


def upgrade() -> None:
    _requests()
    _agreements()
    _leaving()
    _note_sources()


def _requests() -> None:
    op.create_table(
        "access_request",
        sa.Column("id", _ID, nullable=False),
        sa.Column("dataset_id", _ID, nullable=False),
        sa.Column("account_id", _ID, nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("stated", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("made", _MOMENT, nullable=False),
        sa.Column("decided", _MOMENT),
        sa.Column("decided_by", _ID),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("ends", _MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_access_request"),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name="fk_access_request_account_id", ondelete="CASCADE"
        ),
    )
    op.create_index("request_by_account", "access_request", ["account_id", "made"])
    op.create_index("request_by_dataset", "access_request", ["dataset_id", "state"])
    op.create_table(
        "dataset_use",
        sa.Column("dataset_id", _ID, nullable=False),
        sa.Column("codes", sa.JSON(), nullable=False),
        sa.Column("by_itself", sa.Boolean(), nullable=False),
        sa.Column("days", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("dataset_id", name="pk_dataset_use"),
    )


def _agreements() -> None:
    op.create_table(
        "agreement",
        sa.Column("id", _ID, nullable=False),
        sa.Column("giver", sa.String(length=80)),
        sa.Column("dataset_id", _ID),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_agreement"),
    )
    op.create_index("ix_agreement_giver", "agreement", ["giver"])
    op.create_index("ix_agreement_dataset_id", "agreement", ["dataset_id"])
    op.create_table(
        "agreement_version",
        sa.Column("agreement_id", _ID, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("digest", _ID, nullable=False),
        sa.Column("terms", sa.JSON(), nullable=False),
        sa.Column("made", _MOMENT, nullable=False),
        sa.Column("made_by", _ID, nullable=False),
        sa.PrimaryKeyConstraint("agreement_id", "number", name="pk_agreement_version"),
        sa.ForeignKeyConstraint(["agreement_id"], ["agreement.id"], name="fk_agreement_version_agreement_id"),
    )
    op.create_table(
        "dataset_agreement",
        sa.Column("dataset_id", _ID, nullable=False),
        sa.Column("agreement_id", _ID, nullable=False),
        sa.Column("origin", _ID, nullable=False),
        sa.PrimaryKeyConstraint("dataset_id", "agreement_id", "origin", name="pk_dataset_agreement"),
        sa.ForeignKeyConstraint(["agreement_id"], ["agreement.id"], name="fk_dataset_agreement_agreement_id"),
    )
    op.create_index("agreement_by_origin", "dataset_agreement", ["origin"])
    op.create_table(
        "acceptance",
        sa.Column("id", _ID, nullable=False),
        sa.Column("agreement_id", _ID, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("digest", _ID, nullable=False),
        sa.Column("account_id", _ID, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("address", _ID, nullable=False),
        sa.Column("accepted", _MOMENT, nullable=False),
        sa.Column("values", sa.JSON(), nullable=False),
        sa.Column("counts_from", _MOMENT),
        sa.Column("countersigned_by", _ID),
        sa.Column("ends", _MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_acceptance"),
        sa.ForeignKeyConstraint(["agreement_id"], ["agreement.id"], name="fk_acceptance_agreement_id"),
    )
    op.create_index("acceptance_by_account", "acceptance", ["account_id", "agreement_id"])
    op.create_index("acceptance_by_agreement", "acceptance", ["agreement_id", "accepted"])


def _leaving() -> None:
    op.create_table(
        "dataset_source",
        sa.Column("dataset_id", _ID, nullable=False),
        sa.Column("source_id", _ID, nullable=False),
        sa.PrimaryKeyConstraint("dataset_id", "source_id", name="pk_dataset_source"),
    )
    op.create_index("ix_dataset_source_source_id", "dataset_source", ["source_id"])
    op.create_table(
        "export_rule",
        sa.Column("scope", sa.String(length=80), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("persons", sa.Integer(), nullable=False),
        sa.Column("jurisdiction", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("scope", "kind", name="pk_export_rule"),
    )
    op.create_table(
        "person_left",
        sa.Column("scope", sa.String(length=80), nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("person", sa.String(length=300), nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("scope", "month", "person", name="pk_person_left"),
    )


def _note_sources() -> None:
    """What is there was made from others, too: each dataset's sources, then theirs, until there are no more."""
    op.execute(
        "INSERT INTO dataset_source (dataset_id, source_id) "
        "SELECT DISTINCT version.dataset_id, derivation_input.dataset_id FROM derivation_input "
        "JOIN version_asset ON version_asset.asset_id = derivation_input.asset_id "
        "JOIN version ON version.id = version_asset.version_id "
        "WHERE version.dataset_id <> derivation_input.dataset_id"
    )
    further = sa.text(
        "INSERT INTO dataset_source (dataset_id, source_id) "
        "SELECT DISTINCT made.dataset_id, origin.source_id FROM dataset_source AS made "
        "JOIN dataset_source AS origin ON origin.dataset_id = made.source_id "
        "WHERE made.dataset_id <> origin.source_id AND NOT EXISTS (SELECT 1 FROM dataset_source AS known "
        "WHERE known.dataset_id = made.dataset_id AND known.source_id = origin.source_id)"
    )
    while op.get_bind().execute(further).rowcount > 0:
        pass
