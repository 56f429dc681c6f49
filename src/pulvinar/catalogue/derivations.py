"""Which assets were made from which: written with the asset, asked when it is to be made once more or shown to all."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from pulvinar.access.dataset_access import access_of, shown_by
from pulvinar.access.visibility import EVERYONE, grants_on
from pulvinar.catalogue.quarantine import inherit
from pulvinar.catalogue.tables import derivation, derivation_input, quarantine, version, version_asset
from pulvinar.errors import Conflict
from pulvinar.model.access import Access, Tier
from pulvinar.model.derivation import Derivation, derivation_from_json, derivation_to_json
from pulvinar.model.quarantine import Face

REMOVES_FACES = "deface"
"""The solution whose result is looked at for itself: what it was made from stays where it is."""


def record_derivation(session: Session, asset_id: str, made: Derivation) -> None:
    """Write down how an asset was made, in the transaction that adds it to a version."""
    session.execute(insert(derivation).values(asset_id=asset_id, job_id=made.job_id, details=derivation_to_json(made)))
    rows = [
        {"asset_id": asset_id, "name": one.name, "input_asset_id": one.asset_id, "dataset_id": one.dataset_id}
        for one in made.inputs
    ]
    if rows:
        session.execute(insert(derivation_input), rows)
    inputs = [one.asset_id for one in made.inputs]
    inherit(session, asset_id, inputs, without_face=made.solution == REMOVES_FACES and made.output == "defaced")


def derivation_of(session: Session, asset_id: str) -> Derivation | None:
    """How an asset was made; None for one that was brought in. Whoever asks may see the asset."""
    details = session.scalar(select(derivation.c.details).where(derivation.c.asset_id == asset_id))
    return derivation_from_json(details) if details is not None else None


def derived_among(session: Session, asset_ids: Collection[str]) -> frozenset[str]:
    """Those of the assets that were made from others."""
    mine = derivation.c.asset_id.in_(list(asset_ids))
    return frozenset(session.scalars(select(derivation.c.asset_id).where(mine)))


def check_tier(session: Session, dataset_id: str, access: Access) -> None:
    """Raise `Conflict` where a dataset would be for more people than one that something in it was made from."""
    if hidden := less_open(session, dataset_id, access):
        raise Conflict(
            f"dataset {dataset_id} was made from {hidden[0]}, which fewer may see and which would be shown by it",
            hint=f"publish {hidden[0]} first, or share both with the same people",
        )


def less_open(session: Session, dataset_id: str, access: Access) -> list[str]:
    """The datasets that something in a dataset was made from and that are for fewer people than `access` says."""
    held = version_asset.c.version_id.in_(select(version.c.id).where(version.c.dataset_id == dataset_id))
    mine = derivation_input.c.asset_id.in_(select(version_asset.c.asset_id).where(held))
    # what was made by removing a face, and reviewed, shows nothing of the head that it was made from
    faceless = quarantine.c.origin == quarantine.c.asset_id, quarantine.c.face == Face.REMOVED.value, ~quarantine.c.held
    hides = derivation_input.c.asset_id.not_in(select(quarantine.c.asset_id).where(*faceless))
    sources = session.scalars(select(derivation_input.c.dataset_id).where(mine, hides).distinct())
    return sorted(one for one in sources if one != dataset_id and not _is_as_open(session, one, access))


def _is_as_open(session: Session, source: str, access: Access) -> bool:
    """Whether a source is, or will be in time, for all those whom `access` names without a name."""
    tier = Tier.PUBLIC if access.tier is Tier.EMBARGOED else access.tier
    own = access_of(session, source)
    if access.opens is not None and own.opens is not None and own.opens <= access.opens:
        return True
    given = {one.audience: one.right for one in grants_on(session, source)}
    everyone = given.get(EVERYONE, 0)
    return all(max(given.get(audience, 0), everyone) >= right for audience, right in shown_by(tier).items())
