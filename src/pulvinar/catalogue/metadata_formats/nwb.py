"""Neurodata Without Borders 2: the fields of `NWBFile` and `Subject`, under the names that `pynwb` gives them.

`pynwb.NWBFile(**document["NWBFile"])` takes them once `session_start_time` is parsed: NWB needs it, and it is left out
where no day of recording is known, for only a person knows it.
"""

from __future__ import annotations

from typing import Any

from pulvinar.catalogue.metadata_formats.parts import (
    Document,
    bare_doi,
    object_of,
    related_of,
    species_key,
    text_of,
    texts_of,
    without_empty,
)
from pulvinar.model.dataset import Version
from pulvinar.model.terms import Vocabulary, keyed, known_as, latin_name, named

KEEPS = (
    "title", "species", "description", "lab", "contributors.name", "keywords", "related.identifier", "ethics",
    "subject.name", "subject.sex", "subject.age", "subject.strain", "acquisition.modality", "acquisition.date",
)  # fmt: skip


def write(version: Version) -> Document:
    """The fields of a version's `NWBFile` and `Subject`."""
    record = version.record
    date, subject = record.acquisition.date, record.subject
    made: Document = without_empty(
        {
            "NWBFile": {
                "identifier": f"{version.dataset_id}/{version.number}",
                "session_description": record.title,
                "session_start_time": f"{date}T00:00:00+00:00" if len(date) == len("YYYY-MM-DD") else "",
                "experiment_description": record.description,
                "experimenter": [person.name for person in record.contributors],
                "lab": record.lab,
                "keywords": list(record.keywords),
                "related_publications": [_publication(one.identifier) for one in record.related],
                "protocol": record.ethics,
                "data_collection": named(Vocabulary.MODALITY, record.acquisition.modality, "en"),
            },
            "Subject": {
                "subject_id": subject.name if subject else "",
                "species": latin_name(record.species),
                "sex": known_as(Vocabulary.SEX, subject.sex, "nwb") if subject else "",
                "age": subject.age if subject else "",
                "strain": subject.strain if subject else "",
            },
        }
    )
    return made


def _publication(identifier: str) -> str:
    return f"doi:{bare_doi(identifier)}" if bare_doi(identifier) else identifier


def recognises(document: Any) -> bool:
    """Whether `document` has the fields of an `NWBFile`."""
    return isinstance(object_of(document).get("NWBFile"), dict)


def read(document: Any) -> Document:
    """What the fields of an `NWBFile` and its `Subject` say of a dataset, in the fields of a record."""
    said, subject = (object_of(object_of(document).get(name)) for name in ("NWBFile", "Subject"))
    made: Document = without_empty(
        {
            "title": text_of(said.get("session_description")),
            "species": species_key(text_of(subject.get("species"))),
            "description": text_of(said.get("experiment_description")),
            "lab": text_of(said.get("lab")) or text_of(said.get("institution")),
            "contributors": [{"name": name} for name in texts_of(said.get("experimenter"))],
            "keywords": texts_of(said.get("keywords")),
            "related": related_of(texts_of(said.get("related_publications"))),
            "ethics": text_of(said.get("protocol")),
            "subject": {
                "name": text_of(subject.get("subject_id")),
                "sex": keyed(Vocabulary.SEX, text_of(subject.get("sex"))),
                "age": text_of(subject.get("age")),
                "strain": text_of(subject.get("strain")),
            },
            "acquisition": {
                "modality": keyed(Vocabulary.MODALITY, text_of(said.get("data_collection"))),
                "date": text_of(said.get("session_start_time"))[:10],
            },
        }
    )
    return made
