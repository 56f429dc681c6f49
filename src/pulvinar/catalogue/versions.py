"""Versions: drafts that take assets, and published ones that never change."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    Row,
    Select,
    Table,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.orm import Session

from pulvinar.access.dataset_access import access_of
from pulvinar.access.outbox import post
from pulvinar.access.visibility import highest_right
from pulvinar.access.work import UnitOfWork, check_right
from pulvinar.catalogue.asset_index import forget_asset
from pulvinar.catalogue.derivations import check_tier, derived_among
from pulvinar.catalogue.listed import listed, told
from pulvinar.catalogue.nameless import ORIGINALS, nameless
from pulvinar.catalogue.places import batches
from pulvinar.catalogue.quarantine import check_may_leave
from pulvinar.catalogue.search import reindex
from pulvinar.catalogue.seen import seen_version
from pulvinar.catalogue.sharing import apply_tier
from pulvinar.catalogue.subjects import link_subject
from pulvinar.catalogue.tables import (
    asset,
    asset_object,
    dataset,
    location,
    registration,
    tombstone,
    version,
    version_asset,
)
from pulvinar.errors import Conflict, Forbidden, Invalid, NotFound
from pulvinar.model.access import Actor, Right, Tier
from pulvinar.model.dataset import (
    Asset,
    AssetKind,
    Location,
    Ownership,
    StoredObject,
    Version,
    VersionState,
    asset_digest,
    version_digest,
)
from pulvinar.model.identity import new_id
from pulvinar.model.record import Record, record_from_json, record_to_json, without_names
from pulvinar.storage.database import Database

PUBLISHED = "published"
"""The message that is posted when a version is."""
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
    draft = _draft(work, version_id)
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
    return _renew(work.session, replace(draft, assets=assets), only=[one.id for one, _ in added] if alone else None)


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
    draft = _draft(work, version_id)
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
    return _renew(work.session, replace(draft, assets=left), only=[asset_id] if alone else None)


def find_asset(of: Version, name: str) -> Asset:
    """The asset of a version by its name or identifier. Raises `NotFound`, and `Conflict` for a name of several."""
    found = [one for one in of.assets if name in (one.id, one.name)]
    if not found:
        raise NotFound(
            f"version {of.number} of dataset {of.dataset_id} has no asset {name!r}",
            hint=f"it has {', '.join(one.name for one in of.assets) or 'none'}",
        )
    if len(found) > 1:
        raise Conflict(
            f"{len(found)} assets are named {name!r}", hint=f"name one by its id: {', '.join(one.id for one in found)}"
        )
    return found[0]


def set_record(work: UnitOfWork, version_id: str, record: Record) -> Version:
    """Change the metadata of a draft. Raises `Conflict` for a published version."""
    draft = _draft(work, version_id)
    if record.species is not draft.record.species:
        raise Conflict(f"dataset {draft.dataset_id} is of {draft.record.species.value}, not {record.species.value}")
    work.record_event("set-record", version_id)
    if record.subject:
        link_subject(work.session, draft.dataset_id, record.subject)
    return _renew(work.session, replace(draft, record=record))


def publish(work: UnitOfWork, version_id: str) -> Version:
    """Freeze a draft: from now on it never changes, its digest can be cited, and those see it whom the dataset's tier
    names.

    Raises `Conflict` when it is published already, was made from what fewer may see or has a person's data in
    quarantine, `Invalid` when it has no asset,
    `Forbidden` for who may not share it.
    """
    draft = _draft(work, version_id)
    if not draft.assets:
        raise Invalid(f"version {draft.number} of dataset {draft.dataset_id} is empty", hint="ingest something first")
    work.ask(Right.SHARE, draft.dataset_id)
    check_may_leave(work.session, draft.dataset_id, version_id)
    check_tier(work.session, draft.dataset_id, access_of(work.session, draft.dataset_id))
    published = replace(draft, state=VersionState.PUBLISHED, published=datetime.now(UTC))
    values = {"state": published.state.value, "published": published.published}
    work.session.execute(update(version).where(version.c.id == version_id).values(**values))
    apply_tier(work.session, draft.dataset_id)
    reindex(work.session, draft.dataset_id)
    work.record_event("publish", version_id, {"digest": draft.digest, "number": draft.number})
    post(work.session, PUBLISHED, version_id, _announced(work.session, published))
    return published


def _announced(session: Session, published: Version) -> dict[str, Any]:
    """What rules decide by: the record in short, and the assets that no version before has published."""
    before = (
        select(version_asset.c.asset_id)
        .join(version, version.c.id == version_asset.c.version_id)
        .where(version.c.dataset_id == published.dataset_id, version.c.id != published.id)
        .where(version.c.state == VersionState.PUBLISHED.value)
    )
    known = frozenset(session.scalars(before))
    derived = derived_among(session, [one.id for one in published.assets])
    return {
        "dataset": published.dataset_id,
        "number": published.number,
        "species": published.record.species.value,
        "modality": published.record.acquisition.modality,
        "assets": [
            {"id": one.id, "name": one.name, "kind": one.kind.value, "derived": one.id in derived}
            for one in published.assets
            if one.id not in known
        ],
    }


def _draft(work: UnitOfWork, version_id: str) -> Version:
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


def _renew(session: Session, draft: Version, only: Collection[str] | None = None) -> Version:
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


def list_versions(database: Database, actor: Actor, dataset_id: str) -> tuple[Version, ...]:
    """The versions of a dataset that `actor` may see, newest first, with their assets. Raises `NotFound`."""
    wanted = _seen(actor).where(version.c.dataset_id == dataset_id).order_by(version.c.number.desc())
    with database.session() as session:
        found = read_versions(session, session.execute(wanted).all(), actor)
    if not found:
        raise NotFound(f"there is no dataset {dataset_id}")
    return tuple(found)


def get_version(
    database: Database, actor: Actor, dataset_id: str, number: int | None = None, right: Right = Right.SEE
) -> Version:
    """One version of a dataset, the newest that was not withdrawn when no number is given. Raises `NotFound`, and
    `Forbidden` where `actor` has not `right` on what the actor sees."""
    withdrawn_last = version.c.state == VersionState.WITHDRAWN.value, version.c.number.desc()
    wanted = _seen(actor).where(version.c.dataset_id == dataset_id).order_by(*withdrawn_last).limit(1)
    if number is not None:
        wanted = wanted.where(version.c.number == number)
    with database.session() as session:
        found = read_versions(session, session.execute(wanted).all(), actor)
        if found and right > Right.SEE:
            check_right(session, actor, right, dataset_id)
    if not found:
        asked = f"version {number} of dataset {dataset_id}" if number is not None else f"dataset {dataset_id}"
        raise NotFound(f"there is no {asked}")
    return found[0]


def latest_versions(session: Session, actor: Actor, dataset_ids: Sequence[str]) -> dict[str, Version]:
    """The newest version that `actor` may see of each dataset and that was not withdrawn, with its assets."""
    stands = version.c.state != VersionState.WITHDRAWN.value
    seen = _seen(actor).where(version.c.dataset_id.in_(dataset_ids), stands).subquery("seen")
    newest = (
        select(seen.c.dataset_id, func.max(seen.c.number).label("number"))
        .group_by(seen.c.dataset_id)
        .subquery("newest")
    )
    wanted = select(version).join(
        newest, (newest.c.dataset_id == version.c.dataset_id) & (newest.c.number == version.c.number)
    )
    rows = session.execute(wanted).all() if dataset_ids else []
    return {found.dataset_id: found for found in read_versions(session, rows, actor)}


def _seen(actor: Actor, right: Right = Right.SEE) -> Select[Any]:
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


def locations_of(session: Session, asset_ids: Collection[str]) -> dict[str, Location]:
    """Where those of the assets lie that others keep."""
    wanted = select(location).where(listed(session, location.c.asset_id, "ids")).order_by(location.c.url)
    return {
        row.asset_id: Location(Ownership(row.ownership), row.url, row.owner, row.seen)
        for row in (session.execute(wanted, {"ids": told(asset_ids)}) if asset_ids else ())
    }


def asset_from_row(row: Row[Any], place: Location | None) -> Asset:
    """The asset of a row of its table, with where its other bytes are."""
    return Asset(
        id=row.id,
        name=row.name,
        kind=AssetKind(row.kind),
        prefix=row.prefix,
        size_bytes=row.size_bytes,
        object_count=row.object_count,
        digest=row.digest,
        details=row.details,
        location=place,
    )


def manifest(database: Database, actor: Actor, version_id: str) -> dict[str, Any]:
    """Everything in a version as JSON values: record, assets, and path, size and SHA-256 of every object.

    The record is the stored one, under the schema of its day.
    `model.dataset.asset_digest` and `version_digest` of what it holds give the digests that it states; where something
    was erased by law, `erased` has its leaf, and `manifest_digest` of all leaves gives it.
    """
    with database.session() as session:
        found = read_versions(session, session.execute(_seen(actor).where(version.c.id == version_id)).all(), actor)
        if found:
            check_right(session, actor, Right.READ, found[0].dataset_id)
        lost = select(tombstone.c.of, tombstone.c.leaf).where(tombstone.c.version_id == version_id)
        erased = [{"of": row.of, "leaf": row.leaf} for row in session.execute(lost.order_by(tombstone.c.of))]
    if not found:
        raise NotFound(f"there is no version {version_id}")
    stated = found[0]
    return {
        "dataset": stated.dataset_id,
        "version": stated.id,
        "number": stated.number,
        "state": stated.state.value,
        "digest": stated.digest,
        "record": stated.document,
        "assets": [_manifest_of(one, objects_of(database, actor, one.id)) for one in stated.assets],
        **({"erased": erased} if erased else {}),
    }


def _manifest_of(one: Asset, objects: Iterable[StoredObject]) -> dict[str, Any]:
    listed = [{"path": item.path, "size_bytes": item.size_bytes, "sha256": item.sha256} for item in objects]
    told: dict[str, Any] = {
        "id": one.id,
        "name": one.name,
        "kind": one.kind.value,
        "digest": one.digest,
        "objects": listed,
    }
    if one.location is not None:
        place = one.location
        told["location"] = {"ownership": place.ownership.value, "url": place.shown_url, "owner": place.owner}
    return told


@dataclass(frozen=True)
class Resolved:
    """An asset of a version, and how much the actor who asked may do to their dataset."""

    asset: Asset
    dataset_id: str
    right: Right
    tier: Tier


def resolve(database: Database, actor: Actor, digest: str, asset_id: str, right: Right = Right.READ) -> Resolved:
    """The asset of the version with that digest, for who has `right` on it.

    Raises `NotFound`; a draft's digest is gone once it has changed. `Forbidden` for who sees it and may do less.
    """
    held = (
        _seen(actor)
        .add_columns(asset)
        .join(version_asset, version_asset.c.version_id == version.c.id)
        .join(asset, asset.c.id == version_asset.c.asset_id)
        .where(version.c.digest == digest, asset.c.id == asset_id)
    )
    with database.session() as session:
        rows = session.execute(held.with_only_columns(asset, version.c.dataset_id)).all()
        rights = {row.dataset_id: highest_right(session, actor, row.dataset_id) for row in rows}
        best = max(rows, key=lambda row: rights[row.dataset_id] or 0, default=None)
        if best is None or not (own := rights[best.dataset_id]):
            raise NotFound(f"there is no asset {asset_id} in a version {digest}")
        if own < right:
            raise Forbidden(
                f"{actor.name} may not {right.name.lower()} asset {asset_id}",
                hint=f"the page of dataset {best.dataset_id} says how to ask for it",
            )
        found = asset_from_row(best, locations_of(session, [asset_id]).get(asset_id))
        return Resolved(found, best.dataset_id, own, access_of(session, best.dataset_id).tier)


def resolve_asset(database: Database, actor: Actor, digest: str, asset_id: str, right: Right = Right.READ) -> Asset:
    """As `resolve`, the asset alone, as it is told to `actor`."""
    found = resolve(database, actor, digest, asset_id, right).asset
    return nameless(found) if actor.is_blind else found


def find_home(database: Database, actor: Actor, asset_id: str, right: Right = Right.READ) -> tuple[Version, Asset]:
    """An asset by its identifier alone, and the newest version that holds it and of which `actor` may have `right`.
    Raises `NotFound`."""
    wanted = (
        _seen(actor, right)
        .join(version_asset, version_asset.c.version_id == version.c.id)
        .where(version_asset.c.asset_id == asset_id)
        .order_by(version.c.number.desc())
        .limit(1)
    )
    with database.session() as session:
        found = read_versions(session, session.execute(wanted).all(), actor)
    if not found:
        raise NotFound(f"there is no asset {asset_id}")
    return found[0], find_asset(found[0], asset_id)


def objects_of(database: Database, actor: Actor, asset_id: str) -> tuple[StoredObject, ...]:
    """Every object of an asset that `actor` may read, sorted by path; nothing for another one."""
    wanted = objects_seen(actor, asset_id, Right.READ).order_by(asset_object.c.path)
    with database.session() as session:
        return tuple(StoredObject(row.path, row.size_bytes, row.sha256) for row in session.execute(wanted).all())


def datasets_of_digests(session: Session, digests: Collection[str]) -> dict[str, str]:
    """The dataset of each digest of a version that is one. Private to the rooms above, which tell nobody."""
    wanted = select(version.c.digest, version.c.dataset_id).where(version.c.digest.in_(digests))
    return {row.digest: row.dataset_id for row in session.execute(wanted)} if digests else {}


def find_object(
    database: Database, actor: Actor, asset_id: str, path: str, right: Right = Right.READ
) -> StoredObject | None:
    """One object of an asset on which `actor` has `right`, or None."""
    with database.session() as session:
        row = session.execute(objects_seen(actor, asset_id, right).where(asset_object.c.path == path)).first()
    return StoredObject(row.path, row.size_bytes, row.sha256) if row else None


def objects_seen(actor: Actor, asset_id: str, right: Right) -> Select[Any]:
    """The rows of the objects of an asset on which `actor` has `right`."""
    seen = _seen(actor, right).subquery("seen")
    holders = (
        select(version_asset.c.version_id)
        .join(seen, seen.c.id == version_asset.c.version_id)
        .where(version_asset.c.asset_id == asset_id)
    )
    objects = select(asset_object).where(asset_object.c.asset_id == asset_id, holders.exists())
    return objects.where(~asset_object.c.path.startswith(ORIGINALS)) if actor.is_blind else objects


def known_asset_ids(database: Database) -> frozenset[str]:
    """The asset of every version, for whoever clears the store: it hides nothing because it shows nothing."""
    with database.session() as session:
        return frozenset(session.scalars(select(version_asset.c.asset_id).distinct()))
