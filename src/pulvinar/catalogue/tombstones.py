"""What erasure by law leaves in the catalogue: leaves by which digests are still proved, and who erased what."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from pulvinar.catalogue.asset_index import forget_asset
from pulvinar.catalogue.search import reindex
from pulvinar.catalogue.tables import (
    asset,
    dataset,
    dataset_subject,
    derivation_input,
    erasure,
    subject,
    tombstone,
    version,
    version_asset,
)
from pulvinar.catalogue.versions import read_versions
from pulvinar.model.dataset import Version, VersionState, asset_leaf, record_leaf, version_digest
from pulvinar.model.identity import new_id
from pulvinar.model.record import Record, Specimen, record_from_json, record_to_json
from pulvinar.storage.database import Database

_TITLE = "Erased / 已删除"


def erased_leaves(database: Database, dataset_id: str) -> dict[str, dict[str, str]]:
    """By version of a dataset, the leaves of what was erased from it: "record", or by asset."""
    wanted = (
        select(tombstone.c.version_id, tombstone.c.of, tombstone.c.leaf)
        .join(version, version.c.id == tombstone.c.version_id)
        .where(version.c.dataset_id == dataset_id)
    )
    found: dict[str, dict[str, str]] = {}
    with database.session() as session:
        for row in session.execute(wanted):
            found.setdefault(row.version_id, {})[row.of] = row.leaf
    return found


def is_erased(session: Session, asset_id: str) -> bool:
    """Whether an asset was erased by law: it is to be restored from no copy."""
    return session.scalar(select(tombstone.c.of).where(tombstone.c.of == asset_id).limit(1)) is not None


def write_erasure(session: Session, subject_sha256: str, actor_id: str, certificate: Mapping[str, Any]) -> str:
    """Write down that a person's data are erased, in the transaction that does it; the erasure's identifier."""
    made = str(certificate["id"])
    values = {"id": made, "subject_sha256": subject_sha256, "erased_by": actor_id, "erased": datetime.now(UTC)}
    session.execute(insert(erasure).values(**values, certificate=dict(certificate)))
    return made


def new_erasure_id(node: str) -> str:
    """An identifier for an erasure to be."""
    return new_id(node)


def certificates(database: Database) -> tuple[dict[str, Any], ...]:
    """The certificates of all erasures, the oldest first: what a restore applies once more."""
    with database.session() as session:
        return tuple(session.scalars(select(erasure.c.certificate).order_by(erasure.c.erased)))


def rewrite_certificate(session: Session, certificate: Mapping[str, Any]) -> None:
    """Replace the certificate of an erasure that has come to its end."""
    mine = erasure.c.id == certificate["id"]
    session.execute(update(erasure).where(mine).values(certificate=dict(certificate)))


def bury(session: Session, asset_ids: Collection[str], records: Collection[str], erasure_id: str) -> None:
    """Take assets out of all versions, and the person out of the records of versions; a leaf stays of each.

    Published versions keep their digests. Private to the rooms above, which ask whether it is allowed.
    """
    gone = set(asset_ids)
    held = select(version_asset.c.version_id).where(version_asset.c.asset_id.in_(list(gone)))
    touched = set(session.scalars(held)) | set(records)
    rows = session.execute(select(version).where(version.c.id.in_(list(touched)))).all()
    for one in read_versions(session, rows):
        _bury_in(session, one, gone, one.id in records, erasure_id)
    for asset_id in gone:
        forget_asset(session, asset_id)
    session.execute(delete(version_asset).where(version_asset.c.asset_id.in_(list(gone))))
    session.execute(delete(asset).where(asset.c.id.in_(list(gone))))
    for dataset_id in {row.dataset_id for row in rows}:
        _renew_dataset(session, dataset_id)


def _bury_in(session: Session, one: Version, gone: set[str], whole_record: bool, erasure_id: str) -> None:
    leaves = {each.id: asset_leaf(each) for each in one.assets if each.id in gone}
    if whole_record:
        leaves["record"] = record_leaf(one.document)
    document = record_to_json(without_person(one.record)) if whole_record else one.document
    values: dict[str, Any] = {"record": document}
    if one.state is VersionState.DRAFT:
        left = [each for each in one.assets if each.id not in gone]
        values["digest"] = version_digest(document, left)
    else:
        already = set(session.scalars(select(tombstone.c.of).where(tombstone.c.version_id == one.id)))
        rows = [
            {"version_id": one.id, "of": of, "leaf": leaf, "erasure_id": erasure_id}
            for of, leaf in leaves.items()
            if of not in already
        ]
        if rows:
            session.execute(insert(tombstone), rows)
    session.execute(update(version).where(version.c.id == one.id).values(**values))


def without_person(record: Record) -> Record:
    """What may be told of a dataset whose person was erased: species, licence, and who had made it."""
    nobody = replace(record, subject=None, specimen=Specimen(), title=_TITLE, description="", keywords=(), source="")
    acquisition = replace(record.acquisition, date="", instrument="")
    return replace(nobody, acquisition=acquisition, related=(), citation="")


def is_without_person(record: Record) -> bool:
    """Whether a record is what `without_person` has left."""
    return record.title == _TITLE


def _renew_dataset(session: Session, dataset_id: str) -> None:
    """The dataset says what its newest version does, and is found by it."""
    mine = version.c.dataset_id == dataset_id
    newest = session.execute(select(version).where(mine).order_by(version.c.number.desc()).limit(1)).first()
    if newest is not None:
        session.execute(update(dataset).where(dataset.c.id == dataset_id).values(record=newest.record))
        if is_without_person(record_from_json(newest.record)):
            session.execute(delete(dataset_subject).where(dataset_subject.c.dataset_id == dataset_id))
    reindex(session, dataset_id)


def forget_subject(session: Session, name: str, species: str, dataset_ids: Sequence[str]) -> None:
    """Take a subject out of the list of subjects, where no other dataset has it."""
    mine = dataset_subject.c.subject_name == name, dataset_subject.c.species == species
    session.execute(delete(dataset_subject).where(*mine, dataset_subject.c.dataset_id.in_(list(dataset_ids))))
    if session.execute(select(dataset_subject.c.dataset_id).where(*mine).limit(1)).first() is None:
        session.execute(delete(subject).where(subject.c.name == name, subject.c.species == species))


def made_from(session: Session, asset_ids: Collection[str]) -> dict[str, set[str]]:
    """The assets that were made from others, each with all that it was made from."""
    children = select(derivation_input.c.asset_id).where(derivation_input.c.input_asset_id.in_(list(asset_ids)))
    wanted = select(derivation_input).where(derivation_input.c.asset_id.in_(children))
    found: dict[str, set[str]] = {}
    for row in session.execute(wanted):
        found.setdefault(row.asset_id, set()).add(row.input_asset_id)
    return found
