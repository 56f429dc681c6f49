"""Drafts: versions that take assets and a record until they are published, and which of them an actor may change."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Table, delete, insert, select, update
from sqlalchemy.orm import Session

from pulvinar.access.visibility import visible
from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue.asset_index import forget_asset
from pulvinar.catalogue.datasets import datasets_among
from pulvinar.catalogue.places import batches
from pulvinar.catalogue.search import reindex
from pulvinar.catalogue.subjects import link_subject
from pulvinar.catalogue.tables import asset, asset_object, dataset, location, version, version_asset
from pulvinar.catalogue.versions import read_versions
from pulvinar.errors import Conflict, Invalid, NotFound
from pulvinar.model.access import Actor, Right
from pulvinar.model.dataset import Asset, Dataset, StoredObject, Version, VersionState, asset_digest, version_digest
from pulvinar.model.identity import new_id
from pulvinar.model.record import Record, record_from_json, record_to_json
from pulvinar.storage.database import Database

_IDS = 500


def open_draft(work: UnitOfWork, dataset_id: str) -> Version:
    """The draft of a dataset: the one there is, or a new one that carries over what was published last.

    Of what was withdrawn it carries over the record alone, where no published version stands.
    """
    work.ask(Right.WRITE, dataset_id)
    rows = work.session.execute(
        select(version).where(version.c.dataset_id == dataset_id).order_by(version.c.number.desc())
    ).all()
    if rows and rows[0].state == VersionState.DRAFT.value:
        return read_versions(work.session, rows[:1])[0]
    standing = [row for row in rows if row.state == VersionState.PUBLISHED.value]
    before = read_versions(work.session, (standing or rows)[:1])
    assets = before[0].assets if standing else ()
    return _new_draft(work, dataset_id, before[0] if before else None, assets, rows[0].number + 1 if rows else 1)


def _new_draft(
    work: UnitOfWork, dataset_id: str, before: Version | None, assets: tuple[Asset, ...], number: int
) -> Version:
    record = before.record if before else _record_of(work.session, dataset_id)
    document = record_to_json(record)
    made = Version(
        id=new_id(dataset_id.partition("-")[0]),
        dataset_id=dataset_id,
        number=number,
        state=VersionState.DRAFT,
        digest=version_digest(document, assets),
        record=record,
        created=datetime.now(UTC),
        assets=assets,
        document=document,
    )
    values = {"id": made.id, "dataset_id": dataset_id, "number": made.number, "state": made.state.value}
    values |= {"digest": made.digest, "created": made.created}
    work.session.execute(insert(version).values(**values, record=document))
    if assets:
        links = [{"version_id": made.id, "asset_id": one.id} for one in assets]
        work.session.execute(insert(version_asset), links)
    work.record_event("open-draft", made.id, {"dataset": dataset_id, "number": made.number})
    return made


def add_asset(work: UnitOfWork, version_id: str, added: Asset, objects: Sequence[StoredObject]) -> Version:
    """As `add_assets`, one asset. Each call reads the whole draft: what comes together is added together."""
    return add_assets(work, version_id, [(added, objects)])


def add_assets(work: UnitOfWork, version_id: str, added: Sequence[tuple[Asset, Sequence[StoredObject]]]) -> Version:
    """Put assets, each with its objects, into a draft, which is read once and made found once however many they are.

    Raises `Conflict` for a published version or an asset that is there, `Invalid` when the digest, size or count of one
    don't belong to its objects."""
    draft = draft_to_change(work, version_id)
    for one, objects in added:
        size = sum(item.size_bytes for item in objects)
        if (one.digest, one.size_bytes, one.object_count) != (asset_digest(objects), size, len(objects)):
            raise Invalid(f"asset {one.id} ({one.name}) does not describe its {len(objects)} objects")
    _refuse_known(work.session, [one.id for one, _ in added])
    for table, rows in _rows_of(version_id, added).items():
        if rows:
            work.session.execute(insert(table), rows)
    for one, _ in added:
        work.record_event("add-asset", version_id, {"asset": one.id, "digest": one.digest})
    # what a dataset has is among the words of each of its assets
    known = {one.kind for one in draft.assets}
    alone = all(one.kind in known for one, _ in added)
    assets = (*draft.assets, *(one for one, _ in added))
    return renew_draft(
        work.session, replace(draft, assets=assets), only=[one.id for one, _ in added] if alone else None
    )


def _refuse_known(session: Session, asset_ids: Sequence[str]) -> None:
    """Raise `Conflict` where an asset has one of the identifiers."""
    for some in batches(asset_ids, _IDS):
        known = session.scalar(select(asset.c.id).where(asset.c.id.in_(some)).limit(1))
        if known is not None:
            raise Conflict(f"there is an asset {known} already")


def _rows_of(
    version_id: str, added: Sequence[tuple[Asset, Sequence[StoredObject]]]
) -> dict[Table, list[dict[str, Any]]]:
    """The rows of assets that are put into a version, by table, each table after those to which it refers."""
    rows: dict[Table, list[dict[str, Any]]] = {asset: [], asset_object: [], location: [], version_asset: []}
    for one, objects in added:
        values = {name: getattr(one, name) for name in ("id", "name", "prefix", "size_bytes", "object_count", "digest")}
        rows[asset].append({**values, "kind": one.kind.value, "details": one.details})
        rows[asset_object] += [
            {"asset_id": one.id, "path": item.path, "size_bytes": item.size_bytes, "sha256": item.sha256}
            for item in objects
        ]
        if one.location is not None:
            place = one.location
            values = {"url": place.url, "ownership": place.ownership.value, "owner": place.owner, "seen": place.seen}
            rows[location].append({"asset_id": one.id, **values})
        rows[version_asset].append({"version_id": version_id, "asset_id": one.id})
    return rows


def remove_asset(work: UnitOfWork, version_id: str, asset_id: str) -> Version:
    """Take an asset out of a draft. Where no other version has it, its objects are left to the sweep.

    Raises `Conflict` for a published version, `NotFound` when the draft has no such asset.
    """
    draft = draft_to_change(work, version_id)
    removed = next((one for one in draft.assets if one.id == asset_id), None)
    if removed is None:
        raise NotFound(f"version {draft.number} of dataset {draft.dataset_id} has no asset {asset_id}")
    mine = version_asset.c.asset_id == asset_id
    work.session.execute(delete(version_asset).where(mine, version_asset.c.version_id == version_id))
    if work.session.scalar(select(version_asset.c.version_id).where(mine).limit(1)) is None:
        forget_asset(work.session, asset_id)
        work.session.execute(delete(asset_object).where(asset_object.c.asset_id == asset_id))
        work.session.execute(delete(location).where(location.c.asset_id == asset_id))
        work.session.execute(delete(asset).where(asset.c.id == asset_id))
    work.record_event("remove-asset", version_id, {"asset": asset_id, "digest": removed.digest})
    left = tuple(one for one in draft.assets if one.id != asset_id)
    alone = any(one.kind is removed.kind for one in left)
    return renew_draft(work.session, replace(draft, assets=left), only=[asset_id] if alone else None)


def set_record(work: UnitOfWork, version_id: str, record: Record) -> Version:
    """Change the metadata of a draft. Raises `Conflict` for a published version."""
    draft = draft_to_change(work, version_id)
    if record.species is not draft.record.species:
        raise Conflict(f"dataset {draft.dataset_id} is of {draft.record.species.value}, not {record.species.value}")
    work.record_event("set-record", version_id)
    if record.subject:
        link_subject(work.session, draft.dataset_id, record.subject)
    return renew_draft(work.session, replace(draft, record=record))


def draft_to_change(work: UnitOfWork, version_id: str) -> Version:
    """The draft of that identifier, for who may write to it. Raises `NotFound`, and `Conflict` for a version that is
    none any more."""
    found = read_versions(work.session, work.session.execute(select(version).where(version.c.id == version_id)).all())
    if not found:
        raise NotFound(f"there is no version {version_id}")
    work.ask(Right.WRITE, found[0].dataset_id)
    if found[0].state is not VersionState.DRAFT:
        raise Conflict(
            f"version {found[0].number} of dataset {found[0].dataset_id} is {found[0].state} and never changes",
            hint="open a new draft",
        )
    return found[0]


def renew_draft(session: Session, draft: Version, only: Collection[str] | None = None) -> Version:
    """Store the digest and the record of a changed draft, and make it (of its assets `only` some) found by what it says
    now."""
    document = record_to_json(draft.record)
    renewed = replace(draft, digest=version_digest(document, draft.assets), document=document)
    values = {"digest": renewed.digest, "record": document}
    session.execute(update(version).where(version.c.id == draft.id).values(**values))
    reindex(session, draft.dataset_id, only)
    return renewed


def _record_of(session: Session, dataset_id: str) -> Record:
    stored = session.scalar(select(dataset.c.record).where(dataset.c.id == dataset_id))
    if stored is None:
        raise NotFound(f"there is no dataset {dataset_id}")
    return record_from_json(stored)


def own_drafts(database: Database, actor: Actor, *, limit: int = 50) -> tuple[Dataset, ...]:
    """The datasets with a draft that `actor` may write to, by name and not because everyone may, the newest first."""
    may = visible(actor, version.c.dataset_id, Right.WRITE, by_name=True)
    drafts = select(version.c.dataset_id).where(version.c.state == VersionState.DRAFT.value, may)
    with database.session() as session:
        ids = list(session.scalars(drafts.order_by(version.c.created.desc(), version.c.id).limit(limit)))
    return datasets_among(database, actor, ids)
