"""Which animal or person a dataset is of: splits by animal and erasure start here."""

from __future__ import annotations

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from pulvinar.catalogue.tables import dataset_subject, subject
from pulvinar.model.record import Subject


def link_subject(session: Session, dataset_id: str, of: Subject) -> None:
    """Note that a dataset is of a subject, which becomes known by it; a link that is there stays."""
    known = select(subject.c.name).where(subject.c.name == of.name, subject.c.species == of.species.value)
    if session.execute(known).first() is None:
        details = {"sex": of.sex, "age": of.age, "strain": of.strain}
        session.execute(insert(subject).values(name=of.name, species=of.species.value, details=details))
    mine = (dataset_subject.c.dataset_id == dataset_id, dataset_subject.c.subject_name == of.name)
    if session.execute(select(dataset_subject.c.dataset_id).where(*mine)).first() is None:
        values = {"dataset_id": dataset_id, "subject_name": of.name, "species": of.species.value}
        session.execute(insert(dataset_subject).values(**values))
