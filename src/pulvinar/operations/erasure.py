"""Erasing a person's data by law: out of all versions, what was made from them, and every place that shows them.

The catalogue forgets first, in one transaction: from then on nobody can read what is to go. Then the bytes are removed,
and the certificate says that they are. Whatever ends in between, `finish_erasures` goes on.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from pulvinar.access.outbox import forget_messages
from pulvinar.access.subject_keys import SubjectKeys
from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue.tables import asset, dataset, dataset_subject, subject, version, version_asset
from pulvinar.catalogue.tombstones import (
    bury,
    certificates,
    forget_subject,
    is_without_person,
    made_from,
    new_erasure_id,
    rewrite_certificate,
    write_erasure,
)
from pulvinar.compute.jobs import forget_inputs
from pulvinar.errors import Invalid, NotFound
from pulvinar.ingest.assets import asset_prefix
from pulvinar.ingest.sessions import forget_paths
from pulvinar.model.access import Actor, Right
from pulvinar.model.record import Species, record_from_json
from pulvinar.storage.database import Database
from pulvinar.storage.store import Store

_LEAST_REASON = 3


@dataclass(frozen=True)
class Goes:
    """An asset that is to be erased, with what a certificate tells of it. `derived`: made from another one."""

    id: str
    kind: str
    digest: str
    size_bytes: int
    dataset_id: str
    derived: bool = False


@dataclass(frozen=True)
class Found:
    """What there is of a person: `assets` go; `shared` were made from several people's data too, and stay unless they
    are named; `records` are versions whose record is of this person; `datasets` are all that are touched."""

    assets: tuple[Goes, ...]
    shared: tuple[Goes, ...]
    records: tuple[str, ...]
    datasets: tuple[str, ...]


@dataclass(frozen=True)
class Erasure:
    """How an erasure is to be done: by whom, why, within which term, and where keys and certificates lie.

    `also` are assets made from several people's data that are to go as well.
    """

    actor: Actor
    reason: str
    term_days: int
    node: str = "local"
    keys: SubjectKeys | None = None
    folder: Path | None = None
    also: tuple[str, ...] = ()


def find_subject(database: Database, name: str, species: Species = Species.HUMAN) -> Found:
    """What there is of a person, by the pseudonym. Raises `NotFound` where there is nothing."""
    with database.session() as session:
        return _found(session, name, species, ())


def erase(
    database: Database, store: Store, name: str, how: Erasure, species: Species = Species.HUMAN
) -> dict[str, Any]:
    """Erase what there is of a person, and give back the certificate.

    Raises `NotFound` where there is nothing that the actor sees, `Forbidden` for who doesn't administer all of it,
    `Invalid` without a reason.
    """
    if len(how.reason.strip()) < _LEAST_REASON:
        raise Invalid("an erasure needs a reason", hint="--reason says who asked for it, and when")
    with UnitOfWork(database, how.actor) as work:
        found = _found(work.session, name, species, how.also)
        for dataset_id in found.datasets:
            work.ask(Right.ADMINISTER, dataset_id)
        certificate = _certificate(name, species, found, how)
        erasure_id = write_erasure(work.session, subject_digest(name, species), how.actor.id, certificate)
        _forget(work.session, found, erasure_id)
        forget_subject(work.session, name, species.value, found.datasets)
        work.record_event("erase", erasure_id, {"reason": how.reason.strip(), "assets": len(found.assets)})
    if how.keys is not None:
        certificate["key_destroyed"] = how.keys.destroy(name)
    return _finished(database, store, certificate, how.folder)


def finish_erasures(database: Database, store: Store, folder: Path | None = None) -> int:
    """Remove the bytes of erasures that were interrupted; how many those were."""
    open_ones = [one for one in certificates(database) if not one["bytes_removed"]]
    for certificate in open_ones:
        _finished(database, store, certificate, folder)
    return len(open_ones)


def apply_erasures(database: Database, store: Store, erased: Iterable[Mapping[str, Any]]) -> int:
    """Erase once more what a restore has brought back, by the certificates of before; how many were needed.

    The certificates come from the folder in which they are kept apart from the backups: a catalogue of before an
    erasure doesn't know of it.
    """
    again = 0
    known = {one["id"] for one in certificates(database)}
    for certificate in erased:
        ids = [one["id"] for one in certificate["assets"]]
        with database.writing() as session:
            if certificate["id"] not in known:
                write_erasure(session, certificate["subject_sha256"], certificate["erased_by"], certificate)
            back = list(session.scalars(select(asset.c.id).where(asset.c.id.in_(ids))))
            records = _unerased(session, certificate["records"])
            named = _names_again(session, certificate["subject_sha256"])
            if back or records or named:
                again += 1
                _forget(session, Found(_goes(session, back), (), tuple(records), ()), certificate["id"])
                for name, species in named:
                    forget_subject(session, name, species, _datasets_of(session, name, species))
        _remove_bytes(store, ids)
    return again


def _names_again(session: Session, digest: str) -> list[tuple[str, str]]:
    """The subject of a certificate, name and species, where it is in the list of subjects: only its digest is kept."""
    rows = session.execute(select(subject.c.name, subject.c.species))
    return [(row.name, row.species) for row in rows if subject_digest(row.name, Species(row.species)) == digest]


def _datasets_of(session: Session, name: str, species: str) -> list[str]:
    mine = dataset_subject.c.subject_name == name, dataset_subject.c.species == species
    return list(session.scalars(select(dataset_subject.c.dataset_id).where(*mine)))


def read_certificates(folder: Path) -> list[dict[str, Any]]:
    """The certificates that lie in `folder`, the oldest first."""
    return [json.loads(path.read_text("utf-8")) for path in sorted(folder.glob("*.json"))]


def subject_digest(name: str, species: Species) -> str:
    """By what a person is known who is to be forgotten: who asks by the pseudonym finds the erasure."""
    return hashlib.sha256(f"{species.value}\n{name}".encode()).hexdigest()


def _found(session: Session, name: str, species: Species, also: Collection[str]) -> Found:
    datasets = set(
        session.scalars(
            select(dataset_subject.c.dataset_id).where(
                dataset_subject.c.subject_name == name, dataset_subject.c.species == species.value
            )
        )
    )
    whole = {one for one in datasets if _is_of_one(session, one)}
    ids = _assets_in(session, whole) | _said_to_be_of(session, name, species)
    records = _records_of(session, datasets, name)
    if not ids and not records:
        raise NotFound(f"there is nothing of a subject {name!r}", hint="pulvinar show says how the subject is called")
    own, shared = set(ids), dict[str, set[str]]()
    # what was made from what was made, until nothing more is found
    while True:
        made = {one: sources for one, sources in made_from(session, own).items() if one not in own}
        mine = {one for one, sources in made.items() if _only_of(session, sources, own) or one in also}
        shared = {one: sources for one, sources in made.items() if one not in mine}
        if not mine:
            break
        own |= mine
    # of what is wholly gone, a title would still tell
    records |= _emptied(session, own)
    goes = tuple(replace(one, derived=one.id not in ids) for one in _goes(session, own))
    stays = _goes(session, set(shared))
    touched = {one.dataset_id for one in goes} | {_dataset_of(session, one) for one in records}
    return Found(goes, stays, tuple(sorted(records)), tuple(sorted(touched)))


def _is_of_one(session: Session, dataset_id: str) -> bool:
    mine = select(dataset_subject.c.subject_name).where(dataset_subject.c.dataset_id == dataset_id)
    subjects = set(session.scalars(mine))
    said = {_participant(details) for _, details in _details(session, [dataset_id])} - {""}
    return len(subjects) == 1 and len(said) <= 1


def _said_to_be_of(session: Session, name: str, species: Species) -> set[str]:
    """Assets of datasets of many people, as BIDS has them, that say that they are of this one."""
    wanted = {name, name.removeprefix("sub-")}
    datasets = session.scalars(select(dataset.c.id).where(dataset.c.species == species.value)).all()
    return {one for one, details in _details(session, datasets) if _participant(details) in wanted}


def _participant(details: Mapping[str, Any]) -> str:
    entities = (details.get("header") or {}).get("bids", {}).get("entities", {})
    return str(entities.get("sub", ""))


def _details(session: Session, dataset_ids: Collection[str]) -> list[tuple[str, dict[str, Any]]]:
    wanted = (
        select(asset.c.id, asset.c.details)
        .join(version_asset, version_asset.c.asset_id == asset.c.id)
        .join(version, version.c.id == version_asset.c.version_id)
        .where(version.c.dataset_id.in_(list(dataset_ids)))
    )
    return [(row.id, row.details) for row in session.execute(wanted)]


def _assets_in(session: Session, dataset_ids: Collection[str]) -> set[str]:
    wanted = select(version_asset.c.asset_id).join(version, version.c.id == version_asset.c.version_id)
    return set(session.scalars(wanted.where(version.c.dataset_id.in_(list(dataset_ids)))))


def _records_of(session: Session, dataset_ids: Collection[str], name: str) -> set[str]:
    rows = session.execute(select(version.c.id, version.c.record).where(version.c.dataset_id.in_(list(dataset_ids))))
    return {row.id for row in rows if (row.record.get("subject") or {}).get("name") == name}


def _emptied(session: Session, asset_ids: Collection[str]) -> set[str]:
    """The versions all of whose assets are among these."""
    holders = select(version_asset.c.version_id).where(version_asset.c.asset_id.in_(list(asset_ids)))
    rows = session.execute(select(version_asset).where(version_asset.c.version_id.in_(holders))).all()
    return {row.version_id for row in rows} - {row.version_id for row in rows if row.asset_id not in asset_ids}


def _unerased(session: Session, version_ids: Sequence[str]) -> list[str]:
    rows = session.execute(select(version.c.id, version.c.record).where(version.c.id.in_(list(version_ids))))
    return [row.id for row in rows if not is_without_person(record_from_json(row.record))]


def _only_of(session: Session, sources: Collection[str], own: Collection[str]) -> bool:
    """Whether what something was made from is of this person alone: an atlas, and what is of no person, don't count."""
    others = set(sources) - set(own)
    rows = session.execute(
        select(dataset_subject.c.subject_name)
        .join(version, version.c.dataset_id == dataset_subject.c.dataset_id)
        .join(version_asset, version_asset.c.version_id == version.c.id)
        .where(version_asset.c.asset_id.in_(list(others)), dataset_subject.c.species == Species.HUMAN.value)
    )
    return rows.first() is None


def _goes(session: Session, asset_ids: Collection[str]) -> tuple[Goes, ...]:
    wanted = (
        select(asset.c.id, asset.c.kind, asset.c.digest, asset.c.size_bytes, version.c.dataset_id)
        .join(version_asset, version_asset.c.asset_id == asset.c.id)
        .join(version, version.c.id == version_asset.c.version_id)
        .where(asset.c.id.in_(list(asset_ids)))
        .order_by(asset.c.id)
    )
    rows = {row.id: row for row in session.execute(wanted)}
    return tuple(Goes(row.id, row.kind, row.digest, row.size_bytes, row.dataset_id) for row in rows.values())


def _dataset_of(session: Session, version_id: str) -> str:
    return str(session.scalar(select(version.c.dataset_id).where(version.c.id == version_id)))


def _forget(session: Session, found: Found, erasure_id: str) -> None:
    """Out of the catalogue, the search, the jobs and the sessions of ingest."""
    ids = [one.id for one in found.assets]
    held = select(version_asset.c.version_id).where(version_asset.c.asset_id.in_(ids))
    touched = {*session.scalars(held), *found.records}
    forget_inputs(session, ids)
    forget_paths(session, {one.dataset_id for one in found.assets})
    bury(session, ids, found.records, erasure_id)
    # what was posted when they were published names them
    forget_messages(session, touched)


def _certificate(name: str, species: Species, found: Found, how: Erasure) -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        "id": new_erasure_id(how.node),
        "subject_sha256": subject_digest(name, species),
        "erased_by": how.actor.id,
        "reason": how.reason.strip(),
        "erased": now.isoformat(),
        "term_ends": (now + timedelta(days=how.term_days)).isoformat(),
        "assets": [vars(one) for one in found.assets],
        "kept_of_several": [vars(one) for one in found.shared],
        "records": list(found.records),
        "datasets": list(found.datasets),
        "key_destroyed": False,
        "objects_removed": 0,
        "bytes_removed": False,
    }


def _finished(database: Database, store: Store, certificate: dict[str, Any], folder: Path | None) -> dict[str, Any]:
    removed = _remove_bytes(store, [one["id"] for one in certificate["assets"]])
    certificate |= {"objects_removed": certificate["objects_removed"] + removed, "bytes_removed": True}
    with database.writing() as session:
        rewrite_certificate(session, certificate)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(certificate, indent=1, sort_keys=True, ensure_ascii=False)
        (folder / f"{certificate['id']}.json").write_text(text, "utf-8")
    return certificate


def _remove_bytes(store: Store, asset_ids: Sequence[str]) -> int:
    """Objects, pictures and thumbnails alike: all lie below the asset."""
    removed = 0
    for asset_id in asset_ids:
        for entry in list(store.list(asset_prefix(asset_id))):
            store.delete(entry.key)
            removed += 1
    return removed
