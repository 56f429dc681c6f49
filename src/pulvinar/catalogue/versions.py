"""Versions of datasets as they are read: those that an actor may see, with their assets."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, func, select
from sqlalchemy.orm import Session

from pulvinar.access.work import check_right
from pulvinar.catalogue.asset_rows import asset_from_row, locations_of
from pulvinar.catalogue.nameless import nameless
from pulvinar.catalogue.seen import seen_version
from pulvinar.catalogue.tables import asset, registration, version, version_asset
from pulvinar.errors import NotFound
from pulvinar.model.access import Actor, Right
from pulvinar.model.dataset import Asset, Version, VersionState
from pulvinar.model.record import record_from_json, record_to_json, without_names
from pulvinar.storage.database import Database


def list_versions(database: Database, actor: Actor, dataset_id: str) -> tuple[Version, ...]:
    """The versions of a dataset that `actor` may see, newest first, with their assets. Raises `NotFound`."""
    wanted = versions_seen(actor).where(version.c.dataset_id == dataset_id).order_by(version.c.number.desc())
    with database.session() as session:
        found = read_versions(session, session.execute(wanted).all(), actor)
    if not found:
        raise NotFound(f"there is no dataset {dataset_id}")
    return tuple(found)


def version_among(versions: Sequence[Version], dataset_id: str, number: int | None) -> Version:
    """That of all `versions` of a dataset which `get_version` would give. Raises `NotFound`."""
    asked = [one for one in versions if number in (None, one.number)]
    if not asked:
        raise _no_version(dataset_id, number)
    return max(asked, key=lambda one: (one.state is not VersionState.WITHDRAWN, one.number))


def _no_version(dataset_id: str, number: int | None) -> NotFound:
    asked = f"version {number} of dataset {dataset_id}" if number is not None else f"dataset {dataset_id}"
    return NotFound(f"there is no {asked}")


def get_version(
    database: Database, actor: Actor, dataset_id: str, number: int | None = None, right: Right = Right.SEE
) -> Version:
    """One version of a dataset, the newest that was not withdrawn when no number is given. Raises `NotFound`, and
    `Forbidden` where `actor` has not `right` on what the actor sees."""
    withdrawn_last = version.c.state == VersionState.WITHDRAWN.value, version.c.number.desc()
    wanted = versions_seen(actor).where(version.c.dataset_id == dataset_id).order_by(*withdrawn_last).limit(1)
    if number is not None:
        wanted = wanted.where(version.c.number == number)
    with database.session() as session:
        found = read_versions(session, session.execute(wanted).all(), actor)
        if found and right > Right.SEE:
            check_right(session, actor, right, dataset_id)
    if not found:
        raise _no_version(dataset_id, number)
    return found[0]


def latest_versions(session: Session, actor: Actor, dataset_ids: Sequence[str]) -> dict[str, Version]:
    """The newest version that `actor` may see of each dataset and that was not withdrawn, with its assets."""
    wanted = latest_seen(actor, version.c.dataset_id.in_(dataset_ids))
    rows = session.execute(wanted).all() if dataset_ids else []
    return {found.dataset_id: found for found in read_versions(session, rows, actor)}


def latest_seen(actor: Actor, which: ColumnElement[bool]) -> Select[Any]:
    """The rows of those versions, of the datasets that a condition on `version` names."""
    stands = version.c.state != VersionState.WITHDRAWN.value
    seen = versions_seen(actor).where(which, stands).subquery("seen")
    newest = (
        select(seen.c.dataset_id, func.max(seen.c.number).label("number"))
        .group_by(seen.c.dataset_id)
        .subquery("newest")
    )
    return select(version).join(
        newest, (newest.c.dataset_id == version.c.dataset_id) & (newest.c.number == version.c.number)
    )


def versions_seen(actor: Actor, right: Right = Right.SEE) -> Select[Any]:
    """Versions that `actor` may see, or more."""
    return select(version).where(seen_version(actor, version, right))


def read_versions(session: Session, rows: Sequence[Row[Any]], actor: Actor | None = None) -> list[Version]:
    """The versions of rows of their table, with their assets, as they are told to `actor`."""
    blind = actor is not None and actor.is_blind
    assets: dict[str, list[Asset]] = {row.id: [] for row in rows}
    wanted = (
        select(version_asset.c.version_id, asset)
        .join(asset, asset.c.id == version_asset.c.asset_id)
        .where(version_asset.c.version_id.in_(list(assets)))
        .order_by(asset.c.id)
    )
    found = session.execute(wanted).all() if rows else []
    places = locations_of(session, {row.id for row in found})
    dois = {} if blind else _dois_of(session, [row.id for row in rows])
    for row in found:
        one = asset_from_row(row, places.get(row.id))
        assets[row.version_id].append(nameless(one) if blind else one)
    return [
        Version(
            id=row.id,
            dataset_id=row.dataset_id,
            number=row.number,
            state=VersionState(row.state),
            digest=row.digest,
            record=without_names(record_from_json(row.record)) if blind else record_from_json(row.record),
            created=row.created,
            published=row.published,
            assets=tuple(assets[row.id]),
            document=record_to_json(without_names(record_from_json(row.record))) if blind else row.record,
            doi=dois.get(row.id, ""),
        )
        for row in rows
    ]


def _dois_of(session: Session, version_ids: Collection[str]) -> dict[str, str]:
    """The registered DOIs of versions. A DOI leads to names: who looks blindly is told none."""
    done = registration.c.version_id.in_(list(version_ids)), registration.c.registered.is_not(None)
    wanted = select(registration.c.version_id, registration.c.doi).where(*done)
    return {row.version_id: row.doi for row in session.execute(wanted)} if version_ids else {}


def datasets_of_digests(session: Session, digests: Collection[str]) -> dict[str, str]:
    """The dataset of each digest of a version that is one. Private to the rooms above, which tell nobody."""
    wanted = select(version.c.digest, version.c.dataset_id).where(version.c.digest.in_(digests))
    return {row.digest: row.dataset_id for row in session.execute(wanted)} if digests else {}
