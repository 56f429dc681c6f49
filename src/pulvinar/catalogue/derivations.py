"""Which assets were made from which: written with the asset, asked when it is to be made once more or shown to all."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from pulvinar.access.visibility import EVERYONE, shown_to
from pulvinar.catalogue.tables import derivation, derivation_input
from pulvinar.errors import Conflict
from pulvinar.model.derivation import Derivation, derivation_from_json, derivation_to_json


def record_derivation(session: Session, asset_id: str, made: Derivation) -> None:
    """Write down how an asset was made, in the transaction that adds it to a version."""
    session.execute(insert(derivation).values(asset_id=asset_id, job_id=made.job_id, details=derivation_to_json(made)))
    rows = [
        {"asset_id": asset_id, "name": one.name, "input_asset_id": one.asset_id, "dataset_id": one.dataset_id}
        for one in made.inputs
    ]
    if rows:
        session.execute(insert(derivation_input), rows)


def derivation_of(session: Session, asset_id: str) -> Derivation | None:
    """How an asset was made; None for one that was brought in. Whoever asks may see the asset."""
    details = session.scalar(select(derivation.c.details).where(derivation.c.asset_id == asset_id))
    return derivation_from_json(details) if details is not None else None


def derived_among(session: Session, asset_ids: Collection[str]) -> frozenset[str]:
    """Those of the assets that were made from others."""
    mine = derivation.c.asset_id.in_(list(asset_ids))
    return frozenset(session.scalars(select(derivation.c.asset_id).where(mine)))


def check_may_be_public(session: Session, dataset_id: str, asset_ids: Collection[str]) -> None:
    """Raise `Conflict` where one of the assets was made from a dataset that not everyone sees."""
    mine = derivation_input.c.asset_id.in_(list(asset_ids))
    sources = session.scalars(select(derivation_input.c.dataset_id).where(mine).distinct())
    hidden = sorted(one for one in sources if one != dataset_id and EVERYONE not in shown_to(session, one))
    if hidden:
        raise Conflict(
            f"dataset {dataset_id} was made from {hidden[0]}, which is not published and would be shown by it",
            hint=f"publish {hidden[0]} first, or share both with the same people",
        )
